/* A lock of four bytes for critical sections of a few dozen instructions, such as those of a
 * channel, or of a queue of requests for a lock. Only a section that wakes all waiters of an object
 * is longer: it takes about ten nanoseconds per waiter.
 *
 * A brief lock costs one read-modify-write, and edo__lock costs two, because a brief lock is
 * released by a plain store. The price is that waiters spin. So a holder makes no system call,
 * allocates nothing, and calls no user code except the wake function of a user's own wakeable
 * (edo/future.h).
 * Thread: any.
 *
 * States. 0: free. The mark of this process (base/lock.h): held. A waiter yields the processor
 * after a while, and later sleeps, because the holder may have been preempted. In the child of a
 * fork a lock that was held by a thread of the parent counts as free.
 *
 * Orders. edo__brief_take() acquires what edo__brief_give() has released. */
#pragma once

#include "base/lock.h"

#if defined EDO_MODEL && !defined EDO_MODEL_LOCKS

#define edo__brief_take(lock) edo__lock_take(lock)
#define edo__brief_give(lock) edo__lock_give(lock)

#else

void edo__brief_take_slow(edo__lock *lock);

static inline void edo__brief_take(edo__lock *lock)
{
    uint32_t expected = 0;
    if (!edo_cas_acquire(lock, &expected, edo__lock_mark)) edo__brief_take_slow(lock);
    EDO__COUNT_LOCK(1);
}

static inline void edo__brief_give(edo__lock *lock)
{
    EDO__COUNT_LOCK(-1);
    edo_store_release(lock, 0);
}

#endif
