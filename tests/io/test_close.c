/* The ends of streams: edo_close and edo_finish. */
#include "support/streams.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/atomic.h"

/* ---- edo_close ---- */

struct close_idle {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *reader, *writer;
    size_t before;
    int fds[2];
    char byte;
};

edo_async(close_idle)
{
    edo_body {
        int64_t n;
        self->before = open_descriptors();
        edo_close(NULL);
        open_streams(self->kind, &self->reader, &self->writer);
        self->fds[0] = edo_io_fd(self->reader);
        self->fds[1] = edo_io_fd(self->writer);
        edo_await(n, edo_write_all(self->writer, "last", 4));
        assert_int_equal(n, 4);
        edo_close(self->writer); // perhaps a stream that no driver knows
        edo_await(n, edo_read(self->reader, &self->byte, 1));
        assert_int_equal(n, 1); // bytes sent before the close arrive
        edo_close(self->reader);
        settle();
        assert_false(fd_is_open(self->fds[0]) || fd_is_open(self->fds[1]));
        assert_int_equal(open_descriptors(), self->before);
        edo_return(0);
    }
}

test_each_kind(close_idle)

/* The descriptor stays open until the last operation has ended, so that its number is not reused
 * meanwhile. */
struct close_both {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *io;
    edo_task *reader, *writer;
    size_t before;
    int peer, fd, other;
    char byte, *data;
};

edo_async(close_both)
{
    edo_body {
        int64_t n;
        self->before = open_descriptors();
        self->io = open_stream(self->kind, &self->peer);
        self->fd = edo_io_fd(self->io);
        shrink_buffer(self->fd);
        self->data = test_calloc(1, bulk_size());
        n = edo_spawn_on(&self->reader, 0, run_op, .op = edo_read(self->io, &self->byte, 1));
        assert_int_equal(n, 0);
        n = edo_spawn(&self->writer, run_op,
                      .op = edo_write_all(self->io, self->data, bulk_size()));
        assert_int_equal(n, 0);
        settle();
        edo_close(self->io);
        assert_true(fd_is_open(self->fd)); // the reader, of the same worker, has not run since
        self->other = dup(self->peer);
        assert_int_not_equal(self->other, self->fd);
        edo_await(n, edo_join(self->reader));
        assert_int_equal(n, -ECANCELED);
        edo_await(n, edo_join(self->writer));
        assert_int_equal(n, -ECANCELED);
        settle();
        assert_false(fd_is_open(self->fd));
        test_free(self->data);
        close(self->other);
        close(self->peer);
        assert_int_equal(open_descriptors(), self->before);
        edo_return(0);
    }
}

async_test(close_both_sides_of_sockets, edo_task *task; unsigned kind;)
{
    edo_body {
        int rc;
        for (self->kind = UNIX_STREAM; self->kind <= TCP_STREAM; self->kind++) {
            rc = edo_spawn_on(&self->task, 0, close_both, .kind = (stream_kind)self->kind);
            assert_int_equal(rc, 0);
            edo_await(rc, edo_join(self->task));
            assert_int_equal(rc, 0);
        }
        edo_return(0);
    }
}

/* _exact and _all show the bytes moved before the close. */
struct close_under_exact {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *io;
    edo_task *reader;
    edo_op op;
    int peer;
    char buffer[8];
};

edo_async(close_under_exact)
{
    edo_body {
        int64_t n;
        self->io = open_stream(self->kind, &self->peer);
        n = edo_spawn(&self->reader, run_op, .op = edo_read_exact(self->io, self->buffer, 8),
                      .ret_op = &self->op);
        assert_int_equal(n, 0);
        peer_write_all(self->peer, "abc", 3);
        peer_await_delivery(self->peer);
        settle();
        edo_close(self->io);
        edo_await(n, edo_join(self->reader));
        assert_int_equal(n, -ECANCELED);
        assert_int_equal(edo_op_progress(&self->op), 3);
        assert_memory_equal(self->buffer, "abc", 3);
        peer_close(self->peer);
        edo_return(0);
    }
}

test_each_stream(close_under_exact)

    /* One task waits; the other cancels it and closes the stream, in the same turn and in both
     * orders. */
    struct close_and_cancel {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *io;
    edo_task *reader;
    int peer, fd, round;
    char byte;
};

