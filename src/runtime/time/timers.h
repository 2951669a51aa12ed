/* The one timer of each task. */
#pragma once

#include "runtime/runtime.h"

void edo__timer_set_slow(edo__worker *worker, edo_task *task, int64_t deadline);

/* Makes the task's timer fire at the deadline, or before. The poller. */
static inline void edo__timer_set(edo__worker *worker, edo_task *task, int64_t deadline)
{
    if (deadline != EDO_NEVER) edo__timer_set_slow(worker, task, deadline);
}

void edo__timer_cancel_slow(edo_task *task);

/* The task has ended. The poller. */
static inline void edo__timer_cancel(edo_task *task)
{
    if (edo__timer_is_armed(&task->timer)) edo__timer_cancel_slow(task);
}

/* The clock of a worker without threads has jumped: each timer fires, and its task arms it anew.
 * Owner. */
void edo__timers_restart(edo__worker *of);

/* The next look that a worker's wheel needs; INT64_MAX: none. */
int64_t edo__timers_next(edo__worker *of);

/* Fires what is due in a worker's wheel; the tasks are queued with `worker`, whose thread calls. */
void edo__fire_timers(edo__worker *worker, edo__worker *of);
