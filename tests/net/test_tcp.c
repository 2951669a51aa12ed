/* The rarer options of TCP, urgent data, sockets by number. */
#include "support/streams.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TIMEOUT = 4321, SEGMENT = 700, LIMIT = 9000, BUFFER = 50000 };

/* A connection: `conn` connects to a listener, `peer` is accepted. */
struct meet {
    edo_frame();
    edo_args(const edo_tcp_options *listens; const edo_tcp_options *connects; edo_io **ret_conn;
             edo_io **ret_peer; const char *first;);
    edo_listener *listener;
    edo_listen_options listen_options;
    edo_connect_options connect_options;
    char text[EDO_ADDRESS_SIZE];
};

edo_async(meet)
{
    edo_body {
        int64_t rc;
        self->listen_options = (edo_listen_options){ .tcp = self->listens };
        self->connect_options = (edo_connect_options){ .tcp = self->connects };
        edo_await(rc, edo_tcp_listen_with("127.0.0.1:0", self->listen_options, &self->listener));
        if (rc < 0) edo_return(rc);
        edo_listener_address(self->listener, self->text, sizeof self->text);
        edo_await(rc, edo_tcp_connect_with(self->text, self->connect_options, self->ret_conn));
        if (rc < 0) {
            edo_listener_close(self->listener);
            edo_return(rc);
        }
        if (self->first) {
            edo_await(rc, edo_write_all(*self->ret_conn, self->first, strlen(self->first)));
            assert_int_equal(rc, strlen(self->first));
        }
        edo_await(rc, edo_accept(self->listener, self->ret_peer));
        assert_int_equal(rc, 0);
        edo_listener_close(self->listener);
        edo_return(0);
    }
}

/* ---- options before listening and connecting ---- */

async_test(options_are_set_before_the_connection,
    edo_callees(struct meet meet;) edo_tcp_options options;
    edo_io *conn, *peer;
    edo_tcp_info info;
    char name[32];)
{
    edo_body {
        int rc;
        self->options = (edo_tcp_options){ .nodelay = true,
                                           .user_timeout = TIMEOUT,
                                           .max_segment = SEGMENT,
                                           .unsent_limit = LIMIT,
                                           .send_buffer = BUFFER,
                                           .recv_buffer = BUFFER,
                                           .congestion = "reno" };
        edo_call(rc, meet, .listens = &self->options, .connects = &self->options,
                 .ret_conn = &self->conn, .ret_peer = &self->peer);
        assert_int_equal(rc, 0);
        for (int i = 0; i < 2; i++) {
            edo_io *one = i ? self->conn : self->peer;
            assert_int_equal(edo_tcp_nodelay(one), 1);
            assert_int_equal(edo_tcp_user_timeout(one), TIMEOUT);
            assert_in_range(edo_tcp_max_segment(one), SEGMENT - 40, SEGMENT); // 40: TCP's options
            assert_int_equal(edo_tcp_unsent_limit(one), LIMIT);
            assert_int_equal(edo_tcp_send_buffer(one), 2 * BUFFER);
            assert_int_equal(edo_tcp_recv_buffer(one), 2 * BUFFER);
            assert_int_equal(edo_tcp_congestion(one, self->name, sizeof self->name), 4);
            assert_string_equal(self->name, "reno");
            assert_int_equal(edo_tcp_congestion(one, self->name, 4), -ENOSPC);
            edo_close(one);
        }
        edo_return(0);
    }
}

async_test(bad_options_fail_the_operation,
    edo_callees(struct meet meet;) edo_tcp_options good, bad[4];
    edo_io *conn, *peer;
    int i;)
{
    edo_body {
        int rc;
        self->good = (edo_tcp_options){ 0 };
        self->bad[0] = (edo_tcp_options){ .user_timeout = -1 };
        self->bad[1] = (edo_tcp_options){ .max_segment = 1 };
        self->bad[2] = (edo_tcp_options){ .recv_buffer = -5 };
        self->bad[3] = (edo_tcp_options){ .congestion = "no such control" };
        for (self->i = 0; self->i < 8; self->i++) {
            edo_tcp_options *bad = &self->bad[self->i / 2];
            bool listens = self->i % 2;
            edo_call(rc, meet, .listens = listens ? bad : &self->good,
                     .connects = listens ? &self->good : bad, .ret_conn = &self->conn,
                     .ret_peer = &self->peer);
            assert_int_equal(rc, self->i / 2 < 3 ? -EINVAL : -ENOENT);
        }
        edo_return(0);
    }
}

