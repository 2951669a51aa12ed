/* edo-test: ct, because it makes its own workers. The properties of workers that a program can read
 * and choose. */
#include "runtime/fixture.h"
#include "runtime/gate.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "runtime/runtime.h"

enum { WORKERS = 3, SPARE = 4 };

static edo_runtime *make_workers(const edo_config *options)
{
    edo_config config = options ? *options : (edo_config){ 0 };
    if (!config.workers) config.workers = WORKERS;
    return make_runtime_with(&config);
}

/* ---- pinned tasks ---- */

/* Sets the flags of other tasks, and checks its worker after each wait. */
struct stays {
    edo_frame();
    edo_args(int worker; struct flag *flags;);
    int i;
};

enum { WAITS = 20 };

edo_async(stays)
{
    edo_body {
        int rc;
        for (self->i = 0; self->i < WAITS; self->i++) {
            if (edo_worker_index() != self->worker) edo_return(-EPROTO);
            edo_await_on(rc, &self->flags[self->i].base);
            if (edo_worker_index() != self->worker) edo_return(-EPROTO);
            edo_await(rc, edo_sleep(1));
            edo_await(rc, edo_yield());
        }
        edo_return(0);
    }
}

struct stay_all {
    edo_frame();
    edo_args();
    edo_task *tasks[WORKERS];
    struct flag flags[WORKERS][WAITS];
    int i, k;
};

edo_async(stay_all)
{
    edo_body {
        int rc;
        for (int i = 0; i < WORKERS; i++)
            for (int k = 0; k < WAITS; k++)
                flag_init(&self->flags[i][k]);
        for (int i = 0; i < WORKERS; i++)
            assert_int_equal(edo_spawn_on(&self->tasks[i], (unsigned)i, stays, .worker = i,
                                          .flags = self->flags[i]),
                             0);
        assert_int_equal(edo_spawn_on(NULL, WORKERS, answer, 0), -EINVAL);
        for (self->k = 0; self->k < WAITS; self->k++) {
            for (self->i = 0; self->i < WORKERS; self->i++)
                flag_set(&self->flags[self->i][self->k]); // on this task's worker
            edo_await(rc, edo_yield());
        }
        for (self->i = 0; self->i < WORKERS; self->i++) {
            edo_await(rc, edo_join(self->tasks[self->i]));
            assert_int_equal(rc, 0);
        }
        edo_return(0);
    }
}

