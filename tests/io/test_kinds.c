/* Kinds of streams without a descriptor: tests in addition to the suite, which runs on them too. */
#include "support/limited.h"
#include "support/memory.h"
#include "support/streams.h"

#include <errno.h>
#include <string.h>

#include "base/atomic.h"

/* ---- cancelled at every point ---- */

enum { BYTES = 8, ROOM = 16 };

/* A whole read, cancelled before byte number `point` comes: each byte is read once, by this read or
 * a later one. */
struct cancel_read_at {
    edo_frame(struct collect collect;);
    edo_args(stream_kind kind; int point;);
    edo_io *reader, *writer;
    edo_task *task;
    edo_op op;
    int i;
    size_t got;
    char in[ROOM];
};

edo_async(cancel_read_at)
{
    edo_body {
        int64_t n;
        open_streams(self->kind, &self->reader, &self->writer);
        n = edo_spawn(&self->task, run_op, .op = edo_read_exact(self->reader, self->in, BYTES),
                      .ret_op = &self->op);
        assert_int_equal(n, 0);
        for (self->i = 0; self->i < BYTES; self->i++) {
            if (self->i == self->point) edo_task_cancel(self->task);
            edo_await(n, edo_write_all(self->writer, &"abcdefgh"[self->i], 1));
            assert_int_equal(n, 1);
            if (self->i % 2) edo_await(n, edo_yield());
        }
        edo_close(self->writer);
        edo_await(n, edo_join(self->task));
        assert_true(n == BYTES || n == -ECANCELED);
        self->got = edo_op_progress(&self->op);
        edo_call(n, collect, .io = self->reader, .buffer = self->in + self->got,
                 .size = ROOM - self->got);
        assert_int_equal(n, BYTES - self->got);
        assert_memory_equal(self->in, "abcdefgh", BYTES);
        edo_close(self->reader);
        edo_return(0);
    }
}

/* A whole write, cancelled when part number `point` was read: progress is the number of bytes that
 * arrive. */
struct cancel_write_at {
    edo_frame();
    edo_args(stream_kind kind; int point;);
    edo_io *reader, *writer;
    edo_task *task;
    edo_op op;
    int i;
    size_t got;
    char *data, in[700];
};

edo_async(cancel_write_at)
{
    edo_body {
        int64_t n;
        open_streams(self->kind, &self->reader, &self->writer);
        shrink_stream(self->writer);
        self->data = test_malloc(bulk_size());
        fill_pattern(self->data, bulk_size(), 1, 0);
        n = edo_spawn(&self->task, run_op,
                      .op = edo_write_all(self->writer, self->data, bulk_size()),
                      .ret_op = &self->op);
        assert_int_equal(n, 0);
        for (self->i = 0, self->got = 0; self->i < self->point; self->i++) {
            edo_await(n, edo_read(self->reader, self->in, sizeof self->in));
            assert_true(n > 0 && is_pattern(self->in, (size_t)n, 1, self->got));
            self->got += (size_t)n;
        }
        edo_task_cancel(self->task);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, -ECANCELED);
        edo_close(self->writer);
        do {
            edo_await(n, edo_read(self->reader, self->in, sizeof self->in));
            assert_true(n >= 0 && is_pattern(self->in, (size_t)n, 1, self->got));
            self->got += (size_t)n;
        } while (n > 0);
        assert_int_equal(self->got, edo_op_progress(&self->op));
        edo_close(self->reader);
        test_free(self->data);
        edo_return(0);
    }
}

struct cancel_everywhere {
    edo_frame(struct cancel_read_at read_at; struct cancel_write_at write_at;);
    edo_args(stream_kind kind;);
    int point;
};

edo_async(cancel_everywhere)
{
    edo_body {
        int64_t n;
        for (self->point = 0; self->point <= BYTES; self->point++) {
            edo_call(n, cancel_read_at, .kind = self->kind, .point = self->point);
            assert_int_equal(n, 0);
            edo_call(n, cancel_write_at, .kind = self->kind, .point = self->point);
            assert_int_equal(n, 0);
        }
        edo_return(0);
    }
}

test_each_stream(cancel_everywhere)

    /* ---- ends ---- */

    /* A close wakes the peer's operations on both sides. */
    async_test(close_wakes_peer, edo_io *ends[2]; edo_task *reader, *writer; char byte;)
{
    edo_body {
        int64_t n;
        assert_int_equal(memory_pipe_open(1, self->ends), 0);
        edo_await(n, edo_write(self->ends[0], "x", 1));
        assert_int_equal(n, 1);
        n = edo_spawn(&self->reader, run_op, .op = edo_read(self->ends[0], &self->byte, 1));
        assert_int_equal(n, 0);
        n = edo_spawn(&self->writer, run_op, .op = edo_write(self->ends[0], "y", 1));
        assert_int_equal(n, 0);
        settle();
        assert_false(edo_task_is_done(self->reader) || edo_task_is_done(self->writer));
        edo_close(self->ends[1]);
        edo_await(n, edo_join(self->reader));
        assert_int_equal(n, 0);
        edo_await(n, edo_join(self->writer));
        assert_int_equal(n, -EPIPE);
        edo_close(self->ends[0]);
        edo_return(0);
    }
}

struct close_stream {
    edo_frame();
    edo_args(edo_io *io;);
};

edo_async(close_stream)
{
    edo_body {
        edo_close(self->io);
        edo_return(0);
    }
}

enum { CLOSES = 300 };

/* A close by one task while another works on the stream. The operation has begun before, because a
 * use after the close would be misuse. */
struct close_under {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *reader, *writer;
    edo_task *tasks[2];
    char in[ROOM];
    int i;
};

