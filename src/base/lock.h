/* A lock of four bytes for short critical sections. No user code runs under it, but for a user's own
 * wakeable and the log of the very end (docs/internals/base.md). Under a source's, drivers may make
 * quick system calls and take their own. Any thread.
 *
 * States: 0 free, 1 taken, 2 taken and somebody may sleep (Drepper, "Futexes Are Tricky", mutex 3).
 * Taking acquires what giving released: the partner of each is the other.
 */
#pragma once

#include "base/atomic.h"

typedef uint32_t edo__lock;

#if defined EDO_MODEL && !defined EDO_MODEL_LOCKS

/* One step each for the checker; the lock itself has a model of its own. */
#define edo__lock_take(lock) model_lock((lock), MODEL_HERE)
#define edo__lock_try(lock)  model_lock_try((lock), MODEL_HERE)
#define edo__lock_give(lock) model_unlock((lock), MODEL_HERE)

#else

void edo__lock_take_slow(edo__lock *lock);
void edo__lock_give_slow(edo__lock *lock);

static inline void edo__lock_take(edo__lock *lock)
{
    uint32_t expected = 0;
    if (!edo_cas_acquire(lock, &expected, 1)) edo__lock_take_slow(lock);
}

/* Returns: whether it was free, and is the caller's now. */
static inline bool edo__lock_try(edo__lock *lock)
{
    uint32_t expected = 0;
    return edo_cas_acquire(lock, &expected, 1);
}

static inline void edo__lock_give(edo__lock *lock)
{
    if (edo_swap_release(lock, 0) == 2) edo__lock_give_slow(lock);
}

#endif
