/* edo-test: once. The lock: exclusion, sleeping and waking. */
#include "support/support.h"

#include <sched.h>
#include <unistd.h>

#include "base/lock.h"
#include "sys/sys.h"

enum { THREADS = 4, ROUNDS = 20000, CHILD_PATIENCE = 30, SECONDS = 3 };

static struct guarded {
    edo__lock lock;
    uint64_t low, high;          // guarded by the lock; always equal
    edo_atomic(uint64_t) rounds; // of all threads
} guarded;

static void count_up(unsigned index, void *arg)
{
    (void)arg;
    unsigned i = 0;
    for (int64_t end = rounds_end(SECONDS); i < ROUNDS && !is_late(end); i++) {
        edo__lock_take(&guarded.lock);
        guarded.low++;
        if (i % THREADS == index) sched_yield(); // so that other threads find the lock taken
        guarded.high++;
        edo__lock_give(&guarded.lock);
    }
    edo_add_relaxed(&guarded.rounds, i);
}

test(exclusion)
{
    guarded = (struct guarded){ 0 };
    run_threads(THREADS, count_up, NULL);
    assert_int_equal(guarded.low, guarded.rounds);
    assert_int_equal(guarded.high, guarded.rounds);
    assert_int_equal(guarded.lock, 0);
}

test(free_again_after_use)
{
    edo__lock lock = 0;
    edo__lock_take(&lock);
    assert_int_not_equal(lock, 0);
    edo__lock_give(&lock);
    assert_int_equal(lock, 0);
}

/* Two threads take turns; each sleeps in the lock while the other holds it. */
static struct {
    edo__lock lock;
    unsigned turn;
    bool over;
} game;

static void play(unsigned index, void *arg)
{
    (void)arg;
    int64_t end = rounds_end(SECONDS);
    for (bool over = false; !over; sched_yield()) {
        edo__lock_take(&game.lock);
        if (game.turn % 2 == index) game.turn++;
        game.over |= game.turn == ROUNDS / 5 || is_late(end);
        over = game.over;
        edo__lock_give(&game.lock);
    }
}

test(no_sleeper_is_forgotten)
{
    run_threads(2, play, NULL);
    assert_true(game.over);
    assert_int_equal(game.lock, 0);
}

/* ---- fork ---- */

static void take_locks_of_the_parent(void *arg)
{
    (void)arg;
    alarm(CHILD_PATIENCE);
    for (unsigned round = 0; round < 2;
         round++) { // in the second round the locks belong to the child
        edo__lock_take(&guarded.lock);
        guarded.low++;
        edo__lock_give(&guarded.lock);
    }
    edo__lock_take(&game.lock);
    edo__lock_give(&game.lock);
    assert_int_equal(guarded.low, 2);
    assert_int_equal(guarded.lock, 0);
#ifndef __SANITIZE_THREAD__ // ThreadSanitizer: no new threads in the child of a fork
    run_threads(THREADS, count_up, NULL);
#endif
}

static void sleep_for_lock(unsigned index, void *arg)
{
    (void)arg;
    if (index == 0) {
        edo__lock_take(&game.lock);
        edo__lock_give(&game.lock);
        return;
    }
    while ((edo_load_relaxed(&game.lock) & 1) == 0) // until the other thread sleeps
        sched_yield();
    expect_success_in_child(take_locks_of_the_parent, NULL);
    edo__lock_give(&game.lock);
}

/* Locks whose holder does not exist in the child: one is taken, the other also has a sleeper. */
test(locks_of_a_parent)
{
    assert_true(edo__sys_fork_generation() > 0);
    guarded = (struct guarded){ 0 };
    edo__lock_take(&guarded.lock);
    edo__lock_take(&game.lock);
    run_threads(2, sleep_for_lock, NULL);
    edo__lock_give(&guarded.lock);
}
