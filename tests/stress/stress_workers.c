/* stress_workers - tasks that do everything at once, on several runtimes with workers, with meddling
 * threads. edo-stress: short 10
 *
 * usage: stress_workers [--seconds N] [--seed S] [--workers N]
 *   --workers    of each runtime; default: between 1 and 16, another number for each
 *
 * As stress_wake, but tasks go from worker to worker: they also compute for milliseconds, so that
 * helpers come; block in place, run jobs on pools, talk over sockets, are pinned, and come in
 * crowds that overflow a ring. Runtimes are destroyed calmly, once all tasks have ended, or in the
 * midst of it; with the clock of the system or a test clock; with or without helpers. Flags are
 * waited for without a limit, so a lost wake is a hang, which an alarm finds.
 *
 * Every poll is watched by hooks: no task is polled by two threads, by another worker than its own,
 * or after its end. In the end each function that was begun has ended once; bytes are what they
 * were; no memory, no record of a task and no descriptor is left. */
#include "runtime/fixture.h"

#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "support/streams.h"

enum {
    RUNTIMES = 3,
    MEDDLERS = 2,
    THREADS = RUNTIMES + MEDDLERS,
    HANDLES = 16, // that everybody may take
    FLAGS = 16,
    ACTORS = 16,    // at the beginning of a generation
    STEPS = 6,      // of an actor
    DEPTH = 2,      // of actors that spawn actors
    CROWD = 600,    // functions alive, beyond which nobody spawns from outside
    OVERFLOW = 300, // tasks at once: more than a ring holds
    CHUNK = 3000,   // bytes of a message, at most
    FEW_BYTES = 50, // the same for a driver that moves single bytes
    ANSWER = 4242,
    GRACE = 100, // seconds until a hang is told
};

static struct {
    struct {
        pthread_mutex_t lock;
        edo_task *task;
    } handles[HANDLES];
    struct flag_slot {
        pthread_mutex_t lock;
        flag *flag; // in the frame of who waits
    } flags[FLAGS];
    struct {
        pthread_mutex_t lock;
        edo_runtime *runtime; // counted; NULL: takes no spawns
    } homes[RUNTIMES];
    int32_t workers; // 0: any number
    /* atomic */
    int64_t alive;   // functions that own their arguments
    int64_t records; // of tasks
    uint64_t begun, generations, helped, jobs, talks, stalls;
    unsigned running; // threads with runtimes
    int64_t stop_at;
} world;

#define count(member, n) __atomic_add_fetch(&world.member, (n), __ATOMIC_RELAXED)
#define value(member)    __atomic_load_n(&world.member, __ATOMIC_RELAXED)

static unsigned below(test_random *random, unsigned limit)
{
    return (unsigned)test_random_below(random, limit);
}

static bool one_in(test_random *random, unsigned n)
{
    return below(random, n) == 0;
}

/* Real time: a test clock stands still meanwhile. */
static int64_t real_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return edo_s(now.tv_sec) + now.tv_nsec;
}

static void compute_for(int64_t duration)
{
    for (int64_t end = real_now() + duration; real_now() < end;)
        continue;
}

/* ---- what the hooks know of a task ---- */

typedef struct record {
    unsigned polling, ended; // atomic
    uint32_t pinned;
} record;

static record *make_record(uint32_t pinned)
{
    record *r = calloc(1, sizeof *r);
    insist(r);
    r->pinned = pinned;
    count(records, 1);
    return r;
}

static void drop_record(record *r)
{
    count(records, -1);
    free(r);
}

static void note_begin(void *user, const edo_task *task)
{
    record *r = edo_task_user(task);
    int64_t workers = (int64_t)(intptr_t)user;
    if (edo_worker_index() >= workers) count(helped, 1);
    if (!r) return;
    insist(__atomic_exchange_n(&r->polling, 1, __ATOMIC_RELAXED) == 0);
    insist(!__atomic_load_n(&r->ended, __ATOMIC_RELAXED));
    insist(!r->pinned || edo_worker_index() + 1 == (int)r->pinned);
}

static void note_pause(void *user, const edo_task *task)
{
    record *r = edo_task_user(task);
    (void)user;
    if (r) insist(__atomic_exchange_n(&r->polling, 0, __ATOMIC_RELAXED) == 1);
}

