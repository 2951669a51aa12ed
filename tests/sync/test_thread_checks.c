/* edo-test: once. Reports of the checks of locks for plain threads. */
#include "support/support.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <edo/edo.h>

#include "base/atomic.h"
#include "base/base.h"
#include "sys/sys.h"

enum { THREADS = 4, ROUNDS = 2000, LOCKS = 3, PATIENCE = 30, MANY = 50 };

static edo_thread_mutex mutexes[MANY];
static edo_thread_mutex *const first = &mutexes[0];
static edo_thread_cond cond;
static edo_thread_rwlock rwlock;
static edo_thread_once once;

/* ---- by one thread ---- */

static void lock_twice(void *arg)
{
    (void)arg;
    edo_thread_mutex_lock(first);
    edo_thread_mutex_lock(first);
}

static void read_twice(void *arg)
{
    (void)arg;
    edo_thread_rwlock_read(&rwlock);
    edo_thread_rwlock_read(&rwlock);
}

static void write_while_reading(void *arg)
{
    (void)arg;
    assert_int_equal(edo_thread_rwlock_try_read(&rwlock), 0);
    (void)edo_thread_rwlock_write_until(&rwlock, 0);
}

static int run_again(void *context)
{
    return edo_thread_once_run(&once, run_again, context);
}

static void once_in_itself(void *arg)
{
    (void)edo_thread_once_run(&once, run_again, arg);
}

test(recursion)
{
    expect_abort(lock_twice, NULL,
                 "edo_thread_mutex_lock: recursive, at .*checks.c:[0-9]+: .* locked the mutex at "
                 ".*checks.c:[0-9]+");
    expect_abort(read_twice, NULL, "edo_thread_rwlock_read: recursive, at .*checks.c:[0-9]+");
    expect_abort(write_while_reading, NULL, "edo_thread_rwlock_write_until: recursive");
    expect_abort(once_in_itself, NULL, "edo_thread_once_run: recursive");
}

static void unlock_unheld(void *arg)
{
    (void)arg;
    edo_thread_mutex_unlock(first);
}

static void wait_without_mutex(void *arg)
{
    (void)arg;
    edo_thread_cond_wait(&cond, first);
}

static void unlock_as_writer(void *arg)
{
    (void)arg;
    edo_thread_rwlock_read(&rwlock);
    edo_thread_rwlock_unlock_write(&rwlock);
}

test(unlocking_what_nobody_holds)
{
    expect_abort(unlock_unheld, NULL, "edo_thread_mutex_unlock: at .*checks.c:[0-9]+: .*no thread");
    expect_abort(wait_without_mutex, NULL, "edo_thread_cond_wait: at .*no thread");
    expect_abort(unlock_as_writer, NULL, "edo_thread_rwlock_unlock_write: .*not held for writing");
}

static void hold_many(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < MANY; i++)
        edo_thread_mutex_lock(&mutexes[i]);
    for (unsigned i = 0; i < MANY; i++)
        edo_thread_mutex_unlock(&mutexes[i]);
    edo_thread_mutex_lock(first);
    edo_thread_mutex_unlock(first);
    edo_thread_mutex_unlock(first);
}

test(more_than_can_be_noted)
{
    expect_abort(hold_many, NULL, "edo_thread_mutex_unlock: at .*no thread");
}

/* ---- by several ---- */

static uint32_t step; // atomic

static void await_step(uint32_t number)
{
    while (edo_load_acquire(&step) < number)
        sched_yield();
}

static void unlock_of_other(unsigned index, void *arg)
{
    (void)arg;
    if (index == 0) {
        edo_thread_mutex_lock(first);
        edo_store_release(&step, 1);
        await_step(2); // never
    }
    await_step(1);
    edo_thread_mutex_unlock(first);
}

static void run_unlock_of_other(void *arg)
{
    run_threads(2, unlock_of_other, arg);
}

test(unlocking_what_another_holds)
{
    expect_abort(run_unlock_of_other, NULL,
                 "edo_thread_mutex_unlock: at .*checks.c:[0-9]+: .*another thread has locked it at "
                 ".*checks.c:[0-9]+");
}

