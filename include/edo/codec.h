/* Codecs: frames over byte streams.
 *
 *     edo_line_codec lines;                           // all in the frame
 *     edo_frames_of(edo_slice) in;
 *     edo_slice line;
 *     ...
 *     edo_line_codec_init(&self->lines, 64 * 1024);
 *     edo_frames_init(&self->in, self->conn, &self->lines.codec);
 *     edo_for_each(rc, &self->in, &self->line)
 *         ... self->line.data, self->line.size: valid until the next edo_next()
 *     edo_frames_deinit(&self->in);
 *
 * A codec is two functions that work on an edo_buffer and do no I/O: `decode` takes frames from the
 * buffer, and `encode` appends a frame to the buffer. An edo_frames_of() is a stream of the frames
 * that are read from an edo_io. An edo_frame_sink_of() writes frames to an edo_io. An
 * edo_framed_of() is a struct of one stream and one sink. The stream and the sink of one edo_io may
 * belong to two tasks, if each has a codec of its own. They borrow the edo_io.
 *
 * Items. The codecs of this header have items of type edo_slice. Such an item points into the
 * stream's buffer, and is valid until the next pull. edo_frames_keep() makes an edo_bytes of such a
 * slice, without a copy. A codec of your own may have items of any type.
 *
 * Several frames. For many small frames, edo_next_many() takes the frames that have arrived, up to
 * a given number, and edo_sink_send_many() sends several frames at once.
 *
 * Memory. A buffer grows as bytes arrive. No memory is allocated for bytes that a peer has only
 * announced, and none for a single frame. Each codec has a bound, which limits the buffer.
 *
 * Errors. After an -ECANCELED, -EBUSY or -ENOMEM of the I/O, the stream continues. After any other
 * error of the I/O, the next answer is the end. After an error of a decoder the stream continues if
 * the decoder can find the next frame; otherwise the next answer is the end. Each codec documents
 * its errors. If the input ends inside a frame, the answer is -EDO_EOF, then the end. If an error
 * was answered for that frame before, only the end follows. edo_frames_rest() returns the remaining
 * bytes. A decoder that answers a frame or an error without taking a byte would repeat that answer
 * for ever. So the answer is -EPROTO instead, then the end.
 *
 * Sizes with 8-byte pointers: edo_frames_of and edo_frame_sink_of have 176 bytes each. A codec of
 * this header has at most 72 bytes.
 */
#pragma once

#include <edo/bytes.h>
#include <edo/io.h>
#include <edo/sequence.h>
#include <edo/sink.h>

EDO_BEGIN_DECLS

typedef struct edo_codec edo_codec;

typedef struct edo_codec_ops {
    const char *name;

    /* Takes a frame from the front of `in` (edo_buffer_advance). The bytes stay in place until the
     * next call.
     * Returns: 1 with *ret_item; 0: the buffer has no whole frame; a negative errno. Before
     * `decode` returns an error, it takes the bytes that the error covers, or sets
     * codec->is_broken. */
    int64_t (*decode)(edo_codec *codec, edo_buffer *in, void *ret_item);

    /* Decodes the last bytes, after `decode` has returned 0 and the input has ended.
     * Returns: as `decode`; but 0 means that the bytes are not a frame. If decode_end is NULL, the
     * last bytes are never a frame. */
    int64_t (*decode_end)(edo_codec *codec, edo_buffer *in, void *ret_item);

    /* Appends a frame. Returns: 0; a negative errno, and nothing was appended. */
    int64_t (*encode)(edo_codec *codec, const void *item, edo_buffer *out);

    /* Several frames in one call; optional.
     * decode_many: takes up to `most` whole frames from `in`. It stops before a frame for which
     * `decode` would not return 1. Returns: the number of frames taken.
     * encode_many: appends items until `count` are appended, or out->size is at least `boundary`.
     * It stops before an item that `encode` would refuse. Returns: the number of items appended. */
    size_t (*decode_many)(edo_codec *codec, edo_buffer *in, void *ret_items, size_t most);
    size_t (*encode_many)(edo_codec *codec, const void *items, size_t count, edo_buffer *out,
                          size_t boundary);

    uint32_t item_size; // bytes
    uint32_t reserved[3];
} edo_codec_ops;

