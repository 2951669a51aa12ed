/* Work of a runtime inside a foreign loop: an echo over a socket pair, timers, and wakes from
 * another thread, in rounds. A loop's test calls loop_start(), and turns the runtime when the
 * runtime's descriptor is readable. The test ends once loop_is_over(). */
#pragma once

#include "runtime/fixture.h"

#include <sys/socket.h>

enum { LOOP_ROUNDS = 20, LOOP_MESSAGE = 100, LOOP_NAPS = 20 };

static struct {
    edo_runtime *runtime;
    int fd; // of the runtime
    int pair[2];
    edo_task *tasks[4];
    unsigned task_count;
    flag flags[LOOP_ROUNDS];
    pthread_t thread;
} loop;

/* ---- echo: one task answers, one asks and checks ---- */

struct loop_echo {
    edo_frame();
    edo_args(edo_io *io;);
    char buffer[LOOP_MESSAGE];
};

edo_async(loop_echo)
{
    edo_body {
        ssize_t n;
        do {
            edo_await(n, edo_read(self->io, self->buffer, sizeof self->buffer));
            if (n > 0) edo_await(n, edo_write_all(self->io, self->buffer, (size_t)n));
        } while (n > 0);
        edo_close(self->io);
        edo_return(n);
    }
}

struct loop_ask {
    edo_frame();
    edo_args(edo_io *io;);
    unsigned round;
    char sent[LOOP_MESSAGE], got[LOOP_MESSAGE];
};

edo_async(loop_ask)
{
    edo_body {
        ssize_t n = 0;
        for (self->round = 0; self->round < LOOP_ROUNDS; self->round++) {
            fill_pattern(self->sent, sizeof self->sent, 0, self->round * sizeof self->sent);
            edo_await(n, edo_write_all(self->io, self->sent, sizeof self->sent));
            if (n < 0) break;
            edo_await(n, edo_read_exact(self->io, self->got, sizeof self->got));
            if (n < 0) break;
            insist(is_pattern(self->got, sizeof self->got, 0, self->round * sizeof self->got));
        }
        edo_close(self->io);
        edo_return(n < 0 ? n : 0);
    }
}

/* ---- timers ---- */

struct loop_naps {
    edo_frame();
    edo_args();
    unsigned i;
    int64_t began;
};

edo_async(loop_naps)
{
    edo_body {
        int rc = 0;
        for (self->i = 0; self->i < LOOP_NAPS && rc == 0; self->i++) {
            self->began = edo_now();
            edo_await(rc, edo_sleep(edo_us(400)));
            insist(edo_now() - self->began >= edo_us(400));
        }
        edo_return(rc);
    }
}

/* ---- wakes: each round waits for a flag that another thread sets ---- */

struct loop_wakes {
    edo_frame();
    edo_args();
    unsigned i;
};

edo_async(loop_wakes)
{
    edo_body {
        int rc = 0;
        for (self->i = 0; self->i < LOOP_ROUNDS && rc == 0; self->i++)
            edo_await_on(rc, &loop.flags[self->i].base);
        edo_return(rc);
    }
}

static void *loop_set_flags(void *arg)
{
    for (unsigned i = 0; i < LOOP_ROUNDS; i++)
        flag_set(&loop.flags[i]);
    return arg;
}

/* ---- all of it ---- */

#define loop_spawn(...)                                                                            \
    do {                                                                                           \
        edo_spawn_options options_ = { .runtime = loop.runtime };                                  \
        assert_int_equal(edo_spawn_with(&loop.tasks[loop.task_count++], &options_, __VA_ARGS__),   \
                         0);                                                                       \
    } while (0)

static inline void loop_start(void)
{
    edo_io *ends[2];
    loop.task_count = 0;
    loop.runtime = make_runtime();
    loop.fd = edo_runtime_fd(loop.runtime);
    assert_true(loop.fd >= 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, loop.pair), 0);
    assert_int_equal(edo_io_from_fd(loop.pair[0], &ends[0]), 0);
    assert_int_equal(edo_io_from_fd(loop.pair[1], &ends[1]), 0);
    for (unsigned i = 0; i < LOOP_ROUNDS; i++)
        flag_init(&loop.flags[i]);
    loop_spawn(loop_echo, .io = ends[0]);
    loop_spawn(loop_ask, .io = ends[1]);
    loop_spawn(loop_naps);
    loop_spawn(loop_wakes);
    assert_int_equal(pthread_create(&loop.thread, NULL, loop_set_flags, NULL), 0);
}

static inline bool loop_is_over(void)
{
    return edo_runtime_task_count(loop.runtime) == 0;
}

struct loop_join {
    edo_frame();
    edo_args(edo_task *task;);
};

edo_async(loop_join)
{
    edo_body {
        int64_t rc;
        edo_await(rc, edo_join(self->task));
        edo_return(rc);
    }
}

static inline void loop_end(void)
{
    assert_int_equal(pthread_join(loop.thread, NULL), 0);
    for (unsigned i = 0; i < loop.task_count; i++)
        assert_int_equal(edo_block_on(loop.runtime, loop_join, .task = loop.tasks[i]), 0);
    assert_int_equal(edo_runtime_destroy(loop.runtime), 0);
}
