/* Sources: streams that read from no other stream. */
#include "sequence/pull.h"

/* ---- arrays ---- */

static int64_t array_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    edo__array *source = (edo__array *)(void *)stream;
    (void)cx;
    if (source->count == 0) return 0;
    edo__copy_item(ret_item, source->items, stream->size);
    if (source->count == UINT64_MAX) return 1; // repeats its item
    source->items += stream->size;
    source->count--;
    return 1;
}

void edo__array_init(edo__array *source, const void *items, uint64_t count, uint32_t size)
{
    static const edo_stream_ops ops = { .name = "an array", .next = array_next };
    *source = (edo__array){ EDO_STREAM_INIT(&ops, size), items, count };
}

/* ---- numbers ---- */

static int64_t range_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    edo__range *range = (edo__range *)(void *)stream;
    int64_t number = range->next;
    (void)cx;
    if (range->step > 0 ? number >= range->end : number <= range->end) return 0;
    memcpy(ret_item, &number, sizeof number);
    if (__builtin_add_overflow(number, range->step, &range->next)) range->next = range->end;
    return 1;
}

void edo__range_init(edo__range *range, int64_t begin, int64_t end, int64_t step)
{
    static const edo_stream_ops ops = { .name = "a range", .next = range_next };
    if (step == 0) edo__misuse("edo_range_init", "a step of 0 never ends");
    *range = (edo__range){ EDO_STREAM_INIT(&ops, sizeof begin), begin, end, step };
}

/* ---- none ---- */

static int64_t pending_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    (void)stream;
    (void)ret_item;
    return cx->fate == EDO_LIVE ? EDO_NEXT_WAITS : -ECANCELED;
}

void edo__pending_init(edo_stream *source, uint32_t size)
{
    static const edo_stream_ops ops = { .name = "a stream that never answers",
                                        .next = pending_next };
    *source = (edo_stream)EDO_STREAM_INIT(&ops, size);
}

/* ---- functions ---- */

static int64_t function_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    const edo__function *source = (const edo__function *)(const void *)stream;
    (void)cx;
    return source->fn(source->context, ret_item);
}

void edo__function_init(edo__function *source, edo_source_fn *fn, void *context, uint32_t size)
{
    static const edo_stream_ops ops = { .name = "a function", .next = function_next };
    *source = (edo__function){ EDO_STREAM_INIT(&ops, size), fn, context };
}

/* ---- operations ---- */

/* Whether to call `now` before an operation is made. The call is worth its cost if the last answer
 * came without a wait. */
static bool may_answer_now(const edo__op_source *source)
{
    return source->now && source->stream.free_count > 0;
}

static int64_t op_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    edo__op_source *source = (edo__op_source *)(void *)stream;
    bool is_new = !source->inner.base.ops;
    if (is_new && may_answer_now(source)) {
        int64_t result = source->now(cx, source->context, ret_item);
        if (result != -EAGAIN) return result;
    }
    if (is_new) source->inner = source->make(source->context, ret_item);
    bool is_ready = edo_poll_future(&source->inner.base, cx) == EDO_READY;
    stream->free_count = is_new && is_ready;
    if (!is_ready) return EDO_NEXT_WAITS;
    source->inner.base.ops = NULL;
    int64_t result = source->inner.base.result;
    return source->answer ? source->answer(source->context, result, ret_item) : result;
}

void edo__op_source_init(edo__op_source *source, edo_source_op_fn *make,
                         edo_source_answer_fn *answer, void *context, uint32_t size)
{
    static const edo_stream_ops ops = { .name = "an operation", .next = op_next };
    *source = (edo__op_source){
        .stream = EDO_STREAM_INIT(&ops, size), .make = make, .answer = answer, .context = context
    };
}
