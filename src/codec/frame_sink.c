/* Frames that are written to a stream of bytes. */
#include "codec/codec.h"

#include "stream/block.h"
#include "stream/inner.h"

static edo__frame_sink *sink_of(edo_sink *sink)
{
    return (edo__frame_sink *)(void *)sink;
}

/* Lets an empty buffer begin at the front of its block again, so that later frames have the room of
 * the whole block. Does nothing if another buffer or a slice also uses the block. */
static void rewind_buffer(edo_buffer *out)
{
    if (!edo__block_is_unique(out->block)) return;
    out->data = out->block->memory;
    out->capacity = out->block->size;
}

static int64_t frame_flush(edo_sink *base, edo_cx *cx)
{
    edo__frame_sink *sink = sink_of(base);
    if (!sink->out.size) return 0;
    do {
        int64_t n;
        if (!edo__inner_is_set(&sink->inner))
            sink->inner = edo_write(sink->io, sink->out.data, sink->out.size);
        if (edo__inner_poll(&sink->inner, cx, &n) == EDO_PENDING) return EDO_NEXT_WAITS;
        if (n < 0) return n;
        sink->out.data += n;
        sink->out.size -= (size_t)n;
        sink->out.capacity -= (size_t)n;
        if (sink->out.size && !edo__has_budget(cx)) return EDO_NEXT_WAITS;
    } while (sink->out.size);
    rewind_buffer(&sink->out);
    return 0;
}

static int64_t frame_ready(edo_sink *base, edo_cx *cx)
{
    const edo__frame_sink *sink = sink_of(base);
    bool is_full = sink->out.size > 0 && sink->out.size >= sink->boundary;
    return is_full || edo__inner_is_set(&sink->inner) ? frame_flush(base, cx) : 0;
}

static int64_t frame_put(edo_sink *base, const void *item)
{
    edo__frame_sink *sink = sink_of(base);
    base->is_free = edo__is_free_frame(&base->free_count);
    return sink->codec->ops->encode(sink->codec, item, &sink->out);
}

static int64_t frame_put_many(edo_sink *base, const void *items, size_t count)
{
    edo__frame_sink *sink = sink_of(base);
    const edo_codec_ops *ops = sink->codec->ops;
    size_t taken = 0;
    if (ops->encode_many)
        taken = ops->encode_many(sink->codec, items, count, &sink->out, sink->boundary);
    if (edo__likely(taken > 0)) return (int64_t)taken;
    int64_t result = ops->encode(sink->codec, items, &sink->out);
    return result < 0 ? result : 1;
}

void edo__frame_sink_init(edo__frame_sink *sink, edo_io *io, edo_codec *codec, uint32_t size)
{
    static const edo_sink_ops ops = { .name = "frames",
                                      .ready = frame_ready,
                                      .put = frame_put,
                                      .flush = frame_flush,
                                      .put_many = frame_put_many };
    if (codec->ops->item_size != size)
        edo__misuse("edo_frame_sink_init", "the codec '%s' has items of another size than the sink",
                    codec->ops->name);
    *sink = (edo__frame_sink){
        .sink = EDO_SINK_INIT(&ops, size), .io = io, .codec = codec, .boundary = EDO_FRAMES_BOUNDARY
    };
}

void edo__frame_sink_deinit(edo__frame_sink *sink)
{
    edo_buffer_deinit(&sink->out);
}
