/* Frames that are read from a stream of bytes. */
#include "codec/codec.h"

#include "stream/block.h"
#include "stream/inner.h"

enum { LEAST_ROOM = 1024 }; // bytes; a read with less room than this is not worth its cost

/* ---- decoding ---- */

int64_t edo_decode(edo_codec *codec, edo_buffer *in, void *ret_item)
{
    size_t before = in->size;
    int64_t result = codec->ops->decode(codec, in, ret_item);
    if (edo__likely(result == 0 || in->size < before || codec->is_broken)) return result;
    return edo__break(codec, -EPROTO);
}

int64_t edo_decode_end(edo_codec *codec, edo_buffer *in, void *ret_item)
{
    int64_t result = edo_decode(codec, in, ret_item);
    if (result != 0 || in->size == 0) return result;
    size_t before = in->size;
    if (codec->ops->decode_end) result = codec->ops->decode_end(codec, in, ret_item);
    if (result != 0 && in->size < before) return result;
    if (result == 0 && in->size == 0) return 0;
    return edo__break(codec, result == 0 ? -EDO_EOF : result > 0 ? -EPROTO : (int)result);
}

int64_t edo_encode(edo_codec *codec, const void *item, edo_buffer *out)
{
    return codec->ops->encode(codec, item, out);
}

int64_t edo_append_slice(void *buffer, const void *item)
{
    const edo_slice *slice = item;
    return edo_buffer_append(buffer, slice->data, slice->size);
}

/* ---- reading ---- */

/* Makes room for the next read, if fewer than LEAST_ROOM bytes are free. The size of the room does
 * not depend on what the peer announces. If the buffer holds few bytes, these bytes and the room
 * together have EDO_FRAMES_STEP bytes, which fit into one block. So the buffer can move the bytes
 * to the front of its block, and needs no new block. */
static int make_room(edo__frames *frames)
{
    if (edo_buffer_room(&frames->in) >= LEAST_ROOM) return 0;
    size_t rest = frames->in.size < EDO_FRAMES_STEP / 2 ? frames->in.size : 0;
    return edo_buffer_reserve(&frames->in, EDO_FRAMES_STEP - rest);
}

/* Begins or continues a read. Returns: EDO_NEXT_WAITS; the number of bytes, > 0; 0 at the end of
 * the input; a negative errno. */
static int64_t fill(edo__frames *frames, edo_cx *cx)
{
    int64_t n;
    if (!edo__inner_is_set(&frames->inner)) {
        int rc = make_room(frames);
        if (rc < 0) return rc;
        frames->inner = edo_read(frames->io, edo_buffer_tail(&frames->in),
                                 edo_buffer_room(&frames->in));
    }
    if (edo__inner_poll(&frames->inner, cx, &n) == EDO_PENDING) return EDO_NEXT_WAITS;
    if (n > 0) frames->in.size += (size_t)n;
    return n;
}

/* Stores whether `result` is the last answer before the end. Returns: `result`. */
static int64_t answer(edo__frames *frames, int64_t result, bool is_last)
{
    frames->is_over = is_last;
    return result;
}

static int64_t answer_of_decoder(edo__frames *frames, int64_t result)
{
    return answer(frames, result, frames->codec->is_broken);
}

/* An error of the io ends the stream, unless a later read can succeed. */
static int64_t answer_of_io(edo__frames *frames, int64_t result)
{
    bool is_passing = result == -ECANCELED || result == -EBUSY || result == -ENOMEM;
    return answer(frames, result, !is_passing);
}

/* Whether the decoder may find a frame in the buffer. */
static inline bool may_decode(const edo__frames *frames)
{
    return !edo__inner_is_set(&frames->inner) && frames->in.size &&
           frames->in.size >= frames->codec->wants && !frames->at_end;
}

