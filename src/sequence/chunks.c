/* Chunks and windows: several items at a time. */
#include "sequence/pull.h"

#include <edo/combinators.h>

/* Drops the items of the chunk that was given, except the items with which the next chunk
 * begins. */
static void begin_chunk(edo__chunks *chunks)
{
    if (!chunks->was_given) return;
    chunks->was_given = false;
    uint64_t first = chunks->count - chunks->keep;
    memmove(chunks->memory, chunks->memory + first * chunks->item_size,
            chunks->keep * chunks->item_size);
    chunks->count = chunks->keep;
}

static int64_t give(edo__chunks *chunks, void *ret_item)
{
    edo_items items = { chunks->memory, chunks->count };
    memcpy(ret_item, &items, sizeof items);
    chunks->was_given = true;
    return 1;
}

/* Takes the next item into the memory. */
static int64_t take(edo__chunks *chunks, edo_cx *cx)
{
    char *place = chunks->memory + chunks->count * chunks->item_size;
    bool is_limited = chunks->limit != INT64_MAX && chunks->count > 0;
    int64_t result = is_limited
                         ? edo__pull_until(chunks->in, cx, place, chunks->moment, &chunks->ending)
                         : edo_pull(chunks->in, cx, place);
    if (result == 1 && chunks->count++ == 0 && chunks->limit != INT64_MAX)
        if (__builtin_add_overflow(cx->now, chunks->limit, &chunks->moment))
            chunks->moment = INT64_MAX;
    return result;
}

/* Whether the items so far are a chunk, although there are fewer than `most`. */
static bool is_partial(const edo__chunks *chunks)
{
    return chunks->keep == 0 && chunks->count > 0;
}

/* Whether an answer of the input ends the chunk. A cancelled edo_next() does not end the chunk. */
static bool ends_chunk(int64_t result, const edo_cx *cx)
{
    return result != 1 && result != EDO_NEXT_WAITS &&
           !(result == -ECANCELED && cx->fate != EDO_LIVE);
}

static int64_t chunks_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    edo__chunks *chunks = (edo__chunks *)(void *)stream;
    begin_chunk(chunks);
    if (chunks->later) {
        int64_t later = chunks->later;
        chunks->later = 0;
        return later;
    }
    while (chunks->count < chunks->most) {
        int64_t wait, result = take(chunks, cx);
        bool is_limit = edo__has_passed(result, chunks->ending);
        if (ends_chunk(result, cx) && is_partial(chunks)) {
            if (result != 0 && !is_limit) chunks->later = result;
            return give(chunks, ret_item);
        }
        if (result != 1) return result;
        if (chunks->count < chunks->most && (wait = edo__go_on(cx)) != 0) return wait;
    }
    return give(chunks, ret_item);
}

void edo__chunks_init(edo__chunks *chunks, edo_stream *in, void *memory, uint64_t most,
                      uint64_t keep, int64_t limit)
{
    static const edo_stream_ops ops = { .name = "chunks", .next = chunks_next };
    if (keep >= most) edo__misuse("edo_windows_init", "a step that is not 1 to the window's size");
    *chunks = (edo__chunks){ .stream = EDO_STREAM_INIT(&ops, sizeof(edo_items)),
                             .in = in,
                             .memory = memory,
                             .most = most,
                             .item_size = in->size,
                             .limit = limit,
                             .keep = keep };
}
