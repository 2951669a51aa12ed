/* The two sides of a stream: one operation on each, both at once. */
#include "support/streams.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/io.h"

/* ---- a second operation on a side ---- */

struct second_read {
    edo_frame(struct collect collect;);
    edo_args(stream_kind kind;);
    edo_io *io;
    edo_task *reader;
    int peer;
    char byte, buffer[4];
};

edo_async(second_read)
{
    edo_body {
        int64_t n;
        self->io = open_stream(self->kind, &self->peer);
        n = edo_spawn(&self->reader, run_op, .op = edo_read(self->io, &self->byte, 1));
        assert_int_equal(n, 0);
        settle();
        edo_await(n, edo_read(self->io, self->buffer, 4));
        assert_int_equal(n, -EBUSY);
        edo_await(n, edo_read_exact(self->io, self->buffer, 4));
        assert_int_equal(n, -EBUSY);
        n = edo_io_into_fd(self->io);
        assert_int_equal(n, self->kind < STREAM_KINDS ? -EBUSY : -ENOTSUP);
        peer_write_all(self->peer, "x1234", 5);
        edo_await(n, edo_join(self->reader)); // the first one was not disturbed
        assert_int_equal(n, 1);
        assert_int_equal(self->byte, 'x');
        edo_call(n, collect, .io = self->io, .buffer = self->buffer, .size = 4);
        assert_int_equal(n, 4);
        assert_memory_equal(self->buffer, "1234", 4);
        edo_close(self->io);
        peer_close(self->peer);
        edo_return(0);
    }
}

test_each_stream(second_read)

    struct second_write {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *reader, *writer;
    edo_task *task;
    edo_op op;
    edo_slice vector;
    char *data;
};

edo_async(second_write)
{
    edo_body {
        int64_t n;
        open_streams(self->kind, &self->reader, &self->writer);
        shrink_stream(self->writer);
        self->data = test_calloc(1, bulk_size());
        n = edo_spawn(&self->task, run_op,
                      .op = edo_write_all(self->writer, self->data, bulk_size()),
                      .ret_op = &self->op);
        assert_int_equal(n, 0);
        settle();
        edo_await(n, edo_write(self->writer, "y", 1));
        assert_int_equal(n, -EBUSY);
        edo_await(n, edo_write_all(self->writer, "y", 1));
        assert_int_equal(n, -EBUSY);
        self->vector = (edo_slice){ "y", 1 };
        edo_await(n, edo_writev(self->writer, &self->vector, 1));
        assert_int_equal(n, -EBUSY);
        edo_await(n, edo_shutdown_write(self->writer));
        assert_int_equal(n, self->kind == PIPE_STREAM ? -ENOTSUP : -EBUSY);
        edo_task_cancel(self->task);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, -ECANCELED);
        test_free(self->data);
        edo_close(self->writer);
        assert_int_equal(stream_read_to_end(self->reader), edo_op_progress(&self->op));
        edo_close(self->reader);
        edo_return(0);
    }
}

test_each_stream(second_write)

    /* Zero bytes are an operation too, but never one that stays in flight. */
    async_test(again, edo_io *io; int peer, round; char byte;)
{
    edo_body {
        int64_t n;
        self->io = open_stream(UNIX_STREAM, &self->peer);
        for (self->round = 0; self->round < 3; self->round++) {
            edo_await(n, edo_read(self->io, &self->byte, 0));
            assert_int_equal(n, 0);
            edo_await_for(n, edo_ms(1), edo_read(self->io, &self->byte, 1));
            assert_int_equal(n, -ETIMEDOUT);
            edo_await(n, edo_write(self->io, "x", 1));
            assert_int_equal(n, 1);
        }
        edo_close(self->io);
        close(self->peer);
        edo_return(0);
    }
}

/* ---- both at once ---- */

async_test(both_wait, edo_io *io; edo_task *reader, *writer; int peer; size_t filled; char byte;)
{
    edo_body {
        int64_t n;
        self->io = open_stream(UNIX_STREAM, &self->peer);
        shrink_buffer(edo_io_fd(self->io));
        self->filled = fd_fill(edo_io_fd(self->io));
        n = edo_spawn(&self->reader, run_op, .op = edo_read(self->io, &self->byte, 1));
        assert_int_equal(n, 0);
        n = edo_spawn(&self->writer, run_op, .op = edo_write(self->io, "y", 1));
        assert_int_equal(n, 0);
        settle();
        assert_false(edo_task_is_done(self->reader) || edo_task_is_done(self->writer));
        fd_write_all(self->peer, "x", 1);
        edo_await(n, edo_join(self->reader));
        assert_int_equal(n, 1);
        assert_int_equal(self->byte, 'x');
        settle();
        assert_false(edo_task_is_done(self->writer));
        for (; self->filled; self->filled--)
            fd_read_all(self->peer, &self->byte, 1);
        edo_await(n, edo_join(self->writer));
        assert_int_equal(n, 1);
        fd_read_all(self->peer, &self->byte, 1);
        assert_int_equal(self->byte, 'y');
        edo_close(self->io);
        close(self->peer);
        edo_return(0);
    }
}

