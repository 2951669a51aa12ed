/* Cancelled reads and writes: no byte is lost or moved twice, and the result shows how many were
 * moved. Some drivers end a cancelled operation late, or find that it has succeeded. */
#include "support/streams.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "task/task.h"

/* ---- reads ---- */

struct read_timeout {
    edo_frame(struct collect collect;);
    edo_args(stream_kind kind;);
    edo_io *io;
    int64_t before;
    int peer, round;
    char buffer[8];
};

edo_async(read_timeout)
{
    edo_body {
        int64_t n;
        self->io = open_stream(self->kind, &self->peer);
        for (self->round = 0; self->round < 3; self->round++) {
            self->before = edo_now();
            edo_await_for(n, edo_s(3600), edo_read(self->io, self->buffer, 8));
            assert_int_equal(n, -ETIMEDOUT);
            assert_int_equal(edo_op_progress(edo_last_op()), 0);
            assert_true(edo_now() - self->before >= edo_s(3600));
        }
        peer_write_all(self->peer, "complete", 8);
        edo_call(n, collect, .io = self->io, .buffer = self->buffer, .size = 8);
        assert_int_equal(n, 8);
        assert_memory_equal(self->buffer, "complete", 8);
        edo_close(self->io);
        peer_close(self->peer);
        edo_return(0);
    }
}

test_each_stream(read_timeout)

    /* The buffer of a cancelled read is not written after its end. */
    struct buffer_is_free {
    edo_frame(struct collect collect;);
    edo_args(stream_kind kind;);
    edo_io *io;
    int peer;
    char abandoned[4], buffer[4];
};

edo_async(buffer_is_free)
{
    edo_body {
        int64_t n;
        self->io = open_stream(self->kind, &self->peer);
        memcpy(self->abandoned, "....", 4);
        edo_await_for(n, edo_ms(1), edo_read(self->io, self->abandoned, 4));
        assert_int_equal(n, -ETIMEDOUT);
        peer_write_all(self->peer, "data", 4);
        settle();
        edo_call(n, collect, .io = self->io, .buffer = self->buffer, .size = 4);
        assert_int_equal(n, 4);
        assert_memory_equal(self->buffer, "data", 4);
        assert_memory_equal(self->abandoned, "....", 4);
        edo_close(self->io);
        peer_close(self->peer);
        edo_return(0);
    }
}

test_each_stream(buffer_is_free)

    struct exact_cancelled {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *io;
    int peer;
    char buffer[8];
};

edo_async(exact_cancelled)
{
    edo_body {
        int64_t n;
        self->io = open_stream(self->kind, &self->peer);
        peer_write_all(self->peer, "abc", 3);
        peer_await_delivery(self->peer);
        edo_await_for(n, edo_ms(1), edo_read_exact(self->io, self->buffer, 8));
        assert_int_equal(n, -ETIMEDOUT); // never a short count
        assert_int_equal(edo_op_progress(edo_last_op()), 3);
        assert_memory_equal(self->buffer, "abc", 3);
        peer_write_all(self->peer, "defgh", 5);
        edo_await(n, edo_read_exact(self->io, self->buffer + 3, 5));
        assert_int_equal(n, 5);
        assert_memory_equal(self->buffer, "abcdefgh", 8);
        edo_close(self->io);
        peer_close(self->peer);
        edo_return(0);
    }
}

test_each_stream(exact_cancelled)

    /* Data and cancellation come at the same time, in either order: whichever wins, each byte is
     * delivered once. */
    struct race {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *io;
    edo_task *reader;
    edo_op op;
    int peer;
    unsigned round;
    size_t sent, got;
    test_random random;
    char out[32], in[32];
};

enum { ROUNDS = 300 };

edo_async(race)
{
    edo_body {
        int64_t n;
        size_t size;
        self->io = open_stream(self->kind, &self->peer);
        self->random = test_random_make(self->kind);
        self->sent = self->got = 0;
        for (self->round = 0; self->round < ROUNDS; self->round++) {
            n = edo_spawn(&self->reader, run_op,
                          .op = edo_read(self->io, self->in, sizeof self->in), .ret_op = &self->op);
            assert_int_equal(n, 0);
            if (test_random_below(&self->random, 2)) settle();
            size = test_random_below(&self->random, 5); // perhaps none
            fill_pattern(self->out, size, 1, self->sent);
            peer_write_all(self->peer, self->out, size);
            self->sent += size;
            if (test_random_below(&self->random, 2)) edo_await(n, edo_yield());
            edo_task_cancel(self->reader);
            edo_await(n, edo_join(self->reader));
            assert_true(n > 0 || n == -ECANCELED);
            assert_int_equal(edo_op_progress(&self->op), n > 0 ? n : 0);
            if (n < 0) continue;
            assert_true(is_pattern(self->in, (size_t)n, 1, self->got));
            self->got += (size_t)n;
        }
        peer_close(self->peer);
        for (;;) {
            edo_await(n, edo_read(self->io, self->in, sizeof self->in));
            if (n <= 0) break;
            assert_true(is_pattern(self->in, (size_t)n, 1, self->got));
            self->got += (size_t)n;
        }
        assert_int_equal(n, 0);
        assert_int_equal(self->got, self->sent);
        edo_close(self->io);
        edo_return(0);
    }
}

