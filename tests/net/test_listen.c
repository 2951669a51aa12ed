/* Listening: addresses, options, failures, sockets of the program. */
#include "support/streams.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int option_of(int fd, int level, int option)
{
    int value = -1;
    socklen_t size = sizeof value;
    assert_return_code(getsockopt(fd, level, option, &value, &size), errno);
    return value;
}

/* The text after the last colon. */
static const char *port_of(const edo_listener *listener, char text[EDO_ADDRESS_SIZE])
{
    assert_true(edo_listener_address(listener, text, EDO_ADDRESS_SIZE) > 0);
    return strrchr(text, ':') + 1;
}

/* ---- the address ---- */

async_test(any_port,
    edo_listener *listener;
    edo_io *conn, *peer;
    char text[EDO_ADDRESS_SIZE], small[4];)
{
    edo_body {
        int rc;
        edo_await(rc, edo_tcp_listen("127.0.0.1:0", &self->listener));
        assert_int_equal(rc, 0);
        assert_int_equal(edo_listener_address(self->listener, self->small, 4), -ENOSPC);
        rc = edo_listener_address(self->listener, self->text, sizeof self->text);
        assert_int_equal(rc, strlen(self->text));
        assert_int_equal(strncmp(self->text, "127.0.0.1:", 10), 0);
        assert_string_not_equal(self->text + 10, "0");
        assert_true(fcntl(edo_listener_fd(self->listener), F_GETFD) & FD_CLOEXEC);
        edo_await(rc, edo_tcp_connect(self->text, &self->conn));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_accept(self->listener, &self->peer));
        assert_int_equal(rc, 0);
        edo_close(self->conn);
        edo_close(self->peer);
        edo_listener_close(self->listener);
        edo_listener_close(NULL);
        edo_return(0);
    }
}

/* Occupies a port of a loopback without listening there, so that no other program does. Returns: a
 * descriptor, or -1 when the port is in use. */
static int hold_port(int family, uint16_t port)
{
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
                               .sin6_addr = in6addr_loopback,
                               .sin6_port = htons(port) };
    struct sockaddr_in v4 = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                              .sin_port = htons(port) };
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    assert_return_code(fd, errno);
    if (family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    int rc = family == AF_INET6 ? bind(fd, (struct sockaddr *)&v6, sizeof v6)
                                : bind(fd, (struct sockaddr *)&v4, sizeof v4);
    if (rc == 0) return fd;
    assert_int_equal(errno, EADDRINUSE);
    close(fd);
    return -1;
}

/* The loopbacks that reach a listener on this address. */
struct reach {
    edo_frame();
    edo_args(const char *address; edo_listen_options options; bool v4; bool v6;);
    edo_listener *listener;
    edo_io *conn;
    int held; // occupies the port on the loopback that must not reach it, or -1
    char text[EDO_ADDRESS_SIZE], target[EDO_ADDRESS_SIZE];
};

/* Returns: false when another program could be reached instead. */
static bool hold_other(struct reach *self)
{
    self->held = -1;
    if (self->v4 && self->v6) return true;
    self->held = hold_port(self->v4 ? AF_INET6 : AF_INET,
                           (uint16_t)atoi(port_of(self->listener, self->text)));
    return self->held >= 0;
}

edo_async(reach)
{
    edo_body {
        int rc;
        for (;;) {
            edo_await(rc, edo_tcp_listen_with(self->address, self->options, &self->listener));
            assert_int_equal(rc, 0);
            if (hold_other(self)) break;
            edo_listener_close(self->listener);
        }
        snprintf(self->target, sizeof self->target, "127.0.0.1:%s",
                 port_of(self->listener, self->text));
        edo_await(rc, edo_tcp_connect(self->target, &self->conn));
        assert_int_equal(rc, self->v4 ? 0 : -ECONNREFUSED);
        if (rc == 0) edo_close(self->conn);
        snprintf(self->target, sizeof self->target, "[::1]:%s",
                 port_of(self->listener, self->text));
        edo_await(rc, edo_tcp_connect(self->target, &self->conn));
        assert_int_equal(rc, self->v6 ? 0 : -ECONNREFUSED);
        if (rc == 0) edo_close(self->conn);
        edo_listener_close(self->listener);
        if (self->held >= 0) close(self->held);
        edo_return(0);
    }
}

