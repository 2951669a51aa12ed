/* Options of connections: each is set, read back, and checked by getsockopt(). */
#include "support/streams.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int option_of(const edo_io *conn, int level, int option)
{
    int value = -1;
    socklen_t size = sizeof value;
    assert_return_code(getsockopt(edo_io_fd(conn), level, option, &value, &size), errno);
    return value;
}

static edo_io *tcp_conn(void)
{
    return wrap(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

test(nodelay)
{
    edo_io *conn = tcp_conn();
    assert_int_equal(edo_tcp_nodelay(conn), 0);
    assert_int_equal(edo_tcp_set_nodelay(conn, true), 0);
    assert_int_equal(edo_tcp_nodelay(conn), 1);
    assert_int_not_equal(option_of(conn, IPPROTO_TCP, TCP_NODELAY), 0);
    assert_int_equal(edo_tcp_set_nodelay(conn, false), 0);
    assert_int_equal(edo_tcp_nodelay(conn), 0);
    edo_close(conn);
}

test(keepalive)
{
    edo_io *conn = tcp_conn();
    edo_keepalive times, defaults;
    assert_int_equal(edo_tcp_keepalive(conn, &defaults), 0);
    assert_int_equal(edo_tcp_keepalive(conn, NULL), 0);
    assert_int_equal(edo_tcp_set_keepalive(conn, true, (edo_keepalive){ 0 }), 0);
    assert_int_equal(edo_tcp_keepalive(conn, &times), 1);
    assert_int_equal(times.idle, defaults.idle); // zero keeps the system's value
    assert_int_equal(times.interval, defaults.interval);
    assert_int_equal(times.count, defaults.count);
    times = (edo_keepalive){ .idle = 77, .interval = 11, .count = 5 };
    assert_int_equal(edo_tcp_set_keepalive(conn, true, times), 0);
    assert_int_equal(edo_tcp_keepalive(conn, &times), 1);
    assert_int_equal(times.idle, 77);
    assert_int_equal(times.interval, 11);
    assert_int_equal(times.count, 5);
    assert_int_equal(option_of(conn, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(option_of(conn, IPPROTO_TCP, TCP_KEEPIDLE), 77);
    assert_int_equal(option_of(conn, IPPROTO_TCP, TCP_KEEPINTVL), 11);
    assert_int_equal(option_of(conn, IPPROTO_TCP, TCP_KEEPCNT), 5);
    assert_int_equal(edo_tcp_set_keepalive(conn, false, (edo_keepalive){ .count = 6 }), 0);
    assert_int_equal(edo_tcp_keepalive(conn, &times), 0);
    assert_int_equal(times.idle, 77);
    assert_int_equal(times.count, 6);
    edo_close(conn);
}

test(bad_keepalive)
{
    edo_io *conn = tcp_conn();
    static const edo_keepalive bad[] = {
        { .idle = -1 },      { .interval = -1 },      { .count = -1 },
        { .idle = 1 << 20 }, { .interval = 1 << 20 }, { .count = 1 << 20 },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        assert_int_equal(edo_tcp_set_keepalive(conn, true, bad[i]), -EINVAL);
        assert_int_equal(edo_tcp_keepalive(conn, NULL), 0); // still off
    }
    edo_keepalive before, after;
    edo_tcp_keepalive(conn, &before);
    assert_int_equal(edo_tcp_set_keepalive(conn, true, (edo_keepalive){ 70, -1, 0 }), -EINVAL);
    assert_int_equal(edo_tcp_set_keepalive(conn, true, (edo_keepalive){ 70, 7, -1 }), -EINVAL);
    edo_tcp_keepalive(conn, &after);
    assert_memory_equal(&before, &after, sizeof before); // all or nothing
    edo_close(conn);
}

test(linger)
{
    edo_io *conn = tcp_conn();
    int seconds = -7;
    assert_int_equal(edo_tcp_linger(conn, &seconds), 0);
    assert_int_equal(seconds, -1);
    static const int values[] = { 0, 5, -1, 1000 };
    for (size_t i = 0; i < ARRAY_LENGTH(values); i++) {
        assert_int_equal(edo_tcp_set_linger(conn, values[i]), 0);
        assert_int_equal(edo_tcp_linger(conn, &seconds), 0);
        assert_int_equal(seconds, values[i]);
    }
    assert_int_equal(edo_tcp_set_linger(conn, -2), -EINVAL);
    assert_int_equal(edo_tcp_linger(conn, &seconds), 0);
    assert_int_equal(seconds, 1000);
    assert_int_equal(edo_tcp_set_linger(conn, -1), 0); // otherwise the close might take that long
    edo_close(conn);
}

/* Linux reports twice the set value. */
test(buffers)
{
    enum { SIZE = 40000 };
    edo_io *conn = tcp_conn();
    assert_int_equal(edo_tcp_set_send_buffer(conn, SIZE), 0);
    assert_int_equal(edo_tcp_send_buffer(conn), 2 * SIZE);
    assert_int_equal(option_of(conn, SOL_SOCKET, SO_SNDBUF), 2 * SIZE);
    assert_int_equal(edo_tcp_set_recv_buffer(conn, SIZE + 2), 0);
    assert_int_equal(edo_tcp_recv_buffer(conn), 2 * (SIZE + 2));
    assert_int_equal(option_of(conn, SOL_SOCKET, SO_RCVBUF), 2 * (SIZE + 2));
    assert_int_equal(edo_tcp_set_send_buffer(conn, 0), -EINVAL);
    assert_int_equal(edo_tcp_set_send_buffer(conn, -1), -EINVAL);
    assert_int_equal(edo_tcp_set_recv_buffer(conn, 0), -EINVAL);
    assert_int_equal(edo_tcp_set_recv_buffer(conn, -1), -EINVAL);
    assert_int_equal(edo_tcp_send_buffer(conn), 2 * SIZE);
    edo_close(conn);
}

static void check_ip_options(int family)
{
    edo_io *conn = wrap(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    int level = family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
    static const int ttls[] = { 1, 64, 255 }, toses[] = { 0, 0x10, 0xb8 };
    static const int bad_ttls[] = { 0, -1, 256 }, bad_toses[] = { -1, 256 };
    for (size_t i = 0; i < ARRAY_LENGTH(ttls); i++) {
        assert_int_equal(edo_tcp_set_ttl(conn, ttls[i]), 0);
        assert_int_equal(edo_tcp_ttl(conn), ttls[i]);
        assert_int_equal(option_of(conn, level, family == AF_INET6 ? IPV6_UNICAST_HOPS : IP_TTL),
                         ttls[i]);
        assert_int_equal(edo_tcp_set_tos(conn, toses[i]), 0);
        assert_int_equal(edo_tcp_tos(conn), toses[i]);
        assert_int_equal(option_of(conn, level, family == AF_INET6 ? IPV6_TCLASS : IP_TOS),
                         toses[i]);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(bad_ttls); i++)
        assert_int_equal(edo_tcp_set_ttl(conn, bad_ttls[i]), -EINVAL);
    for (size_t i = 0; i < ARRAY_LENGTH(bad_toses); i++)
        assert_int_equal(edo_tcp_set_tos(conn, bad_toses[i]), -EINVAL);
    assert_int_equal(edo_tcp_ttl(conn), 255);
    edo_close(conn);
}

test(ip_options)
{
    check_ip_options(AF_INET);
    if (has_ipv6()) check_ip_options(AF_INET6);
}

test(both_families)
{
    if (!has_ipv6()) skip();
    edo_io *conn = wrap(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    assert_int_equal(edo_tcp_set_ttl(conn, 9), 0);
    assert_int_equal(edo_tcp_set_tos(conn, 0x10), 0);
    assert_int_equal(option_of(conn, IPPROTO_IPV6, IPV6_UNICAST_HOPS), 9);
    assert_int_equal(option_of(conn, IPPROTO_IP, IP_TTL), 9);
    assert_int_equal(option_of(conn, IPPROTO_IPV6, IPV6_TCLASS), 0x10);
    assert_int_equal(option_of(conn, IPPROTO_IP, IP_TOS), 0x10);
    edo_close(conn);
}

/* ---- options in packets ---- */

typedef struct packet {
    int ttl, tos;
} packet;

static uint16_t port_at(const unsigned char *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static void take_control(struct msghdr *message, packet *ret_packet)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != IPPROTO_IPV6) continue;
        if (c->cmsg_type == IPV6_HOPLIMIT) memcpy(&ret_packet->ttl, CMSG_DATA(c), sizeof(int));
        if (c->cmsg_type == IPV6_TCLASS) memcpy(&ret_packet->tos, CMSG_DATA(c), sizeof(int));
    }
}

/* Reads the first packet with data from that port. A packet of IPv4 begins with its IP header. */
static packet catch_packet(int raw, int family, uint16_t from)
{
    enum { PUSH = 8, FLAGS_AT = 13, PROTOCOL_WORDS = 4 };
    for (;;) {
        unsigned char bytes[256], control[256];
        packet caught = { -1, -1 };
        struct iovec vector = { bytes, sizeof bytes };
        struct msghdr message = { .msg_iov = &vector,
                                  .msg_iovlen = 1,
                                  .msg_control = control,
                                  .msg_controllen = sizeof control };
        assert_return_code(recvmsg(raw, &message, 0), errno);
        const unsigned char *tcp = bytes;
        if (family == AF_INET) {
            caught = (packet){ .ttl = bytes[8], .tos = bytes[1] };
            tcp += PROTOCOL_WORDS * (bytes[0] & 0xf);
        } else {
            take_control(&message, &caught);
        }
        if (port_at(tcp) == from && (tcp[FLAGS_AT] & PUSH)) return caught;
    }
}

/* Has the kernel drop packets from other ports, because those of other tests would fill the buffer.
 * A packet of IPv4 begins with its IP header, one of IPv6 behind it. */
static void keep_packets_from(int raw, int family, uint16_t port)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), // the length of the IP header
        BPF_STMT(BPF_LD | BPF_H | BPF_IND, 0),  // the port behind the IP header
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    if (family == AF_INET6) code[0] = (struct sock_filter)BPF_STMT(BPF_LDX | BPF_IMM, 0);
    struct sock_fprog program = { ARRAY_LENGTH(code), code };
    assert_return_code(setsockopt(raw, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program),
                       errno);
    // Packets from before the filter may have filled the buffer.
    while (recv(raw, &(char){ 0 }, 1, MSG_DONTWAIT) >= 0) {}
}

/* Opens a raw socket that receives packets from a port to one address of this machine; -1 without
 * the privilege. */
static int open_raw(int family, const struct sockaddr *address, socklen_t size, uint16_t from)
{
    int on = 1, raw = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP);
    if (raw < 0) return -1;
    keep_packets_from(raw, family, from);
    assert_return_code(bind(raw, address, size), errno);
    if (family == AF_INET) return raw;
    setsockopt(raw, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &on, sizeof on);
    setsockopt(raw, IPPROTO_IPV6, IPV6_RECVTCLASS, &on, sizeof on);
    return raw;
}

static socklen_t loopback(int family, uint16_t port, struct sockaddr_storage *ret_address)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)ret_address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret_address;
    memset(ret_address, 0, sizeof *ret_address);
    if (family == AF_INET) {
        *v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
        v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return sizeof *v4;
    }
    *v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port) };
    v6->sin6_addr = in6addr_loopback;
    return sizeof *v6;
}

