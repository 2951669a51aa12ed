#include "sync/brief.h"

#include "sync/queue.h"
#include "sys/sys.h"

#if !defined EDO_MODEL || defined EDO_MODEL_LOCKS

/* Number of reads of the lock (about 1 us in all) before a waiter yields the processor. A holder
 * that was not preempted has released the lock by then. */
enum { LOOKS = 32 };

static bool try_take(edo__lock *lock)
{
    uint32_t seen = edo_load_relaxed(lock);
    return seen != edo__lock_mark && edo_cas_acquire(lock, &seen, edo__lock_mark);
}

void edo__brief_take_slow(edo__lock *lock)
{
    for (uint32_t looks = 1, tries = 0; !try_take(lock); looks++) {
        if (looks % LOOKS)
            edo__relax();
        else
            edo__sys_wait_briefly(&tries);
    }
}

#endif
