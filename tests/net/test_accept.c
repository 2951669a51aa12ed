/* Accepting: no connection is lost by a cancellation or a close. */
#include "support/streams.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Connects, and sends a byte that identifies the connection. */
static int connect_as(const edo_listener *listener, char name)
{
    int client = connect_plainly(listener);
    fd_write_all(client, &name, 1);
    return client;
}

async_test(one,
    edo_listener *listener;
    edo_task *accepter;
    edo_io *conn;
    int client, fd;
    char byte, text[2][EDO_ADDRESS_SIZE];)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_tcp_listen("127.0.0.1:0", &self->listener));
        assert_int_equal(n, 0);
        self->conn = NULL;
        n = edo_spawn(&self->accepter, run_op, .op = edo_accept(self->listener, &self->conn));
        assert_int_equal(n, 0);
        settle();
        assert_false(edo_task_is_done(self->accepter));
        if (!test_workers()) assert_null(self->conn); // outputs are written by the operation only
        self->client = connect_as(self->listener, 'x');
        edo_await(n, edo_join(self->accepter));
        assert_int_equal(n, 0);
        self->fd = edo_io_fd(self->conn);
        assert_true(fcntl(self->fd, F_GETFD) & FD_CLOEXEC);
        assert_true(fcntl(self->fd, F_GETFL) & O_NONBLOCK);
        edo_await(n, edo_read(self->conn, &self->byte, 1));
        assert_int_equal(n, 1);
        edo_await_for(n, edo_ms(1),
                      edo_read(self->conn, &self->byte, 1)); // the connection is non-blocking
        assert_int_equal(n, -ETIMEDOUT);
        edo_listener_address(self->listener, self->text[0], EDO_ADDRESS_SIZE);
        edo_tcp_local_address(self->conn, self->text[1], EDO_ADDRESS_SIZE);
        assert_string_equal(self->text[0], self->text[1]);
        edo_close(self->conn);
        edo_listener_close(self->listener);
        close(self->client);
        edo_return(0);
    }
}

/* Connections that arrived before the accept are accepted in their order. */
enum { QUEUED = 20 };

async_test(queue, edo_listener *listener; edo_io *conn; int clients[QUEUED], i; char byte;)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_tcp_listen("127.0.0.1:0", &self->listener));
        assert_int_equal(n, 0);
        for (int i = 0; i < QUEUED; i++)
            self->clients[i] = connect_as(self->listener, (char)i);
        for (self->i = 0; self->i < QUEUED; self->i++) {
            edo_await(n, edo_accept(self->listener, &self->conn));
            assert_int_equal(n, 0);
            edo_await(n, edo_read(self->conn, &self->byte, 1));
            assert_int_equal(n, 1);
            assert_int_equal(self->byte, self->i);
            edo_close(self->conn);
            close(self->clients[self->i]);
        }
        edo_listener_close(self->listener);
        edo_return(0);
    }
}

/* ---- cancellation ---- */

async_test(timeouts, edo_listener *listener; edo_io *conn; edo_op op; int client, round; char byte;)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_tcp_listen("127.0.0.1:0", &self->listener));
        assert_int_equal(n, 0);
        self->conn = NULL;
        for (self->round = 0; self->round < 3; self->round++) {
            edo_await_for(n, edo_s(60), edo_accept(self->listener, &self->conn));
            assert_int_equal(n, -ETIMEDOUT);
        }
        self->client = connect_as(self->listener, 'x');
        self->op = edo_accept(self->listener, &self->conn); // cancelled before its first poll
        edo_cancel(&self->op.base);
        edo_await_on(n, &self->op.base);
        assert_int_equal(n, -ECANCELED);
        assert_null(self->conn);
        edo_await(n, edo_accept(self->listener, &self->conn));
        assert_int_equal(n, 0);
        edo_await(n, edo_read(self->conn, &self->byte, 1));
        assert_int_equal(self->byte, 'x');
        edo_close(self->conn);
        edo_listener_close(self->listener);
        close(self->client);
        edo_return(0);
    }
}

/* A connection and a cancellation come together: this accept or the next one takes the
 * connection. */
enum { ROUNDS = 200 };

