/* Buffered writers, vectors, chains. */
#include "support/streams.h"

#include <string.h>
#include <sys/socket.h>

#include <edo/buffered.h>

#include "io/io.h"

enum { ROOM = 64 };

/* Bytes that have come to the other end of a socket so far. */
static size_t arrived(edo_io *io, char *buffer, size_t size)
{
    ssize_t n = recv(edo_io_fd(io), buffer, size, MSG_DONTWAIT | MSG_PEEK);
    return n < 0 ? 0 : (size_t)n;
}

/* ---- what is collected ---- */

async_test(small_pieces_are_collected,
    edo_io *in, *out;
    edo_writer writer;
    char memory[EDO_BUFFERED_LEAST], got[ROOM];)
{
    edo_body {
        int64_t n;
        open_streams(UNIX_STREAM, &self->in, &self->out);
        edo_writer_init(&self->writer, self->out, self->memory, sizeof self->memory);
        edo_await(n, edo_writer_write(&self->writer, "0123456", 7));
        assert_int_equal(n, 7);
        edo_await(n, edo_printf(&self->writer, "%d-%s", 42, "abc"));
        assert_int_equal(n, 6);
        assert_int_equal(arrived(self->in, self->got, ROOM), 0);
        assert_int_equal(edo_writer_pending(&self->writer), 13);
        edo_await(n, edo_write_u32(&self->writer, 0x2e2e2e2e)); // no room: the rest goes first
        assert_int_equal(n, 0);
        assert_int_equal(edo_writer_pending(&self->writer), 4);
        edo_await(n, edo_flush(&self->writer));
        assert_int_equal(n, 0);
        edo_await(n, edo_flush(&self->writer));
        assert_int_equal(n, 0);
        edo_await(n, edo_read_exact(self->in, self->got, 17));
        assert_int_equal(n, 17);
        assert_memory_equal(self->got, "012345642-abc....", 17);
        assert_int_equal(edo_writer_deinit(&self->writer), 0);
        edo_close(self->in);
        edo_close(self->out);
        edo_return(0);
    }
}

/* Whatever the sizes, bytes keep their order. */
struct order_of_writes {
    edo_frame(struct collect collect;);
    edo_args(stream_kind kind;);
    edo_io *in, *out;
    edo_task *task;
    edo_writer writer;
    size_t put, size, piece;
    char *data, *got, memory[ROOM];
};

edo_async(order_of_writes)
{
    edo_body {
        int64_t n;
        open_streams(self->kind, &self->in, &self->out);
        edo_writer_init(&self->writer, self->out, self->memory, sizeof self->memory);
        self->size = bulk_size() / 16;
        self->data = test_malloc(self->size);
        self->got = test_malloc(self->size);
        fill_pattern(self->data, self->size, 1, 0);
        n = edo_spawn(&self->task, collect, .io = self->in, .buffer = self->got,
                      .size = self->size);
        assert_int_equal(n, 0);
        for (self->put = 0; self->put < self->size; self->put += (size_t)n) {
            size_t rest = self->size - self->put;
            self->piece = self->put % 5 ? self->put % 100 : 3000;
            edo_await(n, edo_writer_write(&self->writer, self->data + self->put,
                                          self->piece < rest ? self->piece : rest));
            assert_true(n >= 0);
            if (n == 0) edo_await(n, edo_writer_write(&self->writer, self->data + self->put, 1));
        }
        edo_await(n, edo_flush(&self->writer));
        assert_int_equal(n, 0);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, self->size);
        assert_true(is_pattern(self->got, self->size, 1, 0));
        edo_close(self->in);
        edo_close(self->out);
        test_free(self->data);
        test_free(self->got);
        edo_return(0);
    }
}

test_each_stream(order_of_writes)

    /* ---- cancelled at every point ---- */

    /* Writes that are cancelled again and again while a slow reader makes room. All that was taken
 * arrives, and nothing else. */
    struct cancel_writes {
    edo_frame(struct collect collect;);
    edo_args(stream_kind kind;);
    edo_io *in, *out;
    edo_writer writer;
    size_t put, got, size;
    char *data, part[500], memory[ROOM];
    int cancelled;
};

