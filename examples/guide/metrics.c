/* What a runtime and its tasks have done, in numbers. */
#include <inttypes.h>
#include <stdio.h>

#include <edo/edo.h>

struct job {
    edo_frame();
    edo_args(int rounds;);
};

edo_async(job)
{
    edo_body {
        int rc = 0;
        while (self->rounds-- > 0 && rc == 0)
            edo_await(rc, edo_sleep(edo_ms(10)));
        edo_return(rc);
    }
}

/* region: task */
struct root {
    edo_frame();
    edo_args();
    edo_task *task;
};

edo_async(root)
{
    edo_body {
        int rc;
        edo_spawn_options options = { .metrics = true };
        edo_check(edo_spawn_with(&self->task, &options, job, .rounds = 3));
        edo_await(rc, edo_sleep(edo_ms(100)));

        edo_task_metrics m;
        if (edo_task_metrics_read(self->task, &m) == 0)
            printf("woken %" PRIu64 " times, polled %" PRIu64 " times\n", m.wakes, m.polls);
        edo_detach(self->task);
        edo_return(rc);
    }
}
/* end: task */

/* region: runtime */
/* Any thread may do this at any time. */
static void report(edo_runtime *runtime)
{
    edo_metrics m;
    if (edo_metrics_read(runtime, &m) < 0) return; // the child of a fork
    printf("%" PRIu64 " tasks, %" PRIu64 " alive, %" PRIu64 " waiting for a worker\n",
           m.spawned_tasks, m.alive_tasks, m.inject_depth + m.local_depth);
    for (unsigned i = 0; i < m.workers + m.spares; i++) {
        edo_worker_metrics w;
        if (edo_metrics_read_worker(runtime, i, &w) < 0) continue;
        printf("worker %u: %s, %" PRIu64 " polls\n", i, w.park_unparks % 2 ? "asleep" : "awake",
               w.polls);
    }
}
/* end: runtime */

/* region: histogram */
static int64_t slowest_poll(edo_runtime *runtime)
{
    enum { MOST = 256 };
    uint64_t counts[MOST];
    int64_t from, to;
    uint32_t bucket = edo_histogram_buckets(runtime, EDO_POLL_TIME);
    if (edo_histogram_read(runtime, EDO_POLL_TIME, EDO_ALL_WORKERS, counts, MOST) < 0) return -1;
    while (bucket > 0 && counts[bucket - 1] == 0)
        bucket--;
    if (bucket == 0) return -1; // none so far
    edo_histogram_range(runtime, EDO_POLL_TIME, bucket - 1, &from, &to);
    return from; // it took so long, at least
}

int main(void)
{
    edo_metrics_config metrics = { .poll_time = { .scale = EDO_HISTOGRAM_LOG } };
    edo_config config = { .metrics = &metrics, .test_clock = true };
    edo_runtime *runtime;
    if (edo_runtime_create(&config, &runtime) < 0) return 1;
    int64_t rc = edo_block_on(runtime, root);
    report(runtime);
    printf("the slowest poll is %s\n", slowest_poll(runtime) >= 0 ? "known" : "not known");
    return edo_runtime_destroy(runtime) < 0 || rc < 0;
}
/* end: histogram */
