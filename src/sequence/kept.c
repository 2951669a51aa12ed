/* Combinators that keep one item: peekable, dedup, debounce. */
#include "sequence/pull.h"

#include <edo/combinators.h>

static edo__paced *paced_of(edo_stream *stream)
{
    return (edo__paced *)(void *)stream;
}

static void init(edo__paced *paced, const edo_stream_ops *ops, edo_stream *in, void *slot)
{
    *paced = (edo__paced){ .step = { .stream = EDO_STREAM_INIT(ops, in->size), .in = in },
                           .slot = slot };
}

/* ---- peekable ---- */

static int64_t peekable_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    edo__paced *peekable = paced_of(stream);
    if (!peekable->step.has_item) return edo_pull(peekable->step.in, cx, ret_item);
    peekable->step.has_item = false;
    edo__copy_item(ret_item, peekable->slot, stream->size);
    return 1;
}

void edo__peekable_init(edo__paced *peekable, edo_stream *in, void *slot)
{
    static const edo_stream_ops ops = { .name = "peekable", .next = peekable_next };
    init(peekable, &ops, in, slot);
}

static edo_poll peek_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo__paced *peekable = op->object;
    edo_stream *stream = &peekable->step.stream;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (stream->user && stream->user != op) return edo__op_finish(op, cx, -EBUSY);
    stream->user = op;
    int64_t result = 1;
    if (!peekable->step.has_item) result = edo_pull(peekable->step.in, cx, peekable->slot);
    if (result == EDO_NEXT_WAITS) {
        edo__check_memory("edo_peek_item", op->data, "pointer");
        return EDO_PENDING;
    }
    stream->user = NULL;
    peekable->step.has_item = result == 1;
    if (result == 1) *(void **)op->data = peekable->slot;
    return edo__op_finish(op, cx, result);
}

const edo_future_ops edo__peek_item_ops = { .name = "edo_peek_item", .poll = peek_poll };

/* ---- dedup: the slot holds the last item given ---- */

static int64_t is_same(const edo__paced *dedup, const void *item)
{
    if (!dedup->step.has_item) return 0;
    if (!dedup->step.map) return memcmp(item, dedup->slot, dedup->step.stream.size) == 0;
    return dedup->step.map(dedup->step.context, item, dedup->slot);
}

static int64_t dedup_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    edo__paced *dedup = paced_of(stream);
    for (;;) {
        int64_t wait, result = edo_pull(dedup->step.in, cx, ret_item);
        if (result != 1) return result;
        int64_t same = is_same(dedup, ret_item);
        if (same < 0) return same;
        if (same == 0) {
            dedup->step.has_item = true;
            edo__copy_item(dedup->slot, ret_item, stream->size);
            return 1;
        }
        if ((wait = edo__go_on(cx)) != 0) return wait;
    }
}

void edo__dedup_init(edo__paced *dedup, edo_stream *in, void *slot, edo_map_fn *fn, void *context)
{
    static const edo_stream_ops ops = { .name = "dedup", .next = dedup_next };
    init(dedup, &ops, in, slot);
    dedup->step.map = fn;
    dedup->step.context = context;
}

/* ---- debounce: the slot holds the last item of the burst; ret_item receives a later item ---- */

static int64_t give_kept(edo__paced *debounce, void *ret_item)
{
    debounce->step.has_item = false;
    edo__copy_item(ret_item, debounce->slot, debounce->step.stream.size);
    return 1;
}

static int64_t debounce_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    edo__paced *debounce = paced_of(stream);
    edo__step *step = &debounce->step;
    for (;;) {
        int64_t result = step->has_item
                             ? edo__pull_until(step->in, cx, ret_item, step->moment, &step->ending)
                             : edo_pull(step->in, cx, ret_item);
        bool is_quiet = edo__has_passed(result, step->ending);
        if ((result == 0 || is_quiet) && step->has_item) return give_kept(debounce, ret_item);
        if (result != 1) return result;
        edo__copy_item(debounce->slot, ret_item, stream->size);
        step->has_item = true;
        if (__builtin_add_overflow(cx->now, debounce->period, &step->moment))
            step->moment = INT64_MAX;
        if ((result = edo__go_on(cx)) != 0) return result; // the slot has the item
    }
}

void edo__debounce_init(edo__paced *debounce, edo_stream *in, void *slot, int64_t period)
{
    static const edo_stream_ops ops = { .name = "debounce", .next = debounce_next };
    init(debounce, &ops, in, slot);
    debounce->period = period;
}
