/* Reads with lent memory. */
#include "support/streams.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <edo/lent.h>
#include <edo/streams.h>
#include <edo/unix.h>

enum {
    BULK = 80 << 10,        // bytes; more than one read lends
    SINGLE_BYTES = 2 << 10, // the same, for a driver that moves single bytes
    RECORD = 12000,         // bytes; fits into one read
    HELD = 100,             // more than a ring has buffers
    ROUNDS = 3,
};

/* ---- what it reads ---- */

/* Cancelled between any two pieces: no byte is lost, and no memory is held. */
struct read_lent {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *in, *out;
    edo_lent lent;
    size_t put, got, before;
    char data[100];
};

edo_async(read_lent)
{
    edo_body {
        int64_t n;
        open_streams(self->kind, &self->in, &self->out);
        self->lent = (edo_lent){ NULL, 0 };
        for (self->put = self->got = 0; self->put < 3000; self->put += sizeof self->data) {
            settle(); // streams of the kind before are freed
            self->before = edo_memory_in_use();
            edo_await_for(n, edo_us(100), edo_read_lent(self->in, &self->lent));
            assert_int_equal(n, -ETIMEDOUT);
            assert_null(self->lent.data);
            assert_int_equal(edo_memory_in_use(), self->before);
            fill_pattern(self->data, sizeof self->data, 1, self->put);
            edo_await(n, edo_write_all(self->out, self->data, sizeof self->data));
            assert_int_equal(n, sizeof self->data);
            for (; self->got < self->put + sizeof self->data; self->got += (size_t)n) {
                edo_await(n, edo_read_lent(self->in, &self->lent));
                assert_true(n > 0 && (size_t)n == self->lent.size);
                assert_true(is_pattern(self->lent.data, self->lent.size, 1, self->got));
                edo_lent_return(&self->lent);
                edo_lent_return(&self->lent);
            }
        }
        edo_close(self->out);
        edo_await(n, edo_read_lent(self->in, &self->lent));
        assert_int_equal(n, 0);
        assert_null(self->lent.data);
        edo_close(self->in);
        edo_return(0);
    }
}

test_each_stream(read_lent)

    /* ---- while it waits ---- */

    struct wait_lent {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *in, *out;
    edo_lent lent;
    edo_task *task;
    char byte;
};

/* A second reader is refused; a close ends the wait. */
edo_async(wait_lent)
{
    edo_body {
        int64_t n;
        open_streams(self->kind, &self->in, &self->out);
        n = edo_spawn(&self->task, run_op, .op = edo_read_lent(self->in, &self->lent));
        assert_int_equal(n, 0);
        settle();
        assert_false(edo_task_is_done(self->task));
        edo_await(n, edo_read(self->in, &self->byte, 1));
        assert_int_equal(n, -EBUSY);
        edo_close(self->in);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, -ECANCELED);
        edo_close(self->out);
        edo_return(0);
    }
}

test_each_stream(wait_lent)

    /* ---- many bytes ---- */

    struct write_bulk {
    edo_frame();
    edo_args(edo_io *out; size_t size;);
    char data[BULK];
};

edo_async(write_bulk)
{
    edo_body {
        int64_t n;
        fill_pattern(self->data, self->size, 2, 0);
        edo_await(n, edo_write_all(self->out, self->data, self->size));
        assert_int_equal(n, self->size);
        edo_close(self->out);
        edo_return(0);
    }
}

/* The reader waits first, then there are more bytes than one read lends. */
struct read_bulk {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *in, *out;
    edo_task *writer;
    edo_lent lent;
    size_t size, got;
};

edo_async(read_bulk)
{
    edo_body {
        int64_t n;
        self->size = driver_is("chaos") ? SINGLE_BYTES : BULK;
        open_streams(self->kind, &self->in, &self->out);
        n = edo_spawn(&self->writer, write_bulk, .out = self->out, .size = self->size);
        assert_int_equal(n, 0);
        for (self->got = 0;; self->got += (size_t)n) {
            edo_await(n, edo_read_lent(self->in, &self->lent));
            if (n <= 0) break;
            assert_int_equal(n, self->lent.size);
            assert_true(is_pattern(self->lent.data, self->lent.size, 2, self->got));
            edo_lent_return(&self->lent);
        }
        assert_int_equal(n, 0);
        assert_int_equal(self->got, self->size);
        edo_await(n, edo_join(self->writer));
        assert_int_equal(n, 0);
        edo_close(self->in);
        edo_return(0);
    }
}

test_each_stream(read_bulk)

    /* ---- records ---- */

    /* A record is read as a whole, also if the read waits for it. */
    async_test(record, edo_io *in, *out; edo_task *task; edo_lent lent; int i; char data[RECORD];)
{
    edo_body {
        int64_t n;
        if (driver_is("chaos")) edo_return(0); // it moves single bytes
        n = edo_unix_pair_of(EDO_UNIX_SEQPACKET, &self->in, &self->out);
        assert_int_equal(n, 0);
        for (self->i = 0; self->i < 3; self->i++) {
            n = edo_spawn(&self->task, run_op, .op = edo_read_lent(self->in, &self->lent));
            assert_int_equal(n, 0);
            settle();
            fill_pattern(self->data, RECORD, 3, 0);
            edo_await(n, edo_write(self->out, self->data, RECORD));
            assert_int_equal(n, RECORD);
            edo_await(n, edo_join(self->task));
            assert_int_equal(n, RECORD);
            assert_true(is_pattern(self->lent.data, self->lent.size, 3, 0));
            edo_lent_return(&self->lent);
        }
        edo_close(self->in);
        edo_close(self->out);
        edo_return(0);
    }
}