clean_test(pinned_tasks_stay)
{
    edo_runtime *runtime = make_workers(NULL);
    assert_int_equal(edo_block_on(runtime, stay_all), 0);
    edo_spawn_options options = { .runtime = runtime, .pinned = WORKERS + 1 };
    assert_int_equal(edo_spawn_with(NULL, &options, answer, 0), -EINVAL);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- threads ---- */

struct looks_around {
    edo_frame();
    edo_args(char *name; cpu_set_t *cpus; size_t *stack;);
};

edo_async(looks_around)
{
    edo_body {
        pthread_attr_t attributes;
        pthread_getname_np(pthread_self(), self->name, 16);
        pthread_getaffinity_np(pthread_self(), sizeof *self->cpus, self->cpus);
        pthread_getattr_np(pthread_self(), &attributes);
        pthread_attr_getstacksize(&attributes, self->stack);
        pthread_attr_destroy(&attributes);
        edo_return(edo_worker_index());
    }
}

struct goes_to {
    edo_frame();
    edo_args(unsigned worker; char *name; cpu_set_t *cpus; size_t *stack;);
    edo_task *task;
};

edo_async(goes_to)
{
    edo_body {
        int64_t result;
        result = edo_spawn_on(&self->task, self->worker, looks_around, .name = self->name,
                              .cpus = self->cpus, .stack = self->stack);
        if (result < 0) edo_return(result);
        edo_await(result, edo_join(self->task));
        edo_return(result);
    }
}

clean_test(names_cpus_and_stacks)
{
    enum { STACK = 1 << 20 };
    char name[16], expected[16];
    cpu_set_t mine, cpus;
    size_t stack;
    int cpu = 0;
    assert_int_equal(sched_getaffinity(0, sizeof mine, &mine), 0);
    while (!CPU_ISSET((size_t)cpu, &mine))
        cpu++;
    edo_runtime *runtime = make_workers(&(edo_config){
        .name = "a long name indeed", .cpus = &cpu, .cpu_count = 1, .stack_size = STACK });
    for (unsigned i = 0; i < WORKERS; i++) {
        assert_int_equal(edo_block_on(runtime, goes_to, i, name, &cpus, &stack), i);
        snprintf(expected, sizeof expected, "a long nam-%u", i);
        assert_string_equal(name, expected);
        assert_int_equal(CPU_COUNT(&cpus), 1);
        assert_true(CPU_ISSET((size_t)cpu, &cpus));
        assert_in_range(stack, STACK, 2 * STACK);
    }
    assert_int_equal(edo_runtime_workers(runtime), WORKERS);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- how many ---- */

static unsigned workers_of(int32_t wanted)
{
    edo_runtime *runtime;
    if (edo_runtime_create(&(edo_config){ .workers = wanted }, &runtime) < 0) return UINT32_MAX;
    unsigned count = edo_runtime_workers(runtime);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    return count;
}

clean_test(number)
{
    static const char *const bad[] = { "0", "-1", "two", "3x", "1000000" };
    edo_runtime *runtime = NULL;
    unsetenv("EDO_WORKER_THREADS");
    assert_int_equal(workers_of(0), 0);
    assert_in_range(workers_of(EDO_WORKERS_AUTO), 1, sysconf(_SC_NPROCESSORS_CONF));
    setenv("EDO_WORKER_THREADS", "3", 1);
    assert_int_equal(workers_of(EDO_WORKERS_AUTO), 3);
    assert_int_equal(workers_of(2), 2);
    assert_int_equal(workers_of(0), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        edo_config config = { .workers = EDO_WORKERS_AUTO };
        setenv("EDO_WORKER_THREADS", bad[i], 1);
        log_capture();
        assert_int_equal(edo_runtime_create(&config, &runtime), -EINVAL);
        assert_int_equal(log_lines("EDO_WORKER_THREADS"), 1);
        log_release();
    }
    unsetenv("EDO_WORKER_THREADS");
    assert_int_equal(edo_runtime_create(&(edo_config){ .workers = -2 }, &runtime), -EINVAL);
    assert_null(runtime);
}

/* ---- hooks ---- */

typedef struct counts {
    edo_runtime *runtime;
    edo_atomic(uint32_t) starts, stops, parks, unparks, spawns, befores, afters, ends;
    edo_atomic(uint32_t) wants_spawn;
} counts;

static void on_start(void *user, const char *runtime)
{
    insist(strcmp(runtime, "hooked") == 0);
    edo_add_relaxed(&((counts *)user)->starts, 1);
}

static void on_stop(void *user, const char *runtime)
{
    insist(strcmp(runtime, "hooked") == 0);
    edo_add_relaxed(&((counts *)user)->stops, 1);
}

/* A park hook may spawn. */
static void on_park(void *user, unsigned worker)
{
    counts *c = user;
    uint32_t wanted = 1;
    edo_add_relaxed(&c->parks, 1);
    insist((int)worker == edo_worker_index());
    if (edo_cas_acq_rel(&c->wants_spawn, &wanted, 0)) insist(edo_go(answer, 1) == 0);
}

static void on_unpark(void *user, unsigned worker)
{
    insist((int)worker == edo_worker_index());
    edo_add_relaxed(&((counts *)user)->unparks, 1);
}

#define count_task(name, member)                                                                   \
    static void name(void *user, const edo_task *task)                                             \
    {                                                                                              \
        insist(edo_task_id(task) != 0);                                                            \
        edo_add_relaxed(&((counts *)user)->member, 1);                                             \
    }
count_task(on_spawn, spawns)
count_task(on_before, befores)
count_task(on_after, afters)
count_task(on_end, ends)

static edo_hooks hooks_for(counts *c, const edo_hooks *next)
{
    return (edo_hooks){ .user = c,
                        .thread_start = on_start,
                        .thread_stop = on_stop,
                        .park = on_park,
                        .unpark = on_unpark,
                        .spawn = on_spawn,
                        .before_poll = on_before,
                        .after_poll = on_after,
                        .end = on_end,
                        .next = next };
}

static void expect_counts(const counts *c, uint32_t tasks)
{
    assert_int_equal(c->starts, c->stops);
    assert_in_range(c->starts, WORKERS, WORKERS + SPARE);
    assert_int_equal(c->spawns, tasks);
    assert_int_equal(c->ends, tasks);
    assert_int_equal(c->befores, c->afters);
    assert_true(c->befores >= tasks);
    assert_true(c->parks >= 1);
    assert_int_equal(c->parks, c->unparks);
}

clean_test(hooks)
{
    counts first = { 0 }, second = { 0 };
    edo_hooks inner = hooks_for(&second, NULL), empty = { .next = &inner },
              outer = hooks_for(&first, &empty);
    edo_runtime *runtime = make_workers(
        &(edo_config){ .name = "hooked", .hooks = &outer, .max_spare = SPARE });
    for (int i = 0; i < 10; i++)
        assert_int_equal(edo_block_on(runtime, answer, i), i);
    edo_store_release(&first.wants_spawn, 1);
    assert_int_equal(edo_block_on(runtime, answer, 0), 0);
    while (edo_load_acquire(&first.ends) < 12) // the task from the hook
        sched_yield();
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    expect_counts(&first, 12);
    expect_counts(&second, 12);
}

/* ---- plain threads ---- */

clean_test(enter)
{
    edo_task *task;
    edo_runtime *runtime = make_workers(NULL), *other = make_workers(NULL);
    assert_int_equal(edo_worker_index(), -1);
    assert_int_equal(edo_go(answer, 0), -EINVAL);
    edo_runtime *before = edo_runtime_enter(runtime);
    assert_null(before);
    assert_ptr_equal(edo_current_runtime(), runtime);
    assert_int_equal(edo_spawn(&task, answer, 5), 0);
    assert_int_equal(result_of(runtime, task), 5);
    edo_runtime *outer = edo_runtime_enter(other);
    assert_ptr_equal(outer, runtime);
    assert_ptr_equal(edo_current_runtime(), other);
    edo_runtime_leave(outer);
    assert_ptr_equal(edo_current_runtime(), runtime);
    assert_int_equal(edo_worker_index(), -1);
    edo_runtime_leave(before);
    assert_null(edo_current_runtime());
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    assert_int_equal(edo_runtime_destroy(other), 0);
}

struct rests {
    edo_frame();
    edo_args(int64_t result;);
};

edo_async(rests)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(edo_us(50)));
        edo_return(rc < 0 ? rc : self->result);
    }
}

