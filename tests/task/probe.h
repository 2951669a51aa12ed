/* Helpers for tests of futures and tasks: a future that the test ends, and functions that wait for
 * it. */
#pragma once

#include "support/support.h"

#include <stdio.h>
#include <string.h>

#include <edo/edo.h>
#include <edo/test.h>

#include "base/lock.h"

/* ---- letting other tasks run ---- */

/* Ready when all other tasks wait: with several workers, when a test clock advances by a
 * nanosecond. */
static inline edo_op settle(void)
{
    return test_workers() > 1 ? edo_sleep(1) : edo_yield();
}

/* ---- gate: waits until the test opens it. Any thread. ---- */

typedef struct gate {
    edo_future base;
    edo__lock lock;
    edo_wakeable *waker; // waker of the last pending poll
    int64_t value;       // result once the gate is open
    bool is_open;
    bool is_stubborn; // like an operation whose buffer the kernel owns: not ended by a cancellation
    edo_fate fate;    // fate in the last poll
    unsigned polls;
} gate;

static inline edo_poll gate_poll(edo_future *future, edo_cx *cx)
{
    gate *g = (gate *)(void *)future;
    edo__lock_take(&g->lock);
    g->polls++;
    g->fate = edo_cx_fate(cx);
    g->waker = edo_cx_waker(cx);
    bool waits = !g->is_open && (g->is_stubborn || g->fate == EDO_LIVE);
    bool ready = !waits && edo_cx_charge(cx);
    if (ready) {
        future->result = g->is_open ? g->value : -ECANCELED;
        g->waker = NULL; // the waker may become invalid now
    }
    edo__lock_give(&g->lock);
    return ready ? EDO_READY : EDO_PENDING;
}

static const edo_future_ops gate_ops = { .name = "gate", .poll = gate_poll };

/* An OWNER, which is polled even if it is cancelled before its first poll. */
static const edo_future_ops stubborn_gate_ops = { .name = "gate",
                                                  .poll = gate_poll,
                                                  .kind = EDO_KIND_OWNER };

static inline gate gate_make(void)
{
    return (gate){ .base.ops = &gate_ops };
}

static inline gate gate_make_open(int64_t value)
{
    return (gate){ .base.ops = &gate_ops, .is_open = true, .value = value };
}

static inline gate gate_make_stubborn(void)
{
    return (gate){ .base.ops = &stubborn_gate_ops, .is_stubborn = true };
}

static inline void gate_open(gate *g, int64_t value)
{
    edo__lock_take(&g->lock);
    g->is_open = true;
    g->value = value;
    if (g->waker) edo_wake(g->waker);
    edo__lock_give(&g->lock);
}

/* ---- messages ---- */

/* Takes a message, unless it was cancelled before. */
struct receive {
    edo_future base;
    int *messages;
};

static inline edo_poll receive_poll(edo_future *future, edo_cx *cx)
{
    struct receive *receive = (struct receive *)(void *)future;
    bool live = edo_cx_fate(cx) == EDO_LIVE;
    if (live && *receive->messages == 0) return EDO_PENDING;
    if (!edo_cx_charge(cx)) return EDO_PENDING;
    if (live) --*receive->messages;
    future->result = live ? 1 : -ECANCELED;
    return EDO_READY;
}

static const edo_future_ops receive_ops = { .name = "receive", .poll = receive_poll };

static inline struct receive receive_make(int *messages)
{
    return (struct receive){ { .ops = &receive_ops }, messages };
}

/* ---- functions that wait at gates ---- */

/* Opens a gate after a number of yields. */
struct opener {
    edo_frame();
    edo_args(struct gate *gate; int64_t value; int after;);
};

edo_async(opener)
{
    edo_body {
        int rc;
        for (; self->after > 0; self->after--)
            edo_await(rc, settle());
        gate_open(self->gate, self->value);
        edo_return(0);
    }
}

/* Waits at a gate, and answers the gate's result. */
struct passer {
    edo_frame();
    edo_args(struct gate *gate; unsigned *ended;);
};

edo_async(passer)
{
    edo_body {
        int64_t result;
        edo_await_on(result, &self->gate->base);
        if (self->ended) edo_add_relaxed(self->ended, 1);
        edo_return(result);
    }
}

/* Waits at a gate, then cleans up behind a shield, waiting at another gate. */
struct cleaner {
    edo_frame();
    edo_args(struct gate *work, *cleanup; unsigned *ended;);
    int64_t result;
};

edo_async(cleaner)
{
    edo_body {
        int rc;
        edo_await_on(self->result, &self->work->base);
        edo_shield();
        edo_await_on(rc, &self->cleanup->base);
        if (self->ended) edo_add_relaxed(self->ended, 1);
        edo_return(self->result);
    }
}

/* ---- members of scopes ---- */

/* Sleeps, then answers. */
struct member {
    edo_frame();
    edo_args(int64_t duration, answer; unsigned *ended;);
};

edo_async(member)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(self->duration));
        if (self->ended) edo_add_relaxed(self->ended, 1);
        edo_return(rc < 0 ? rc : self->answer);
    }
}

/* ---- tests that count polls ---- */

/* Runs a test with the test clock and without a time slice, which a poll could exceed on a busy
 * machine. */
#define run_unhurried(fn) run_site_unhurried(edo__site_of(fn))

static inline void run_site_unhurried(const edo_site *site)
{
    edo_runtime *runtime;
    edo_config config = { .test_clock = true, .time_slice = EDO_NEVER, .seed = 1 };
    assert_int_equal(create_runtime(&config, &runtime), 0);
    assert_int_equal(edo__block_on(runtime, site, ""), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- backtraces as text ---- */

enum { TRACE_SIZE = 1024 };

static inline void append_trace_line(void *text, const edo_trace_line *line)
{
    size_t used = strlen(text);
    snprintf((char *)text + used, TRACE_SIZE - used, "%*s%s\n", line->depth, "", line->name);
}
