#include "base/lock.h"

#include "sys/sys.h"

uint32_t edo__lock_mark = EDO__LOCK_NEXT_MARK;

#if EDO_DEBUG
_Thread_local int32_t edo__locks_held;
#endif

/* Whether a thread of this process holds the lock. word: the value that a swap has found in the
 * lock. If the result is false, the swap itself has taken the lock. */
static bool is_held_here(uint32_t word)
{
    return (word & ~(uint32_t)EDO__LOCK_CONTENDED) == edo__lock_mark;
}

void edo__lock_take_slow(edo__lock *lock)
{
    uint32_t contended = edo__lock_mark | EDO__LOCK_CONTENDED;
    while (is_held_here(edo_swap_acquire(lock, contended)))
        edo__sys_futex_wait(lock, contended);
}

void edo__lock_give_slow(edo__lock *lock)
{
    edo__sys_futex_wake(lock);
}
