/* edo-test: once. Lent reads on io_uring: buffers that the kernel chooses. */
#include "driver/rings.h"

#include <sched.h>

#include <edo/lent.h>
#include <edo/unix.h>

enum { MOST = EDO__URING_BUFFER_COUNT, MORE = MOST + 20 };

static bool has_buffers(void)
{
    struct edo__ring ring;
    const char *reason;
    if (edo__ring_init(&ring, 1, 0, &reason) < 0) return false;
    edo__uring_buffers *buffers = edo__uring_buffers_open(&ring);
    edo__ring_deinit(&ring);
    edo__uring_buffers_close(buffers);
    return buffers;
}

static edo__uring *this_ring(void)
{
    return edo__uring_of(edo_current_runtime()->workers[0]->driver);
}

/* ---- where the memory comes from ---- */

struct read_many {
    edo_frame();
    edo_args(int count; size_t allocated; bool cancels;);
    edo_io *in[MORE], *out[MORE];
    edo_lent lents[MORE];
    edo_task *tasks[MORE];
    int i;
    size_t before;
};

/* Reads that wait, then all get a byte, or are cancelled. `allocated`: number of blocks that come
 * from the allocator. */
edo_async(read_many)
{
    edo_body {
        int64_t n;
        for (self->i = 0; self->i < self->count; self->i++) {
            assert_int_equal(edo_unix_pair(&self->in[self->i], &self->out[self->i]), 0);
            self->lents[self->i] = (edo_lent){ NULL, 0 };
            n = edo_spawn(&self->tasks[self->i], run_op,
                          .op = edo_read_lent(self->in[self->i], &self->lents[self->i]));
            assert_int_equal(n, 0);
        }
        settle();
        self->before = edo_memory_in_use();
        for (self->i = 0; self->i < self->count; self->i++) {
            if (self->cancels)
                edo_task_cancel(self->tasks[self->i]);
            else
                fd_write_all(edo_io_fd(self->out[self->i]), &(char){ (char)self->i }, 1);
        }
        settle();
        if (!self->cancels)
            assert_int_equal(edo_memory_in_use() - self->before,
                             self->allocated * (offsetof(edo__lent_block, bytes) + EDO__LENT_SIZE));
        for (self->i = 0; self->i < self->count; self->i++) {
            edo_await(n, edo_join(self->tasks[self->i]));
            assert_int_equal(n, self->cancels ? -ECANCELED : 1);
            if (!self->cancels) assert_int_equal(*self->lents[self->i].data, (char)self->i);
            edo_lent_return(&self->lents[self->i]);
            edo_close(self->in[self->i]);
            edo_close(self->out[self->i]);
        }
        edo_return(0);
    }
}

/* Buffers return to the ring, also from cancelled reads. Without a free buffer, memory is
 * allocated. */
test(memory_of_the_ring)
{
    if (!has_buffers()) skip();
    edo_runtime *runtime = new_ring();
    for (int i = 0; i < 5; i++) {
        assert_int_equal(edo_block_on(runtime, read_many, .count = MOST), 0);
        assert_int_equal(edo_block_on(runtime, read_many, .count = MORE, .cancels = true), 0);
        assert_int_equal(edo_block_on(runtime, read_many, .count = MORE, .allocated = MORE - MOST),
                         0);
    }
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

struct return_twice {
    edo_frame();
    edo_args();
    edo_io *in, *out;
    edo_task *task;
    edo_lent lent, copy;
};

edo_async(return_twice)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_unix_pair(&self->in, &self->out), 0);
        n = edo_spawn(&self->task, run_op, .op = edo_read_lent(self->in, &self->lent));
        assert_int_equal(n, 0);
        settle();
        fd_write_all(edo_io_fd(self->out), "t", 1);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, 1);
        self->copy = self->lent;
        edo_lent_return(&self->lent);
        edo_lent_return(&self->copy);
        edo_return(0);
    }
}

static void run_return_twice(void *arg)
{
    (void)arg;
    edo_block_on(new_ring(), return_twice);
}

test(returned_twice)
{
    if (!has_buffers()) skip();
    expect_abort(run_return_twice, NULL, "edo_lent_return: the memory was returned before");
}

/* The kernel refuses to register buffers. */
struct refused {
    edo_frame();
    edo_args();
    edo_lent lent;
    edo_io *in;
    edo_task *task;
    int peer, fd, registered, i;
};

