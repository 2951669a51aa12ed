#include "runtime/inspect/observe.h"

#include "runtime/hooks.h"

static void record(edo__worker *worker, unsigned kind, int64_t duration)
{
    edo_atomic(uint64_t) *histogram = worker->histograms[kind];
    if (!histogram) return;
    uint32_t bucket = edo__scale_bucket(&worker->runtime->scales[kind], duration);
    edo_add_counter(&histogram[bucket], 1);
}

/* Notes that a poll begins. If `queued_at` is 0, the task was woken during an inspection, and its
 * delay is unknown. */
static void note_begin(edo__worker *worker, edo__task_counts *counts, int64_t start)
{
    edo_add_counter(&counts->polls, 1);
    if (!counts->queued_at) return;
    int64_t delay = start - counts->queued_at;
    counts->queued_at = 0;
    edo_add_counter(&counts->scheduled, delay);
    record(worker, EDO_SCHEDULE_LATENCY, delay);
}

int64_t edo__observe_begin(edo__worker *worker, edo_task *task)
{
    edo__hooks_poll(worker->runtime, task, true);
    bool counted = task->head.flags & EDO__TASK_COUNTED;
    if (!counted && !worker->histograms[EDO_POLL_TIME]) return 0;
    int64_t start = edo__sys_now();
    if (counted) note_begin(worker, edo__task_counts_of(task), start);
    return start;
}

/* Notes that a poll ends. If the task has yielded, its poller queues it again at `end`. */
static void note_end(const edo__worker *worker, edo__task_counts *counts, int64_t start,
                     int64_t end)
{
    int64_t duration = end - start;
    edo_add_counter(&counts->busy, duration);
    if (duration > counts->longest_poll) edo_store_figure(&counts->longest_poll, duration);
    if (worker->cx.requeue) counts->queued_at = end;
}

void edo__observe_end(edo__worker *worker, edo_task *task, int64_t start)
{
    if (start) {
        int64_t end = edo__sys_now();
        record(worker, EDO_POLL_TIME, end - start);
        if (task->head.flags & EDO__TASK_COUNTED)
            note_end(worker, edo__task_counts_of(task), start, end);
    }
    edo__hooks_poll(worker->runtime, task, false);
}