edo_async(close_under)
{
    edo_body {
        int64_t n;
        for (self->i = 0; self->i < CLOSES; self->i++) {
            open_streams(self->kind, &self->reader, &self->writer);
            n = edo_spawn(&self->tasks[0], run_op,
                          .op = edo_read_exact(self->reader, self->in, ROOM));
            assert_int_equal(n, 0);
            settle();
            n = edo_spawn(&self->tasks[1], close_stream, .io = self->reader);
            assert_int_equal(n, 0);
            edo_await(n, edo_write(self->writer, "bytes", 5)); // or the stream was already closed
            edo_await(n, edo_join(self->tasks[0]));
            assert_int_equal(n, -ECANCELED);
            edo_await(n, edo_join(self->tasks[1]));
            assert_int_equal(n, 0);
            edo_close(self->writer);
        }
        edo_return(0);
    }
}

test_each_stream(close_under)

    /* ---- budget ---- */

    struct count_runs {
    edo_frame();
    edo_args(edo_atomic(unsigned) *runs; edo_atomic(bool) *stop;);
};

edo_async(count_runs)
{
    edo_body {
        int rc;
        while (!edo_load_relaxed(self->stop)) {
            edo_add_relaxed(self->runs, 1);
            edo_await(rc, edo_yield());
            assert_int_equal(rc, 0);
        }
        edo_return(0);
    }
}

enum { TURNS = 4000 };

/* Operations that are always ready let other tasks run, many times. */
struct lets_others_run {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *reader, *writer;
    edo_task *task;
    edo_atomic(unsigned) runs;
    edo_atomic(bool) stop;
    int i;
    char byte;
};

edo_async(lets_others_run)
{
    edo_body {
        int64_t n;
        open_streams(self->kind, &self->reader, &self->writer);
        self->runs = 0;
        self->stop = false;
        n = edo_spawn(&self->task, count_runs, .runs = &self->runs, .stop = &self->stop);
        assert_int_equal(n, 0);
        for (self->i = 0; self->i < TURNS; self->i++) {
            edo_await(n, edo_write_all(self->writer, "x", 1));
            assert_int_equal(n, 1);
            edo_await(n, edo_read_exact(self->reader, &self->byte, 1));
            assert_int_equal(n, 1);
        }
        assert_true(edo_load_relaxed(&self->runs) > 2);
        edo_store_relaxed(&self->stop, true);
        edo_await(n, edo_join(self->task));
        edo_close(self->reader);
        edo_close(self->writer);
        edo_return(n);
    }
}

current_thread_only("a worker may be slow to take the other task")
test_each_stream(lets_others_run)

    /* ---- limits ---- */

    async_test(limit_is_reached,
    edo_io *ends[2], *limited;
    edo_slice vector[2];
    char in[ROOM];)
{
    edo_body {
        int64_t n;
        assert_int_equal(memory_pipe_open(ROOM, self->ends), 0);
        self->limited = limited_open(self->ends[0], 5);
        edo_await(n, edo_write_all(self->ends[1], "12345678", 8));
        assert_int_equal(n, 8);
        edo_await(n, edo_read_exact(self->limited, self->in, 8));
        assert_int_equal(n, -EDO_EOF);
        assert_int_equal(edo_op_progress(edo_last_op()), 5);
        assert_memory_equal(self->in, "12345", 5);
        edo_await(n, edo_read(self->limited, self->in, 1));
        assert_int_equal(n, 0);
        self->vector[0] = (edo_slice){ "ab", 2 };
        self->vector[1] = (edo_slice){ "cdef", 4 };
        edo_await(n, edo_writev(self->limited, self->vector, 2));
        assert_int_equal(n, 2); // the part that is allowed
        edo_await(n, edo_write_all(self->limited, "cdef", 4));
        assert_int_equal(n, -EFBIG);
        assert_int_equal(edo_op_progress(edo_last_op()), 3);
        edo_await(n, edo_read_exact(self->ends[1], self->in, 5));
        assert_int_equal(n, 5);
        assert_memory_equal(self->in, "abcde", 5);
        edo_close(self->ends[1]);
        edo_await(n, edo_finish(self->limited)); // drops what is beyond the limit
        edo_return(n);
    }
}

/* Wrappers in wrappers, closed from the outside while the innermost waits. */
async_test(limit_of_limit, edo_io *ends[2], *outer; edo_task *reader; char in[ROOM];)
{
    edo_body {
        int64_t n;
        assert_int_equal(memory_pipe_open(ROOM, self->ends), 0);
        self->outer = limited_open(limited_open(self->ends[0], 6), 9);
        n = edo_spawn(&self->reader, run_op, .op = edo_read_exact(self->outer, self->in, 9));
        assert_int_equal(n, 0);
        edo_await(n, edo_write_all(self->ends[1], "12345678", 8));
        edo_await(n, edo_join(self->reader));
        assert_int_equal(n, -EDO_EOF);
        n = edo_spawn(&self->reader, run_op, .op = edo_write_all(self->outer, "1234567890", 6));
        assert_int_equal(n, 0);
        edo_await(n, edo_join(self->reader));
        assert_int_equal(n, 6);
        edo_close(self->outer);
        edo_await(n, edo_read_exact(self->ends[1], self->in, 7));
        assert_int_equal(n, -EDO_EOF);
        edo_close(self->ends[1]);
        edo_return(0);
    }
}

/* Streams in memory have no descriptor and no driver. */
test(no_descriptor)
{
    edo_io *ends[2];
    assert_int_equal(memory_pipe_open(ROOM, ends), 0);
    ends[0] = limited_open(ends[0], 1);
    assert_int_equal(edo_io_fd(ends[0]), -ENOTSUP);
    assert_int_equal(edo_io_into_fd(ends[0]), -ENOTSUP);
    edo_close(ends[0]);
    edo_close(ends[1]);
}
