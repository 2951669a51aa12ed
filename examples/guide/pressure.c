/* Back-pressure from end to end: a client that does not read stops the source of the data. */
#include <stdio.h>

#include <edo/edo.h>

/* region: pressure */
typedef edo_sender(edo_slice) line_sender;
typedef edo_receiver(edo_slice) line_receiver;

static int made; // lines that the source has made

static int64_t make_line(void *context, void *ret_item)
{
    static char text[] = "a line of the log that is sent to a client";
    (void)context;
    made++;
    *(edo_slice *)ret_item = (edo_slice){ text, sizeof text - 1 };
    return 1; // without end
}

/* The source, in a task of its own: it waits when the channel is full. */
struct produce {
    edo_frame();
    edo_args(line_sender tx;);
    edo_function_of(edo_slice) lines;
    edo_sender_sink_of(edo_slice) out;
    edo_forward_of(edo_slice) forward;
};

edo_async(produce)
{
    edo_body {
        int64_t rc;
        edo_function_init(&self->lines, make_line, NULL);
        edo_sender_sink_init(&self->out, &self->tx);
        edo_forward_init(&self->forward, &self->lines, &self->out);
        edo_await(rc, edo_forward(&self->forward)); // until the receiver is closed
        edo_sender_close(&self->tx);
        edo_return(rc);
    }
}

/* The connection: it waits when 1000 bytes are unwritten, and then takes nothing from the channel. */
struct transmit {
    edo_frame();
    edo_args(line_receiver rx; edo_io *conn;);
    edo_line_codec codec;
    edo_op_source_of(edo_slice) lines;
    edo_frame_sink_of(edo_slice) out;
    edo_forward_of(edo_slice) forward;
};

edo_async(transmit)
{
    edo_body {
        int64_t rc;
        edo_line_codec_init(&self->codec, 200);
        edo_receiver_stream(&self->lines, &self->rx);
        edo_frame_sink_init(&self->out, self->conn, &self->codec.codec);
        edo_frame_sink_set_boundary(&self->out, 1000);
        edo_forward_init(&self->forward, &self->lines, &self->out);
        edo_await(rc, edo_forward(&self->forward)); // until the client is gone
        edo_frame_sink_deinit(&self->out);
        edo_receiver_close(&self->rx);
        edo_close(self->conn);
        edo_return(rc);
    }
}
/* end: pressure */

struct show {
    edo_frame();
    edo_args();
    line_sender tx;
    line_receiver rx;
    edo_io *server, *client;
    edo_task *source, *connection;
    char line[64];
    int64_t result;
};

edo_async(show)
{
    edo_body {
        edo_check(edo_mpsc_create(&self->tx, &self->rx, 10));
        edo_check(edo_duplex(500, &self->server, &self->client));
        edo_check(edo_spawn(&self->source, produce, .tx = self->tx));
        edo_check(edo_spawn(&self->connection, transmit, .rx = self->rx, .conn = self->server));
        edo_await_void(edo_sleep(edo_ms(50)));
        printf("made for a client that does not read: %s\n", made < 60 ? "a few" : "too many");
        edo_await_void(edo_read_exact(self->client, self->line, 42));
        printf("%.42s\n", self->line);
        edo_close(self->client);
        edo_await(self->result, edo_join(self->connection));
        printf("connection: %s\n", edo_strerror(self->result));
        edo_await(self->result, edo_join(self->source));
        printf("source: %s\n", edo_strerror(self->result));
        edo_return(0);
    }
}

int main(void)
{
    return edo_run(show);
}
