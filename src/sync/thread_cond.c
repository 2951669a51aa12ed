/* The condition variable for plain threads. It has the number of waiters, and a sequence that
 * counts notifications.
 *
 * No notification is lost. A waiter counts itself and reads the sequence while it holds the mutex.
 * A notifier that later changes the condition under the mutex sees the waiter, because the mutex
 * orders the two threads. The notifier adds to the sequence, then wakes. If the addition comes
 * before the kernel compares the sequence with the waiter's value, the waiter does not sleep.
 * Otherwise the waiter is in the kernel's queue when the wake comes.
 *
 * If exactly 2^32 notifications came between a waiter's read of the sequence and its sleep, the
 * waiter would miss them. But the waiter would have to be preempted for the minutes that so many
 * notifications take.
 *
 * Orders. All operations are relaxed, because the mutex guards the condition. */
#include "base/base.h"
#include "sync/thread_lock.h"

static bool is_notified(edo_thread_cond *cond, uint32_t sequence)
{
    return edo_load_relaxed(&cond->sequence) != sequence;
}

/* Waits for a notification. Returns: false: the deadline has passed without a notification. */
static bool wait_for(edo_thread_cond *cond, uint32_t sequence, int64_t deadline)
{
    if (edo__thread_sleep(&cond->sequence, sequence, deadline) && deadline == EDO_NEVER)
        return true;
    return is_notified(cond, sequence) || edo__sys_now() < deadline;
}

int edo__thread_cond_wait(edo_thread_cond *cond, edo_thread_mutex *mutex, int64_t deadline,
                          const edo_thread_place *place)
{
    edo_add_relaxed(&cond->waiters, 1);
    uint32_t sequence = edo_load_relaxed(&cond->sequence);
    edo__thread_mutex_unlock(mutex, place);
    bool notified = wait_for(cond, sequence, deadline);
    edo_sub_relaxed(&cond->waiters, 1);
    edo__thread_mutex_lock(mutex, place);
    return notified ? 0 : -ETIMEDOUT;
}

void edo__thread_cond_notify(edo_thread_cond *cond, bool all)
{
    edo_add_relaxed(&cond->sequence, 1);
    if (all)
        edo__sys_futex_wake_all(&cond->sequence);
    else
        edo__sys_futex_wake(&cond->sequence);
}
