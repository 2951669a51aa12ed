/* Receives from channels. See channel.h. */
#include "sync/channel.h"

#include "runtime/runtime.h"

/* ---- attempts ---- */

static int64_t take_locked(edo__channel *channel, void *ret_values, size_t max)
{
    edo__wakes wakes = { NULL, NULL };
    edo__block *garbage = NULL;
    edo__brief_take(&channel->lock);
    int64_t taken = edo__channel_take(channel, ret_values, max, &wakes, &garbage);
    edo__brief_give(&channel->lock);
    if (edo__unlikely(garbage)) edo__channel_free_blocks(channel, garbage);
    if (edo__unlikely(wakes.first)) edo__wakes_commit(&wakes);
    return taken;
}

static inline int64_t take(edo__channel *channel, void *ret_values, size_t max)
{
    bool one = max == 1 && channel->has_one_receiver && edo__channel_take_one(channel, ret_values);
    return edo__likely(one) ? 1 : take_locked(channel, ret_values, max);
}

int64_t edo__try_recv(edo__channel *channel, void *ret_values, size_t max)
{
    return take(edo__channel_of("edo_try_recv", channel), ret_values, max);
}

int64_t edo__recv_now(edo_cx *cx, edo__channel *channel, void *ret_value)
{
    edo__check_attempt("edo_recv", ret_value);
    if (edo__unlikely(cx->asked) || !edo__has_budget(cx)) return -EAGAIN;
    int64_t taken = take(edo__channel_of("edo_recv", channel), ret_value, 1);
    if (taken != -EAGAIN) edo__use_budget(cx);
    return taken;
}

/* ---- the operation, under the lock ---- */

/* Enqueues a receive. again: true if the receive was woken, but another receive took the value. The
 * woken receive then returns to the front of the queue. */
static void park(edo__channel *channel, edo_op *op, edo_cx *cx, bool again)
{
    edo__wait_list *receivers = &channel->receivers;
    if (channel->has_one_receiver && !edo__wait_list_is_empty(receivers))
        edo__misuse("edo_recv", "second receive pending on the receiver of an mpsc channel");
    edo__wait_enqueue(receivers, op, cx->waker);
    if (again) receivers->first = op; // moves to the front: the list is a ring
}

/* Cancels a receive. An unused wake passes to the next receive. */
static void give_up(edo__channel *channel, edo_op *op, edo__wakes *wakes)
{
    if (edo__wait_leave(&channel->receivers, op)) return;
    edo_op *next = edo__wait_first(&channel->receivers);
    if (next && channel->tail != edo_load_relaxed(&channel->head))
        edo__wait_wake(&channel->receivers, next, wakes);
}

static int64_t recv_step(edo__channel *channel, edo_op *op, edo_cx *cx, edo__wakes *wakes,
                         edo__block **garbage)
{
    bool is_new = edo_load_relaxed(&op->word) == EDO__OP_IDLE;
    if (cx->fate != EDO_LIVE) {
        if (!is_new) give_up(channel, op, wakes);
        return -ECANCELED;
    }
    if (!is_new && edo__wait_goes_on(op, cx->waker)) return -EAGAIN;
    int64_t taken = edo__channel_take(channel, op->data, op->length, wakes, garbage);
    if (taken == -EAGAIN) park(channel, op, cx, !is_new);
    return taken;
}

/* ---- the operation ---- */

/* Whether the receive may take a claimed value without the lock. */
static bool is_plain(const edo__channel *channel, const edo_op *op, const edo_cx *cx)
{
    return channel->has_one_receiver && op->length == 1 && cx->fate == EDO_LIVE &&
           edo_load_relaxed(&op->word) == EDO__OP_IDLE;
}

/* Uses budget for many values, in addition to the unit that every operation uses. */
static void use_budget(edo_cx *cx, int64_t taken)
{
    for (; taken > EDO__VALUES_PER_UNIT && cx->budget > 1; taken -= EDO__VALUES_PER_UNIT)
        edo__use_budget(cx);
}

static edo_poll recv_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo__channel *channel = edo__channel_of("edo_recv", op->object);
    edo__wakes wakes = { NULL, NULL };
    edo__block *garbage = NULL;
    if (!edo__may_answer(op, op->data, cx)) return EDO_PENDING;
    if (is_plain(channel, op, cx) && edo__channel_take_one(channel, op->data))
        return edo__op_finish(op, cx, 1);
    edo__brief_take(&channel->lock);
    int64_t taken = recv_step(channel, op, cx, &wakes, &garbage);
    edo__brief_give(&channel->lock);
    edo__channel_free_blocks(channel, garbage);
    edo__wakes_commit(&wakes);
    if (edo__unlikely(taken > EDO__VALUES_PER_UNIT)) use_budget(cx, taken);
    if (taken != -EAGAIN) return edo__op_finish(op, cx, taken);
    edo__check_value(op, op->data);
    return EDO_PENDING;
}

const edo_future_ops edo__recv_ops = { .name = "edo_recv", .poll = recv_poll };
