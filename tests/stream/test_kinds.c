/* Streams in memory and around others: tests beyond the suite of tests/io, which runs on them too. */
#include "support/streams.h"

#include <string.h>

#include <edo/buffered.h>
#include <edo/streams.h>

enum { ROOM = 64 };

static edo_io *of_text(const char *text)
{
    edo_io *io = NULL;
    edo_bytes bytes = edo_bytes_static(text, strlen(text));
    assert_int_equal(edo_io_from_bytes(&bytes, &io), 0);
    return io;
}

/* ---- in memory ---- */

test(a_capacity_of_nothing_is_refused)
{
    edo_io *a = NULL, *b = NULL;
    assert_int_equal(edo_duplex(0, &a, &b), -EINVAL);
    assert_int_equal(edo_simplex(0, &a, &b), -EINVAL);
    assert_int_equal(edo_duplex(SIZE_MAX / 2, &a, &b), -ENOMEM);
    assert_int_equal(edo_duplex(1, NULL, &b), -EINVAL);
    assert_null(a);
}

/* Whether the pipe is empty or full. */
async_test(nothing_is_moved_at_once, edo_io *ends[2]; char in[4];)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_duplex(2, &self->ends[0], &self->ends[1]), 0);
        edo_await(n, edo_read(self->ends[1], self->in, 0));
        assert_int_equal(n, 0);
        edo_await(n, edo_write_all(self->ends[0], "ab", 2));
        assert_int_equal(n, 2);
        edo_await(n, edo_write_all(self->ends[0], "", 0));
        assert_int_equal(n, 0);
        edo_await_for(n, edo_ms(1), edo_write(self->ends[0], "c", 1));
        assert_int_equal(n, -ETIMEDOUT);
        edo_await(n, edo_read(self->ends[1], self->in, 4));
        assert_int_equal(n, 2);
        edo_close(self->ends[0]);
        edo_close(self->ends[1]);
        edo_return(0);
    }
}

async_test(a_simplex_has_one_direction, edo_io *reader, *writer; char in[4];)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_simplex(4, &self->reader, &self->writer), 0);
        edo_await(n, edo_write(self->reader, "x", 1));
        assert_int_equal(n, -EBADF);
        edo_await(n, edo_read(self->writer, self->in, 1));
        assert_int_equal(n, -EBADF);
        edo_await(n, edo_write_all(self->writer, "abc", 3));
        assert_int_equal(n, 3);
        edo_close(self->writer);
        edo_await(n, edo_read(self->reader, self->in, 4));
        assert_int_equal(n, 3);
        assert_memory_equal(self->in, "abc", 3);
        edo_await(n, edo_read(self->reader, self->in, 4));
        assert_int_equal(n, 0);
        edo_close(self->reader);
        edo_return(0);
    }
}

async_test(streams_that_never_wait, edo_io *io; edo_slice slices[2]; char in[8];)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_io_null(&self->io), 0);
        edo_await(n, edo_read(self->io, self->in, 8));
        assert_int_equal(n, 0);
        edo_await(n, edo_write_all(self->io, self->in, 8));
        assert_int_equal(n, 8);
        self->slices[0] = (edo_slice){ self->in, 3 };
        self->slices[1] = (edo_slice){ self->in, 4 };
        edo_await(n, edo_writev_all(self->io, self->slices, 2));
        assert_int_equal(n, 7);
        edo_close(self->io);
        edo_bytes bytes = edo_bytes_static("abc", 3);
        assert_int_equal(edo_io_repeat(&bytes, &self->io), 0);
        assert_int_equal(edo_io_repeat(&bytes, &self->io), -EINVAL); // none are left
        edo_await(n, edo_read_exact(self->io, self->in, 8));
        assert_int_equal(n, 8);
        assert_memory_equal(self->in, "abcabcab", 8);
        edo_await(n, edo_read(self->io, self->in, 2));
        assert_memory_equal(self->in, "ca", 2);
        edo_await(n, edo_write(self->io, self->in, 2));
        assert_int_equal(n, -EBADF);
        edo_close(self->io);
        edo_return(0);
    }
}

/* ---- around others ---- */