static void block_often(unsigned index, void *arg)
{
    for (int64_t i = 0; i < 50; i++)
        insist(edo_block_on((edo_runtime *)arg, rests, index * 1000 + i) == index * 1000 + i);
}

clean_test(block_on_from_several_threads)
{
    edo_runtime *runtime = make_workers(NULL);
    run_threads(4, block_often, runtime);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- what workers refuse ---- */

struct misuses {
    edo_frame();
    edo_args(edo_runtime *runtime;);
};

edo_async(misuses)
{
    edo_body {
        assert_int_equal(edo_block_on(self->runtime, answer, 0), -EBUSY);
        assert_int_equal(edo_runtime_destroy(self->runtime), -EBUSY);
        edo_return(0);
    }
}

clean_test(refused)
{
    edo_runtime *runtime = make_workers(NULL);
    assert_int_equal(edo_turn(runtime, 0), -EOPNOTSUPP);
    assert_int_equal(edo_runtime_fd(runtime), -EOPNOTSUPP);
    assert_int_equal(edo_block_on(runtime, misuses, .runtime = runtime), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- a whole program ---- */

struct interrupts_itself {
    edo_frame();
    edo_args(int signal;);
};

edo_async(interrupts_itself)
{
    edo_body {
        int rc;
        kill(getpid(), self->signal);
        edo_await(rc, edo_sleep(EDO_NEVER));
        edo_return(rc);
    }
}

static void run_interrupted(void *arg)
{
    edo_config config = { .workers = WORKERS };
    assert_int_equal(edo_run_with(&config, interrupts_itself, .signal = *(int *)arg), 0);
}

test(signals_cancel_the_root)
{
    int signals[] = { SIGINT, SIGTERM };
    for (size_t i = 0; i < ARRAY_LENGTH(signals); i++)
        expect_success_in_child(run_interrupted, &signals[i]);
}

/* ---- at once ---- */

static int64_t do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

struct blocks {
    edo_frame();
    edo_args();
};

edo_async(blocks)
{
    edo_body {
        edo_return(edo_block_in_place(do_nothing, NULL));
    }
}

static void spawn_blocks(void *user, unsigned worker)
{
    (void)user;
    (void)worker;
    int rc = edo_go(blocks);
    insist(rc == 0 || rc == -ESHUTDOWN);
}

/* The first worker blocks while the threads of the other workers are being started. */
clean_test(blocks_from_the_start)
{
    edo_hooks hooks = { .park = spawn_blocks };
    for (int i = 0; i < 20; i++) {
        edo_runtime *runtime = make_workers(&(edo_config){ .workers = 8, .hooks = &hooks });
        assert_int_equal(edo_runtime_destroy(runtime), 0);
    }
}

/* ---- after a fork ---- */

static void use_in_child(void *arg)
{
    edo_runtime *inherited = arg, *own;
    edo_spawn_options options = { .runtime = inherited };
    assert_int_equal(edo_block_on(inherited, answer, 1), -ESTALE);
    assert_int_equal(edo_spawn_with(NULL, &options, answer, 1), -ESTALE);
    assert_int_equal(edo_runtime_destroy(inherited), 0);
#ifdef __SANITIZE_THREAD__ // ThreadSanitizer: no new threads after such a fork
    (void)own;
#else
    assert_int_equal(edo_runtime_create(&(edo_config){ .workers = 2 }, &own), 0);
    assert_int_equal(edo_block_on(own, rests, 3), 3);
    assert_int_equal(edo_runtime_destroy(own), 0);
#endif
}

test(fork)
{
    edo_runtime *runtime = make_workers(NULL);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(edo_block_on(runtime, rests, 1), 1);
        expect_success_in_child(use_in_child, runtime);
        assert_int_equal(edo_block_on(runtime, rests, 2), 2);
    }
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

enum { WOKEN = 600 }; // more than a slot, a ring and half a ring hold

static uint32_t resting; // number of WOKEN tasks that wait

struct rests_long {
    edo_frame();
    edo_args();
};

edo_async(rests_long)
{
    edo_body {
        int rc;
        edo_add_acq_rel(&resting, 1);
        edo_await(rc, edo_sleep(EDO_NEVER));
        edo_return(rc);
    }
}

static void wake_in_child(void *arg)
{
    edo_task **tasks = arg;
    for (int i = 0; i < WOKEN; i++)
        edo_task_cancel(tasks[i]);
}

/* Checks the other workers. Returns: whether all of them sleep; if true, with the lock held. */
static bool all_others_sleep(edo__idle *idle)
{
    edo__lock_take(&idle->lock);
    if (idle->sleeping == WORKERS - 1) return true;
    edo__lock_give(&idle->lock);
    return false;
}

/* Forks while other threads might hold the locks. */
struct forks {
    edo_frame();
    edo_args();
    edo_task *tasks[WOKEN];
    int i;
};

edo_async(forks)
{
    edo_body {
        int rc;
        for (int i = 0; i < WOKEN; i++)
            insist(edo_spawn(&self->tasks[i], rests_long) == 0);
        while (edo_load_acquire(&resting) < WOKEN)
            edo_await(rc, edo_yield());
        while (!all_others_sleep(&edo__self.worker->runtime->idle))
            edo_await(rc, edo_yield());
        edo__worker *worker = edo__self.worker;
        edo__lock_take(&worker->overflow_lock);
        expect_success_in_child(wake_in_child, self->tasks);
        edo__lock_give(&worker->overflow_lock);
        edo__lock_give(&worker->runtime->idle.lock);
        wake_in_child(self->tasks);
        for (self->i = 0; self->i < WOKEN; self->i++)
            edo_await(rc, edo_join(self->tasks[self->i]));
        edo_return(0);
    }
}

/* Wakes in the child have no effect, and take no lock. */
test(fork_in_a_task)
{
    resting = 0;
    edo_runtime *runtime = make_workers(NULL);
    assert_int_equal(edo_block_on(runtime, forks), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}
