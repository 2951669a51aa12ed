/* Helpers for tests of the runtime: a fixture that detects leaks, and a future that any thread can
 * make ready. */
#pragma once

#include "support/support.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

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

/* Defines a test that must not leak. */
#define clean_test(name)                                                                           \
    fixture(set_up, tear_down)                                                                     \
    test(name)

static inline edo_runtime *make_runtime_with(const edo_config *config)
{
    edo_runtime *runtime;
    assert_int_equal(create_runtime(config, &runtime), 0);
    return runtime;
}

static inline edo_runtime *make_runtime(void)
{
    return make_runtime_with(NULL);
}

/* An assertion for other threads, where cmocka's assertions do not work. A failure ends the
 * process. */
static inline void insist_at(bool condition, const char *what, int line)
{
    if (condition) return;
    fprintf(stderr, "line %d: %s\n", line, what);
    abort();
}
#define insist(condition) insist_at((condition), #condition, __LINE__)

/* ---- out of descriptors; for children ---- */

enum { MAX_MORE = 63 }; // enough for eight workers

static inline void limit_descriptors_at(rlim_t first_denied)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = first_denied < limit.rlim_max ? first_denied : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* Limits the number of further descriptors. */
static inline void allow_descriptors(unsigned more)
{
    int fds[MAX_MORE + 1];
    for (unsigned i = 0; i <= more; i++) {
        fds[i] = dup(STDERR_FILENO); // the lowest free number
        assert_true(fds[i] >= 0);
    }
    for (unsigned i = 0; i <= more; i++)
        close(fds[i]);
    limit_descriptors_at((rlim_t)fds[more]);
}

static inline void allow_all_descriptors(void)
{
    limit_descriptors_at(RLIM_INFINITY);
}

/* ---- a flag: set once, by any thread; waited for by one task ---- */

typedef struct flag {
    edo_future base;
    pthread_mutex_t lock;
    edo_wakeable *waker; // counted
    bool is_set;
} flag;

static inline edo_poll flag_poll(edo_future *future, edo_cx *cx)
{
    flag *f = (flag *)(void *)future;
    edo_wakeable *old = NULL;
    pthread_mutex_lock(&f->lock);
    bool ends = f->is_set || edo_cx_fate(cx) != EDO_LIVE;
    if (ends && edo_cx_charge(cx)) {
        future->result = f->is_set ? 0 : -ECANCELED;
        old = f->waker;
        f->waker = NULL;
    } else {
        ends = false;
        if (!f->waker) f->waker = edo_waker_ref(edo_cx_waker(cx));
    }
    pthread_mutex_unlock(&f->lock);
    edo_waker_unref(old);
    return ends ? EDO_READY : EDO_PENDING;
}

static const edo_future_ops flag_ops = { .name = "flag", .poll = flag_poll };

static inline void flag_init(flag *f)
{
    *f = (flag){ .base.ops = &flag_ops };
    pthread_mutex_init(&f->lock, NULL);
}

/* Any thread. */
static inline void flag_set(flag *f)
{
    pthread_mutex_lock(&f->lock);
    edo_wakeable *waker = f->waker;
    f->waker = NULL;
    f->is_set = true;
    pthread_mutex_unlock(&f->lock);
    if (waker) edo_wake(waker);
    edo_waker_unref(waker);
}

/* ---- functions ---- */

/* Returns its argument at once. */
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

/* Waits for ever, in spite of cancellation and abort. */
struct stubborn {
    edo_future base;
};

static inline edo_poll stubborn_poll(edo_future *future, edo_cx *cx)
{
    (void)future;
    (void)cx;
    return EDO_PENDING;
}

static const edo_future_ops stubborn_ops = { .name = "stubborn",
                                             .poll = stubborn_poll,
                                             .kind = EDO_KIND_OWNER };

struct wait_for_flag {
    edo_frame();
    edo_args(struct flag *flag;);
};

edo_async(wait_for_flag)
{
    edo_body {
        int rc;
        edo_await_on(rc, &self->flag->base);
        edo_return(rc);
    }
}
