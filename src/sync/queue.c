#include "sync/queue.h"

/* Cancels a request. Removes the request from the queue, or releases its grant. Then serves the
 * later requests. */
static int64_t cancel(const edo__queue_ops *ops, edo__wait_list *waiters, edo_op *op,
                      edo__wakes *wakes)
{
    if (edo__wait_leave(waiters, op)) {
        if (ops->left) ops->left(op->object, op);
    } else {
        if (op->base.result < 0 || !ops->give_back) return op->base.result;
        ops->give_back(op->object, op);
    }
    if (ops->serve) ops->serve(op->object, wakes);
    return -ECANCELED;
}

int64_t edo__queue_step(const edo__queue_ops *ops, edo__wait_list *waiters, edo_op *op, edo_cx *cx,
                        edo__wakes *wakes)
{
    if (edo_load_relaxed(&op->word) != EDO__OP_IDLE) {
        if (cx->fate != EDO_LIVE) return cancel(ops, waiters, op, wakes);
        return edo__wait_goes_on(op, cx->waker) ? -EAGAIN : op->base.result;
    }
    if (cx->fate != EDO_LIVE) return -ECANCELED;
    int64_t result = ops->begin(op->object, op, wakes);
    if (result == -EAGAIN) edo__wait_enqueue(waiters, op, cx->waker);
    return result;
}

edo_poll edo__queue_poll(const edo__queue_ops *ops, edo__lock *lock, edo__wait_list *waiters,
                         edo_op *op, edo_cx *cx)
{
    edo__wakes wakes = { NULL, NULL };
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (cx->fate == EDO_LIVE && edo__wait_is_over(lock, op))
        return edo__op_finish(op, cx, op->base.result);
    edo__brief_take(lock);
    int64_t result = edo__queue_step(ops, waiters, op, cx, &wakes);
    edo__brief_give(lock);
    edo__wakes_commit(&wakes);
    return result == -EAGAIN ? EDO_PENDING : edo__op_finish(op, cx, result);
}

#ifndef EDO_MODEL
/* Records the outcome of a poll. A pending request that is IDLE is not recorded. It was polled
 * without budget, and does not wait for the object yet. */
void edo__queue_note_slow(edo_op *op, edo_poll poll, uint32_t kind, uint32_t count)
{
    if (poll == EDO_PENDING) {
        if (edo_load_relaxed(&op->word) != EDO__OP_IDLE) edo__holders_wait(op->object, kind, op);
        return;
    }
    edo__holders_wait_is_over(op);
    if (op->base.result == 0) edo__note_taken(op->object, kind, count);
}
#endif

void edo__queue_end(edo__lock *lock, edo__wait_list *waiters, bool in_use, const char *call)
{
    edo__brief_take(lock);
    if (!edo__wait_list_is_empty(waiters)) edo__misuse(call, "waiters remain in its queue");
    if (in_use) edo__misuse(call, "still in use");
    edo__brief_give(lock);
}