async_test(deferred_accepts_wait_for_data,
    edo_callees(struct meet meet;) edo_tcp_options options;
    edo_io *conn, *peer;
    char byte;)
{
    edo_body {
        int rc;
        self->options = (edo_tcp_options){ .defer_accept = 30 };
        edo_call(rc, meet, .listens = &self->options, .ret_conn = &self->conn,
                 .ret_peer = &self->peer, .first = "x");
        assert_int_equal(rc, 0);
        edo_await(rc, edo_read(self->peer, &self->byte, 1));
        assert_int_equal(rc, 1);
        edo_close(self->conn);
        edo_close(self->peer);
        edo_return(0);
    }
}

async_test(multipath_falls_back,
    edo_callees(struct meet meet;) edo_tcp_options multipath, plain;
    edo_io *conn, *peer;
    char text[8];
    int i;)
{
    edo_body {
        int rc;
        self->plain = (edo_tcp_options){ 0 };
        self->multipath = (edo_tcp_options){ .multipath = true };
        for (self->i = 0; self->i < 4; self->i++) {
            edo_call(rc, meet, .listens = self->i & 1 ? &self->multipath : &self->plain,
                     .connects = self->i & 2 ? &self->multipath : &self->plain,
                     .ret_conn = &self->conn, .ret_peer = &self->peer, .first = "hello");
            assert_int_equal(rc, 0);
            edo_await(rc, edo_read_exact(self->peer, self->text, 5));
            assert_int_equal(rc, 5);
            rc = edo_tcp_is_multipath(self->conn);
            assert_int_equal(rc, edo_tcp_is_multipath(self->peer));
            if (self->i < 3) assert_int_equal(rc, 0);
            if (self->i == 3) print_message("MPTCP of this machine: %d\n", rc);
            edo_close(self->conn);
            edo_close(self->peer);
        }
        edo_return(0);
    }
}

/* ---- fast open ---- */

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    if (!file) return;
    fputs(text, file);
    fclose(file);
}

/* Enters a network of its own, where fast open is on for listeners as well. Returns: whether that is
 * possible on this machine. */
static bool enter_own_network(void)
{
    if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) return false;
    write_text("/proc/sys/net/ipv4/tcp_fastopen", "3");
    struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int rc = ioctl(fd, SIOCSIFFLAGS, &lo);
    close(fd);
    return rc == 0;
}

/* The first connection gets the cookie, the second one uses it. */
struct opens_fast {
    edo_frame(struct meet meet;);
    edo_args();
    edo_tcp_options options;
    edo_tcp_info info;
    edo_io *conn, *peer;
    char text[8];
    int i;
};

edo_async(opens_fast)
{
    edo_body {
        int rc;
        self->options = (edo_tcp_options){ .fast_open = true, .fast_open_queue = 5 };
        for (self->i = 0; self->i < 2; self->i++) {
            edo_call(rc, meet, .listens = &self->options, .connects = &self->options,
                     .ret_conn = &self->conn, .ret_peer = &self->peer, .first = "early");
            assert_int_equal(rc, 0);
            edo_await(rc, edo_read_exact(self->peer, self->text, 5));
            assert_int_equal(rc, 5);
            assert_memory_equal(self->text, "early", 5);
            edo_await(rc, edo_write_all(self->peer, "late", 4));
            edo_await(rc, edo_read_exact(self->conn, self->text, 4));
            assert_int_equal(rc, 4);
            assert_int_equal(edo_tcp_get_info(self->peer, &self->info), 0);
            edo_close(self->conn);
            edo_close(self->peer);
        }
        edo_return(self->info.fast_opened);
    }
}

