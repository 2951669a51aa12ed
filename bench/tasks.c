/* Tasks: spawning, joining, yielding. */
#include "bench.h"

/* ---- spawn_join: batches of empty tasks, joined in the order of their spawns ---- */

enum { BATCHES = 1000, BATCH = 1000 };

struct empty {
    edo_frame();
    edo_args();
};

edo_async(empty)
{
    edo_body {
        edo_return(0);
    }
}

struct spawn_join {
    edo_frame();
    edo_args();
    edo_task *tasks[BATCH];
    int batch, joined;
};

static void spawn_batch(edo_task **ret_tasks)
{
    for (int i = 0; i < BATCH; i++)
        bench_require(edo_spawn(&ret_tasks[i], empty), "spawn");
}

edo_async(spawn_join)
{
    edo_body {
        int rc;
        for (self->batch = 0; self->batch < BATCHES; self->batch++) {
            spawn_batch(self->tasks);
            for (self->joined = 0; self->joined < BATCH; self->joined++) {
                edo_await(rc, edo_join(self->tasks[self->joined]));
                bench_require(rc, "join");
            }
        }
        edo_return(0);
    }
}

static void spawn_join_once(edo_runtime *runtime, double *ret_nanoseconds)
{
    int64_t start = bench_now();
    bench_require(edo_block_on(runtime, spawn_join), "spawn_join");
    *ret_nanoseconds = (double)(bench_now() - start) / ((double)BATCHES * BATCH);
}

int bench_spawn_join(edo_runtime *runtime, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    bench_repeat(runtime, spawn_join_once, &(bench_line){ "spawn_join", "ns/task" }, 1);
    return 0;
}

/* ---- yield_1, yield_1000: ten million yields in all ---- */

enum { YIELDS = 10000000, YIELDERS = 1000 };

struct yielder {
    edo_frame();
    edo_args(int64_t left;);
};

edo_async(yielder)
{
    edo_body {
        int rc;
        while (self->left-- > 0) {
            edo_await(rc, edo_yield());
            if (rc < 0) edo_return(rc);
        }
        edo_return(0);
    }
}

struct yielders {
    edo_frame();
    edo_args();
    edo_task *tasks[YIELDERS];
    int joined;
};

edo_async(yielders)
{
    edo_body {
        int rc;
        for (int i = 0; i < YIELDERS; i++)
            bench_require(edo_spawn(&self->tasks[i], yielder, .left = YIELDS / YIELDERS), "spawn");
        for (self->joined = 0; self->joined < YIELDERS; self->joined++) {
            edo_await(rc, edo_join(self->tasks[self->joined]));
            bench_require(rc, "join");
        }
        edo_return(0);
    }
}

static void yield_1_once(edo_runtime *runtime, double *ret_nanoseconds)
{
    int64_t start = bench_now();
    bench_require(edo_block_on(runtime, yielder, .left = YIELDS), "yield_1");
    *ret_nanoseconds = (double)(bench_now() - start) / YIELDS;
}

static void yield_1000_once(edo_runtime *runtime, double *ret_nanoseconds)
{
    int64_t start = bench_now();
    bench_require(edo_block_on(runtime, yielders), "yield_1000");
    *ret_nanoseconds = (double)(bench_now() - start) / YIELDS;
}

int bench_yield_1(edo_runtime *runtime, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    bench_repeat(runtime, yield_1_once, &(bench_line){ "yield_1", "ns/yield" }, 1);
    return 0;
}

int bench_yield_1000(edo_runtime *runtime, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    bench_repeat(runtime, yield_1000_once, &(bench_line){ "yield_1000", "ns/yield" }, 1);
    return 0;
}
