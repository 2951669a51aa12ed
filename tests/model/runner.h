/* Operations of a model's thread without a runtime: it polls them itself, and sleeps in between. */
#pragma once

#include <string.h>

#include "model/fake_sys.h"

#include "task/cx.h"
#include "task/op.h"

typedef struct runner {
    edo_user_wakeable wakeable; // first
    edo_cx cx;
    edo_op op;
    model_event woken;
    uint32_t wakes;
} runner;

static inline void runner_wake(edo_user_wakeable *wakeable)
{
    runner *r = (runner *)(void *)wakeable;
    edo_plain_read(&r->wakes); // it is still there
    model_post(&r->woken);
}

static inline edo_poll runner_poll(runner *r, edo_fate fate)
{
    r->cx.fate = (uint8_t)fate;
    r->cx.budget = 2; // so that no time slice is looked at
    return r->op.base.ops->poll(&r->op.base, &r->cx);
}

/* Makes the operation and polls it once. Returns: whether it is over. */
static inline bool runner_begin(runner *r, edo_op op)
{
    memset(r, 0, sizeof *r);
    edo_plain_write(&r->wakes);
    edo_user_wakeable_init(&r->wakeable, runner_wake);
    r->cx.waker = &r->wakeable.head;
    r->op = op;
    return runner_poll(r, EDO_LIVE) == EDO_READY;
}

/* Polls it whenever it is woken, until it is over. Returns: its result. */
static inline int64_t runner_finish(runner *r)
{
    do {
        model_wait(&r->woken);
    } while (runner_poll(r, EDO_LIVE) == EDO_PENDING);
    edo_plain_write(&r->wakes);
    return r->op.base.result;
}

/* Polls it once more, cancelled. Returns: its result. */
static inline int64_t runner_cancel(runner *r)
{
    model_assert(runner_poll(r, EDO_CANCELLED) == EDO_READY);
    edo_plain_write(&r->wakes);
    return r->op.base.result;
}

/* From the first poll to the last. */
static inline int64_t run_op(runner *r, edo_op op)
{
    return runner_begin(r, op) ? r->op.base.result : runner_finish(r);
}

/* Numbers as arguments of threads. */
#define number(n) ((void *)(intptr_t)(n))

static inline int index_of(const void *argument)
{
    return (int)(intptr_t)argument;
}

/* Changes plain memory that only one thread at a time may access. */
static inline void runner_touch(int *plain)
{
    edo_plain_read(plain);
    edo_plain_write(plain);
    ++*plain;
}

/* A poll, and unless that was enough another one, cancelled. */
static inline int64_t run_op_impatiently(runner *r, edo_op op)
{
    return runner_begin(r, op) ? r->op.base.result : runner_cancel(r);
}
