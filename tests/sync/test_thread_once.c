/* edo-test: once. The once for plain threads. */
#include "support/support.h"

#include <sched.h>

#include <edo/edo.h>

#include "base/atomic.h"

enum { THREADS = 4, REPEATS = 500 };

static struct {
    edo_thread_once once;
    unsigned calls, value; // plain: the once orders them
    unsigned failures;     // still to come
    uint32_t failed;       // atomic
} world;

static int init(void *context)
{
    assert_ptr_equal(context, &world);
    world.calls++;
    if (world.calls % 2) sched_yield();
    if (world.failures) {
        world.failures--;
        return -EIO;
    }
    world.value = 42;
    return 7; // no failure
}

static void run_once(unsigned index, void *arg)
{
    (void)index;
    (void)arg;
    int rc;
    while ((rc = edo_thread_once_run(&world.once, init, &world)) < 0) {
        assert_int_equal(rc, -EIO);
        edo_add_relaxed(&world.failed, 1);
    }
    assert_int_equal(rc, 0);
    assert_int_equal(world.value, 42);
}

test(once_among_threads)
{
    for (unsigned i = 0; i < REPEATS; i++) {
        world = (typeof(world)){ .once = EDO_THREAD_ONCE_INIT };
        run_threads(THREADS, run_once, NULL);
        assert_int_equal(world.calls, 1);
    }
    assert_int_equal(sizeof world.once, 4);
}

test(a_failure_is_tried_again)
{
    for (unsigned i = 0; i < REPEATS; i++) {
        world = (typeof(world)){ .failures = 2 };
        run_threads(THREADS, run_once, NULL);
        assert_int_equal(world.calls, 3);
        assert_int_equal(world.failed, 2);
    }
}

static int init_while_others_sleep(void *context)
{
    (void)context;
    while (edo_load_relaxed(&world.once.word) != EDO__THREAD_ONCE_AWAITED)
        sched_yield();
    world.value = 42;
    return 0;
}

static void run_slow(unsigned index, void *arg)
{
    (void)index;
    (void)arg;
    assert_int_equal(edo_thread_once_run(&world.once, init_while_others_sleep, NULL), 0);
    assert_int_equal(world.value, 42);
}

test(others_sleep_until_it_is_done)
{
    world = (typeof(world)){ 0 };
    run_threads(THREADS, run_slow, NULL);
    assert_int_equal(world.once.word, EDO__THREAD_ONCE_DONE);
}
