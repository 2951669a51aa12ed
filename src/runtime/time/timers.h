/* Timers of tasks, one per task. */
#pragma once

#include "runtime/runtime.h"

void edo__timer_set_slow(edo__worker *worker, edo_task *task, int64_t deadline);

/* Sets the task's timer to fire at the deadline or earlier. Thread: the poller. */
static inline void edo__timer_set(edo__worker *worker, edo_task *task, int64_t deadline)
{
    if (deadline != EDO_NEVER) edo__timer_set_slow(worker, task, deadline);
}

void edo__timer_cancel_slow(edo_task *task);

/* Disarms the timer of a task that has ended. Thread: the poller. */
static inline void edo__timer_cancel(edo_task *task)
{
    if (edo__timer_is_armed(&task->timer)) edo__timer_cancel_slow(task);
}

/* Fires all timers after a jump of the clock. The tasks then arm their timers again. Used only in a
 * current-thread runtime. Thread: the owner. */
void edo__timers_restart(edo__worker *of);

/* Moment at which timers of a worker's wheel must be fired next; INT64_MAX: the wheel is empty. */
int64_t edo__timers_next(edo__worker *of);

/* Fires the due timers in the wheel of the worker `of`. Queues their tasks on `worker`. Thread: the
 * owner of `worker`. */
void edo__fire_timers(edo__worker *worker, edo__worker *of);
