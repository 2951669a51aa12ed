/* Handles: what debug builds and report_leaks know about them. Any thread.
 *
 * A handle is a pointer to its task. One that was given back may point to memory of another task
 * by then, and would act on that one. So in debug builds an ended task's memory is not used again
 * soon: it lies in a quarantine, with its frame overwritten, and a call with a stale handle finds a
 * task without references. Under a sanitizer nothing lies there: freed memory is the sanitizer's
 * matter, and the lock of the quarantine would hide races from it.
 *
 * With edo_config.report_leaks each task that has a handle is TRACKED: from its end until the handle
 * is given back it is in a list, which edo_runtime_destroy() reports.
 */
#pragma once

#include "task/task.h"

#if EDO__ASAN || EDO__TSAN || !EDO_DEBUG
#define EDO__QUARANTINE 0
#else
#define EDO__QUARANTINE 1
#endif

/* Ends the process if the handle was given back. */
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

/* The same for calls that hooks make, and tasks on themselves: no handle, but a task. */
static inline void edo__check_task(const char *call, const edo_task *task)
{
#if EDO_DEBUG
    if (edo_load_relaxed(&task->state) < EDO__REF) edo__check_handle_slow(call, task);
#else
    (void)call;
    (void)task;
#endif
}

#ifdef EDO_MODEL

/* Neither a quarantine nor tracked tasks. */
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

/* Frees what lies there, of all runtimes. */
void edo__quarantine_empty(void);

/* A TRACKED task has ended. Its poller, before it drops the runtime's reference. */
void edo__handle_task_ended(edo_task *task);

/* The handle of a TRACKED task is given back: there is no JOIN_INTEREST any more. */
void edo__handle_returned(edo_task *task);

/* Logs the handles of a runtime's tasks that were not given back, and forgets them. */
void edo__handles_report(const edo_runtime *runtime);

#endif
