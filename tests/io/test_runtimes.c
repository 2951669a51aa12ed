/* Streams that move between runtimes, threads that use edo_wait(), and runtimes that end before
 * their streams. */
#include "support/streams.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

static edo_runtime *new_runtime(void)
{
    edo_runtime *runtime;
    assert_int_equal(create_runtime(&(edo_config){ .test_clock = true }, &runtime), 0);
    return runtime;
}

/* ---- one stream, one runtime after the other ---- */

struct use {
    edo_frame();
    edo_args(edo_io *io; int peer;);
    edo_task *reader;
    char byte;
};

/* Two reads: one is cancelled, so that the driver registers the stream, and one waits for its
 * byte. */
edo_async(use)
{
    edo_body {
        int64_t n;
        edo_await_for(n, edo_ms(1), edo_read(self->io, &self->byte, 1));
        assert_int_equal(n, -ETIMEDOUT);
        n = edo_spawn(&self->reader, run_op, .op = edo_read(self->io, &self->byte, 1));
        assert_int_equal(n, 0);
        settle();
        fd_write_all(self->peer, "x", 1);
        edo_await(n, edo_join(self->reader));
        assert_int_equal(n, 1);
        edo_await(n, edo_write(self->io, "y", 1));
        assert_int_equal(n, 1);
        fd_read_all(self->peer, &self->byte, 1);
        edo_return(0);
    }
}

/* The stream outlives each runtime, and moves to the next one. */
test(outlives_runtimes)
{
    size_t before = open_descriptors();
    int peer;
    edo_io *io = open_stream(UNIX_STREAM, &peer);
    for (int round = 0; round < 3; round++) {
        edo_runtime *runtime = new_runtime();
        assert_int_equal(edo_block_on(runtime, use, .io = io, .peer = peer), 0);
        assert_int_equal(edo_runtime_destroy(runtime), 0);
    }
    int fd = edo_io_fd(io);
    edo_close(io); // with no runtime at all
    assert_false(fd_is_open(fd));
    close(peer);
    assert_int_equal(open_descriptors(), before);
}

/* Two runtimes of one thread use a stream in turn. */
test(moves_between_runtimes)
{
    size_t before = open_descriptors();
    int peer;
    edo_runtime *runtimes[2] = { new_runtime(), new_runtime() };
    edo_io *io = open_stream(TCP_STREAM, &peer);
    for (int round = 0; round < 6; round++)
        assert_int_equal(edo_block_on(runtimes[round % 2], use, .io = io, .peer = peer), 0);
    edo_close(io);
    assert_int_equal(edo_runtime_destroy(runtimes[0]), 0);
    assert_int_equal(edo_runtime_destroy(runtimes[1]), 0);
    close(peer);
    assert_int_equal(open_descriptors(), before);
}

/* The same with runtimes of every kind of driver, which must not disturb each other's
 * operations. */
test(moves_between_drivers)
{
    static const char *const drivers[] = { "epoll", "io_uring", "chaos" };
    enum { DRIVERS = ARRAY_LENGTH(drivers), TURNS = 4 * DRIVERS };
    size_t before = open_descriptors();
    edo_runtime *runtimes[DRIVERS];
    int peer;
    for (size_t i = 0; i < DRIVERS; i++) {
        edo_config config = { .driver = drivers[i], .test_clock = true };
        assert_int_equal(create_runtime(&config, &runtimes[i]), 0);
    }
    for (stream_kind kind = UNIX_STREAM; kind <= TCP_STREAM; kind++) {
        edo_io *io = open_stream(kind, &peer);
        for (size_t round = 0; round < TURNS; round++) {
            edo_runtime *runtime = runtimes[round * (1 + round / DRIVERS) % DRIVERS];
            assert_int_equal(edo_block_on(runtime, use, .io = io, .peer = peer), 0);
        }
        edo_close(io);
        close(peer);
    }
    for (size_t i = 0; i < DRIVERS; i++)
        assert_int_equal(edo_runtime_destroy(runtimes[i]), 0);
    assert_int_equal(open_descriptors(), before);
}

/* A stream stays open when its runtime ends, and the end cancels a read. */
struct leave_reading {
    edo_frame();
    edo_args(edo_io *io; char *byte; int64_t *ret;);
};

