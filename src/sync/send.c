/* Sends into channels, and reservations of places. See channel.h.
 *
 * Requests for places (sends and reservations) wait in one queue. `detail` of the operation is the
 * number of requested places. A step that frees places grants them to requests. The granted places
 * become permits, and the request is woken. The request's next poll uses the permits, or releases
 * them if the request is cancelled. */
#include "sync/channel.h"

#include "runtime/runtime.h"

/* ---- under the lock ---- */

/* Whether a request can have places now. Returns: 0: there are places, and no request waits;
 * -EAGAIN; -EPIPE. */
static int check_places(edo__channel *channel, size_t count)
{
    if (edo__unlikely(edo__channel_is_closed(channel))) return -EPIPE;
    if (edo__unlikely(!edo__wait_list_is_empty(&channel->senders))) return -EAGAIN;
    return edo__likely(edo__channel_has_places(channel, count)) ? 0 : -EAGAIN;
}

/* Sends as many values as there are places for. Returns: the number of sent values, if any; else an
 * errno. -ENOBUFS: the channel must grow first. */
static int64_t send_some(edo__channel *channel, const char *values, size_t count, edo__wakes *wakes)
{
    size_t sent = 0;
    int rc = 0;
    while (sent < count && (rc = check_places(channel, 1)) == 0) {
        if (edo__unlikely(!edo__channel_put(channel, values + sent * channel->size, wakes))) {
            rc = -ENOBUFS;
            break;
        }
        sent++;
    }
    return sent ? (int64_t)sent : rc;
}

/* Enqueues a request. If a receiver takes values without the lock meanwhile, either this function
 * sees the new head, or that receiver sees senders_wait. Returns: 0: there are places by now;
 * -EAGAIN: the request waits. */
static int park(edo__channel *channel, edo_op *op, edo_cx *cx)
{
    edo_store_relaxed(&channel->senders_wait, 1);
    edo_fence_seq_cst(); // partner: edo__channel_take_one
    if (check_places(channel, op->detail) == 0) {
        edo_store_relaxed(&channel->senders_wait, 0);
        return 0;
    }
    edo__wait_enqueue(&channel->senders, op, cx->waker);
    return -EAGAIN;
}

/* Reserves places for a request, or enqueues it. Returns: 0: the requested places are permits now;
 * -EAGAIN: the request waits; -EPIPE. */
static int get_places(edo__channel *channel, edo_op *op, edo_cx *cx)
{
    int rc = check_places(channel, op->detail);
    if (rc == -EAGAIN) rc = park(channel, op, cx);
    if (rc == 0) channel->permits += op->detail;
    return rc;
}

/* Cancels a request. Then serves the later requests. */
static int give_up(edo__channel *channel, edo_op *op, edo__wakes *wakes)
{
    if (!edo__wait_leave(&channel->senders, op)) {
        if (op->base.result < 0) return (int)op->base.result; // a close has ended the request
        channel->permits -= op->detail;
    }
    edo__channel_settle(channel, wakes);
    return -ECANCELED;
}

static int places_step(edo__channel *channel, edo_op *op, edo_cx *cx, edo__wakes *wakes)
{
    bool is_new = edo_load_relaxed(&op->word) == EDO__OP_IDLE;
    if (cx->fate != EDO_LIVE) return is_new ? -ECANCELED : give_up(channel, op, wakes);
    if (is_new) return get_places(channel, op, cx);
    return edo__wait_goes_on(op, cx->waker) ? -EAGAIN : (int)op->base.result;
}

/* Uses one permit. Returns: 0; -EPIPE: the last receiver was closed. */
static int use_permit(edo__channel *channel, const void *value, edo__wakes *wakes)
{
    bool alive = channel->receiver_count;
    channel->permits--;
    if (alive) edo__channel_put(channel, value, wakes); // never fails in a bounded channel
    if (edo__channel_is_over(channel)) edo__channel_settle(channel, wakes);
    return alive ? 0 : -EPIPE;
}

/* ---- attempts ---- */

/* Sends as many values as there are places for, in one critical section. Returns: as
 * send_some(). */
static int64_t send_under_lock(edo__channel *channel, const char *values, size_t count)
{
    edo__wakes wakes = { NULL, NULL };
    edo__brief_take(&channel->lock);
    int64_t sent = send_some(channel, values, count, &wakes);
    edo__brief_give(&channel->lock);
    if (edo__unlikely(wakes.first)) edo__wakes_commit(&wakes);
    return sent;
}

