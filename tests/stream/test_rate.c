/* Streams with limited rates, FILEs on streams, and copies from pipe to pipe. */
#include "support/streams.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RATE = 1000, BURST = 100, SIZE = 1100 };

/* ---- rates ---- */

/* Moves SIZE bytes. Returns the time in ms: the first BURST bytes are free. */
struct timed {
    edo_frame(struct collect collect;);
    edo_args(bool reads; edo_rate rate; size_t size;);
    edo_io *ends[2], *io;
    edo_task *task;
    int64_t began;
    char in[SIZE], out[SIZE];
};

edo_async(timed)
{
    edo_body {
        int64_t n;
        edo_rate none = { 0 };
        assert_int_equal(edo_duplex(2 * SIZE, &self->ends[0], &self->ends[1]), 0);
        n = edo_io_rate(self->ends[0], self->reads ? self->rate : none,
                        self->reads ? none : self->rate, &self->io);
        assert_int_equal(n, 0);
        fill_pattern(self->out, SIZE, 1, 0);
        self->began = edo_now();
        edo_await(n, edo_write_all(self->reads ? self->ends[1] : self->io, self->out, self->size));
        assert_int_equal(n, self->size);
        edo_call(n, collect, .io = self->reads ? self->io : self->ends[1], .buffer = self->in,
                 .size = self->size);
        assert_int_equal(n, self->size);
        assert_memory_equal(self->in, self->out, self->size);
        edo_close(self->io);
        edo_close(self->ends[1]);
        edo_return((edo_now() - self->began) / 1000000);
    }
}

static const struct {
    edo_rate rate;
    size_t size;
    int64_t least, most; // ms
} cases[] = {
    { { RATE, BURST }, SIZE, 1000, 1001 },   { { RATE, 0 }, SIZE, 1000, 1001 },
    { { RATE, BURST }, BURST / 2, 0, 0 },    { { RATE, 1 }, 50, 49, 51 },
    { { 700000000, 1 }, SIZE, 0, 1 },        { { 10000000000, 1 }, SIZE, 0, 0 },
    { { UINT64_MAX, 1 << 30 }, SIZE, 0, 0 }, { { 0, 0 }, SIZE, 0, 0 },
};

async_test(rates_are_kept, edo_callees(struct timed timed;) size_t i;)
{
    edo_body {
        int64_t ms;
        for (self->i = 0; self->i < 2 * ARRAY_LENGTH(cases); self->i++) {
            edo_call(ms, timed, .reads = self->i % 2, .rate = cases[self->i / 2].rate,
                     .size = cases[self->i / 2].size);
            assert_in_range(ms, cases[self->i / 2].least, cases[self->i / 2].most);
        }
        edo_return(0);
    }
}

/* A transfer that waits for the rate ends when it is cancelled, and when the stream is closed. */
async_test(waits_for_the_rate_end,
    edo_io *ends[2], *io;
    edo_task *task;
    char bytes[100];
    int64_t began;)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_duplex(1000, &self->ends[0], &self->ends[1]), 0);
        n = edo_io_rate(self->ends[0], (edo_rate){ 1, 1 }, (edo_rate){ 1, 1 }, &self->io);
        assert_int_equal(n, 0);
        self->began = edo_now();
        edo_await_for(n, edo_s(3), edo_write_all(self->io, self->bytes, sizeof self->bytes));
        assert_int_equal(n, -ETIMEDOUT);
        assert_in_range(edo_op_progress(edo_last_op()), 3, 4);
        n = edo_spawn(&self->task, run_op, .op = edo_write_all(self->io, self->bytes, 100));
        assert_int_equal(n, 0);
        settle();
        edo_close(self->io);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, -ECANCELED);
        assert_in_range(edo_now() - self->began, edo_s(3), edo_s(4));
        edo_close(self->ends[1]);
        edo_return(0);
    }
}

test(bad_rates)
{
    edo_io *ends[2], *io;
    edo_rate none = { 0 }, bad = { 1, UINT64_MAX };
    assert_int_equal(edo_duplex(10, &ends[0], &ends[1]), 0);
    assert_int_equal(edo_io_rate(ends[0], bad, none, &io), -EINVAL);
    assert_int_equal(edo_io_rate(ends[0], none, bad, &io), -EINVAL);
    assert_int_equal(edo_io_rate(NULL, none, none, &io), -EINVAL);
    assert_int_equal(edo_io_rate(ends[0], none, none, NULL), -EINVAL);
    edo_close(ends[0]);
    edo_close(ends[1]);
}

/* ---- FILEs ---- */

enum { LINES = 2000 };