/* Head of every codec. The members are for authors of codecs. */
struct edo_codec {
    const edo_codec_ops *ops;
    size_t wants;   // bytes that the buffer must have at the next call of decode; 0: any number
    size_t scanned; // bytes of the buffer that were searched
    bool is_broken; // the next frame cannot be found
    bool skips;     // the rest of a refused frame is dropped
    uint8_t reserved[6];
};

/* Value of the head of a new codec. */
#define EDO_CODEC_INIT(codec_ops)                                                                  \
    {                                                                                              \
        (codec_ops), 0, 0, false, false,                                                           \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }

/* ---- reading ---- */

enum {
    EDO_FRAMES_STEP = 8192,     // bytes; least size of a buffer
    EDO_FRAMES_BOUNDARY = 8192, // unwritten bytes at which a sink has no more room
};

typedef struct edo__frames {
    edo_stream stream;
    edo_io *io;
    edo_codec *codec;
    edo_buffer in;
    edo_op inner; // in flight while base.ops is set
    bool at_end, is_over;
} edo__frames;

EDO_API void edo__frames_init(edo__frames *frames, edo_io *io, edo_codec *codec, uint32_t size);
EDO_API void edo__frames_deinit(edo__frames *frames);
EDO_API EDO_MUST_USE int edo__frames_keep(const edo__frames *frames, const edo_slice *slice,
                                          edo_bytes *ret_bytes);
EDO_API void edo__frames_take(edo__frames *frames, edo_buffer *ret_unread);
EDO_API void edo__frames_resume(edo__frames *frames);

static inline edo_slice edo__frames_rest(const edo__frames *frames)
{
    edo_slice rest = { frames->in.data, frames->in.size };
    return rest;
}

EDO_END_DECLS

#define edo_frames_of(T) edo__kind_of(T, edo__frames)

/* Initialises a stream of the frames that are read from `io`. Aborts if the items of the codec do
 * not have the size of T. */
#define edo_frames_init(s, io, codec)                                                              \
    edo__frames_init(&(s)->edo_impl, (io), (codec), edo__item_size(s))

/* Releases the buffer. The io stays open. */
#define edo_frames_deinit(s) edo__frames_deinit(&(s)->edo_impl)

/* Makes an edo_bytes of a slice that the last edo_next() gave, or of a part of that slice, without
 * a copy.
 * Returns: 0; -EINVAL: the slice is not in the buffer of the stream. */
#define edo_frames_keep(s, slice, ret_bytes) edo__frames_keep(&(s)->edo_impl, (slice), (ret_bytes))

/* Bytes that were read and not decoded yet. */
#define edo_frames_rest(s) edo__frames_rest(&(s)->edo_impl)

/* Moves the bytes that were not decoded yet to *ret_unread. Useful if the program then continues on
 * the io with another protocol. */
#define edo_frames_take(s, ret_unread) edo__frames_take(&(s)->edo_impl, (ret_unread))

/* Continues a stream that has ended: after an error, or when the input may have grown. */
#define edo_frames_resume(s) edo__frames_resume(&(s)->edo_impl)

/* ---- writing ---- */

EDO_BEGIN_DECLS

typedef struct edo__frame_sink {
    edo_sink sink;
    edo_io *io;
    edo_codec *codec;
    edo_buffer out;
    size_t boundary;
    edo_op inner; // in flight while base.ops is set
} edo__frame_sink;

EDO_API void edo__frame_sink_init(edo__frame_sink *sink, edo_io *io, edo_codec *codec,
                                  uint32_t size);
EDO_API void edo__frame_sink_deinit(edo__frame_sink *sink);

EDO_END_DECLS

#define edo_frame_sink_of(T) edo__sink_kind_of(T, edo__frame_sink)