edo_async(cancel_writes)
{
    edo_body {
        int64_t n;
        open_streams(self->kind, &self->in, &self->out);
        shrink_stream(self->out);
        edo_writer_init(&self->writer, self->out, self->memory, sizeof self->memory);
        self->size = bulk_size() / (driver_is("chaos") ? 16 : 4);
        self->data = test_malloc(self->size);
        fill_pattern(self->data, self->size, 1, 0);
        self->put = self->got = 0;
        while (self->put < self->size) {
            size_t rest = self->size - self->put, piece = self->put % 3 ? 50 : 30000;
            edo_await_for(n, edo_ms(1),
                          edo_writer_write(&self->writer, self->data + self->put,
                                           piece < rest ? piece : rest));
            self->put += edo_op_progress(edo_last_op());
            if (n >= 0) continue;
            assert_int_equal(n, -ETIMEDOUT);
            self->cancelled++;
            edo_await_for(n, edo_ms(1), edo_read(self->in, self->part, sizeof self->part));
            if (n == -ETIMEDOUT) continue; // all was read; the system has yet to report the room
            assert_true(n > 0 && is_pattern(self->part, (size_t)n, 1, self->got));
            self->got += (size_t)n;
        }
        do {
            edo_await_for(n, edo_ms(1), edo_flush(&self->writer));
            if (n == 0) edo_close(self->out);
            if (n == 0) self->out = NULL;
            edo_await_for(n, edo_ms(1), edo_read(self->in, self->part, sizeof self->part));
            if (n == -ETIMEDOUT) continue; // as before
            assert_true(n >= 0 && is_pattern(self->part, (size_t)n, 1, self->got));
            self->got += (size_t)n;
        } while (self->out);
        do {
            edo_await(n, edo_read(self->in, self->part, sizeof self->part));
            assert_true(n >= 0 && is_pattern(self->part, (size_t)n, 1, self->got));
            self->got += (size_t)n;
        } while (n > 0);
        assert_int_equal(self->got, self->size);
        edo_close(self->in);
        test_free(self->data);
        edo_return(0);
    }
}

test_each_stream(cancel_writes)

    /* ---- a stream that fails ---- */

    /* Takes `left` bytes, then fails once. */
    typedef struct flaky {
    edo_io io;
    edo_atomic(uint32_t) claims;
    size_t left, count;
    char got[ROOM];
} flaky;

static edo_poll flaky_step(edo_io *io, edo_op *op, edo_cx *cx)
{
    flaky *self = (flaky *)(void *)io;
    size_t size = edo__asked(op);
    (void)cx;
    op->base.result = self->left ? (int64_t)(size < self->left ? size : self->left) : -ENOSPC;
    if (self->left == 0) self->left = SIZE_MAX;
    if (op->base.result < 0) return EDO_READY;
    memcpy(self->got + self->count, edo__rest_of(op), (size_t)op->base.result);
    self->count += (size_t)op->base.result;
    self->left -= (size_t)op->base.result;
    return EDO_READY;
}

static void nothing(edo_io *io)
{
    (void)io;
}

static const edo__io_ops flaky_ops = { .name = "flaky",
                                       .claims = offsetof(flaky, claims),
                                       .step = flaky_step,
                                       .hang_up = nothing,
                                       .release = nothing };

/* Bytes accepted before an error are not written again. */
async_test(a_failed_write_goes_on_where_it_failed,
    flaky stream;
    edo_writer writer;
    char memory[EDO_BUFFERED_LEAST];)
{
    edo_body {
        int64_t n;
        self->stream = (flaky){ .io.ops = &flaky_ops, .left = 3 };
        edo_writer_init(&self->writer, &self->stream.io, self->memory, sizeof self->memory);
        edo_await(n, edo_writer_write(&self->writer, "0123456789", 10));
        assert_int_equal(n, 10);
        edo_await(n, edo_flush(&self->writer));
        assert_int_equal(n, -ENOSPC);
        assert_int_equal(edo_writer_pending(&self->writer), 7);
        edo_await(n, edo_flush(&self->writer));
        assert_int_equal(n, 0);
        assert_int_equal(self->stream.count, 10);
        assert_memory_equal(self->stream.got, "0123456789", 10);
        edo_close(&self->stream.io);
        edo_return(0);
    }
}

async_test(bytes_that_are_lost_are_told,
    flaky stream;
    edo_writer writer;
    char memory[EDO_BUFFERED_LEAST];)
{
    edo_body {
        int64_t n;
        self->stream = (flaky){ .io.ops = &flaky_ops };
        edo_writer_init(&self->writer, &self->stream.io, self->memory, sizeof self->memory);
        edo_await(n, edo_writer_write(&self->writer, "0123456789", 10));
        assert_int_equal(n, 10);
        log_capture();
        assert_int_equal(edo_writer_deinit(&self->writer), 10);
        assert_int_equal(log_lines("10 bytes were not flushed"), EDO_DEBUG);
        log_release();
        edo_close(&self->stream.io);
        edo_return(0);
    }
}

