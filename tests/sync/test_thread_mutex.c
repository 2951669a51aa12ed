/* edo-test: once. The mutex for plain threads: exclusion, sleeping and waking, limits, forks. */
#include "support/support.h"

#include <sched.h>
#include <unistd.h>

#include <edo/edo.h>

#include "base/atomic.h"

enum { THREADS = 4, ROUNDS = 20000, GAME_ROUNDS = 2000, CHILD_PATIENCE = 30, SECONDS = 3 };

static edo_thread_mutex mutex = EDO_THREAD_MUTEX_INIT;
static uint64_t low, high;           // under the mutex: always equal
static edo_atomic(uint64_t) counted; // rounds of all threads

test(four_bytes)
{
    assert_int_equal(sizeof(edo_thread_mutex), 4);
    edo_thread_mutex zero = { 0 };
    edo_thread_mutex_lock(&zero);
    edo_thread_mutex_unlock(&zero);
    assert_int_equal(zero.word, 0);
}

static void count_up(unsigned index, void *arg)
{
    (void)arg;
    unsigned i = 0;
    for (int64_t end = rounds_end(SECONDS); i < ROUNDS && !is_late(end); i++) {
        edo_thread_mutex_lock(&mutex);
        low++;
        if (i % 64 == index) sched_yield(); // so that others find a holder that does not run
        high++;
        edo_thread_mutex_unlock(&mutex);
    }
    edo_add_relaxed(&counted, i);
}

test(exclusion)
{
    low = high = counted = 0;
    run_threads(THREADS, count_up, NULL);
    assert_int_equal(low, counted);
    assert_int_equal(high, counted);
    assert_int_equal(mutex.word, 0);
}

struct game {
    unsigned turn;
    bool over;
};

static void play(unsigned index, void *game_)
{
    struct game *game = game_;
    int64_t end = rounds_end(SECONDS);
    for (bool over = false; !over;) {
        edo_thread_mutex_lock(&mutex);
        bool mine = game->turn % 2 == index;
        game->turn += mine;
        game->over |= game->turn == 2 * GAME_ROUNDS || is_late(end);
        over = game->over;
        edo_thread_mutex_unlock(&mutex);
        if (!mine) sched_yield();
    }
}

test(no_sleeper_is_forgotten)
{
    struct game game = { 0 };
    run_threads(2, play, &game);
    assert_true(game.over);
    assert_int_equal(mutex.word, 0);
}

/* ---- without a wait ---- */

static void expect_busy(unsigned index, void *arg)
{
    (void)index;
    (void)arg;
    assert_int_equal(edo_thread_mutex_try_lock(&mutex), -EAGAIN);
    assert_int_equal(edo_thread_mutex_lock_until(&mutex, 0), -ETIMEDOUT);
}

test(try_lock)
{
    assert_int_equal(edo_thread_mutex_try_lock(&mutex), 0);
    run_threads(1, expect_busy, NULL);
    edo_thread_mutex_unlock(&mutex);
    assert_int_equal(mutex.word, 0);
    assert_int_equal(edo_thread_mutex_try_lock(&mutex), 0);
    edo_thread_mutex_unlock(&mutex);
}

static void unlock_free(void *arg)
{
    (void)arg;
    edo_thread_mutex_unlock(&mutex);
}

test(unlock_of_a_free_one_aborts)
{
    expect_abort(unlock_free, NULL, "edo_thread_mutex_unlock: .*test_thread_mutex.c:");
}

/* ---- limits ---- */

test(a_passed_moment_takes_what_is_free)
{
    assert_int_equal(edo_thread_mutex_lock_until(&mutex, 0), 0);
    edo_thread_mutex_unlock(&mutex);
    assert_int_equal(edo_thread_mutex_lock_until(&mutex, EDO_NEVER), 0);
    edo_thread_mutex_unlock(&mutex);
}

static void wait_a_moment(unsigned index, void *arg)
{
    (void)index;
    (void)arg;
    int64_t deadline = edo_now() + edo_ms(2);
    assert_int_equal(edo_thread_mutex_lock_until(&mutex, deadline), -ETIMEDOUT);
    assert_true(edo_now() >= deadline);
}

test(a_limit_is_not_early)
{
    edo_thread_mutex_lock(&mutex);
    run_threads(2, wait_a_moment, NULL);
    edo_thread_mutex_unlock(&mutex);
    assert_int_equal(mutex.word, 0);
}

/* Some threads time out at the moment of their wake: the wake must reach another thread. */
struct locked {
    uint64_t all;                   // under the mutex
    edo_atomic(uint64_t) unlimited; // locks without a limit
};

static void lock_with_limits(unsigned index, void *locked_)
{
    struct locked *locked = locked_;
    test_random random = test_random_make(index);
    int64_t end = rounds_end(SECONDS);
    for (unsigned i = 0; i < GAME_ROUNDS && !is_late(end); i++) {
        bool limited = index % 2 && test_random_below(&random, 2);
        int64_t deadline = edo_now() + (int64_t)test_random_below(&random, 20000);
        int rc = 0;
        if (limited)
            rc = edo_thread_mutex_lock_until(&mutex, deadline);
        else
            edo_thread_mutex_lock(&mutex);
        if (rc < 0) continue;
        locked->all++;
        if (!limited) edo_add_relaxed(&locked->unlimited, 1);
        if (test_random_below(&random, 4) == 0) sched_yield();
        edo_thread_mutex_unlock(&mutex);
    }
}

test(limits_among_waiters)
{
    struct locked locked = { 0 };
    run_threads(THREADS, lock_with_limits, &locked);
    assert_true(locked.unlimited > 0 && locked.all >= locked.unlimited);
    edo_thread_mutex_lock(&mutex);
    edo_thread_mutex_unlock(&mutex);
    assert_int_equal(mutex.word, 0);
}

/* ---- fork ---- */

static void unlock_in_child(void *arg)
{
    (void)arg;
    alarm(CHILD_PATIENCE);
    assert_int_equal(edo_thread_mutex_try_lock(&mutex), -EAGAIN);
    edo_thread_mutex_unlock(&mutex);
    edo_thread_mutex_lock(&mutex);
    edo_thread_mutex_unlock(&mutex);
    assert_int_equal(mutex.word, 0);
}

test(a_child_has_what_the_forking_thread_held)
{
    edo_thread_mutex_lock(&mutex);
    expect_success_in_child(unlock_in_child, NULL);
    edo_thread_mutex_unlock(&mutex);
}

static struct {
    edo_thread_mutex theirs;
    uint32_t step; // atomic: 1 locked, 2 forked
} parent;

static void expect_locked_for_ever(void *arg)
{
    (void)arg;
    assert_int_equal(edo_thread_mutex_try_lock(&parent.theirs), -EAGAIN);
}

static void hold_during_fork(unsigned index, void *arg)
{
    (void)arg;
    if (index == 0) {
        edo_thread_mutex_lock(&parent.theirs);
        edo_store_release(&parent.step, 1);
        while (edo_load_acquire(&parent.step) != 2)
            sched_yield();
        edo_thread_mutex_unlock(&parent.theirs);
        return;
    }
    while (edo_load_acquire(&parent.step) != 1)
        sched_yield();
    expect_success_in_child(expect_locked_for_ever, NULL);
    edo_store_release(&parent.step, 2);
}

test(what_others_held_stays_locked_in_a_child)
{
    run_threads(2, hold_during_fork, NULL);
}
