/* The end of pools, and of runtimes with pools, in every state; detached jobs; fork. */
#include "runtime/gate.h"

#include "runtime/pool/blocking.h"
#include "task/op.h"

/* Spawns jobs: the first runs, the others wait behind it. */
static void spawn_behind(edo_runtime *runtime, edo_pool *pool, gate *g, edo_task **tasks, int count)
{
    for (int i = 0; i < count; i++) {
        tasks[i] = spawn_job(runtime, pool, pass, g);
        if (i > 0) continue;
        turn_all(runtime);
        gate_await(g, 1);
    }
    turn_all(runtime);
}

/* ---- a pool that is destroyed ---- */

typedef struct ending {
    edo_pool *pool;
    gate *gate;
} ending;

static void *open_when_failed(void *arg)
{
    ending *e = arg;
    await_stats(e->pool, stats.queued + stats.waiting == 0);
    gate_open(e->gate);
    return NULL;
}

clean_test(a_pool_ends_under_its_jobs)
{
    enum { JOBS = 4 };
    gate g = GATE;
    edo_task *tasks[JOBS];
    pthread_t thread;
    edo_runtime *runtime = make_runtime();
    edo_pool *pool = make_pool(&(edo_pool_config){ .max_threads = 1, .max_queue = 1 });
    spawn_behind(runtime, pool, &g, tasks, JOBS);
    ending e = { pool, &g };
    assert_int_equal(pthread_create(&thread, NULL, open_when_failed, &e), 0);
    edo_pool_destroy(pool); // waits for the running job
    assert_int_equal(g.left, 1);
    pthread_join(thread, NULL);
    assert_int_equal(result_of(runtime, tasks[0]), THROUGH);
    for (int i = 1; i < JOBS; i++)
        assert_int_equal(result_of(runtime, tasks[i]), -ESHUTDOWN);
    assert_int_equal(g.entered, 1);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

clean_test(pools_end_in_every_state)
{
    edo_pool_destroy(NULL);
    edo_pool_destroy(make_pool(NULL)); // never used
    for (int idle = 0; idle < 50; idle++) {
        edo_runtime *runtime = make_runtime();
        edo_pool *pool = make_pool(&(edo_pool_config){ .keep_alive = idle < 25 ? 1 : 0 });
        edo_task *task = spawn_job(runtime, pool, echo_back, word_arg(1));
        if (idle % 2) turn_all(runtime); // perhaps the pool is starting the thread now
        if (idle % 5 == 0) assert_int_equal(result_of(runtime, task), 1);
        if (idle % 5 != 0) edo_detach(task);
        if (idle % 5 != 0 && idle % 2 == 0) { // the job has not reached the pool
            assert_int_equal(edo_runtime_destroy(runtime), 0);
            runtime = NULL;
        }
        edo_pool_destroy(pool);
        assert_int_equal(edo_runtime_destroy(runtime), 0);
    }
}

static int64_t destroy_own_pool(void *arg)
{
    edo_pool_destroy(arg);
    return 0;
}

static void destroy_inside(void *arg)
{
    (void)arg;
    edo_runtime *runtime = make_runtime();
    edo_pool *pool = make_pool(NULL);
    result_of(runtime, spawn_job(runtime, pool, destroy_own_pool, pool));
}

test(a_job_cannot_end_its_pool)
{
    expect_abort(destroy_inside, NULL, "edo_pool_destroy: a job cannot end");
}

static void destroy_of_runtime(void *arg)
{
    (void)arg;
    edo_pool *pool;
    edo_runtime *runtime = make_runtime();
    assert_int_equal(edo_runtime_pool(runtime, "user", &pool), 0);
    edo_pool_destroy(pool);
}

test(a_runtime_ends_its_own_pools)
{
    expect_abort(destroy_of_runtime, NULL,
                 "edo_pool_destroy: the pool belongs to a runtime, which ends it");
}

/* ---- a runtime that is destroyed ---- */

static void *open_when_cancelled(void *arg)
{
    ending *e = arg;
    await_stats(e->pool, stats.queued + stats.waiting == 0);
    gate_open(e->gate);
    return NULL;
}

/* Jobs that have not begun are cancelled; jobs that have begun are waited for. */
clean_test(a_runtime_ends_under_its_jobs)
{
    enum { JOBS = 4 };
    gate g = GATE;
    edo_task *tasks[JOBS];
    pthread_t thread;
    edo_pool *pool;
    edo_pool_config config = { .name = "own", .max_threads = 1, .max_queue = 1 };
    edo_runtime *runtime = make_runtime();
    assert_int_equal(edo_runtime_add_pool(runtime, &config), 0);
    assert_int_equal(edo_runtime_pool(runtime, "own", &pool), 0);
    spawn_behind(runtime, pool, &g, tasks, JOBS);
    ending e = { pool, &g };
    assert_int_equal(pthread_create(&thread, NULL, open_when_cancelled, &e), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    pthread_join(thread, NULL);
    assert_int_equal(g.left, 1);
    runtime = make_runtime();
    assert_int_equal(result_of(runtime, tasks[0]), THROUGH);
    for (int i = 1; i < JOBS; i++)
        assert_int_equal(result_of(runtime, tasks[i]), -ECANCELED);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* Runs in a child, because the stuck job leaks. */
static void end_with_a_stuck_job(void *arg)
{
    (void)arg;
    gate g = GATE;
    log_capture();
    edo_runtime *runtime = make_runtime_with(
        &(edo_config){ .drain_limit = 1, .abort_limit = edo_ms(1) });
    edo_task *stuck = spawn_job(runtime, NULL, pass, &g);
    turn_all(runtime);
    gate_await(&g, 1);
    assert_int_equal(edo_runtime_destroy(runtime), -ETIMEDOUT);
    assert_int_equal(log_lines("task 'fn'"), 1);
    edo_runtime *other = make_runtime();
    assert_int_equal(result_of(other, stuck), -ESHUTDOWN);
    gate_open(&g); // the job's thread ends after the runtime
    edo_pool *pool;
    assert_int_equal(edo_runtime_pool(runtime, "user", &pool), -ESHUTDOWN);
    assert_int_equal(edo_runtime_destroy(other), 0);
    log_release();
}

test(a_stuck_job_is_leaked_by_name)
{
    expect_success_in_child(end_with_a_stuck_job, NULL);
}

/* Spawns that race with the end. Each job runs, or its task is cancelled, or the spawn is
 * refused. */
enum { SPAWNERS = 3, CROWD = 20, ROUNDS = 30 };

static struct {
    unsigned spawned, ended, ran; // atomic
} race;

static int64_t run_in_race(void *arg)
{
    (void)arg;
    return __atomic_add_fetch(&race.ran, 1, __ATOMIC_RELAXED);
}

static void spawn_until_refused(unsigned index, void *arg)
{
    edo_runtime *runtime = arg;
    edo_spawn_options options = { .runtime = runtime };
    int rc = 0;
    if (index == SPAWNERS) {
        while (__atomic_load_n(&race.spawned, __ATOMIC_RELAXED) < CROWD)
            insist(turn_runtime(runtime, 0) >= 0);
        insist(edo_runtime_destroy(runtime) == 0);
        return;
    }
    for (unsigned i = 0; i < CROWD && rc == 0; i++) {
        edo_task *task;
        rc = edo_spawn_blocking_with(&task, &options, NULL, run_in_race, NULL);
        if (rc < 0) break;
        __atomic_add_fetch(&race.spawned, 1, __ATOMIC_RELAXED);
        while (!edo_task_is_done(task))
            sched_yield(); // until each spawned job has run or is cancelled
        __atomic_add_fetch(&race.ended, 1, __ATOMIC_RELAXED);
        edo_detach(task);
    }
    insist(rc == 0 || rc == -ESHUTDOWN);
}

clean_test(jobs_that_race_with_the_end)
{
    for (int i = 0; i < ROUNDS; i++) {
        edo_runtime *runtime = edo_runtime_ref(make_runtime());
        race.spawned = race.ended = race.ran = 0;
        run_threads(SPAWNERS + 1, spawn_until_refused, runtime);
        assert_int_equal(race.spawned, race.ended);
        assert_true(race.ran <= race.ended);
        edo_runtime_unref(runtime);
    }
}

/* ---- detached jobs ---- */

typedef struct search {
    edo__detached head;
    gate *gate;
    int64_t found;
} search;

static unsigned released; // atomic

static int64_t run_search(void *arg)
{
    search *s = arg;
    int64_t rc = s->gate ? pass(s->gate) : 0;
    s->found = 5;
    return rc;
}

static void release_search(edo__detached *job)
{
    edo__free(job, sizeof(search));
    __atomic_add_fetch(&released, 1, __ATOMIC_RELEASE);
}

static unsigned count_released(void)
{
    return __atomic_load_n(&released, __ATOMIC_ACQUIRE);
}

/* An operation with a detached job, like a look-up. object: the pool; data: the output; length: the
 * gate. */
static edo_poll search_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!op->link.node.next) {
        if (cx->fate != EDO_LIVE) return edo__op_finish(op, cx, -ECANCELED);
        search *s = edo__alloc(sizeof *s);
        s->gate = (gate *)(uintptr_t)op->length;
        edo__detached_init(&s->head, run_search, release_search);
        op->link.node.next = s;
    }
    int64_t result;
    edo__detached *job = op->link.node.next;
    if (edo__detached_poll(&job, op->object, cx, &result) == EDO_PENDING) return EDO_PENDING;
    if (job) {
        *(int64_t *)op->data = ((search *)job)->found;
        release_search(job);
    }
    return edo__op_finish(op, cx, result);
}

static const edo_future_ops search_ops = { .name = "search", .poll = search_poll };

struct find {
    edo_frame();
    edo_args(edo_pool *pool; struct gate *gate; int64_t *ret_found;);
};

edo_async(find)
{
    edo_body {
        int64_t rc;
        edo_await(rc, edo__op(&search_ops, self->pool, self->ret_found, (uintptr_t)self->gate, 0));
        edo_return(rc);
    }
}

static edo_task *start_find(edo_runtime *runtime, edo_pool *pool, gate *g, int64_t *ret_found)
{
    edo_task *task;
    edo_spawn_options options = { .runtime = runtime };
    assert_int_equal(
        edo_spawn_with(&task, &options, find, .pool = pool, .gate = g, .ret_found = ret_found), 0);
    return task;
}

static edo_pool *look_up_pool(edo_runtime *runtime)
{
    edo_pool *pool;
    edo_pool_config config = { .name = "dns", .max_threads = 1, .max_queue = 1 };
    assert_int_equal(edo_runtime_add_pool(runtime, &config), 0);
    assert_int_equal(edo_runtime_pool(runtime, "dns", &pool), 0);
    released = 0;
    return pool;
}

clean_test(a_detached_job_that_is_awaited)
{
    int64_t found = 0;
    edo_runtime *runtime = make_runtime();
    edo_pool *pool = look_up_pool(runtime);
    assert_int_equal(result_of(runtime, start_find(runtime, pool, NULL, &found)), 0);
    assert_int_equal(found, 5);
    assert_int_equal(count_released(), 1);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

clean_test(a_detached_job_in_the_queue)
{
    gate g = GATE, never = GATE;
    int64_t found = 0;
    edo_runtime *runtime = make_runtime();
    edo_pool *pool = look_up_pool(runtime);
    edo_task *first = start_find(runtime, pool, &g, &found);
    turn_all(runtime);
    gate_await(&g, 1);
    for (int i = 0; i < 2; i++) { // one job is in the queue, one is not submitted
        edo_task *queued = start_find(runtime, pool, &never, &found);
        turn_all(runtime);
        edo_task *waiting = start_find(runtime, pool, &never, &found);
        turn_all(runtime);
        edo_task_cancel(i ? queued : waiting);
        assert_int_equal(result_of(runtime, i ? queued : waiting), -ECANCELED);
        assert_int_equal(count_released(), 2 * i + 1);
        edo_task_cancel(i ? waiting : queued);
        assert_int_equal(result_of(runtime, i ? waiting : queued), -ECANCELED);
        assert_int_equal(count_released(), 2 * i + 2);
    }
    gate_open(&g);
    assert_int_equal(result_of(runtime, first), THROUGH);
    assert_int_equal(never.entered, 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

clean_test(a_detached_job_that_runs)
{
    gate g = GATE;
    int64_t found = 0;
    edo_runtime *runtime = make_runtime();
    edo_pool *pool = look_up_pool(runtime);
    edo_task *task = start_find(runtime, pool, &g, &found);
    turn_all(runtime);
    gate_await(&g, 1);
    edo_task_cancel(task);
    assert_int_equal(result_of(runtime, task), -ECANCELED); // at once
    assert_int_equal(count_released(), 0);
    gate_open(&g);
    while (count_released() == 0)
        sched_yield();
    assert_int_equal(found, 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* The runtime does not wait for the job, and the job's thread no longer uses the runtime. */
clean_test(a_runtime_ends_under_a_detached_job)
{
    gate g = GATE;
    int64_t found = 0;
    size_t before = edo_memory_in_use();
    edo_runtime *runtime = make_runtime();
    edo_task *task = start_find(runtime, look_up_pool(runtime), &g, &found);
    turn_all(runtime);
    gate_await(&g, 1);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    assert_int_equal(count_released(), 0);
    edo_detach(task);
    gate_open(&g);
    while (edo_memory_in_use() != before) // job, thread and pool
        sched_yield();
    assert_int_equal(count_released(), 1);
}

/* ---- fork ---- */

static void use_inherited(void *arg)
{
    edo_runtime *runtime = make_runtime();
    assert_int_equal(result_of(runtime, spawn_job(runtime, arg, echo_back, NULL)), -ESTALE);
#ifndef __SANITIZE_THREAD__ // ThreadSanitizer: no new threads after such a fork
    assert_int_equal(result_of(runtime, spawn_job(runtime, NULL, echo_back, word_arg(1))), 1);
#endif
    edo_pool_destroy(arg);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

current_thread_only("a sanitizer has no new threads after a fork")
clean_test(a_pool_after_fork)
{
    gate g = GATE;
    edo_runtime *runtime = make_runtime();
    edo_pool *pool = make_pool(NULL);
    edo_task *task = spawn_job(runtime, pool, pass, &g);
    turn_all(runtime);
    gate_await(&g, 1);
    expect_success_in_child(use_inherited, pool);
    gate_open(&g);
    assert_int_equal(result_of(runtime, task), THROUGH);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    edo_pool_destroy(pool);
}

static void use_inherited_runtime(void *arg)
{
    edo_pool *pool;
    edo_task *task;
    edo_spawn_options options = { .runtime = arg };
    assert_int_equal(edo_runtime_pool(arg, "user", &pool), -ESTALE);
    assert_int_equal(edo_runtime_add_pool(arg, &(edo_pool_config){ .name = "x" }), -ESTALE);
    assert_int_equal(edo_spawn_blocking_with(&task, &options, NULL, echo_back, NULL), -ESTALE);
    assert_int_equal(edo_runtime_destroy(arg), 0);
}

current_thread_only("a sanitizer has no new threads after a fork")
clean_test(a_runtime_with_jobs_after_fork)
{
    gate g = GATE;
    edo_runtime *runtime = make_runtime();
    edo_task *task = spawn_job(runtime, NULL, pass, &g);
    turn_all(runtime);
    gate_await(&g, 1);
    expect_success_in_child(use_inherited_runtime, runtime);
    gate_open(&g);
    assert_int_equal(result_of(runtime, task), THROUGH);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}
