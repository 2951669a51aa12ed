/* Pools: their limits, their threads, their names, the wait for room. */
#include "runtime/gate.h"

#include <dlfcn.h>
#include <string.h>

/* ---- a system that refuses threads ---- */

typedef int create_fn(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

static bool refuse_threads; // atomic
static unsigned refused;    // atomic

/* Replaces the C library's function, or the sanitizer's. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *arg)
{
    if (__atomic_load_n(&refuse_threads, __ATOMIC_RELAXED)) {
        __atomic_add_fetch(&refused, 1, __ATOMIC_RELAXED);
        return EAGAIN;
    }
    create_fn *next;
    *(void **)&next = dlsym(RTLD_NEXT, "pthread_create");
    return next(thread, attributes, run, arg);
}

static void set_refusal(bool on)
{
    __atomic_store_n(&refuse_threads, on, __ATOMIC_RELAXED);
    __atomic_store_n(&refused, 0, __ATOMIC_RELAXED);
}

clean_test(no_thread_at_all)
{
    edo_task *tasks[2];
    edo_runtime *runtime = make_runtime();
    edo_pool *pool = make_pool(&(edo_pool_config){ .max_queue = 1 });
    set_refusal(true);
    for (int i = 0; i < 2; i++)
        tasks[i] = spawn_job(runtime, pool, echo_back, word_arg(i));
    for (int i = 0; i < 2; i++)
        assert_int_equal(result_of(runtime, tasks[i]), -EAGAIN);
    set_refusal(false);
    assert_int_equal(stats_of(pool).threads, 0);
    assert_int_equal(result_of(runtime, spawn_job(runtime, pool, echo_back, word_arg(3))), 3);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    edo_pool_destroy(pool);
}

clean_test(no_further_thread)
{
    enum { MORE = 3 };
    gate g = GATE;
    edo_task *tasks[MORE];
    edo_runtime *runtime = make_runtime();
    edo_pool *pool = make_pool(NULL);
    edo_task *first = spawn_job(runtime, pool, pass, &g);
    turn_all(runtime);
    gate_await(&g, 1);
    set_refusal(true);
    for (int i = 0; i < MORE; i++) {
        tasks[i] = spawn_job(runtime, pool, echo_back, word_arg(i));
        turn_all(runtime); // while one start is tried, no other start is tried
    }
    assert_int_equal(__atomic_load_n(&refused, __ATOMIC_RELAXED), MORE); // one per submit
    edo_pool_stats stats = stats_of(pool);
    assert_int_equal(stats.threads, 1);
    assert_int_equal(stats.queued, MORE);
    gate_open(&g);
    assert_int_equal(result_of(runtime, first), THROUGH);
    for (int i = 0; i < MORE; i++)
        assert_int_equal(result_of(runtime, tasks[i]), i);
    assert_int_equal(__atomic_load_n(&refused, __ATOMIC_RELAXED),
                     MORE); // the end of a job tries no start
    set_refusal(false);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    edo_pool_destroy(pool);
}

/* ---- limits ---- */

static void run_at_limit(uint32_t max_threads)
{
    enum { JOBS = 12 };
    gate g = GATE;
    edo_task *tasks[JOBS];
    edo_runtime *runtime = make_runtime();
    edo_pool *pool = make_pool(&(edo_pool_config){ .max_threads = max_threads, .max_queue = 3 });
    for (int i = 0; i < JOBS; i++)
        tasks[i] = spawn_job(runtime, pool, pass, &g);
    turn_all(runtime);
    gate_await(&g, max_threads); // max_threads jobs run at once
    gate_open(&g);
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(result_of(runtime, tasks[i]), THROUGH);
    assert_int_equal(g.left, JOBS);
    assert_int_equal(g.most_inside, max_threads);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    edo_pool_destroy(pool);
}

clean_test(more_jobs_than_threads)
{
    run_at_limit(1);
    run_at_limit(2);
    run_at_limit(5);
}

/* Jobs that end only when all of them run at once. In the second round, idle threads run the
 * jobs. */
clean_test(a_thread_for_each_job)
{
    enum { JOBS = 8 };
    edo_task *tasks[JOBS];
    edo_runtime *runtime = make_runtime();
    edo_pool *pool = make_pool(&(edo_pool_config){ .max_threads = JOBS, .keep_alive = EDO_NEVER });
    for (int round = 0; round < 3; round++) {
        gate g = GATE;
        for (int i = 0; i < JOBS; i++)
            tasks[i] = spawn_job(runtime, pool, pass, &g);
        turn_all(runtime);
        gate_await(&g, JOBS);
        assert_int_equal(stats_of(pool).running, JOBS);
        gate_open(&g);
        for (int i = 0; i < JOBS; i++)
            assert_int_equal(result_of(runtime, tasks[i]), THROUGH);
        assert_int_equal(stats_of(pool).threads, JOBS);
        await_stats(pool, stats.idle == JOBS);
    }
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    edo_pool_destroy(pool);
}

/* ---- order ---- */

static unsigned clock_hand; // used by one thread at a time

static int64_t tick(void *arg)
{
    *(unsigned *)arg = ++clock_hand;
    return 0;
}

clean_test(first_come_first_served)
{
    enum { JOBS = 9 };
    unsigned times[JOBS];
    gate g = GATE;
    edo_task *tasks[JOBS];
    edo_runtime *runtime = make_runtime();
    edo_pool *pool = make_pool(&(edo_pool_config){ .max_threads = 1, .max_queue = 3 });
    edo_task *first = spawn_job(runtime, pool, pass, &g);
    turn_all(runtime);
    gate_await(&g, 1);
    clock_hand = 0;
    for (int i = 0; i < JOBS; i++) {
        tasks[i] = spawn_job(runtime, pool, tick, &times[i]);
        turn_all(runtime); // one job at a time: tasks spawned together may run in any order
    }
    gate_open(&g);
    assert_int_equal(result_of(runtime, first), THROUGH);
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(result_of(runtime, tasks[i]), 0);
    for (unsigned i = 0; i < JOBS; i++)
        assert_int_equal(times[i], i + 1);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    edo_pool_destroy(pool);
}

/* ---- room ---- */

struct producer {
    edo_frame();
    edo_args(edo_pool *pool; struct gate *gate; unsigned jobs;);
    unsigned made;
};

static unsigned produced;

/* Whether a further job has arrived at the pool, which had `before` jobs. Jobs with an open gate
 * leave the pool. */
static bool has_come(edo_pool *pool, gate *g, unsigned before)
{
    edo_pool_stats stats = stats_of(pool);
    return stats.queued + stats.waiting > before || gate_is_open(g);
}

edo_async(producer)
{
    edo_body {
        int64_t rc;
        for (self->made = 0; self->made < self->jobs; self->made++) {
            edo_await(rc, edo_pool_room(self->pool));
            if (rc < 0) edo_return(rc);
            edo_spawn_options options = { 0 };
            rc = edo_spawn_blocking_with(NULL, &options, self->pool, pass, self->gate);
            assert_int_equal(rc, 0);
            do
                edo_await(rc, edo_yield());
            while (rc == 0 && !has_come(self->pool, self->gate, self->made));
            produced++;
        }
        edo_return(self->made);
    }
}

static edo_task *start_producer(edo_runtime *runtime, edo_pool *pool, gate *g, unsigned jobs)
{
    edo_task *task;
    edo_spawn_options options = { .runtime = runtime };
    assert_int_equal(
        edo_spawn_with(&task, &options, producer, .pool = pool, .gate = g, .jobs = jobs), 0);
    return task;
}

clean_test(room_holds_producers_back)
{
    enum { QUEUE = 4, JOBS = 20 };
    gate g = GATE;
    edo_runtime *runtime = make_runtime();
    edo_pool *pool = make_pool(&(edo_pool_config){ .max_threads = 1, .max_queue = QUEUE });
    edo_task *first = spawn_job(runtime, pool, pass, &g);
    turn_all(runtime);
    gate_await(&g, 1);
    produced = 0;
    edo_task *task = start_producer(runtime, pool, &g, JOBS);
    turn_all(runtime);
    assert_int_equal(produced, QUEUE);
    assert_int_equal(stats_of(pool).queued, QUEUE);
    assert_int_equal(stats_of(pool).waiting, 1);
    gate_open(&g);
    assert_int_equal(result_of(runtime, task), JOBS);
    assert_int_equal(result_of(runtime, first), THROUGH);
    turn_all(runtime); // the last job has arrived as well
    await_stats(pool, stats.running + stats.queued + stats.waiting == 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    edo_pool_destroy(pool);
    assert_int_equal(g.left, JOBS + 1);
}

/* Several tasks wait for room in a pool with jobs. One wait is cancelled, and all other waits
 * end. */
clean_test(rooms_among_jobs)
{
    enum { PRODUCERS = 3 };
    gate g = GATE;
    edo_task *producers[PRODUCERS], *jobs[PRODUCERS];
    edo_runtime *runtime = make_runtime();
    edo_pool *pool = make_pool(&(edo_pool_config){ .max_threads = 1, .max_queue = 1 });
    edo_task *running = spawn_job(runtime, pool, pass, &g);
    turn_all(runtime);
    gate_await(&g, 1);
    edo_task *queued = spawn_job(runtime, pool, pass, &g);
    turn_all(runtime);
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i] = start_producer(runtime, pool, &g, 1);
        turn_all(runtime);
        jobs[i] = spawn_job(runtime, pool, pass, &g);
        turn_all(runtime);
    }
    assert_int_equal(stats_of(pool).waiting, 2 * PRODUCERS);
    edo_task_cancel(producers[1]);
    assert_int_equal(result_of(runtime, producers[1]), -ECANCELED);
    edo_task_cancel(queued); // the freed place goes to the first producer
    assert_int_equal(result_of(runtime, queued), -ECANCELED);
    assert_int_equal(result_of(runtime, producers[0]), 1);
    gate_open(&g);
    assert_int_equal(result_of(runtime, running), THROUGH);
    assert_int_equal(result_of(runtime, producers[2]), 1);
    for (int i = 0; i < PRODUCERS; i++)
        assert_int_equal(result_of(runtime, jobs[i]), THROUGH);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    edo_pool_destroy(pool);
}

