/* An echo server of UDP, driven from outside: it serves until it is killed.
 *
 *     udp_echo PORT [BATCH]    BATCH: datagrams per call, up to 64; 1 is the default */
#include <stdlib.h>

#include "bench.h"

enum { MOST = 64, BUFFER = 2048, DECIMAL = 10 };

/* One datagram after the other. */
struct udp_echo {
    edo_frame();
    edo_args(edo_udp *socket;);
    edo_address from;
    char buffer[BUFFER];
};

edo_async(udp_echo)
{
    edo_body {
        int64_t n;
        for (;;) {
            edo_await(n, edo_udp_recv_from(self->socket, self->buffer, BUFFER, &self->from));
            if (n < 0) break;
            edo_await(n, edo_udp_send_to(self->socket, self->buffer, (size_t)n, &self->from));
        }
        edo_return(n);
    }
}

struct udp_echo_many {
    edo_frame();
    edo_args(edo_udp *socket; size_t batch;);
    edo_message messages[MOST];
    edo_slice slices[MOST];
    char buffers[MOST][BUFFER];
};

static void set_sizes(struct udp_echo_many *self, size_t count, bool receive)
{
    for (size_t i = 0; i < count; i++)
        self->slices[i].size = receive ? BUFFER : (size_t)self->messages[i].size;
}

static void set_messages(struct udp_echo_many *self)
{
    for (size_t i = 0; i < self->batch; i++) {
        self->slices[i] = (edo_slice){ self->buffers[i], BUFFER };
        self->messages[i] = (edo_message){ .slices = &self->slices[i], .slice_count = 1 };
    }
}

edo_async(udp_echo_many)
{
    edo_body {
        int64_t n;
        set_messages(self);
        for (;;) {
            set_sizes(self, self->batch, true);
            edo_await(n, edo_udp_recv_many(self->socket, self->messages, self->batch));
            if (n < 0) break;
            set_sizes(self, (size_t)n, false);
            edo_await(n, edo_udp_send_many(self->socket, self->messages, (size_t)n));
        }
        edo_return(n);
    }
}

static edo_udp *open_server(const char *port)
{
    edo_udp *socket;
    unsigned long number = strtoul(port, NULL, DECIMAL);
    edo_address address = edo_address_v4((const uint8_t[]){ 127, 0, 0, 1 }, (uint16_t)number);
    bench_require(edo_udp_bind(&address, NULL, &socket), "bind");
    edo_udp_set(socket, EDO_UDP_RECV_BUFFER, 1 << 20);
    return socket;
}

int bench_udp_echo(edo_runtime *runtime, int argc, char **argv)
{
    bench_require(argc == 1 || argc == 2 ? 0 : -EINVAL, "usage: udp_echo PORT [BATCH]");
    edo_udp *socket = open_server(argv[0]);
    unsigned long batch = argc == 2 ? strtoul(argv[1], NULL, DECIMAL) : 1;
    bench_require(batch && batch <= MOST ? 0 : -EINVAL, "BATCH");
    int64_t rc = batch == 1
                     ? edo_block_on(runtime, udp_echo, .socket = socket)
                     : edo_block_on(runtime, udp_echo_many, .socket = socket, .batch = batch);
    edo_udp_close(socket);
    bench_require(rc, "serve");
    return 0;
}
