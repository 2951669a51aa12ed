/* stress_wake - tasks that use all features at once, on several runtimes, with interfering threads.
 *
 * usage: stress_wake [--seconds N] [--seed S]
 *
 * Each runtime runs on its own thread, with actors that sleep, yield, wait for mail, spawn, join,
 * cancel, abort, open scopes, select and shield. It is destroyed, generation after generation: once
 * all actors have ended, or in the midst of their work. Other threads wake, cancel, abort, inspect,
 * join and spawn meanwhile. Mail is awaited without a limit, so a lost wake is a hang, which an
 * alarm finds. In the end every function must have ended, and no memory or descriptor may leak. */
#include "stress/actors.h"

enum {
    MAILS = 16,
    ACTORS = 20, // at the begin of a generation
    CROWD = 500, // functions alive, see spawn_abroad
    GRACE = 60,  // seconds until a hang is reported
};

static struct {
    struct mail_slot {
        pthread_mutex_t lock;
        edo_wakeable *waker; // counted
        bool is_taken, is_posted;
    } mails[MAILS];
    uint64_t refused; // atomic
} own;

/* ---- mail: a task waits for it, another thread posts it ---- */

struct mail {
    edo_future base;
    struct mail_slot *slot;
};

static edo_poll mail_poll(edo_future *future, edo_cx *cx)
{
    struct mail_slot *slot = ((struct mail *)(void *)future)->slot;
    edo_poll poll = EDO_PENDING;
    pthread_mutex_lock(&slot->lock);
    if ((slot->is_posted || edo_cx_fate(cx) != EDO_LIVE) && edo_cx_charge(cx)) {
        future->result = slot->is_posted ? 0 : -ECANCELED;
        edo_waker_unref(slot->waker);
        slot->waker = NULL;
        slot->is_taken = false;
        poll = EDO_READY;
    } else if (!slot->waker) {
        slot->waker = edo_waker_ref(edo_cx_waker(cx));
    }
    pthread_mutex_unlock(&slot->lock);
    return poll;
}

static const edo_future_ops mail_ops = { .name = "mail", .poll = mail_poll };

static bool take_slot(struct mail_slot *slot)
{
    pthread_mutex_lock(&slot->lock);
    bool free = !slot->is_taken;
    slot->is_taken = true;
    if (free) slot->is_posted = false;
    pthread_mutex_unlock(&slot->lock);
    return free;
}

static void post(struct mail_slot *slot)
{
    pthread_mutex_lock(&slot->lock);
    edo_wakeable *waker = slot->waker;
    bool wanted = slot->is_taken && waker;
    if (wanted) slot->is_posted = true;
    if (wanted) slot->waker = NULL;
    pthread_mutex_unlock(&slot->lock);
    if (!wanted) return;
    edo_wake(waker);
    edo_waker_unref(waker);
}

/* ---- actors ---- */

struct await_mail {
    edo_frame();
    step_args;
    struct mail mail;
};

edo_async(await_mail)
{
    edo_body {
        int rc;
        struct mail_slot *slot = &own.mails[below(self->random, MAILS)];
        if (!take_slot(slot)) edo_return(0);
        self->mail = (struct mail){ .base.ops = &mail_ops, .slot = slot };
        edo_await_on(rc, &self->mail.base);
        edo_return(rc);
    }
}

struct actor {
    edo_frame(struct nap a; struct rest b; struct await_mail c; struct have_child d;
              struct swap_child e; struct have_family f; struct choose g;);
    edo_args(unsigned depth; uint64_t seed;);
    test_random random;
    unsigned left;
};

enum { LEAF_STEPS = 4, ALL_STEPS = 7 };