struct room {
    edo_frame();
    edo_args(edo_pool *pool;);
};

edo_async(room)
{
    edo_body {
        int rc;
        edo_await(rc, edo_pool_room(self->pool));
        edo_return(rc);
    }
}

clean_test(room_at_once)
{
    edo_runtime *runtime = make_runtime();
    edo_pool *pool = make_pool(NULL);
    assert_int_equal(edo_block_on(runtime, room, .pool = pool), 0);
    assert_int_equal(edo_block_on(runtime, room, .pool = NULL), -EINVAL);
    assert_int_equal(stats_of(pool).threads, 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    edo_pool_destroy(pool);
}

/* ---- threads ---- */

static int64_t write_thread(void *arg)
{
    *(pthread_t *)arg = pthread_self();
    return 0;
}

clean_test(an_idle_thread_is_used_again)
{
    pthread_t first, second;
    edo_runtime *runtime = make_runtime();
    edo_pool *pool = make_pool(&(edo_pool_config){ .keep_alive = EDO_NEVER });
    assert_int_equal(result_of(runtime, spawn_job(runtime, pool, write_thread, &first)), 0);
    await_stats(pool, stats.idle == 1);
    assert_int_equal(result_of(runtime, spawn_job(runtime, pool, write_thread, &second)), 0);
    assert_true(pthread_equal(first, second));
    assert_int_equal(stats_of(pool).threads, 1);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    edo_pool_destroy(pool);
}

typedef struct passage {
    gate gate;
    pthread_t thread;
} passage;

static int64_t pass_as(void *arg)
{
    passage *p = arg;
    p->thread = pthread_self();
    return pass(&p->gate);
}

/* A pool calls the thread that was the last to sleep, so that its other threads can time out. */
clean_test(the_last_to_sleep_is_called_first)
{
    passage passages[2] = { { .gate = GATE }, { .gate = GATE } };
    edo_task *tasks[2];
    pthread_t third;
    edo_runtime *runtime = make_runtime();
    edo_pool *pool = make_pool(&(edo_pool_config){ .keep_alive = EDO_NEVER });
    for (int i = 0; i < 2; i++) {
        tasks[i] = spawn_job(runtime, pool, pass_as, &passages[i]);
        turn_all(runtime);
        gate_await(&passages[i].gate, 1);
    }
    for (unsigned i = 0; i < 2; i++) {
        gate_open(&passages[i].gate);
        await_stats(pool, stats.idle == i + 1);
    }
    assert_int_equal(result_of(runtime, spawn_job(runtime, pool, write_thread, &third)), 0);
    assert_true(pthread_equal(third, passages[1].thread));
    for (int i = 0; i < 2; i++)
        assert_int_equal(result_of(runtime, tasks[i]), THROUGH);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    edo_pool_destroy(pool);
}

clean_test(idle_threads_end)
{
    enum { ROUNDS = 200, JOBS = 3 };
    edo_task *tasks[JOBS];
    edo_runtime *runtime = make_runtime();
    edo_pool *pool = make_pool(&(edo_pool_config){ .keep_alive = 1 });
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < JOBS; i++)
            tasks[i] = spawn_job(runtime, pool, echo_back, word_arg(i));
        for (int i = 0; i < JOBS; i++)
            assert_int_equal(result_of(runtime, tasks[i]), i);
        if (round % 2) await_stats(pool, stats.threads == 0);
    }
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    edo_pool_destroy(pool);
}