enum { SKIPPED = 7 };

static void open_fast_in_child(void *arg)
{
    if (!enter_own_network()) _exit(SKIPPED);
    edo_runtime *runtime;
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    int64_t rc = edo_block_on(runtime, opens_fast);
    assert_int_equal(rc, 1);
    edo_runtime_destroy(runtime);
    (void)arg;
}

/* In a network where listeners may not open fast, the connection opens as usual. */
async_test(fast_open_without_support, edo_callees(struct opens_fast opens_fast;))
{
    edo_body {
        int rc;
        edo_call(rc, opens_fast);
        assert_true(rc >= 0);
        edo_return(0);
    }
}

test(fast_open_sends_data_with_the_request)
{
    int status = await_child(start_child(open_fast_in_child, NULL));
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED) skip();
    assert_int_equal(status, 0);
}

/* ---- options of connections ---- */

async_test(options_of_a_connection,
    edo_callees(struct meet meet;) edo_io *conn, *peer;
    edo_tcp_info info;
    char bytes[100];)
{
    edo_body {
        int rc;
        edo_call(rc, meet, .ret_conn = &self->conn, .ret_peer = &self->peer);
        assert_int_equal(rc, 0);
        assert_int_equal(edo_tcp_set_user_timeout(self->conn, TIMEOUT), 0);
        assert_int_equal(edo_tcp_user_timeout(self->conn), TIMEOUT);
        assert_int_equal(edo_tcp_set_user_timeout(self->conn, -1), -EINVAL);
        assert_int_equal(edo_tcp_set_congestion(self->conn, "reno"), 0);
        assert_int_equal(edo_tcp_set_congestion(self->conn, "no such control"), -ENOENT);
        assert_int_equal(edo_tcp_congestion(self->conn, self->bytes, sizeof self->bytes), 4);
        assert_int_equal(edo_tcp_unsent_limit(self->conn), 0);
        assert_int_equal(edo_tcp_set_unsent_limit(self->conn, 0), -EINVAL);
        assert_int_equal(edo_tcp_set_unsent_limit(self->conn, LIMIT), 0);
        assert_int_equal(edo_tcp_unsent_limit(self->conn), LIMIT);
        assert_int_equal(edo_tcp_set_quick_ack(self->conn, true), 0);
        assert_int_equal(edo_tcp_quick_ack(self->conn), 1);
        assert_true(edo_tcp_incoming_cpu(self->conn) >= 0);
        edo_await(rc, edo_write_all(self->conn, self->bytes, sizeof self->bytes));
        assert_int_equal(rc, sizeof self->bytes);
        edo_await(rc, edo_read_exact(self->peer, self->bytes, sizeof self->bytes));
        assert_int_equal(edo_tcp_get_info(self->conn, &self->info), 0);
        assert_true(self->info.bytes_sent >= sizeof self->bytes); // with bytes that were sent again
        assert_true(self->info.rtt > 0 && self->info.segment_size > 0);
        assert_true(self->info.congestion_window > 0 && self->info.path_mtu > 0);
        assert_int_equal(edo_tcp_get_info(self->peer, &self->info), 0);
        assert_int_equal(self->info.bytes_received, sizeof self->bytes);
        edo_close(self->conn);
        edo_close(self->peer);
        edo_return(0);
    }
}

test(other_streams_have_no_options_of_tcp)
{
    int peer;
    edo_tcp_info info;
    char text[32];
    unsigned char byte;
    edo_io *io = open_stream(UNIX_STREAM, &peer);
    assert_int_equal(edo_tcp_set_user_timeout(io, 1), -ENOTSUP);
    assert_int_equal(edo_tcp_get_info(io, &info), -ENOTSUP);
    assert_int_equal(edo_tcp_congestion(io, text, sizeof text), -ENOTSUP);
    assert_int_equal(edo_tcp_try_send_urgent(io, 1), -ENOTSUP);
    assert_int_equal(edo_tcp_try_recv_urgent(io, &byte), -ENOTSUP);
    assert_int_equal(edo_tcp_is_at_mark(io), -ENOTSUP);
    assert_int_equal(edo_tcp_is_multipath(io), -ENOTSUP);
    assert_int_equal(edo_tcp_get_info(io, NULL), -EINVAL);
    assert_int_equal(edo_tcp_get_info(NULL, &info), -EINVAL);
    assert_int_equal(edo_tcp_try_recv_urgent(NULL, &byte), -EINVAL);
    assert_int_equal(edo_tcp_set_congestion(io, NULL), -EINVAL);
    assert_int_equal(edo_listener_set_incoming_cpu(NULL, 0), -EINVAL);
    edo_close(io);
    peer_close(peer);
}