async_test(a_chain_goes_on_with_the_second, edo_io *ends[2], *chain; char in[ROOM];)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_duplex(8, &self->ends[0], &self->ends[1]), 0);
        assert_int_equal(edo_io_chain(of_text("first "), self->ends[0], &self->chain), 0);
        edo_await(n, edo_read(self->chain, self->in, 0)); // is no end of the first
        assert_int_equal(n, 0);
        edo_await(n, edo_write_all(self->ends[1], "second", 6));
        assert_int_equal(n, 6);
        edo_await(n, edo_read_exact(self->chain, self->in, 12));
        assert_int_equal(n, 12);
        assert_memory_equal(self->in, "first second", 12);
        edo_await_for(n, edo_ms(1), edo_read(self->chain, self->in, 1));
        assert_int_equal(n, -ETIMEDOUT);
        edo_await(n, edo_write_all(self->chain, "answer", 6));
        assert_int_equal(n, 6);
        edo_await(n, edo_read_exact(self->ends[1], self->in, 6));
        assert_memory_equal(self->in, "answer", 6);
        edo_close(self->ends[1]);
        edo_await(n, edo_read(self->chain, self->in, 1));
        assert_int_equal(n, 0);
        edo_close(self->chain);
        edo_return(0);
    }
}

typedef struct seen {
    size_t counts[2];
    char bytes[2][ROOM];
} seen;

static void note(void *context, bool written, const void *data, size_t size)
{
    seen *self = context;
    memcpy(self->bytes[written] + self->counts[written], data, size);
    self->counts[written] += size;
}

/* Exactly the moved bytes are inspected: of short reads, of cancelled writes, of vectors. */
async_test(an_inspector_sees_what_was_moved,
    edo_io *ends[2], *io;
    edo_slice slices[3];
    seen seen;
    char in[ROOM];)
{
    edo_body {
        int64_t n;
        memset(&self->seen, 0, sizeof self->seen);
        assert_int_equal(edo_duplex(10, &self->ends[0], &self->ends[1]), 0);
        assert_int_equal(edo_io_inspect(self->ends[0], note, &self->seen, &self->io), 0);
        edo_await(n, edo_write_all(self->ends[1], "input", 5));
        edo_await(n, edo_read(self->io, self->in, ROOM));
        assert_int_equal(n, 5);
        assert_int_equal(self->seen.counts[0], 5);
        assert_memory_equal(self->seen.bytes[0], "input", 5);
        edo_await_for(n, edo_ms(1), edo_write_all(self->io, "0123456789abc", 13));
        assert_int_equal(n, -ETIMEDOUT);
        assert_int_equal(self->seen.counts[1], 10);
        edo_await(n, edo_read_exact(self->ends[1], self->in, 5));
        self->slices[0] = (edo_slice){ "ab", 2 };
        self->slices[1] = (edo_slice){ NULL, 0 };
        self->slices[2] = (edo_slice){ "cdefghi", 7 };
        edo_await(n, edo_writev(self->io, self->slices, 3));
        assert_true(n >= 2 && n <= 5);
        assert_int_equal(self->seen.counts[1], 10 + n);
        assert_memory_equal(self->seen.bytes[1], "0123456789abcde", (size_t)(10 + n));
        edo_close(self->ends[1]);
        edo_close(self->io);
        edo_return(0);
    }
}

enum { TEED = 40 };

/* Cancelled while it reads, while it copies, and in between: each byte comes out once, and was
 * copied before. */
async_test(a_tee_loses_nothing,
    edo_io *ends[2], *copies[2], *tee;
    size_t put, got, copied;
    char in[ROOM], copy[ROOM];)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_duplex(7, &self->ends[0], &self->ends[1]), 0);
        assert_int_equal(edo_simplex(3, &self->copies[0], &self->copies[1]), 0);
        assert_int_equal(edo_io_tee(self->ends[0], self->copies[1], &self->tee), 0);
        for (self->put = self->got = self->copied = 0; self->got < TEED;) {
            fill_pattern(self->in, ROOM, 1, 0);
            if (self->put < TEED) {
                size_t rest = TEED - self->put;
                edo_await_for(n, edo_ms(1),
                              edo_write(self->ends[1], self->in + self->put, rest < 5 ? rest : 5));
                if (n > 0) self->put += (size_t)n;
            }
            edo_await_for(n, edo_ms(1), edo_read(self->tee, self->in, 2));
            assert_true(n > 0 || n == -ETIMEDOUT);
            if (n > 0) assert_true(is_pattern(self->in, (size_t)n, 1, self->got));
            if (n > 0) self->got += (size_t)n;
            edo_await_for(n, edo_ms(1), edo_read(self->copies[0], self->copy, 1));
            if (n > 0) assert_true(is_pattern(self->copy, (size_t)n, 1, self->copied));
            if (n > 0) self->copied += (size_t)n;
            assert_true(self->copied + 3 >= self->got);
        }
        edo_close(self->copies[0]);
        edo_await(n, edo_write(self->ends[1], "x", 1));
        edo_await(n, edo_read(self->tee, self->in, 1));
        assert_int_equal(n, -EPIPE); // of the copy
        edo_close(self->ends[1]);
        edo_close(self->tee);
        edo_return(0);
    }
}