static void note_end(void *user, const edo_task *task)
{
    record *r = edo_task_user(task);
    (void)user;
    if (!r) return;
    insist(__atomic_exchange_n(&r->ended, 1, __ATOMIC_RELAXED) == 0);
    drop_record(r);
}

static void note_stall(void *user, const edo_stall *stall)
{
    (void)user;
    insist(stall->task_name && stall->duration > 0);
    count(stalls, 1);
}

/* ---- flags: one waits, others set them ---- */

static bool take_slot(struct flag_slot *slot, flag *f)
{
    flag_init(f);
    pthread_mutex_lock(&slot->lock);
    bool free = !slot->flag;
    if (free) slot->flag = f;
    pthread_mutex_unlock(&slot->lock);
    return free;
}

static void leave_slot(struct flag_slot *slot, const flag *f)
{
    pthread_mutex_lock(&slot->lock);
    if (slot->flag == f) slot->flag = NULL;
    pthread_mutex_unlock(&slot->lock);
}

static void set_flag(unsigned i)
{
    struct flag_slot *slot = &world.flags[i];
    pthread_mutex_lock(&slot->lock);
    if (slot->flag) flag_set(slot->flag);
    slot->flag = NULL;
    pthread_mutex_unlock(&slot->lock);
}

static void set_all_flags(void)
{
    for (unsigned i = 0; i < FLAGS; i++)
        set_flag(i);
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

static void visit(void *context, const edo_trace_line *line)
{
    size_t *length = context;
    *length += strlen(line->name);
}

static void wake_task(edo_task *task)
{
    edo_wakeable *waker = edo_task_waker(task);
    edo_wake(waker);
    edo_waker_unref(waker);
}

static void meddle_with_handle(test_random *random)
{
    unsigned i = below(random, HANDLES);
    size_t length = 0;
    pthread_mutex_lock(&world.handles[i].lock);
    edo_task *task = world.handles[i].task;
    if (task) {
        switch (below(random, 6)) {
        case 0: edo_task_cancel(task); break;
        case 1: edo_task_abort(task); break;
        case 2:
        case 3: edo_task_trace(task, visit, &length); break;
        case 4: length = edo_task_is_done(task) + strlen(edo_task_name(task)); break;
        default: wake_task(task);
        }
    }
    pthread_mutex_unlock(&world.handles[i].lock);
}

/* ---- steps of an actor ---- */

struct actor;
static int spawn_actor(edo_task **ret_task, edo_runtime *runtime, unsigned depth, uint64_t seed);
static int spawn_member(edo_scope *scope, unsigned depth, uint64_t seed);
static void spawn_abroad(test_random *random);

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

struct await_flag {
    edo_frame();
    step_args;
    flag flag;
    unsigned slot;
};

edo_async(await_flag)
{
    edo_body {
        int rc;
        self->slot = below(self->random, FLAGS);
        if (!take_slot(&world.flags[self->slot], &self->flag)) edo_return(0);
        edo_await_on(rc, &self->flag.base);
        leave_slot(&world.flags[self->slot], &self->flag);
        edo_return(rc);
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
        self->b = one_in(self->random, 2) ? edo_yield()
                                          : edo_sleep(edo_us(below(self->random, 200)));
        switch (below(self->random, 3)) {
        case 0: edo_select(rc, &self->a.base, &self->b.base); break;
        case 1: edo_try_all(rc, &self->a.base, &self->b.base); break;
        default: edo_await_for(rc, edo_us(below(self->random, 100)), self->a);
        }
        edo_return(rc < 0 ? rc : 0);
    }
}

/* Mostly short; now and then long enough for helpers to come. */
struct compute {
    edo_frame();
    step_args;
};

edo_async(compute)
{
    edo_body {
        compute_for(edo_us(one_in(self->random, 12) ? below(self->random, 15000)
                                                    : below(self->random, 100)));
        edo_return(0);
    }
}

static int64_t block(void *arg)
{
    test_random *random = arg;
    switch (below(random, 4)) {
    case 0: set_flag(below(random, FLAGS)); break;
    case 1: meddle_with_handle(random); break;
    case 2: spawn_abroad(random); break;
    default: edo_wait(edo_sleep(edo_us(below(random, 100))));
    }
    if (one_in(random, 4)) poll(NULL, 0, (int)below(random, 10));
    insist(edo_current_task() == NULL);
    return ANSWER;
}

struct block_here {
    edo_frame();
    step_args;
};

edo_async(block_here)
{
    edo_body {
        const edo_task *before = edo_current_task();
        insist(edo_block_in_place(block, self->random) == ANSWER);
        insist(edo_current_task() == before);
        edo_return(0);
    }
}

static int64_t job(void *arg)
{
    count(jobs, 1);
    compute_for(edo_us((int64_t)(intptr_t)arg));
    return ANSWER;
}

struct have_job {
    edo_frame();
    step_args;
    edo_task *task;
};

static void check_job(int64_t result)
{
    insist(result == ANSWER || result == -ECANCELED || result == -ETIMEDOUT);
}

edo_async(have_job)
{
    edo_body {
        int64_t rc;
        void *arg = (void *)(intptr_t)below(self->random, 100);
        switch (below(self->random, 3)) {
        case 0: edo_await(rc, edo_blocking(job, arg)); break;
        case 1: edo_await_for(rc, edo_us(50), edo_blocking(job, arg)); break;
        default:
            rc = edo_spawn_blocking(&self->task, job, arg);
            if (rc < 0) edo_return(rc);
            if (one_in(self->random, 2)) edo_task_cancel(self->task);
            edo_await(rc, edo_join(self->task));
            if (edo_op_progress(edo_last_op()) == 0) edo_detach(self->task);
        }
        check_job(rc);
        edo_return(rc < 0 ? rc : 0);
    }
}

/* More than a ring holds; and each may be taken by another worker. */
struct one_of_many {
    edo_frame();
    edo_args();
};

edo_async(one_of_many)
{
    edo_body {
        count(alive, -1);
        edo_return(0);
    }
}

struct overflow {
    edo_frame();
    step_args;
};

edo_async(overflow)
{
    edo_body {
        int rc = 0;
        if (!one_in(self->random, 8)) edo_return(0);
        for (unsigned i = 0; i < OVERFLOW && rc == 0; i++) {
            count(alive, 1);
            rc = edo_spawn(NULL, one_of_many);
            count(begun, rc == 0);
            if (rc < 0) count(alive, -1);
        }
        edo_return(rc);
    }
}

/* ---- bytes to and fro, between two tasks ---- */

/* Sends back what comes, until the stream ends. */
struct echo {
    edo_frame();
    edo_args(edo_io *io;);
    char buffer[CHUNK / 3];
};

edo_async(echo)
{
    edo_body {
        int64_t rc;
        for (;;) {
            edo_await(rc, edo_read(self->io, self->buffer, sizeof self->buffer));
            if (rc <= 0) break;
            edo_await(rc, edo_write_all(self->io, self->buffer, (size_t)rc));
            if (rc < 0) break;
        }
        edo_close(self->io);
        count(alive, -1);
        edo_return(0);
    }
}

static int spawn_echo(edo_io *io, uint32_t pinned)
{
    edo_spawn_options options = { .pinned = pinned, .user = make_record(pinned) };
    count(alive, 1);
    int rc = edo_spawn_with(NULL, &options, echo, .io = io);
    count(begun, rc == 0);
    if (rc == 0) return 0;
    count(alive, -1);
    drop_record(options.user);
    edo_close(io);
    return rc;
}

struct talk {
    edo_frame();
    step_args;
    edo_io *io;
    uint64_t id;
    size_t size;
    unsigned left;
    char out[CHUNK], in[CHUNK];
};

static int begin_talk(struct talk *self)
{
    edo_io *peer;
    unsigned workers = edo_runtime_workers(edo_current_runtime());
    open_streams(one_in(self->random, 2) ? UNIX_STREAM : TCP_STREAM, &self->io, &peer);
    self->id = test_random_next(self->random);
    self->left = below(self->random, 4);
    int rc = spawn_echo(peer, one_in(self->random, 3) ? 1 + below(self->random, workers) : 0);
    if (rc < 0) edo_close(self->io);
    return rc;
}

edo_async(talk)
{
    edo_body {
        int64_t rc = begin_talk(self);
        if (rc < 0) edo_return(rc);
        while (self->left--) {
            self->size = 1 + below(self->random, driver_is("chaos") ? FEW_BYTES : CHUNK);
            fill_pattern(self->out, self->size, self->id, self->left);
            edo_await(rc, edo_write_all(self->io, self->out, self->size));
            if (rc < 0) break;
            edo_await(rc, edo_read_exact(self->io, self->in, self->size));
            if (rc < 0) break;
            insist(rc == (int64_t)self->size);
            insist(is_pattern(self->in, self->size, self->id, self->left));
            count(talks, 1);
        }
        edo_close(self->io);
        edo_return(rc < 0 ? rc : 0);
    }
}

/* ---- children ---- */

/* A join that was cancelled leaves us the handle. */
struct have_child {
    edo_frame();
    step_args;
    edo_task *task;
};

edo_async(have_child)
{
    edo_body {
        int64_t rc = spawn_actor(&self->task, NULL, self->depth, test_random_next(self->random));
        if (rc < 0) edo_return(rc);
        if (one_in(self->random, 3)) edo_await(rc, edo_yield());
        if (one_in(self->random, 4)) edo_task_cancel(self->task);
        if (one_in(self->random, 8)) edo_task_abort(self->task);
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
        int64_t rc = spawn_actor(&self->task, NULL, self->depth, test_random_next(self->random));
        if (rc < 0) edo_return(rc);
        self->task = swap_handle(self->random, self->task);
        if (!self->task) edo_return(0);
        edo_await_for(rc, edo_us(below(self->random, 1000)), edo_join(self->task));
        if (edo_op_progress(edo_last_op()) == 0) edo_detach(self->task);
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
        if (one_in(self->random, 4)) edo_scope_cancel(&self->scope);
        do {
            if (!(self->flags & EDO_SCOPE_RESULTS)) break;
            edo_await(rc, edo_scope_next(&self->scope, &self->member));
        } while (rc == 1);
        edo_await(rc, edo_scope_join(&self->scope));
        insist(edo_scope_count(&self->scope) == 0);
        edo_return(rc == -ECANCELED ? 0 : rc);
    }
}

/* ---- actors ---- */

struct actor {
    edo_frame(struct nap a; struct rest b; struct await_flag c; struct choose d; struct compute e;
              struct block_here f; struct have_job g; struct overflow h; struct talk i;
              struct have_child j; struct swap_child k; struct have_family l;);
    edo_args(unsigned depth; uint64_t seed;);
    test_random random;
    unsigned left;
};

enum { LEAF_STEPS = 9, ALL_STEPS = 12 };

edo_async(actor)
{
    edo_body {
        int64_t rc;
        self->random.state = self->seed;
        for (self->left = 1 + below(&self->random, STEPS); self->left; self->left--) {
            switch (below(&self->random, self->depth ? ALL_STEPS : LEAF_STEPS)) {
            case 0: edo_call(rc, nap, &self->random, 0); break;
            case 1: edo_call(rc, rest, &self->random, 0); break;
            case 2: edo_call(rc, await_flag, &self->random, 0); break;
            case 3: edo_call(rc, choose, &self->random, 0); break;
            case 4: edo_call(rc, compute, &self->random, 0); break;
            case 5: edo_call(rc, block_here, &self->random, 0); break;
            case 6: edo_call(rc, have_job, &self->random, 0); break;
            case 7: edo_call(rc, overflow, &self->random, 0); break;
            case 8: edo_call(rc, talk, &self->random, 0); break;
            case 9: edo_call(rc, have_child, &self->random, self->depth - 1); break;
            case 10: edo_call(rc, swap_child, &self->random, self->depth - 1); break;
            default: edo_call(rc, have_family, &self->random, self->depth - 1);
            }
            meddle_with_handle(&self->random);
            if (edo_is_cancelled()) break;
        }
        if (one_in(&self->random, 3)) {
            edo_shield();
            edo_call(rc, nap, &self->random, 0);
        }
        count(alive, -1);
        edo_return(one_in(&self->random, 10) ? -EIO : 0);
    }
}

/* A quarter of them is pinned. */
static edo_spawn_options options_of_actor(edo_runtime *runtime, uint64_t seed)
{
    unsigned workers = edo_runtime_workers(runtime ? runtime : edo_current_runtime());
    uint32_t pinned = seed % 4 ? 0 : 1 + (uint32_t)(seed / 4 % workers);
    return (edo_spawn_options){ .runtime = runtime,
                                .name = seed % 2 ? "odd" : NULL,
                                .pinned = pinned,
                                .user = make_record(pinned) };
}

/* Counts an owner of the arguments, unless the spawn failed. */
static int note_spawn(int rc, const edo_spawn_options *options)
{
    count(begun, rc == 0);
    if (rc == 0) return 0;
    count(alive, -1);
    drop_record(options->user);
    return rc;
}

static int spawn_actor(edo_task **ret_task, edo_runtime *runtime, unsigned depth, uint64_t seed)
{
    edo_spawn_options options = options_of_actor(runtime, seed);
    count(alive, 1);
    int rc = edo_spawn_with(ret_task, &options, actor, .depth = depth, .seed = seed);
    return note_spawn(rc, &options);
}

static int spawn_member(edo_scope *scope, unsigned depth, uint64_t seed)
{
    edo_spawn_options options = options_of_actor(NULL, seed);
    count(alive, 1);
    int rc = edo_scope_spawn_with(scope, &options, actor, .depth = depth, .seed = seed);
    return note_spawn(rc, &options);
}

/* ---- meddling ---- */

static edo_runtime *visit_home(test_random *random)
{
    unsigned i = below(random, RUNTIMES);
    pthread_mutex_lock(&world.homes[i].lock);
    edo_runtime *home = world.homes[i].runtime;
    if (home) edo_runtime_ref(home);
    pthread_mutex_unlock(&world.homes[i].lock);
    return home;
}

static void spawn_abroad(test_random *random)
{
    edo_task *task = NULL;
    if (value(alive) > CROWD) return; // it would grow faster than a slow build can run
    edo_runtime *home = visit_home(random);
    if (!home) return;
    bool handle = one_in(random, 2);
    int rc = spawn_actor(handle ? &task : NULL, home, 1, test_random_next(random));
    insist(rc == 0 || rc == -ESHUTDOWN);
    if (task) edo_detach(swap_handle(random, task));
    edo_runtime_unref(home);
}

static void run_abroad(test_random *random)
{
    edo_runtime *home = visit_home(random);
    if (!home) return;
    int64_t rc = edo_block_on(home, rest, .random = random, .depth = 0);
    insist(rc == 0 || rc == -ECANCELED || rc == -ESHUTDOWN);
    edo_runtime_unref(home);
}

static void meddle(test_random *random)
{
    switch (below(random, 10)) {
    case 0:
    case 1: spawn_abroad(random); break;
    case 2: edo_detach(swap_handle(random, NULL)); break;
    case 3: edo_wait(edo_sleep(edo_us(below(random, 100)))); break;
    case 4: run_abroad(random); break;
    default: meddle_with_handle(random);
    }
    set_all_flags();
}

/* ---- a generation of a runtime ---- */

struct root {
    edo_frame();
    edo_args(test_random *random;);
};

edo_async(root)
{
    edo_body {
        int rc;
        for (unsigned i = 0; i < ACTORS; i++)
            insist(spawn_actor(NULL, NULL, DEPTH, test_random_next(self->random)) == 0);
        edo_await(rc, edo_sleep(edo_us(below(self->random, 2000))));
        edo_return(0);
    }
}

/* None is cancelled: every wake must come through. */
struct await_others {
    edo_frame();
    edo_args();
};

edo_async(await_others)
{
    edo_body {
        int rc = 0;
        while (edo_runtime_task_count(edo_current_runtime()) > 1 && rc == 0)
            edo_await(rc, edo_sleep(edo_us(200)));
        edo_return(rc);
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

static int32_t choose_workers(test_random *random)
{
    static const int32_t counts[] = { 1, 2, 2, 2, 3, 4, 16 };
    int32_t any = counts[below(random, ARRAY_LENGTH(counts))];
    return world.workers ? world.workers : any;
}

static edo_config choose_config(test_random *random)
{
    static const int32_t spares[] = { 0, 0, 1, -1 };
    edo_config config = { .workers = choose_workers(random),
                          .max_spare = spares[below(random, ARRAY_LENGTH(spares))],
                          .test_clock = one_in(random, 4),
                          .event_interval = one_in(random, 4) ? 1 + below(random, 3) : 0,
                          .budget = one_in(random, 4) ? 1 + below(random, 3) : 0,
                          .stall_limit = one_in(random, 4) ? edo_ms(2) : EDO_NEVER,
                          .drain_limit = one_in(random, 2) ? edo_us(below(random, 3000))
                                                           : edo_s(GRACE),
                          .abort_limit = edo_s(GRACE),
                          .seed = test_random_next(random) };
    return config;
}

static void live_one_generation(unsigned index, test_random *random)
{
    edo_runtime *runtime;
    edo_config config = choose_config(random);
    edo_hooks hooks = { .user = (void *)(intptr_t)config.workers,
                        .before_poll = note_begin,
                        .after_poll = note_pause,
                        .end = note_end,
                        .stall = note_stall };
    config.hooks = &hooks;
    bool calm = one_in(random, 2), open = one_in(random, 2);
    insist(edo_runtime_create(&config, &runtime) == 0);
    publish(index, runtime);
    insist(edo_block_on(runtime, root, .random = random) == 0);
    if (calm || !open) publish(index, NULL);
    if (calm) insist(edo_block_on(runtime, await_others) == 0);
    insist(edo_runtime_destroy(runtime) == 0);
    if (open) publish(index, NULL);
    count(generations, 1);
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
    while (real_now() < world.stop_at)
        live_one_generation(index, &random);
    __atomic_sub_fetch(&world.running, 1, __ATOMIC_RELEASE);
}

static void tell(int number)
{
    static const char text[] = "stress_workers: nothing moves any more\n";
    (void)number;
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    abort();
}

/* Stalls are made on purpose. */
static void ignore_warnings(void *context, edo_log_level level, const char *line)
{
    (void)context;
    if (level == EDO_LOG_ERROR) fprintf(stderr, "%s\n", line);
}

static void init_world(unsigned seconds)
{
    for (unsigned i = 0; i < HANDLES; i++)
        pthread_mutex_init(&world.handles[i].lock, NULL);
    for (unsigned i = 0; i < FLAGS; i++)
        pthread_mutex_init(&world.flags[i].lock, NULL);
    for (unsigned i = 0; i < RUNTIMES; i++)
        pthread_mutex_init(&world.homes[i].lock, NULL);
    world.running = RUNTIMES;
    world.stop_at = real_now() + edo_s(seconds);
}

static void check_world(size_t descriptors)
{
    for (unsigned i = 0; i < HANDLES; i++) {
        insist(!world.handles[i].task || edo_task_is_done(world.handles[i].task));
        edo_detach(world.handles[i].task);
    }
    printf("%llu generations, %llu functions, %llu polls by helpers, %llu jobs, %llu messages, "
           "%llu stalls\n",
           (unsigned long long)world.generations, (unsigned long long)world.begun,
           (unsigned long long)world.helped, (unsigned long long)world.jobs,
           (unsigned long long)world.talks, (unsigned long long)world.stalls);
    insist(world.alive == 0);
    insist(world.records == 0);
    insist(test_allocator_live_count() == 0);
    insist(open_descriptors() == descriptors);
}

static unsigned parse(int argc, char **argv)
{
    static const struct option options[] = { { "seconds", required_argument, NULL, 'n' },
                                             { "seed", required_argument, NULL, 's' },
                                             { "workers", required_argument, NULL, 'w' },
                                             { NULL, 0, NULL, 0 } };
    unsigned seconds = 5;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'n') seconds = (unsigned)atoi(optarg);
        if (c == 's') setenv("EDO_TEST_SEED", optarg, 1);
        if (c == 'w') world.workers = atoi(optarg);
        if (c == '?') exit(2);
    }
    return seconds;
}

int main(int argc, char **argv)
{
    unsigned seconds = parse(argc, argv);
    size_t descriptors = open_descriptors();
    test_seed(); // prints it
    signal(SIGALRM, tell);
    alarm(seconds + GRACE);
    edo_set_log(ignore_warnings, NULL);
    test_allocator_install();
    init_world(seconds);
    run_threads(THREADS, run_thread, NULL);
    check_world(descriptors);
    return EXIT_SUCCESS;
}
