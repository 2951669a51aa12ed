/* Frames in datagrams. */
#include <string.h>

#include "support/udp.h"

/* The sizes of the header's comment. */
_Static_assert(sizeof(void *) != 8 || sizeof(edo__udp_frames) == 288, "a stream of frames");
_Static_assert(sizeof(void *) != 8 || sizeof(edo__udp_frame_sink) == 288, "a sink of frames");

static void close_sockets(edo_udp *sockets[2])
{
    for (int i = 0; i < 2; i++)
        edo_udp_close(sockets[i]);
}

#define expect_frame(in, frame, text)                                                              \
    do {                                                                                           \
        int rc_;                                                                                   \
        edo_await(rc_, edo_next(in, frame));                                                       \
        assert_int_equal(rc_, 1);                                                                  \
        assert_int_equal((frame)->size, strlen(text));                                             \
        assert_memory_equal((frame)->data, text, strlen(text));                                    \
    } while (0)

#define expect_error(in, frame, error)                                                             \
    do {                                                                                           \
        int rc_;                                                                                   \
        edo_await(rc_, edo_next(in, frame));                                                       \
        assert_int_equal(rc_, error);                                                              \
    } while (0)

#define send_datagram(socket, data)                                                                \
    do {                                                                                           \
        int64_t n_;                                                                                \
        edo_await(n_, edo_udp_send(socket, data, sizeof(data) - 1));                               \
        assert_int_equal(n_, sizeof(data) - 1);                                                    \
    } while (0)

async_test(each_datagram_is_decoded_alone, edo_udp *sockets[2]; edo_length_codec codec;
           edo_udp_frames_of(edo_slice) in; edo_slice frame;)
{
    edo_body {
        int rc;
        connected_sockets(self->sockets);
        edo_length_codec_init(&self->codec, &(edo_length_options){ .length_size = 1, .most = 5 });
        edo_udp_frames_init(&self->in, self->sockets[0], &self->codec.codec, 16);
        edo_await_for(rc, edo_ms(1), edo_next(&self->in, &self->frame));
        assert_int_equal(rc, -ETIMEDOUT);
        send_datagram(self->sockets[1], "\3one\3two");
        expect_frame(&self->in, &self->frame, "one");
        expect_frame(&self->in, &self->frame, "two");
        send_datagram(self->sockets[1], "");           // no frame
        send_datagram(self->sockets[1], "\3abc\4par"); // a remainder is not continued
        send_datagram(self->sockets[1], "\1d");
        expect_frame(&self->in, &self->frame, "abc");
        expect_error(&self->in, &self->frame, -EDO_EOF);
        expect_frame(&self->in, &self->frame, "d");
        send_datagram(self->sockets[1], "\x7frefused"); // its rest is not in the next datagram
        send_datagram(self->sockets[1], "\1e");
        expect_error(&self->in, &self->frame, -EMSGSIZE);
        expect_frame(&self->in, &self->frame, "e");
        send_datagram(self->sockets[1], "more than sixteen bytes");
        send_datagram(self->sockets[1], "\1f");
        expect_error(&self->in, &self->frame, -EMSGSIZE);
        expect_frame(&self->in, &self->frame, "f");
        edo_udp_frames_deinit(&self->in);
        close_sockets(self->sockets);
        edo_return(0);
    }
}

async_test(a_broken_datagram_does_not_end_the_stream, edo_udp *sockets[2];
           edo_netstring_codec codec; edo_udp_frames_of(edo_slice) in; edo_slice frame;)
{
    edo_body {
        connected_sockets(self->sockets);
        edo_netstring_codec_init(&self->codec, 100);
        edo_udp_frames_init(&self->in, self->sockets[0], &self->codec.codec, 0);
        send_datagram(self->sockets[1], "1:a,no netstring");
        send_datagram(self->sockets[1], "1:b,");
        expect_frame(&self->in, &self->frame, "a");
        expect_error(&self->in, &self->frame, -EBADMSG);
        expect_frame(&self->in, &self->frame, "b");
        edo_udp_frames_deinit(&self->in);
        close_sockets(self->sockets);
        edo_return(0);
    }
}

async_test(answers_go_to_the_sender_of_each_frame, edo_udp *client, *server; edo_address to, from;
           edo_line_codec codec; edo_udp_frames_of(edo_slice) in; edo_udp_frame_sink_of(edo_slice) out;
           edo_slice line; char buffer[16]; int i;)
{
    edo_body {
        int64_t rc;
        self->server = loopback_socket(&self->to);
        edo_line_codec_init(&self->codec, 100);
        edo_udp_frames_init(&self->in, self->server, &self->codec.codec, 100);
        edo_udp_frame_sink_init(&self->out, self->server, &self->codec.codec);
        for (self->i = 0; self->i < 3; self->i++) {
            self->client = loopback_socket(&self->from);
            edo_await(rc, edo_udp_send_to(self->client, "who\nlast", 8, &self->to));
            expect_frame(&self->in, &self->line, "who");
            assert_true(edo_address_equals(edo_udp_frames_from(&self->in), &self->from));
            rc = edo_udp_frame_sink_to(&self->out, edo_udp_frames_from(&self->in));
            assert_int_equal(rc, 0);
            edo_await(rc, edo_sink_send(&self->out, &self->line));
            assert_int_equal(rc, 0);
            assert_int_equal(edo_udp_frame_sink_to(&self->out, &self->to), -EBUSY);
            expect_frame(&self->in, &self->line, "last");          // may lack its end
            edo_await(rc, edo_sink_send(&self->out, &self->line)); // sends the one before
            assert_int_equal(rc, 0);
            edo_await(rc, edo_sink_flush(&self->out));
            assert_int_equal(rc, 0);
            edo_await(rc, edo_udp_recv(self->client, self->buffer, sizeof self->buffer));
            assert_int_equal(rc, 4);
            assert_memory_equal(self->buffer, "who\n", 4);
            edo_await(rc, edo_udp_recv(self->client, self->buffer, sizeof self->buffer));
            assert_int_equal(rc, 5);
            assert_memory_equal(self->buffer, "last\n", 5);
            edo_udp_close(self->client);
        }
        edo_udp_frames_deinit(&self->in);
        edo_udp_frame_sink_deinit(&self->out);
        edo_udp_close(self->server);
        edo_return(0);
    }
}

async_test(a_datagram_that_fails_is_dropped, edo_udp *sockets[2]; edo_raw_codec codec;
           edo_udp_frame_sink_of(edo_slice) out; edo_slice frame; char buffer[16];)
{
    static char large[70000];
    edo_body {
        int64_t rc;
        connected_sockets(self->sockets);
        edo_raw_codec_init(&self->codec);
        edo_udp_frame_sink_init(&self->out, self->sockets[0], &self->codec.codec);
        self->frame = (edo_slice){ large, sizeof large };
        edo_await(rc, edo_sink_send(&self->out, &self->frame));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_sink_flush(&self->out));
        assert_int_equal(rc, -EMSGSIZE);
        edo_await(rc, edo_sink_flush(&self->out));
        assert_int_equal(rc, 0);
        self->frame = (edo_slice){ "good", 4 };
        edo_await(rc, edo_sink_send(&self->out, &self->frame));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_sink_close(&self->out));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_udp_recv(self->sockets[1], self->buffer, sizeof self->buffer));
        assert_int_equal(rc, 4);
        edo_udp_frame_sink_deinit(&self->out);
        close_sockets(self->sockets);
        edo_return(0);
    }
}