static void *hold_until_told(void *arg)
{
    edo_thread_mutex_lock(first);
    edo_store_release(&step, 1);
    await_step(2);
    edo_thread_mutex_unlock(first);
    return arg;
}

static void unlock_in_child(void *arg)
{
    (void)arg;
    edo_thread_mutex_unlock(first);
}

/* The child of a fork has neither the other threads nor their records. */
test(unlocking_what_a_thread_of_the_parent_holds)
{
    pthread_t thread;
    edo_store_release(&step, 0);
    assert_int_equal(pthread_create(&thread, NULL, hold_until_told, NULL), 0);
    await_step(1);
    expect_abort(unlock_in_child, NULL, "edo_thread_mutex_unlock: at .*no thread holds it");
    edo_store_release(&step, 2);
    assert_int_equal(pthread_join(thread, NULL), 0);
    edo_store_release(&step, 0);
}

static void end_while_holding(unsigned index, void *arg)
{
    (void)index;
    (void)arg;
    edo_thread_mutex_lock(first);
}

static void run_end_while_holding(void *arg)
{
    run_threads(1, end_while_holding, arg);
}

test(a_thread_that_ends)
{
    expect_abort(run_end_while_holding, NULL, "a thread ends while it holds the mutex .*checks.c:");
}

/* ---- circles ---- */

/* Each thread locks its own lock, then that of the next thread. */
static void close_circle(unsigned index, void *count_)
{
    const unsigned *count = count_;
    char name[16];
    snprintf(name, sizeof name, "philosopher-%u", index);
    edo__sys_thread_name(name);
    alarm(PATIENCE);
    edo_thread_mutex_lock(&mutexes[index]);
    edo_add_relaxed(&step, 1);
    await_step(*count);
    edo_thread_mutex_lock(&mutexes[(index + 1) % *count]);
}

static void run_circle(void *count_)
{
    run_threads(*(unsigned *)count_, close_circle, count_);
}

test(a_circle_of_threads)
{
    unsigned two = 2, four = THREADS;
    expect_abort(
        run_circle, &two,
        "thread 'philosopher-[01]' \\([0-9]+\\) waits at .*checks.c:[0-9]+ for the mutex that "
        "thread 'philosopher-[01]' \\([0-9]+\\) has locked at .*checks.c:[0-9]+");
    expect_abort(run_circle, &two, "edo_thread_mutex_lock: deadlock: the 2 threads above");
    expect_abort(run_circle, &four, "edo_thread_mutex_lock: deadlock: the 4 threads above");
}

/* A circle through a reader behind a writer: the writer waits for another reader, which waits
 * for the first thread. */
static void close_circle_of_readers(unsigned index, void *arg)
{
    (void)arg;
    alarm(PATIENCE);
    if (index == 0) {
        edo_thread_mutex_lock(first);
        edo_add_relaxed(&step, 1);
        while (!(edo_load_relaxed(&rwlock.word) & EDO__THREAD_WRITERS_WAITING))
            sched_yield();
        edo_thread_rwlock_read(&rwlock);
    } else if (index == 1) {
        await_step(2);
        edo_thread_rwlock_write(&rwlock);
    } else {
        edo_thread_rwlock_read(&rwlock);
        edo_add_relaxed(&step, 1);
        await_step(2);
        edo_thread_mutex_lock(first);
    }
}

static void run_circle_of_readers(void *arg)
{
    run_threads(3, close_circle_of_readers, arg);
}

static int lock_in_once(void *context)
{
    (void)context;
    edo_add_relaxed(&step, 1);
    await_step(2);
    edo_thread_mutex_lock(first);
    return 0;
}

static void close_circle_of_once(unsigned index, void *arg)
{
    alarm(PATIENCE);
    if (index == 0) {
        edo_thread_mutex_lock(first);
        edo_add_relaxed(&step, 1);
        await_step(2);
    }
    (void)edo_thread_once_run(&once, lock_in_once, arg);
}

static void run_circle_of_once(void *arg)
{
    run_threads(2, close_circle_of_once, arg);
}

