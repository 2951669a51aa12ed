/* Handles: the checks of debug builds and of report_leaks. Thread: any.
 *
 * A handle is a pointer to its task. A stale handle is one that was already returned. Such a handle
 * may point to memory that another task now uses, and a call would act on that task. So debug
 * builds keep the memory of ended tasks in a quarantine for a while, with overwritten frames. A
 * call with a stale handle then finds a task without references. Sanitizer builds have no
 * quarantine, because the sanitizer checks freed memory itself, and the quarantine's lock would
 * hide races from the sanitizer.
 *
 * With edo_config.report_leaks, each task with a handle is TRACKED. Between the task's end and the
 * return of its handle, the task is in a list. edo_runtime_destroy() reports the tasks in this
 * list.
 */
#pragma once

#include "task/task.h"

#if EDO__ASAN || EDO__TSAN || !EDO_DEBUG
#define EDO__QUARANTINE 0
#else
#define EDO__QUARANTINE 1
#endif

/* Ends the process if the handle was already joined or detached. */
void edo__check_handle_slow(const char *call, const edo_task *task);

static inline void edo__check_handle(const char *call, const edo_task *task)
{
#if EDO_DEBUG
    edo__check_handle_slow(call, task);
#else
    (void)call;
    (void)task;
#endif
}

/* As edo__check_handle(), for calls that need no handle: calls made by hooks, and calls that a task
 * makes about itself. */
static inline void edo__check_task(const char *call, const edo_task *task)
{
#if EDO_DEBUG
    if (edo_load_relaxed(&task->state) < EDO__REF) edo__check_handle_slow(call, task);
#else
    (void)call;
    (void)task;
#endif
}

#if defined EDO_MODEL && !defined EDO_MODEL_HANDLES

/* Most models have neither a quarantine nor tracked tasks. */
static inline edo_task *edo__quarantine_put(edo_task *task)
{
    return task;
}
static inline void edo__quarantine_empty(void) {}
static inline void edo__handle_task_ended(edo_task *task)
{
    (void)task;
}
static inline void edo__handle_returned(edo_task *task)
{
    (void)task;
}
static inline void edo__handles_report(const edo_runtime *runtime)
{
    (void)runtime;
}

#else

/* Keeps an ended task's memory for a while. Returns: the task whose memory is to be freed now, or
 * NULL. */
edo_task *edo__quarantine_put(edo_task *task);

/* Frees all memory in the quarantine, of all runtimes. */
void edo__quarantine_empty(void);

/* Adds an ended TRACKED task to the list if its handle was not returned. Thread: the poller, before
 * the poller drops the runtime's reference. */
void edo__handle_task_ended(edo_task *task);

/* Returns the handle of a TRACKED task: clears JOIN_INTEREST, and takes the task out of the
 * list. */
void edo__handle_returned(edo_task *task);

/* Logs the leaked handles of a runtime's tasks, and empties the list. */
void edo__handles_report(const edo_runtime *runtime);

#endif