/* ---- urgent data ---- */

async_test(urgent_bytes_arrive_beside_the_stream,
    edo_callees(struct meet meet;) edo_io *conn, *peer;
    char bytes[16];
    unsigned char urgent;
    int i;)
{
    edo_body {
        int64_t rc;
        edo_call(rc, meet, .ret_conn = &self->conn, .ret_peer = &self->peer);
        assert_int_equal(edo_tcp_try_recv_urgent(self->peer, &self->urgent), -EAGAIN);
        for (self->i = 0; self->i < 3; self->i++) {
            edo_await(rc, edo_write_all(self->conn, "abc", 3));
            assert_int_equal(edo_tcp_try_send_urgent(self->conn, '!'), 0);
            edo_await(rc, edo_write_all(self->conn, "def", 3));
            edo_await(rc, edo_wait_fd(edo_io_fd(self->peer), EDO_PRIORITY));
            assert_int_equal(rc, EDO_PRIORITY);
            assert_int_equal(edo_tcp_try_recv_urgent(self->peer, &self->urgent), 1);
            assert_int_equal(self->urgent, '!');
            assert_int_equal(edo_tcp_try_recv_urgent(self->peer, &self->urgent), -EAGAIN);
            assert_int_equal(edo_tcp_is_at_mark(self->peer), 0);
            edo_await(rc, edo_read(self->peer, self->bytes, sizeof self->bytes)); // to the mark
            if (!driver_is("chaos")) assert_int_equal(rc, 3);
            if (rc == 3) assert_int_equal(edo_tcp_is_at_mark(self->peer), 1);
            edo_await(rc, edo_read_exact(self->peer, self->bytes, (size_t)(6 - rc)));
            assert_true(rc > 0);
        }
        edo_close(self->conn);
        edo_close(self->peer);
        edo_return(0);
    }
}

/* ---- sockets by number ---- */

async_test(socket_by_number,
    edo_io *listening, *conn, *peer;
    edo_listener *listener;
    struct sockaddr_un name;
    char byte;)
{
    edo_body {
        int rc;
        self->name = (struct sockaddr_un){ .sun_family = AF_UNIX }; // autobind: only the family
        assert_int_equal(edo_socket(AF_UNIX, SOCK_STREAM, 0, &self->listening), 0);
        rc = edo_socket_bind(self->listening, &self->name, sizeof(sa_family_t));
        assert_int_equal(rc, 0);
        int fd = edo_io_into_fd(self->listening);
        assert_int_equal(listen(fd, 1), 0);
        assert_int_equal(edo_listener_from_fd(fd, &self->listener), 0);
        socklen_t size = sizeof self->name;
        assert_int_equal(getsockname(fd, (struct sockaddr *)&self->name, &size), 0);
        assert_int_equal(edo_socket(AF_UNIX, SOCK_STREAM, 0, &self->conn), 0);
        edo_await(rc, edo_socket_connect(self->conn, &self->name, size));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_accept(self->listener, &self->peer));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_write(self->conn, "x", 1));
        edo_await(rc, edo_read(self->peer, &self->byte, 1));
        assert_int_equal(rc, 1);
        edo_close(self->conn);
        edo_close(self->peer);
        edo_listener_close(self->listener);
        edo_return(0);
    }
}