/* Initialises a sink that writes frames to `io`. The sink collects frames, and writes them when at
 * least EDO_FRAMES_BOUNDARY bytes are waiting, or when edo_sink_flush() is called. While the sink
 * writes, it has no room, and edo_sink_send() waits. So the sender goes no faster than the peer
 * reads. edo_sink_close() flushes, and leaves the io open. After an error of the io the unwritten
 * bytes remain in the sink. */
#define edo_frame_sink_init(s, io, codec)                                                          \
    edo__frame_sink_init(&(s)->edo_impl, (io), (codec), edo__item_size(s))

/* Sets the limit of buffered bytes. While at least so many bytes wait to be written, the sink has
 * no room. With a limit of 0, each frame is written before the next one is taken. */
#define edo_frame_sink_set_boundary(s, bytes) ((void)((s)->edo_impl.boundary = (bytes)))

/* Bytes that were not written yet. */
#define edo_frame_sink_pending(s) ((s)->edo_impl.out.size)

/* Releases the buffer; unwritten bytes are lost. */
#define edo_frame_sink_deinit(s) edo__frame_sink_deinit(&(s)->edo_impl)

/* A stream and a sink of frames for one io. Both use the same codec, so decoding must not change a
 * state that encoding uses, and the reverse. The codecs of this header have no such state. */
#define edo_framed_of(T)                                                                           \
    struct {                                                                                       \
        edo_frames_of(T) in;                                                                       \
        edo_frame_sink_of(T) out;                                                                  \
    }
#define edo_framed_init(f, io, codec)                                                              \
    (edo_frames_init(&(f)->in, (io), (codec)), edo_frame_sink_init(&(f)->out, (io), (codec)))
#define edo_framed_deinit(f) (edo_frames_deinit(&(f)->in), edo_frame_sink_deinit(&(f)->out))

/* ---- codecs ---- */

EDO_BEGIN_DECLS

/* Raw bytes. All bytes in the buffer are decoded as one item. An item is encoded as its bytes,
 * unchanged. */
typedef struct edo_raw_codec {
    edo_codec codec;
} edo_raw_codec;

EDO_API void edo_raw_codec_init(edo_raw_codec *codec);

/* Parts that end with a delimiter. */
typedef struct edo_part_codec {
    edo_codec codec;
    size_t most; // bytes; greatest size of a part
    uint8_t delimiter[16];
    uint8_t delimiter_size;
    bool is_strict, is_line, is_text;
} edo_part_codec;

typedef edo_part_codec edo_line_codec;

/* Decodes lines, without their "\n" or "\r\n". Encodes a line with a "\n" at its end.
 * most: greatest number of bytes of a line, without its "\n". If a line is longer, the answer is
 * -EMSGSIZE, once for that line, as soon as the excess is seen. The stream then continues with the
 * next line. The last line may have no "\n". Encode: -EINVAL for an item with a "\n", -EMSGSIZE for
 * an item that is too long. A "\r" at the end of an item is sent, but the peer's decoder drops it
 * with the "\n". */
EDO_API void edo_line_codec_init(edo_line_codec *codec, size_t most);

/* JSON lines: lines of UTF-8. The decoder skips empty lines, and does not parse the text. A line
 * that is not UTF-8 is answered with -EILSEQ, and the stream continues. Encode: as
 * edo_line_codec_init(); also -EINVAL for an empty item, and -EILSEQ for an item that is not
 * UTF-8. */
EDO_API void edo_json_line_codec_init(edo_line_codec *codec, size_t most);

/* Parts that end with any delimiter of 1 to 16 bytes; another size aborts. Errors: as for
 * edo_line_codec_init(). */
EDO_API void edo_part_codec_init(edo_part_codec *codec, const void *delimiter, size_t size,
                                 size_t most);

/* Strings that end with a zero byte. */
EDO_API void edo_zero_codec_init(edo_part_codec *codec, size_t most);

/* Rejects a last part that has no delimiter: its decoding fails with -EDO_EOF. */
static inline void edo_part_codec_set_strict(edo_part_codec *codec)
{
    codec->is_strict = true;
}

enum { EDO_FRAME_MOST = 8 * 1024 * 1024 }; // bytes; default of edo_length_options.most

