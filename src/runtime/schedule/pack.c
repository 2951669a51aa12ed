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
 * target. For the same reason, a worker with much ready work hands over nothing. The tasks that
 * other workers have handed to the target, and that it has not taken yet, count too. Without this
 * rule, many workers could choose the same target at the same time.
 *
 * A task whose next operation must wait in the ring of this worker would only make two workers wake
 * up for each event. This is so if the task accepts from a listener from which other tasks accept.
 * After a turn with such an event, the worker hands over nothing.
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
 * that a target has been handed take together. */
#define BRIEF edo_us(100)

/* Whether the worker has work of its own, has time for more, and soon takes what it is handed. */
static bool has_time(const edo__worker *worker, int64_t now)
{
    if (now - edo_load_figure(&worker->woke_at) >= LATELY) return false;
    if (edo_load_relaxed(&worker->park) == EDO__PARKED) return true;
    return now - edo_load_figure(&worker->turned_at) < BRIEF && !edo__worker_is_stuck(worker);
}

/* Whether `count` tasks take little time. The polls of this worker's tasks are the measure. */
static bool is_brief(const edo__worker *worker, uint64_t count)
{
    return (int64_t)count * worker->mean_poll < BRIEF;
}

/* Returns: a worker for `count` tasks of this worker; or NULL. */
static edo__worker *find_target(const edo__worker *worker, uint64_t count)
{
    int64_t now = edo_load_figure(&worker->woke_at);
    for (uint32_t i = 0; i < worker->index; i++) {
        edo__worker *other = worker->runtime->workers[i];
        bool fits = has_time(other, now) && is_brief(worker, count + edo__worker_untaken(other));
        if (fits) return other;
    }
    return NULL;
}

/* Whether an event since the last call belongs to a task that must wait here again. */
static bool is_bound(edo_driver *driver)
{
    bool binds = edo_load_figure(&driver->binds);
    if (edo__unlikely(binds)) edo_store_figure(&driver->binds, false);
    return binds;
}

void edo__pack(edo__worker *worker)
{
    if (is_bound(worker->driver)) return;
    uint64_t count = edo__worker_length(worker);
    bool is_fit = count && is_brief(worker, count) && !worker->is_spare;
    if (!is_fit || edo__clock_is_paused(worker->runtime)) return;
    edo__worker *to = find_target(worker, count);
    edo_task *task;
    while (to && (task = edo__queue_pop(&worker->queue)))
        edo__worker_push_foreign(to, task);
}