async_test(race,
    edo_listener *listener;
    edo_task *accepter;
    edo_io *conn;
    test_random random;
    int clients[ROUNDS], round, accepted;
    char byte;)
{
    edo_body {
        int64_t n;
        self->random = test_random_make(1);
        self->accepted = 0;
        edo_await(n, edo_tcp_listen("127.0.0.1:0", &self->listener));
        assert_int_equal(n, 0);
        for (self->round = 0; self->round < ROUNDS;) {
            n = edo_spawn(&self->accepter, run_op, .op = edo_accept(self->listener, &self->conn));
            assert_int_equal(n, 0);
            if (test_random_below(&self->random, 2)) settle();
            self->clients[self->round] = connect_as(self->listener, (char)self->round);
            self->round++;
            if (test_random_below(&self->random, 2)) edo_await(n, edo_yield());
            edo_task_cancel(self->accepter);
            edo_await(n, edo_join(self->accepter));
            assert_true(n == 0 || n == -ECANCELED);
            if (n < 0) continue;
            edo_await(n, edo_read(self->conn, &self->byte, 1));
            assert_int_equal(self->byte, (char)self->accepted);
            edo_close(self->conn);
            self->accepted++;
        }
        for (; self->accepted < ROUNDS; self->accepted++) {
            edo_await(n, edo_accept(self->listener, &self->conn));
            assert_int_equal(n, 0);
            edo_await(n, edo_read(self->conn, &self->byte, 1));
            assert_int_equal(self->byte, (char)self->accepted);
            edo_close(self->conn);
        }
        edo_await_for(n, edo_ms(1), edo_accept(self->listener, &self->conn));
        assert_int_equal(n, -ETIMEDOUT); // no connection was accepted twice
        for (int i = 0; i < ROUNDS; i++)
            close(self->clients[i]);
        edo_listener_close(self->listener);
        edo_return(0);
    }
}

/* ---- several accepts at once ---- */

enum { ACCEPTS = 4 };

struct accepts {
    edo_task *tasks[ACCEPTS];
    edo_io *conns[ACCEPTS];
};

static void start_accepts(struct accepts *accepts, edo_listener *listener)
{
    for (int i = 0; i < ACCEPTS; i++) {
        accepts->conns[i] = NULL;
        int rc = edo_spawn(&accepts->tasks[i], run_op,
                           .op = edo_accept(listener, &accepts->conns[i]));
        assert_int_equal(rc, 0);
    }
}

/* The connections come between two turns, so there is one event for all; one accept is
 * cancelled. */
async_test(several,
    edo_listener *listener;
    struct accepts accepts;
    int clients[ACCEPTS], i;
    bool seen[ACCEPTS];
    char byte, expected;)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_tcp_listen("127.0.0.1:0", &self->listener));
        assert_int_equal(n, 0);
        start_accepts(&self->accepts, self->listener);
        settle();
        edo_task_cancel(self->accepts.tasks[1]);
        edo_await(n, edo_join(self->accepts.tasks[1]));
        assert_int_equal(n, -ECANCELED);
        memset(self->seen, 0, sizeof self->seen);
        for (char i = 0; i < ACCEPTS - 1; i++)
            self->clients[(size_t)i] = connect_as(self->listener, i);
        self->expected = 0;
        for (self->i = 0; self->i < ACCEPTS; self->i++) {
            if (self->i == 1) continue;
            edo_await(n, edo_join(self->accepts.tasks[self->i]));
            assert_int_equal(n, 0);
            edo_await(n, edo_read(self->accepts.conns[self->i], &self->byte, 1));
            assert_int_equal(n, 1);
            assert_false(self->seen[(size_t)self->byte]);
            self->seen[(size_t)self->byte] = true;
            if (driver_is("epoll") && !test_workers()) // first come, first served
                assert_int_equal(self->byte, self->expected++);
            edo_close(self->accepts.conns[self->i]);
        }
        assert_null(self->accepts.conns[1]);
        for (int i = 0; i < ACCEPTS - 1; i++)
            close(self->clients[i]);
        edo_listener_close(self->listener);
        edo_return(0);
    }
}

/* Closing ends all of them. */
async_test(close_under_several, edo_listener *listener; struct accepts accepts; int i;)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_tcp_listen("127.0.0.1:0", &self->listener));
        assert_int_equal(n, 0);
        start_accepts(&self->accepts, self->listener);
        settle();
        edo_listener_close(self->listener);
        for (self->i = 0; self->i < ACCEPTS; self->i++) {
            edo_await(n, edo_join(self->accepts.tasks[self->i]));
            assert_int_equal(n, -ECANCELED);
        }
        edo_return(0);
    }
}

/* ---- closing ---- */

