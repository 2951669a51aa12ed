/* Reading and writing, on every kind of descriptor. */
#include "support/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "io/io.h"

/* ---- reading ---- */

struct read_some {
    edo_frame(struct collect collect;);
    edo_args(stream_kind kind;);
    edo_io *io;
    int peer;
    char buffer[16];
};

edo_async(read_some)
{
    edo_body {
        int64_t n;
        self->io = open_stream(self->kind, &self->peer);
        peer_write_all(self->peer, "hello", 5);
        edo_await(n, edo_read(self->io, self->buffer, sizeof self->buffer));
        assert_in_range(n, 1, 5);
        assert_int_equal(edo_op_progress(edo_last_op()), n);
        assert_memory_equal(self->buffer, "hello", (size_t)n);
        peer_write_all(self->peer, "world", 5);
        edo_call(n, collect, .io = self->io, .buffer = self->buffer, .size = (size_t)(10 - n));
        assert_memory_equal(self->buffer + n - 5, "world", 5);
        edo_close(self->io);
        peer_close(self->peer);
        edo_return(0);
    }
}

test_each_stream(read_some)

    struct read_waits {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *io;
    edo_task *reader;
    int peer;
    char byte;
};

edo_async(read_waits)
{
    edo_body {
        int64_t n;
        self->io = open_stream(self->kind, &self->peer);
        n = edo_spawn(&self->reader, run_op, .op = edo_read(self->io, &self->byte, 1));
        assert_int_equal(n, 0);
        settle();
        assert_false(edo_task_is_done(self->reader));
        peer_write_all(self->peer, "x", 1);
        edo_await(n, edo_join(self->reader));
        assert_int_equal(n, 1);
        assert_int_equal(self->byte, 'x');
        edo_close(self->io);
        peer_close(self->peer);
        edo_return(0);
    }
}

test_each_stream(read_waits)

    /* The end of the input stays. */
    struct read_end {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *io;
    int peer, round;
    char buffer[4];
};

edo_async(read_end)
{
    edo_body {
        int64_t n;
        self->io = open_stream(self->kind, &self->peer);
        peer_close(self->peer);
        for (self->round = 0; self->round < 3; self->round++) {
            edo_await(n, edo_read(self->io, self->buffer, sizeof self->buffer));
            assert_int_equal(n, 0);
        }
        edo_close(self->io);
        edo_return(0);
    }
}

test_each_stream(read_end)

    struct exact {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *io;
    edo_task *reader;
    edo_op op;
    int peer;
    char buffer[9];
};

edo_async(exact)
{
    edo_body {
        int64_t n;
        self->io = open_stream(self->kind, &self->peer);
        peer_write_all(self->peer, "abc", 3);
        n = edo_spawn(&self->reader, run_op, .op = edo_read_exact(self->io, self->buffer, 9),
                      .ret_op = &self->op);
        assert_int_equal(n, 0);
        settle();
        assert_false(edo_task_is_done(self->reader));
        peer_write_all(self->peer, "defghi+", 7);
        edo_await(n, edo_join(self->reader));
        assert_int_equal(n, 9);
        assert_int_equal(edo_op_progress(&self->op), 9);
        assert_memory_equal(self->buffer, "abcdefghi", 9);
        edo_await(n, edo_read_exact(self->io, self->buffer,
                                    1)); // the read before took no more than its size
        assert_int_equal(self->buffer[0], '+');
        edo_close(self->io);
        peer_close(self->peer);
        edo_return(0);
    }
}

test_each_stream(exact)

    struct exact_end {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *io;
    int peer;
    char buffer[8];
};

edo_async(exact_end)
{
    edo_body {
        int64_t n;
        self->io = open_stream(self->kind, &self->peer);
        peer_write_all(self->peer, "abc", 3);
        peer_close(self->peer);
        edo_await(n, edo_read_exact(self->io, self->buffer, sizeof self->buffer));
        assert_int_equal(n, -EDO_EOF);
        assert_int_equal(edo_op_progress(edo_last_op()), 3);
        assert_memory_equal(self->buffer, "abc", 3);
        edo_await(n, edo_read_exact(self->io, self->buffer, sizeof self->buffer));
        assert_int_equal(n, -EDO_EOF);
        assert_int_equal(edo_op_progress(edo_last_op()), 0);
        edo_close(self->io);
        edo_return(0);
    }
}

