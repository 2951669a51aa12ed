/* Failed tasks. No model of the model checker has a failed task. */
#pragma once

#include "task/task.h"

#ifdef EDO_MODEL
static inline void edo__failure_note(edo_task *task, int64_t result)
{
    (void)task;
    (void)result;
}
static inline void edo__failure_report(edo_task *task, int64_t result, bool ends)
{
    (void)task;
    (void)result;
    (void)ends;
}
#else

/* Applies edo_config.on_failure to a task that ends with a negative result. Thread: the poller, at
 * the task's end. */
void edo__failure_note(edo_task *task, int64_t result);

/* Logs a task that has failed. If `ends` is true, also ends the runtime. Thread: the poller, at the
 * task's end. */
void edo__failure_report(edo_task *task, int64_t result, bool ends);

#endif
