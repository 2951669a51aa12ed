/* Blocking work, with each request failing: pools, their threads, and waits for them. */
#include "faults/sweep.h"

#include <edo/blocking.h>

static int64_t count_one(void *arg)
{
    __atomic_add_fetch((unsigned *)arg, 1, __ATOMIC_RELAXED);
    return 0;
}

/* ---- one job after the other, on the runtime's own pool ---- */

struct jobs {
    edo_frame();
    edo_args();
    edo_task *task;
    unsigned count;
    int64_t result;
};

/* Each job runs once, or fails and was not run. */
edo_async(jobs)
{
    edo_body {
        int64_t rc;
        self->count = 0;
        edo_await(rc, edo_blocking(count_one, &self->count));
        assert_int_equal(self->count, rc == 0 ? 1 : 0);
        self->result = rc;
        self->count = 0;
        rc = edo_spawn_blocking(&self->task, count_one, &self->count);
        if (rc < 0) edo_return(first_failure(self->result, rc));
        edo_await(rc, edo_join(self->task));
        assert_int_equal(self->count, rc == 0 ? 1 : 0);
        edo_return(first_failure(self->result, rc));
    }
}

static int64_t blocking(void)
{
    return on_runtime(jobs);
}
fault_test(blocking)

/* ---- many at once, on a pool of a few threads and places: some of the threads fail ---- */

enum { JOBS = 12, THREADS = 3, PLACES = 2 };

struct crowd {
    edo_frame(struct join_all joins;);
    edo_args(edo_pool *pool;);
    edo_task *tasks[JOBS];
    unsigned i, count, good;
    int64_t result;
};

edo_async(crowd)
{
    edo_body {
        int64_t rc;
        self->count = 0;
        self->result = 0;
        for (self->i = 0; self->i < JOBS; self->i++) {
            if (self->i % 2) {
                edo_await(rc, edo_pool_room(self->pool));
                self->result = first_failure(self->result, rc);
            }
            rc = edo_spawn_blocking_with(&self->tasks[self->i], NULL, self->pool, count_one,
                                         &self->count);
            if (rc < 0) self->tasks[self->i] = NULL;
            self->result = first_failure(self->result, rc);
        }
        edo_call(rc, join_all, self->tasks, JOBS, self->result, &self->good);
        assert_int_equal(self->count, self->good);
        edo_return(rc);
    }
}

static int64_t pool_of_ones_own(void)
{
    edo_pool *pool;
    edo_pool_config config = { .max_threads = THREADS, .max_queue = PLACES };
    int rc = edo_pool_create(&config, &pool);
    if (rc < 0) return rc;
    int64_t result = on_runtime(crowd, .pool = pool);
    edo_pool_destroy(pool);
    return result;
}
fault_test(pool_of_ones_own)

/* ---- pools that are added and never used; runtimes that end while a job runs ---- */

static int64_t use_added(edo_runtime *runtime)
{
    edo_pool *pool;
    int rc = edo_runtime_add_pool(runtime, &(edo_pool_config){ .name = "own", .max_threads = 1 });
    if (rc < 0) return rc;
    rc = edo_runtime_pool(runtime, "files", &pool);
    if (rc < 0) return rc;
    assert_int_equal(edo_runtime_pool(runtime, "own", &pool), 0);
    return edo_block_on(runtime, crowd, .pool = pool);
}

static int64_t added_pool(void)
{
    edo_runtime *runtime;
    int rc = edo_runtime_create(&(edo_config){ .test_clock = true }, &runtime);
    if (rc < 0) return rc;
    int64_t result = use_added(runtime);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    return result;
}
fault_test(added_pool)

/* No task waits for the jobs: the runtime's end cancels them, or waits for their ends. */
static int64_t abandoned_jobs(void)
{
    edo_runtime *runtime;
    unsigned count = 0;
    int rc = edo_runtime_create(NULL, &runtime);
    if (rc < 0) return rc;
    edo_spawn_options options = { .runtime = runtime };
    for (unsigned i = 0; i < JOBS && rc == 0; i++) {
        rc = edo_spawn_blocking_with(NULL, &options, NULL, count_one, &count);
        if (rc == 0) edo_turn(runtime, 0);
    }
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    return rc;
}
fault_test(abandoned_jobs)
