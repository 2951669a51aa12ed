/* Frames in datagrams: a codec over a UDP socket.
 *
 *     edo_json_line_codec_init(&self->lines, 1000);
 *     edo_udp_frames_init(&self->in, self->socket, &self->lines.codec, 1200);
 *     edo_udp_frame_sink_init(&self->out, self->socket, &self->lines.codec);
 *     edo_for_each(rc, &self->in, &self->line) {
 *         edo_try(edo_udp_frame_sink_to(&self->out, edo_udp_frames_from(&self->in)));
 *         edo_try(edo_sink_send(&self->out, &self->line));
 *     }
 *
 * A datagram has one frame or several, and no frame extends over two datagrams. Each datagram is
 * decoded on its own. If the last bytes of a datagram are no whole frame, they are dropped, and the
 * answer is -EDO_EOF. If the decoder cannot find the next frame in a datagram, the rest of that
 * datagram is dropped. In both cases the stream continues with the next datagram. A datagram
 * without bytes has no frame.
 *
 * For a codec of your own: between two datagrams the library resets only the head of the codec
 * (edo_codec). A decoder may use state in other members only while codec->skips is set.
 *
 * The stream and the sink borrow the socket, and each has a buffer for one datagram. The reader and
 * the writer of one socket may belong to two tasks, if each has a codec of its own.
 *
 * Sizes with 8-byte pointers: edo_udp_frames_of and edo_udp_frame_sink_of have 288 bytes each.
 */
#pragma once

#include <edo/codec.h>
#include <edo/udp.h>

EDO_BEGIN_DECLS

/* ---- reading ---- */

typedef struct edo__udp_frames {
    edo_stream stream;
    edo_udp *socket;
    edo_codec *codec;
    edo_buffer in; // rest of the last datagram
    size_t most;
    edo_address from; // sender of that datagram
    edo_op inner;     // in flight while base.ops is set
} edo__udp_frames;

EDO_API void edo__udp_frames_init(edo__udp_frames *frames, edo_udp *socket, edo_codec *codec,
                                  size_t most, uint32_t size);
EDO_API void edo__udp_frames_deinit(edo__udp_frames *frames);

/* ---- writing ---- */

typedef struct edo__udp_frame_sink {
    edo_sink sink;
    edo_udp *socket;
    edo_codec *codec;
    edo_buffer out; // the datagram
    edo_address to;
    bool has_to;
    bool is_full; // a datagram waits to be sent
    uint8_t reserved[6];
    edo_op inner; // in flight while base.ops is set
} edo__udp_frame_sink;

EDO_API void edo__udp_frame_sink_init(edo__udp_frame_sink *sink, edo_udp *socket, edo_codec *codec,
                                      uint32_t size);
EDO_API void edo__udp_frame_sink_deinit(edo__udp_frame_sink *sink);
EDO_API EDO_MUST_USE int edo__udp_frame_sink_to(edo__udp_frame_sink *sink, const edo_address *to);

EDO_END_DECLS

#define edo_udp_frames_of(T) edo__kind_of(T, edo__udp_frames)

/* Gives the frames of the datagrams that arrive on a socket, without end. An error of a receive is
 * an answer, not the end. Aborts if the size of the codec's items is not the size of T.
 * most: greatest number of bytes of a datagram; 0: 65535. A longer datagram is dropped, and
 * answered with -EMSGSIZE. */
#define edo_udp_frames_init(s, socket, codec, most)                                                \
    edo__udp_frames_init(&(s)->edo_impl, (socket), (codec), (most), edo__item_size(s))

/* The sender of the frame that the last edo_next() has given: an edo_address, valid until the next
 * edo_next(). */
#define edo_udp_frames_from(s) ((const edo_address *)&(s)->edo_impl.from)

/* Releases the buffer. */
#define edo_udp_frames_deinit(s) edo__udp_frames_deinit(&(s)->edo_impl)

#define edo_udp_frame_sink_of(T) edo__sink_kind_of(T, edo__udp_frame_sink)

/* Sends each frame as one datagram. The destination is the socket's peer, or the address last set
 * by edo_udp_frame_sink_to(). edo_sink_send() only encodes its frame. The datagram is sent by the
 * next operation: edo_sink_send(), edo_sink_flush() or edo_sink_close(). If the datagram cannot be
 * sent, this next operation answers the error, and the datagram is dropped. If this next operation
 * is cancelled, the datagram is kept. */
#define edo_udp_frame_sink_init(s, socket, codec)                                                  \
    edo__udp_frame_sink_init(&(s)->edo_impl, (socket), (codec), edo__item_size(s))

/* Sets the destination of the next frames, which is copied. NULL: the socket's peer.
 * Returns: 0; -EBUSY while a frame waits to be sent: flush first. */
#define edo_udp_frame_sink_to(s, address) edo__udp_frame_sink_to(&(s)->edo_impl, (address))

/* Releases the buffer; a frame that was not sent is lost. */
#define edo_udp_frame_sink_deinit(s) edo__udp_frame_sink_deinit(&(s)->edo_impl)
