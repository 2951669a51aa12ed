/* Helpers for tests of metrics. */
#pragma once

#include "runtime/gate.h"

#include "sys/sys.h"

static inline edo_metrics read_all(edo_runtime *runtime)
{
    edo_metrics m;
    insist(edo_metrics_read(runtime, &m) == 0);
    return m;
}

static inline edo_worker_metrics read_one(edo_runtime *runtime, unsigned worker)
{
    edo_worker_metrics m;
    insist(edo_metrics_read_worker(runtime, worker, &m) == 0);
    return m;
}

static inline edo_task_metrics read_task(const edo_task *task)
{
    edo_task_metrics m;
    insist(edo_task_metrics_read(task, &m) == 0);
    return m;
}

/* Sum of all buckets of a histogram. */
static inline uint64_t count_all(edo_runtime *runtime, edo_histogram histogram, int worker)
{
    enum { MOST = 1024 };
    uint64_t counts[MOST], sum = 0;
    uint32_t buckets = edo_histogram_buckets(runtime, histogram);
    insist(buckets <= MOST);
    insist(edo_histogram_read(runtime, histogram, worker, counts, MOST) == 0);
    for (uint32_t i = 0; i < MOST; i++) {
        insist(i < buckets || counts[i] == 0);
        sum += counts[i];
    }
    return sum;
}

/* Occupies the thread for `duration` ns of real time. */
static inline void spin(int64_t duration)
{
    int64_t end = edo__sys_now() + duration;
    while (edo__sys_now() < end)
        continue;
}

/* Yields a number of times, and occupies its worker for `spins` ns in each poll. */
struct yielder {
    edo_frame();
    edo_args(unsigned yields; int64_t spins;);
};

edo_async(yielder)
{
    edo_body {
        int rc = 0;
        if (self->spins) spin(self->spins);
        while (self->yields-- > 0 && rc == 0) {
            edo_await(rc, edo_yield());
            if (self->spins) spin(self->spins);
        }
        edo_return(rc);
    }
}

/* Waits for a condition that another thread is about to fulfil. */
#define await_true(condition)                                                                      \
    while (!(condition))                                                                           \
    sched_yield()