edo_async(close_and_cancel)
{
    edo_body {
        int64_t n;
        for (self->round = 0; self->round < 2; self->round++) {
            self->io = open_stream(self->kind, &self->peer);
            self->fd = edo_io_fd(self->io);
            n = edo_spawn(&self->reader, run_op, .op = edo_read(self->io, &self->byte, 1));
            assert_int_equal(n, 0);
            settle();
            if (self->round == 0) edo_task_cancel(self->reader);
            edo_close(self->io);
            if (self->round == 1) edo_task_cancel(self->reader);
            edo_await(n, edo_join(self->reader));
            assert_int_equal(n, -ECANCELED);
            settle();
            assert_false(fd_is_open(self->fd));
            peer_close(self->peer);
        }
        edo_return(0);
    }
}

test_each_stream(close_and_cancel)

    /* Data that came before the close may be delivered or not, but must not be both. */
    struct close_with_data {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *io;
    edo_task *reader;
    int peer;
    char byte;
};

edo_async(close_with_data)
{
    edo_body {
        int64_t n;
        self->io = open_stream(self->kind, &self->peer);
        self->byte = '.';
        n = edo_spawn(&self->reader, run_op, .op = edo_read(self->io, &self->byte, 1));
        assert_int_equal(n, 0);
        settle();
        peer_write_all(self->peer, "x", 1);
        edo_close(self->io);
        edo_await(n, edo_join(self->reader));
        assert_true(n == -ECANCELED || n == 1);
        assert_int_equal(self->byte, n == 1 ? 'x' : '.');
        peer_close(self->peer);
        edo_return(0);
    }
}

test_each_stream(close_with_data)

    /* ---- edo_finish ---- */

    /* The peer answers after it has seen the end, with more data than buffers hold, and then
     * closes. */
    struct talkative {
    edo_frame();
    edo_args(edo_io *io; size_t size; edo_atomic(bool) *ret_done;);
    char buffer[1024];
    size_t sent;
};

edo_async(talkative)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_read_exact(self->io, self->buffer, 4));
        assert_int_equal(n, 4);
        edo_await(n, edo_read(self->io, self->buffer, 1));
        assert_int_equal(n, 0);
        for (self->sent = 0; self->sent < self->size; self->sent += (size_t)n) {
            edo_await(n, edo_write(self->io, self->buffer, sizeof self->buffer));
            assert_true(n > 0);
        }
        edo_store_relaxed(self->ret_done, true);
        edo_close(self->io);
        edo_return(0);
    }
}

struct finish {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *io, *peer_io;
    edo_task *peer;
    edo_atomic(bool) done;
    int fd;
};

edo_async(finish)
{
    edo_body {
        int64_t n;
        open_streams(self->kind, &self->io, &self->peer_io);
        self->fd = edo_io_fd(self->io);
        edo_store_relaxed(&self->done, false);
        n = edo_spawn(&self->peer, talkative, .io = self->peer_io, .size = bulk_size(),
                      .ret_done = &self->done);
        assert_int_equal(n, 0);
        edo_await(n, edo_write_all(self->io, "last", 4));
        assert_int_equal(n, 4);
        edo_await(n, edo_finish(self->io));
        assert_int_equal(n, 0);
        assert_true(
            edo_load_relaxed(&self->done)); // the peer has closed, so it has sent everything
        settle();
        assert_false(fd_is_open(self->fd));
        edo_await(n, edo_join(self->peer));
        edo_return(n);
    }
}

struct finish_cancelled {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *io;
    int peer, fd;
};

edo_async(finish_cancelled)
{
    edo_body {
        int64_t n;
        self->io = open_stream(self->kind, &self->peer);
        self->fd = edo_io_fd(self->io);
        fd_write_all(self->peer, "x", 1);
        peer_await_delivery(self->peer);
        edo_await_for(n, edo_ms(1), edo_finish(self->io));
        assert_int_equal(n, -ETIMEDOUT);
        settle();
        assert_false(fd_is_open(self->fd));
        assert_int_equal(fd_read_to_end(self->peer), 0);
        close(self->peer);
        edo_return(0);
    }
}

