/* Sinks, their operations, and forwarding. */
#include <edo/sink.h>

#include "sequence/pull.h"

/* ---- operations ---- */

static int64_t send(edo_sink *sink, edo_cx *cx, const void *item)
{
    int64_t result = sink->ops->ready(sink, cx);
    return result == 0 ? sink->ops->put(sink, item) : result;
}

static int64_t send_many(edo_sink *sink, edo_cx *cx, const void *items, size_t count)
{
    int64_t result = sink->ops->ready(sink, cx);
    if (result != 0) return result;
    if (sink->ops->put_many) return sink->ops->put_many(sink, items, count);
    result = sink->ops->put(sink, items);
    return result < 0 ? result : 1;
}

static int64_t flush(edo_sink *sink, edo_cx *cx)
{
    return sink->ops->flush(sink, cx);
}

static int64_t close(edo_sink *sink, edo_cx *cx)
{
    return sink->ops->close ? sink->ops->close(sink, cx) : sink->ops->flush(sink, cx);
}

/* Ends a poll of an operation, with the result of its step. If the result is EDO_NEXT_WAITS, the
 * operation remains in flight. */
static edo_poll settle(edo_sink *sink, edo_op *op, edo_cx *cx, int64_t result)
{
    sink->user = result == EDO_NEXT_WAITS ? op : NULL;
    return result == EDO_NEXT_WAITS ? EDO_PENDING : edo__op_finish(op, cx, result);
}

static bool is_busy(const edo_sink *sink, const edo_op *op)
{
    return sink->user && sink->user != op;
}

static edo_poll send_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_sink *sink = op->object;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (is_busy(sink, op)) return edo__op_finish(op, cx, -EBUSY);
    int64_t result = send(sink, cx, op->data);
    if (result == EDO_NEXT_WAITS) edo__check_memory("edo_sink_send", op->data, "item");
    return settle(sink, op, cx, result);
}

static edo_poll send_many_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_sink *sink = op->object;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (op->length == 0) return edo__op_finish(op, cx, -EINVAL);
    if (is_busy(sink, op)) return edo__op_finish(op, cx, -EBUSY);
    int64_t result = send_many(sink, cx, op->data, op->length);
    sink->user = result == EDO_NEXT_WAITS ? op : NULL;
    if (result == EDO_NEXT_WAITS) {
        edo__check_memory("edo_sink_send_many", op->data, "items");
        return EDO_PENDING;
    }
    edo__use_budget_for(cx, result);
    op->base.result = result;
    return EDO_READY;
}

static edo_poll flush_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (is_busy(op->object, op)) return edo__op_finish(op, cx, -EBUSY);
    return settle(op->object, op, cx, flush(op->object, cx));
}

static edo_poll close_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (is_busy(op->object, op)) return edo__op_finish(op, cx, -EBUSY);
    return settle(op->object, op, cx, close(op->object, cx));
}

const edo_future_ops edo__sink_send_ops = { .name = "edo_sink_send", .poll = send_poll };
const edo_future_ops edo__sink_send_many_ops = { .name = "edo_sink_send_many",
                                                 .poll = send_many_poll };
const edo_future_ops edo__sink_flush_ops = { .name = "edo_sink_flush", .poll = flush_poll };
const edo_future_ops edo__sink_close_ops = { .name = "edo_sink_close", .poll = close_poll };

/* Sends without an operation. If the result is EDO_NEXT_WAITS, the caller awaits an
 * edo_sink_send(), which tries once more. */
int64_t edo__sink_send_now(edo_cx *cx, edo_sink *sink, const void *item)
{
    if (edo__unlikely(cx->asked) || sink->user || !edo__has_budget(cx)) return EDO_NEXT_WAITS;
#if EDO_DEBUG
    edo__check_memory("edo_sink_send", item, "item");
#endif
    int64_t result = send(sink, cx, item);
    if (result != EDO_NEXT_WAITS && !(sink->is_free && result == 0)) edo__use_budget(cx);
    return result;
}

