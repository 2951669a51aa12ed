/* Runtimes with workers, with each request failing: their threads, their drivers, and helpers of
 * stuck workers. */
#include "faults/sweep.h"

#include <sched.h>

enum { WORKERS = 2, TASKS = 40 };

/* Runs an async function on a runtime with workers, whose end must succeed. */
#define on_workers(...) on_n_workers(WORKERS, __VA_ARGS__)
#define on_n_workers(count, ...)                                                                   \
    on_workers_at((count), edo__site_of(__VA_ARGS__, ), edo__args_of(__VA_ARGS__, ))

static int64_t on_workers_at(int32_t count, const edo_site *site, const void *args)
{
    edo_runtime *runtime;
    edo_config config = { .name = "faults", .workers = count, .stall_limit = EDO_NEVER };
    int rc = edo_runtime_create(&config, &runtime);
    if (rc < 0) return rc;
    int64_t result = edo__block_on(runtime, site, args);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    return result;
}

/* ---- tasks that migrate between workers ---- */

struct hop {
    edo_frame();
    edo_args(unsigned *count;);
    unsigned left;
};

edo_async(hop)
{
    edo_body {
        int rc;
        for (self->left = 3; self->left; self->left--) {
            edo_await(rc, edo_yield());
            if (rc < 0) edo_return(rc);
        }
        edo_await(rc, edo_sleep(1));
        __atomic_add_fetch(self->count, 1, __ATOMIC_RELAXED);
        edo_return(rc);
    }
}

struct crowd {
    edo_frame(struct join_all joins;);
    edo_args();
    edo_task *tasks[TASKS];
    unsigned i, count, good;
    int64_t result;
};

edo_async(crowd)
{
    edo_body {
        int64_t rc;
        self->count = 0;
        self->result = 0;
        for (self->i = 0; self->i < TASKS; self->i++) {
            rc = edo_spawn(&self->tasks[self->i], hop, .count = &self->count);
            if (rc < 0) self->tasks[self->i] = NULL;
            self->result = first_failure(self->result, rc);
        }
        edo_call(rc, join_all, self->tasks, TASKS, self->result, &self->good);
        assert_int_equal(__atomic_load_n(&self->count, __ATOMIC_RELAXED), self->good);
        edo_return(rc);
    }
}

static int64_t migrating(void)
{
    return on_workers(crowd);
}
fault_test(migrating)

/* ---- nothing at all ---- */

static int64_t idle_workers(void)
{
    edo_runtime *runtime;
    int rc = edo_runtime_create(&(edo_config){ .workers = WORKERS }, &runtime);
    if (rc < 0) return rc;
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    return 0;
}
fault_test(idle_workers)

/* ---- a worker that blocks: others, if they can be made, do its work ---- */

static int64_t yield_thread(void *arg)
{
    (void)arg;
    sched_yield();
    return 0;
}

struct blocks {
    edo_frame();
    edo_args();
    struct crowd crowd;
    unsigned i;
};

edo_async(blocks)
{
    edo_body {
        int64_t rc;
        for (self->i = 0; self->i < WORKERS; self->i++) {
            rc = edo_block_in_place(yield_thread, NULL);
            if (rc < 0) edo_return(rc);
        }
        edo_init(&self->crowd, crowd);
        edo_await_on(rc, &self->crowd.base);
        edo_return(rc);
    }
}

static int64_t in_place(void)
{
    return on_workers(blocks);
}
fault_test(in_place)

/* ---- the only worker waits for a task that only a helper can run; the helper's resources fail at
 * first ---- */

static bool is_helped;

static int64_t await_help(void *arg)
{
    (void)arg;
    while (!__atomic_load_n(&is_helped, __ATOMIC_ACQUIRE) && !faults_persist())
        sched_yield();
    return 0;
}

struct helps {
    edo_frame();
    edo_args();
};

edo_async(helps)
{
    edo_body {
        __atomic_store_n(&is_helped, true, __ATOMIC_RELEASE);
        edo_return(0);
    }
}

struct needs_help {
    edo_frame();
    edo_args();
    edo_task *task;
};

edo_async(needs_help)
{
    edo_body {
        int64_t rc;
        is_helped = false;
        rc = edo_spawn(&self->task, helps);
        if (rc < 0) edo_return(rc);
        edo_block_in_place(await_help, NULL);
        edo_await(rc, edo_join(self->task));
        edo_return(rc);
    }
}

static int64_t helper(void)
{
    return on_n_workers(1, needs_help);
}
fault_test(helper)
