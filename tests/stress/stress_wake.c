/* stress_wake - tasks that do everything at once, on several runtimes, with meddling threads.
 *
 * usage: stress_wake [--seconds N] [--seed S]
 *
 * Each runtime lives on a thread of its own, is filled with workers that sleep, yield, wait for
 * mail, spawn, join, cancel, abort, open scopes, choose and hide behind shields, and is destroyed,
 * generation after generation: calmly, once all have ended, or in the midst of it. Other threads
 * wake, cancel, abort, inspect, join and spawn meanwhile. Mail is waited for without a limit, so a
 * lost wake is a hang, which an alarm finds. In the end every function has ended, and no memory and
 * no descriptor is left. */
#include "runtime/fixture.h"

#include <getopt.h>
#include <signal.h>
#include <string.h>

enum {
    RUNTIMES = 3,
    MEDDLERS = 2,
    THREADS = RUNTIMES + MEDDLERS,
    HANDLES = 16, // that everybody may take
    MAILS = 16,
    WORKERS = 20, // at the beginning of a generation
    STEPS = 6,    // of a worker
    DEPTH = 2,    // of workers that spawn workers
    CROWD = 500,  // functions alive, beyond which nobody spawns from outside
    GRACE = 60,   // seconds until a hang is told
};

static struct {
    struct {
        pthread_mutex_t lock;
        edo_task *task;
    } handles[HANDLES];
    struct mail_slot {
        pthread_mutex_t lock;
        edo_wakeable *waker; // counted
        bool is_taken, is_posted;
    } mails[MAILS];
    struct {
        pthread_mutex_t lock;
        edo_runtime *runtime; // counted; NULL: takes no spawns
    } homes[RUNTIMES];
    /* atomic */
    int64_t alive; // functions that own their arguments
    uint64_t begun, generations, joined, refused;
    unsigned running; // threads with runtimes
    int64_t stop_at;
} world;

#define count(member, n) __atomic_add_fetch(&world.member, (n), __ATOMIC_RELAXED)
#define value(member)    __atomic_load_n(&world.member, __ATOMIC_RELAXED)

static unsigned below(test_random *random, unsigned limit)
{
    return (unsigned)test_random_below(random, limit);
}

/* ---- mail: one waits for it, a meddler posts it ---- */

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

/* ---- handles that change hands ---- */

static edo_task *swap_handle(test_random *random, edo_task *task)
{
    unsigned i = below(random, HANDLES);
    pthread_mutex_lock(&world.handles[i].lock);
    edo_task *old = world.handles[i].task;
    world.handles[i].task = task;
    pthread_mutex_unlock(&world.handles[i].lock);
    return old;
}

/* ---- steps of a worker ---- */

struct worker;
static int spawn_worker(edo_task **ret_task, edo_runtime *runtime, unsigned depth, uint64_t seed);
static int spawn_member(edo_scope *scope, unsigned depth, uint64_t seed);

#define step_args edo_args(test_random *random; unsigned depth;)

struct nap {
    edo_frame();
    step_args;
};

edo_async(nap)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(edo_us(below(self->random, 300))));
        edo_return(rc);
    }
}

struct rest {
    edo_frame();
    step_args;
    unsigned left;
};

edo_async(rest)
{
    edo_body {
        int rc = 0;
        for (self->left = below(self->random, 6); self->left && rc == 0; self->left--)
            edo_await(rc, edo_yield());
        edo_return(rc);
    }
}

struct await_mail {
    edo_frame();
    step_args;
    struct mail mail;
};

edo_async(await_mail)
{
    edo_body {
        int rc;
        struct mail_slot *slot = &world.mails[below(self->random, MAILS)];
        if (!take_slot(slot)) edo_return(0);
        self->mail = (struct mail){ .base.ops = &mail_ops, .slot = slot };
        edo_await_on(rc, &self->mail.base);
        edo_return(rc);
    }
}

/* A join that was cancelled leaves us the handle. */
struct have_child {
    edo_frame();
    step_args;
    edo_task *task;
};

edo_async(have_child)
{
    edo_body {
        int64_t rc = spawn_worker(&self->task, NULL, self->depth, test_random_next(self->random));
        if (rc < 0) edo_return(rc);
        if (below(self->random, 3) == 0) edo_await(rc, edo_yield());
        if (below(self->random, 4) == 0) edo_task_cancel(self->task);
        if (below(self->random, 8) == 0) edo_task_abort(self->task);
        edo_await(rc, edo_join(self->task));
        if (edo_op_progress(edo_last_op()) == 0) edo_detach(self->task);
        edo_return(rc);
    }
}

/* The limit, for two may wait for each other. */
struct swap_child {
    edo_frame();
    step_args;
    edo_task *task;
};