async_test(families, edo_callees(struct reach reach;) edo_listen_options only_v6;)
{
    edo_body {
        int rc;
        if (!has_ipv6()) edo_return(0);
        self->only_v6 = (edo_listen_options){ .only_v6 = true };
        edo_call(rc, reach, .address = ":0", .v4 = true, .v6 = true);
        edo_call(rc, reach, .address = ":0", .options = self->only_v6, .v4 = true, .v6 = true);
        edo_call(rc, reach, .address = "[::]:0", .v4 = true, .v6 = true);
        edo_call(rc, reach, .address = "[::]:0", .options = self->only_v6, .v4 = false, .v6 = true);
        edo_call(rc, reach, .address = "0.0.0.0:0", .v4 = true, .v6 = false);
        edo_call(rc, reach, .address = "127.0.0.1:0", .v4 = true, .v6 = false);
        edo_call(rc, reach, .address = "[::1]:0", .v4 = false, .v6 = true);
        edo_return(rc);
    }
}

/* ---- options ---- */

static int system_backlog(void)
{
    int most = 0;
    FILE *file = fopen("/proc/sys/net/core/somaxconn", "re");
    if (!file) return 0;
    if (fscanf(file, "%d", &most) != 1) most = 0;
    fclose(file);
    return most;
}

/* Limit of the queue of a listening socket: reported by Linux as "sacked" (tcp_diag.c). */
static int backlog_of(int fd)
{
    struct tcp_info info;
    socklen_t size = sizeof info;
    assert_return_code(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size), errno);
    return (int)info.tcpi_sacked;
}

async_test(options,
    edo_listener *listener, *second;
    edo_listen_options options;
    int most;
    char text[EDO_ADDRESS_SIZE];)
{
    edo_body {
        int rc;
        self->most = system_backlog();
        if (!self->most) self->most = 1024;
        edo_await(rc, edo_tcp_listen("127.0.0.1:0", &self->listener));
        assert_int_equal(rc, 0);
        assert_int_equal(backlog_of(edo_listener_fd(self->listener)),
                         self->most < 1024 ? self->most : 1024);
        assert_int_equal(option_of(edo_listener_fd(self->listener), SOL_SOCKET, SO_REUSEADDR), 1);
        assert_int_equal(option_of(edo_listener_fd(self->listener), SOL_SOCKET, SO_REUSEPORT), 0);
        edo_listener_close(self->listener);

        self->options = (edo_listen_options){ .backlog = 7, .no_reuse_address = true };
        edo_await(rc, edo_tcp_listen_with("127.0.0.1:0", self->options, &self->listener));
        assert_int_equal(rc, 0);
        assert_int_equal(backlog_of(edo_listener_fd(self->listener)), 7);
        assert_int_equal(option_of(edo_listener_fd(self->listener), SOL_SOCKET, SO_REUSEADDR), 0);
        edo_listener_close(self->listener);

        self->options = (edo_listen_options){ .reuse_port = true };
        edo_await(rc, edo_tcp_listen_with("127.0.0.1:0", self->options, &self->listener));
        assert_int_equal(rc, 0);
        edo_listener_address(self->listener, self->text, sizeof self->text);
        edo_await(rc, edo_tcp_listen_with(self->text, self->options, &self->second));
        assert_int_equal(rc, 0);
        edo_listener_close(self->second);
        edo_listener_close(self->listener);
        edo_return(0);
    }
}

/* ---- failures ---- */

/* A port that no other program gets, because a socket is bound to it. A listener gets the port if
 * both have SO_REUSEADDR. */