test_each_stream(race)

    /* ---- writes ---- */

    /* Not on TCP, which empties its buffer in the background. */
    struct write_cancelled {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *reader, *writer;
    edo_slice vector;
    size_t filled;
};

edo_async(write_cancelled)
{
    edo_body {
        int64_t n;
        if (self->kind == TCP_STREAM) edo_return(0);
        open_streams(self->kind, &self->reader, &self->writer);
        self->filled = stream_fill(self->writer);
        edo_await_for(n, edo_ms(1), edo_write(self->writer, "x", 1));
        assert_int_equal(n, -ETIMEDOUT);
        self->vector = (edo_slice){ "y", 1 };
        edo_await_for(n, edo_ms(1), edo_writev(self->writer, &self->vector, 1));
        assert_int_equal(n, -ETIMEDOUT);
        edo_close(self->writer);
        assert_int_equal(stream_read_to_end(self->reader), self->filled); // nothing more
        edo_close(self->reader);
        edo_return(0);
    }
}

test_each_stream(write_cancelled)

    struct write_all_cancelled {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *reader, *writer;
    size_t size, written;
    char *data;
};

edo_async(write_all_cancelled)
{
    edo_body {
        int64_t n;
        open_streams(self->kind, &self->reader, &self->writer);
        shrink_stream(self->writer);
        self->size = bulk_size();
        self->data = test_malloc(self->size);
        fill_pattern(self->data, self->size, 1, 0);
        edo_await_for(n, edo_ms(1), edo_write_all(self->writer, self->data, self->size));
        assert_int_equal(n, -ETIMEDOUT);
        self->written = edo_op_progress(edo_last_op());
        assert_in_range(self->written, 1, self->size - 1);
        edo_close(self->writer);
        memset(self->data, 0, self->size);
        stream_read_all(self->reader, self->data, self->written);
        assert_true(is_pattern(self->data, self->written, 1, 0));
        assert_int_equal(stream_read_to_end(self->reader), 0);
        edo_close(self->reader);
        test_free(self->data);
        edo_return(0);
    }
}

test_each_stream(write_all_cancelled)

    /* ---- the fate of a task ---- */

    /* All operations are ready, but the task was cancelled before. */
    struct cancelled_work {
    edo_frame();
    edo_args(edo_io *io;);
    char buffer[4];
};

edo_async(cancelled_work)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_sleep(EDO_NEVER));
        assert_int_equal(n, -ECANCELED);
        edo_await(n, edo_read(self->io, self->buffer, 4));
        assert_int_equal(n, -ECANCELED);
        edo_await(n, edo_read_exact(self->io, self->buffer, 4));
        assert_int_equal(n, -ECANCELED);
        edo_await(n, edo_write(self->io, "no", 2));
        assert_int_equal(n, -ECANCELED);
        edo_await(n, edo_write_all(self->io, "no", 2));
        assert_int_equal(n, -ECANCELED);
        edo_await(n, edo_shutdown_write(self->io));
        assert_int_equal(n, -ECANCELED);
        edo_await(n, edo_wait_fd(edo_io_fd(self->io), EDO_WRITABLE));
        assert_int_equal(n, -ECANCELED);
        edo_shield();
        edo_await(n, edo_read_exact(self->io, self->buffer, 4));
        assert_int_equal(n, 4);
        assert_memory_equal(self->buffer, "data", 4);
        edo_await(n, edo_write_all(self->io, "yes", 3));
        assert_int_equal(n, 3);
        edo_return(0);
    }
}

async_test(sticky, edo_io *io; edo_task *task; int peer; char answer[4];)
{
    edo_body {
        int rc;
        self->io = open_stream(UNIX_STREAM, &self->peer);
        fd_write_all(self->peer, "data", 4);
        rc = edo_spawn(&self->task, cancelled_work, .io = self->io);
        assert_int_equal(rc, 0);
        settle();
        edo_task_cancel(self->task);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 0);
        edo_close(self->io);
        assert_int_equal(read(self->peer, self->answer, 4), 3);
        assert_memory_equal(self->answer, "yes", 3);
        close(self->peer);
        edo_return(0);
    }
}

/* An abort reaches operations behind a shield. */
struct shielded_read {
    edo_frame();
    edo_args(edo_io *io; char *byte;);
};

edo_async(shielded_read)
{
    edo_body {
        int64_t n;
        edo_shield();
        edo_await(n, edo_read(self->io, self->byte, 1));
        edo_return(n);
    }
}

async_test(aborted, edo_io *io; edo_task *task; int peer; char byte;)
{
    edo_body {
        int64_t n;
        self->io = open_stream(UNIX_STREAM, &self->peer);
        n = edo_spawn(&self->task, shielded_read, .io = self->io, .byte = &self->byte);
        assert_int_equal(n, 0);
        settle();
        edo_task_cancel(self->task);
        settle();
        assert_false(edo_task_is_done(self->task));
        edo_task_abort(self->task);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, -ECANCELED);
        edo_close(self->io);
        close(self->peer);
        edo_return(0);
    }
}

