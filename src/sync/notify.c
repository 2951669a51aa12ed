/* Notify. The word has PERMIT or WAITERS set, never both. A waiter sets WAITERS under the lock, by
 * a CAS on a word without permit. So a notification either precedes the CAS, which then finds the
 * permit; or the notification follows the CAS, sees WAITERS, and takes the lock. A notification
 * that finds a permit stores the same word again with release. So the taker of the permit also sees
 * the writes before that notification.
 *
 * The generation counts notifications of all waiters. An operation stores (in its length) the
 * generation at which it was made. An operation whose first poll is in a later generation has been
 * notified. An operation made in the later generation is not notified, but it has acquired the
 * writes before that notification. So a task misses no notification if it makes the operation
 * first, and tests the condition then. */
#include <edo/notify.h>

#include "base/base.h"
#include "sync/queue.h"

enum { BY_ALL, BY_ONE, BY_LAST }; // base.result between wake and poll
enum { NOTIFIED = 0 };

static edo__wait_list *waiters_of(edo_notify *notify)
{
    return edo__waiters_of(&notify->waiters);
}

/* Clears WAITERS if no operation waits. Under the lock, while WAITERS is set, so no fast path
 * changes the word. */
static void note_no_waiters(edo_notify *notify)
{
    if (edo__wait_list_is_empty(waiters_of(notify))) edo_store_relaxed(&notify->word, 0);
}

/* Wakes one waiting operation. Under the lock. */
static void wake(edo_notify *notify, edo_op *op, int64_t by, edo__wakes *wakes)
{
    op->base.result = by;
    edo__wait_wake(waiters_of(notify), op, wakes);
    note_no_waiters(notify);
}

/* Wakes the first or the last waiter, or else stores a permit. Under the lock. */
static void notify_one(edo_notify *notify, bool last, edo__wakes *wakes)
{
    edo_op *op = last ? edo__wait_last(waiters_of(notify)) : edo__wait_first(waiters_of(notify));
    if (op)
        wake(notify, op, last ? BY_LAST : BY_ONE, wakes);
    else
        edo_or_release(&notify->word, EDO__NOTIFY_PERMIT);
}

/* Takes a notification that is there already, or sets WAITERS. Under the lock. Returns: NOTIFIED;
 * -EAGAIN. */
static int64_t begin(edo_notify *notify, const edo_op *op)
{
    if ((uint32_t)op->length != edo_load_relaxed(&notify->generation)) return NOTIFIED;
    uint32_t word = edo_load_relaxed(&notify->word), next;
    do {
        next = word & EDO__NOTIFY_PERMIT ? word & ~(uint32_t)EDO__NOTIFY_PERMIT
                                         : word | EDO__NOTIFY_WAITERS;
    } while (!edo_cas_acquire(&notify->word, &word, next));
    return word & EDO__NOTIFY_PERMIT ? NOTIFIED : -EAGAIN;
}

static int64_t cancel(edo_notify *notify, edo_op *op, edo__wakes *wakes)
{
    if (edo__wait_leave(waiters_of(notify), op))
        note_no_waiters(notify);
    else if (op->base.result != BY_ALL)
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
    int64_t result = begin(notify, op);
    if (result == -EAGAIN) edo__wait_enqueue(waiters_of(notify), op, cx->waker);
    return result;
}

static edo_poll notified_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_notify *notify = op->object;
    edo__wakes wakes = { NULL, NULL };
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (cx->fate == EDO_LIVE && edo__wait_is_over(&notify->lock, op))
        return edo__op_finish(op, cx, NOTIFIED);
    edo__lock_take(&notify->lock);
    int64_t result = step(notify, op, cx, &wakes);
    edo__lock_give(&notify->lock);
    edo__wakes_commit(&wakes);
    return result == -EAGAIN ? EDO_PENDING : edo__op_finish(op, cx, result);
}

const edo_future_ops edo__notified_ops = { .name = "edo_notified", .poll = notified_poll };

void edo__notify_slow(edo_notify *notify, bool last)
{
    edo__wakes wakes = { NULL, NULL };
    edo__lock_take(&notify->lock);
    notify_one(notify, last, &wakes);
    edo__lock_give(&notify->lock);
    edo__wakes_commit(&wakes);
}

void edo_notify_waiters(edo_notify *notify)
{
    edo__wakes wakes = { NULL, NULL };
    edo__lock_take(&notify->lock);
    edo_add_release(&notify->generation, 1); // partner: edo_notified()
    for (edo_op *op; (op = edo__wait_first(waiters_of(notify)));)
        wake(notify, op, BY_ALL, &wakes);
    edo__lock_give(&notify->lock);
    edo__wakes_commit(&wakes);
}

_Static_assert(sizeof(edo_notify) <= 24, "public layouts are fixed");

void edo_notify_deinit(edo_notify *notify)
{
    edo__queue_end(&notify->lock, edo__waiters_of(&notify->waiters), false, "edo_notify_deinit");
}