test_each_stream(exact_end)

    /* ---- writing ---- */

    struct write_some {
    edo_frame(struct collect collect;);
    edo_args(stream_kind kind;);
    edo_io *reader, *writer;
    int64_t written;
    char buffer[8];
};

edo_async(write_some)
{
    edo_body {
        int64_t n;
        open_streams(self->kind, &self->reader, &self->writer);
        edo_await(self->written, edo_write(self->writer, "hello", 5));
        assert_in_range(self->written, 1, 5);
        assert_int_equal(edo_op_progress(edo_last_op()), self->written);
        edo_close(self->writer);
        edo_call(n, collect, .io = self->reader, .buffer = self->buffer, .size = 8);
        assert_int_equal(n, self->written); // all of it arrives, also after the close
        assert_memory_equal(self->buffer, "hello", (size_t)n);
        edo_close(self->reader);
        edo_return(0);
    }
}

test_each_stream(write_some)

    enum {
        PAUSE_EVERY = 64
    }; // bytes of each buffer

/* More than the buffers hold, to a slow reader. */
struct write_slowly {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *reader, *writer;
    edo_task *task;
    edo_op op;
    size_t size, got;
    char *data, chunk[700];
};

edo_async(write_slowly)
{
    edo_body {
        int64_t n;
        open_streams(self->kind, &self->reader, &self->writer);
        shrink_stream(self->writer);
        self->size = bulk_size();
        self->data = test_malloc(self->size);
        fill_pattern(self->data, self->size, 1, 0);
        n = edo_spawn(&self->task, run_op,
                      .op = edo_write_all(self->writer, self->data, self->size),
                      .ret_op = &self->op);
        assert_int_equal(n, 0);
        settle();
        assert_false(edo_task_is_done(self->task));
        for (self->got = 0; self->got < self->size;) {
            edo_await(n, edo_read(self->reader, self->chunk, sizeof self->chunk));
            assert_true(n > 0);
            assert_true(is_pattern(self->chunk, (size_t)n, 1, self->got));
            self->got += (size_t)n;
            if (self->got % PAUSE_EVERY == 0) settle();
        }
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, self->size);
        assert_int_equal(edo_op_progress(&self->op), self->size);
        test_free(self->data);
        edo_close(self->reader);
        edo_close(self->writer);
        edo_return(0);
    }
}

test_each_stream(write_slowly)

    /* ---- several buffers ---- */

    struct gather {
    edo_frame(struct collect collect;);
    edo_args(stream_kind kind;);
    edo_io *reader, *writer;
    edo_slice vector[4];
    int64_t written;
    char buffer[16];
};

edo_async(gather)
{
    edo_body {
        int64_t n;
        open_streams(self->kind, &self->reader, &self->writer);
        self->vector[0] = (edo_slice){ "", 0 };
        self->vector[1] = (edo_slice){ "ab", 2 };
        self->vector[2] = (edo_slice){ "", 0 };
        self->vector[3] = (edo_slice){ "cdefg", 5 };
        edo_await(self->written, edo_writev(self->writer, self->vector, 4));
        assert_in_range(self->written, 1, 7);
        assert_int_equal(edo_op_progress(edo_last_op()), self->written);
        edo_close(self->writer);
        edo_call(n, collect, .io = self->reader, .buffer = self->buffer, .size = 16);
        assert_int_equal(n, self->written);
        assert_memory_equal(self->buffer, "abcdefg", (size_t)n);
        edo_close(self->reader);
        edo_return(0);
    }
}

test_each_stream(gather)

    enum {
        MAX_BUFFERS = 1024
    };

