/* Packing: workers with little work hand their tasks to one of them.
 *
 * An operation in the ring of a worker wakes that worker. So when the tasks of a server are spread
 * over all workers, each request wakes a worker that was asleep, although one worker could serve
 * all requests with few sleeps. A sleep and a wake cost more than a short request. Nothing else
 * would bring the tasks together again, because thieves only spread tasks.
 *
 * So a worker that was woken hands its ready tasks to a sleeping worker that was awake lately, and
 * sleeps again. The next operations of these tasks then wait in the ring of the other worker. Each
 * task costs one more wake, once. Tasks move only to workers with lower indices, so two workers do
 * not exchange tasks for ever. A worker that never sleeps gets no tasks, and shares its tasks as
 * usual (edo__worker_consider_waking).
 *
 * All atomic words in this file are figures, or hints. A stale value moves tasks in vain, or too
 * late. edo__worker_push_foreign() orders the moves, and wakes the target. */
#include "runtime/schedule/pack.h"
#include "base/duration.h"
#include "runtime/schedule/work.h"
#include "runtime/time/clock.h"

/* A sleeping worker has work of its own if its last wake was within this time. */
#define LATELY edo_ms(1)

/* A target sleeps, so no task waits there behind a long poll. */
static edo__worker *find_target(const edo__worker *worker)
{
    const edo_runtime *runtime = worker->runtime;
    int64_t now = edo_load_figure(&worker->woke_at);
    for (uint32_t i = 0; i < worker->index; i++) {
        edo__worker *other = runtime->workers[i];
        bool sleeps = edo_load_relaxed(&other->park) == EDO__PARKED;
        if (sleeps && now - edo_load_figure(&other->woke_at) < LATELY) return other;
    }
    return NULL;
}

/* Whether the ready tasks are too little work to keep two workers awake. */
static bool is_little(const edo__worker *worker)
{
    int64_t length = (int64_t)edo__worker_length(worker);
    return length && length * worker->mean_poll < EDO__WAKE_COST;
}

void edo__pack(edo__worker *worker)
{
    if (worker->is_spare || edo__clock_is_paused(worker->runtime) || !is_little(worker)) return;
    edo__worker *to = find_target(worker);
    edo_task *task;
    while (to && (task = edo__queue_pop(&worker->queue)))
        edo__worker_push_foreign(to, task);
}
