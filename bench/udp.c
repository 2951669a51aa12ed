/* An echo server of UDP, driven from outside: it serves until it is killed.
 *
 *     udp_echo PORT [BATCH [single]]    BATCH: messages per call, up to 64; 1 is the default. With
 *                                       more, the kernel may merge datagrams that come together,
 *                                       and cuts the answers. single: it does not merge them */
#include <stdlib.h>
#include <string.h>

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

/* Room for one message of merged datagrams. */
typedef struct place {
    edo_slice slice;
    edo_control control;
    _Alignas(8) char records[EDO_CONTROL_SPACE(4)];
    char buffer[65536];
} place;

struct udp_echo_many {
    edo_frame();
    edo_args(edo_udp *socket; size_t batch; place *places;);
    edo_message messages[MOST];
};

static void prepare(struct udp_echo_many *self)
{
    for (size_t i = 0; i < self->batch; i++) {
        place *at = &self->places[i];
        at->slice = (edo_slice){ at->buffer, sizeof at->buffer };
        at->control = (edo_control){ at->records, sizeof at->records, 0 };
        self->messages[i] = (edo_message){ .slices = &at->slice,
                                           .slice_count = 1,
                                           .control = &at->control };
    }
}

/* Has the kernel cut an answer as it has merged the request. */
static void cut(edo_message *message)
{
    edo_datagram_info info;
    edo_datagram_info_read(message->control, &info);
    message->control->size = 0;
    if (!(info.present & EDO_DATAGRAM_SEGMENT) || info.segment >= message->size) return;
    bench_require(edo_datagram_info_write(message->control, &info, &message->address), "GSO");
}

/* Makes an answer of each message that was received. */
static void turn_round(struct udp_echo_many *self, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        edo_message *message = &self->messages[i];
        message->slices->size = (size_t)message->size;
        if (message->control->size) cut(message);
    }
}

/* Makes room again in the messages that were answered. */
static void renew(struct udp_echo_many *self, size_t count)
{
    for (size_t i = 0; i < count; i++)
        self->messages[i].slices->size = sizeof self->places[i].buffer;
}

edo_async(udp_echo_many)
{
    edo_body {
        int64_t n;
        prepare(self);
        for (;;) {
            edo_await(n, edo_udp_recv_many(self->socket, self->messages, self->batch));
            if (n < 0) break;
            turn_round(self, (size_t)n);
            edo_await(n, edo_udp_send_many(self->socket, self->messages, (size_t)n));
            renew(self, self->batch);
        }
        edo_return(n);
    }
}

static int64_t serve_many(edo_runtime *runtime, edo_udp *socket, size_t batch, bool merges)
{
    place *places = calloc(batch, sizeof *places);
    bench_require(places ? 0 : -ENOMEM, "places");
    bench_require(edo_udp_set(socket, EDO_UDP_GRO, merges), "GRO");
    int64_t rc = edo_block_on(runtime, udp_echo_many, .socket = socket, .batch = batch,
                              .places = places);
    free(places);
    return rc;
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
    bool merges = argc < 3 || strcmp(argv[2], "single") != 0;
    bench_require(argc >= 1 && argc <= (merges ? 2 : 3) ? 0 : -EINVAL,
                  "usage: udp_echo PORT [BATCH [single]]");
    edo_udp *socket = open_server(argv[0]);
    unsigned long batch = argc >= 2 ? strtoul(argv[1], NULL, DECIMAL) : 1;
    bench_require(batch && batch <= MOST ? 0 : -EINVAL, "BATCH");
    int64_t rc = batch == 1 ? edo_block_on(runtime, udp_echo, .socket = socket)
                            : serve_many(runtime, socket, batch, merges);
    edo_udp_close(socket);
    bench_require(rc, "serve");
    return 0;
}