#define EDO_KEEP_HEADER UINT32_MAX

/* Options of frames that contain their length. With zeroed options, a frame begins with a length
 * field of 4 bytes in big-endian order, and the payload of that many bytes follows.
 *
 *     | offset | length field | payload of value + adjustment bytes |
 *     |<------------- skip ->|  the rest is the item
 */
typedef struct edo_length_options {
    size_t most;         // bytes of the payload; 0: EDO_FRAME_MOST
    int64_t adjustment;  // added to the value of the length field
    uint32_t offset;     // bytes before the length field, at most 1024
    uint32_t skip;       // bytes left out of the item; 0: those before the payload;
                         // EDO_KEEP_HEADER: none
    uint8_t length_size; // bytes of the length field, 1 to 8; 0: 4
    bool is_little;      // little-endian order
    uint8_t reserved[6];
} edo_length_options;

typedef struct edo_length_codec {
    edo_codec codec;
    edo_length_options options;
    uint64_t rest; // bytes of a refused frame that are still to be dropped
} edo_length_codec;

/* Frames with a length. A payload above the bound is answered with -EMSGSIZE as soon as its length
 * is known. The bytes of the payload are dropped as they arrive, and the stream continues with the
 * next frame. If the length field is above INT64_MAX, or the payload's size is below 0 or above
 * INT64_MAX, the answer is -EBADMSG, then the end. A frame of fewer bytes than `skip` is answered
 * with -EBADMSG, and the stream continues.
 * Encode: the first `offset` bytes of the item are written before the length, and the other bytes
 * of the item after the length. Errors: -EMSGSIZE for a payload that exceeds the bound or the range
 * of the length field; -EINVAL for an item of less than `offset` bytes.
 * options: NULL for zeroed options. Aborts if length_size or offset is above its limit. */
EDO_API void edo_length_codec_init(edo_length_codec *codec, const edo_length_options *options);

/* Netstrings, "5:hello,". */
typedef struct edo_netstring_codec {
    edo_codec codec;
    size_t most;
    uint64_t rest; // bytes of a refused string that are still to be dropped
} edo_netstring_codec;

/* A string longer than `most` bytes is answered with -EMSGSIZE, and the stream continues with the
 * next string. Bytes that are not a netstring are answered with -EBADMSG, then the end. */
EDO_API void edo_netstring_codec_init(edo_netstring_codec *codec, size_t most);

/* COBS (Cheshire and Baker, 1999): packets of any bytes, separated by zero bytes. */
typedef struct edo_cobs_codec {
    edo_codec codec;
    size_t most;
} edo_cobs_codec;

/* A packet longer than `most` bytes is answered with -EMSGSIZE, and a packet that is not valid COBS
 * with -EBADMSG. In both cases the stream continues with the next packet. Empty packets are
 * skipped. */
EDO_API void edo_cobs_codec_init(edo_cobs_codec *codec, size_t most);

/* Decodes one frame from a buffer, without an io: for datagrams, files in memory, tests.
 * Returns: as edo_codec_ops.decode; -EPROTO for a decoder that returns a frame or an error without
 * taking a byte. */
EDO_API EDO_MUST_USE int64_t edo_decode(edo_codec *codec, edo_buffer *in, void *ret_item);

/* Decodes one frame at the end of the input. Returns: as edo_decode(); 0 if the buffer is empty;
 * -EDO_EOF if the rest is not a frame. */
EDO_API EDO_MUST_USE int64_t edo_decode_end(edo_codec *codec, edo_buffer *in, void *ret_item);

/* Appends a frame to a buffer. Returns: 0; a negative errno, and the buffer has not changed. */
EDO_API EDO_MUST_USE int64_t edo_encode(edo_codec *codec, const void *item, edo_buffer *out);

/* Appends an edo_slice to an edo_buffer. Pass this function to edo_fold() to collect a stream of
 * slices into a buffer.
 * Returns: 0; -ENOMEM. */
EDO_API EDO_MUST_USE int64_t edo_append_slice(void *buffer, const void *slice);

EDO_END_DECLS