async_test(connect_by_number_fails,
    edo_io *conn;
    struct sockaddr_in to;
    int held;
    uint16_t port;)
{
    edo_body {
        int rc;
        self->held = reserve_port(AF_INET, &self->port);
        self->to = (struct sockaddr_in){ .sin_family = AF_INET,
                                         .sin_port = htons(self->port),
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        assert_int_equal(edo_socket(AF_INET, SOCK_STREAM, 0, &self->conn), 0);
        edo_await(rc, edo_socket_connect(self->conn, &self->to, sizeof self->to));
        assert_int_equal(rc, -ECONNREFUSED);
        edo_await(rc, edo_socket_connect(self->conn, &self->to, 1));
        assert_int_equal(rc, -EINVAL);
        edo_close(self->conn);
        close(self->held);
        edo_return(0);
    }
}

async_test(messages_of_a_raw_socket, edo_io *a, *b; int fds[2]; char bytes[8];)
{
    edo_body {
        int64_t rc;
        if (driver_is("chaos")) edo_return(0); // it divides messages
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, self->fds), 0);
        self->a = wrap(self->fds[0]);
        self->b = wrap(self->fds[1]);
        edo_await(rc, edo_write(self->a, "first", 5));
        edo_await(rc, edo_write(self->a, "second", 6));
        edo_await(rc, edo_read(self->b, self->bytes, 8));
        assert_int_equal(rc, 5);
        edo_await(rc, edo_read(self->b, self->bytes, 3)); // cut
        assert_int_equal(rc, 3);
        edo_close(self->a);
        edo_close(self->b);
        edo_return(0);
    }
}

test(sockets_that_do_not_exist)
{
    edo_io *io;
    assert_int_equal(edo_socket(AF_INET, SOCK_STREAM, 0, NULL), -EINVAL);
    assert_int_equal(edo_socket(12345, SOCK_STREAM, 0, &io), -EAFNOSUPPORT);
    assert_int_equal(edo_socket(AF_INET, SOCK_STREAM, IPPROTO_UDP, &io), -EPROTONOSUPPORT);
}

test(options_by_number)
{
    int value = 1, peer;
    edo_io *io = open_stream(TCP_STREAM, &peer);
    assert_int_equal(edo_socket_set_option(io, SOL_SOCKET, SO_KEEPALIVE, &value, sizeof value), 0);
    value = -1;
    assert_int_equal(edo_socket_option(io, SOL_SOCKET, SO_KEEPALIVE, &value, sizeof value),
                     sizeof value);
    assert_int_equal(value, 1);
    assert_int_equal(edo_socket_option(io, SOL_SOCKET, 54321, &value, sizeof value), -ENOPROTOOPT);
    assert_int_equal(edo_socket_option(io, SOL_SOCKET, SO_KEEPALIVE, NULL, 4), -EINVAL);
    assert_int_equal(edo_socket_option(NULL, SOL_SOCKET, SO_KEEPALIVE, &value, 4), -EINVAL);
    edo_close(io);
    peer_close(peer);
    io = open_stream(PIPE_STREAM, &peer);
    assert_int_equal(edo_socket_option(io, SOL_SOCKET, SO_KEEPALIVE, &value, 4), -ENOTSUP);
    edo_close(io);
    peer_close(peer);
}

async_test(options_of_a_listener_by_number, edo_listener *listener; int value;)
{
    edo_body {
        int rc;
        edo_await(rc, edo_tcp_listen("127.0.0.1:0", &self->listener));
        assert_int_equal(rc, 0);
        self->value = 33;
        rc = edo_listener_set_option(self->listener, IPPROTO_IP, IP_TTL, &self->value, sizeof(int));
        assert_int_equal(rc, 0);
        self->value = 0;
        rc = edo_listener_option(self->listener, IPPROTO_IP, IP_TTL, &self->value, sizeof(int));
        assert_int_equal(rc, sizeof(int));
        assert_int_equal(self->value, 33);
        assert_int_equal(edo_listener_set_incoming_cpu(self->listener, 0), 0);
        assert_int_equal(edo_listener_set_incoming_cpu(self->listener, -1), -EINVAL);
        edo_listener_close(self->listener);
        edo_return(0);
    }
}