/* ---- memory that is held ---- */

static edo_lent held[ROUNDS][HELD];

/* Many readers wait at once, and hold what they read while they read on. */
async_test(hold_many, edo_io *in[HELD], *out[HELD]; edo_task *tasks[HELD]; int i, round; char byte;)
{
    edo_body {
        int64_t n;
        for (self->i = 0; self->i < HELD; self->i++) {
            n = edo_unix_pair(&self->in[self->i], &self->out[self->i]);
            assert_int_equal(n, 0);
        }
        for (self->round = 0; self->round < ROUNDS; self->round++) {
            for (self->i = 0; self->i < HELD; self->i++) {
                edo_lent *lent = &held[self->round][self->i];
                n = edo_spawn(&self->tasks[self->i], run_op,
                              .op = edo_read_lent(self->in[self->i], lent));
                assert_int_equal(n, 0);
            }
            settle();
            for (self->i = 0; self->i < HELD; self->i++) {
                self->byte = (char)(self->i + self->round);
                edo_await(n, edo_write(self->out[self->i], &self->byte, 1));
                assert_int_equal(n, 1);
            }
            for (self->i = 0; self->i < HELD; self->i++) {
                edo_await(n, edo_join(self->tasks[self->i]));
                assert_int_equal(n, 1);
            }
        }
        for (self->round = ROUNDS; self->round-- > 0;) {
            for (self->i = 0; self->i < HELD; self->i++) {
                edo_lent *lent = &held[self->round][self->i];
                assert_int_equal(lent->size, 1);
                assert_int_equal(*lent->data, (char)(self->i + self->round));
                edo_lent_return(lent);
            }
        }
        for (self->i = 0; self->i < HELD; self->i++) {
            edo_close(self->in[self->i]);
            edo_close(self->out[self->i]);
        }
        edo_return(0);
    }
}

/* Reads one byte that arrives while the read waits. */
struct read_later {
    edo_frame();
    edo_args(edo_lent *ret_lent;);
    edo_io *in, *out;
    edo_task *task;
};

edo_async(read_later)
{
    edo_body {
        int64_t n;
        n = edo_unix_pair(&self->in, &self->out);
        assert_int_equal(n, 0);
        n = edo_spawn(&self->task, run_op, .op = edo_read_lent(self->in, self->ret_lent));
        assert_int_equal(n, 0);
        settle();
        edo_await(n, edo_write(self->out, "l", 1));
        assert_int_equal(n, 1);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, 1);
        edo_close(self->in);
        edo_close(self->out);
        edo_return(0);
    }
}

static void return_in_child(void *arg)
{
    edo_lent *lent = arg;
    assert_int_equal(lent->size, 1);
    assert_int_equal(*lent->data, 'l');
    edo_lent_return(lent);
}

/* The memory outlives the runtime, and belongs to the child of a fork as well. */
test(outlives_the_runtime)
{
    edo_runtime *runtime;
    edo_lent lents[2];
    edo_config config = { .test_clock = true };
    assert_int_equal(create_runtime(&config, &runtime), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(edo_block_on(runtime, read_later, .ret_lent = &lents[i]), 0);
    expect_success_in_child(return_in_child, &lents[0]);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    expect_success_in_child(return_in_child, &lents[0]);
    for (int i = 0; i < 2; i++)
        return_in_child(&lents[i]);
}

/* ---- refusals ---- */

async_test(refusals, edo_io *io; edo_lent lent;)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_read_lent(NULL, &self->lent));
        assert_int_equal(n, -EINVAL);
        assert_int_equal(edo_io_null(&self->io), 0);
        edo_await(n, edo_read_lent(self->io, NULL));
        assert_int_equal(n, -EINVAL);
        edo_await(n, edo_read_lent(self->io, &self->lent));
        assert_int_equal(n, 0);
        edo_close(self->io);
        edo_lent_return(NULL);
        edo_return(0);
    }
}

/* ---- no memory ---- */

struct read_scarce {
    edo_frame();
    edo_args(edo_io *io;);
    edo_lent lent;
};

edo_async(read_scarce)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_read_lent(self->io, &self->lent));
        if (n > 0) edo_lent_return(&self->lent);
        edo_return(n);
    }
}

static void read_once(void *arg)
{
    int fds[2];
    edo_io *io = NULL;
    edo_runtime *runtime;
    (void)arg;
    if (create_runtime(NULL, &runtime) < 0) return;
    open_pair(UNIX_STREAM, fds);
    fd_write_all(fds[1], "bytes", 5);
    int64_t n = edo_io_from_fd(fds[0], &io);
    if (n == 0) {
        n = edo_block_on(runtime, read_scarce, .io = io);
        assert_true((n > 0 && n <= 5) || n == -ENOMEM);
        if (n == -ENOMEM) n = edo_block_on(runtime, read_scarce, .io = io);
        assert_in_range(n, 1, 5); // it was not taken; a driver may move single bytes
        edo_close(io);
    } else {
        close(fds[0]);
    }
    close(fds[1]);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

test(no_memory)
{
    log_capture();
    assert_true(with_each_allocation_failing(read_once, NULL) >= 4);
    log_release();
}
