/* Shared parts of the tests of mpsc and mpmc channels: channels of words, of every kind. */
#pragma once

#include "sync/steps.h"

#include <stdlib.h>

typedef edo_sender(int64_t) word_sender;
typedef edo_receiver(int64_t) word_receiver;
typedef edo_weak_sender(int64_t) word_weak;
typedef edo_permits(int64_t) word_permits;

typedef struct words {
    word_sender in;
    word_receiver out;
} words;

enum { SMALL = 4 }; // places

typedef enum channel_kind { MPSC, MPMC, MPSC_UNBOUNDED, MPMC_UNBOUNDED } channel_kind;

static inline words make_words(channel_kind kind, size_t capacity)
{
    words w = { { NULL }, { NULL } };
    int rc;
    switch (kind) {
    case MPSC: rc = edo_mpsc_create(&w.in, &w.out, capacity); break;
    case MPMC: rc = edo_mpmc_create(&w.in, &w.out, capacity); break;
    case MPSC_UNBOUNDED: rc = edo_mpsc_create_unbounded(&w.in, &w.out); break;
    default: rc = edo_mpmc_create_unbounded(&w.in, &w.out); break;
    }
    assert_int_equal(rc, 0);
    return w;
}

static inline void close_words(words *w)
{
    edo_sender_close(&w->in);
    edo_receiver_close(&w->out);
}

/* Sends first .. last without waiting. */
static inline void put_range(words *w, int64_t first, int64_t last)
{
    for (int64_t i = first; i <= last; i++)
        assert_int_equal(edo_try_send(&w->in, &i), 0);
}

static inline void expect_range(words *w, int64_t first, int64_t last)
{
    for (int64_t i = first, value; i <= last; i++) {
        assert_int_equal(edo_try_recv(&w->out, &value), 1);
        assert_int_equal(value, i);
    }
}

/* Results of edo_try_recv() other than 1. */
static inline void expect_none(words *w, int64_t why)
{
    int64_t value = -1;
    assert_int_equal(edo_try_recv(&w->out, &value), why);
    assert_int_equal(value, -1);
}

/* Defines a test for each kind; a block follows, in which `kind` is one. */
#define test_each(fn)                                                                              \
    static void fn##_of(channel_kind kind);                                                        \
    test(fn##_mpsc)                                                                                \
    {                                                                                              \
        fn##_of(MPSC);                                                                             \
    }                                                                                              \
    test(fn##_mpmc)                                                                                \
    {                                                                                              \
        fn##_of(MPMC);                                                                             \
    }                                                                                              \
    test(fn##_mpsc_unbounded)                                                                      \
    {                                                                                              \
        fn##_of(MPSC_UNBOUNDED);                                                                   \
    }                                                                                              \
    test(fn##_mpmc_unbounded)                                                                      \
    {                                                                                              \
        fn##_of(MPMC_UNBOUNDED);                                                                   \
    }                                                                                              \
    static void fn##_of(channel_kind kind)

/* The same for the bounded kinds. */
#define test_bounded(fn)                                                                           \
    static void fn##_of(channel_kind kind);                                                        \
    test(fn##_mpsc)                                                                                \
    {                                                                                              \
        fn##_of(MPSC);                                                                             \
    }                                                                                              \
    test(fn##_mpmc)                                                                                \
    {                                                                                              \
        fn##_of(MPMC);                                                                             \
    }                                                                                              \
    static void fn##_of(channel_kind kind)

/* ---- tasks ---- */

/* Sends a value, and notes the result. */
struct word_sends {
    edo_frame();
    edo_args(word_sender in; int64_t value; int64_t *ret_result; unsigned *ended;);
};

edo_async(word_sends)
{
    edo_body {
        int64_t rc;
        edo_await(rc, edo_send(&self->in, &self->value));
        edo_sender_close(&self->in);
        if (self->ret_result) *self->ret_result = rc;
        if (self->ended) edo_add_relaxed(self->ended, 1);
        edo_return(rc);
    }
}

/* Receives a value. Result: the value, or that of the receive if there was none. */
struct word_receives {
    edo_frame();
    edo_args(const word_receiver *out; unsigned *ended;);
    int64_t value;
};

edo_async(word_receives)
{
    edo_body {
        int64_t rc;
        edo_await(rc, edo_recv(self->out, &self->value));
        if (self->ended) edo_add_relaxed(self->ended, 1);
        edo_return(rc == 1 ? self->value : rc);
    }
}

/* Reserves places, and sends into them, or releases them. */
struct word_reserves {
    edo_frame();
    edo_args(word_sender in; size_t count; unsigned *ended; bool releases;);
    word_permits permits;
    int64_t value;
};

edo_async(word_reserves)
{
    edo_body {
        int64_t rc;
        edo_await(rc, edo_reserve(&self->in, &self->permits, self->count));
        if (self->ended) edo_add_relaxed(self->ended, 1);
        if (rc == 0 && self->releases) edo_permits_release(&self->permits);
        for (self->value = 1; rc == 0 && edo_permits_count(&self->permits); self->value++)
            rc = edo_permits_send(&self->permits, &self->value);
        edo_sender_close(&self->in);
        edo_return(rc);
    }
}