test(circles_of_other_locks)
{
    expect_abort(run_circle_of_readers, NULL, "deadlock: the [23] threads above");
    expect_abort(run_circle_of_once, NULL, "deadlock: the 2 threads above");
}

/* Waits with limits end: no circle. */
static void close_for_a_while(unsigned index, void *arg)
{
    (void)arg;
    edo_thread_mutex_lock(&mutexes[index]);
    edo_add_relaxed(&step, 1);
    await_step(2);
    int rc = edo_thread_mutex_lock_until(&mutexes[!index], edo_now() + edo_ms(1));
    if (rc == 0) edo_thread_mutex_unlock(&mutexes[!index]);
    edo_thread_mutex_unlock(&mutexes[index]);
}

test(limits_close_no_circle)
{
    edo_store_relaxed(&step, 0);
    run_threads(2, close_for_a_while, NULL);
}

/* Locks in one order make no circle, in any interleaving. */
static void lock_in_order(unsigned index, void *arg)
{
    (void)arg;
    test_random random = test_random_make(index);
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned low = (unsigned)test_random_below(&random, LOCKS);
        unsigned high = low + 1 + (unsigned)test_random_below(&random, LOCKS);
        edo_thread_mutex_lock(&mutexes[low]);
        bool writes = test_random_below(&random, 2);
        edo_thread_mutex_lock(&mutexes[high]);
        if (writes)
            edo_thread_rwlock_write(&rwlock);
        else
            edo_thread_rwlock_read(&rwlock);
        edo_thread_mutex_unlock(&mutexes[low]);
        if (test_random_below(&random, 8) == 0) sched_yield();
        if (writes)
            edo_thread_rwlock_unlock_write(&rwlock);
        else
            edo_thread_rwlock_unlock_read(&rwlock);
        edo_thread_mutex_unlock(&mutexes[high]);
    }
}

test(no_circle_where_there_is_none)
{
    run_threads(THREADS, lock_in_order, NULL);
}

/* ---- forks ---- */

static void close_circle_in_child(void *count)
{
    edo_thread_mutex_unlock(first); // a hold of the forking thread
    run_circle(count);
}

test(records_of_a_parent)
{
    unsigned two = 2;
    edo_store_relaxed(&step, 0);
    edo_thread_mutex_lock(first);
    expect_abort(close_circle_in_child, &two, "deadlock: the 2 threads above");
    edo_thread_mutex_unlock(first);
}

/* ---- polls ---- */

struct forgetful {
    edo_frame();
    edo_args(bool awaits;);
};

edo_async(forgetful)
{
    edo_body {
        int rc = 0;
        edo_thread_mutex_lock(first);
        if (self->awaits) edo_await(rc, edo_yield());
        edo_return(rc);
    }
}

static void run_forgetful(void *awaits)
{
    edo_runtime *runtime;
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    (void)edo_block_on(runtime, forgetful, .awaits = *(bool *)awaits);
}

test(a_task_that_waits_with_a_lock)
{
    if (!EDO_DEBUG) skip();
    bool yes = true, no = false;
    expect_abort(run_forgetful, &yes,
                 "edo_thread_mutex_lock: a poll ended while its thread held the mutex that it had "
                 "locked at .*checks.c:.*forgetful");
    expect_abort(run_forgetful, &no, "a poll ended while its thread held");
}

struct careful {
    edo_frame();
    edo_args(int rounds;);
    int i;
};

edo_async(careful)
{
    edo_body {
        int rc = 0;
        for (self->i = 0; self->i < self->rounds && rc == 0; self->i++) {
            edo_thread_mutex_lock(&mutexes[1]);
            edo_thread_mutex_unlock(&mutexes[1]);
            edo_await(rc, edo_yield());
        }
        edo_return(rc);
    }
}

test(what_the_thread_held_before)
{
    edo_runtime *runtime;
    edo_thread_mutex_lock(first);
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, careful, .rounds = ROUNDS), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    edo_thread_mutex_unlock(first);
}

int main(void)
{
    setenv("EDO_LOCK_TRACE", "1", 1);
    return run_all_tests();
}
