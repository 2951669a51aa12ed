/* Holders of locks, and who waits for them: for reports of deadlocks, and for dumps. Any thread.
 *
 * Nothing is recorded unless it is wanted (EDO_LOCK_TRACE in the environment, or a debug build); then
 * each lock costs some hundred nanoseconds, for one lock guards all records. They lie in a fixed array:
 * no memory is allocated, and what does not fit goes unrecorded.
 *
 * Tasks are known by their ids; a plain thread, also inside of edo_wait(), by that of the thread.
 */
#pragma once

#include <edo/locks.h>

#include "task/task.h"

#ifdef EDO_MODEL

#define edo__holders_wait(object, kind, op) ((void)0)
#define edo__holders_wait_is_over(op)       ((void)0)
#define edo__holders_forget(object)         ((void)0)
#define edo__holders_task_ended(task)       ((void)0)

#else

/* Reads the environment. By any thread, several times. */
void edo__holders_prepare(void);

static inline bool edo__holders_are_wanted(void)
{
    return edo__unlikely(edo_load_relaxed(&edo__locks_traced));
}

void edo__holders_note_wait(const void *object, uint32_t kind, edo_op *op);
void edo__holders_end_wait(const edo_op *op);
void edo__holders_drop(const void *object);
void edo__holders_note_end(const edo_task *task);

/* The operation waits for the object; in its poll, without locks, after each poll that answers
 * EDO_PENDING. A cycle that this closes is reported. */
static inline void edo__holders_wait(const void *object, uint32_t kind, edo_op *op)
{
    if (edo__holders_are_wanted()) edo__holders_note_wait(object, kind, op);
}

/* It is over; in its poll. */
static inline void edo__holders_wait_is_over(const edo_op *op)
{
    if (edo__holders_are_wanted()) edo__holders_end_wait(op);
}

/* The object ends. */
static inline void edo__holders_forget(const void *object)
{
    if (edo__holders_are_wanted()) edo__holders_drop(object);
}

/* The task has ended; locks that it holds are reported. By its poller. */
static inline void edo__holders_task_ended(const edo_task *task)
{
    if (edo__holders_are_wanted()) edo__holders_note_end(task);
}

/* Reports waiters that were woken some time ago, and have not been polled. */
void edo__holders_check(void);

/* Who waits for whom: one line for each waiter of the runtime. */
void edo__holders_describe(const edo_runtime *runtime, void (*say)(void *context, const char *line),
                           void *context);

#endif
