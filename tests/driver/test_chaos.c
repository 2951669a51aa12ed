/* edo-test: once. The chaos driver itself: its options and their effects. */
#include "support/streams.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "chaos/chaos.h"

/* ---- options ---- */

test(good_options)
{
    chaos_options options = chaos_defaults;
    assert_int_equal(chaos_options_parse(NULL, &options), 0);
    assert_int_equal(chaos_options_parse("", &options), 0);
    assert_int_equal(options.seed, chaos_defaults.seed);
    assert_int_equal(chaos_options_parse("seed=7,bytes=0,late=9", &options), 0);
    assert_int_equal(options.seed, 7);
    assert_int_equal(options.bytes, 0);
    assert_int_equal(options.late, 9);
    assert_int_equal(options.spurious, chaos_defaults.spurious);
    assert_int_equal(chaos_options_parse("spurious=50,fault=12:ECONNRESET", &options), 0);
    assert_int_equal(options.spurious, 50);
    assert_int_equal(options.fault_at, 12);
    assert_int_equal(options.fault, ECONNRESET);
    assert_int_equal(options.seed, 7); // options that are not named keep their values
}

test(bad_options)
{
    static const char *const bad[] = {
        "seed",     "seed=",      "seed=x",      "seed=1x",           "late=-1x", "loud=1",
        "fault=12", "fault=1:EX", "fault=x:EIO", "bytes=99999999999", ",",        "seed=1,,late=2"
    };
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        chaos_options options = chaos_defaults;
        if (chaos_options_parse(bad[i], &options) == 0) fail_msg("'%s' was taken", bad[i]);
    }
}

static void run_with(void *driver)
{
    edo_runtime *runtime;
    if (edo_runtime_create(&(edo_config){ .driver = driver }, &runtime) == 0)
        edo_runtime_destroy(runtime);
}

static void run_with_and_fail(void *driver)
{
    run_with(driver);
    exit(EXIT_FAILURE);
}

static void run_with_and_abort(void *driver)
{
    run_with(driver);
    abort();
}

test(announcement)
{
    char text[512];
    char *driver = (char[]){ "chaos:seed=77,late=2,bytes=5,spurious=6,fault=8:EIO" };
    const char *expected = "chaos: seed=77,late=2,bytes=5,spurious=6,fault=8:EIO\n";
    assert_int_not_equal(run_in_child(run_with_and_fail, driver, text, sizeof text), 0);
    assert_string_equal(text, expected);
    assert_int_not_equal(run_in_child(run_with_and_abort, driver, text, sizeof text), 0);
    assert_string_equal(text, expected);
    assert_int_equal(run_in_child(run_with, driver, text, sizeof text), 0);
    assert_string_equal(text, "");
    expect_abort(run_with, (char[]){ "chaos:loud=1" }, "chaos: bad options: .*loud=1");
}

/* ---- effects ---- */