/* One task per direction, in both directions, with buffers that are too small. */
struct duplex {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *ends[2];
    edo_task *tasks[4];
    size_t size;
    char *data[2], *got[2];
    unsigned i;
};

edo_async(duplex)
{
    edo_body {
        int64_t n;
        open_streams(self->kind, &self->ends[0], &self->ends[1]);
        self->size = bulk_size();
        for (unsigned i = 0; i < 2; i++) {
            shrink_stream(self->ends[i]);
            self->data[i] = test_malloc(self->size);
            self->got[i] = test_malloc(self->size);
            fill_pattern(self->data[i], self->size, i, 0);
            n = edo_spawn(&self->tasks[i], run_op,
                          .op = edo_write_all(self->ends[i], self->data[i], self->size));
            assert_int_equal(n, 0);
            n = edo_spawn(&self->tasks[2 + i], run_op,
                          .op = edo_read_exact(self->ends[i], self->got[i], self->size));
            assert_int_equal(n, 0);
        }
        for (self->i = 0; self->i < 4; self->i++) {
            edo_await(n, edo_join(self->tasks[self->i]));
            assert_int_equal(n, self->size);
        }
        for (unsigned i = 0; i < 2; i++)
            assert_memory_equal(self->got[i], self->data[1 - i], self->size);
        for (unsigned i = 0; i < 2; i++) {
            edo_close(self->ends[i]);
            test_free(self->data[i]);
            test_free(self->got[i]);
        }
        edo_return(0);
    }
}

async_test(duplex_both_ways, edo_callees(struct duplex callee;))
{
    edo_body {
        int rc;
        edo_call(rc, duplex, .kind = UNIX_STREAM);
        assert_int_equal(rc, 0);
        edo_call(rc, duplex, .kind = MEMORY_STREAM);
        assert_int_equal(rc, 0);
        edo_call(rc, duplex, .kind = LIMITED_STREAM);
        assert_int_equal(rc, 0);
        edo_call(rc, duplex, .kind = WRAPPED_STREAM);
        assert_int_equal(rc, 0);
        edo_call(rc, duplex, .kind = TCP_STREAM);
        edo_return(rc);
    }
}

/* ---- half a stream ---- */

struct half_close {
    edo_frame(struct collect collect;);
    edo_args(stream_kind kind;);
    edo_io *a, *b;
    char buffer[8];
};

edo_async(half_close)
{
    edo_body {
        int64_t n;
        open_streams(self->kind, &self->a, &self->b);
        edo_await(n, edo_write_all(self->b, "last", 4));
        assert_int_equal(n, 4);
        edo_await(n, edo_shutdown_write(self->b));
        assert_int_equal(n, 0);
        edo_call(n, collect, .io = self->a, .buffer = self->buffer, .size = 8);
        assert_int_equal(n, 4); // and then the end
        edo_await(n, edo_write_all(self->a, "answer", 6));
        assert_int_equal(n, 6);
        edo_call(n, collect, .io = self->b, .buffer = self->buffer, .size = 6);
        assert_int_equal(n, 6);
        assert_memory_equal(self->buffer, "answer", 6);
        edo_await(n, edo_write(self->b, "x", 1));
        assert_int_equal(n, -EPIPE);
        edo_close(self->a);
        edo_close(self->b);
        edo_return(0);
    }
}

async_test(half_close_both_ways, edo_callees(struct half_close callee;) edo_io *reader, *writer;)
{
    edo_body {
        int rc;
        edo_call(rc, half_close, .kind = UNIX_STREAM);
        assert_int_equal(rc, 0);
        edo_call(rc, half_close, .kind = MEMORY_STREAM);
        assert_int_equal(rc, 0);
        edo_call(rc, half_close, .kind = LIMITED_STREAM);
        assert_int_equal(rc, 0);
        edo_call(rc, half_close, .kind = WRAPPED_STREAM);
        assert_int_equal(rc, 0);
        edo_call(rc, half_close, .kind = TCP_STREAM);
        assert_int_equal(rc, 0);
        open_streams(PIPE_STREAM, &self->reader, &self->writer);
        edo_await(rc, edo_shutdown_write(self->writer));
        assert_int_equal(rc, -ENOTSUP);
        edo_close(self->reader);
        edo_close(self->writer);
        edo_return(0);
    }
}

