/* Helpers for tests of the io_uring driver: runtimes on the driver, listeners, a thread that
 * turns a runtime, and rings that fail. */
#pragma once

#include "support/streams.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/io.h"
#include "runtime/runtime.h"
#include "driver/uring/uring.h"

enum { SKIPPED = 77 };

static inline edo_runtime *new_runtime(const char *driver)
{
    edo_runtime *runtime;
    edo_config config = { .driver = driver, .test_clock = true };
    assert_int_equal(edo_runtime_create(&config, &runtime), 0);
    return runtime;
}

static inline edo_runtime *new_ring(void)
{
    return new_runtime("io_uring");
}

static inline const struct edo__ring *ring_of(const edo_runtime *runtime)
{
    return &edo__uring_of(runtime->workers[0]->driver)->ring;
}

/* Skips the test on kernels that lack an optional feature. */
static inline void need(bool (*is_there)(const struct edo__ring *ring))
{
    edo_runtime *runtime = new_ring();
    bool there = is_there(ring_of(runtime));
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    if (!there) skip();
}

static inline bool works_only_in_turns(const struct edo__ring *ring)
{
    return ring->setup_flags & IORING_SETUP_DEFER_TASKRUN;
}

static inline bool has_rings(void)
{
    edo_runtime *runtime = new_ring();
    bool has = strcmp(edo_runtime_driver(runtime), "io_uring") == 0;
    edo_runtime_destroy(runtime);
    return has;
}

/* ---- listeners ---- */

/* A listener begins with its source. */
static inline edo__source *source_of(edo_listener *listener)
{
    return (edo__source *)(void *)listener;
}

/* Connects, and sends a number that identifies the connection. */
static inline int connect_as(edo_listener *listener, unsigned number)
{
    int fd = connect_plainly(listener);
    fd_write_all(fd, &number, sizeof number);
    return fd;
}

struct accept_number {
    edo_frame();
    edo_args(edo_listener *listener; unsigned *ret_number;);
    edo_io *conn;
};

edo_async(accept_number)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_accept(self->listener, &self->conn));
        if (n < 0) edo_return(n);
        edo_await(n, edo_read_exact(self->conn, self->ret_number, sizeof *self->ret_number));
        edo_close(self->conn);
        edo_return(n < 0 ? n : 0);
    }
}

struct listen_once {
    edo_frame();
    edo_args(edo_listener **ret_listener;);
    edo_io *conn;
};

edo_async(listen_once)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_tcp_listen("127.0.0.1:0", self->ret_listener));
        assert_int_equal(n, 0);
        edo_await_for(n, edo_ms(1), edo_accept(*self->ret_listener, &self->conn));
        assert_int_equal(n, -ETIMEDOUT);
        edo_return(0);
    }
}

/* ---- a thread that turns a runtime until it is stopped ---- */

static inline void insist_at(bool condition, int line)
{
    if (condition) return;
    fprintf(stderr, "line %d failed\n", line);
    abort();
}
#define insist(condition) insist_at((condition), __LINE__)

typedef struct other_thread {
    pthread_t thread;
    sem_t ready;
    edo_runtime *runtime;
    edo_listener *listener; // listener served by the thread's ring, or NULL
    uint32_t stopped;       // atomic
} other_thread;

static inline void *turn_on(void *arg)
{
    other_thread *other = arg;
    insist(edo_block_on(other->runtime, listen_once, .ret_listener = &other->listener) == 0);
    sem_post(&other->ready);
    while (!edo_load_acquire(&other->stopped))
        insist(edo_turn(other->runtime, edo_s(60)) >= 0);
    insist(edo_runtime_destroy(other->runtime) == 0);
    return NULL;
}

/* The runtime is made by this thread, and turned by the other. */
static inline void start_other(other_thread *other)
{
    *other = (other_thread){ .runtime = edo_runtime_ref(new_ring()) };
    sem_init(&other->ready, 0, 0);
    assert_int_equal(pthread_create(&other->thread, NULL, turn_on, other), 0);
    while (sem_wait(&other->ready) < 0)
        continue;
}

struct nothing {
    edo_frame();
    edo_args();
};

edo_async(nothing)
{
    edo_body {
        edo_return(0);
    }
}

static inline void stop_other(other_thread *other)
{
    edo_store_release(&other->stopped, 1);
    edo_spawn_options options = { .runtime = other->runtime };
    int rc = edo_spawn_with(NULL, &options, nothing); // wakes the thread
    assert_true(rc == 0 || rc == -ESHUTDOWN);         // unless the runtime has already ended
    assert_int_equal(pthread_join(other->thread, NULL), 0);
    edo_runtime_unref(other->runtime);
    sem_destroy(&other->ready);
}

/* ---- a ring whose kernel takes nothing ---- */

static inline edo__uring *driver_of(const edo_runtime *runtime)
{
    return edo__uring_of(runtime->workers[0]->driver);
}

static struct edo__ring broken;

/* Every system call on the ring fails. */
static inline void break_ring(edo__uring *driver)
{
    broken = driver->ring;
    driver->ring.fd = driver->ring.registered = -1;
}

static inline void mend_ring(edo__uring *driver)
{
    driver->ring.fd = broken.fd;
    driver->ring.registered = broken.registered;
}

/* Breaks the ring and prepares SQEs until the queue is full. The SQEs poll a descriptor that is
 * never ready. */
static inline void break_full_ring(edo__uring *driver, int never)
{
    struct io_uring_sqe *sqe;
    break_ring(driver);
    while ((sqe = edo__uring_sqe(driver)))
        edo__sqe_poll(sqe, never, POLLIN);
}

/* ---- operations that another thread polls ---- */

/* Polls an operation once, so that it waits. */
typedef struct begin {
    edo_future base;
    edo_op *op;
} begin;

static inline edo_poll begin_poll(edo_future *future, edo_cx *cx)
{
    begin *self = (begin *)(void *)future;
    insist(edo_poll_future(&self->op->base, cx) == EDO_PENDING);
    return EDO_READY;
}

static const edo_future_ops begin_ops = { .name = "begin", .poll = begin_poll };

struct start_op {
    edo_frame();
    edo_args(edo_op *op; sem_t *begun;);
    begin begin;
};

edo_async(start_op)
{
    edo_body {
        int64_t n;
        self->begin = (begin){ .base.ops = &begin_ops, .op = self->op };
        edo_await_on(n, &self->begin.base);
        sem_post(self->begun);
        edo_return(n);
    }
}

struct end_op {
    edo_frame();
    edo_args(edo_op *op;);
};

edo_async(end_op)
{
    edo_body {
        int64_t n;
        edo_await_on(n, &self->op->base);
        edo_return(n);
    }
}