struct gather_bounds {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *reader, *writer;
    edo_slice vector[MAX_BUFFERS + 1];
    char bytes[MAX_BUFFERS + 1];
};

edo_async(gather_bounds)
{
    edo_body {
        int64_t n;
        open_streams(self->kind, &self->reader, &self->writer);
        fill_pattern(self->bytes, sizeof self->bytes, 2, 0);
        for (size_t i = 0; i <= MAX_BUFFERS; i++)
            self->vector[i] = (edo_slice){ &self->bytes[i], 1 };
        edo_await(n, edo_writev(self->writer, self->vector, 0));
        assert_int_equal(n, -EINVAL);
        edo_await(n, edo_writev(self->writer, self->vector, -1));
        assert_int_equal(n, -EINVAL);
        edo_await(n, edo_writev(self->writer, self->vector, MAX_BUFFERS + 1));
        assert_int_equal(n, -EINVAL);
        edo_await(n, edo_writev(self->writer, self->vector, MAX_BUFFERS));
        assert_in_range(n, 1, MAX_BUFFERS);
        stream_read_all(self->reader, self->bytes, (size_t)n);
        assert_true(is_pattern(self->bytes, (size_t)n, 2, 0));
        edo_close(self->reader);
        edo_close(self->writer);
        edo_return(0);
    }
}

test_each_stream(gather_bounds)

    /* ---- no bytes to move, no reader ---- */

    struct zero {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *reader, *writer;
    char byte;
};

edo_async(zero)
{
    edo_body {
        int64_t n;
        open_streams(self->kind, &self->reader, &self->writer);
        edo_await(n, edo_read(self->reader, &self->byte, 0)); // ready although there is no input
        assert_int_equal(n, 0);
        edo_await(n, edo_read_exact(self->reader, &self->byte, 0));
        assert_int_equal(n, 0);
        edo_await(n, edo_write(self->writer, &self->byte, 0));
        assert_int_equal(n, 0);
        edo_await(n, edo_write_all(self->writer, &self->byte, 0));
        assert_int_equal(n, 0);
        edo_close(self->reader);
        edo_close(self->writer);
        edo_return(0);
    }
}

test_each_stream(zero)

    /* SIGPIPE has its default action, which would kill this process. TCP notices a closed peer
     * late, so there the write side was shut down. */
    struct broken_pipe {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *reader, *writer;
    edo_slice vector;
};

edo_async(broken_pipe)
{
    edo_body {
        int64_t n;
        open_streams(self->kind, &self->reader, &self->writer);
        edo_close(self->reader);
        if (self->kind == TCP_STREAM) {
            edo_await(n, edo_shutdown_write(self->writer));
            assert_int_equal(n, 0);
        }
        edo_await(n, edo_write(self->writer, "x", 1));
        assert_int_equal(n, -EPIPE);
        edo_await(n, edo_write_all(self->writer, "x", 1));
        assert_int_equal(n, -EPIPE);
        assert_int_equal(edo_op_progress(edo_last_op()), 0);
        self->vector = (edo_slice){ "x", 1 };
        edo_await(n, edo_writev(self->writer, &self->vector, 1));
        assert_int_equal(n, -EPIPE);
        edo_close(self->writer);
        edo_return(0);
    }
}

test_each_stream(broken_pipe)

    static volatile sig_atomic_t signals_raised;

static void on_sigpipe(int number)
{
    (void)number;
    signals_raised = signals_raised + 1;
}

/* A handler of the program is not called either. */
async_test(no_signal, edo_io *reader, *writer; edo_slice vector; uint16_t round;)
{
    edo_body {
        int64_t n;
        signal(SIGPIPE, on_sigpipe);
        for (self->round = 0; self->round < 4; self->round++) {
            open_streams(self->round ? PIPE_STREAM : UNIX_STREAM, &self->reader, &self->writer);
            if (self->round) // every way of a call, as on kernels without the flags
                edo__io_source(self->writer)->sides[EDO__WRITE_SIDE].way = (uint8_t)(self->round -
                                                                                     1);
            edo_close(self->reader);
            edo_await(n, edo_write(self->writer, "x", 1));
            assert_int_equal(n, -EPIPE);
            self->vector = (edo_slice){ "x", 1 };
            edo_await(n, edo_writev(self->writer, &self->vector, 1));
            assert_int_equal(n, -EPIPE);
            edo_close(self->writer);
        }
        signal(SIGPIPE, SIG_DFL);
        assert_int_equal(signals_raised, 0);
        edo_return(0);
    }
}