/* The text is given back also when nothing of it is written. */
async_test(formatted_text_is_freed,
    flaky stream;
    edo_writer writer;
    size_t before;
    edo_op op;
    char memory[EDO_BUFFERED_LEAST];)
{
    edo_body {
        int64_t n;
        self->stream = (flaky){ .io.ops = &flaky_ops };
        edo_writer_init(&self->writer, &self->stream.io, self->memory, sizeof self->memory);
        self->before = edo_memory_in_use();
        self->op = edo_printf(&self->writer, "%s", "never written");
        edo_cancel(&self->op.base);
        edo_await_on(n, &self->op.base);
        assert_int_equal(n, -ECANCELED);
        assert_int_equal(edo_memory_in_use(), self->before);
        assert_int_equal(edo_writer_pending(&self->writer), 0);
        edo_await(n, edo_printf(&self->writer, "%s", "longer than the memory of the writer"));
        assert_int_equal(n, -ENOSPC);
        edo_await(n, edo_printf(NULL, "x"));
        assert_int_equal(n, -EINVAL);
        edo_close(&self->stream.io);
        edo_return(0);
    }
}

/* ---- vectors ---- */

enum { PARTS = 100 };

/* A vector that is cancelled in the middle has its rest in the slices. */
struct vector_in_parts {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *in, *out;
    edo_slice slices[PARTS];
    size_t size, got, written;
    char *data, part[300];
};

edo_async(vector_in_parts)
{
    edo_body {
        int64_t n;
        open_streams(self->kind, &self->in, &self->out);
        shrink_stream(self->out);
        self->size = bulk_size() / (driver_is("chaos") ? 8 : 2);
        self->data = test_malloc(self->size);
        fill_pattern(self->data, self->size, 1, 0);
        size_t at = 0;
        for (size_t i = 0; i < PARTS; i++) { // every third one is empty
            size_t size = i % 3 == 0 ? 0 : i == PARTS - 2 ? self->size - at : i * i * 5;
            if (size > self->size - at || i == PARTS - 1) size = self->size - at;
            self->slices[i] = (edo_slice){ self->data + at, size };
            at += size;
        }
        self->size = at;
        for (self->got = self->written = 0; self->got < self->size; self->got += (size_t)n) {
            edo_await_for(n, edo_ms(1), edo_writev_all(self->out, self->slices, PARTS));
            assert_true(n >= 0 || n == -ETIMEDOUT);
            if (n >= 0) assert_int_equal(n, edo_op_progress(edo_last_op()));
            self->written += edo_op_progress(edo_last_op());
            if (n >= 0) assert_int_equal(self->written, self->size);
            edo_await_for(n, edo_ms(1), edo_read(self->in, self->part, sizeof self->part));
            if (n == -ETIMEDOUT) n = 0; // as for cancel_writes
            assert_true(n >= 0 && is_pattern(self->part, (size_t)n, 1, self->got));
        }
        edo_await(n, edo_writev_all(self->out, self->slices, PARTS)); // nothing is left
        assert_int_equal(n, 0);
        edo_close(self->in);
        edo_close(self->out);
        test_free(self->data);
        edo_return(0);
    }
}

test_each_stream(vector_in_parts)

    /* ---- chains ---- */

    enum {
        MANY = 5000
    }; // parts of 1 to 7 bytes: more than a call takes

struct write_chains {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *in, *out;
    edo_chain chain;
    size_t size, got, written;
    char *data, part[300];
};

edo_async(write_chains)
{
    edo_body {
        int64_t n;
        open_streams(self->kind, &self->in, &self->out);
        shrink_stream(self->out);
        self->chain = (edo_chain){ 0 };
        self->data = test_malloc(8 * MANY);
        fill_pattern(self->data, 8 * MANY, 1, 0);
        for (size_t i = self->size = 0; i < MANY; i++) {
            edo_bytes bytes = edo_bytes_static(self->data + self->size, 1 + i % 7);
            self->size += bytes.size;
            assert_int_equal(edo_chain_append(&self->chain, &bytes), 0);
        }
        for (self->got = self->written = 0; self->got < self->size; self->got += (size_t)n) {
            edo_await_for(n, edo_ms(1), edo_write_chain(self->out, &self->chain));
            assert_true(n >= 0 || n == -ETIMEDOUT);
            self->written += edo_op_progress(edo_last_op());
            assert_int_equal(self->written, self->size - edo_chain_size(&self->chain));
            edo_await_for(n, edo_ms(1), edo_read(self->in, self->part, sizeof self->part));
            if (n == -ETIMEDOUT) n = 0; // as for cancel_writes
            assert_true(n >= 0 && is_pattern(self->part, (size_t)n, 1, self->got));
        }
        edo_await(n, edo_write_chain(self->out, &self->chain));
        assert_int_equal(n, 0);
        edo_chain_deinit(&self->chain);
        edo_close(self->in);
        edo_close(self->out);
        test_free(self->data);
        edo_return(0);
    }
}

test_each_stream(write_chains)
