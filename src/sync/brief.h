/* A lock of four bytes for critical sections of a few dozen instructions, such as those of a
 * channel, or of a queue of requests for a lock. A section that wakes all waiters of an object is
 * longer: it takes about ten nanoseconds per waiter.
 *
 * A critical section under a brief lock costs one read-modify-write, because the release is a plain
 * store. A lock of base/lock.h costs two. The price is that the waiters of a brief lock spin. So a
 * holder makes no system call, allocates nothing, and calls no user code except the wake function
 * of a user's own wakeable (edo/future.h).
 * Thread: any.
 *
 * States. The value 0 means that the lock is free. The mark of this process (base/lock.h) means
 * that the lock is held. A waiter yields the processor after a while, and later sleeps, because the
 * holder may have been preempted. In the child of a fork, a lock that a thread of the parent held
 * counts as free.
 *
 * Orders. edo__brief_give() releases, and edo__brief_take() acquires. */
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
