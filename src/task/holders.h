/* Records of the holders and waiters of locks, for reports of deadlocks and for dumps. Thread: any.
 *
 * EDO_LOCK_TRACE turns the records on or off. If the variable is unset, the records are on in debug
 * builds, except under ThreadSanitizer. With records, each use of a lock costs some hundred
 * nanoseconds more, because one lock guards all records. The records are in a fixed array, so no
 * memory is allocated. If the array is full, a hold or a wait is not recorded.
 *
 * A task is identified by its id. A plain thread, even inside edo_wait(), is identified by the
 * thread's id.
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

/* Reads the environment. May be called several times. Thread: any. */
void edo__holders_prepare(void);

static inline bool edo__holders_are_wanted(void)
{
    return edo__unlikely(edo_load_relaxed(&edo__locks_traced));
}

void edo__holders_note_wait(const void *object, uint32_t kind, edo_op *op);
void edo__holders_end_wait(const edo_op *op);
void edo__holders_drop(const void *object);
void edo__holders_note_end(const edo_task *task);

/* Records that the operation waits for the object. Reports a cycle that this wait closes. Called
 * without locks, at the end of each poll that answers EDO_PENDING. */
static inline void edo__holders_wait(const void *object, uint32_t kind, edo_op *op)
{
    if (edo__holders_are_wanted()) edo__holders_note_wait(object, kind, op);
}

/* Removes the record of the operation's wait. Called in the poll of the operation. */
static inline void edo__holders_wait_is_over(const edo_op *op)
{
    if (edo__holders_are_wanted()) edo__holders_end_wait(op);
}

/* Removes the records of an object that ends. */
static inline void edo__holders_forget(const void *object)
{
    if (edo__holders_are_wanted()) edo__holders_drop(object);
}

/* Reports locks that an ended task still holds. Thread: the task's poller. */
static inline void edo__holders_task_ended(const edo_task *task)
{
    if (edo__holders_are_wanted()) edo__holders_note_end(task);
}

/* Reports waiters that were woken longer ago than the limit, and have not been polled. */
void edo__holders_check(void);

/* Passes lines to `say`: one line for each waiter of the runtime, and one line for each holder of
 * the object for which the waiter waits. */
void edo__holders_describe(const edo_runtime *runtime, void (*say)(void *context, const char *line),
                           void *context);

#endif
