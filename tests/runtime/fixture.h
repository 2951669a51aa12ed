/* What the tests of the runtime share: a fixture that sees every leak, and a future that any thread
 * can make ready. */
#pragma once

#include "support/support.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <edo/edo.h>
#include <edo/test.h>

/* ---- nothing leaks: neither memory nor descriptors ---- */

static size_t descriptors_before;

static inline int set_up(void **state)
{
    (void)state;
    descriptors_before = open_descriptors();
    test_allocator_install();
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    test_allocator_remove();
    assert_int_equal(open_descriptors(), descriptors_before);
    return 0;
}

#define clean_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static inline edo_runtime *make_runtime_with(const edo_config *config)
{
    edo_runtime *runtime;
    assert_int_equal(edo_runtime_create(config, &runtime), 0);
    return runtime;
}

static inline edo_runtime *make_runtime(void)
{
    return make_runtime_with(NULL);
}

/* Ends the process where cmocka's assertions do not work: on other threads. */
static inline void insist_at(bool condition, const char *what, int line)
{
    if (condition) return;
    fprintf(stderr, "line %d: %s\n", line, what);
    abort();
}
#define insist(condition) insist_at((condition), #condition, __LINE__)

/* ---- an event: set once, by any thread; waited for by one task ---- */

typedef struct event {
    edo_future base;
    pthread_mutex_t lock;
    edo_wakeable *waker; // counted
    bool is_set;
} event;

static inline edo_poll event_poll(edo_future *future, edo_cx *cx)
{
    event *e = (event *)(void *)future;
    edo_wakeable *old = NULL;
    pthread_mutex_lock(&e->lock);
    bool ends = e->is_set || edo_cx_fate(cx) != EDO_LIVE;
    if (ends && edo_cx_charge(cx)) {
        future->result = e->is_set ? 0 : -ECANCELED;
        old = e->waker;
        e->waker = NULL;
    } else {
        ends = false;
        if (!e->waker) e->waker = edo_waker_ref(edo_cx_waker(cx));
    }
    pthread_mutex_unlock(&e->lock);
    edo_waker_unref(old);
    return ends ? EDO_READY : EDO_PENDING;
}

static const edo_future_ops event_ops = { .name = "event", .poll = event_poll };

static inline void event_init(event *e)
{
    *e = (event){ .base.ops = &event_ops };
    pthread_mutex_init(&e->lock, NULL);
}

/* Any thread. */
static inline void event_set(event *e)
{
    pthread_mutex_lock(&e->lock);
    edo_wakeable *waker = e->waker;
    e->waker = NULL;
    e->is_set = true;
    pthread_mutex_unlock(&e->lock);
    if (waker) edo_wake(waker);
    edo_waker_unref(waker);
}

/* ---- functions ---- */

/* Answers its argument at once. */
struct answer {
    edo_frame();
    edo_args(int64_t result;);
};

edo_async(answer)
{
    edo_body {
        edo_return(self->result);
    }
}

/* Waits for ever, unless it is cancelled. */
struct wait_forever {
    edo_frame();
    edo_args();
};

edo_async(wait_forever)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(EDO_NEVER));
        edo_return(rc);
    }
}

/* Waits for ever, whatever it is asked. */
struct stubborn {
    edo_future base;
};

static inline edo_poll stubborn_poll(edo_future *future, edo_cx *cx)
{
    (void)future;
    (void)cx;
    return EDO_PENDING;
}

static const edo_future_ops stubborn_ops = { .name = "stubborn", .poll = stubborn_poll };