/* Waits for the peer's reset or end. */
static int end_of(int fd)
{
    char byte;
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
    assert_int_equal(poll(&poll_fd, 1, -1), 1);
    return read(fd, &byte, 1) < 0 ? -errno : 0;
}

async_test(close_waiting,
    edo_listener *listener;
    edo_task *accepter;
    edo_io *conn;
    size_t before;
    int fd;)
{
    edo_body {
        int64_t n;
        self->conn = NULL;
        self->before = open_descriptors();
        edo_await(n, edo_tcp_listen("127.0.0.1:0", &self->listener));
        assert_int_equal(n, 0);
        self->fd = edo_listener_fd(self->listener);
        n = edo_spawn(&self->accepter, run_op, .op = edo_accept(self->listener, &self->conn));
        assert_int_equal(n, 0);
        settle();
        edo_listener_close(self->listener);
        edo_await(n, edo_join(self->accepter));
        assert_int_equal(n, -ECANCELED);
        assert_null(self->conn);
        settle();
        assert_false(fd_is_open(self->fd));
        assert_int_equal(open_descriptors(), self->before);
        edo_return(0);
    }
}

/* Connections that were not accepted are reset. */
async_test(close_untaken, edo_listener *listener; edo_io *conn; size_t before; int clients[3], fd;)
{
    edo_body {
        int64_t n;
        self->before = open_descriptors();
        edo_await(n, edo_tcp_listen("127.0.0.1:0", &self->listener));
        assert_int_equal(n, 0);
        self->fd = edo_listener_fd(self->listener);
        edo_await_for(n, edo_ms(1), edo_accept(self->listener, &self->conn));
        assert_int_equal(n, -ETIMEDOUT); // the driver knows the listener now
        for (int i = 0; i < 3; i++)
            self->clients[i] = connect_plainly(self->listener);
        settle();
        edo_await(n, edo_accept(self->listener, &self->conn));
        assert_int_equal(n, 0);
        edo_close(self->conn);
        settle();
        edo_listener_close(self->listener);
        settle();
        assert_false(fd_is_open(self->fd));
        assert_int_equal(end_of(self->clients[0]), 0);
        assert_int_equal(end_of(self->clients[1]), -ECONNRESET);
        assert_int_equal(end_of(self->clients[2]), -ECONNRESET);
        for (int i = 0; i < 3; i++)
            close(self->clients[i]);
        assert_int_equal(open_descriptors(), self->before);
        edo_return(0);
    }
}

/* A listener may be closed without any runtime, after the last one that used it has ended. */
struct accept_none {
    edo_frame();
    edo_args(edo_listener **ret;);
    edo_io *conn;
};

edo_async(accept_none)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_tcp_listen("127.0.0.1:0", self->ret));
        assert_int_equal(n, 0);
        edo_await_for(n, edo_ms(1), edo_accept(*self->ret, &self->conn));
        assert_int_equal(n, -ETIMEDOUT);
        edo_return(0);
    }
}

struct accept_again {
    edo_frame();
    edo_args(edo_listener *listener;);
    edo_io *conn;
};

edo_async(accept_again)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_accept(self->listener, &self->conn));
        if (n == 0) edo_close(self->conn);
        edo_return(n);
    }
}

test(outlives_runtimes)
{
    size_t before = open_descriptors();
    edo_listener *listener;
    edo_runtime *runtime;
    edo_config config = { .test_clock = true };
    assert_int_equal(create_runtime(&config, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, accept_none, .ret = &listener), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    int clients[2] = { connect_plainly(listener), connect_plainly(listener) };
    for (int i = 0; i < 2; i++) {
        assert_int_equal(create_runtime(&config, &runtime), 0);
        assert_int_equal(edo_block_on(runtime, accept_again, .listener = listener), 0);
        assert_int_equal(edo_runtime_destroy(runtime), 0);
        assert_int_equal(end_of(clients[i]), 0);
        close(clients[i]);
    }
    edo_listener_close(listener);
    assert_int_equal(open_descriptors(), before);
}

/* One listener, used in turn by runtimes on every kind of driver. */
struct accept_in_order {
    edo_frame();
    edo_args(edo_listener *listener; char expected;);
    edo_io *conn;
    char byte;
};

edo_async(accept_in_order)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_accept(self->listener, &self->conn));
        assert_int_equal(n, 0);
        edo_await(n, edo_read(self->conn, &self->byte, 1));
        assert_int_equal(n, 1);
        assert_int_equal(self->byte, self->expected);
        edo_close(self->conn);
        edo_return(0);
    }
}