/* ---- halves ---- */

struct halves {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *io, *peer, *reader, *writer, *again;
    edo_task *task;
    char in[ROOM];
};

/* The end of the writer ends the peer's input; reading goes on. */
edo_async(halves)
{
    edo_body {
        int64_t n;
        if (self->kind == PIPE_STREAM) edo_return(0); // has one side
        open_streams(self->kind, &self->io, &self->peer);
        assert_int_equal(edo_io_split(self->io, &self->reader, &self->writer), 0);
        edo_await(n, edo_write(self->reader, "x", 1));
        assert_int_equal(n, -EBADF);
        edo_await(n, edo_read(self->writer, self->in, 1));
        assert_int_equal(n, -EBADF);
        edo_await(n, edo_write_all(self->writer, "question", 8));
        assert_int_equal(n, 8);
        edo_await(n, edo_finish(self->writer));
        assert_int_equal(n, 0);
        edo_await(n, edo_read_exact(self->peer, self->in, 8));
        assert_int_equal(n, 8);
        edo_await(n, edo_read(self->peer, self->in, 8));
        assert_int_equal(n, 0);
        n = edo_spawn(&self->task, run_op, .op = edo_read_exact(self->reader, self->in, 8));
        assert_int_equal(n, 0);
        settle();
        edo_await(n, edo_write_all(self->peer, "ans", 3));
        settle();
        assert_false(edo_task_is_done(self->task));
        edo_close(self->reader); // the last: its read ends, and the stream
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, -ECANCELED);
        edo_close(self->peer);
        edo_return(0);
    }
}

test_each_stream(halves)

    async_test(halves_are_put_together_again,
    edo_io *ends[4], *halves[4], *io;
    edo_task *task;
    char in[4];)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_duplex(4, &self->ends[0], &self->ends[1]), 0);
        assert_int_equal(edo_duplex(4, &self->ends[2], &self->ends[3]), 0);
        assert_int_equal(edo_io_split(self->ends[0], &self->halves[0], &self->halves[1]), 0);
        assert_int_equal(edo_io_split(self->ends[2], &self->halves[2], &self->halves[3]), 0);
        self->io = NULL;
        assert_int_equal(edo_io_unsplit(self->halves[0], self->halves[3], &self->io), -EINVAL);
        assert_int_equal(edo_io_unsplit(self->halves[1], self->halves[0], &self->io), -EINVAL);
        assert_int_equal(edo_io_unsplit(self->ends[1], self->ends[3], &self->io), -EINVAL);
        n = edo_spawn(&self->task, run_op, .op = edo_read(self->halves[0], self->in, 4));
        assert_int_equal(n, 0);
        settle();
        assert_int_equal(edo_io_unsplit(self->halves[0], self->halves[1], &self->io), -EBUSY);
        assert_null(self->io);
        edo_await(n, edo_write_all(self->ends[1], "abc", 3));
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, 3);
        assert_int_equal(edo_io_unsplit(self->halves[0], self->halves[1], &self->io), 0);
        assert_ptr_equal(self->io, self->ends[0]);
        for (int i = 1; i < 4; i++)
            if (i != 2) edo_close(self->ends[i]);
        edo_close(self->ends[0]);
        edo_close(self->halves[2]);
        edo_close(self->halves[3]);
        edo_return(0);
    }
}

