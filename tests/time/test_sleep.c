/* Sleeping by the real clock: never early, not rounded up, ended by cancellation. */
#include "support/support.h"

#include <stdlib.h>

#include <edo/edo.h>
#include <edo/test.h>

/* ---- never early ---- */

struct nap {
    edo_frame();
    edo_args(int64_t duration;);
    int64_t began;
};

/* Returns: the length of the sleep. */
edo_async(nap)
{
    edo_body {
        int rc;
        self->began = edo_now();
        edo_await(rc, edo_sleep(self->duration));
        if (rc < 0) edo_return(rc);
        edo_return(edo_now() - self->began);
    }
}

static edo_runtime *make_runtime(void)
{
    edo_runtime *runtime;
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    return runtime;
}

test(never_early)
{
    enum { TRIES = 10 };
    static const int64_t durations[] = { 0,      1,      999,     1000,    65535,   65536,  65537,
                                         100000, 999999, 1000000, 1000001, 4194304, 5000000 };
    edo_runtime *runtime = make_runtime();
    for (size_t i = 0; i < ARRAY_LENGTH(durations); i++)
        for (unsigned j = 0; j < TRIES; j++)
            assert_true(edo_block_on(runtime, nap, .duration = durations[i]) >= durations[i]);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* The shortest of many sleeps: a busy machine delays some, a clock of whole milliseconds would
 * delay all. */
test(less_than_a_millisecond)
{
    enum { TRIES = 2000 };
    edo_runtime *runtime = make_runtime();
    int64_t quickest = INT64_MAX;
    for (unsigned i = 0; i < TRIES && quickest >= edo_us(500); i++) {
        int64_t slept = edo_block_on(runtime, nap, .duration = edo_us(100));
        assert_true(slept >= edo_us(100));
        if (slept < quickest) quickest = slept;
    }
    assert_true(quickest < edo_us(500));
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- timer_slack ---- */

static int64_t shortest_nap(int64_t slack, int64_t enough)
{
    enum { TRIES = 2000 };
    int64_t shortest = INT64_MAX;
    edo_runtime *runtime;
    assert_int_equal(create_runtime(&(edo_config){ .timer_slack = slack }, &runtime), 0);
    for (unsigned i = 0; i < TRIES && shortest > enough; i++) {
        int64_t slept = edo_block_on(runtime, nap, .duration = edo_us(200));
        if (slept < shortest) shortest = slept;
    }
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    return shortest;
}

/* The longest of several sleeps, because a slow machine may reach the deadline before the sleep
 * begins. */
test(a_sleep_lasts_as_long_as_the_slack)
{
    enum { TRIES = 20 };
    const int64_t slack = edo_ms(30);
    int64_t longest = 0;
    for (unsigned i = 0; i < TRIES && longest < slack; i++)
        longest = shortest_nap(slack, INT64_MAX - 1);
    assert_true(longest >= slack);
}

test(a_slack_of_nothing_adds_nothing)
{
    assert_true(shortest_nap(1, edo_ms(1)) < edo_ms(1));
}

/* ---- many tasks ---- */

enum { NAPPERS = 500 };

struct nap_until {
    edo_frame();
    edo_args(int64_t when;);
};

edo_async(nap_until)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep_until(self->when));
        edo_return(rc < 0 ? rc : edo_now() >= self->when ? 0 : -ETIME);
    }
}

struct many_naps {
    edo_frame();
    edo_args();
    edo_scope scope;
    test_random random;
};

edo_async(many_naps)
{
    edo_body {
        int rc;
        int64_t when;
        self->random = test_random_make(0);
        edo_scope_open(&self->scope, EDO_SCOPE_FAIL_FAST);
        for (unsigned i = 0; i < NAPPERS; i++) {
            when = edo_now() + (int64_t)test_random_below(&self->random, 20000000); // 20 ms
            rc = edo_scope_spawn(&self->scope, nap_until, .when = when);
            if (rc < 0) abort();
        }
        edo_await(rc, edo_scope_join(&self->scope));
        edo_return(rc);
    }
}