/* Reads until there is a frame, an error or the end of the input, or until a read has to wait. */
static __attribute__((noinline)) int64_t read_next(edo__frames *frames, edo_cx *cx, void *ret_item)
{
    for (;;) {
        if (frames->at_end) {
            int64_t result = edo_decode_end(frames->codec, &frames->in, ret_item);
            return answer_of_decoder(frames, result);
        }
        int64_t n = fill(frames, cx);
        if (n == EDO_NEXT_WAITS) return n;
        if (n < 0) return answer_of_io(frames, n);
        frames->at_end = n == 0;
        if (edo__unlikely(!edo__has_budget(cx))) return EDO_NEXT_WAITS;
        if (!may_decode(frames)) continue;
        int64_t result = edo_decode(frames->codec, &frames->in, ret_item);
        if (result != 0) return answer_of_decoder(frames, result);
    }
}

static int64_t frames_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    edo__frames *frames = (edo__frames *)(void *)stream;
    if (edo__unlikely(frames->is_over)) return 0;
    if (edo__likely(may_decode(frames))) {
        int64_t result = edo_decode(frames->codec, &frames->in, ret_item);
        stream->is_free = result == 1 && edo__is_free_frame(&stream->free_count);
        if (edo__likely(result != 0)) return answer_of_decoder(frames, result);
    }
    stream->is_free = false;
    return read_next(frames, cx, ret_item);
}

/* Takes whole frames from the buffer, if the codec can take several in one call. Returns: the
 * number of frames, or 0. Also 0 if the codec has returned frames without taking bytes from the
 * buffer, which is an error of the codec. */
static size_t decode_many(edo__frames *frames, void *ret_items, size_t most)
{
    edo_codec *codec = frames->codec;
    size_t before = frames->in.size;
    if (!codec->ops->decode_many || most == 0 || frames->is_over || !may_decode(frames)) return 0;
    size_t count = codec->ops->decode_many(codec, &frames->in, ret_items, most);
    return edo__likely(frames->in.size < before) ? count : 0;
}

static int64_t frames_next_many(edo_stream *stream, edo_cx *cx, void *ret_items, size_t most)
{
    edo__frames *frames = (edo__frames *)(void *)stream;
    size_t count = decode_many(frames, ret_items, most);
    if (edo__likely(count > 0)) return (int64_t)count;
    int64_t result = frames_next(stream, cx, ret_items);
    if (result != 1) return result;
    return 1 + (int64_t)decode_many(frames, (char *)ret_items + stream->size, most - 1);
}

void edo__frames_init(edo__frames *frames, edo_io *io, edo_codec *codec, uint32_t size)
{
    static const edo_stream_ops ops = { .name = "frames",
                                        .next = frames_next,
                                        .next_many = frames_next_many };
    if (codec->ops->item_size != size)
        edo__misuse("edo_frames_init", "the codec '%s' has items of another size than the stream",
                    codec->ops->name);
    *frames = (edo__frames){ .stream = EDO_STREAM_INIT(&ops, size), .io = io, .codec = codec };
}

void edo__frames_deinit(edo__frames *frames)
{
    edo_buffer_deinit(&frames->in);
}

int edo__frames_keep(const edo__frames *frames, const edo_slice *slice, edo_bytes *ret_bytes)
{
    edo__block *block = frames->in.block;
    uintptr_t first = (uintptr_t)slice->data;
    if (!block || first < (uintptr_t)block->memory ||
        first - (uintptr_t)block->memory > block->size - slice->size || slice->size > block->size)
        return -EINVAL;
    *ret_bytes = (edo_bytes){ slice->data, slice->size, edo__block_take(block) };
    return 0;
}

void edo__frames_take(edo__frames *frames, edo_buffer *ret_unread)
{
    *ret_unread = frames->in;
    frames->in = (edo_buffer){ NULL, 0, 0, NULL };
    frames->codec->scanned = frames->codec->wants = 0;
}

void edo__frames_resume(edo__frames *frames)
{
    frames->at_end = frames->is_over = frames->stream.has_ended = false;
    frames->codec->is_broken = false;
}
