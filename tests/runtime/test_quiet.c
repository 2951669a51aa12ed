/* A test clock with workers does not advance while any worker has work. This also holds while an
 * action of one worker is an event for another worker's driver, and while helpers begin to
 * sleep. */
#include "runtime/fixture.h"

#include "support/streams.h"

#include <time.h>

enum {
    WORKERS = 3,
    PAIRS = 3,
    ROUNDS = 400,
    GAMES = 10,
    TICKS = 300,
    STALLS = 4, // long computations meanwhile, which make helpers start
};

/* ---- bytes back and forth, each end on its own worker ---- */

struct bounce {
    edo_frame();
    edo_args(edo_io *io; bool begins;);
    unsigned left;
    char byte;
};

edo_async(bounce)
{
    edo_body {
        int64_t rc = 1;
        if (self->begins) edo_await(rc, edo_write(self->io, "x", 1));
        for (self->left = ROUNDS; self->left && rc == 1; self->left--) {
            edo_await(rc, edo_read(self->io, &self->byte, 1));
            if (rc == 1) edo_await(rc, edo_write(self->io, "x", 1));
        }
        edo_return(rc == 1 ? 0 : rc < 0 ? rc : -EPIPE);
    }
}

/* ---- a task that occupies its worker ---- */

struct compute {
    edo_frame();
    edo_args(unsigned left;);
};

static void compute_for(int64_t duration)
{
    struct timespec now;
    int64_t end = 0;
    do {
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (!end) end = edo_s(now.tv_sec) + now.tv_nsec + duration;
    } while (edo_s(now.tv_sec) + now.tv_nsec < end);
}

edo_async(compute)
{
    edo_body {
        int rc = 0;
        for (; self->left && rc == 0; self->left--) {
            compute_for(edo_ms(8));
            edo_await(rc, edo_yield());
        }
        edo_return(rc);
    }
}

/* ---- the clock would go on to the limit ---- */

struct play {
    edo_frame();
    edo_args(bool stalls;);
    edo_task *ends[2 * PAIRS], *computer;
    edo_io *ios[2 * PAIRS];
    unsigned i;
};

static void begin(struct play *self)
{
    for (unsigned i = 0; i < 2 * PAIRS; i += 2)
        open_streams(UNIX_STREAM, &self->ios[i], &self->ios[i + 1]);
    for (unsigned i = 0; i < 2 * PAIRS; i++)
        insist(edo_spawn_on(&self->ends[i], i % WORKERS, bounce, .io = self->ios[i],
                            .begins = i % 2) == 0);
    insist(edo_spawn(&self->computer, compute, .left = self->stalls ? STALLS : 0) == 0);
}

edo_async(play)
{
    edo_body {
        int64_t rc;
        begin(self);
        for (self->i = 0; self->i < 2 * PAIRS; self->i++) {
            edo_await_for(rc, edo_s(3600), edo_join(self->ends[self->i]));
            insist(rc == 0);
        }
        edo_await_for(rc, edo_s(3600), edo_join(self->computer));
        insist(rc == 0);
        for (self->i = 0; self->i < 2 * PAIRS; self->i++)
            edo_close(self->ios[self->i]);
        edo_await(rc, edo_sleep(edo_s(3600))); // the clock advances once there is no work
        edo_return(rc);
    }
}

clean_test(clock_stands_while_bytes_go)
{
    const edo_config config = { .workers = WORKERS, .test_clock = true };
    edo_runtime *runtime = make_runtime_with(&config);
    for (unsigned i = 0; i < GAMES; i++)
        assert_int_equal(edo_block_on(runtime, play, .stalls = i % 2), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- each timer fires at its moment, although its worker must be woken ---- */

struct tick {
    edo_frame();
    edo_args(unsigned first;);
    int64_t deadline;
    unsigned left;
};

edo_async(tick)
{
    edo_body {
        int rc = 0;
        self->deadline = edo_now() + edo_ms(self->first);
        for (self->left = TICKS; self->left && rc == 0; self->left--) {
            edo_await(rc, edo_sleep_until(self->deadline));
            insist(edo_now() == self->deadline);
            self->deadline += edo_ms(WORKERS);
        }
        edo_return(rc);
    }
}

struct tick_all {
    edo_frame();
    edo_args();
    edo_task *tasks[WORKERS];
    unsigned i;
};

edo_async(tick_all)
{
    edo_body {
        int rc = 0;
        for (unsigned i = 0; i < WORKERS; i++)
            insist(edo_spawn_on(&self->tasks[i], i, tick, .first = 1 + i) == 0);
        for (self->i = 0; self->i < WORKERS && rc == 0; self->i++)
            edo_await(rc, edo_join(self->tasks[self->i]));
        edo_return(rc);
    }
}

clean_test(deadlines_are_met_one_by_one)
{
    const edo_config config = { .workers = WORKERS, .test_clock = true };
    edo_runtime *runtime = make_runtime_with(&config);
    assert_int_equal(edo_block_on(runtime, tick_all), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}