static int hold_reusable_port(char text[EDO_ADDRESS_SIZE])
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    assert_return_code(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), errno);
    assert_return_code(bind(fd, (struct sockaddr *)&address, size), errno);
    assert_return_code(getsockname(fd, (struct sockaddr *)&address, &size), errno);
    snprintf(text, EDO_ADDRESS_SIZE, "127.0.0.1:%u", ntohs(address.sin_port));
    return fd;
}

async_test(failures,
    edo_listener *listener, *untouched;
    size_t before;
    edo_op op;
    int held;
    char text[EDO_ADDRESS_SIZE];)
{
    edo_body {
        int rc;
        self->untouched = NULL;
        self->held = hold_reusable_port(self->text);
        self->before = open_descriptors();
        edo_await(rc, edo_tcp_listen("nowhere", &self->untouched));
        assert_int_equal(rc, -EINVAL);
        edo_await(rc, edo_tcp_listen("256.0.0.1:80", &self->untouched));
        assert_int_equal(rc, -EINVAL);
        edo_await(rc, edo_tcp_listen(NULL, &self->untouched));
        assert_int_equal(rc, -EINVAL);
        edo_await(rc, edo_tcp_listen("192.0.2.1:0", &self->untouched)); // TEST-NET-1, not ours
        assert_int_equal(rc, -EADDRNOTAVAIL);
        edo_await(rc, edo_tcp_listen(self->text, &self->listener));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_tcp_listen(self->text, &self->untouched));
        assert_int_equal(rc, -EADDRINUSE);
        edo_listener_close(self->listener);
        settle();
        self->op = edo_tcp_listen(self->text, &self->untouched);
        edo_cancel(&self->op.base);
        edo_await_on(rc, &self->op.base);
        assert_int_equal(rc, -ECANCELED);
        assert_null(self->untouched);
        assert_int_equal(open_descriptors(), self->before);
        edo_await(rc,
                  edo_tcp_listen(self->text, &self->listener)); // at once, because of SO_REUSEADDR
        assert_int_equal(rc, 0);
        edo_listener_close(self->listener);
        close(self->held);
        edo_return(0);
    }
}

static void listen_without_right(void *arg)
{
    edo_listener *listener;
    (void)arg;
    FILE *file = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "re");
    int first = 0;
    if (!file || fscanf(file, "%d", &first) != 1 || first <= 1) _exit(0);
    enum { NOBODY = 65534 };
    if (geteuid() == 0 && setresuid(NOBODY, NOBODY, NOBODY) < 0) _exit(0);
    int64_t rc = edo_wait(edo_tcp_listen("127.0.0.1:1", &listener));
    assert_int_equal(rc, -EACCES);
}

test(no_right)
{
    expect_success_in_child(listen_without_right, NULL);
}

static void listen_without_descriptors(void *arg)
{
    edo_listener *listener;
    (void)arg;
    assert_int_equal(edo_wait(edo_yield()), 0); // edo_wait() has its descriptors from now on
    int last = dup(STDERR_FILENO);
    close(last);
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){ (rlim_t)last, (rlim_t)last });
    assert_int_equal(edo_wait(edo_tcp_listen("127.0.0.1:0", &listener)), -EMFILE);
}

test(no_descriptors)
{
    expect_success_in_child(listen_without_descriptors, NULL);
}

edo_async_test(listen_without_memory, edo_listener *listener; size_t before; int fd;)
{
    edo_body {
        int rc;
        self->listener = NULL;
        self->before = open_descriptors();
        test_allocator_fail_at(1);
        edo_await(rc, edo_tcp_listen("127.0.0.1:0", &self->listener));
        assert_int_equal(rc, -ENOMEM);
        assert_null(self->listener);
        assert_int_equal(open_descriptors(), self->before);

        self->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_return_code(listen(self->fd, 1), errno);
        test_allocator_fail_at(1);
        assert_int_equal(edo_listener_from_fd(self->fd, &self->listener), -ENOMEM);
        assert_true(fd_is_open(self->fd)); // still the caller's
        close(self->fd);
        edo_return(0);
    }
}

