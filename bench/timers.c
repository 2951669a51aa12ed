/* Timers, and the memory of tasks that sleep. */
#include <stdatomic.h>
#include <stdlib.h>

#include "bench.h"

enum { MILLION = 1000000 };

/* ---- timer_cancel: sleeps that are polled once, then cancelled ---- */

struct timer_cancel {
    edo_frame();
    edo_args();
    edo_op sleep;
    int left;
};

/* A sleep is registered when its task goes to wait, so this registers one sleep in each poll of the
 * task: of every budget's worth, the first. */
edo_async(timer_cancel)
{
    edo_body {
        int rc;
        for (self->left = MILLION; self->left > 0; self->left--) {
            self->sleep = edo_sleep(edo_s(10));
            if (edo_poll_future(&self->sleep.base, cx) != EDO_PENDING) edo_return(-EIO);
            edo_cancel(&self->sleep.base);
            edo_await_on(rc, &self->sleep.base);
            if (rc != -ECANCELED) edo_return(-EIO);
        }
        edo_return(0);
    }
}

static void timer_cancel_once(edo_runtime *runtime, double *ret_nanoseconds)
{
    int64_t start = bench_now();
    bench_require(edo_block_on(runtime, timer_cancel), "timer_cancel");
    *ret_nanoseconds = (double)(bench_now() - start) / MILLION;
}

int bench_timer_cancel(edo_runtime *runtime, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    bench_repeat(runtime, timer_cancel_once, &(bench_line){ "timer_cancel", "ns/timer" }, 1);
    return 0;
}

/* ---- timer_random: a million tasks, each with a deadline within a second ---- */

enum { LONGEST_MS = 1000 };

typedef struct lateness {
    int64_t longest, sum; // of all tasks; who joins them adds
} lateness;

struct late_sleeper {
    edo_frame();
    edo_args(int64_t delay;);
    int64_t deadline;
};

edo_async(late_sleeper)
{
    edo_body {
        int rc;
        self->deadline = edo_now() + self->delay;
        edo_await(rc, edo_sleep_until(self->deadline));
        int64_t late = edo_now() - self->deadline;
        if (late < 0) edo_return(-EIO);
        edo_return(rc < 0 ? rc : late);
    }
}

/* Marsaglia's xorshift64 with the shifts 13, 7, 17: the same delays in every program and run. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void spawn_sleepers(edo_task **ret_tasks)
{
    uint64_t random = 0x9E3779B97F4A7C15u; // the workload's seed: 2^64 / golden ratio
    for (int i = 0; i < MILLION; i++) {
        int64_t delay = edo_ms(1 + (int64_t)(next_random(&random) % LONGEST_MS));
        bench_require(edo_spawn(&ret_tasks[i], late_sleeper, .delay = delay), "spawn");
    }
}

struct timer_random {
    edo_frame();
    edo_args(edo_task **tasks; lateness *late;);
    int joined;
};

edo_async(timer_random)
{
    edo_body {
        int64_t late;
        spawn_sleepers(self->tasks);
        for (self->joined = 0; self->joined < MILLION; self->joined++) {
            edo_await(late, edo_join(self->tasks[self->joined]));
            bench_require(late, "sleeper");
            if (late > self->late->longest) self->late->longest = late;
            self->late->sum += late;
        }
        edo_return(0);
    }
}

static void timer_random_once(edo_runtime *runtime, double *ret_values)
{
    static edo_task *tasks[MILLION];
    lateness late = { 0 };
    double cpu = bench_cpu_seconds();
    int64_t start = bench_now();
    bench_require(edo_block_on(runtime, timer_random, .tasks = tasks, .late = &late),
                  "timer_random");
    ret_values[0] = bench_cpu_seconds() - cpu;
    ret_values[1] = (double)late.longest / BENCH_NANOSECONDS_PER_MS;
    ret_values[2] = (double)late.sum / MILLION / BENCH_NANOSECONDS_PER_MS;
    ret_values[3] = (double)(bench_now() - start) / BENCH_NANOSECONDS;
}

int bench_timer_random(edo_runtime *runtime, int argc, char **argv)
{
    static const bench_line lines[] = {
        { "timer_random_cpu", "s_cpu" },
        { "timer_random_maxlate", "ms" },
        { "timer_random_meanlate", "ms" },
        { "timer_random_wall", "s" },
    };
    (void)argc;
    (void)argv;
    bench_repeat(runtime, timer_random_once, lines, sizeof lines / sizeof *lines);
    return 0;
}

/* ---- mem_task: resident memory per sleeping task ---- */

#define LONG_SLEEP   edo_minutes(60)
#define SETTLE_SLEEP edo_ms(300)

struct idle_task {
    edo_frame();
    edo_args(atomic_int *started;);
};

edo_async(idle_task)
{
    edo_body {
        int rc;
        atomic_fetch_add_explicit(self->started, 1, memory_order_relaxed);
        edo_await(rc, edo_sleep(LONG_SLEEP));
        edo_return(rc);
    }
}

struct mem_task {
    edo_frame();
    edo_args();
    atomic_int started;
};

edo_async(mem_task)
{
    edo_body {
        int rc;
        self->started = 0;
        for (int i = 0; i < MILLION; i++)
            // edo-lint: allow(edo-frame-lent) the loop below waits until all have used it
            bench_require(edo_go(idle_task, .started = &self->started), "spawn");
        while (self->started < MILLION)
            edo_await(rc, edo_yield());
        edo_await(rc, edo_sleep(SETTLE_SLEEP));
        edo_return(rc);
    }
}

int bench_mem_task(edo_runtime *runtime, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    double before = bench_resident_bytes();
    bench_require(edo_block_on(runtime, mem_task), "mem_task");
    bench_print("mem_task", (bench_resident_bytes() - before) / MILLION, "bytes/task");
    return 0;
}
