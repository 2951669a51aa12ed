/* Connecting: results, addresses of both ends, and nothing left behind when it fails. */
#include "support/names.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static void local_text(char text[EDO_ADDRESS_SIZE], const char *host, uint16_t port)
{
    snprintf(text, EDO_ADDRESS_SIZE, "%s:%u", host, port);
}

/* Both ends report the same addresses, for each family. */
struct both_ends {
    edo_frame();
    edo_args(const char *address;);
    edo_listener *listener;
    edo_io *conn, *peer;
    char text[4][EDO_ADDRESS_SIZE], byte;
};

edo_async(both_ends)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_tcp_listen(self->address, &self->listener));
        assert_int_equal(n, 0);
        edo_listener_address(self->listener, self->text[0], EDO_ADDRESS_SIZE);
        edo_await(n, edo_tcp_connect(self->text[0], &self->conn));
        assert_int_equal(n, 0);
        edo_await(n, edo_accept(self->listener, &self->peer));
        assert_int_equal(n, 0);
        n = edo_tcp_peer_address(self->conn, self->text[1], EDO_ADDRESS_SIZE);
        assert_int_equal(n, strlen(self->text[1]));
        assert_string_equal(self->text[1], self->text[0]);
        n = edo_tcp_local_address(self->conn, self->text[2], EDO_ADDRESS_SIZE);
        assert_int_equal(n, strlen(self->text[2]));
        edo_tcp_peer_address(self->peer, self->text[3], EDO_ADDRESS_SIZE);
        assert_string_equal(self->text[2], self->text[3]);
        assert_int_equal(edo_tcp_peer_address(self->conn, self->text[3], 5), -ENOSPC);
        assert_int_equal(edo_tcp_local_address(self->conn, self->text[3], 5), -ENOSPC);
        assert_int_equal(edo_tcp_take_error(self->conn), 0);
        edo_await(n, edo_write(self->conn, "x", 1));
        assert_int_equal(n, 1);
        edo_await(n, edo_read(self->peer, &self->byte, 1));
        assert_int_equal(n, 1);
        edo_close(self->conn);
        edo_close(self->peer);
        edo_listener_close(self->listener);
        edo_return(0);
    }
}

async_test(families, edo_callees(struct both_ends callee;))
{
    edo_body {
        int rc;
        edo_call(rc, both_ends, .address = "127.0.0.1:0");
        assert_int_equal(rc, 0);
        if (has_ipv6()) edo_call(rc, both_ends, .address = "[::1]:0");
        edo_return(rc);
    }
}

/* ---- failures ---- */

async_test(failures,
    edo_io *conn;
    edo_op op;
    size_t before;
    int reserved;
    uint16_t port;
    char text[EDO_ADDRESS_SIZE];)
{
    edo_body {
        int rc;
        self->conn = NULL;
        self->before = open_descriptors();
        edo_await(rc, edo_tcp_connect("nowhere", &self->conn));
        assert_int_equal(rc, -EINVAL);
        edo_await(rc, edo_tcp_connect("256.0.0.1:80", &self->conn));
        assert_int_equal(rc, -EINVAL);
        edo_await(rc, edo_tcp_connect(":80", &self->conn)); // no host to connect to
        assert_int_equal(rc, -EINVAL);
        edo_await(rc, edo_tcp_connect(NULL, &self->conn));
        assert_int_equal(rc, -EINVAL);
        self->reserved = reserve_port(AF_INET, &self->port);
        local_text(self->text, "127.0.0.1", self->port);
        edo_await(rc, edo_tcp_connect(self->text, &self->conn));
        assert_int_equal(rc, -ECONNREFUSED);
        self->op = edo_tcp_connect(self->text, &self->conn);
        edo_cancel(&self->op.base);
        edo_await_on(rc, &self->op.base);
        assert_int_equal(rc, -ECANCELED);
        settle();
        assert_null(self->conn);
        close(self->reserved);
        assert_int_equal(open_descriptors(), self->before);
        edo_return(0);
    }
}