/* Operations that would be ready or fail at once, but are cancelled before their first poll. */
async_test(cancelled_at_once,
    edo_io *io;
    edo_op ops[3];
    edo_slice vector;
    int peer;
    unsigned i;
    char byte;)
{
    edo_body {
        int64_t n;
        self->io = open_stream(UNIX_STREAM, &self->peer);
        self->vector = (edo_slice){ "x", 1 };
        self->ops[0] = edo_read(self->io, &self->byte, 0);
        self->ops[1] = edo_writev(self->io, &self->vector, 0);
        self->ops[2] = edo_wait_fd(-1, EDO_READABLE);
        for (self->i = 0; self->i < 3; self->i++) {
            edo_cancel(&self->ops[self->i].base);
            edo_await_on(n, &self->ops[self->i].base);
            assert_int_equal(n, -ECANCELED);
        }
        edo_close(self->io);
        close(self->peer);
        edo_return(0);
    }
}

/* ---- a choice between reads ---- */

struct choice {
    edo_frame(struct collect collect;);
    edo_args(stream_kind kind;);
    edo_io *io[2];
    int peer[2];
    unsigned round;
    edo_op op[2];
    char in[2][4];
};

edo_async(choice)
{
    edo_body {
        int which;
        int64_t n;
        for (unsigned i = 0; i < 2; i++)
            self->io[i] = open_stream(self->kind, &self->peer[i]);
        for (self->round = 0; self->round < 20; self->round++) {
            self->op[0] = edo_read_exact(self->io[0], self->in[0], 1);
            self->op[1] = edo_read_exact(self->io[1], self->in[1], 1);
            peer_write_all(self->peer[self->round % 2], "x", 1);
            edo_select(which, &self->op[0].base, &self->op[1].base);
            assert_int_equal(which, self->round % 2);
            assert_int_equal(self->op[which].base.result, 1);
            assert_int_equal(self->op[1 - which].base.result, -ECANCELED);
        }
        for (self->round = 0; self->round < 2; self->round++) {
            peer_write_all(self->peer[self->round], "abcd", 4);
            edo_call(n, collect, .io = self->io[self->round], .buffer = self->in[0], .size = 4);
            assert_memory_equal(self->in[0], "abcd", 4);
            edo_close(self->io[self->round]);
            peer_close(self->peer[self->round]);
        }
        edo_return(0);
    }
}

test_each_stream(choice)

    /* ---- a limit that has passed, and a ready operation, with and without budget ---- */

    struct reads_twice {
    edo_frame();
    edo_args(edo_io *io; char *buffer;);
};

edo_async(reads_twice)
{
    edo_body {
        int rc;
        edo_await(rc, edo_read_exact(self->io, self->buffer, 1));
        if (rc < 0) edo_return(rc);
        edo_await(rc, edo_read_exact(self->io, self->buffer, 1));
        edo_return(rc < 0 ? rc : 2);
    }
}

/* Never ends by itself. */
struct reads_on {
    edo_frame();
    edo_args(edo_io *io; char *buffer;);
};

edo_async(reads_on)
{
    edo_body {
        int rc = 0;
        while (rc >= 0)
            edo_await(rc, edo_read(self->io, self->buffer, 0)); // a read of 0 bytes is always ready
        edo_return(rc);
    }
}

/* left: units of budget when the limit, which has already passed, is checked. */
static void leave_budget(edo_cx *cx, int left)
{
    while (cx->budget > left)
        if (!edo_cx_charge(cx)) break;
}

async_test(passed_limits,
    edo_callees(struct reads_twice reads_twice; struct reads_on reads_on;)
    edo_io *io;
    int peer, left;
    char byte;)
{
    edo_body {
        int rc;
        if (!driver_is("epoll")) edo_return(0); // other drivers may delay a ready operation
        self->io = open_stream(UNIX_STREAM, &self->peer);
        for (self->left = 0; self->left < 4; self->left++) {
            fd_write_all(self->peer, "abc", 3);
            settle(); // the driver sees the byte
            leave_budget(cx, self->left);
            edo_await_for(rc, 0, edo_read_exact(self->io, &self->byte, 1));
            assert_int_equal(rc, 1);
            edo_await(rc, edo_yield());
            leave_budget(cx, self->left);
            edo_call_for(rc, 0, reads_twice, .io = self->io, .buffer = &self->byte);
            assert_int_equal(rc, 2);
            edo_await(rc, edo_yield());
            leave_budget(cx, self->left);
            edo_await_for(rc, 0, edo_read(self->io, &self->byte, 1)); // no byte is there
            assert_int_equal(rc, -ETIMEDOUT);
            edo_await(rc, edo_yield());
            leave_budget(cx, self->left);
            edo_call_for(rc, 0, reads_on, .io = self->io, .buffer = &self->byte);
            assert_int_equal(rc, -ETIMEDOUT);
            edo_await(rc, edo_yield());
        }
        edo_close(self->io);
        close(self->peer);
        edo_return(0);
    }
}