/* Sends without waiting. Returns: the number of sent values, if any; else an errno. */
static int64_t try_send(edo__channel *channel, const char *values, size_t count)
{
    size_t sent = 0;
    for (;;) {
        int64_t rc = send_under_lock(channel, values + sent * channel->size, count - sent);
        if (rc > 0) sent += (size_t)rc;
        if (edo__likely(sent == count)) return (int64_t)sent;
        if (rc == -ENOBUFS) rc = edo__channel_grow(channel);
        if (rc < 0) return sent ? (int64_t)sent : rc;
    }
}

int edo__try_send(edo__channel *channel, const void *value)
{
    int64_t sent = try_send(edo__channel_of("edo_try_send", channel), value, 1);
    return sent < 0 ? (int)sent : 0;
}

int64_t edo__try_send_many(edo__channel *channel, const void *values, size_t count)
{
    return try_send(edo__channel_of("edo_try_send_many", channel), values, count);
}

int64_t edo__send_now(edo_cx *cx, edo__channel *channel, const void *value)
{
    edo__check_attempt("edo_send", value);
    if (edo__unlikely(cx->asked) || !edo__has_budget(cx)) return -EAGAIN;
    int rc = edo__try_send(channel, value);
    if (rc != -EAGAIN) edo__use_budget(cx);
    return rc;
}

int edo__try_reserve(edo__channel *channel, edo__permits *ret_permits, size_t count)
{
    edo__channel_of("edo_try_reserve", channel);
    if (count == 0 || !channel->is_bounded || count > channel->capacity) return -EINVAL;
    edo__brief_take(&channel->lock);
    int rc = check_places(channel, count);
    if (rc == 0) {
        channel->permits += count;
        channel->holders++;
    }
    edo__brief_give(&channel->lock);
    if (rc == 0) *ret_permits = (edo__permits){ channel, count };
    return rc;
}

/* ---- operations ---- */

static bool is_new(const edo_op *op)
{
    return edo_load_relaxed(&op->word) == EDO__OP_IDLE;
}

static edo_poll end_or_wait(edo_op *op, edo_cx *cx, int64_t result)
{
    if (result != -EAGAIN) return edo__op_finish(op, cx, result);
    edo__check_value(op, op->data);
    return EDO_PENDING;
}

/* Sends one value, after the attempt of the first poll has failed. */
static int64_t send_step(edo__channel *channel, edo_op *op, const void *value, edo_cx *cx)
{
    edo__wakes wakes = { NULL, NULL };
    edo__brief_take(&channel->lock);
    int rc = places_step(channel, op, cx, &wakes);
    if (rc == 0) rc = use_permit(channel, value, &wakes);
    edo__brief_give(&channel->lock);
    edo__wakes_commit(&wakes);
    return rc;
}

static edo_poll send_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo__channel *channel = edo__channel_of("edo_send", op->object);
    if (!edo__may_answer(op, op->data, cx)) return EDO_PENDING;
    int64_t rc = -EAGAIN;
    if (cx->fate == EDO_LIVE && is_new(op)) rc = edo__try_send(channel, op->data);
    if (rc == -EAGAIN) rc = send_step(channel, op, op->data, cx);
    return end_or_wait(op, cx, rc);
}

const edo_future_ops edo__send_ops = { .name = "edo_send", .poll = send_poll };

static bool is_sent(const edo_op *op)
{
    return op->progress == op->length;
}

static const void *next_value(const edo__channel *channel, const edo_op *op)
{
    return (const char *)op->data + op->progress * channel->size;
}

/* Number of values that are sent next, in one critical section. */
static size_t next_count(const edo_op *op)
{
    size_t left = op->length - op->progress;
    return left < EDO__VALUES_PER_UNIT ? left : EDO__VALUES_PER_UNIT;
}

/* Sends as many values as there are places for. If there is no place, waits for a place for one
 * value. Returns: number of values sent; -EAGAIN: it waits; another errno. */
static int64_t send_next(edo__channel *channel, edo_op *op, edo_cx *cx)
{
    int64_t sent = -EAGAIN;
    if (cx->fate == EDO_LIVE && is_new(op))
        sent = try_send(channel, next_value(channel, op), next_count(op));
    if (sent != -EAGAIN) return sent;
    int64_t rc = send_step(channel, op, next_value(channel, op), cx);
    return rc < 0 ? rc : 1;
}