/* A connect that is cancelled before its first poll never reaches the listener. */
async_test(not_begun, edo_listener *listener; edo_io *conn; edo_op op; char text[EDO_ADDRESS_SIZE];)
{
    edo_body {
        int rc;
        self->conn = NULL;
        edo_await(rc, edo_tcp_listen("127.0.0.1:0", &self->listener));
        assert_int_equal(rc, 0);
        edo_listener_address(self->listener, self->text, sizeof self->text);
        self->op = edo_tcp_connect(self->text, &self->conn);
        edo_cancel(&self->op.base);
        edo_await_on(rc, &self->op.base);
        assert_int_equal(rc, -ECANCELED);
        edo_await_for(rc, edo_ms(1), edo_accept(self->listener, &self->conn));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_null(self->conn);
        edo_listener_close(self->listener);
        edo_return(0);
    }
}

static void connect_without_descriptors(void *arg)
{
    edo_io *conn;
    (void)arg;
    assert_int_equal(edo_wait(edo_yield()), 0); // edo_wait() has its descriptors from now on
    int last = dup(STDERR_FILENO);
    close(last);
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){ (rlim_t)last, (rlim_t)last });
    assert_int_equal(edo_wait(edo_tcp_connect("127.0.0.1:1", &conn)), -EMFILE);
}

test(no_descriptors)
{
    expect_success_in_child(connect_without_descriptors, NULL);
}

edo_async_test(connect_without_memory,
    edo_listener *listener;
    edo_io *conn;
    size_t before;
    char text[EDO_ADDRESS_SIZE];)
{
    edo_body {
        int rc;
        self->conn = NULL;
        edo_await(rc, edo_tcp_listen("127.0.0.1:0", &self->listener));
        assert_int_equal(rc, 0);
        edo_listener_address(self->listener, self->text, sizeof self->text);
        self->before = open_descriptors();
        test_allocator_fail_at(1);
        edo_await(rc, edo_tcp_connect(self->text, &self->conn));
        assert_int_equal(rc, -ENOMEM);
        assert_null(self->conn);
        assert_int_equal(open_descriptors(), self->before);
        edo_listener_close(self->listener);
        edo_return(0);
    }
}

test(no_memory)
{
    test_allocator_install();
    connect_without_memory_test(state);
    test_allocator_remove();
}

/* ---- no answer ---- */

/* A listener with a full queue: Linux drops further connections, like those of an unreachable
 * host. */
static edo_listener *full_listener(int clients[8], char text[EDO_ADDRESS_SIZE])
{
    edo_listener *listener;
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_return_code(bind(fd, (struct sockaddr *)&address, size), errno);
    assert_return_code(listen(fd, 0), errno);
    assert_int_equal(edo_listener_from_fd(fd, &listener), 0);
    edo_listener_address(listener, text, EDO_ADDRESS_SIZE);
    assert_return_code(getsockname(fd, (struct sockaddr *)&address, &size), errno);
    for (int i = 0; i < 8; i++) {
        clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (connect(clients[i], (struct sockaddr *)&address, size) < 0)
            assert_int_equal(errno, EINPROGRESS);
    }
    return listener;
}

async_test(silence,
    edo_listener *listener;
    edo_task *task;
    edo_io *conn;
    size_t before;
    int64_t began;
    int clients[8];
    char text[EDO_ADDRESS_SIZE];)
{
    edo_body {
        int rc;
        self->conn = NULL;
        self->listener = full_listener(self->clients, self->text);
        self->before = open_descriptors();
        self->began = edo_now();
        edo_await_for(rc, edo_s(5), edo_tcp_connect(self->text, &self->conn));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(edo_now() - self->began, edo_s(5));
        rc = edo_spawn(&self->task, run_op, .op = edo_tcp_connect(self->text, &self->conn));
        assert_int_equal(rc, 0);
        settle();
        edo_task_cancel(self->task);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -ECANCELED);
        settle();
        assert_null(self->conn);
        assert_int_equal(open_descriptors(), self->before);
        for (int i = 0; i < 8; i++)
            close(self->clients[i]);
        edo_listener_close(self->listener);
        edo_return(0);
    }
}

/* ---- from a local address ---- */