/* A cancelled shutdown was not done. */
async_test(shutdown_cancelled, edo_io *a, *b; edo_op op;)
{
    edo_body {
        int64_t n;
        open_streams(UNIX_STREAM, &self->a, &self->b);
        self->op = edo_shutdown_write(self->a);
        edo_cancel(&self->op.base);
        edo_await_on(n, &self->op.base);
        assert_int_equal(n, -ECANCELED);
        edo_await(n, edo_write(self->a, "x", 1));
        assert_int_equal(n, 1);
        edo_close(self->a);
        edo_close(self->b);
        edo_return(0);
    }
}

/* ---- a socket that takes several operations per side ---- */

enum { SEVERAL = 3 };

static edo_io *open_datagrams(int *ret_peer)
{
    int fds[2];
    assert_return_code(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
                       errno);
    *ret_peer = fds[1];
    edo_io *io = edo__fd_io_create(fds[0], EDO__SOURCE_SOCKET | EDO__SOURCE_SEVERAL);
    assert_non_null(io);
    return io;
}

struct several {
    edo_task *tasks[SEVERAL];
    char bytes[SEVERAL];
};

static void start_several(struct several *several, edo_io *io, bool writes)
{
    for (int i = 0; i < SEVERAL; i++) {
        char *byte = &several->bytes[i];
        edo_op op = writes ? edo_write(io, byte, 1) : edo_read(io, byte, 1);
        assert_int_equal(edo_spawn(&several->tasks[i], run_op, .op = op), 0);
    }
}

/* One event for two datagrams; the first reader was cancelled. */
async_test(several_readers, edo_io *io; struct several several; int peer, i, sum;)
{
    edo_body {
        int64_t n;
        self->io = open_datagrams(&self->peer);
        start_several(&self->several, self->io, false);
        settle();
        edo_task_cancel(self->several.tasks[0]);
        edo_await(n, edo_join(self->several.tasks[0]));
        assert_int_equal(n, -ECANCELED);
        fd_write_all(self->peer, "a", 1);
        fd_write_all(self->peer, "b", 1);
        self->sum = 0;
        for (self->i = 1; self->i < SEVERAL; self->i++) {
            edo_await(n, edo_join(self->several.tasks[self->i]));
            assert_int_equal(n, 1);
            self->sum += self->several.bytes[self->i];
        }
        assert_int_equal(self->sum, 'a' + 'b');
        if (driver_is("epoll") && !test_workers()) assert_int_equal(self->several.bytes[1], 'a');
        edo_close(self->io);
        close(self->peer);
        edo_return(0);
    }
}

async_test(several_writers, edo_io *io; struct several several; int peer, i; size_t sent; char byte;)
{
    edo_body {
        int64_t n;
        self->io = open_datagrams(&self->peer);
        shrink_buffer(edo_io_fd(self->io));
        for (self->sent = 0; write(edo_io_fd(self->io), "x", 1) == 1; self->sent++)
            continue;
        start_several(&self->several, self->io, true);
        settle();
        for (int i = 0; i < SEVERAL; i++)
            assert_false(edo_task_is_done(self->several.tasks[i]));
        for (; self->sent; self->sent--)
            fd_read_all(self->peer, &self->byte, 1);
        for (self->i = 0; self->i < SEVERAL; self->i++) {
            edo_await(n, edo_join(self->several.tasks[self->i]));
            assert_int_equal(n, 1);
        }
        edo_close(self->io);
        close(self->peer);
        edo_return(0);
    }
}

async_test(close_under_several, edo_io *io; struct several several; int peer, i;)
{
    edo_body {
        int64_t n;
        self->io = open_datagrams(&self->peer);
        start_several(&self->several, self->io, false);
        settle();
        edo_close(self->io);
        for (self->i = 0; self->i < SEVERAL; self->i++) {
            edo_await(n, edo_join(self->several.tasks[self->i]));
            assert_int_equal(n, -ECANCELED);
        }
        close(self->peer);
        edo_return(0);
    }
}
