/* stress_workers - tasks that use all features at once, on several runtimes with workers, with
 * interfering threads. edo-stress: short 10
 *
 * usage: stress_workers [--seconds N] [--seed S] [--workers N]
 *   --workers    of each runtime; default: between 1 and 16, another number for each
 *
 * As stress_wake, but tasks migrate between workers. They also compute for milliseconds, so that
 * helpers come; block in place, run jobs on pools, exchange bytes over sockets, are pinned, and
 * come in numbers that overflow a ring. Runtimes are destroyed once all tasks have ended, or in the
 * midst of their work; with the system's clock or a test clock; with or without helpers. Flags are
 * awaited without a limit, so a lost wake is a hang, which an alarm finds.
 *
 * Hooks check every poll: no task may be polled by two threads, by another worker than its own, or
 * after its end. In the end each function that began must have ended once, bytes must be intact,
 * and no memory, record of a task or descriptor may leak. */
#include "stress/actors.h"

#include <poll.h>
#include <time.h>

#include "support/streams.h"

enum {
    FLAGS = 16,
    ACTORS = 16,    // at the begin of a generation
    CROWD = 600,    // functions alive, see spawn_abroad
    OVERFLOW = 300, // tasks at once: more than a ring holds
    CHUNK = 3000,   // greatest size of a message
    FEW_BYTES = 50, // the same for a driver that moves single bytes
    ANSWER = 4242,
    GRACE = 100, // seconds until a hang is reported
};

static struct {
    struct flag_slot {
        pthread_mutex_t lock;
        flag *flag; // in the frame of the waiting task
    } flags[FLAGS];
    int32_t workers; // 0: any number
    /* atomic */
    int64_t records; // of tasks
    uint64_t helped, jobs, talks, stalls;
} own;

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

/* ---- the hooks' record of a task ---- */

typedef struct record {
    unsigned polling, ended; // atomic
    uint32_t pinned;
} record;

static record *make_record(uint32_t pinned)
{
    record *r = calloc(1, sizeof *r);
    insist(r);
    r->pinned = pinned;
    count(own.records, 1);
    return r;
}

static void drop_record(record *r)
{
    count(own.records, -1);
    free(r);
}

static void note_begin(void *user, const edo_task *task)
{
    record *r = edo_task_user(task);
    int64_t workers = (int64_t)(intptr_t)user;
    if (edo_worker_index() >= workers) count(own.helped, 1);
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
    count(own.stalls, 1);
}

/* ---- flags: one task waits, others set them ---- */

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
    struct flag_slot *slot = &own.flags[i];
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

/* ---- steps of an actor ---- */

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
        if (!take_slot(&own.flags[self->slot], &self->flag)) edo_return(0);
        edo_await_on(rc, &self->flag.base);
        leave_slot(&own.flags[self->slot], &self->flag);
        edo_return(rc);
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
    case 2: spawn_abroad(random, CROWD); break;
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
    count(own.jobs, 1);
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

/* More tasks than a ring holds; each may be stolen. */
struct one_of_many {
    edo_frame();
    edo_args();
};

edo_async(one_of_many)
{
    edo_body {
        count(world.alive, -1);
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
            count(world.alive, 1);
            rc = edo_spawn(NULL, one_of_many);
            count(world.begun, rc == 0);
            if (rc < 0) count(world.alive, -1);
        }
        edo_return(rc);
    }
}

/* ---- bytes back and forth between two tasks ---- */

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
        count(world.alive, -1);
        edo_return(0);
    }
}

static int spawn_echo(edo_io *io, uint32_t pinned)
{
    edo_spawn_options options = { .pinned = pinned, .user = make_record(pinned) };
    count(world.alive, 1);
    int rc = edo_spawn_with(NULL, &options, echo, .io = io);
    count(world.begun, rc == 0);
    if (rc == 0) return 0;
    count(world.alive, -1);
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
            count(own.talks, 1);
        }
        edo_close(self->io);
        edo_return(rc < 0 ? rc : 0);
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
        count(world.alive, -1);
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
    count(world.begun, rc == 0);
    if (rc == 0) return 0;
    count(world.alive, -1);
    drop_record(options->user);
    return rc;
}

static int spawn_actor(edo_task **ret_task, edo_runtime *runtime, unsigned depth, uint64_t seed)
{
    edo_spawn_options options = options_of_actor(runtime, seed);
    count(world.alive, 1);
    int rc = edo_spawn_with(ret_task, &options, actor, .depth = depth, .seed = seed);
    return note_spawn(rc, &options);
}

static int spawn_member(edo_scope *scope, unsigned depth, uint64_t seed)
{
    edo_spawn_options options = options_of_actor(NULL, seed);
    count(world.alive, 1);
    int rc = edo_scope_spawn_with(scope, &options, actor, .depth = depth, .seed = seed);
    return note_spawn(rc, &options);
}

/* ---- interfering threads ---- */

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
    case 1: spawn_abroad(random, CROWD); break;
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

static int32_t choose_workers(test_random *random)
{
    static const int32_t counts[] = { 1, 2, 2, 2, 3, 4, 16 };
    int32_t any = counts[below(random, ARRAY_LENGTH(counts))];
    return own.workers ? own.workers : any;
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

/* A runtime with a test clock takes no spawns from interfering threads: these spawn all the time,
 * and a test clock advances only when the runtime is idle. Their wakes, cancels and inspections
 * reach its tasks nevertheless. */
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
    if (!config.test_clock) publish(index, runtime);
    insist(edo_block_on(runtime, root, .random = random) == 0);
    if (calm || !open) publish(index, NULL);
    if (calm) insist(edo_block_on(runtime, await_others) == 0);
    insist(edo_runtime_destroy(runtime) == 0);
    if (open) publish(index, NULL);
    count(world.generations, 1);
}

/* ---- the program ---- */

/* Stalls are made on purpose. */
static void ignore_warnings(void *context, edo_log_level level, const char *line)
{
    (void)context;
    if (level == EDO_LOG_ERROR) fprintf(stderr, "%s\n", line);
}

int main(int argc, char **argv)
{
    unsigned seconds = read_options(argc, argv, "workers", &own.workers);
    size_t descriptors = open_descriptors();
    test_seed(); // prints it
    expect_end_within(seconds + GRACE);
    edo_set_log(ignore_warnings, NULL);
    test_allocator_install();
    for (unsigned i = 0; i < FLAGS; i++)
        pthread_mutex_init(&own.flags[i].lock, NULL);
    run_world(seconds);
    printf("%llu generations, %llu functions, %llu joined by strangers, %llu polls by helpers, "
           "%llu jobs, %llu messages, %llu stalls\n",
           (unsigned long long)world.generations, (unsigned long long)world.begun,
           (unsigned long long)world.joined, (unsigned long long)own.helped,
           (unsigned long long)own.jobs, (unsigned long long)own.talks,
           (unsigned long long)own.stalls);
    check_world();
    insist(own.records == 0);
    insist(open_descriptors() == descriptors);
    return EXIT_SUCCESS;
}