int64_t edo__sink_send_many_now(edo_cx *cx, edo_sink *sink, const void *items, size_t count)
{
    if (edo__unlikely(cx->asked) || sink->user || !edo__has_budget(cx) || count == 0)
        return EDO_NEXT_WAITS;
#if EDO_DEBUG
    edo__check_memory("edo_sink_send_many", items, "items");
#endif
    int64_t result = send_many(sink, cx, items, count);
    if (result != EDO_NEXT_WAITS) edo__use_budget_for(cx, result);
    return result;
}

/* ---- functions ---- */

static int64_t always_ready(edo_sink *sink, edo_cx *cx)
{
    (void)sink;
    (void)cx;
    return 0;
}

static int64_t function_put(edo_sink *sink, const void *item)
{
    const edo__function_sink *self = (const edo__function_sink *)(const void *)sink;
    return self->fn(self->context, item);
}

void edo__function_sink_init(edo__function_sink *sink, edo_sink_fn *fn, void *context,
                             uint32_t size)
{
    static const edo_sink_ops ops = {
        .name = "a function", .ready = always_ready, .put = function_put, .flush = always_ready
    };
    *sink = (edo__function_sink){ EDO_SINK_INIT(&ops, size), fn, context };
}

/* ---- two sinks ---- */

static edo__pair_sink *pair_of(edo_sink *sink)
{
    return (edo__pair_sink *)(void *)sink;
}

enum { READY = 1, FLUSH, CLOSE }; // steps

enum { FIRST = 1, SECOND = 2, BOTH = FIRST | SECOND }; // sinks

/* Makes a step of one of the sinks, if the sink has not yet answered this step. A closed sink is
 * not called. For such a sink, a flush succeeds, and `ready` fails. A close that answers -ECANCELED
 * has not closed the sink. */
static void ask(edo__pair_sink *pair, edo_cx *cx, uint8_t step, uint8_t which)
{
    edo_sink *sink = which == FIRST ? pair->first : pair->second;
    int64_t result = step == READY ? -EPIPE : 0;
    if (pair->answered & which) return;
    if (!(pair->closed & which))
        result = step == READY   ? sink->ops->ready(sink, cx)
                 : step == FLUSH ? flush(sink, cx)
                                 : close(sink, cx);
    if (result == EDO_NEXT_WAITS) return;
    pair->answered |= which;
    if (step == CLOSE && result == -ECANCELED) return;
    if (step == CLOSE) pair->closed |= which;
    if (result < 0 && (!pair->error || pair->error == -ECANCELED)) pair->error = (int32_t)result;
}

/* Makes a step of both sinks, so that they proceed at the same time. A sink that has answered is
 * not asked again while the other sink waits. The first error is kept until a step returns it,
 * which may be a later step of another kind. Returns: 0: both steps are done; EDO_NEXT_WAITS; the
 * first error; -ECANCELED: a cancelled close has not closed both sinks. */
static int64_t both(edo_sink *sink, edo_cx *cx, uint8_t step)
{
    edo__pair_sink *pair = pair_of(sink);
    if (pair->step != step) pair->answered = 0;
    pair->step = step;
    ask(pair, cx, step, FIRST);
    ask(pair, cx, step, SECOND);
    if (pair->answered != BOTH) return EDO_NEXT_WAITS;
    pair->step = 0;
    if (step == CLOSE && pair->closed != BOTH) return -ECANCELED;
    int64_t result = pair->error;
    pair->error = 0;
    return result;
}

static int64_t pair_ready(edo_sink *sink, edo_cx *cx)
{
    return both(sink, cx, READY);
}

static int64_t pair_flush(edo_sink *sink, edo_cx *cx)
{
    return both(sink, cx, FLUSH);
}

static int64_t pair_close(edo_sink *sink, edo_cx *cx)
{
    return both(sink, cx, CLOSE);
}

static int64_t pair_put(edo_sink *sink, const void *item)
{
    const edo__pair_sink *pair = pair_of(sink);
    if (pair->test) {
        int64_t is_first = pair->test(pair->context, item);
        if (is_first < 0) return is_first;
        edo_sink *to = is_first ? pair->first : pair->second;
        return to->ops->put(to, item);
    }
    int64_t result = pair->first->ops->put(pair->first, item);
    return result < 0 ? result : pair->second->ops->put(pair->second, item);
}

