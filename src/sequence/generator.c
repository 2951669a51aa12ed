/* Generators: streams whose items an async function makes. The function and its operations stay in
 * flight between two edo_next(). They are polled with the relay's waker, which outlives each
 * pull. */
#include "sequence/hold.h"
#include "sequence/pull.h"

#include "base/base.h"
#include "base/list.h"

static bool has_begun(const edo__generator *generator)
{
    return generator->body->state != EDO_NEW && generator->body->state != EDO_DONE;
}

static void poll_body(edo__generator *generator, edo_cx *cx)
{
    edo_wakeable *waker = cx->waker;
    cx->waker = &generator->relay.wakeable.head;
    (void)edo_poll_future(generator->body, cx);
    cx->waker = waker;
    generator->hold.base.result = has_begun(generator);
}

/* ---- the stream ---- */

static int64_t take_item(edo__generator *generator, void *ret_item)
{
    generator->has_item = false;
    edo__copy_item(ret_item, generator->slot, generator->stream.size);
    return 1;
}

/* Gives the answer after the function has ended. */
static int64_t last_answer(edo__generator *generator)
{
    int64_t result = generator->body->result;
    if (result >= 0 || generator->was_reported) return 0;
    generator->was_reported = true;
    return result;
}

static int64_t step(edo__generator *generator, edo_cx *cx, void *ret_item)
{
    if (generator->has_item) return take_item(generator, ret_item);
    if (cx->fate != EDO_LIVE) return -ECANCELED;
    edo__relay_set(&generator->relay, cx->waker);
    poll_body(generator, cx);
    if (generator->has_item) return take_item(generator, ret_item);
    return generator->body->state == EDO_DONE ? last_answer(generator) : EDO_NEXT_WAITS;
}

static int64_t generator_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    edo__generator *generator = (edo__generator *)(void *)stream;
    edo__hold_check(&generator->hold, cx, "edo_next");
    int64_t result = step(generator, cx, ret_item);
    if (result != EDO_NEXT_WAITS) edo__relay_set(&generator->relay, generator->hold.waker);
    return result;
}

/* ---- between pulls ---- */

/* Polls the generator's function between two pulls. Without this poll, an operation of the function
 * could not take the grant for which it waits. While an item waits to be pulled, a live poll does
 * not poll the function. When the stream ends, the function is polled until it has ended. A
 * function that has not begun is polled then, too, because it must release its arguments. */
static edo_poll hold_poll(edo_future *future, edo_cx *cx)
{
    edo__generator *generator = edo__container(future, edo__generator, hold.base);
    bool ends = edo__hold_ends(&generator->hold);
    if (generator->hold.waker != cx->waker) {
        bool rests = generator->relay.to == generator->hold.waker;
        generator->hold.waker = cx->waker;
        if (rests) edo__relay_set(&generator->relay, cx->waker);
    }
    bool is_idle = !has_begun(generator) || (generator->has_item && cx->fate == EDO_LIVE);
    if (!is_idle || ends) poll_body(generator, cx);
    if (generator->body->state != EDO_DONE || !ends) return EDO_PENDING;
    if (generator->has_item) edo__hold_drop(&generator->hold, generator->slot);
    generator->has_item = false;
    return EDO_READY;
}

void edo__generator_init(edo__generator *generator, edo_future *body, void *slot, uint32_t size,
                         edo_future *owner, edo_cx *cx)
{
    static const edo_stream_ops ops = { .name = "generator", .next = generator_next };
    static const edo_future_ops hold_ops = { .name = "a generator in flight",
                                             .poll = hold_poll,
                                             .kind = EDO_KIND_OWNER };
    edo__hold_open(&generator->hold, &hold_ops, owner, cx, "edo_generator_init");
    edo__hold hold = generator->hold;
    *generator = (edo__generator){
        .stream = EDO_STREAM_INIT(&ops, size), .hold = hold, .body = body, .slot = slot
    };
    edo__relay_init(&generator->relay, cx->waker);
}

/* ---- edo_emit() ----
 *
 * The first poll puts the item into the slot, where the item lies until it is pulled. A later poll
 * that finds the slot empty ends the operation. A cancelled operation takes its item back. */

static edo_poll emit_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo__generator *generator = op->object;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    bool is_mine = generator->emitting == op;
    if (is_mine && !generator->has_item) {
        generator->emitting = NULL;
        return edo__op_finish(op, cx, 0);
    }
    if (cx->fate != EDO_LIVE) {
        if (is_mine) generator->has_item = false;
        if (is_mine) generator->emitting = NULL;
        return edo__op_finish(op, cx, -ECANCELED);
    }
    if (generator->emitting && !is_mine) return edo__op_finish(op, cx, -EBUSY);
    if (is_mine) return EDO_PENDING;
    edo__check_memory("edo_emit", op->data, "item");
    edo__copy_item(generator->slot, op->data, generator->stream.size);
    generator->emitting = op;
    generator->has_item = true;
    return EDO_PENDING;
}

const edo_future_ops edo__emit_ops = { .name = "edo_emit", .poll = emit_poll };