edo_async(swap_child)
{
    edo_body {
        int64_t rc = spawn_worker(&self->task, NULL, self->depth, test_random_next(self->random));
        if (rc < 0) edo_return(rc);
        self->task = swap_handle(self->random, self->task);
        if (!self->task) edo_return(0);
        edo_await_for(rc, edo_us(below(self->random, 1000)), edo_join(self->task));
        if (edo_op_progress(edo_last_op()) == 0) edo_detach(self->task);
        count(joined, 1);
        edo_return(rc);
    }
}

struct have_family {
    edo_frame();
    step_args;
    edo_scope scope;
    edo_member member;
    uint32_t flags;
};

edo_async(have_family)
{
    edo_body {
        int64_t rc;
        self->flags = below(self->random, 4); // any combination
        edo_scope_open(&self->scope, self->flags);
        for (unsigned i = below(self->random, 5); i > 0; i--) {
            rc = spawn_member(&self->scope, self->depth, test_random_next(self->random));
            if (rc < 0) break;
        }
        if (below(self->random, 4) == 0) edo_scope_cancel(&self->scope);
        do {
            if (!(self->flags & EDO_SCOPE_RESULTS)) break;
            edo_await(rc, edo_scope_next(&self->scope, &self->member));
        } while (rc == 1);
        edo_await(rc, edo_scope_join(&self->scope));
        insist(edo_scope_count(&self->scope) == 0);
        edo_return(rc == -ECANCELED ? 0 : rc);
    }
}

struct choose {
    edo_frame();
    step_args;
    edo_op a, b;
};

edo_async(choose)
{
    edo_body {
        int rc;
        self->a = edo_sleep(edo_us(below(self->random, 200)));
        self->b = below(self->random, 2) ? edo_yield()
                                         : edo_sleep(edo_us(below(self->random, 200)));
        switch (below(self->random, 4)) {
        case 0: edo_select(rc, &self->a.base, &self->b.base); break;
        case 1: edo_try_all(rc, &self->a.base, &self->b.base); break;
        case 2:
            edo_any(rc, &self->a.base, &self->b.base);
            break; // the rest is cancelled at the end
        default: edo_await_for(rc, edo_us(below(self->random, 100)), self->a);
        }
        edo_return(rc < 0 ? rc : 0);
    }
}

/* ---- workers ---- */

struct worker {
    edo_frame(struct nap a; struct rest b; struct await_mail c; struct have_child d;
              struct swap_child e; struct have_family f; struct choose g;);
    edo_args(unsigned depth; uint64_t seed;);
    test_random random;
    unsigned left;
};

enum { LEAF_STEPS = 4, ALL_STEPS = 7 };

edo_async(worker)
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
        count(alive, -1);
        edo_return(below(&self->random, 10) ? 0 : -EIO);
    }
}

/* Counts an owner of the arguments, unless the spawn failed. */
static int note_spawn(int rc)
{
    count(begun, rc == 0);
    count(refused, rc < 0);
    if (rc < 0) count(alive, -1);
    return rc;
}

static int spawn_worker(edo_task **ret_task, edo_runtime *runtime, unsigned depth, uint64_t seed)
{
    edo_spawn_options options = { .runtime = runtime, .name = seed % 2 ? "odd" : NULL };
    count(alive, 1);
    return note_spawn(edo_spawn_with(ret_task, &options, worker, .depth = depth, .seed = seed));
}

static int spawn_member(edo_scope *scope, unsigned depth, uint64_t seed)
{
    count(alive, 1);
    return note_spawn(edo_scope_spawn(scope, worker, .depth = depth, .seed = seed));
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
        for (unsigned i = 0; i < WORKERS; i++) {
            uint64_t seed = test_random_next(self->random);
            rc = self->calm ? spawn_member(&self->scope, DEPTH, seed)
                            : spawn_worker(NULL, NULL, DEPTH, seed);
            insist(rc == 0);
        }
        edo_await(rc, edo_scope_join(&self->scope));
        if (!self->calm) edo_await(rc, edo_sleep(edo_us(below(self->random, 2000))));
        edo_return(0);
    }
}

static void publish(unsigned index, edo_runtime *runtime)
{
    pthread_mutex_lock(&world.homes[index].lock);
    edo_runtime *old = world.homes[index].runtime;
    world.homes[index].runtime = runtime ? edo_runtime_ref(runtime) : NULL;
    pthread_mutex_unlock(&world.homes[index].lock);
    edo_runtime_unref(old);
}

static void live_one_generation(unsigned index, test_random *random)
{
    edo_runtime *runtime;
    bool calm = below(random, 2), open = below(random, 2);
    insist(edo_runtime_create(NULL, &runtime) == 0);
    publish(index, runtime);
    insist(edo_block_on(runtime, root, .random = random, .calm = calm) == 0);
    if (calm || !open) publish(index, NULL);
    while (calm && edo_runtime_task_count(runtime)) // none is cancelled: mail must come through
        insist(edo_turn(runtime, EDO_NEVER) >= 0);
    insist(edo_runtime_destroy(runtime) == 0);
    if (open) publish(index, NULL);
    count(generations, 1);
}