void edo__pair_sink_init(edo__pair_sink *sink, edo_sink *first, edo_sink *second, edo_sink_fn *test,
                         void *context, uint32_t size)
{
    static const edo_sink_ops ops = { .name = "two sinks",
                                      .ready = pair_ready,
                                      .put = pair_put,
                                      .flush = pair_flush,
                                      .close = pair_close };
    *sink = (edo__pair_sink){ .sink = EDO_SINK_INIT(&ops, size),
                              .first = first,
                              .second = second,
                              .test = test,
                              .context = context };
}

/* ---- forwarding ----
 *
 * While the stream waits for an item, earlier items are flushed: the pull and the flush are then in
 * flight at the same time. Both have ended before the operation answers:
 *
 *     MOVING --- the stream ends, or answers an error --> FLUSHING
 *     MOVING --- a flush fails while the pull waits ----> ENDING the pull
 *     FLUSHING, ENDING --- done: the answer ------------> MOVING, for the next operation */

enum { MOVING, FLUSHING, ENDING };

/* Takes the next item, if none is held. Returns: 1: an item is held; otherwise as edo_pull(). */
static int64_t take(edo__forward *forward, edo_cx *cx, bool ends)
{
    if (forward->has_item) return 1;
    if (forward->is_over) return 0;
    int64_t result = ends ? edo__pull_cancelled(forward->in, cx, forward->slot)
                          : edo_pull(forward->in, cx, forward->slot);
    forward->has_item = result == 1;
    forward->is_over = result == 0;
    return result;
}

static int64_t flush_all(edo__forward *forward, edo_cx *cx)
{
    int64_t result = forward->is_unflushed ? flush(forward->out, cx) : 0;
    if (result == 0) forward->is_unflushed = false;
    return result;
}

/* Begins a phase, which ends with `answer`. Returns: 0. */
static int64_t change(edo__forward *forward, uint8_t phase, int64_t answer)
{
    forward->phase = phase;
    forward->error = answer;
    return 0;
}

/* Moves one item. Returns: 0: continue; EDO_NEXT_WAITS; a negative errno. */
static int64_t move(edo__forward *forward, edo_op *op, edo_cx *cx)
{
    int64_t result, came = take(forward, cx, false);
    if (came == EDO_NEXT_WAITS) {
        result = flush_all(forward, cx);
        bool has_failed = result < 0 && result != EDO_NEXT_WAITS;
        return has_failed ? change(forward, ENDING, result) : EDO_NEXT_WAITS;
    }
    if (came != 1) return change(forward, FLUSHING, came);
    result = send(forward->out, cx, forward->slot);
    if (result != 0) return result;
    forward->has_item = false;
    forward->is_unflushed = true;
    op->progress++;
    return edo__go_on(cx);
}

static int64_t forward_step(edo__forward *forward, edo_op *op, edo_cx *cx)
{
    int64_t result = 0;
    while (forward->phase == MOVING && result == 0)
        result = move(forward, op, cx);
    if (forward->phase == MOVING) return result;
    result = forward->phase == FLUSHING ? flush_all(forward, cx) : take(forward, cx, true);
    if (result == EDO_NEXT_WAITS) return result;
    bool is_flushed = forward->phase == FLUSHING;
    forward->phase = MOVING;
    return is_flushed && forward->error == 0 ? result : forward->error;
}

static edo_poll forward_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo__forward *forward = op->object;
    edo_stream *in = forward->in;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (is_busy(forward->out, op) || (in->user && in->user != op))
        return edo__op_finish(op, cx, -EBUSY);
    int64_t result = forward_step(forward, op, cx);
    in->user = result == EDO_NEXT_WAITS ? op : NULL;
    return settle(forward->out, op, cx, result);
}

const edo_future_ops edo__forward_ops = { .name = "edo_forward", .poll = forward_poll };