static uint16_t port_of(const edo_listener *listener)
{
    struct sockaddr_in6 address = { 0 };
    socklen_t size = sizeof address;
    getsockname(edo_listener_fd(listener), (struct sockaddr *)&address, &size);
    return ntohs(address.sin6_port); // at the same offset for IPv4
}

/* A server on all addresses of both families, and a client of one family. */
struct packets_to {
    edo_frame();
    edo_args(int family;);
    edo_listener *listener;
    edo_io *conn;
    int client, raw;
};

edo_async(packets_to)
{
    edo_body {
        int64_t n;
        struct sockaddr_storage address;
        socklen_t size;
        edo_await(n, edo_tcp_listen(":0", &self->listener));
        assert_int_equal(n, 0);
        size = loopback(self->family, 0, &address);
        self->raw = open_raw(self->family, (struct sockaddr *)&address, size,
                             port_of(self->listener));
        if (self->raw < 0) {
            edo_listener_close(self->listener);
            edo_return(0);
        }
        size = loopback(self->family, port_of(self->listener), &address);
        self->client = socket(self->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_return_code(connect(self->client, (struct sockaddr *)&address, size), errno);
        edo_await(n, edo_accept(self->listener, &self->conn));
        assert_int_equal(n, 0);
        assert_int_equal(edo_tcp_set_ttl(self->conn, 9), 0);
        assert_int_equal(edo_tcp_set_tos(self->conn, 0x10), 0);
        assert_int_equal(edo_tcp_ttl(self->conn), 9);
        assert_int_equal(edo_tcp_tos(self->conn), 0x10);
        edo_await(n, edo_write(self->conn, "x", 1));
        assert_int_equal(n, 1);
        packet caught = catch_packet(self->raw, self->family, port_of(self->listener));
        assert_int_equal(caught.ttl, 9);
        assert_int_equal(caught.tos, 0x10);
        // The value read is the value sent, also when the program has set it.
        setsockopt(edo_io_fd(self->conn), self->family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6,
                   self->family == AF_INET ? IP_TTL : IPV6_UNICAST_HOPS, &(int){ 33 }, sizeof(int));
        assert_int_equal(edo_tcp_ttl(self->conn), 33);
        edo_close(self->conn);
        edo_listener_close(self->listener);
        close(self->client);
        close(self->raw);
        edo_return(0);
    }
}

async_test(packets, edo_callees(struct packets_to callee;))
{
    edo_body {
        int64_t n;
        edo_call(n, packets_to, .family = AF_INET);
        if (n == 0 && has_ipv6()) edo_call(n, packets_to, .family = AF_INET6);
        edo_return(n);
    }
}

/* ---- streams that are not TCP ---- */

static void check_not_tcp(edo_io *io)
{
    int seconds = 7;
    edo_keepalive times = { .idle = 7 };
    assert_int_equal(edo_tcp_set_nodelay(io, true), -ENOTSUP);
    assert_int_equal(edo_tcp_nodelay(io), -ENOTSUP);
    assert_int_equal(edo_tcp_set_keepalive(io, true, (edo_keepalive){ 0 }), -ENOTSUP);
    assert_int_equal(edo_tcp_keepalive(io, &times), -ENOTSUP);
    assert_int_equal(edo_tcp_set_linger(io, 0), -ENOTSUP);
    assert_int_equal(edo_tcp_linger(io, &seconds), -ENOTSUP);
    assert_int_equal(edo_tcp_set_send_buffer(io, 4096), -ENOTSUP);
    assert_int_equal(edo_tcp_send_buffer(io), -ENOTSUP);
    assert_int_equal(edo_tcp_set_recv_buffer(io, 4096), -ENOTSUP);
    assert_int_equal(edo_tcp_recv_buffer(io), -ENOTSUP);
    assert_int_equal(edo_tcp_set_ttl(io, 64), -ENOTSUP);
    assert_int_equal(edo_tcp_ttl(io), -ENOTSUP);
    assert_int_equal(edo_tcp_set_tos(io, 0), -ENOTSUP);
    assert_int_equal(edo_tcp_tos(io), -ENOTSUP);
    assert_int_equal(edo_tcp_take_error(io), -ENOTSUP);
    assert_int_equal(seconds, 7); // outputs are untouched
    assert_int_equal(times.idle, 7);
}

test(not_tcp)
{
    edo_io *reader, *writer, *datagrams;
    open_streams(PIPE_STREAM, &reader, &writer);
    check_not_tcp(reader);
    edo_close(reader);
    edo_close(writer);
    open_streams(UNIX_STREAM, &reader, &writer);
    check_not_tcp(writer);
    edo_close(reader);
    edo_close(writer);
    datagrams = wrap(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    check_not_tcp(datagrams);
    edo_close(datagrams);
}

/* ---- effects of options ---- */

/* Linger 0: the close drops unsent data and resets the connection. */
async_test(reset, edo_io *a, *b; edo_task *reader; int round; char byte;)
{
    edo_body {
        int64_t n;
        for (self->round = 0; self->round < 2; self->round++) {
            open_streams(TCP_STREAM, &self->a, &self->b);
            n = edo_spawn(&self->reader, run_op, .op = edo_read(self->b, &self->byte, 1));
            assert_int_equal(n, 0);
            settle();
            if (self->round == 1) assert_int_equal(edo_tcp_set_linger(self->a, 0), 0);
            edo_close(self->a);
            edo_await(n, edo_join(self->reader));
            assert_int_equal(n, self->round == 1 ? -ECONNRESET : 0);
            edo_close(self->b);
        }
        edo_return(0);
    }
}

/* The pending error is taken once. */
async_test(take_error, edo_io *a, *b;)
{
    edo_body {
        int64_t n;
        open_streams(TCP_STREAM, &self->a, &self->b);
        assert_int_equal(edo_tcp_set_linger(self->a, 0), 0);
        edo_close(self->a);
        edo_await(n, edo_wait_fd(edo_io_fd(self->b), EDO_READABLE));
        assert_int_equal(n, EDO_READABLE);
        assert_int_equal(edo_tcp_take_error(self->b), -ECONNRESET);
        assert_int_equal(edo_tcp_take_error(self->b), 0);
        edo_close(self->b);
        edo_return(0);
    }
}
