/* A lock of four bytes for short critical sections. No user code runs under it, except a user's own
 * wakeable and the last lines of the log (docs/internals/base.md). Under the lock of a source,
 * drivers may make quick system calls and take their own lock. Any thread.
 *
 * States: 0 free; MARK taken; MARK + CONTENDED taken, and a thread may sleep (Drepper, "Futexes Are
 * Tricky", mutex 3). Taking acquires what giving released: the partner of each is the other.
 *
 * Forks. MARK is another number in every child of a fork. A lock that a thread of the parent held
 * at the fork has the parent's mark in the child, where that thread does not exist, and counts as
 * free there. The data under it may be half changed, so code in a child follows no link of its
 * parent's (docs/internals/runtime.md). edo__lock_try() fails in the child for such a lock. / */
#pragma once

#include "base/atomic.h"
#include "base/base.h"

typedef uint32_t edo__lock;

enum { EDO__LOCK_CONTENDED = 1, EDO__LOCK_NEXT_MARK = 2 };

#if defined EDO_MODEL && !defined EDO_MODEL_LOCKS

/* One step each for the checker; the lock itself has a model of its own. */
#define edo__lock_take(lock) model_lock((lock), MODEL_HERE)
#define edo__lock_try(lock)  model_lock_try((lock), MODEL_HERE)
#define edo__lock_give(lock) model_unlock((lock), MODEL_HERE)

enum { edo__lock_mark = EDO__LOCK_NEXT_MARK };

static inline bool edo__lock_is_any_held(void)
{
    return false;
}

#else

/* Locks that the calling thread holds, in debug builds: nothing may wait then. */
#if EDO_DEBUG
extern _Thread_local int32_t edo__locks_held __attribute__((tls_model("initial-exec")));
#define EDO__COUNT_LOCK(change) (edo__locks_held += (change))
static inline bool edo__lock_is_any_held(void)
{
    return edo__locks_held > 0;
}
#else
#define EDO__COUNT_LOCK(change) ((void)0)
static inline bool edo__lock_is_any_held(void)
{
    return false;
}
#endif

/* Of this process; even. Changes in the child of a fork only, before it has a second thread. */
extern uint32_t edo__lock_mark;

/* In the child of a fork. */
static inline void edo__locks_leave_parent(void)
{
    edo__lock_mark += EDO__LOCK_NEXT_MARK;
}

void edo__lock_take_slow(edo__lock *lock);
void edo__lock_give_slow(edo__lock *lock);

static inline void edo__lock_take(edo__lock *lock)
{
    uint32_t expected = 0;
    if (!edo_cas_acquire(lock, &expected, edo__lock_mark)) edo__lock_take_slow(lock);
    EDO__COUNT_LOCK(1);
}

/* Returns: whether it was free, and is the caller's now. */
static inline bool edo__lock_try(edo__lock *lock)
{
    uint32_t expected = 0;
    bool is_mine = edo_cas_acquire(lock, &expected, edo__lock_mark);
    if (is_mine) EDO__COUNT_LOCK(1);
    return is_mine;
}

static inline void edo__lock_give(edo__lock *lock)
{
    EDO__COUNT_LOCK(-1);
    if (edo_swap_release(lock, 0) & EDO__LOCK_CONTENDED) edo__lock_give_slow(lock);
}

#endif
