/* Condition variables for tasks. They are used like those of pthreads, with a mutex of edo/locks.h.
 *
 *     edo_lock(rc, &self->queue->mutex);
 *     while (rc == 0 && queue_is_empty(self->queue))
 *         edo_await(rc, edo_condvar_wait(&self->queue->filled, &self->queue->mutex));
 *     ...                                                // locked, unless edo_lock() failed
 *     edo_mutex_unlock(&self->queue->mutex);
 *
 * Change the condition under the mutex. The signal may come before or after the unlock. No wake is
 * spurious. But between the signal and the moment at which the woken task has the mutex again,
 * another task may change the condition. So test the condition in a loop.
 */
#pragma once

#include <edo/locks.h>

EDO_BEGIN_DECLS

/* All members are private, and zero at the start. */
typedef struct edo_condvar {
    uint32_t word; // atomic; 1 while the list of waiters is not empty
    uint32_t lock; // guards the list of waiters
    void *waiters;
} edo_condvar;

#define EDO_CONDVAR_INIT                                                                           \
    {                                                                                              \
        0, 0, NULL                                                                                 \
    }

EDO_API extern const edo_future_ops edo__condvar_wait_ops;

/* Unlocks the mutex, waits for a signal, and locks the mutex again. A signal that comes after this
 * unlock is not missed. Waiters are served first in, first out.
 * Result: 0.
 * Cancel: waits for the mutex. The mutex is always locked at the end, even after -ECANCELED or
 * -ETIMEDOUT. A cancelled wait uses up no signal. If it has received a signal already, the signal
 * passes to the next waiter. */
static inline EDO_MUST_USE edo_op edo_condvar_wait(edo_condvar *condvar, edo_mutex *mutex)
{
    return edo__op(&edo__condvar_wait_ops, condvar, mutex, 0, 0);
}

/* edo_condvar_signal() wakes the waiter that has waited longest, and edo_condvar_broadcast() wakes
 * all waiters. A signal without a waiter is lost.
 * Thread: any. */
EDO_API void edo_condvar_signal(edo_condvar *condvar);
EDO_API void edo_condvar_broadcast(edo_condvar *condvar);

/* Call this before the memory is freed; aborts if a task waits. Thread: the last user's. */
EDO_API void edo_condvar_deinit(edo_condvar *condvar);

EDO_END_DECLS
