/* Timers of tasks, one per task.
 *
 * A timer is in the wheel of the worker that armed the timer. The task stores that worker's number
 * (EDO__WORKER_WHEEL). Only the task's poller arms and disarms the timer. The thread of any worker
 * may fire the timer, because helpers fire the timers of stuck workers. The wheel's lock guards the
 * links, except in a current-thread runtime.
 *
 * The thread that fires a timer first prepares the task's wake, under the lock. It then clears
 * `pprev` (release). A poller that finds `pprev` clear (acquire) knows that no thread uses the
 * timer any more, and may end the task. The firing thread may still have the task's queue entry to
 * push. The task cannot end before that push, because it must be polled to end, and it is polled
 * only after the push. */
#include "runtime/time/timers.h"
#include "runtime/runtime.h"
#include "runtime/time/clock.h"

enum { LEAST_FIRED = 64 }; // number of timers that may always fire; above DEFAULT_EVENT_INTERVAL

static void lock_wheel(edo__worker *of)
{
    if (of->is_shared) edo__lock_take(&of->wheel_lock);
}

static void unlock_wheel(edo__worker *of)
{
    if (of->is_shared) edo__lock_give(&of->wheel_lock);
}

static edo__worker *worker_of_wheel(const edo_task *task)
{
    return task->runtime->workers[task->head.private_[EDO__WORKER_WHEEL]];
}

/* Disarms the timer, unless it fires at the deadline or earlier. Returns: whether the timer is
 * still armed. */
static bool take_out(edo_task *task, int64_t deadline)
{
    if (!edo__timer_is_armed(&task->timer)) return false;
    edo__worker *of = worker_of_wheel(task);
    lock_wheel(of);
    bool armed = edo__timer_is_armed(&task->timer);
    bool stays = armed && task->timer.when <= deadline;
    if (armed && !stays) edo__wheel_disarm(&of->wheel, &task->timer);
    unlock_wheel(of);
    return stays;
}

/* Arms the timer in the wheel of the poller's worker. This worker is awake, so no sleep has to be
 * shortened. If the timer already fires at the deadline or earlier, it is left as it is. So a task
 * that sets a new limit in every poll rarely arms its timer. In return, the timer fires too early
 * about once per length of the limit, and the task is then polled in vain. */
void edo__timer_set_slow(edo__worker *worker, edo_task *task, int64_t deadline)
{
    if (deadline < 0) deadline = 0; // long past; take_out() treats INT64_MIN as a cancel
    if (take_out(task, deadline)) return;
    task->head.private_[EDO__WORKER_WHEEL] = (uint16_t)worker->index;
    lock_wheel(worker);
    edo__wheel_arm(&worker->wheel, &task->timer, deadline);
    unlock_wheel(worker);
}

void edo__timer_cancel_slow(edo_task *task)
{
    take_out(task, INT64_MIN);
}

int64_t edo__timers_next(edo__worker *of)
{
    lock_wheel(of);
    int64_t next = edo__wheel_next(&of->wheel);
    unlock_wheel(of);
    return next;
}

/* Expires due timers. Called under the lock. Returns: a list of tasks whose queue entries the
 * caller owns. */
static edo_task *expire(edo__worker *of, int64_t now, size_t most)
{
    edo_task *first = NULL, **end = &first;
    edo__timer *timer = edo__wheel_expire(&of->wheel, now, most);
    while (timer) {
        edo__timer *next = timer->next;
        edo_task *task = edo__container(timer, edo_task, timer);
        bool owned = edo__task_prepare(task);
        edo__timer_release(timer);
        if (owned) {
            edo__task_prefetch(task);
            edo__task_prefetch_neighbours(task);
            *end = task;
            end = &task->queue_next;
        }
        timer = next;
    }
    *end = NULL;
    return first;
}

/* ---- order under a test clock ---- */

static bool is_before(const edo_task *a, const edo_task *b)
{
    return a->timer.when != b->timer.when ? a->timer.when < b->timer.when : a->id < b->id;
}

static edo_task *merge(edo_task *a, edo_task *b)
{
    edo_task *first, **end = &first;
    while (a && b) {
        edo_task **from = is_before(a, b) ? &a : &b;
        *end = *from;
        end = &(*from)->queue_next;
        *from = *end;
    }
    *end = a ? a : b;
    return first;
}

/* Sorts tasks by deadline, and tasks with the same deadline by id. The sort is needed for two
 * reasons. A wheel has no order within a slot. And the bounds of its slots depend on the moment at
 * which the clock was paused. */
static edo_task *sort(edo_task *list)
{
    edo_task *halves[2] = { NULL, NULL };
    if (!list || !list->queue_next) return list;
    for (unsigned i = 0; list; i++) {
        edo_task *next = list->queue_next;
        list->queue_next = halves[i % 2];
        halves[i % 2] = list;
        list = next;
    }
    return merge(sort(halves[0]), sort(halves[1]));
}

/* ---- firing ---- */

/* Number of timers to fire now. The other due timers remain in the wheel.
 * - In a current-thread runtime, LEAST_FIRED timers fire. These are so few that their tasks are
 *   still in the caches when they are polled.
 * - Otherwise, as many timers fire as the worker's ring has room for, because further tasks would
 *   go to the end of the overflow list. But at least LEAST_FIRED timers fire, so that a full ring
 *   cannot delay all timers. */
static size_t room_for(const edo__worker *worker)
{
    if (!worker->is_shared) return LEAST_FIRED;
    uint64_t room = edo__queue_room(&worker->queue);
    return room > LEAST_FIRED ? room : LEAST_FIRED;
}

/* Pushes a list of tasks. Returns: the number of tasks. */
static uint64_t push_all(edo_runtime *runtime, edo_task *task)
{
    uint64_t count = 0;
    for (edo_task *next; task; task = next) {
        next = task->queue_next;
        edo__runtime_push(runtime, task);
        count++;
    }
    return count;
}

void edo__fire_timers(edo__worker *worker, edo__worker *of)
{
    worker->cx.now = edo__runtime_now(worker->runtime);
    lock_wheel(of);
    edo_task *task = expire(of, worker->cx.now, room_for(worker));
    unlock_wheel(of);
    if (edo__clock_is_paused(worker->runtime)) task = sort(task);
    worker->fired += push_all(worker->runtime, task);
}

void edo__timers_restart(edo__worker *of)
{
    edo_task *task = expire(of, EDO_NEVER, SIZE_MAX);
    of->cx.now = edo__runtime_now(of->runtime);
    edo__wheel_init(&of->wheel, of->cx.now);
    push_all(of->runtime, task);
}
