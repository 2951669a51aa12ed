/* Frames in datagrams. */
#include <edo/features.h>

#if EDO_HAS_NET

#include <edo/udp_frames.h>

#include "codec/codec.h"
#include "stream/inner.h"

enum { MOST_DATAGRAM = 65535 };

static void check_size(const char *call, const edo_codec *codec, uint32_t size)
{
    if (codec->ops->item_size != size)
        edo__misuse(call, "the codec '%s' has items of another size", codec->ops->name);
}

/* ---- reading ---- */

/* Drops the rest of a datagram, and all that the codec has noted about it. */
static void end_datagram(edo__udp_frames *frames)
{
    edo_codec *codec = frames->codec;
    frames->in.size = 0;
    codec->wants = codec->scanned = 0;
    codec->is_broken = codec->skips = false;
}

/* Begins or continues a receive. Returns: EDO_NEXT_WAITS; >= 0; a negative errno. */
static int64_t receive(edo__udp_frames *frames, edo_cx *cx)
{
    int64_t n;
    if (!edo__inner_is_set(&frames->inner)) {
        int rc = edo_buffer_reserve(&frames->in, frames->most);
        if (rc < 0) return rc;
        frames->inner = edo_udp_recv_from(frames->socket, edo_buffer_tail(&frames->in),
                                          frames->most, &frames->from);
    }
    if (edo__inner_poll(&frames->inner, cx, &n) == EDO_PENDING) return EDO_NEXT_WAITS;
    if (n > 0) frames->in.size = (size_t)n;
    return n;
}

static int64_t decode(edo__udp_frames *frames, void *ret_item)
{
    int64_t result = edo_decode_end(frames->codec, &frames->in, ret_item);
    if (frames->codec->is_broken || frames->in.size == 0) end_datagram(frames);
    return result;
}

static int64_t udp_frames_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    edo__udp_frames *frames = (edo__udp_frames *)(void *)stream;
    for (;;) {
        if (!edo__inner_is_set(&frames->inner) && frames->in.size) {
            int64_t result = decode(frames, ret_item);
            if (result != 0) return result;
        }
        int64_t n = receive(frames, cx);
        if (n < 0) return n; // also EDO_NEXT_WAITS
        if (!edo__has_budget(cx)) return EDO_NEXT_WAITS;
    }
}

void edo__udp_frames_init(edo__udp_frames *frames, edo_udp *socket, edo_codec *codec, size_t most,
                          uint32_t size)
{
    static const edo_stream_ops ops = { .name = "frames of datagrams", .next = udp_frames_next };
    check_size("edo_udp_frames_init", codec, size);
    *frames = (edo__udp_frames){ .stream = EDO_STREAM_INIT(&ops, size),
                                 .socket = socket,
                                 .codec = codec,
                                 .most = most ? most : MOST_DATAGRAM };
}

void edo__udp_frames_deinit(edo__udp_frames *frames)
{
    edo_buffer_deinit(&frames->in);
}

/* ---- writing ---- */

static edo__udp_frame_sink *sink_of(edo_sink *sink)
{
    return (edo__udp_frame_sink *)(void *)sink;
}

/* Sends the waiting datagram, even if it has no bytes. */
static int64_t udp_flush(edo_sink *base, edo_cx *cx)
{
    edo__udp_frame_sink *sink = sink_of(base);
    int64_t n;
    if (!sink->is_full) return 0;
    if (!edo__inner_is_set(&sink->inner)) {
        const void *data = sink->out.data ? (const void *)sink->out.data : "";
        sink->inner = sink->has_to ? edo_udp_send_to(sink->socket, data, sink->out.size, &sink->to)
                                   : edo_udp_send(sink->socket, data, sink->out.size);
    }
    if (edo__inner_poll(&sink->inner, cx, &n) == EDO_PENDING) return EDO_NEXT_WAITS;
    if (n == -ECANCELED) return n;
    sink->out.size = 0;
    sink->is_full = false;
    return n < 0 ? n : 0;
}

static int64_t udp_put(edo_sink *base, const void *item)
{
    edo__udp_frame_sink *sink = sink_of(base);
    int64_t result = sink->codec->ops->encode(sink->codec, item, &sink->out);
    sink->is_full = result == 0;
    return result;
}

void edo__udp_frame_sink_init(edo__udp_frame_sink *sink, edo_udp *socket, edo_codec *codec,
                              uint32_t size)
{
    static const edo_sink_ops ops = {
        .name = "frames in datagrams", .ready = udp_flush, .put = udp_put, .flush = udp_flush
    };
    check_size("edo_udp_frame_sink_init", codec, size);
    *sink = (edo__udp_frame_sink){ .sink = EDO_SINK_INIT(&ops, size),
                                   .socket = socket,
                                   .codec = codec };
}

void edo__udp_frame_sink_deinit(edo__udp_frame_sink *sink)
{
    edo_buffer_deinit(&sink->out);
}

int edo__udp_frame_sink_to(edo__udp_frame_sink *sink, const edo_address *to)
{
    if (sink->is_full) return -EBUSY;
    sink->has_to = to;
    if (to) sink->to = *to;
    return 0;
}

#endif