async_test(from,
    edo_listener *listener;
    edo_io *conn, *second;
    size_t before;
    char target[EDO_ADDRESS_SIZE], local[EDO_ADDRESS_SIZE], text[EDO_ADDRESS_SIZE];)
{
    edo_body {
        int rc;
        self->second = NULL;
        edo_await(rc, edo_tcp_listen("127.0.0.1:0", &self->listener));
        assert_int_equal(rc, 0);
        edo_listener_address(self->listener, self->target, EDO_ADDRESS_SIZE);
        edo_await(rc, edo_tcp_connect_from("127.0.0.2:0", self->target, &self->conn));
        assert_int_equal(rc, 0);
        edo_tcp_local_address(self->conn, self->local, EDO_ADDRESS_SIZE);
        assert_int_equal(strncmp(self->local, "127.0.0.2:", 10), 0);
        assert_string_not_equal(self->local + 10, "0");
        self->before = open_descriptors();
        edo_await(rc, edo_tcp_connect_from(self->local, self->target, &self->second));
        assert_true(rc == -EADDRINUSE || rc == -EADDRNOTAVAIL); // the address is in use
        edo_await(rc, edo_tcp_connect_from("nowhere", self->target, &self->second));
        assert_int_equal(rc, -EINVAL);
        edo_await(rc, edo_tcp_connect_from("192.0.2.1:0", self->target, &self->second));
        assert_int_equal(rc, -EADDRNOTAVAIL);
        edo_await(rc, edo_tcp_connect_from("[::1]:0", self->target, &self->second));
        assert_true(rc == -EINVAL || rc == -EAFNOSUPPORT); // of another family
        assert_null(self->second);
        assert_int_equal(open_descriptors(), self->before);
        edo_close(self->conn);

        do { // until the port was free
            local_text(self->local, "127.0.0.2", free_port(AF_INET));
            edo_await(rc, edo_tcp_connect_from(self->local, self->target, &self->conn));
        } while (rc == -EADDRINUSE || rc == -EADDRNOTAVAIL);
        assert_int_equal(rc, 0);
        edo_tcp_local_address(self->conn, self->text, EDO_ADDRESS_SIZE);
        assert_string_equal(self->text, self->local);
        edo_close(self->conn);
        edo_listener_close(self->listener);
        edo_return(0);
    }
}

/* A socket whose own port is the one to which it connects: it connects to itself. */
async_test(itself,
    edo_io *conn;
    edo_connect_options options;
    int round;
    char text[EDO_ADDRESS_SIZE], name[EDO_ADDRESS_SIZE];)
{
    edo_body {
        int rc;
        self->conn = NULL;
        for (self->round = 0; self->round < 2; self->round++) {
            do { // until the port was free
                uint16_t port = free_port(AF_INET);
                local_text(self->text, "127.0.0.1", port);
                local_text(self->name, "here.test", port);
                names_install(); // forgets the address of the try before
                if (self->round) names_add("here.test", self->text); // the address with its port
                self->options = (edo_connect_options){ .local = self->text };
                edo_await(rc, edo_tcp_connect_with(self->round ? self->name : self->text,
                                                   self->options, &self->conn));
            } while (rc == -EADDRINUSE);
            assert_int_equal(rc, -ECONNREFUSED);
            assert_null(self->conn);
        }
        settle();
        names_settle();
        names_remove();
        edo_return(0);
    }
}

/* ---- addresses of sockets that are not connected ---- */

test(no_addresses)
{
    char text[EDO_ADDRESS_SIZE];
    edo_io *io = wrap(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), *pipe_end;
    assert_int_equal(edo_tcp_peer_address(io, text, sizeof text), -ENOTCONN);
    assert_true(edo_tcp_local_address(io, text, sizeof text) > 0);
    assert_string_equal(text, "0.0.0.0:0");
    edo_close(io);
    for (stream_kind kind = 0; kind < STREAM_KINDS; kind++) {
        if (kind == TCP_STREAM) continue;
        open_streams(kind, &io, &pipe_end);
        assert_int_equal(edo_tcp_peer_address(io, text, sizeof text), -ENOTSUP);
        assert_int_equal(edo_tcp_local_address(io, text, sizeof text), -ENOTSUP);
        edo_close(io);
        edo_close(pipe_end);
    }
}
