/* edo-test: once. The readers-writer lock for plain threads. */
#include "support/support.h"

#include <sched.h>

#include <edo/edo.h>

#include "base/atomic.h"

enum { THREADS = 4, ROUNDS = 10000, SECONDS = 3 };

static edo_thread_rwlock lock = EDO_THREAD_RWLOCK_INIT;
static uint64_t low, high; // written together under the lock

/* ---- exclusion ---- */

static void check_as_reader(void)
{
    assert_true(*(volatile uint64_t *)&low == *(volatile uint64_t *)&high);
}

static void change_as_writer(bool pauses)
{
    low++;
    if (pauses) sched_yield();
    high++;
}

static void read_and_write(unsigned index, void *written_)
{
    uint64_t *written = written_; // atomic
    test_random random = test_random_make(index);
    int64_t end = rounds_end(SECONDS);
    for (unsigned i = 0; i < ROUNDS && !is_late(end); i++) {
        bool pauses = test_random_below(&random, 32) == 0;
        if (test_random_below(&random, 4)) {
            edo_thread_rwlock_read(&lock);
            check_as_reader();
            if (pauses) sched_yield();
            check_as_reader();
            edo_thread_rwlock_unlock_read(&lock);
            continue;
        }
        edo_thread_rwlock_write(&lock);
        change_as_writer(pauses);
        if (pauses) {
            edo_thread_rwlock_downgrade(&lock);
            check_as_reader();
            edo_thread_rwlock_unlock_read(&lock);
        } else {
            edo_thread_rwlock_unlock_write(&lock);
        }
        edo_add_relaxed(written, 1);
    }
}

test(readers_see_whole_writes)
{
    uint64_t written = 0;
    low = high = 0;
    run_threads(THREADS, read_and_write, &written);
    assert_int_equal(low, written);
    assert_int_equal(high, written);
    assert_int_equal(lock.word, 0);
}

/* ---- readers share ---- */

static uint32_t inside; // atomic

static void read_together(unsigned index, void *arg)
{
    (void)index;
    (void)arg;
    edo_thread_rwlock_read(&lock);
    edo_add_relaxed(&inside, 1);
    while (edo_load_relaxed(&inside) != THREADS) // all at once, or it hangs
        sched_yield();
    edo_thread_rwlock_unlock_read(&lock);
}

test(readers_share)
{
    run_threads(THREADS, read_together, NULL);
    assert_int_equal(lock.word, 0);
    assert_int_equal(sizeof lock, 8);
}

static void expect(unsigned index, void *modes)
{
    bool reads = ((const bool *)modes)[0], writes = ((const bool *)modes)[1];
    (void)index;
    assert_int_equal(edo_thread_rwlock_try_read(&lock), reads ? 0 : -EAGAIN);
    if (reads) edo_thread_rwlock_unlock_read(&lock);
    assert_int_equal(edo_thread_rwlock_try_write(&lock), writes ? 0 : -EAGAIN);
    if (writes) edo_thread_rwlock_unlock_write(&lock);
    assert_int_equal(edo_thread_rwlock_read_until(&lock, 0), reads ? 0 : -ETIMEDOUT);
    if (reads) edo_thread_rwlock_unlock_read(&lock);
    assert_int_equal(edo_thread_rwlock_write_until(&lock, 0), writes ? 0 : -ETIMEDOUT);
    if (writes) edo_thread_rwlock_unlock_write(&lock);
}

static void expect_of_others(bool reads, bool writes)
{
    bool modes[] = { reads, writes };
    run_threads(1, expect, modes);
}

test(what_others_may)
{
    expect_of_others(true, true);
    edo_thread_rwlock_read(&lock);
    expect_of_others(true, false);
    edo_thread_rwlock_unlock_read(&lock);
    edo_thread_rwlock_write(&lock);
    expect_of_others(false, false);
    edo_thread_rwlock_downgrade(&lock);
    expect_of_others(true, false);
    edo_thread_rwlock_unlock_read(&lock);
    expect_of_others(true, true);
    assert_int_equal(lock.word, 0);
}

/* ---- writers first ---- */

static uint32_t written, has_read; // atomic

/* Waits until the bits are set in the word. */
static void await_bits(uint32_t bits)
{
    while ((edo_load_relaxed(&lock.word) & bits) != bits)
        sched_yield();
}