async_test(finish_both_ways,
    edo_callees(struct finish finish; struct finish_cancelled finish_cancelled;))
{
    edo_body {
        int rc;
        edo_call(rc, finish, .kind = UNIX_STREAM);
        assert_int_equal(rc, 0);
        edo_call(rc, finish, .kind = MEMORY_STREAM);
        assert_int_equal(rc, 0);
        edo_call(rc, finish, .kind = LIMITED_STREAM);
        assert_int_equal(rc, 0);
        edo_call(rc, finish, .kind = WRAPPED_STREAM);
        assert_int_equal(rc, 0);
        edo_call(rc, finish_cancelled, .kind = LIMITED_STREAM);
        assert_int_equal(rc, 0);
        edo_call(rc, finish_cancelled, .kind = WRAPPED_STREAM);
        assert_int_equal(rc, 0);
        edo_call(rc, finish, .kind = TCP_STREAM);
        assert_int_equal(rc, 0);
        edo_call(rc, finish_cancelled, .kind = UNIX_STREAM);
        assert_int_equal(rc, 0);
        edo_call(rc, finish_cancelled, .kind = TCP_STREAM);
        edo_return(rc);
    }
}

/* A pipe has no other direction, so edo_finish() does not wait. */
async_test(finish_pipe, edo_io *reader, *writer; int fd; char byte;)
{
    edo_body {
        int64_t n;
        open_streams(PIPE_STREAM, &self->reader, &self->writer);
        self->fd = edo_io_fd(self->writer);
        edo_await(n, edo_write(self->writer, "x", 1));
        edo_await(n, edo_finish(self->writer));
        assert_int_equal(n, 0);
        settle();
        assert_false(fd_is_open(self->fd));
        edo_await(n, edo_read(self->reader, &self->byte, 1));
        assert_int_equal(n, 1);
        edo_await(n, edo_finish(self->reader));
        assert_int_equal(n, 0);
        edo_return(0);
    }
}

/* A cancelled edo_finish() that never began closes the stream nevertheless. */
async_test(finish_not_begun, edo_io *io; edo_task *reader; edo_op op; int peer, fd; char byte;)
{
    edo_body {
        int64_t n;
        self->io = open_stream(UNIX_STREAM, &self->peer);
        self->fd = edo_io_fd(self->io);
        self->op = edo_finish(self->io);
        edo_cancel(&self->op.base);
        edo_await_on(n, &self->op.base);
        assert_int_equal(n, -ECANCELED);
        assert_false(fd_is_open(self->fd));
        close(self->peer);

        self->io = open_stream(UNIX_STREAM, &self->peer);
        self->fd = edo_io_fd(self->io);
        n = edo_spawn(&self->reader, run_op, .op = edo_read(self->io, &self->byte, 1));
        assert_int_equal(n, 0);
        settle();
        edo_await(n, edo_finish(self->io));
        assert_int_equal(n, -EBUSY);
        edo_await(n, edo_join(self->reader));
        assert_int_equal(n, -ECANCELED);
        settle();
        assert_false(fd_is_open(self->fd));
        close(self->peer);
        edo_return(0);
    }
}

/* The peer resets instead of closing. */
async_test(finish_reset, edo_io *io; edo_task *task; int peer, fd;)
{
    edo_body {
        int64_t n;
        self->io = open_stream(TCP_STREAM, &self->peer);
        self->fd = edo_io_fd(self->io);
        n = edo_spawn(&self->task, run_op, .op = edo_finish(self->io));
        assert_int_equal(n, 0);
        settle();
        assert_int_equal(setsockopt(self->peer, SOL_SOCKET, SO_LINGER,
                                    &(struct linger){ .l_onoff = 1 }, sizeof(struct linger)),
                         0);
        close(self->peer);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, -ECONNRESET);
        settle();
        assert_false(fd_is_open(self->fd));
        edo_return(0);
    }
}

/* A waiting edo_finish() has claimed both sides, and a close ends it. */
one_worker_only("only the kernel orders the end after the last use")
async_test(finish_taken, edo_io *io; edo_task *task; int peer; char byte;)
{
    edo_body {
        int64_t n;
        self->io = open_stream(UNIX_STREAM, &self->peer);
        n = edo_spawn(&self->task, run_op, .op = edo_finish(self->io));
        assert_int_equal(n, 0);
        settle();
        edo_await(n, edo_read(self->io, &self->byte, 1));
        assert_int_equal(n, -EBUSY);
        edo_await(n, edo_write(self->io, "x", 1));
        assert_int_equal(n, -EBUSY);
        close(self->peer);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, 0);
        edo_return(0);
    }
}
