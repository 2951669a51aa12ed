/* A runtime with workers whose threads hold the runtime's locks most of the time, for tests that
 * fork during the load. The load is: streams that echo, a listener that accepts, jobs and timers.
 * This file also has the steps of a child on its copies of these objects. */
#pragma once

#include "runtime/fixture.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/base.h"

enum {
    PAIRS = 8,
    CHILD_PATIENCE = 30, // seconds, until a child that hangs is ended
};

static struct {
    edo_runtime *runtime;
    edo_io *ends[PAIRS][2];
    edo_task *tasks[PAIRS][2];
    edo_listener *listener;
    edo_task *accepter, *connecter, *worker;
    bool stops; // any thread
} load;

static inline bool is_over(void)
{
    return __atomic_load_n(&load.stops, __ATOMIC_RELAXED);
}

struct ball {
    edo_frame();
    edo_args(edo_io *io; bool serves;);
    char byte;
};

/* A byte goes back and forth until the server keeps it. */
edo_async(ball)
{
    edo_body {
        ssize_t n = 1;
        if (self->serves) edo_await(n, edo_write_all(self->io, "x", 1));
        while (n == 1) {
            edo_await(n, edo_read(self->io, &self->byte, 1));
            if (n != 1) break;
            if (self->serves && is_over()) break;
            edo_await(n, edo_write_all(self->io, &self->byte, 1));
        }
        if (self->serves) edo_await(n, edo_shutdown_write(self->io));
        edo_return(n < 0 ? n : 0);
    }
}

/* Accepts connections until it is cancelled. */
struct accepts {
    edo_frame();
    edo_args();
    edo_io *io;
};

edo_async(accepts)
{
    edo_body {
        int rc = 0;
        while (rc == 0) {
            edo_await(rc, edo_accept(load.listener, &self->io));
            if (rc == 0) edo_close(self->io);
        }
        edo_return(rc == -ECANCELED ? 0 : rc);
    }
}

/* Makes connections. The accepting side closes each connection first, so no port of this side
 * remains in TIME-WAIT. */
struct connects {
    edo_frame();
    edo_args();
    char address[64], byte;
    edo_io *io;
};

edo_async(connects)
{
    edo_body {
        ssize_t n = edo_listener_address(load.listener, self->address, sizeof self->address);
        while (n >= 0 && !is_over()) {
            edo_await(n, edo_tcp_connect(self->address, &self->io));
            if (n < 0) break;
            edo_await(n, edo_read(self->io, &self->byte, 1));
            edo_close(self->io);
            if (n == -ECONNRESET) n = 0;
        }
        edo_return(n < 0 ? n : 0);
    }
}

static inline int64_t do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

struct works {
    edo_frame();
    edo_args();
};

edo_async(works)
{
    edo_body {
        int rc = 0;
        while (rc == 0 && !is_over()) {
            edo_await(rc, edo_blocking(do_nothing, NULL));
            if (rc == 0) edo_await(rc, edo_sleep(edo_us(10)));
        }
        edo_return(rc);
    }
}

struct listens {
    edo_frame();
    edo_args();
};

edo_async(listens)
{
    edo_body {
        int rc;
        edo_await(rc, edo_tcp_listen("127.0.0.1:0", &load.listener));
        edo_return(rc);
    }
}

static inline void start_load(void)
{
    load.runtime = make_runtime_with(
        &(edo_config){ .workers = 2, .max_spare = -1, .stall_limit = EDO_NEVER });
    edo_spawn_options options = { .runtime = load.runtime };
    for (int i = 0; i < PAIRS; i++) {
        int pair[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        for (int end = 0; end < 2; end++) {
            assert_int_equal(edo_io_from_fd(pair[end], &load.ends[i][end]), 0);
            assert_int_equal(edo_spawn_with(&load.tasks[i][end], &options, ball,
                                            .io = load.ends[i][end], .serves = end == 0),
                             0);
        }
    }
    assert_int_equal(edo_block_on(load.runtime, listens), 0);
    assert_int_equal(edo_spawn_with(&load.accepter, &options, accepts), 0);
    assert_int_equal(edo_spawn_with(&load.connecter, &options, connects), 0);
    assert_int_equal(edo_spawn_with(&load.worker, &options, works), 0);
}

struct join {
    edo_frame();
    edo_args(edo_task *task;);
};

edo_async(join)
{
    edo_body {
        int64_t rc;
        edo_await(rc, edo_join(self->task));
        edo_return(rc);
    }
}

static inline void close_streams(void)
{
    for (int i = 0; i < PAIRS; i++)
        for (int end = 0; end < 2; end++)
            edo_close(load.ends[i][end]);
    edo_listener_close(load.listener);
}

static inline void end_load(void)
{
    __atomic_store_n(&load.stops, true, __ATOMIC_RELAXED);
    for (int i = 0; i < PAIRS; i++)
        for (int end = 0; end < 2; end++)
            assert_int_equal(edo_block_on(load.runtime, join, .task = load.tasks[i][end]), 0);
    assert_int_equal(edo_block_on(load.runtime, join, .task = load.worker), 0);
    assert_int_equal(edo_block_on(load.runtime, join, .task = load.connecter), 0);
    edo_task_cancel(load.accepter);
    assert_int_equal(edo_block_on(load.runtime, join, .task = load.accepter), 0);
    close_streams();
    assert_int_equal(edo_runtime_destroy(load.runtime), 0);
    load.stops = false;
}

static inline void close_inherited(void *arg)
{
    (void)arg;
    alarm(CHILD_PATIENCE);
    edo_task_cancel(load.tasks[0][0]);
    close_streams();
    assert_int_equal(edo_runtime_destroy(load.runtime), 0);
}

static inline void destroy_first(void *arg)
{
    (void)arg;
    alarm(CHILD_PATIENCE);
    assert_int_equal(edo_runtime_destroy(load.runtime), 0);
    close_streams();
}

/* Makes a runtime of the child. The new runtime enters the list of runtimes that the parent
 * used. */
static inline void make_own(void *arg)
{
    edo_runtime *own = make_runtime();
    assert_int_equal(edo_block_on(own, answer, .result = 3), 3);
    close_inherited(arg);
    assert_int_equal(edo_runtime_destroy(own), 0);
}

/* Whether the child has hung in a build in which that may be the fault of AddressSanitizer: a thread
 * of the parent can hold a lock of its allocator at the fork. In other builds, a child that hangs
 * has found a lock of edo. */
static inline bool is_inconclusive(int status)
{
    return EDO__ASAN && WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
}

static inline void fork_once(int i)
{
    static child_fn *const children[] = { close_inherited, destroy_first, make_own };
    int status = await_child(start_child_at_once(children[i % 3], NULL));
    if (is_inconclusive(status)) return;
    if (status) fail_msg("child %d ended with status %#x", i, (unsigned)status);
}