edo_async(refused)
{
    edo_body {
        int64_t n;
        self->in = open_stream(TCP_STREAM, &self->peer);
        settle();
        self->fd = this_ring()->ring.fd;
        self->registered = this_ring()->ring.registered;
        this_ring()->ring.fd = this_ring()->ring.registered = -1;
        n = edo_spawn(&self->task, run_op, .op = edo_read_lent(self->in, &self->lent));
        assert_int_equal(n, 0);
        edo_await(n, edo_yield());
        this_ring()->ring.fd = self->fd;
        this_ring()->ring.registered = self->registered;
        assert_null(this_ring()->buffers);
        for (self->i = 0; self->i < 3; self->i++) {
            settle();
            fd_write_all(self->peer, "r", 1);
            edo_await(n, edo_join(self->task));
            assert_int_equal(n, 1);
            assert_int_equal(*self->lent.data, 'r');
            edo_lent_return(&self->lent);
            n = edo_spawn(&self->task, run_op, .op = edo_read_lent(self->in, &self->lent));
            assert_int_equal(n, 0);
        }
        settle();
        edo_close(self->in);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, -ECANCELED);
        close(self->peer);
        edo_return(0);
    }
}

test(no_buffers)
{
    edo_runtime *runtime;
    edo_config config = { .driver = "io_uring", .test_clock = true, .event_interval = 100000 };
    assert_int_equal(edo_runtime_create(&config, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, refused), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- cancelling ---- */

/* In the turn that fetched the byte, another task is polled first and cancels the read, or closes
 * its stream: too late. */
struct meddle {
    edo_frame();
    edo_args(edo_io *io; edo_task **victim; edo_io *closes;);
    char byte;
};

edo_async(meddle)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_read(self->io, &self->byte, 1));
        assert_int_equal(n, 1);
        if (self->closes)
            edo_close(self->closes);
        else
            edo_task_cancel(*self->victim);
        edo_return(0);
    }
}

struct too_late {
    edo_frame();
    edo_args(bool closes;);
    edo_io *first, *second, *peer;
    edo_task *meddler, *victim;
    edo_lent lent;
    int first_peer;
};

edo_async(too_late)
{
    edo_body {
        int64_t n;
        self->first = open_stream(UNIX_STREAM, &self->first_peer);
        n = edo_unix_pair(&self->second, &self->peer);
        assert_int_equal(n, 0);
        n = edo_spawn(&self->meddler, meddle, .io = self->first, .victim = &self->victim,
                      .closes = self->closes ? self->second : NULL);
        assert_int_equal(n, 0);
        n = edo_spawn(&self->victim, run_op, .op = edo_read_lent(self->second, &self->lent));
        assert_int_equal(n, 0);
        settle();
        fd_write_all(self->first_peer, "a", 1);
        fd_write_all(edo_io_fd(self->peer), "b", 1);
        edo_await(n, edo_join(self->meddler));
        assert_int_equal(n, 0);
        edo_await(n, edo_join(self->victim));
        assert_int_equal(n, 1);
        assert_int_equal(*self->lent.data, 'b');
        edo_lent_return(&self->lent);
        edo_close(self->first);
        if (!self->closes) edo_close(self->second);
        edo_close(self->peer);
        close(self->first_peer);
        edo_return(0);
    }
}