test(no_memory)
{
    test_allocator_install();
    listen_without_memory_test(state);
    test_allocator_remove();
}

/* ---- sockets of the program ---- */

test(bad_sockets)
{
    edo_listener *listener = NULL;
    int fds[2], fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(edo_listener_from_fd(fd, &listener), -EINVAL); // a socket that does not listen
    close(fd);
    assert_int_equal(edo_listener_from_fd(fd, &listener), -EBADF);
    assert_int_equal(edo_listener_from_fd(-1, &listener), -EBADF);
    open_pair(PIPE_STREAM, fds);
    assert_int_equal(edo_listener_from_fd(fds[0], &listener), -ENOTSOCK);
    close(fds[0]);
    close(fds[1]);
    assert_null(listener);
}

async_test(from_fd,
    edo_listener *listener;
    edo_task *accepter;
    edo_io *conn, *peer;
    int fd;
    char text[EDO_ADDRESS_SIZE], target[EDO_ADDRESS_SIZE], byte;)
{
    edo_body {
        int64_t n;
        self->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_return_code(listen(self->fd, 8), errno);
        assert_int_equal(edo_listener_from_fd(self->fd, &self->listener), 0);
        assert_int_equal(edo_listener_fd(self->listener), self->fd);
        n = edo_spawn(&self->accepter, run_op, .op = edo_accept(self->listener, &self->peer));
        assert_int_equal(n, 0);
        settle();
        snprintf(self->target, sizeof self->target, "127.0.0.1:%s",
                 port_of(self->listener, self->text));
        edo_await(n, edo_tcp_connect(self->target, &self->conn));
        assert_int_equal(n, 0);
        edo_await(n, edo_join(self->accepter));
        assert_int_equal(n, 0);
        edo_await(n, edo_write(self->conn, "x", 1));
        edo_await(n, edo_read(self->peer, &self->byte, 1));
        assert_int_equal(n, 1);
        edo_close(self->conn);
        edo_close(self->peer);
        edo_listener_close(self->listener);
        settle();
        assert_false(fd_is_open(self->fd));
        edo_return(0);
    }
}

/* A listener of another family: its connections are not TCP. */
async_test(unix_listener,
    edo_listener *listener;
    edo_io *conn;
    int fd, client;
    struct sockaddr_un address;
    char directory[TEMP_PATH_SIZE], text[EDO_ADDRESS_SIZE], byte;)
{
    edo_body {
        int64_t n;
        make_temp_dir(self->directory);
        self->address = (struct sockaddr_un){ .sun_family = AF_UNIX };
        snprintf(self->address.sun_path, sizeof self->address.sun_path, "%s/socket",
                 self->directory);
        self->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        n = bind(self->fd, (struct sockaddr *)&self->address, sizeof self->address);
        assert_return_code(n, errno);
        assert_return_code(listen(self->fd, 1), errno);
        assert_int_equal(edo_listener_from_fd(self->fd, &self->listener), 0);
        n = edo_listener_address(self->listener, self->text, sizeof self->text);
        assert_int_equal(n, strlen("unix:") + strlen(self->address.sun_path));
        assert_string_equal(self->text + strlen("unix:"), self->address.sun_path);
        self->client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        n = connect(self->client, (struct sockaddr *)&self->address, sizeof self->address);
        assert_return_code(n, errno);
        edo_await(n, edo_accept(self->listener, &self->conn));
        assert_int_equal(n, 0);
        assert_int_equal(edo_tcp_nodelay(self->conn), -ENOTSUP);
        assert_int_equal(edo_tcp_peer_address(self->conn, self->text, sizeof self->text), -ENOTSUP);
        fd_write_all(self->client, "x", 1);
        edo_await(n, edo_read(self->conn, &self->byte, 1));
        assert_int_equal(n, 1);
        edo_close(self->conn);
        edo_listener_close(self->listener);
        close(self->client);
        remove_tree(self->directory);
        edo_return(0);
    }
}