test(moves_between_drivers)
{
    static const char *const drivers[] = { "epoll", "io_uring", "chaos" };
    enum { DRIVERS = ARRAY_LENGTH(drivers), TURNS = 6 * DRIVERS };
    edo_listener *listener;
    edo_runtime *runtimes[DRIVERS];
    int clients[TURNS];
    for (size_t i = 0; i < DRIVERS; i++) {
        edo_config config = { .driver = drivers[i], .test_clock = true };
        assert_int_equal(create_runtime(&config, &runtimes[i]), 0);
    }
    assert_int_equal(edo_block_on(runtimes[0], accept_none, .ret = &listener), 0);
    for (char i = 0; i < TURNS; i++)
        clients[(size_t)i] = connect_as(listener, i);
    for (char i = 0; i < TURNS; i++) {
        edo_runtime *runtime = runtimes[i * (1 + i / DRIVERS) % DRIVERS];
        assert_int_equal(
            edo_block_on(runtime, accept_in_order, .listener = listener, .expected = i), 0);
        close(clients[(size_t)i]);
    }
    edo_listener_close(listener);
    for (size_t i = 0; i < DRIVERS; i++)
        assert_int_equal(edo_runtime_destroy(runtimes[i]), 0);
}

/* ---- failures ---- */

/* Without memory for the stream the connection is reset. */
edo_async_test(accept_without_memory,
    edo_listener *listener;
    edo_io *conn;
    size_t before;
    int client;)
{
    edo_body {
        int64_t n;
        if (driver_is("io_uring")) edo_return(0); // whose accept needs memory to wait
        self->conn = NULL;
        edo_await(n, edo_tcp_listen("127.0.0.1:0", &self->listener));
        assert_int_equal(n, 0);
        self->before = open_descriptors();
        self->client = connect_plainly(self->listener);
        test_allocator_fail_at(1);
        edo_await(n, edo_accept(self->listener, &self->conn));
        assert_int_equal(n, -ENOMEM);
        assert_true(test_allocator_has_failed());
        assert_null(self->conn);
        assert_int_equal(end_of(self->client), -ECONNRESET);
        close(self->client);
        assert_int_equal(open_descriptors(), self->before);
        self->client = connect_plainly(self->listener);
        edo_await(n, edo_accept(self->listener, &self->conn)); // the listener still works
        assert_int_equal(n, 0);
        edo_close(self->conn);
        edo_listener_close(self->listener);
        close(self->client);
        edo_return(0);
    }
}

test(no_memory)
{
    test_allocator_install();
    accept_without_memory_test(state);
    test_allocator_remove();
}

/* Errors in place of a connection, made by the chaos driver: errors of broken connections are
 * skipped, others are answered. */
struct accept_with_fault {
    edo_frame();
    edo_args(int expected;);
    edo_listener *listener;
    edo_io *conn;
    int client;
};

edo_async(accept_with_fault)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_tcp_listen("127.0.0.1:0", &self->listener));
        assert_int_equal(n, 0);
        self->client = connect_plainly(self->listener);
        edo_await(n, edo_accept(self->listener, &self->conn));
        assert_int_equal(n, self->expected);
        if (n == 0) edo_close(self->conn);
        edo_listener_close(self->listener);
        close(self->client);
        edo_return(0);
    }
}

test(faults)
{
    static const struct {
        const char *driver;
        int expected;
    } faults[] = {
        { "chaos:fault=1:ECONNABORTED", 0 }, { "chaos:fault=1:ENETDOWN", 0 },
        { "chaos:fault=1:EPROTO", 0 },       { "chaos:fault=1:ENOPROTOOPT", 0 },
        { "chaos:fault=1:EHOSTDOWN", 0 },    { "chaos:fault=1:ENONET", 0 },
        { "chaos:fault=1:EHOSTUNREACH", 0 }, { "chaos:fault=1:EOPNOTSUPP", 0 },
        { "chaos:fault=1:ENETUNREACH", 0 },  { "chaos:fault=1:EPERM", 0 },
        { "chaos:fault=1:EINVAL", -EINVAL }, { "chaos:fault=1:EBADF", -EBADF },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(faults); i++) {
        edo_runtime *runtime;
        assert_int_equal(
            create_runtime(&(edo_config){ .driver = faults[i].driver, .test_clock = true },
                           &runtime),
            0);
        assert_int_equal(edo_block_on(runtime, accept_with_fault, .expected = faults[i].expected),
                         0);
        assert_int_equal(edo_runtime_destroy(runtime), 0);
    }
}
