/* Blocking work on the runtime's pool. */
#include "bench.h"

enum { JOBS = 100000, BATCHES = 100, BATCH = 1000 };

static int64_t answer(void *arg)
{
    return (int64_t)(intptr_t)arg;
}

/* ---- spawn_blocking: one after the other ---- */

struct one_by_one {
    edo_frame();
    edo_args();
    intptr_t i;
};

edo_async(one_by_one)
{
    edo_body {
        int64_t rc;
        for (self->i = 0; self->i < JOBS; self->i++) {
            edo_await(rc, edo_blocking(answer, (void *)self->i));
            bench_require(rc == self->i ? 0 : -EIO, "blocking");
        }
        edo_return(0);
    }
}

static void one_by_one_once(edo_runtime *runtime, double *ret_nanoseconds)
{
    int64_t start = bench_now();
    bench_require(edo_block_on(runtime, one_by_one), "spawn_blocking");
    *ret_nanoseconds = (double)(bench_now() - start) / JOBS;
}

int bench_spawn_blocking(edo_runtime *runtime, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    bench_repeat(runtime, one_by_one_once, &(bench_line){ "spawn_blocking", "ns/op" }, 1);
    return 0;
}

/* ---- spawn_blocking_batch: a thousand at once, then all are awaited ---- */

struct batches {
    edo_frame();
    edo_args();
    edo_task *tasks[BATCH];
    int batch, joined;
};

static void spawn_batch(edo_task **ret_tasks)
{
    for (intptr_t i = 0; i < BATCH; i++)
        bench_require(edo_spawn_blocking(&ret_tasks[i], answer, (void *)i), "spawn");
}

edo_async(batches)
{
    edo_body {
        int64_t rc;
        for (self->batch = 0; self->batch < BATCHES; self->batch++) {
            spawn_batch(self->tasks);
            for (self->joined = 0; self->joined < BATCH; self->joined++) {
                edo_await(rc, edo_join(self->tasks[self->joined]));
                bench_require(rc == self->joined ? 0 : -EIO, "join");
            }
        }
        edo_return(0);
    }
}

static void batches_once(edo_runtime *runtime, double *ret_nanoseconds)
{
    int64_t start = bench_now();
    bench_require(edo_block_on(runtime, batches), "spawn_blocking_batch");
    *ret_nanoseconds = (double)(bench_now() - start) / ((double)BATCHES * BATCH);
}

int bench_spawn_blocking_batch(edo_runtime *runtime, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    bench_repeat(runtime, batches_once, &(bench_line){ "spawn_blocking_batch", "ns/op" }, 1);
    return 0;
}
