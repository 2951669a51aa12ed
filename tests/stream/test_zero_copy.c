/* Writes without a copy: what arrives, when the memory is released, and when they copy after all. */
#include "support/streams.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BLOCK = 64 * 1024, BLOCKS = 20, LARGE = 16 << 20 };

struct zero_write {
    edo_frame();
    edo_args(edo_io *io; const char *data; size_t size; bool *done; uint64_t *progress;);
};

edo_async(zero_write)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_write_zero_copy(self->io, self->data, self->size));
        if (self->progress) *self->progress = edo_op_progress(edo_last_op());
        if (self->done) *self->done = true;
        edo_return(n);
    }
}

/* ---- what arrives ---- */

struct arrives {
    edo_frame(struct collect collect;);
    edo_args(stream_kind kind;);
    edo_io *reader, *writer;
    char *in, *out;
    edo_task *task;
    size_t size;
    int i;
};

edo_async(arrives)
{
    edo_body {
        int64_t n;
        if (driver_is("chaos")) edo_return(0); // its single bytes would take minutes
        open_streams(self->kind, &self->reader, &self->writer);
        self->in = test_malloc(BLOCK);
        self->out = test_malloc(BLOCK);
        assert_int_equal(edo_io_is_zero_copy(self->writer), 0);
        for (self->i = 0; self->i < BLOCKS; self->i++) {
            self->size = (size_t)BLOCK - (size_t)(self->i % 4) * 17000; // some are small
            fill_pattern(self->out, self->size, (uint64_t)self->i, 0);
            n = edo_spawn(&self->task, zero_write, .io = self->writer, .data = self->out,
                          .size = self->size);
            assert_int_equal(n, 0);
            edo_call(n, collect, .io = self->reader, .buffer = self->in, .size = self->size);
            assert_int_equal(n, self->size);
            edo_await(n, edo_join(self->task));
            assert_int_equal(n, self->size);
            assert_true(is_pattern(self->in, self->size, (uint64_t)self->i, 0));
            if (self->kind != TCP_STREAM) assert_int_equal(edo_io_is_zero_copy(self->writer), 0);
            if (self->kind == TCP_STREAM && self->i == 0)
                assert_int_equal(edo_io_is_zero_copy(self->writer), 1);
        }
        assert_int_equal(edo_io_is_zero_copy(self->writer), 0); // the loopback has copied
        test_free(self->in);
        test_free(self->out);
        edo_close(self->reader);
        edo_close(self->writer);
        edo_return(0);
    }
}
test_each_stream(arrives)

    async_test(bad_arguments, )
{
    edo_body {
        int rc;
        assert_int_equal(edo_io_is_zero_copy(NULL), -EINVAL);
        edo_await(rc, edo_write_zero_copy(NULL, "x", 1));
        assert_int_equal(rc, -EINVAL);
        edo_return(0);
    }
}

/* ---- when the memory is released ---- */

/* With a reader that does not read: neither the operation nor its cancellation ends before the
 * reader has taken all bytes that were given to the kernel. */
async_test(a_cancelled_write_waits_for_the_kernel,
    edo_io *reader, *writer;
    edo_task *task;
    char *data, *in;
    bool done;
    uint64_t progress;
    size_t got;)
{
    edo_body {
        int64_t n;
        if (driver_is("chaos")) edo_return(0);
        open_streams(TCP_STREAM, &self->reader, &self->writer);
        self->done = false;
        self->data = test_malloc(LARGE);
        self->in = test_malloc(BLOCK);
        fill_pattern(self->data, LARGE, 1, 0);
        n = edo_spawn(&self->task, zero_write, .io = self->writer, .data = self->data,
                      .size = LARGE, .done = &self->done, .progress = &self->progress);
        assert_int_equal(n, 0);
        settle();
        assert_false(self->done);
        edo_task_cancel(self->task);
        settle();
        assert_false(self->done);
        for (self->got = 0; !self->done;) {
            edo_await_for(n, edo_ms(50), edo_read(self->reader, self->in, BLOCK));
            if (n == -ETIMEDOUT) continue;
            assert_true(n > 0);
            assert_true(is_pattern(self->in, (size_t)n, 1, self->got));
            self->got += (size_t)n;
        }
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, -ECANCELED);
        assert_in_range(self->progress, 1, LARGE - 1);
        edo_close(self->writer);
        for (;;) {
            edo_await(n, edo_read(self->reader, self->in, BLOCK));
            assert_true(n >= 0);
            if (n == 0) break;
            assert_true(is_pattern(self->in, (size_t)n, 1, self->got));
            self->got += (size_t)n;
        }
        assert_int_equal(self->got, self->progress);
        edo_close(self->reader);
        test_free(self->data);
        test_free(self->in);
        edo_return(0);
    }
}

