/* Packing: workers with little work hand their tasks to one of them.
 *
 * An operation in the ring of a worker wakes that worker. So when the tasks of a server are spread
 * over all workers, each request wakes a worker that was asleep, although one worker could serve
 * all requests without sleeping. A sleep and a wake cost more than a short request. Nothing else
 * would bring the tasks together again: thieves only spread them.
 *
 * So a worker that was woken hands its ready tasks to a worker with capacity, and sleeps again. The
 * operations of these tasks then wait in the ring of the other worker. Tasks move only to workers
 * with lower indices, so two workers do not exchange tasks for ever. A worker without capacity
 * wakes thieves as usual (edo__worker_consider_waking).
 *
 * All atomic words in this file are figures, or hints. A stale value moves tasks in vain, or too
 * late. edo__worker_push_foreign() orders the moves, and wakes a target that sleeps. */
#include "runtime/schedule/pack.h"
#include "base/duration.h"
#include "runtime/schedule/work.h"
#include "runtime/time/clock.h"

/* A worker has capacity if its last sleep has ended within this time. */
#define RECENTLY edo_ms(1)

/* A worker that is awake, and has not turned its driver for this time, may be in a long poll, or
 * may lack a processor. The time is the target length of a turn. */
#define LATE edo_us(500)

static bool has_capacity(const edo__worker *worker, int64_t now)
{
    if (now - edo_load_figure(&worker->woke_at) >= RECENTLY) return false;
    int64_t work = edo_load_figure(&worker->counters.mean_poll) *
                   (int64_t)(edo__worker_length(worker) + 1);
    bool sleeps = edo_load_relaxed(&worker->park) == EDO__PARKED;
    return work < EDO__WAKE_COST && !edo__worker_is_stuck(worker) &&
           (sleeps || now - edo_load_figure(&worker->turned_at) < LATE);
}

static edo__worker *find_target(const edo__worker *worker)
{
    const edo_runtime *runtime = worker->runtime;
    int64_t now = edo_load_figure(&worker->woke_at);
    for (uint32_t i = 0; i < worker->index; i++)
        if (has_capacity(runtime->workers[i], now)) return runtime->workers[i];
    return NULL;
}

void edo__pack(edo__worker *worker)
{
    if (worker->is_spare || edo__clock_is_paused(worker->runtime)) return;
    edo__worker *to = find_target(worker);
    edo_task *task;
    while (to && (task = edo__queue_pop(&worker->queue)))
        edo__worker_push_foreign(to, task);
}
