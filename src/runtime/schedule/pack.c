/* Packing: workers with little work hand their tasks to one of them.
 *
 * When an operation in the ring of a worker completes, it wakes that worker. So if the tasks of a
 * server are spread over all workers, each request wakes a worker that was asleep. One worker could
 * serve all requests, and would rarely sleep. That would be cheaper, because a sleep and a wake
 * cost more than a short request. Nothing else would bring the tasks together again, because
 * thieves only spread tasks.
 *
 * So a worker that was just woken hands its ready tasks to another worker that was woken lately,
 * and sleeps again. The next operations of these tasks then wait in the ring of that other worker.
 * Tasks move only to workers with lower indices, so two workers do not exchange tasks for ever. A
 * worker that has not slept lately gets no tasks, and shares its tasks as usual
 * (edo__worker_consider_waking).
 *
 * Other workers cannot steal a task that was handed over before the target has taken it. So the
 * target must take it soon: only a worker that is asleep, or that turns its driver often, is a
 * target. For the same reason, a worker with much ready work hands over nothing.
 *
 * All atomic words in this file are figures, or hints. A stale value moves tasks in vain, or too
 * late. edo__worker_push_foreign() orders the moves, and wakes the target. */
#include "runtime/schedule/pack.h"
#include "base/duration.h"
#include "runtime/schedule/work.h"
#include "runtime/time/clock.h"

/* A worker with spare time has slept within this time. */
#define LATELY edo_ms(1)

/* Greatest time since the last turn of a target's driver. Also the greatest time that the tasks
 * that are handed over take together. */
#define BRIEF edo_us(100)

/* Whether the worker has work of its own, has time for more, and soon takes what it is handed. */
static bool has_time(const edo__worker *worker, int64_t now)
{
    if (now - edo_load_figure(&worker->woke_at) >= LATELY) return false;
    if (edo_load_relaxed(&worker->park) == EDO__PARKED) return true;
    return now - edo_load_figure(&worker->turned_at) < BRIEF && !edo__worker_is_stuck(worker);
}

static edo__worker *find_target(const edo__worker *worker)
{
    const edo_runtime *runtime = worker->runtime;
    int64_t now = edo_load_figure(&worker->woke_at);
    for (uint32_t i = 0; i < worker->index; i++)
        if (has_time(runtime->workers[i], now)) return runtime->workers[i];
    return NULL;
}

static bool is_brief(const edo__worker *worker)
{
    int64_t length = (int64_t)edo__worker_length(worker);
    return length && length * worker->mean_poll < BRIEF;
}

void edo__pack(edo__worker *worker)
{
    if (worker->is_spare || edo__clock_is_paused(worker->runtime) || !is_brief(worker)) return;
    edo__worker *to = find_target(worker);
    edo_task *task;
    while (to && (task = edo__queue_pop(&worker->queue)))
        edo__worker_push_foreign(to, task);
}
