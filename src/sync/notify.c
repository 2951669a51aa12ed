/* Notify. The lock guards all state: the permit, the generation, and the waiting operations. The
 * lock is a brief lock (brief.h), so a notification and a wait cost one read-modify-write each.
 *
 * The permit is stored only while no operation waits. edo_try_notified() reads the permit without
 * the lock, and takes it under the lock. Every notification takes the lock. So the taker of a
 * permit sees the writes before the notification that stored the permit, and before each later
 * notification that found the permit stored.
 *
 * The generation counts the calls of edo_notify_waiters(). An operation stores (in its length) the
 * generation at which it was made. An operation whose first poll is in a later generation has been
 * notified.
 *
 * A task misses no notification if it first makes the operation and then tests the condition. If
 * the operation is made before a call of edo_notify_waiters(), the call notifies the operation. If
 * the operation is made after the call, its maker reads the new generation (acquire). So the maker
 * sees the writes before the call, and its test finds them. */
#include <edo/notify.h>

#include "base/base.h"
#include "sync/queue.h"

enum { BY_ALL, BY_ONE, BY_LAST }; // base.result between wake and poll
enum { NOTIFIED = 0 };

static edo__wait_list *waiters_of(edo_notify *notify)
{
    return edo__waiters_of(&notify->waiters);
}

/* Wakes one waiting operation. Called under the lock. */
static void wake(edo_notify *notify, edo_op *op, int64_t by, edo__wakes *wakes)
{
    op->base.result = by;
    edo__wait_wake(waiters_of(notify), op, wakes);
}

/* Wakes the first or the last waiter, or else stores a permit. Called under the lock. */
static void notify_one(edo_notify *notify, bool last, edo__wakes *wakes)
{
    edo_op *op = last ? edo__wait_last(waiters_of(notify)) : edo__wait_first(waiters_of(notify));
    if (op)
        wake(notify, op, last ? BY_LAST : BY_ONE, wakes);
    else
        edo_store_relaxed(&notify->permit, 1);
}

/* Takes the permit. Called under the lock. Returns: whether the permit was stored. */
static bool take_permit(edo_notify *notify)
{
    bool is_stored = edo_load_relaxed(&notify->permit);
    if (is_stored) edo_store_relaxed(&notify->permit, 0);
    return is_stored;
}

/* Whether a new operation ends without a wait, because it was notified already, or because it takes
 * the permit now. Called under the lock. */
static bool is_notified(edo_notify *notify, const edo_op *op)
{
    return (uint32_t)op->length != edo_load_relaxed(&notify->generation) || take_permit(notify);
}

static int64_t cancel(edo_notify *notify, edo_op *op, edo__wakes *wakes)
{
    if (!edo__wait_leave(waiters_of(notify), op) && op->base.result != BY_ALL)
        notify_one(notify, op->base.result == BY_LAST, wakes);
    return -ECANCELED;
}

static int64_t step(edo_notify *notify, edo_op *op, edo_cx *cx, edo__wakes *wakes)
{
    if (edo_load_relaxed(&op->word) != EDO__OP_IDLE) {
        if (cx->fate != EDO_LIVE) return cancel(notify, op, wakes);
        return edo__wait_goes_on(op, cx->waker) ? -EAGAIN : NOTIFIED;
    }
    if (cx->fate != EDO_LIVE) return -ECANCELED;
    if (is_notified(notify, op)) return NOTIFIED;
    edo__wait_enqueue(waiters_of(notify), op, cx->waker);
    return -EAGAIN;
}

static edo_poll notified_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_notify *notify = op->object;
    edo__wakes wakes = { NULL, NULL };
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (cx->fate == EDO_LIVE && edo__wait_is_over(&notify->lock, op))
        return edo__op_finish(op, cx, NOTIFIED);
    edo__brief_take(&notify->lock);
    int64_t result = step(notify, op, cx, &wakes);
    edo__brief_give(&notify->lock);
    edo__wakes_commit(&wakes);
    return result == -EAGAIN ? EDO_PENDING : edo__op_finish(op, cx, result);
}

const edo_future_ops edo__notified_ops = { .name = "edo_notified", .poll = notified_poll };

int edo__notify_take_permit(edo_notify *notify)
{
    edo__brief_take(&notify->lock);
    bool is_taken = take_permit(notify);
    edo__brief_give(&notify->lock);
    return is_taken ? 0 : -EAGAIN;
}

static void notify_some(edo_notify *notify, bool last)
{
    edo__wakes wakes = { NULL, NULL };
    edo__brief_take(&notify->lock);
    notify_one(notify, last, &wakes);
    edo__brief_give(&notify->lock);
    edo__wakes_commit(&wakes);
}

void edo_notify_one(edo_notify *notify)
{
    notify_some(notify, false);
}

void edo_notify_last(edo_notify *notify)
{
    notify_some(notify, true);
}

void edo_notify_waiters(edo_notify *notify)
{
    edo__wakes wakes = { NULL, NULL };
    edo__brief_take(&notify->lock);
    uint32_t next = edo_load_relaxed(&notify->generation) + 1;
    edo_store_release(&notify->generation, next); // partner: edo_notified()
    for (edo_op *op; (op = edo__wait_first(waiters_of(notify)));)
        wake(notify, op, BY_ALL, &wakes);
    edo__brief_give(&notify->lock);
    edo__wakes_commit(&wakes);
}

_Static_assert(sizeof(edo_notify) <= 24, "public layouts are fixed");

void edo_notify_deinit(edo_notify *notify)
{
    edo__queue_end(&notify->lock, edo__waiters_of(&notify->waiters), false, "edo_notify_deinit");
}