edo_async(leave_reading)
{
    edo_body {
        edo_await(*self->ret, edo_read(self->io, self->byte, 1));
        edo_return(0);
    }
}

struct spawn_reader {
    edo_frame();
    edo_args(edo_io *io; char *byte; int64_t *ret;);
};

edo_async(spawn_reader)
{
    edo_body {
        int rc = edo_go(leave_reading, .io = self->io, .byte = self->byte, .ret = self->ret);
        assert_int_equal(rc, 0);
        settle();
        edo_return(0);
    }
}

test(runtime_ends_under_read)
{
    int peer;
    char byte = '.';
    int64_t result = 0;
    edo_io *io = open_stream(UNIX_STREAM, &peer);
    edo_runtime *runtime = new_runtime();
    assert_int_equal(edo_block_on(runtime, spawn_reader, .io = io, .byte = &byte, .ret = &result),
                     0);
    assert_int_equal(result, 0); // waits now
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    assert_int_equal(result, -ECANCELED);
    runtime = new_runtime();
    assert_int_equal(edo_block_on(runtime, use, .io = io, .peer = peer), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    edo_close(io);
    close(peer);
}

/* A write in a second runtime, while a read waits in the first one. */
struct write_on {
    edo_frame();
    edo_args(edo_io *io;);
    edo_op ops[2];
};

edo_async(write_on)
{
    edo_body {
        int which;
        stream_fill(self->io);
        self->ops[0] = edo_write(self->io, "x", 1);
        self->ops[1] = edo_yield();
        edo_select(which, &self->ops[0].base, &self->ops[1].base);
        edo_return(self->ops[which].base.result);
    }
}

current_thread_only("it counts the allocations")
allocator_fixture() test(second_runtime_without_memory)
{
    int peer;
    char byte = '.';
    int64_t result = 0;
    uint64_t failures = 0;
    edo_io *io = open_stream(UNIX_STREAM, &peer);
    edo_runtime *first = new_runtime(), *second = new_runtime();
    assert_int_equal(edo_block_on(first, spawn_reader, .io = io, .byte = &byte, .ret = &result), 0);
    for (;;) {
        test_allocator_fail_at(failures + 1);
        int64_t rc = edo_block_on(second, write_on, .io = io);
        if (!test_allocator_has_failed()) break;
        assert_int_equal(rc, -ENOMEM);
        failures++;
    }
    test_allocator_fail_at(0);
    assert_true(failures >= 1);
    assert_int_equal(edo_runtime_destroy(second), 0);
    assert_int_equal(edo_runtime_destroy(first), 0);
    assert_int_equal(result, -ECANCELED);
    edo_close(io);
    close(peer);
}

/* ---- plain threads ---- */

test(wait_on_plain_thread)
{
    char buffer[4];
    int peer;
    edo_io *io = open_stream(UNIX_STREAM, &peer);
    fd_write_all(peer, "abcd", 4);
    assert_int_equal(edo_wait(edo_read_exact(io, buffer, 4)), 4);
    assert_memory_equal(buffer, "abcd", 4);
    assert_int_equal(edo_wait(edo_write_all(io, "efgh", 4)), 4);
    fd_read_all(peer, buffer, 4);
    assert_memory_equal(buffer, "efgh", 4);
    assert_int_equal(edo_wait(edo_wait_fd(peer, EDO_WRITABLE)), EDO_WRITABLE);
    close(peer);
    assert_int_equal(edo_wait(edo_read(io, buffer, 4)), 0);
    assert_int_equal(edo_wait(edo_finish(io)), 0);
}

/* Threads that feed each other in a circle, each with its own runtime by edo_wait(). */
enum { ALL_WORKERS = 4, LAPS = 200 };

struct ring {
    edo_io *in[ALL_WORKERS], *out[ALL_WORKERS];
};

static void check(bool condition)
{
    if (!condition) abort(); // cmocka asserts work on the main thread only
}

static void pass_on(unsigned index, void *arg)
{
    struct ring *ring = arg;
    char byte;
    for (int lap = 0; lap < LAPS; lap++) {
        if (index == 0) check(edo_wait(edo_write_all(ring->out[0], &(char){ (char)lap }, 1)) == 1);
        check(edo_wait(edo_read_exact(ring->in[index], &byte, 1)) == 1);
        check(byte == (char)lap);
        if (index != 0) check(edo_wait(edo_write_all(ring->out[index], &byte, 1)) == 1);
    }
}

test(threads_in_a_ring)
{
    struct ring ring;
    for (unsigned i = 0; i < ALL_WORKERS; i++)
        open_streams(PIPE_STREAM, &ring.in[(i + 1) % ALL_WORKERS], &ring.out[i]);
    run_threads(ALL_WORKERS, pass_on, &ring);
    for (unsigned i = 0; i < ALL_WORKERS; i++) {
        edo_close(ring.in[i]);
        edo_close(ring.out[i]);
    }
}

/* The two sides of one stream on two threads, whose runtimes must share it. */
struct shared {
    edo_io *io, *peer;
    size_t size;
};

static void use_side(unsigned index, void *arg)
{
    struct shared *shared = arg;
    edo_io *io = index < 2 ? shared->io : shared->peer;
    char *data = malloc(shared->size);
    if (index % 2) {
        fill_pattern(data, shared->size, index / 2, 0);
        check(edo_wait(edo_write_all(io, data, shared->size)) == (int64_t)shared->size);
    } else {
        check(edo_wait(edo_read_exact(io, data, shared->size)) == (int64_t)shared->size);
        check(is_pattern(data, shared->size, 1 - index / 2, 0));
    }
    free(data);
}

test(sides_on_two_threads)
{
    struct shared shared = { .size = 64 << 10 };
    open_streams(UNIX_STREAM, &shared.io, &shared.peer);
    shrink_buffer(edo_io_fd(shared.io));
    shrink_buffer(edo_io_fd(shared.peer));
    run_threads(4, use_side, &shared);
    edo_close(shared.io);
    edo_close(shared.peer);
}

/* A thread closes the stream that another one reads. */
struct closing {
    edo_io *io;
    int64_t result;
    char byte;
};

static void close_or_read(unsigned index, void *arg)
{
    struct closing *closing = arg;
    if (index == 0) {
        do {
            closing->result = edo_wait(edo_read(closing->io, &closing->byte, 1));
        } while (closing->result == -EBUSY); // while the other thread's check holds the side
        return;
    }
    /* The reader has claimed its side once a second read answers -EBUSY. */
    char byte;
    edo_op op;
    do {
        op = edo_read(closing->io, &byte, 0);
    } while (edo_wait_on(&op.base) != -EBUSY);
    edo_close(closing->io);
}

test(closed_by_another_thread)
{
    for (int round = 0; round < 20; round++) {
        struct closing closing = { .io = NULL };
        int peer;
        closing.io = open_stream(UNIX_STREAM, &peer);
        run_threads(2, close_or_read, &closing);
        assert_int_equal(closing.result, -ECANCELED);
        close(peer);
    }
}

/* ---- a foreign loop ---- */

/* Sleeps in poll() on the runtime's descriptor, and turns when that is readable. */
struct echo_once {
    edo_frame();
    edo_args(edo_io *io; int64_t *ret;);
    char buffer[8];
};

edo_async(echo_once)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_read_exact(self->io, self->buffer, 8));
        assert_int_equal(n, 8);
        edo_await(n, edo_write_all(self->io, self->buffer, 8));
        *self->ret = n;
        edo_return(n);
    }
}

current_thread_only("a foreign loop turns it")
test(foreign_loop)
{
    edo_runtime *runtime;
    int peer;
    int64_t result = 0;
    char answer[8];
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    edo_io *io = open_stream(UNIX_STREAM, &peer);
    int fd = edo_runtime_fd(runtime);
    assert_return_code(fd, -fd);
    assert_int_equal(edo_spawn_with(NULL, &(edo_spawn_options){ .runtime = runtime }, echo_once,
                                    .io = io, .ret = &result),
                     0);
    int sent = 0;
    while (result == 0) {
        if (sent < 8) fd_write_all(peer, &"abcdefgh"[sent++], 1);
        assert_int_equal(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, -1), 1);
        while (edo_turn(runtime, 0) > 0)
            continue;
    }
    fd_read_all(peer, answer, 8);
    assert_memory_equal(answer, "abcdefgh", 8);
    edo_close(io);
    close(peer);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}
