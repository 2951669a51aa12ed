#include "base/lock.h"

#include "sys/sys.h"

void edo__lock_take_slow(edo__lock *lock)
{
    while (edo_swap_acquire(lock, 2) != 0)
        edo__sys_futex_wait(lock, 2);
}

void edo__lock_give_slow(edo__lock *lock)
{
    edo__sys_futex_wake(lock);
}