test(many_tasks)
{
    edo_runtime *runtime = make_runtime();
    assert_int_equal(edo_block_on(runtime, many_naps), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* One nap ends per microsecond, over SPAN, beginning at LEAD, when all have been spawned. */
enum { DENSE = 20000 };

#define SPAN edo_us(DENSE)
#define LEAD edo_ms(100)

struct dense_naps {
    edo_frame();
    edo_args();
    edo_scope scope;
    int64_t start;
};

edo_async(dense_naps)
{
    edo_body {
        int rc;
        self->start = edo_now() + LEAD;
        edo_scope_open(&self->scope, EDO_SCOPE_FAIL_FAST);
        for (int i = 0; i < DENSE; i++) {
            rc = edo_scope_spawn(&self->scope, nap_until, .when = self->start + edo_us(i));
            if (rc < 0) abort();
        }
        edo_await(rc, edo_scope_join(&self->scope));
        edo_return(rc);
    }
}

static int64_t sleeps_of_dense_naps(int64_t slack)
{
    edo_runtime *runtime;
    edo_metrics metrics;
    assert_int_equal(create_runtime(&(edo_config){ .timer_slack = slack }, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, dense_naps), 0);
    assert_int_equal(edo_metrics_read(runtime, &metrics), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    return (int64_t)metrics.parks;
}

/* Each sleep lasts the slack at least, however fast the machine is and whatever else it does. */
current_thread_only("workers sleep for other reasons, too")
test(dense_timers_fire_together)
{
    const int64_t slack = edo_us(500);
    assert_true(sleeps_of_dense_naps(slack) <= SPAN / slack + 20); // some before the first one
}

/* A sleep lasts 250 us at least when more than 32 timers have fired since the last one. The least of
 * several runs: the first sleeps may be too short for so many. */
current_thread_only("workers sleep for other reasons, too")
test(dense_timers_are_gathered_by_default)
{
    enum { TRIES = 20 };
    const int64_t most = SPAN / edo_us(250) + 20;
    int64_t least = INT64_MAX;
    for (unsigned i = 0; i < TRIES && least > most; i++) {
        int64_t sleeps = sleeps_of_dense_naps(0);
        if (sleeps < least) least = sleeps;
    }
    assert_true(least <= most);
}

/* ---- cancellation ---- */

static const int64_t far_off[] = { EDO_NEVER, EDO_NEVER - 1, INT64_MAX / 2, 3600000000000 };

async_test(sleep_cancelled, edo_task *task; unsigned i;)
{
    edo_body {
        int64_t rc;
        for (self->i = 0; self->i < ARRAY_LENGTH(far_off); self->i++) {
            rc = edo_clock_auto_advance(false);
            assert_int_equal(rc, 0);
            rc = edo_spawn(&self->task, nap, .duration = far_off[self->i]);
            assert_int_equal(rc, 0);
            edo_await(rc, edo_yield()); // the task sleeps now
            edo_task_cancel(self->task);
            edo_await(rc, edo_join(self->task));
            assert_int_equal(rc, -ECANCELED);
        }
        edo_return(0);
    }
}

/* The deadline and the cancellation come together: the deadline has passed, so the result is not
 * -ECANCELED. */
async_test(sleep_over_when_cancelled, edo_task *task;)
{
    edo_body {
        int64_t rc;
        rc = edo_spawn(&self->task, nap, .duration = edo_s(1));
        assert_int_equal(rc, 0);
        edo_await(rc,
                  edo_sleep(edo_s(1))); // the nap's deadline is not later, so the nap is ready too
        edo_task_cancel(self->task);
        edo_await(rc, edo_join(self->task));
        assert_true(rc == edo_s(1));
        edo_return(0);
    }
}

/* ---- one timer per task: it moves when it must fire earlier, and ends with the task ---- */

async_test(renewed, int64_t began; unsigned i;)
{
    edo_body {
        int rc;
        self->began = edo_now();
        for (self->i = 20; self->i > 0; self->i--) { // each sooner than the one before
            edo_await_for(rc, edo_s(3600 * self->i), edo_yield());
            assert_int_equal(rc, 0);
        }
        edo_await(rc, edo_sleep(edo_ms(1)));
        assert_int_equal(edo_now() - self->began, edo_ms(1));
        edo_await_for(rc, edo_ms(1), edo_yield());
        edo_await(rc, edo_sleep(edo_ms(5))); // the timer fires too early, which costs one poll
        assert_int_equal(edo_now() - self->began, edo_ms(6));
        edo_return(rc);
    }
}

struct ends_armed {
    edo_frame();
    edo_args(int64_t limit;);
};

edo_async(ends_armed)
{
    edo_body {
        int rc;
        edo_await_for(rc, self->limit, edo_yield());
        edo_return(rc);
    }
}

test(ends_with_its_timer_armed)
{
    enum { TASKS = 50 };
    test_allocator_install(); // fills freed memory with garbage
    edo_runtime *runtime = make_runtime();
    edo_spawn_options options = { .runtime = runtime };
    for (int i = 0; i < TASKS; i++)
        assert_int_equal(edo_spawn_with(NULL, &options, ends_armed, .limit = edo_us(i * 50)), 0);
    assert_true(edo_block_on(runtime, nap, .duration = edo_us(TASKS * 50)) >= 0);
    while (turn_runtime(runtime, 0)) // until workers have ended all of them
        continue;
    assert_int_equal(edo_runtime_task_count(runtime), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    test_allocator_remove();
}

/* Deadlines of the context: long past, and the farthest possible. */
struct ends_late {
    edo_frame();
    edo_args();
};

edo_async(ends_late)
{
    edo_body {
        edo_context *context;
        int rc = edo_context_create(&(edo_context_values){ .deadline = INT64_MIN }, &context);
        if (rc < 0) edo_return(rc);
        edo_set_context(context);
        edo_context_unref(context);
        edo_await(rc, edo_yield());
        edo_return(rc);
    }
}

test(ends_long_after_its_limit)
{
    test_allocator_install();
    edo_runtime *runtime = make_runtime();
    edo_spawn_options options = { .runtime = runtime };
    assert_int_equal(edo_spawn_with(NULL, &options, ends_late), 0);
    assert_true(edo_block_on(runtime, nap, .duration = edo_ms(1)) >= 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    test_allocator_remove();
}

/* Last: this thread keeps the runtime of edo_wait(). */
test(from_a_plain_thread)
{
    int64_t began = edo_now();
    assert_int_equal(edo_wait(edo_sleep(edo_ms(2))), 0);
    assert_true(edo_now() - began >= edo_ms(2));
    assert_int_equal(edo_wait(edo_sleep_until(began)), 0);
}