static int64_t own_stack_size(void *arg)
{
    pthread_attr_t attributes;
    size_t size;
    (void)arg;
    insist(pthread_getattr_np(pthread_self(), &attributes) == 0);
    insist(pthread_attr_getstacksize(&attributes, &size) == 0);
    pthread_attr_destroy(&attributes);
    return (int64_t)size;
}

static int64_t stack_of(edo_runtime *runtime, size_t wanted)
{
    edo_pool *pool = make_pool(&(edo_pool_config){ .stack_size = wanted });
    int64_t size = result_of(runtime, spawn_job(runtime, pool, own_stack_size, NULL));
    edo_pool_destroy(pool);
    return size;
}

clean_test(stack_sizes)
{
    enum { LARGE = 16 << 20 }; // beyond the usual 8 MiB
    edo_runtime *runtime = make_runtime();
    assert_true(stack_of(runtime, LARGE + 1) > LARGE);
    assert_true(stack_of(runtime, 1) > 0); // a requested size below a thread's minimum
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

enum { NAME_SIZE = 16 };

static int64_t write_name(void *arg)
{
    return -pthread_getname_np(pthread_self(), arg, NAME_SIZE);
}

static void check_name(edo_runtime *runtime, edo_pool *pool, const char *expected)
{
    char name[NAME_SIZE];
    assert_int_equal(result_of(runtime, spawn_job(runtime, pool, write_name, name)), 0);
    assert_string_equal(name, expected);
}

clean_test(threads_are_named)
{
    edo_pool *files, *own = make_pool(&(edo_pool_config){ .name = "a-name-beyond-the-limit" });
    edo_runtime *runtime = make_runtime();
    assert_int_equal(edo_runtime_pool(runtime, "files", &files), 0);
    check_name(runtime, NULL, "edo/user");
    check_name(runtime, files, "edo/files");
    check_name(runtime, own, "a-name-beyond-t");
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    edo_pool_destroy(own);
}

/* ---- a runtime's pools ---- */

clean_test(pools_by_name)
{
    edo_pool *user, *again, *dns, *own;
    edo_runtime *runtime = edo_runtime_ref(make_runtime());
    assert_int_equal(edo_runtime_pool(runtime, "user", &user), 0);
    assert_int_equal(edo_runtime_pool(runtime, "user", &again), 0);
    assert_ptr_equal(user, again);
    assert_int_equal(edo_runtime_pool(runtime, "dns", &dns), 0);
    assert_ptr_not_equal(user, dns);
    assert_int_equal(edo_runtime_pool(runtime, "zip", &own), -ENOENT);
    assert_int_equal(edo_runtime_add_pool(runtime, &(edo_pool_config){ .name = "zip" }), 0);
    assert_int_equal(edo_runtime_pool(runtime, "zip", &own), 0);
    assert_int_equal(edo_runtime_add_pool(runtime, &(edo_pool_config){ .name = "zip" }), -EEXIST);
    assert_int_equal(edo_runtime_add_pool(runtime, &(edo_pool_config){ .name = "dns" }), -EEXIST);
    assert_int_equal(edo_runtime_add_pool(runtime, &(edo_pool_config){ 0 }), -EINVAL);
    assert_int_equal(edo_runtime_add_pool(runtime, NULL), -EINVAL);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    assert_int_equal(edo_runtime_pool(runtime, "user", &again), -ESHUTDOWN);
    assert_int_equal(edo_runtime_add_pool(runtime, &(edo_pool_config){ .name = "x" }), -ESHUTDOWN);
    edo_runtime_unref(runtime);
}

/* edo_blocking() uses the runtime's "user" pool, which has the limits that the program has set. */
clean_test(user_pool_of_ones_own)
{
    gate g = GATE;
    edo_pool *pool;
    edo_pool_config config = { .name = "user", .max_threads = 1 };
    edo_runtime *runtime = make_runtime();
    assert_int_equal(edo_runtime_add_pool(runtime, &config), 0);
    assert_int_equal(edo_runtime_pool(runtime, "user", &pool), 0);
    edo_task *first = spawn_job(runtime, NULL, pass, &g);
    edo_task *second = spawn_job(runtime, NULL, pass, &g);
    turn_all(runtime);
    gate_await(&g, 1);
    assert_int_equal(stats_of(pool).queued, 1);
    gate_open(&g);
    assert_int_equal(result_of(runtime, first), THROUGH);
    assert_int_equal(result_of(runtime, second), THROUGH);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* A pool full of stuck jobs does not block other pools. */
clean_test(pools_do_not_starve_each_other)
{
    gate g = GATE;
    edo_pool *dns;
    edo_pool_config config = { .name = "dns", .max_threads = 1, .max_queue = 1 };
    edo_runtime *runtime = make_runtime();
    assert_int_equal(edo_runtime_add_pool(runtime, &config), 0);
    assert_int_equal(edo_runtime_pool(runtime, "dns", &dns), 0);
    edo_task *stuck[3];
    for (int i = 0; i < 3; i++)
        stuck[i] = spawn_job(runtime, dns, pass, &g);
    turn_all(runtime);
    gate_await(&g, 1);
    assert_int_equal(result_of(runtime, spawn_job(runtime, NULL, echo_back, word_arg(2))), 2);
    gate_open(&g);
    for (int i = 0; i < 3; i++)
        assert_int_equal(result_of(runtime, stuck[i]), THROUGH);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- many runtimes on one pool ---- */

enum { PRODUCERS = 4, EACH = 300, BATCH = 10 };

static int64_t add_one(void *arg)
{
    return __atomic_add_fetch((int64_t *)arg, 1, __ATOMIC_RELAXED);
}

static struct {
    edo_pool *pool;
    int64_t sum;
} shared;

struct many {
    edo_frame();
    edo_args();
    edo_task *tasks[BATCH];
    int left, i;
};

edo_async(many)
{
    edo_body {
        int64_t rc;
        for (self->left = EACH; self->left > 0; self->left -= BATCH) {
            for (int i = 0; i < BATCH; i++)
                insist(edo_spawn_blocking_with(&self->tasks[i], NULL, shared.pool, add_one,
                                               &shared.sum) == 0);
            for (self->i = 0; self->i < BATCH; self->i++) {
                edo_await(rc, edo_join(self->tasks[self->i]));
                insist(rc > 0);
            }
        }
        edo_return(0);
    }
}

static void produce(unsigned index, void *arg)
{
    edo_runtime *runtime;
    (void)index;
    (void)arg;
    insist(create_runtime(NULL, &runtime) == 0);
    insist(edo_block_on(runtime, many) == 0);
    insist(edo_runtime_destroy(runtime) == 0);
}

clean_test(many_producers)
{
    static const uint32_t limits[] = { 1, 2, 0 };
    for (size_t i = 0; i < ARRAY_LENGTH(limits); i++) {
        edo_pool_config config = { .max_threads = limits[i], .max_queue = 5, .keep_alive = 1 };
        shared.pool = make_pool(&config);
        shared.sum = 0;
        run_threads(PRODUCERS, produce, NULL);
        assert_int_equal(shared.sum, PRODUCERS * EACH);
        edo_pool_destroy(shared.pool);
    }
}