/* ---- meddling ---- */

static void visit(void *context, const edo_trace_line *line)
{
    size_t *length = context;
    *length += strlen(line->name);
}

static void meddle_with_handle(test_random *random)
{
    unsigned i = below(random, HANDLES);
    size_t length = 0;
    pthread_mutex_lock(&world.handles[i].lock);
    edo_task *task = world.handles[i].task;
    if (task) {
        switch (below(random, 5)) {
        case 0: edo_task_cancel(task); break;
        case 1: edo_task_abort(task); break;
        case 2: edo_task_trace(task, visit, &length); break;
        case 3: length = edo_task_is_done(task) + strlen(edo_task_name(task)); break;
        default: {
            edo_wakeable *waker = edo_task_waker(task);
            edo_wake(waker);
            edo_waker_unref(waker);
        }
        }
    }
    pthread_mutex_unlock(&world.handles[i].lock);
}

static void spawn_abroad(test_random *random)
{
    unsigned i = below(random, RUNTIMES);
    edo_task *task = NULL;
    if (value(alive) > CROWD) return; // it would grow faster than a slow build can run
    pthread_mutex_lock(&world.homes[i].lock);
    edo_runtime *home = world.homes[i].runtime;
    if (home) edo_runtime_ref(home);
    pthread_mutex_unlock(&world.homes[i].lock);
    if (!home) return;
    bool handle = below(random, 2);
    int rc = spawn_worker(handle ? &task : NULL, home, 1, test_random_next(random));
    insist(rc == 0 || rc == -ESHUTDOWN);
    if (task) edo_detach(swap_handle(random, task));
    edo_runtime_unref(home);
}

static void post_all(void)
{
    for (unsigned i = 0; i < MAILS; i++)
        post(&world.mails[i]);
}

static void meddle(test_random *random)
{
    switch (below(random, 8)) {
    case 0:
    case 1: spawn_abroad(random); break;
    case 2: edo_detach(swap_handle(random, NULL)); break;
    case 3: edo_wait(edo_sleep(edo_us(below(random, 100)))); break;
    default: meddle_with_handle(random);
    }
    post_all();
}

/* ---- all threads ---- */

static void run_thread(unsigned index, void *arg)
{
    test_random random = test_random_make(index);
    (void)arg;
    if (index >= RUNTIMES) {
        while (__atomic_load_n(&world.running, __ATOMIC_ACQUIRE))
            meddle(&random);
        return;
    }
    while (edo_now() < world.stop_at)
        live_one_generation(index, &random);
    __atomic_sub_fetch(&world.running, 1, __ATOMIC_RELEASE);
}

static void tell(int number)
{
    static const char text[] = "stress_wake: nothing moves any more\n";
    (void)number;
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    abort();
}

static void init_world(unsigned seconds)
{
    for (unsigned i = 0; i < HANDLES; i++)
        pthread_mutex_init(&world.handles[i].lock, NULL);
    for (unsigned i = 0; i < MAILS; i++)
        pthread_mutex_init(&world.mails[i].lock, NULL);
    for (unsigned i = 0; i < RUNTIMES; i++)
        pthread_mutex_init(&world.homes[i].lock, NULL);
    world.running = RUNTIMES;
    world.stop_at = edo_now() + edo_s(seconds);
}

static void check_world(size_t descriptors)
{
    for (unsigned i = 0; i < HANDLES; i++) {
        insist(!world.handles[i].task || edo_task_is_done(world.handles[i].task));
        edo_detach(world.handles[i].task);
    }
    printf("%llu generations, %llu functions, %llu joined by strangers, %llu refused\n",
           (unsigned long long)world.generations, (unsigned long long)world.begun,
           (unsigned long long)world.joined, (unsigned long long)world.refused);
    insist(world.alive == 0);
    insist(test_allocator_live_count() == 0);
    insist(open_descriptors() == descriptors);
}

int main(int argc, char **argv)
{
    static const struct option options[] = { { "seconds", required_argument, NULL, 'n' },
                                             { "seed", required_argument, NULL, 's' },
                                             { NULL, 0, NULL, 0 } };
    unsigned seconds = 5;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'n') seconds = (unsigned)atoi(optarg);
        if (c == 's') setenv("EDO_TEST_SEED", optarg, 1);
        if (c == '?') return EXIT_FAILURE;
    }
    size_t descriptors = open_descriptors();
    test_seed(); // prints it
    signal(SIGALRM, tell);
    alarm(seconds + GRACE);
    test_allocator_install();
    init_world(seconds);
    run_threads(THREADS, run_thread, NULL);
    check_world(descriptors);
    return EXIT_SUCCESS;
}
