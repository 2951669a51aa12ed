/* Sleeping by the wall clock and the boot clock. */
#include "support/streams.h"

#include <sys/resource.h>
#include <time.h>

async_test(until_a_moment, int64_t when; int clock;)
{
    edo_body {
        int rc;
        for (self->clock = EDO_CLOCK_WALL; self->clock <= EDO_CLOCK_BOOT; self->clock++) {
            self->when = edo_clock_now((edo_clock)self->clock) + edo_ms(2);
            edo_await(rc, edo_sleep_until_clock((edo_clock)self->clock, self->when));
            assert_int_equal(rc, 0);
            assert_true(edo_clock_now((edo_clock)self->clock) >= self->when);
            edo_await(rc, edo_sleep_until_clock((edo_clock)self->clock, self->when)); // past
            assert_int_equal(rc, 0);
        }
        edo_await(rc, edo_sleep_until_clock((edo_clock)7, 0));
        assert_int_equal(rc, -EINVAL);
        edo_return(0);
    }
}

test(moments_are_those_of_the_system)
{
    struct timespec before, after;
    clock_gettime(CLOCK_REALTIME, &before);
    int64_t now = edo_clock_now(EDO_CLOCK_WALL);
    clock_gettime(CLOCK_REALTIME, &after);
    assert_true(now >= before.tv_sec * 1000000000 + before.tv_nsec);
    assert_true(now <= after.tv_sec * 1000000000 + after.tv_nsec);
}

async_test(cancelled_sleep, edo_task *task; size_t open;)
{
    edo_body {
        int rc;
        self->open = open_descriptors();
        rc = edo_spawn(&self->task, run_op, .op = edo_sleep_until_clock(EDO_CLOCK_WALL, EDO_NEVER));
        assert_int_equal(rc, 0);
        settle();
        assert_false(edo_task_is_done(self->task));
        edo_task_cancel(self->task);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -ECANCELED);
        settle();
        assert_int_equal(open_descriptors(), self->open);
        edo_return(0);
    }
}

async_test(without_descriptors, struct rlimit limit;)
{
    edo_body {
        int rc;
        getrlimit(RLIMIT_NOFILE, &self->limit);
        setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 0, self->limit.rlim_max });
        edo_await(rc, edo_sleep_until_clock(EDO_CLOCK_BOOT, EDO_NEVER));
        setrlimit(RLIMIT_NOFILE, &self->limit);
        assert_int_equal(rc, -EMFILE);
        edo_return(0);
    }
}
