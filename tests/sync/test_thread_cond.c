/* edo-test: once. The condition variable for plain threads. */
#include "support/support.h"

#include <sched.h>

#include <edo/edo.h>

#include "base/atomic.h"

enum { THREADS = 4, ITEMS = 20000, ROUNDS = 3000, ROOM = 4 };

static edo_thread_mutex mutex = EDO_THREAD_MUTEX_INIT;
static edo_thread_cond cond = EDO_THREAD_COND_INIT, other = EDO_THREAD_COND_INIT;

/* ---- a bounded queue ---- */

static struct {
    unsigned count, put, taken;
} queue;

static void produce(void)
{
    for (unsigned i = 0; i < ITEMS; i++) {
        edo_thread_mutex_lock(&mutex);
        while (queue.count == ROOM)
            edo_thread_cond_wait(&other, &mutex);
        queue.count++;
        queue.put++;
        edo_thread_mutex_unlock(&mutex);
        edo_thread_cond_notify_one(&cond);
    }
}

static void consume(void)
{
    for (unsigned i = 0; i < ITEMS; i++) {
        edo_thread_mutex_lock(&mutex);
        while (queue.count == 0)
            edo_thread_cond_wait(&cond, &mutex);
        queue.count--;
        queue.taken++;
        edo_thread_cond_notify_one(&other);
        edo_thread_mutex_unlock(&mutex);
    }
}

static void produce_or_consume(unsigned index, void *arg)
{
    (void)arg;
    if (index % 2)
        produce();
    else
        consume();
}

test(producers_and_consumers)
{
    run_threads(THREADS, produce_or_consume, NULL);
    assert_int_equal(queue.put, THREADS / 2 * ITEMS);
    assert_int_equal(queue.taken, THREADS / 2 * ITEMS);
    assert_int_equal(cond.waiters, 0);
    assert_int_equal(other.waiters, 0);
    assert_int_equal(mutex.word, 0);
}

/* ---- all, one, none ---- */

static struct {
    unsigned waiting, generation, passed, tokens; // under the mutex
} world;

static void pass_gates(unsigned index, void *arg)
{
    (void)arg;
    for (unsigned round = 1; round <= ROUNDS; round++) {
        edo_thread_mutex_lock(&mutex);
        if (++world.waiting == THREADS) {
            world.waiting = 0;
            world.generation++;
            edo_thread_cond_notify_all(&cond);
        }
        while (world.generation < round)
            edo_thread_cond_wait(&cond, &mutex);
        world.passed++;
        edo_thread_mutex_unlock(&mutex);
    }
    (void)index;
}

test(all_are_notified)
{
    run_threads(THREADS, pass_gates, NULL);
    assert_int_equal(world.passed, THREADS * ROUNDS);
}

static void wait_for_token(void)
{
    edo_thread_mutex_lock(&mutex);
    while (!world.tokens)
        edo_thread_cond_wait(&cond, &mutex);
    world.tokens--;
    edo_thread_mutex_unlock(&mutex);
}

/* The last thread makes a token for each of the others, and one notification per token. */
static void give_tokens(unsigned index, void *arg)
{
    (void)arg;
    if (index < THREADS - 1) {
        wait_for_token();
        return;
    }
    while (edo_load_relaxed(&cond.waiters) != THREADS - 1)
        sched_yield();
    for (unsigned i = 0; i < THREADS - 1; i++) {
        edo_thread_mutex_lock(&mutex);
        world.tokens++;
        edo_thread_mutex_unlock(&mutex);
        edo_thread_cond_notify_one(&cond);
    }
}

test(one_notification_per_waiter)
{
    run_threads(THREADS, give_tokens, NULL);
    assert_int_equal(world.tokens, 0);
    assert_int_equal(cond.waiters, 0);
}

test(nobody_waits)
{
    edo_thread_cond fresh = EDO_THREAD_COND_INIT;
    edo_thread_cond_notify_one(&fresh);
    edo_thread_cond_notify_all(&fresh);
    assert_int_equal(fresh.sequence, 0);
    assert_int_equal(sizeof fresh, 8);
}

/* ---- limits ---- */

test(a_limit_passes_and_the_mutex_is_locked)
{
    edo_thread_mutex_lock(&mutex);
    assert_int_equal(edo_thread_cond_wait_until(&cond, &mutex, 0), -ETIMEDOUT);
    int64_t deadline = edo_now() + edo_ms(2);
    while (edo_thread_cond_wait_until(&cond, &mutex, deadline) == 0) // a spurious wake
        ;
    assert_true(edo_now() >= deadline);
    assert_int_not_equal(mutex.word, 0);
    edo_thread_mutex_unlock(&mutex);
    assert_int_equal(cond.waiters, 0);
}

static void notify_or_wait(unsigned index, void *arg)
{
    (void)arg;
    edo_thread_mutex_lock(&mutex);
    if (index) {
        world.tokens = 1;
        edo_thread_cond_notify_one(&cond);
    } else {
        while (!world.tokens)
            assert_int_equal(edo_thread_cond_wait_until(&cond, &mutex, EDO_NEVER - 1), 0);
    }
    edo_thread_mutex_unlock(&mutex);
}

test(notified_before_the_limit)
{
    for (unsigned i = 0; i < 100; i++) {
        world.tokens = 0;
        run_threads(2, notify_or_wait, NULL);
    }
}

/* A thread that times out loses no notification of a token: the others test for tokens. */
static void take_with_limits(unsigned index, void *arg)
{
    (void)arg;
    test_random random = test_random_make(index);
    for (unsigned i = 0; i < ROUNDS; i++) {
        edo_thread_mutex_lock(&mutex);
        if (index % 2) {
            world.tokens++;
            edo_thread_mutex_unlock(&mutex);
            edo_thread_cond_notify_one(&cond);
            continue;
        }
        int64_t deadline = edo_now() + (int64_t)test_random_below(&random, 20000);
        int rc = 0;
        while (!world.tokens && rc == 0)
            rc = edo_thread_cond_wait_until(&cond, &mutex, deadline);
        if (world.tokens) world.tokens--;
        edo_thread_mutex_unlock(&mutex);
    }
}

test(limits_beside_notifications)
{
    world.tokens = 0;
    run_threads(THREADS, take_with_limits, NULL);
    assert_int_equal(cond.waiters, 0);
    assert_int_equal(mutex.word, 0);
}