/* Sends the values. If the budget is used up, the rest is sent in a later poll.
 * Returns: 0: all were sent; -EAGAIN; another errno. */
static int64_t send_many_step(edo__channel *channel, edo_op *op, edo_cx *cx)
{
    while (!is_sent(op)) {
        if (!edo__has_budget(cx)) return -EAGAIN;
        int64_t sent = send_next(channel, op, cx);
        if (sent < 0) return sent;
        op->progress += (uint64_t)sent;
        if (!is_sent(op)) edo__use_budget(cx); // the last unit is that of every operation
    }
    return 0;
}

static edo_poll send_many_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo__channel *channel = edo__channel_of("edo_send_many", op->object);
    if (!edo__may_answer(op, op->data, cx)) return EDO_PENDING;
    int64_t rc = send_many_step(channel, op, cx);
    return end_or_wait(op, cx, rc == 0 ? (int64_t)op->length : rc);
}

const edo_future_ops edo__send_many_ops = { .name = "edo_send_many", .poll = send_many_poll };

static int reserve_step(edo__channel *channel, edo_op *op, edo_cx *cx)
{
    edo__wakes wakes = { NULL, NULL };
    edo__brief_take(&channel->lock);
    int rc = places_step(channel, op, cx, &wakes);
    if (rc == 0) channel->holders++;
    edo__brief_give(&channel->lock);
    edo__wakes_commit(&wakes);
    return rc;
}

static edo_poll reserve_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo__channel *channel = edo__channel_of("edo_reserve", op->object);
    if (!edo__may_answer(op, op->data, cx)) return EDO_PENDING;
    bool valid = op->length && channel->is_bounded && op->length <= channel->capacity;
    if (!valid) return edo__op_finish(op, cx, cx->fate == EDO_LIVE ? -EINVAL : -ECANCELED);
    int rc = reserve_step(channel, op, cx);
    if (rc == 0) *(edo__permits *)op->data = (edo__permits){ channel, op->length };
    return end_or_wait(op, cx, rc);
}

const edo_future_ops edo__reserve_ops = { .name = "edo_reserve", .poll = reserve_poll };

/* ---- permits ---- */

int edo__permits_send(edo__permits *permits, const void *value)
{
    edo__channel *channel = permits->channel;
    edo__wakes wakes = { NULL, NULL };
    if (!channel || !permits->count) return -EINVAL;
    edo__brief_take(&channel->lock);
    int rc = use_permit(channel, value, &wakes);
    if (--permits->count == 0) permits->channel = NULL;
    edo__channel_leave(channel, !permits->count, &wakes);
    return rc;
}

void edo__permits_release(edo__permits *permits)
{
    edo__channel *channel = permits->channel;
    edo__wakes wakes = { NULL, NULL };
    if (!channel) return;
    edo__brief_take(&channel->lock);
    channel->permits -= permits->count;
    edo__channel_settle(channel, &wakes);
    *permits = (edo__permits){ NULL, 0 };
    edo__channel_leave(channel, 1, &wakes);
}

/* ---- the end of the channel ---- */

/* Waits until the channel is closed. Returns: 0: the channel is closed; -EAGAIN: the operation
 * waits; -ECANCELED. */
static int closed_step(edo__channel *channel, edo_op *op, edo_cx *cx)
{
    bool new = is_new(op);
    if (cx->fate != EDO_LIVE) {
        bool was_woken = !new && !edo__wait_leave(&channel->closed, op);
        return was_woken ? 0 : -ECANCELED;
    }
    if (!new) return edo__wait_goes_on(op, cx->waker) ? -EAGAIN : 0;
    if (edo__channel_is_closed(channel)) return 0;
    edo__wait_enqueue(&channel->closed, op, cx->waker);
    return -EAGAIN;
}

static edo_poll closed_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo__channel *channel = edo__channel_of("edo_sender_closed", op->object);
    if (!edo__has_budget(cx)) return EDO_PENDING;
    edo__brief_take(&channel->lock);
    int rc = closed_step(channel, op, cx);
    edo__brief_give(&channel->lock);
    return rc == -EAGAIN ? EDO_PENDING : edo__op_finish(op, cx, rc);
}

const edo_future_ops edo__sender_closed_ops = { .name = "edo_sender_closed", .poll = closed_poll };