test(late_cancel)
{
    if (!has_buffers()) skip();
    edo_runtime *runtime = new_ring();
    assert_int_equal(edo_block_on(runtime, too_late, .closes = false), 0);
    assert_int_equal(edo_block_on(runtime, too_late, .closes = true), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- other threads ---- */

enum { READERS = 24, BYTES = 200 };

static int64_t give_back(void *arg)
{
    edo_lent_return(arg);
    return 0;
}

/* Reads bytes, cancels some of the reads, and gives the memory back, on a thread of the pool or
 * here. */
struct reader {
    edo_frame();
    edo_args(edo_io *in; int number;);
    edo_lent lent;
    int got, round;
};

edo_async(reader)
{
    edo_body {
        int64_t n;
        for (self->got = self->round = 0; self->got < BYTES; self->round++) {
            n = -ETIMEDOUT;
            if (self->round % 4 == 0)
                edo_await_for(n, edo_us(20), edo_read_lent(self->in, &self->lent));
            if (n == -ETIMEDOUT) edo_await(n, edo_read_lent(self->in, &self->lent));
            assert_true(n > 0 && (size_t)n == self->lent.size);
            for (int i = 0; i < n; i++)
                assert_int_equal(self->lent.data[i], (char)(self->got++ + self->number));
            if ((self->round + self->number) % 2)
                edo_await(n, edo_blocking(give_back, &self->lent));
            else
                edo_lent_return(&self->lent);
            assert_null(self->lent.data);
        }
        edo_return(0);
    }
}

struct writer {
    edo_frame();
    edo_args(edo_io *out; int number;);
    char byte;
    int i;
};

edo_async(writer)
{
    edo_body {
        int64_t n;
        for (self->i = 0; self->i < BYTES; self->i++) {
            self->byte = (char)(self->i + self->number);
            edo_await(n, edo_write(self->out, &self->byte, 1));
            assert_int_equal(n, 1);
            edo_await(n, edo_yield());
        }
        edo_return(0);
    }
}

struct pairs {
    edo_frame();
    edo_args();
    edo_io *in[READERS], *out[READERS];
    edo_task *readers[READERS], *writers[READERS];
    int i;
};

edo_async(pairs)
{
    edo_body {
        int64_t n;
        for (self->i = 0; self->i < READERS; self->i++) {
            n = edo_unix_pair(&self->in[self->i], &self->out[self->i]);
            assert_int_equal(n, 0);
            n = edo_spawn(&self->readers[self->i], reader, .in = self->in[self->i],
                          .number = self->i);
            assert_int_equal(n, 0);
            n = edo_spawn(&self->writers[self->i], writer, .out = self->out[self->i],
                          .number = self->i);
            assert_int_equal(n, 0);
        }
        for (self->i = 0; self->i < READERS; self->i++) {
            edo_await(n, edo_join(self->writers[self->i]));
            assert_int_equal(n, 0);
            edo_await(n, edo_join(self->readers[self->i]));
            assert_int_equal(n, 0);
            edo_close(self->in[self->i]);
            edo_close(self->out[self->i]);
        }
        edo_return(0);
    }
}

/* Workers read with the same buffers as threads of the pool return them. */
test(returned_by_other_threads)
{
    for (int workers = 0; workers <= 2; workers++) {
        edo_runtime *runtime;
        edo_config config = { .driver = "io_uring", .workers = workers };
        assert_int_equal(edo_runtime_create(&config, &runtime), 0);
        assert_int_equal(edo_block_on(runtime, pairs), 0);
        assert_int_equal(edo_runtime_destroy(runtime), 0);
    }
}

/* A buffer returns to the ring while all others are held. Only the queue of free buffers orders the
 * thread that returns the buffer and the turner that lends it again. */
struct lend_again {
    edo_frame();
    edo_args();
    edo_io *in, *out;
    edo_lent lents[MOST], again;
    edo_task *task;
    const char *place;
    pthread_t thread;
    int i;
};

static void *return_on_thread(void *arg)
{
    edo_lent_return(arg);
    return NULL;
}

edo_async(lend_again)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_unix_pair(&self->in, &self->out), 0);
        for (self->i = 0; self->i <= MOST; self->i++) {
            edo_lent *lent = self->i < MOST ? &self->lents[self->i] : &self->again;
            n = edo_spawn(&self->task, run_op, .op = edo_read_lent(self->in, lent));
            assert_int_equal(n, 0);
            settle();
            fd_write_all(edo_io_fd(self->out), "a", 1);
            edo_await(n, edo_join(self->task));
            assert_int_equal(n, 1);
            if (self->i == 0) self->place = self->lents[0].data;
            if (self->i == MOST - 1) {
                n = pthread_create(&self->thread, NULL, return_on_thread, &self->lents[0]);
                assert_int_equal(n, 0);
            }
            if (self->i == MOST && self->again.data != self->place) { // not yet returned
                edo_lent_return(&self->again);
                self->i--;
                sched_yield();
            }
        }
        pthread_join(self->thread, NULL);
        edo_lent_return(&self->again);
        for (self->i = 1; self->i < MOST; self->i++)
            edo_lent_return(&self->lents[self->i]);
        edo_close(self->in);
        edo_close(self->out);
        edo_return(0);
    }
}

test(lent_again)
{
    if (!has_buffers()) skip();
    edo_runtime *runtime = new_ring();
    assert_int_equal(edo_block_on(runtime, lend_again), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

int main(void)
{
    setenv("EDO_DRIVER", "io_uring", 1);
    if (!has_rings()) return SKIPPED;
    return run_all_tests();
}