/* One thread reads, another waits to write, then the others try. */
static void read_write_read(unsigned index, void *arg)
{
    (void)arg;
    if (index == 0) {
        edo_thread_rwlock_read(&lock);
        edo_store_release(&has_read, 1);
        await_bits(EDO__THREAD_WRITERS_WAITING | EDO__THREAD_READERS_WAITING);
        edo_thread_rwlock_unlock_read(&lock);
    } else if (index == 1) {
        while (!edo_load_acquire(&has_read))
            sched_yield();
        edo_thread_rwlock_write(&lock);
        edo_store_relaxed(&written, 1);
        edo_thread_rwlock_unlock_write(&lock);
    } else {
        while (!(edo_load_relaxed(&lock.word) & EDO__THREAD_WRITERS_WAITING) &&
               !edo_load_relaxed(&written))
            sched_yield();
        edo_thread_rwlock_read(&lock);
        assert_int_equal(edo_load_relaxed(&written), 1);
        edo_thread_rwlock_unlock_read(&lock);
    }
}

test(a_waiting_writer_keeps_readers_out)
{
    run_threads(THREADS, read_write_read, NULL);
    assert_int_equal(lock.word, 0);
}

/* ---- limits ---- */

static void give_up_writing(unsigned index, void *arg)
{
    (void)arg;
    if (index) {
        while (!(edo_load_relaxed(&lock.word) & EDO__THREAD_WRITERS_WAITING) &&
               !edo_load_acquire(&written))
            sched_yield();
        edo_thread_rwlock_read(&lock); // behind the writer while it waits
        edo_thread_rwlock_unlock_read(&lock);
        return;
    }
    int64_t deadline = edo_now() + edo_ms(2);
    assert_int_equal(edo_thread_rwlock_write_until(&lock, deadline), -ETIMEDOUT);
    assert_true(edo_now() >= deadline);
    edo_store_release(&written, 1);
}

test(a_writer_that_gives_up_lets_readers_in)
{
    written = 0;
    edo_thread_rwlock_read(&lock);
    run_threads(3, give_up_writing, NULL);
    expect_of_others(true, false);
    edo_thread_rwlock_unlock_read(&lock);
    assert_int_equal(lock.word, 0);
}

static void lock_with_limits(unsigned index, void *writes_)
{
    uint64_t *writes = writes_; // under the lock
    test_random random = test_random_make(index);
    int64_t end = rounds_end(SECONDS);
    for (unsigned i = 0; i < ROUNDS / 4 && !is_late(end); i++) {
        int64_t deadline = edo_now() + (int64_t)test_random_below(&random, 20000);
        if (index == 0 || test_random_below(&random, 2)) deadline = EDO_NEVER;
        if (test_random_below(&random, 2)) {
            if (edo_thread_rwlock_write_until(&lock, deadline) < 0) continue;
            ++*writes;
            if (test_random_below(&random, 8) == 0) sched_yield();
            edo_thread_rwlock_unlock_write(&lock);
        } else {
            if (edo_thread_rwlock_read_until(&lock, deadline) < 0) continue;
            (void)*(volatile uint64_t *)writes;
            if (test_random_below(&random, 8) == 0) sched_yield();
            edo_thread_rwlock_unlock_read(&lock);
        }
    }
}

test(limits_among_waiters)
{
    uint64_t writes = 0;
    run_threads(2 * THREADS, lock_with_limits, &writes);
    edo_thread_rwlock_write(&lock);
    edo_thread_rwlock_unlock_write(&lock);
    assert_int_equal(lock.word & EDO__THREAD_WRITER, 0);
    expect_of_others(true, true);
}

/* ---- misuse ---- */

static void unlock_read_of_writer(void *arg)
{
    (void)arg;
    edo_thread_rwlock_write(&lock);
    edo_thread_rwlock_unlock_read(&lock);
}

static void unlock_write_of_reader(void *arg)
{
    (void)arg;
    edo_thread_rwlock_read(&lock);
    edo_thread_rwlock_unlock_write(&lock);
}

static void downgrade_free(void *arg)
{
    (void)arg;
    edo_thread_rwlock_downgrade(&lock);
}

static void unlock_free(void *arg)
{
    (void)arg;
    edo_thread_rwlock_unlock_read(&lock);
}

test(unlocking_what_is_not_held_aborts)
{
    expect_abort(unlock_read_of_writer, NULL, "edo_thread_rwlock_unlock_read: .*rwlock.c:");
    expect_abort(unlock_write_of_reader, NULL, "edo_thread_rwlock_unlock_write: .*rwlock.c:");
    expect_abort(downgrade_free, NULL, "edo_thread_rwlock_downgrade: .*rwlock.c:");
    expect_abort(unlock_free, NULL, "edo_thread_rwlock_unlock_read: .*rwlock.c:");
}
