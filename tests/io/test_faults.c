/* edo-test: once. An error at every point of an exchange, made by the chaos driver: each operation
 * reports its progress, and nothing leaks. */
#include "support/streams.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum {
    SIZE = 20,        // bytes of the exchange, each moved by its own operation
    MAX_FAULTS = 100, // more than the exchange has operations
};

struct end_of_exchange {
    edo_frame();
    edo_args(edo_io *io; edo_op op; edo_op *ret_op;);
};

/* One operation, then the end of the stream, as in a program. */
edo_async(end_of_exchange)
{
    edo_body {
        int64_t n;
        edo_await(n, self->op);
        *self->ret_op = *edo_last_op();
        edo_close(self->io);
        edo_return(n);
    }
}

struct exchange {
    edo_frame();
    edo_args(bool *ret_faulty;);
    edo_io *reader, *writer;
    edo_task *reading, *writing;
    edo_op read, write;
    int64_t n[2];
    char out[SIZE], in[SIZE];
};

static void check_reader(const struct exchange *self)
{
    uint64_t got = edo_op_progress(&self->read), sent = edo_op_progress(&self->write);
    assert_true(is_pattern(self->in, got, 1, 0));
    assert_true(got <= sent);
    if (self->n[0] == -EDO_EOF) {
        assert_int_equal(self->n[1], -ECONNRESET); // the writer has ended
        assert_int_equal(got, sent);
    } else {
        assert_true(self->n[0] == SIZE || self->n[0] == -ECONNRESET);
        assert_true((self->n[0] == SIZE) == (got == SIZE));
    }
}

static void check_writer(const struct exchange *self)
{
    uint64_t sent = edo_op_progress(&self->write);
    if (self->n[1] == -EPIPE)
        assert_int_equal(self->n[0], -ECONNRESET); // the reader has ended
    else
        assert_true(self->n[1] == SIZE || self->n[1] == -ECONNRESET);
    assert_true((self->n[1] == SIZE) == (sent == SIZE));
}

edo_async(exchange)
{
    edo_body {
        int rc;
        open_streams(PIPE_STREAM, &self->reader, &self->writer);
        fill_pattern(self->out, SIZE, 1, 0);
        rc = edo_spawn(&self->reading, end_of_exchange, .io = self->reader,
                       .op = edo_read_exact(self->reader, self->in, SIZE), .ret_op = &self->read);
        assert_int_equal(rc, 0);
        rc = edo_spawn(&self->writing, end_of_exchange, .io = self->writer,
                       .op = edo_write_all(self->writer, self->out, SIZE), .ret_op = &self->write);
        assert_int_equal(rc, 0);
        edo_await(self->n[0], edo_join(self->reading));
        edo_await(self->n[1], edo_join(self->writing));
        check_reader(self);
        check_writer(self);
        *self->ret_faulty = self->n[0] < 0 || self->n[1] < 0;
        edo_return(0);
    }
}

test(every_point)
{
    size_t before = open_descriptors();
    bool faulty = true;
    int fault = 0;
    while (faulty) {
        char driver[64];
        edo_runtime *runtime;
        assert_in_range(++fault, 1, MAX_FAULTS);
        snprintf(driver, sizeof driver, "chaos:bytes=1,seed=%d,fault=%d:ECONNRESET", fault, fault);
        edo_config config = { .driver = driver, .test_clock = true };
        assert_int_equal(edo_runtime_create(&config, &runtime), 0);
        assert_int_equal(edo_block_on(runtime, exchange, .ret_faulty = &faulty), 0);
        assert_int_equal(edo_runtime_destroy(runtime), 0);
        assert_int_equal(open_descriptors(), before);
    }
    assert_int_equal(fault, 2 * SIZE + 1); // each byte is read once and written once
}

/* Errors of connecting that the kernel reports only after minutes. */
struct connect_with_fault {
    edo_frame();
    edo_args(int expected;);
    edo_listener *listener;
    edo_io *conn;
    size_t before;
    char text[EDO_ADDRESS_SIZE];
};

edo_async(connect_with_fault)
{
    edo_body {
        int rc;
        self->conn = NULL;
        edo_await(rc, edo_tcp_listen("127.0.0.1:0", &self->listener));
        assert_int_equal(rc, 0);
        edo_listener_address(self->listener, self->text, sizeof self->text);
        self->before = open_descriptors();
        edo_await(rc, edo_tcp_connect(self->text, &self->conn));
        assert_int_equal(rc, self->expected);
        assert_null(self->conn);
        settle();
        assert_int_equal(open_descriptors(), self->before);
        edo_listener_close(self->listener);
        edo_return(0);
    }
}

test(connect)
{
    static const struct {
        const char *driver;
        int expected;
    } faults[] = {
        { "chaos:fault=1:ETIMEDOUT", -ETIMEDOUT },
        { "chaos:fault=1:EHOSTUNREACH", -EHOSTUNREACH },
        { "chaos:fault=1:ENETUNREACH", -ENETUNREACH },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(faults); i++) {
        edo_runtime *runtime;
        edo_config config = { .driver = faults[i].driver, .test_clock = true };
        assert_int_equal(edo_runtime_create(&config, &runtime), 0);
        assert_int_equal(edo_block_on(runtime, connect_with_fault, .expected = faults[i].expected),
                         0);
        assert_int_equal(edo_runtime_destroy(runtime), 0);
    }
}

/* edo_wait_fd() and edo_finish() answer the driver's error too; edo_finish() has closed the
 * stream. */
struct other_faults {
    edo_frame();
    edo_args();
    edo_io *io;
    int peer, fd;
};

edo_async(other_faults)
{
    edo_body {
        int rc;
        self->io = open_stream(UNIX_STREAM, &self->peer);
        self->fd = edo_io_fd(self->io);
        edo_await(rc, edo_finish(self->io));
        assert_int_equal(rc, -EIO);
        settle();
        assert_false(fd_is_open(self->fd));
        close(self->peer);
        edo_return(0);
    }
}

struct wait_fault {
    edo_frame();
    edo_args();
    int fds[2];
};

edo_async(wait_fault)
{
    edo_body {
        int rc;
        open_pair(PIPE_STREAM, self->fds);
        edo_await(rc, edo_wait_fd(self->fds[1], EDO_WRITABLE));
        assert_int_equal(rc, -EIO);
        edo_await(rc, edo_wait_fd(self->fds[1], EDO_WRITABLE));
        assert_int_equal(rc, EDO_WRITABLE);
        close(self->fds[0]);
        close(self->fds[1]);
        edo_return(0);
    }
}

test(others)
{
    edo_runtime *runtime;
    edo_config config = { .driver = "chaos:fault=1:EIO", .test_clock = true };
    assert_int_equal(edo_runtime_create(&config, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, other_faults), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    assert_int_equal(edo_runtime_create(&config, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, wait_fault), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}
