/* Reads into several buffers, and transfers that do not wait. */
#include "support/streams.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { PARTS = 7, SIZE = 40 };

struct scatter {
    edo_frame(struct run_op a;);
    edo_args(stream_kind kind;);
    edo_io *reader, *writer;
    edo_slice slices[PARTS];
    char bytes[SIZE];
    edo_task *task;
    edo_op op;
    int64_t n;
    size_t sum;
};

/* Buffers of 0, 1, 2, ... bytes, one after the other. Returns: the sum of their sizes. */
static size_t cut(edo_slice slices[PARTS], char *bytes)
{
    size_t at = 0;
    for (size_t i = 0; i < PARTS; at += i++)
        slices[i] = (edo_slice){ i ? bytes + at : NULL, i };
    return at;
}

edo_async(scatter)
{
    edo_body {
        open_streams(self->kind, &self->reader, &self->writer);
        self->sum = cut(self->slices, self->bytes);
        edo_await(self->n, edo_write_all(self->writer, "abcdefghijklmnopqrstu", 21));
        edo_await(self->n, edo_readv(self->reader, self->slices, PARTS));
        assert_in_range(self->n, 1, 21);
        assert_int_equal(edo_op_progress(edo_last_op()), self->n);
        assert_memory_equal(self->bytes, "abcdefghijklmnopqrstu", (size_t)self->n);
        assert_int_equal(self->slices[3].size, 3); // unchanged
        edo_await(self->n, edo_read_exact(self->reader, self->bytes, (size_t)(21 - self->n)));
        edo_await(self->n, edo_readv(self->reader, self->slices, 1)); // empty
        assert_int_equal(self->n, 0);
        edo_await(self->n, edo_readv(self->reader, self->slices, 0));
        assert_int_equal(self->n, -EINVAL);
        edo_await(self->n, edo_readv(self->reader, self->slices, 1025));
        assert_int_equal(self->n, -EINVAL);
        edo_await(self->n, edo_readv(self->reader, NULL, 1));
        assert_int_equal(self->n, -EINVAL);
        edo_await(self->n, edo_readv(NULL, self->slices, 2));
        assert_int_equal(self->n, -EINVAL);
        edo_close(self->writer);
        edo_await(self->n, edo_readv(self->reader, self->slices, PARTS));
        assert_int_equal(self->n, 0);
        edo_close(self->reader);
        edo_return(0);
    }
}
test_each_stream(scatter)

    struct scatter_slowly {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *reader, *writer;
    edo_slice slices[PARTS];
    char bytes[SIZE];
    edo_task *task;
    edo_op op;
    int64_t n;
    size_t sum, i;
};

/* The reader waits for each byte; then it is cancelled, and the same call continues. */
edo_async(scatter_slowly)
{
    edo_body {
        open_streams(self->kind, &self->reader, &self->writer);
        self->sum = cut(self->slices, self->bytes);
        self->n = edo_spawn(&self->task, run_op,
                            .op = edo_readv_exact(self->reader, self->slices, PARTS));
        assert_int_equal(self->n, 0);
        for (self->i = 0; self->i < self->sum; self->i++) {
            settle();
            edo_await(self->n,
                      edo_write_all(self->writer, &"ABCDEFGHIJKLMNOPQRSTUVWXYZ"[self->i], 1));
            assert_int_equal(self->n, 1);
        }
        edo_await(self->n, edo_join(self->task));
        assert_int_equal(self->n, self->sum);
        assert_memory_equal(self->bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZ", self->sum);

        cut(self->slices, self->bytes);
        edo_await(self->n, edo_write_all(self->writer, "01234567", 8));
        edo_await_for(self->n, edo_ms(1), edo_readv_exact(self->reader, self->slices, PARTS));
        assert_int_equal(self->n, -ETIMEDOUT);
        assert_int_equal(edo_op_progress(edo_last_op()), 8);
        edo_await(self->n, edo_write_all(self->writer, "89abcdefghijk", 13));
        edo_await(self->n, edo_readv_exact(self->reader, self->slices, PARTS));
        assert_int_equal(self->n, 13);
        assert_memory_equal(self->bytes, "0123456789abcdefghijk", 21);

        cut(self->slices, self->bytes);
        edo_await(self->n, edo_write_all(self->writer, "xyz", 3));
        edo_close(self->writer);
        edo_await(self->n, edo_readv_exact(self->reader, self->slices, PARTS));
        assert_int_equal(self->n, -EDO_EOF);
        assert_int_equal(edo_op_progress(edo_last_op()), 3);
        edo_close(self->reader);
        edo_return(0);
    }
}
test_each_stream(scatter_slowly)

    /* ---- transfers that do not wait ---- */

    static char bulk[128 * 1024];

struct tries {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *reader, *writer;
    edo_task *task;
    char byte;
    int64_t n, left;
};

edo_async(tries)
{
    edo_body {
        char bytes[8]; // a local buffer is enough
        edo_slice slices[2] = { { bytes, 2 }, { bytes + 2, 6 } };
        open_streams(self->kind, &self->reader, &self->writer);
        assert_int_equal(edo_try_read(self->reader, bytes, 8), -EAGAIN);
        assert_int_equal(edo_try_write(self->writer, "abc", 3), 3);
        assert_int_equal(edo_try_readv(self->reader, slices, 2), 3);
        assert_memory_equal(bytes, "abc", 3);
        memcpy(bytes, "01234567", 8);
        assert_int_equal(edo_try_writev(self->writer, slices, 2), 8);
        assert_int_equal(edo_try_read(self->reader, bytes, 1), 1);
        assert_int_equal(edo_try_read(self->reader, bytes, 8), 7);
        assert_int_equal(edo_try_read(self->reader, bytes, 0), 0);
        assert_int_equal(edo_try_readv(self->reader, slices, 0), -EINVAL);
        assert_int_equal(edo_try_writev(self->writer, NULL, 1), -EINVAL);
        assert_int_equal(edo_try_read(NULL, bytes, 1), -EINVAL);
        self->left = 0;
        while ((self->n = edo_try_write(self->writer, bulk, sizeof bulk)) > 0)
            self->left += self->n;
        assert_int_equal(edo_try_write(self->writer, bytes, 8), -EAGAIN);

        for (; self->left > 0; self->left -= self->n) { // some bytes may still be under way
            edo_await(self->n, edo_read(self->reader, bulk, sizeof bulk));
            assert_true(self->n > 0);
        }
        self->n = edo_spawn(&self->task, run_op, .op = edo_read(self->reader, &self->byte, 1));
        settle();
        assert_int_equal(edo_try_read(self->reader, &self->byte, 1), -EBUSY);
        assert_int_equal(edo_try_write(self->writer, "x", 1), 1);
        edo_await(self->n, edo_join(self->task));
        assert_int_equal(self->n, 1);
        edo_close(self->writer);
        assert_int_equal(edo_try_read(self->reader, &self->byte, 1), 0);
        edo_close(self->reader);
        edo_return(0);
    }
}
test_each_kind(tries)

test(streams_in_memory_have_no_tries)
{
    edo_io *io;
    char byte;
    assert_int_equal(edo_io_null(&io), 0);
    assert_int_equal(edo_try_read(io, &byte, 1), -ENOTSUP);
    edo_close(io);
}