/* A close of the writer is enough for the peer to read the end. */
async_test(a_closed_half_shuts_down, edo_io *ends[2], *reader, *writer; char in[4];)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_duplex(4, &self->ends[0], &self->ends[1]), 0);
        assert_int_equal(edo_io_split(self->ends[0], &self->reader, &self->writer), 0);
        edo_close(self->writer);
        edo_await_for(n, edo_s(1), edo_read(self->ends[1], self->in, 4));
        assert_int_equal(n, 0);
        edo_await(n, edo_write_all(self->ends[1], "abc", 3));
        edo_await(n, edo_read(self->reader, self->in, 4));
        assert_int_equal(n, 3);
        edo_close(self->reader);
        edo_close(self->ends[1]);
        edo_return(0);
    }
}

/* A half is closed by one task while the operation of another is parked, or just ends. */
struct close_half_under {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *io, *peer, *reader, *writer;
    edo_task *task;
    int i;
    char in[ROOM];
};

edo_async(close_half_under)
{
    edo_body {
        int64_t n;
        for (self->i = 0; self->i < 100; self->i++) {
            open_streams(self->kind, &self->io, &self->peer);
            assert_int_equal(edo_io_split(self->io, &self->reader, &self->writer), 0);
            n = edo_spawn(&self->task, run_op, .op = edo_read_exact(self->reader, self->in, ROOM));
            assert_int_equal(n, 0);
            settle();
            edo_await(n, edo_write(self->peer, "bytes", 5));
            if (self->i % 2) edo_await_void(edo_yield());
            edo_close(self->reader);
            edo_await(n, edo_join(self->task));
            assert_int_equal(n, -ECANCELED);
            edo_close(self->writer);
            edo_close(self->peer);
        }
        edo_return(0);
    }
}

test_each_stream(close_half_under)

    /* ---- one of two ---- */

    async_test(two_streams_are_joined,
    edo_io *in[2], *out[2], *io;
    char bytes[4];)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_simplex(4, &self->in[0], &self->in[1]), 0);
        assert_int_equal(edo_simplex(4, &self->out[0], &self->out[1]), 0);
        assert_int_equal(edo_io_join(self->in[0], self->in[0], &self->io), -EINVAL);
        assert_int_equal(edo_io_join(self->in[0], self->out[1], &self->io), 0);
        edo_await(n, edo_write_all(self->io, "abc", 3));
        assert_int_equal(n, 3);
        edo_await(n, edo_read_exact(self->out[0], self->bytes, 3));
        assert_int_equal(n, 3);
        edo_await(n, edo_shutdown_write(self->io));
        assert_int_equal(n, 0);
        edo_await(n, edo_read(self->out[0], self->bytes, 3));
        assert_int_equal(n, 0);
        edo_await(n, edo_write_all(self->in[1], "xyz", 3));
        edo_await(n, edo_read_exact(self->io, self->bytes, 3));
        assert_memory_equal(self->bytes, "xyz", 3);
        edo_close(self->in[1]);
        edo_await(n, edo_finish(self->io));
        assert_int_equal(n, 0);
        edo_close(self->out[0]);
        edo_return(0);
    }
}

/* ---- no memory ---- */

/* Streams that are handed over are still the caller's after a failure. */
static void make_all(void *arg)
{
    edo_io *a, *b, *c, *io;
    edo_bytes bytes = edo_bytes_static("x", 1);
    (void)arg;
    if (edo_duplex(1, &a, &b) < 0) return;
    if (edo_io_repeat(&bytes, &c) == 0) {
        if (edo_io_tee(a, c, &a) < 0) edo_close(c);
    } else {
        assert_int_equal(bytes.size, 1);
    }
    int rc = edo_io_limit(a, 1, 1, &a);
    assert_true(rc == 0 || rc == -ENOMEM);
    rc = edo_io_inspect(a, note, NULL, &a);
    assert_true(rc == 0 || rc == -ENOMEM);
    if (edo_io_null(&c) == 0 && edo_io_chain(c, a, &a) < 0) edo_close(c);
    if (edo_io_split(b, &b, &c) == 0) {
        if (edo_io_join(b, c, &io) == 0)
            b = io;
        else
            edo_close(c);
    }
    edo_close(a);
    edo_close(b);
}

test(no_memory)
{
    assert_int_equal(with_each_allocation_failing(make_all, NULL), 9);
}
