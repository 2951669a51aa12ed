/* Notify: a signal without a value, which tells tasks that something has happened.
 *
 * A notify is a plain struct, all zero at the start (EDO_NOTIFY_INIT). A notify stores at most one
 * permit: if no task waits, a notification is stored as a permit for the next wait.
 *
 *     edo_await(rc, edo_notified(&self->ready));        // one task
 *     edo_notify_one(&self->ready);                     // another
 *
 * edo_notify_waiters() notifies all operations that were made before the call, even those that were
 * not polled yet. The call stores no permit, so operations made later are not notified.
 *
 * Conditions. A task that waits for a condition must not miss a notification that comes between its
 * test and its wait. For edo_notify_waiters(), the task first makes the operation, then tests the
 * condition, then awaits the operation. For edo_notify_one(), this order is enough if only one task
 * waits, because the notification is stored as the permit. With several tasks it is not enough:
 * while all of them are between test and wait, several notifications leave only one permit. So each
 * task begins its wait before its test:
 *
 *     self->notified = edo_notified(&self->ready);
 *     self->now = edo_sleep(0);
 *     edo_any(which, &self->notified.base, &self->now.base);   // waits from here on
 *     if (!test(self)) edo_await_on(rc, &self->notified.base);
 *
 * Cancellation. A waiter may be cancelled between the notification that has chosen it and its next
 * poll. The notification then passes to another waiter: that of edo_notify_one() to the first
 * waiter, that of edo_notify_last() to the last waiter. If there is no other waiter, the permit is
 * stored. */
#pragma once

#include <edo/locks.h>

EDO_BEGIN_DECLS

/* All members are private. */
typedef struct edo_notify {
    uint32_t permit;     // atomic; 1 while a notification is stored; written under the lock
    uint32_t generation; // atomic: number of edo_notify_waiters() calls; written under the lock
    uint32_t lock;
    uint32_t reserved;
    void *waiters;
} edo_notify;

#define EDO_NOTIFY_INIT                                                                            \
    {                                                                                              \
        0, 0, 0, 0, NULL                                                                           \
    }

EDO_API extern const edo_future_ops edo__notified_ops;
EDO_API int edo__notify_take_permit(edo_notify *notify);

/* Takes the permit if it is stored. Returns: 0, or -EAGAIN. Thread: any. */
static inline int edo_try_notified(edo_notify *notify)
{
    return edo__load_lock(&notify->permit) ? edo__notify_take_permit(notify) : -EAGAIN;
}

/* Waits for a notification, first in, first out.
 * Result: 0. Cancel: prompt; no notification is taken. */
static inline edo_op edo_notified(edo_notify *notify)
{
    return edo__op(&edo__notified_ops, notify, NULL, edo__load_seen(&notify->generation), 0);
}

/* Notifies the waiter that has waited longest. Without a waiter, stores the permit for the next
 * wait.
 * Thread: any. */
EDO_API void edo_notify_one(edo_notify *notify);

/* As edo_notify_one(), but notifies the waiter that was the last to begin its wait. */
EDO_API void edo_notify_last(edo_notify *notify);

/* Notifies all operations that were made before the call. Thread: any. */
EDO_API void edo_notify_waiters(edo_notify *notify);

/* Call this before the memory is freed, see edo/locks.h; aborts if a task waits. Thread: the last
 * user's. */
EDO_API void edo_notify_deinit(edo_notify *notify);

EDO_END_DECLS

/* As edo_notified(), inside an async function. Costs one atomic operation if the permit is stored.
 * rc: 0 or -ECANCELED. */
#define edo_await_notified(rc, notify)                                                             \
    edo__attempt_or_await(rc, edo_try_notified(notify), edo_notified(notify))
