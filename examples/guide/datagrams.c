/* Datagrams: a server of two tasks, and a client that asks by batches. */
#include <stdio.h>
#include <string.h>

#include <edo/edo.h>

/* region: server */
/* Answers each datagram with its size. */
struct measure {
    edo_frame();
    edo_args(edo_udp *socket;);
    edo_address from;
    char buffer[512], answer[64];
};

edo_async(measure)
{
    edo_body {
        int64_t n;
        int size;
        for (;;) {
            edo_await(n, edo_udp_recv_from(self->socket, self->buffer, 512, &self->from));
            if (n == -EMSGSIZE) // longer than the buffer: its size is known, its end is lost
                size = snprintf(self->answer, 64, "%d, too long",
                                (int)edo_op_progress(edo_last_op()));
            else if (n >= 0) // 0 is a datagram of no bytes, and no end
                size = snprintf(self->answer, 64, "%d", (int)n);
            else
                edo_return(n);
            edo_await_void(edo_udp_send_to(self->socket, self->answer, (size_t)size, &self->from));
        }
    }
}
/* end: server */

/* region: batch */
enum { COUNT = 4 };

/* Sends datagrams of four sizes by one call, and receives what has come by one call. */
struct ask {
    edo_frame();
    edo_args(edo_udp *socket;);
    edo_message out[COUNT], in[COUNT];
    edo_slice questions[COUNT], answers[COUNT];
    char bytes[600], text[COUNT][64];
    int received;
};

static void prepare(struct ask *self)
{
    static const size_t sizes[COUNT] = { 5, 0, 512, 600 };
    for (int i = 0; i < COUNT; i++) {
        self->questions[i] = (edo_slice){ self->bytes, sizes[i] };
        self->out[i] = (edo_message){ .slices = &self->questions[i], .slice_count = 1 };
        self->answers[i] = (edo_slice){ self->text[i], sizeof self->text[i] };
        self->in[i] = (edo_message){ .slices = &self->answers[i], .slice_count = 1 };
    }
}

edo_async(ask)
{
    edo_body {
        int64_t n;
        prepare(self);
        edo_try(edo_udp_send_many(self->socket, self->out, COUNT));
        for (self->received = 0; self->received < COUNT; self->received += (int)n) {
            edo_try(n, edo_udp_recv_many(self->socket, self->in, COUNT));
            for (int64_t i = 0; i < n; i++)
                printf("%.*s\n", (int)self->in[i].size, self->text[i]);
        }
        edo_return(0);
    }
}
/* end: batch */

/* region: sockets */
struct conversation {
    edo_frame(struct ask ask;);
    edo_args();
    edo_udp *server, *client;
    edo_address address;
};

edo_async(conversation)
{
    edo_body {
        int rc;
        edo_check(edo_udp_bind_text("127.0.0.1:0", NULL, &self->server));
        edo_check(edo_udp_local(self->server, &self->address));
        edo_check(edo_udp_open(&self->address, NULL, &self->client)); // connected to the server
        edo_check(edo_go(measure, .socket = self->server));
        edo_call(rc, ask, .socket = self->client);
        edo_udp_close(self->client);
        edo_udp_close(self->server); // the waiting receive answers -ECANCELED
        edo_return(rc);
    }
}
/* end: sockets */

int main(void)
{
    return edo_run(conversation);
}