/* Answers "n" by "n + 1", line by line, by the calls of stdio. */
static int64_t count_up(void *arg)
{
    edo_io *reader, *writer;
    FILE *in, *out;
    long n;
    assert_int_equal(edo_io_split(arg, &reader, &writer), 0);
    assert_int_equal(edo_io_fopen(reader, "r", &in), 0);
    assert_int_equal(edo_io_fopen(writer, "w", &out), 0);
    while (fscanf(in, "%ld", &n) == 1) {
        fprintf(out, "%ld\n", n + 1);
        fflush(out);
    }
    assert_true(feof(in));
    assert_int_equal(fclose(in), 0);
    assert_int_equal(fclose(out), 0);
    return 0;
}

async_test(a_file_on_a_pool_thread, edo_io *ends[2]; edo_task *task; char text[20]; int i;)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_duplex(10, &self->ends[0], &self->ends[1]), 0);
        n = edo_spawn(&self->task, run_op, .op = edo_blocking(count_up, self->ends[0]));
        assert_int_equal(n, 0);
        for (self->i = 1; self->i < LINES; self->i *= 3) {
            int length = snprintf(self->text, sizeof self->text, "%d\n", self->i);
            edo_await(n, edo_write_all(self->ends[1], self->text, (size_t)length));
            length = snprintf(self->text, sizeof self->text, "%d\n", self->i + 1);
            edo_await(n, edo_read_exact(self->ends[1], self->text, (size_t)length));
            assert_int_equal(atoi(self->text), self->i + 1);
        }
        edo_await(n, edo_shutdown_write(self->ends[1]));
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, 0);
        edo_await(n, edo_read(self->ends[1], self->text, 1)); // fclose has closed the stream
        assert_int_equal(n, 0);
        edo_close(self->ends[1]);
        edo_return(0);
    }
}

test(errors_of_a_file)
{
    int peer;
    FILE *file;
    edo_io *io = open_stream(UNIX_STREAM, &peer);
    assert_int_equal(edo_io_fopen(io, "?", &file), -EINVAL);
    assert_int_equal(edo_io_fopen(io, "r+", &file), -EINVAL);
    assert_int_equal(edo_io_fopen(io, NULL, &file), -EINVAL);
    assert_int_equal(edo_io_fopen(NULL, "r", &file), -EINVAL);
    assert_int_equal(edo_io_fopen(io, "w", &file), 0);
    peer_close(peer);
    assert_true(fputs("lost", file) >= 0);
    errno = 0;
    assert_int_equal(fclose(file), EOF);
    assert_int_equal(errno, EPIPE);
}

/* ---- from pipe to pipe ---- */

async_test(a_tee_of_pipes,
    edo_io *from[2], *to[2];
    edo_task *task;
    char bytes[20];)
{
    edo_body {
        int64_t n;
        open_streams(PIPE_STREAM, &self->from[0], &self->from[1]);
        open_streams(PIPE_STREAM, &self->to[0], &self->to[1]);
        n = edo_spawn(&self->task, run_op, .op = edo_tee(self->from[0], self->to[1], 1000));
        assert_int_equal(n, 0);
        settle(); // it waits for input
        edo_await(n, edo_write_all(self->from[1], "twice", 5));
        edo_await(n, edo_join(self->task));
        if (!driver_is("chaos")) assert_int_equal(n, 5);
        edo_await(n, edo_read_exact(self->to[0], self->bytes, (size_t)n));
        edo_await(n, edo_read_exact(self->from[0], self->bytes, 5));
        assert_memory_equal(self->bytes, "twice", 5);

        edo_await(n, edo_write_all(self->from[1], "x", 1));
        stream_fill(self->to[1]);
        edo_await_for(n, edo_ms(1), edo_tee(self->from[0], self->to[1], 1000));
        assert_int_equal(n, -ETIMEDOUT);
        n = edo_spawn(&self->task, run_op, .op = edo_tee(self->from[0], self->to[1], 1000));
        assert_int_equal(n, 0);
        settle(); // it waits for room
        edo_await(n, edo_read(self->from[0], self->bytes, 1));
        assert_int_equal(n, -EBUSY);
        edo_close(self->to[0]);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, -EPIPE);
        edo_close(self->to[1]);

        open_streams(PIPE_STREAM, &self->to[0], &self->to[1]);
        edo_await(n, edo_read(self->from[0], self->bytes, 1));
        edo_close(self->from[1]);
        edo_await(n, edo_tee(self->from[0], self->to[1], 1000));
        assert_int_equal(n, 0); // the end of the input
        edo_await(n, edo_tee(self->from[0], self->from[0], 1));
        assert_int_equal(n, -EINVAL);
        edo_await(n, edo_tee(self->from[0], self->to[1], 0));
        assert_int_equal(n, -EINVAL);
        edo_close(self->to[0]);
        edo_close(self->to[1]);
        open_streams(UNIX_STREAM, &self->to[0], &self->to[1]);
        edo_await(n, edo_tee(self->from[0], self->to[1], 1));
        assert_int_equal(n, -EINVAL); // no pipe
        edo_close(self->to[0]);
        edo_close(self->to[1]);
        edo_close(self->from[0]);
        edo_return(0);
    }
}