static void run_on(const char *driver, const edo_site *site)
{
    edo_runtime *runtime;
    edo_config config = { .driver = driver, .test_clock = true };
    assert_int_equal(edo_runtime_create(&config, &runtime), 0);
    assert_string_equal(edo_runtime_driver(runtime), "chaos");
    assert_int_equal(edo__block_on(runtime, site, &(struct {}){}), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

#define run_test_on(driver, fn) run_on((driver), edo__site_of(fn))

struct moves_three {
    edo_frame();
    edo_args();
    edo_io *io;
    int peer;
    char buffer[16];
    edo_slice vector[2];
};

edo_async(moves_three)
{
    edo_body {
        int64_t n;
        self->io = open_stream(UNIX_STREAM, &self->peer);
        fd_write_all(self->peer, "0123456789", 10);
        edo_await(n, edo_read(self->io, self->buffer, sizeof self->buffer));
        assert_int_equal(n, 3);
        edo_await(n, edo_read_exact(self->io, self->buffer, 7));
        assert_int_equal(n, 7);
        edo_await(n, edo_write(self->io, "0123456789", 10));
        assert_int_equal(n, 3);
        self->vector[0] = (edo_slice){ "", 0 };
        self->vector[1] = (edo_slice){ "0123456789", 10 };
        edo_await(n, edo_writev(self->io, self->vector, 2));
        assert_int_equal(n, 3);
        edo_close(self->io);
        close(self->peer);
        edo_return(0);
    }
}

test(bytes)
{
    run_test_on("chaos:bytes=3", moves_three);
}

/* No operation is ready at once, and the order of two ready ones is random. */
struct order {
    edo_frame();
    edo_args();
    edo_io *io[2];
    int peer[2], round, wins[2];
    edo_op op[2];
    char in[2];
};

edo_async(order)
{
    edo_body {
        int64_t n;
        int which;
        self->wins[0] = self->wins[1] = 0;
        for (unsigned i = 0; i < 2; i++)
            self->io[i] = open_stream(UNIX_STREAM, &self->peer[i]);
        for (self->round = 0; self->round < 100; self->round++) {
            for (unsigned i = 0; i < 2; i++) {
                fd_write_all(self->peer[i], "x", 1);
                self->op[i] = edo_read(self->io[i], &self->in[i], 1);
            }
            edo_any(which, &self->op[0].base, &self->op[1].base);
            self->wins[which]++;
            edo_await_on(n, &self->op[0].base);
            assert_int_equal(n, 1);
            edo_await_on(n, &self->op[1].base);
            assert_int_equal(n, 1);
        }
        assert_true(self->wins[0] > 10 && self->wins[1] > 10);
        for (unsigned i = 0; i < 2; i++) {
            edo_close(self->io[i]);
            close(self->peer[i]);
        }
        edo_return(0);
    }
}

/* A cancelled read with input sometimes succeeds. */
struct late_success {
    edo_frame();
    edo_args();
    edo_io *io;
    edo_op op;
    int peer, round, successes;
    char byte;
};

edo_async(late_success)
{
    edo_body {
        int64_t n;
        self->successes = 0;
        self->io = open_stream(UNIX_STREAM, &self->peer);
        for (self->round = 0; self->round < 100; self->round++) {
            fd_write_all(self->peer, "x", 1);
            self->op = edo_read(self->io, &self->byte, 1);
            n = edo_poll_future(&self->op.base, cx); // puts the read in flight
            assert_int_equal(n, EDO_PENDING);
            edo_cancel(&self->op.base);
            edo_await_on(n, &self->op.base);
            assert_true(n == 1 || n == -ECANCELED);
            self->successes += n == 1;
        }
        assert_in_range(self->successes, 10, 90);
        edo_close(self->io);
        close(self->peer);
        edo_return(0);
    }
}

test(lateness)
{
    run_test_on("chaos:late=5", order);
    run_test_on("chaos:late=5", late_success);
}

/* The test clock stands still while an operation is held back. */
struct clock_waits {
    edo_frame();
    edo_args();
    edo_io *io;
    int64_t before;
    int peer;
    char byte;
};

edo_async(clock_waits)
{
    edo_body {
        int64_t n;
        self->io = open_stream(UNIX_STREAM, &self->peer);
        fd_write_all(self->peer, "x", 1);
        self->before = edo_now();
        edo_await_for(n, 1, edo_read(self->io, &self->byte, 1));
        assert_int_equal(n, 1);
        assert_int_equal(edo_now(), self->before);
        edo_close(self->io);
        close(self->peer);
        edo_return(0);
    }
}

test(clock)
{
    run_test_on("chaos:late=50", clock_waits);
}

/* A future that counts its polls, above a read that waits. */
struct count_polls {
    edo_future base;
    edo_op *inner;
    unsigned polls;
};

static edo_poll count_polls_poll(edo_future *future, edo_cx *cx)
{
    struct count_polls *self = (struct count_polls *)(void *)future;
    self->polls++;
    edo_poll poll = edo_poll_future(&self->inner->base, cx);
    future->result = self->inner->base.result;
    return poll;
}

static const edo_future_ops count_polls_ops = { .name = "count_polls", .poll = count_polls_poll };

struct spurious {
    edo_frame();
    edo_args();
    edo_io *io;
    edo_op op;
    struct count_polls counter;
    int peer;
    char byte;
};

edo_async(spurious)
{
    edo_body {
        int64_t n;
        self->io = open_stream(UNIX_STREAM, &self->peer);
        fd_write_all(self->peer, "x", 1);
        self->op = edo_read(self->io, &self->byte, 1);
        self->counter = (struct count_polls){ .base.ops = &count_polls_ops, .inner = &self->op };
        edo_await_on(n, &self->counter.base);
        assert_int_equal(n, 1);
        assert_true(self->counter.polls > 2); // the first poll, the last, and spurious ones
        edo_close(self->io);
        close(self->peer);
        edo_return(0);
    }
}

test(spurious)
{
    run_test_on("chaos:late=40,spurious=100", spurious);
}

/* A foreign loop finds the descriptor readable while an operation is held back. */
struct read_one {
    edo_frame();
    edo_args(edo_io *io; bool *done;);
    char byte;
};

edo_async(read_one)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_read(self->io, &self->byte, 1));
        *self->done = true;
        edo_return(n);
    }
}

test(foreign_loop)
{
    edo_runtime *runtime;
    bool done = false;
    int peer;
    edo_io *io = open_stream(UNIX_STREAM, &peer);
    fd_write_all(peer, "x", 1);
    assert_int_equal(edo_runtime_create(&(edo_config){ .driver = "chaos:late=9" }, &runtime), 0);
    struct pollfd poll_fd = { .fd = edo_runtime_fd(runtime), .events = POLLIN };
    assert_true(poll_fd.fd >= 0);
    edo_spawn_options options = { .runtime = runtime };
    assert_int_equal(edo_spawn_with(NULL, &options, read_one, .io = io, .done = &done), 0);
    while (!done) {
        assert_int_equal(poll(&poll_fd, 1, -1), 1);
        edo_turn(runtime, 0);
    }
    edo_close(io);
    close(peer);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}
