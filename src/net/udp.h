/* Internals of UDP sockets. */
#pragma once

#include <edo/udp.h>

#include "io/io.h"

/* Two sources share the descriptor. Operations on datagrams wait at `source`. A wait for the error
 * queue waits at `errors`. If both waited in one list, an event could wake the wait for the error
 * queue instead of a receive. An operation on `errors` also claims `source`, and releases that
 * claim last. So the descriptor remains open as long as `errors` uses it. */
struct edo_udp {
    edo__source source;
    edo__source errors;
    edo_atomic(uint32_t) parts;    // sources that have not ended; the last one frees the socket
    edo_atomic(bool) is_connected; // whether the socket has a peer
    edo_atomic(bool) no_segments;  // sends do not let the kernel cut buffers into datagrams,
                                   // because the kernel or a device cannot do it, or because
                                   // EDO_UDP_SEND_TIMESTAMPS is on
    edo_atomic(bool) merges;       // EDO_UDP_GRO is on
    bool is_v6;
};

/* Returns: the socket, which is the first member of every operation's own data. */
static inline edo_udp *edo__udp_of(const edo_op *op)
{
    return op->object;
}

/* Finds the descriptor of a socket, for a call that uses the descriptor at once. Returns: the
 * descriptor; -EINVAL for NULL. */
edo_fd edo__udp_fd(const edo_udp *socket, const char *call);

/* Whether an error came from the network, as an answer to an earlier datagram. */
bool edo__udp_is_answer(int64_t error);
