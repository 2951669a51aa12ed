/* UDP sockets for tests. */
#pragma once

#include "support/streams.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Makes a socket of the loopback, on a free port. */
static inline edo_udp *loopback_socket(edo_address *ret_address)
{
    edo_udp *socket;
    assert_int_equal(edo_udp_bind_text("127.0.0.1:0", NULL, &socket), 0);
    if (ret_address) assert_int_equal(edo_udp_local(socket, ret_address), 0);
    return socket;
}

/* Makes two sockets of the loopback that are connected to each other. */
static inline void connected_sockets(edo_udp *ret_sockets[2])
{
    edo_address addresses[2];
    for (int i = 0; i < 2; i++)
        ret_sockets[i] = loopback_socket(&addresses[i]);
    for (int i = 0; i < 2; i++)
        assert_int_equal(edo_udp_connect(ret_sockets[i], &addresses[!i]), 0);
}

/* Sends from a plain descriptor, without operations of the library. */
static inline void send_plainly(int fd, const void *data, size_t size, const edo_address *to)
{
    size_t length;
    const struct sockaddr *system = edo_address_system(to, &length);
    assert_int_equal(sendto(fd, data, size, 0, system, (socklen_t)length), size);
}

/* Waits until a datagram has come, which the system may deliver late; with a limit, so that a lost
 * datagram is no hang. */
static inline void await_datagram(const edo_udp *socket)
{
    enum { LIMIT = 30000 }; // ms
    struct pollfd poll_fd = { .fd = edo_udp_fd(socket), .events = POLLIN };
    assert_int_equal(poll(&poll_fd, 1, LIMIT), 1);
}

/* The same for an error of the network. */
static inline void await_network_error(const edo_udp *socket)
{
    enum { LIMIT = 30000 }; // ms
    struct pollfd poll_fd = { .fd = edo_udp_fd(socket) };
    assert_int_equal(poll(&poll_fd, 1, LIMIT), 1);
}

static inline int plain_socket(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_return_code(fd, errno);
    return fd;
}

/* Makes a socket that is connected to itself, so that it receives from no other socket. A datagram
 * to its address is answered as if no socket were there. The port is not free for others. */
static inline edo_udp *dead_socket(edo_address *ret_address)
{
    edo_udp *socket = loopback_socket(ret_address);
    assert_int_equal(edo_udp_connect(socket, ret_address), 0);
    return socket;
}
