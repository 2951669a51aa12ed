/* Combinators that make other items: map, flat map, then. Each has a slot for an item of its
 * input. */
#include "sequence/pull.h"

#include <edo/combinators.h>

#include "task/frame.h"

/* ---- plain functions ---- */

static int64_t map_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    edo__map *map = (edo__map *)(void *)stream;
    for (;;) {
        int64_t wait, result = edo_pull(map->step.in, cx, map->slot);
        if (result != 1) return result;
        result = map->step.map(map->step.context, map->slot, ret_item);
        if (result > 0) return 1;
        if (result < 0) return result == EDO_NEXT_END ? 0 : result;
        if ((wait = edo__go_on(cx)) != 0) return wait;
    }
}

void edo__map_init(edo__map *map, edo_stream *in, void *slot, edo_map_fn *fn, void *context,
                   uint32_t size)
{
    static const edo_stream_ops ops = { .name = "map", .next = map_next };
    *map = (edo__map){
        .step = { .stream = EDO_STREAM_INIT(&ops, size), .in = in, .map = fn, .context = context },
        .slot = slot
    };
}

/* ---- streams of streams ---- */

/* Opens the stream of the next item. Returns: 1; or the answer to give. */
static int64_t open_next(edo__flat *flat, edo_cx *cx)
{
    for (;;) {
        int64_t wait, result = edo_pull(flat->in, cx, flat->slot);
        if (result != 1) return result;
        if (flat->open)
            result = flat->open(flat->context, flat->slot, &flat->current);
        else
            memcpy(&flat->current, flat->slot, sizeof flat->current);
        if (result != 0) return result > 0 ? 1 : result;
        if ((wait = edo__go_on(cx)) != 0) return wait;
    }
}

static int64_t flat_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    edo__flat *flat = (edo__flat *)(void *)stream;
    for (;;) {
        int64_t result = flat->current ? edo_pull(flat->current, cx, ret_item) : 0;
        if (result != 0) return result;
        if (flat->current) {
            flat->current = NULL;
            if ((result = edo__go_on(cx)) != 0) return result;
        }
        if ((result = open_next(flat, cx)) != 1) return result;
    }
}

void edo__flat_init(edo__flat *flat, edo_stream *in, void *slot,
                    int64_t (*open)(void *, const void *, edo_stream **), void *context,
                    uint32_t size)
{
    static const edo_stream_ops ops = { .name = "flat map", .next = flat_next };
    if (!open && in->size != sizeof(edo_stream *))
        edo__misuse("edo_flatten_init", "the items are not pointers to streams");
    *flat = (edo__flat){ EDO_STREAM_INIT(&ops, size), in, open, context, NULL, slot };
}

/* ---- async functions ----
 *
 * The item stays in the slot until the function has answered for it. If a cancelled edo_next() has
 * ended the function with -ECANCELED, the next edo_next() calls the function again, with the same
 * item. */

static void call(edo__then *then, void *ret_item)
{
    edo__item_args args = { then->slot, ret_item, then->context };
    edo__frame_build(then->frame, then->fn, &args);
    then->is_running = true;
}

static int64_t then_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    edo__then *then = (edo__then *)(void *)stream;
    if (!then->has_item) {
        int64_t result = edo_pull(then->in, cx, then->slot);
        if (result != 1) return result;
        then->has_item = true;
    }
    if (!then->is_running) {
        if (cx->fate != EDO_LIVE) return -ECANCELED;
        call(then, ret_item);
    }
    if (edo_poll_future(then->frame, cx) == EDO_PENDING) return EDO_NEXT_WAITS;
    int64_t result = then->frame->result;
    then->is_running = false;
    if (result == -ECANCELED && cx->fate != EDO_LIVE) return result;
    then->has_item = false;
    return result < 0 ? result : 1;
}

void edo__then_init(edo__then *then, edo_stream *in, void *slot, edo_future *frame,
                    const edo_future_ops *fn, void *context, uint32_t size)
{
    static const edo_stream_ops ops = { .name = "then", .next = then_next };
    *then = (edo__then){ .stream = EDO_STREAM_INIT(&ops, size),
                         .in = in,
                         .fn = fn,
                         .frame = frame,
                         .context = context,
                         .slot = slot };
}
