/* The operations on streams. */
#include "sequence/pull.h"

/* ---- one item ---- */

static edo_poll next_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_stream *stream = op->object;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (stream->user && stream->user != op) return edo__op_finish(op, cx, -EBUSY);
    stream->user = op;
    int64_t result = edo_pull(stream, cx, op->data);
    if (result == EDO_NEXT_WAITS) {
        edo__check_memory("edo_next", op->data, "item");
        return EDO_PENDING;
    }
    stream->user = NULL;
    return edo__op_finish(op, cx, result);
}

const edo_future_ops edo__next_ops = { .name = "edo_next", .poll = next_poll };

/* Pulls without an operation. If the result is EDO_NEXT_WAITS, the caller awaits an edo_next(),
 * which pulls again in the same poll, with the same memory. */
int64_t edo__next_now(edo_cx *cx, edo_stream *stream, void *ret_item)
{
    if (edo__unlikely(cx->asked) || stream->user || !edo__has_budget(cx)) return EDO_NEXT_WAITS;
#if EDO_DEBUG
    edo__check_memory("edo_next", ret_item, "item");
#endif
    int64_t result = edo_pull(stream, cx, ret_item);
    if (result != EDO_NEXT_WAITS && !stream->is_free) edo__use_budget(cx);
    return result;
}

/* ---- several items ---- */

static int64_t pull_many(edo_stream *stream, edo_cx *cx, void *ret_items, size_t most)
{
    if (!stream->ops->next_many) return edo_pull(stream, cx, ret_items);
    if (stream->has_ended) return 0;
    int64_t result = stream->ops->next_many(stream, cx, ret_items, most);
    if (result == 0) stream->has_ended = true;
    return result;
}

static edo_poll next_many_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_stream *stream = op->object;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (op->length == 0) return edo__op_finish(op, cx, -EINVAL);
    if (stream->user && stream->user != op) return edo__op_finish(op, cx, -EBUSY);
    stream->user = op;
    int64_t result = pull_many(stream, cx, op->data, op->length);
    if (result == EDO_NEXT_WAITS) {
        edo__check_memory("edo_next_many", op->data, "items");
        return EDO_PENDING;
    }
    stream->user = NULL;
    edo__use_budget_for(cx, result);
    op->base.result = result;
    return EDO_READY;
}

const edo_future_ops edo__next_many_ops = { .name = "edo_next_many", .poll = next_many_poll };

int64_t edo__next_many_now(edo_cx *cx, edo_stream *stream, void *ret_items, size_t most)
{
    if (edo__unlikely(cx->asked) || stream->user || !edo__has_budget(cx) || most == 0)
        return EDO_NEXT_WAITS;
#if EDO_DEBUG
    edo__check_memory("edo_next_many", ret_items, "items");
#endif
    int64_t result = pull_many(stream, cx, ret_items, most);
    if (result != EDO_NEXT_WAITS) edo__use_budget_for(cx, result);
    return result;
}

/* ---- all items ---- */

/* Applies the function to an item. Returns: whether the loop ends, with *ret_result. */
static bool apply(edo_op *op, int64_t *ret_result)
{
    edo_item_fn *fn = (edo_item_fn *)(uintptr_t)op->length;
    int64_t value = fn ? fn(op->link.at.extra, op->data) : 0;
    *ret_result = value;
    if (value < 0 || op->detail == EDO__FOLD) return value != 0;
    *ret_result = value > 0;
    return (value > 0) == (op->detail == EDO__ANY);
}

static int64_t result_at_end(const edo_op *op)
{
    if (op->detail == EDO__FOLD) return op->length ? 0 : (int64_t)op->progress;
    return op->detail == EDO__ALL;
}

static int64_t each_step(edo_op *op, edo_cx *cx)
{
    for (;;) {
        int64_t wait, result = edo_pull(op->object, cx, op->data);
        if (result == 0) return result_at_end(op);
        if (result != 1) return result;
        op->progress++;
        if (apply(op, &result)) return result;
        if ((wait = edo__go_on(cx)) != 0) return wait;
    }
}

static int64_t gather_step(edo_op *op, edo_cx *cx)
{
    const edo_stream *stream = op->object;
    while (op->progress < op->length) {
        char *place = (char *)op->data + op->progress * stream->size;
        int64_t wait, result = edo_pull(op->object, cx, place);
        if (result == 0) break;
        if (result != 1) return result;
        op->progress++;
        if (op->progress < op->length && (wait = edo__go_on(cx)) != 0) return wait;
    }
    return (int64_t)op->progress;
}

static edo_poll loop(edo_future *future, edo_cx *cx, int64_t (*step)(edo_op *, edo_cx *))
{
    edo_op *op = edo__op_of(future);
    edo_stream *stream = op->object;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (stream->user && stream->user != op) return edo__op_finish(op, cx, -EBUSY);
    stream->user = op;
    int64_t result = step(op, cx);
    if (result == EDO_NEXT_WAITS) {
        edo__check_memory(op->base.ops->name, op->data, "memory");
        return EDO_PENDING;
    }
    stream->user = NULL;
    return edo__op_finish(op, cx, result);
}

static edo_poll each_poll(edo_future *future, edo_cx *cx)
{
    return loop(future, cx, each_step);
}

static edo_poll gather_poll(edo_future *future, edo_cx *cx)
{
    return loop(future, cx, gather_step);
}

const edo_future_ops edo__each_ops = { .name = "a loop over a stream", .poll = each_poll };
const edo_future_ops edo__gather_ops = { .name = "edo_collect", .poll = gather_poll };

/* ---- for combinators ---- */

int64_t edo__pull_cancelled(edo_stream *in, edo_cx *cx, void *ret_item)
{
    uint32_t asked = cx->asked;
    cx->fate = cx->bare = EDO_CANCELLED;
    cx->overdue = 0;
    int64_t result = edo_pull(in, cx, ret_item);
    cx->asked = asked;
    return result;
}

/* Whether a pull whose time has passed gets one more poll, with a whole budget, before it is
 * cancelled. A pull that has used up the budget may have stopped before an item that is ready.
 * There is only one such poll. Otherwise the pull of a stream that drops items without end would
 * never be cancelled, because it uses up the budget in each poll. */
static bool has_respite(uint8_t *ending, const edo_cx *cx)
{
    if (cx->budget > 0 || *ending == EDO__RESPITE_GIVEN) return false;
    *ending = EDO__RESPITE_GIVEN;
    return true;
}

int64_t edo__pull_until(edo_stream *in, edo_cx *cx, void *ret_item, int64_t when, uint8_t *ending)
{
    bool is_live = cx->fate == EDO_LIVE;
    if (*ending != EDO__ENDING) {
        int64_t result = edo_pull(in, cx, ret_item);
        if (result != EDO_NEXT_WAITS) *ending = 0;
        if (result != EDO_NEXT_WAITS) return result;
        if (cx->now < when) edo_cx_deadline(cx, when);
        if (cx->now < when || has_respite(ending, cx)) return EDO_NEXT_WAITS;
        *ending = EDO__ENDING;
    }
    int64_t result = edo__pull_cancelled(in, cx, ret_item);
    if (result == EDO_NEXT_WAITS) return result;
    bool has_passed = result == -ECANCELED && is_live;
    *ending = has_passed ? EDO__PASSED : 0;
    return has_passed ? -ETIMEDOUT : result;
}