/* ---- big transfers ---- */

enum { BULK = 64 << 20, MOST_AT_ONCE = 1 << 20 };

/* One call moves a limited number of bytes, even if more could be moved. */
async_test(big_call, edo_io *io; edo_slice vector[3]; char *buffer;)
{
    edo_body {
        int64_t n;
        if (driver_is("chaos")) edo_return(0); // moves single bytes
        self->buffer = test_malloc(BULK);
        self->io = wrap(open("/dev/zero", O_RDWR | O_CLOEXEC));
        edo_await(n, edo_read(self->io, self->buffer, BULK));
        assert_in_range(n, 1, MOST_AT_ONCE);
        edo_await(n, edo_write(self->io, self->buffer, BULK));
        assert_in_range(n, 1, MOST_AT_ONCE);
        self->vector[0] = (edo_slice){ NULL, 0 };
        self->vector[1] = (edo_slice){ self->buffer, BULK };
        self->vector[2] = (edo_slice){ self->buffer, 1 };
        edo_await(n, edo_writev(self->io, self->vector, 3));
        assert_in_range(n, 1, MOST_AT_ONCE);
        self->vector[0] = (edo_slice){ self->buffer, 10 };
        edo_await(n, edo_writev(self->io, self->vector, 3));
        assert_in_range(n, 10, MOST_AT_ONCE);
        edo_close(self->io);
        test_free(self->buffer);
        edo_return(0);
    }
}

/* Tasks that wait for the driver are served beside a transfer that never blocks: the transfer uses
 * budget by bytes. */
struct served_beside {
    edo_frame();
    edo_args(bool writes;);
    edo_io *bulk, *reader;
    edo_task *served;
    edo_op op;
    char *buffer, byte;
    int peer;
};

struct bulk {
    edo_frame();
    edo_args(edo_io *io; char *buffer; bool writes; int peer;);
};

edo_async(bulk)
{
    edo_body {
        int64_t n;
        fd_write_all(self->peer, "x", 1);
        if (self->writes)
            edo_await(n, edo_write_all(self->io, self->buffer, BULK));
        else
            edo_await(n, edo_read_exact(self->io, self->buffer, BULK));
        edo_return(n);
    }
}

edo_async(served_beside)
{
    edo_body {
        int64_t n;
        self->buffer = test_malloc(BULK);
        self->bulk = wrap(open("/dev/zero", O_RDWR | O_CLOEXEC));
        self->reader = open_stream(UNIX_STREAM, &self->peer);
        n = edo_spawn(&self->served, bulk, .io = self->bulk, .buffer = self->buffer,
                      .writes = self->writes, .peer = self->peer);
        assert_int_equal(n, 0);
        edo_await(n, edo_read(self->reader, &self->byte, 1));
        assert_int_equal(n, 1);
        assert_false(edo_task_is_done(self->served));
        edo_await(n, edo_join(self->served));
        assert_int_equal(n, BULK);
        edo_close(self->bulk);
        edo_close(self->reader);
        close(self->peer);
        test_free(self->buffer);
        edo_return(0);
    }
}

current_thread_only("a worker may be slow to take the other task")
async_test(served, edo_callees(struct served_beside callee;))
{
    edo_body {
        int64_t n = 0;
        if (driver_is("chaos")) edo_return(0);
        edo_call(n, served_beside, .writes = true);
        if (n == 0) edo_call(n, served_beside, .writes = false);
        edo_return(n);
    }
}