edo_async(actor)
{
    edo_body {
        int64_t rc;
        self->random.state = self->seed;
        for (self->left = 1 + below(&self->random, STEPS); self->left; self->left--) {
            switch (below(&self->random, self->depth ? ALL_STEPS : LEAF_STEPS)) {
            case 0: edo_call(rc, nap, &self->random, 0); break;
            case 1: edo_call(rc, rest, &self->random, 0); break;
            case 2: edo_call(rc, await_mail, &self->random, 0); break;
            case 3: edo_call(rc, choose, &self->random, 0); break;
            case 4: edo_call(rc, have_child, &self->random, self->depth - 1); break;
            case 5: edo_call(rc, swap_child, &self->random, self->depth - 1); break;
            default: edo_call(rc, have_family, &self->random, self->depth - 1);
            }
            if (edo_is_cancelled()) break;
        }
        if (below(&self->random, 3) == 0) {
            edo_shield();
            edo_call(rc, nap, &self->random, 0);
        }
        count(world.alive, -1);
        edo_return(below(&self->random, 10) ? 0 : -EIO);
    }
}

/* Counts an owner of the arguments, unless the spawn failed. */
static int note_spawn(int rc)
{
    count(world.begun, rc == 0);
    count(own.refused, rc < 0);
    if (rc < 0) count(world.alive, -1);
    return rc;
}

static int spawn_actor(edo_task **ret_task, edo_runtime *runtime, unsigned depth, uint64_t seed)
{
    edo_spawn_options options = { .runtime = runtime, .name = seed % 2 ? "odd" : NULL };
    count(world.alive, 1);
    return note_spawn(edo_spawn_with(ret_task, &options, actor, .depth = depth, .seed = seed));
}

static int spawn_member(edo_scope *scope, unsigned depth, uint64_t seed)
{
    count(world.alive, 1);
    return note_spawn(edo_scope_spawn(scope, actor, .depth = depth, .seed = seed));
}

/* ---- a generation of a runtime ---- */

struct root {
    edo_frame();
    edo_args(test_random *random; bool calm;);
    edo_scope scope;
};

edo_async(root)
{
    edo_body {
        int rc = 0;
        edo_scope_open(&self->scope, 0);
        for (unsigned i = 0; i < ACTORS; i++) {
            uint64_t seed = test_random_next(self->random);
            rc = self->calm ? spawn_member(&self->scope, DEPTH, seed)
                            : spawn_actor(NULL, NULL, DEPTH, seed);
            insist(rc == 0);
        }
        edo_await(rc, edo_scope_join(&self->scope));
        if (!self->calm) edo_await(rc, edo_sleep(edo_us(below(self->random, 2000))));
        edo_return(0);
    }
}

static void live_one_generation(unsigned index, test_random *random)
{
    edo_runtime *runtime;
    bool calm = below(random, 2), open = below(random, 2);
    insist(edo_runtime_create(NULL, &runtime) == 0);
    publish(index, runtime);
    insist(edo_block_on(runtime, root, .random = random, .calm = calm) == 0);
    if (calm || !open) publish(index, NULL);
    while (calm && edo_runtime_task_count(runtime)) // none is cancelled: every mail must arrive
        insist(edo_turn(runtime, EDO_NEVER) >= 0);
    insist(edo_runtime_destroy(runtime) == 0);
    if (open) publish(index, NULL);
    count(world.generations, 1);
}

/* ---- interfering threads ---- */

static void post_all(void)
{
    for (unsigned i = 0; i < MAILS; i++)
        post(&own.mails[i]);
}

static void meddle(test_random *random)
{
    switch (below(random, 8)) {
    case 0:
    case 1: spawn_abroad(random, CROWD); break;
    case 2: edo_detach(swap_handle(random, NULL)); break;
    case 3: edo_wait(edo_sleep(edo_us(below(random, 100)))); break;
    default: meddle_with_handle(random);
    }
    post_all();
}

/* ---- the program ---- */

int main(int argc, char **argv)
{
    unsigned seconds = read_options(argc, argv, NULL, NULL);
    size_t descriptors = open_descriptors();
    test_seed(); // prints it
    expect_end_within(seconds + GRACE);
    test_allocator_install();
    for (unsigned i = 0; i < MAILS; i++)
        pthread_mutex_init(&own.mails[i].lock, NULL);
    run_world(seconds);
    printf("%llu generations, %llu functions, %llu joined by strangers, %llu refused\n",
           (unsigned long long)world.generations, (unsigned long long)world.begun,
           (unsigned long long)world.joined, (unsigned long long)own.refused);
    check_world();
    insist(open_descriptors() == descriptors);
    return EXIT_SUCCESS;
}
