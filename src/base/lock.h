/* A lock of four bytes for short critical sections. User code runs under a lock in two cases only:
 * the wake function of a user's own wakeable, and the log function for tasks that a runtime gives
 * up at its end (docs/internals/base.md). Under the lock of a source, drivers may make quick system
 * calls and take their own lock. Thread: any.
 *
 * States. 0: free. MARK: taken. MARK + CONTENDED: taken, and a thread may be asleep (Drepper,
 * "Futexes Are Tricky", mutex 3). edo__lock_take() acquires and edo__lock_give() releases; each is
 * the partner of the other.
 *
 * Forks. Every child of a fork has a MARK of its own. A lock that a thread of the parent held at
 * the fork has the parent's mark. The child has no such thread. So in the child, edo__lock_take()
 * treats the lock as free, but edo__lock_try() fails. The data under that lock may be half changed.
 * So the child follows no pointer of a list that it has inherited from its parent
 * (docs/internals/runtime.md). */
#pragma once

#include "base/atomic.h"
#include "base/base.h"

typedef uint32_t edo__lock;

enum { EDO__LOCK_CONTENDED = 1, EDO__LOCK_NEXT_MARK = 2 };

#if defined EDO_MODEL && !defined EDO_MODEL_LOCKS

/* The model checker treats each call as one step. A separate model checks the code of the lock
 * itself. */
#define edo__lock_take(lock) model_lock((lock), MODEL_HERE)
#define edo__lock_try(lock)  model_lock_try((lock), MODEL_HERE)
#define edo__lock_give(lock) model_unlock((lock), MODEL_HERE)

enum { edo__lock_mark = EDO__LOCK_NEXT_MARK };

static inline bool edo__lock_is_free(edo__lock *lock)
{
    bool is_free = edo__lock_try(lock);
    if (is_free) edo__lock_give(lock);
    return is_free;
}

static inline bool edo__lock_is_any_held(void)
{
    return false;
}

#else

/* Number of locks that the calling thread holds, in debug builds. A thread that holds a lock must
 * not wait. */
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

/* MARK of this process; an even number. The value changes only in the child of a fork, before the
 * child has a second thread. */
extern uint32_t edo__lock_mark;

/* Makes the child of a fork treat all locks that were held at the fork as free. */
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

/* Takes the lock if the lock is free. Returns: whether the lock was taken. */
static inline bool edo__lock_try(edo__lock *lock)
{
    uint32_t expected = 0;
    bool is_mine = edo_cas_acquire(lock, &expected, edo__lock_mark);
    if (is_mine) EDO__COUNT_LOCK(1);
    return is_mine;
}

/* Whether no thread holds the lock. If so, the writes of the last holder are visible. */
static inline bool edo__lock_is_free(const edo__lock *lock)
{
    return edo_load_acquire(lock) == 0;
}

static inline void edo__lock_give(edo__lock *lock)
{
    EDO__COUNT_LOCK(-1);
    if (edo_swap_release(lock, 0) & EDO__LOCK_CONTENDED) edo__lock_give_slow(lock);
}

#endif