/* On a stream that copies after all, nothing is unreleased: a cancelled write ends although nobody
 * reads. */
async_test(a_cancelled_copy_does_not_wait,
    edo_callees(struct collect collect;) edo_io *reader, *writer;
    edo_task *task;
    char *data, *in;
    int i;)
{
    edo_body {
        int64_t n;
        if (driver_is("chaos")) edo_return(0);
        open_streams(TCP_STREAM, &self->reader, &self->writer);
        self->data = test_malloc(LARGE);
        self->in = test_malloc(BLOCK);
        for (self->i = 0; self->i < BLOCKS; self->i++) {
            n = edo_spawn(&self->task, zero_write, .io = self->writer, .data = self->data,
                          .size = BLOCK);
            assert_int_equal(n, 0);
            edo_call(n, collect, .io = self->reader, .buffer = self->in, .size = BLOCK);
            edo_await(n, edo_join(self->task));
            assert_int_equal(n, BLOCK);
        }
        assert_int_equal(edo_io_is_zero_copy(self->writer), 0);
        edo_await_for(n, edo_ms(5), edo_write_zero_copy(self->writer, self->data, LARGE));
        assert_int_equal(n, -ETIMEDOUT);
        assert_in_range(edo_op_progress(edo_last_op()), 1, LARGE - 1);
        edo_close(self->writer);
        edo_close(self->reader);
        test_free(self->data);
        test_free(self->in);
        edo_return(0);
    }
}

/* The peer resets, or the writer closes: the operation ends, and not before the kernel has released
 * the memory. */
async_test(ends_of_the_connection,
    edo_io *reader, *writer;
    edo_task *task;
    char *data, *in;
    bool done;
    int i;)
{
    edo_body {
        int64_t n;
        if (driver_is("chaos")) edo_return(0);
        self->data = test_malloc(LARGE);
        self->in = test_malloc(BLOCK);
        for (self->i = 0; self->i < 3; self->i++) {
            open_streams(TCP_STREAM, &self->reader, &self->writer);
            self->done = false;
            n = edo_spawn(&self->task, zero_write, .io = self->writer, .data = self->data,
                          .size = LARGE, .done = &self->done);
            assert_int_equal(n, 0);
            settle();
            assert_false(self->done);
            if (self->i == 0) { // a reset
                edo_tcp_set_linger(self->reader, 0);
                edo_close(self->reader);
                edo_await(n, edo_join(self->task));
                assert_true(n == -ECONNRESET || n == -EPIPE);
                edo_close(self->writer);
                continue;
            }
            edo_close(self->writer); // the bytes that were given still go out
            settle();
            assert_false(self->done);
            if (self->i == 1) {
                while (!self->done) {
                    edo_await_for(n, edo_ms(50), edo_read(self->reader, self->in, BLOCK));
                    assert_true(n >= 0 || n == -ETIMEDOUT);
                }
            }
            edo_tcp_set_linger(self->reader, 0);
            edo_close(self->reader);
            edo_await(n, edo_join(self->task));
            assert_true(n == -ECANCELED || n == -ECONNRESET || n == -EPIPE);
        }
        test_free(self->data);
        test_free(self->in);
        edo_return(0);
    }
}

/* ---- shortage ---- */

struct flows {
    edo_frame(struct collect collect;);
    edo_args();
    edo_io *reader, *writer;
    char in[BLOCK], out[BLOCK];
    edo_task *task;
};

edo_async(flows)
{
    edo_body {
        int64_t n;
        open_streams(TCP_STREAM, &self->reader, &self->writer);
        fill_pattern(self->out, BLOCK, 1, 0);
        n = edo_spawn(&self->task, zero_write, .io = self->writer, .data = self->out,
                      .size = BLOCK);
        assert_int_equal(n, 0);
        edo_call(n, collect, .io = self->reader, .buffer = self->in, .size = BLOCK);
        assert_int_equal(n, BLOCK);
        assert_true(is_pattern(self->in, BLOCK, 1, 0));
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, BLOCK);
        edo_close(self->reader);
        edo_close(self->writer);
        edo_return(0);
    }
}

/* Without memory that may be pinned. Privileged processes have no such limit. */
static void write_without_pinned_memory(void *arg)
{
    enum { NOBODY = 65534 };
    (void)arg;
    edo_runtime *runtime;
    setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ 0, 0 });
    if (geteuid() == 0) assert_int_equal(setuid(NOBODY), 0);
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, flows), 0);
    edo_runtime_destroy(runtime);
}

test(without_pinned_memory)
{
    const char *driver = getenv("EDO_DRIVER");
    if (driver && strcmp(driver, "epoll")) skip(); // a ring needs such memory itself
    assert_int_equal(await_child(start_child(write_without_pinned_memory, NULL)), 0);
}
