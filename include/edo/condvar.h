/* Condition variables for tasks: with a mutex of edo/locks.h, as in pthreads.
 *
 *     edo_lock(rc, &self->queue->mutex);
 *     while (rc == 0 && queue_is_empty(self->queue))
 *         edo_await(rc, edo_condvar_wait(&self->queue->filled, &self->queue->mutex));
 *     ...                                                // locked, unless edo_lock() failed
 *     edo_mutex_unlock(&self->queue->mutex);
 *
 * A condition is changed under the mutex; the signal may come before the unlock or after it. Wakes
 * without a signal do not happen, but another task may have changed the condition again: so it is
 * tested in a loop.
 */
#pragma once

#include <edo/locks.h>

EDO_BEGIN_DECLS

/* All private; all zero at the start. */
typedef struct edo_condvar {
    uint32_t word; // atomic: 1: the list of waiters is not empty
    uint32_t lock; // of the waiters
    void *waiters;
} edo_condvar;

#define EDO_CONDVAR_INIT                                                                           \
    {                                                                                              \
        0, 0, NULL                                                                                 \
    }

EDO_API extern const edo_future_ops edo__condvar_wait_ops;

/* Unlocks the mutex, waits for a signal, and locks it again. A signal that comes after the unlock is
 * not missed. First in, first out.
 * Result: 0.
 * Cancel: waits for the mutex: it is locked in any case when this ends, also with -ECANCELED or
 * -ETIMEDOUT. No signal is taken; one that had been, passes to the next. */
static inline EDO_MUST_USE edo_op edo_condvar_wait(edo_condvar *condvar, edo_mutex *mutex)
{
    return edo__op(&edo__condvar_wait_ops, condvar, mutex, 0, 0);
}

/* Wakes the one that waits longest, or all. Nothing is kept if nobody waits.
 * Thread: any. */
EDO_API void edo_condvar_signal(edo_condvar *condvar);
EDO_API void edo_condvar_broadcast(edo_condvar *condvar);

/* Ends the object, before its memory is freed or reused. Aborts if it has waiters.
 * Thread: the last user's. */
EDO_API void edo_condvar_deinit(edo_condvar *condvar);

EDO_END_DECLS
