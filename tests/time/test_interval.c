/* Intervals, by the test clock. */
#include "support/support.h"

#include <edo/edo.h>
#include <edo/test.h>

enum { PERIOD = 100 };

/* Ticks at the expected moments after `start`. `busy` time passes before the second tick. */
struct ticks {
    edo_frame();
    edo_args(edo_missed missed; int64_t busy; const int64_t *due; const int64_t *taken;
             unsigned count;);
    edo_interval interval;
    int64_t start, moment;
    unsigned i;
};

edo_async(ticks)
{
    edo_body {
        int rc;
        self->start = edo_now();
        edo_interval_init(&self->interval, PERIOD, self->missed);
        for (self->i = 0; self->i < self->count; self->i++) {
            if (self->i == 1 && self->busy) edo_await(rc, edo_sleep(self->busy));
            edo_await(rc, edo_interval_next(&self->interval, &self->moment));
            assert_int_equal(rc, 1);
            assert_int_equal(self->moment - self->start, self->due[self->i]);
            assert_int_equal(edo_now() - self->start, self->taken[self->i]);
        }
        edo_return(0);
    }
}

async_test(in_time, edo_callees(struct ticks ticks;) int i;)
{
    edo_body {
        static const int64_t due[] = { 100, 200, 300 };
        int rc;
        for (self->i = 0; self->i < 3; self->i++) {
            edo_call(rc, ticks, .missed = (edo_missed)self->i, .due = due, .taken = due,
                     .count = 3);
            assert_int_equal(rc, 0);
        }
        edo_return(0);
    }
}

/* Work of 350 ns after the first tick at 100: the ticks of 200, 300 and 400 are late at 450. */
async_test(missed_ticks, edo_callees(struct ticks ticks;) int i;)
{
    edo_body {
        static const int64_t burst_due[] = { 100, 200, 300, 400, 500, 600 },
                             burst_taken[] = { 100, 450, 450, 450, 500, 600 },
                             delay_due[] = { 100, 200, 550, 650 },
                             delay_taken[] = { 100, 450, 550, 650 },
                             skip_due[] = { 100, 200, 500, 600 },
                             skip_taken[] = { 100, 450, 500, 600 };
        int rc;
        edo_call(rc, ticks, .missed = EDO_MISSED_BURST, .busy = 350, .due = burst_due,
                 .taken = burst_taken, .count = 6);
        assert_int_equal(rc, 0);
        edo_call(rc, ticks, .missed = EDO_MISSED_DELAY, .busy = 350, .due = delay_due,
                 .taken = delay_taken, .count = 4);
        assert_int_equal(rc, 0);
        edo_call(rc, ticks, .missed = EDO_MISSED_SKIP, .busy = 350, .due = skip_due,
                 .taken = skip_taken, .count = 4);
        assert_int_equal(rc, 0);
        edo_return(0);
    }
}

/* A tick that is late by less than a period is not a missed one: the sequence goes on. */
async_test(a_little_late, edo_callees(struct ticks ticks;) int i;)
{
    edo_body {
        static const int64_t due[] = { 100, 200, 300 }, taken[] = { 100, 299, 300 };
        int rc;
        for (self->i = 0; self->i < 3; self->i++) {
            edo_call(rc, ticks, .missed = (edo_missed)self->i, .busy = 199, .due = due,
                     .taken = taken, .count = 3);
            assert_int_equal(rc, 0);
        }
        edo_return(0);
    }
}

async_test(reset_and_first, edo_interval interval; int64_t start;)
{
    edo_body {
        int rc;
        self->start = edo_now();
        edo_interval_init_at(&self->interval, self->start, PERIOD, EDO_MISSED_BURST);
        edo_await(rc, edo_interval_next(&self->interval, NULL));
        assert_int_equal(edo_now(), self->start); // the first tick at once
        edo_await(rc, edo_sleep(50));
        edo_interval_reset(&self->interval);
        edo_await(rc, edo_interval_next(&self->interval, NULL));
        assert_int_equal(rc, 1);
        assert_int_equal(edo_now(), self->start + 150);
        self->interval.period = 10; // for the ticks after the next one
        edo_await(rc, edo_interval_next(&self->interval, NULL));
        edo_await(rc, edo_interval_next(&self->interval, NULL));
        assert_int_equal(edo_now(), self->start + 260);
        edo_return(0);
    }
}

/* A wait that is cancelled takes no tick. */
async_test(cancelled_tick, edo_interval interval; int64_t start;)
{
    edo_body {
        int rc;
        self->start = edo_now();
        edo_interval_init(&self->interval, PERIOD, EDO_MISSED_BURST);
        edo_await_for(rc, 30, edo_interval_next(&self->interval, NULL));
        assert_int_equal(rc, -ETIMEDOUT);
        edo_await(rc, edo_interval_next(&self->interval, NULL));
        assert_int_equal(rc, 1);
        assert_int_equal(edo_now(), self->start + 100);
        edo_return(0);
    }
}

/* Moments saturate. */
async_test(far_ticks, edo_interval interval;)
{
    edo_body {
        int rc;
        edo_interval_init_at(&self->interval, edo_now(), EDO_NEVER, EDO_MISSED_SKIP);
        edo_await(rc, edo_interval_next(&self->interval, NULL));
        assert_int_equal(rc, 1);
        assert_true(self->interval.next == EDO_NEVER);
        edo_return(0);
    }
}

static void without_period(void *arg)
{
    (void)arg;
    edo_interval interval;
    edo_interval_init(&interval, 0, EDO_MISSED_BURST);
}

test(period_of_zero)
{
    expect_abort(without_period, NULL, "edo_interval_init: the period is less than 1 ns");
}
