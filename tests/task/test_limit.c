/* Rule 5, time limits: after -ETIMEDOUT the operation has ended; a ready operation wins; a limit
 * that passes after a cancellation changes nothing. */
#include "task/probe.h"

async_test(a_limit_passes, int64_t start;)
{
    edo_body {
        int rc;
        self->start = edo_now();
        edo_await_for(rc, edo_ms(20), edo_sleep(edo_s(1)));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(edo_now() - self->start, edo_ms(20));
        assert_int_equal(edo_last_op()->base.state, EDO_DONE);
        edo_return(0);
    }
}

async_test(an_operation_within_its_limit_is_not_touched, int64_t start;)
{
    edo_body {
        int rc;
        self->start = edo_now();
        edo_await_for(rc, edo_s(1), edo_sleep(edo_ms(20)));
        assert_int_equal(rc, 0);
        assert_int_equal(edo_now() - self->start, edo_ms(20));
        edo_await(rc, edo_sleep(edo_s(5))); // the limit has ended with its operation
        assert_int_equal(rc, 0);
        edo_return(0);
    }
}

struct never_early_on_the_real_clock {
    edo_frame();
    edo_args();
    int64_t start;
    int i;
};

edo_async(never_early_on_the_real_clock)
{
    edo_body {
        int rc;
        for (self->i = 0; self->i < 20; self->i++) {
            self->start = edo_now();
            edo_await_for(rc, edo_us(150), edo_sleep(edo_s(10)));
            assert_int_equal(rc, -ETIMEDOUT);
            assert_true(edo_now() - self->start >= edo_us(150));
        }
        edo_return(0);
    }
}

test(a_limit_is_never_early)
{
    assert_int_equal(edo_run(never_early_on_the_real_clock), 0);
}

/* A nanosecond before the limit the operation goes on; at the limit it ends. */
struct limited_sleep {
    edo_frame();
    edo_args(int64_t limit;);
};

edo_async(limited_sleep)
{
    edo_body {
        int rc;
        edo_await_for(rc, self->limit, edo_sleep(edo_s(60)));
        edo_return(rc);
    }
}

async_test(not_a_nanosecond_early, edo_task *task; int64_t start;)
{
    edo_body {
        int rc;
        self->start = edo_now();
        assert_int_equal(edo_spawn(&self->task, limited_sleep, .limit = edo_ms(10)), 0);
        edo_await(rc, edo_sleep_until(self->start + edo_ms(10) - 2));
        edo_wakeable *waker = edo_task_waker(self->task);
        edo_wake(waker);
        edo_waker_unref(waker);
        edo_await(rc, settle());
        assert_true(edo_now() < self->start + edo_ms(10));
        assert_false(edo_task_is_done(self->task));
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(edo_now(), self->start + edo_ms(10));
        edo_return(0);
    }
}

/* ---- a ready operation wins ---- */

async_test(what_is_ready_wins, edo_callees(struct passer passer;) struct gate gate;)
{
    edo_body {
        int64_t result;
        edo_await_for(result, 0, edo_sleep(0));
        assert_int_equal(result, 0);
        edo_await_for(result, edo_s(-1), edo_sleep(0));
        assert_int_equal(result, 0);
        edo_await_for(result, INT64_MIN, edo_sleep(0));
        assert_int_equal(result, 0);
        edo_await_for(result, edo_ms(5), edo_sleep(edo_ms(5))); // both at the same moment
        assert_int_equal(result, 0);
        self->gate = gate_make_open(3);
        edo_call_for(result, 0, passer, .gate = &self->gate);
        assert_int_equal(result, 3);
        edo_return(0);
    }
}

async_test(a_limit_that_has_passed_ends_what_is_not_ready, int64_t start;)
{
    edo_body {
        int rc;
        self->start = edo_now();
        edo_await_for(rc, 0, edo_sleep(edo_s(1)));
        assert_int_equal(rc, -ETIMEDOUT);
        edo_await_for(rc, edo_s(-1), edo_sleep(edo_s(1)));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(edo_now(), self->start);
        edo_return(0);
    }
}

async_test(a_limit_may_be_endless)
{
    edo_body {
        int rc;
        edo_await_for(rc, EDO_NEVER, edo_sleep(edo_s(3600)));
        assert_int_equal(rc, 0);
        edo_await_for(rc, edo_minutes(INT64_MAX), edo_sleep(edo_s(3600)));
        assert_int_equal(rc, 0);
        edo_return(0);
    }
}

/* ---- limits on calls ---- */

/* Waits, then cleans up for a while; answers `answer`, or the failure of its wait. */
struct lasting {
    edo_frame();
    edo_args(int64_t work, cleanup, answer; unsigned *ended;);
    int64_t result;
};

edo_async(lasting)
{
    edo_body {
        int rc;
        edo_await(self->result, edo_sleep(self->work));
        edo_shield();
        if (self->cleanup) edo_await(rc, edo_sleep(self->cleanup));
        if (self->ended) ++*self->ended;
        edo_return(self->answer ? self->answer : self->result);
    }
}

async_test(a_limited_call_has_ended_its_clean_up_too,
    edo_callees(struct lasting lasting;)
    int64_t start;
    unsigned ended;)
{
    edo_body {
        int rc;
        self->start = edo_now();
        self->ended = 0;
        edo_call_for(rc, edo_ms(10), lasting, .work = edo_s(1), .cleanup = edo_ms(7),
                     .ended = &self->ended);
        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(edo_now() - self->start, edo_ms(17));
        assert_int_equal(self->ended, 1);
        edo_return(0);
    }
}

async_test(a_limit_that_passes_in_the_clean_up_changes_nothing,
    edo_callees(struct lasting lasting;)
    int64_t start;)
{
    edo_body {
        int rc;
        self->start = edo_now();
        edo_call_for(rc, edo_ms(10), lasting, .work = edo_ms(8), .cleanup = edo_ms(7));
        assert_int_equal(rc, 0);
        assert_int_equal(edo_now() - self->start, edo_ms(15));
        edo_return(0);
    }
}

async_test(a_call_that_answers_otherwise_shows_its_answer, edo_callees(struct lasting lasting;))
{
    edo_body {
        int rc;
        edo_call_for(rc, edo_ms(10), lasting, .work = edo_s(1), .answer = 9);
        assert_int_equal(rc, 9);
        edo_call_for(rc, edo_ms(10), lasting, .work = edo_s(1), .answer = -EIO);
        assert_int_equal(rc, -EIO);
        edo_call_for(rc, edo_s(10), lasting, .work = edo_ms(1), .answer = -ECANCELED);
        assert_int_equal(rc, -ECANCELED); // the callee's own result, within the limit
        edo_return(0);
    }
}

async_test(a_limit_waits_for_what_cannot_end_at_once,
    edo_callees(struct passer passer;)
    struct gate gate;
    int64_t start;)
{
    edo_body {
        int64_t result;
        self->start = edo_now();
        self->gate = gate_make_stubborn();
        assert_int_equal(edo_go(opener, .gate = &self->gate, .value = -ECANCELED, .after = 3), 0);
        edo_call_for(result, 0, passer, .gate = &self->gate);
        assert_int_equal(result, -ETIMEDOUT);
        assert_int_equal(self->gate.base.state, EDO_DONE);
        edo_return(0);
    }
}

/* ---- several limits ---- */

struct inner_limit {
    edo_frame();
    edo_args(int64_t limit; int64_t *inner_result;);
};

edo_async(inner_limit)
{
    edo_body {
        edo_await_for(*self->inner_result, self->limit, edo_sleep(edo_s(1)));
        edo_return(*self->inner_result);
    }
}

async_test(of_nested_limits_the_earliest_counts,
    edo_callees(struct inner_limit inner_limit;)
    int64_t start, inner_result;)
{
    edo_body {
        int rc;
        self->start = edo_now();
        edo_call_for(rc, edo_ms(30), inner_limit, .limit = edo_ms(10),
                     .inner_result = &self->inner_result);
        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(self->inner_result, -ETIMEDOUT);
        assert_int_equal(edo_now() - self->start, edo_ms(10));
        self->start = edo_now();
        edo_call_for(rc, edo_ms(10), inner_limit, .limit = edo_ms(30),
                     .inner_result = &self->inner_result);
        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(self->inner_result,
                         -ECANCELED); // the outer limit is a plain cancellation here
        assert_int_equal(edo_now() - self->start, edo_ms(10));
        edo_return(0);
    }
}

async_test(a_limit_may_be_renewed, int64_t start; int i;)
{
    edo_body {
        int rc;
        self->start = edo_now();
        for (self->i = 0; self->i < 100; self->i++) {
            edo_await_for(rc, edo_ms(10), edo_sleep(edo_ms(9)));
            assert_int_equal(rc, 0);
        }
        assert_int_equal(edo_now() - self->start, edo_ms(900));
        edo_await_for(rc, edo_ms(10), edo_sleep(edo_ms(11)));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(edo_now() - self->start, edo_ms(910));
        edo_return(0);
    }
}

/* ---- limits and cancellations ---- */

struct limited {
    edo_frame(struct lasting lasting;);
    edo_args(int64_t limit; int64_t cleanup;);
};

edo_async(limited)
{
    edo_body {
        int rc;
        edo_call_for(rc, self->limit, lasting, .work = edo_s(1), .cleanup = self->cleanup);
        edo_return(rc);
    }
}

async_test(a_limit_that_passes_after_a_cancellation_changes_nothing, edo_task *task; int64_t start;)
{
    edo_body {
        int rc;
        self->start = edo_now();
        assert_int_equal(
            edo_spawn(&self->task, limited, .limit = edo_ms(10), .cleanup = edo_ms(50)), 0);
        edo_await(rc, edo_sleep(edo_ms(5)));
        edo_task_cancel(self->task);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -ECANCELED);
        assert_int_equal(edo_now() - self->start, edo_ms(55));
        edo_return(0);
    }
}

async_test(a_cancellation_after_the_limit_leaves_it_at_that, edo_task *task;)
{
    edo_body {
        int rc;
        assert_int_equal(
            edo_spawn(&self->task, limited, .limit = edo_ms(10), .cleanup = edo_ms(50)), 0);
        edo_await(rc, edo_sleep(edo_ms(20)));
        edo_task_cancel(self->task);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -ETIMEDOUT);
        edo_return(0);
    }
}

struct limits_while_cancelled {
    edo_frame();
    edo_args();
};

edo_async(limits_while_cancelled)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(edo_s(1))); // cancelled here
        edo_await_for(rc, 0, edo_sleep(edo_s(1)));
        assert_int_equal(rc, -ECANCELED);
        edo_await_for(rc, edo_s(1), edo_sleep(edo_s(1)));
        edo_return(rc);
    }
}

async_test(in_a_cancelled_function_a_limit_changes_nothing, edo_task *task;)
{
    edo_body {
        int rc;
        assert_int_equal(edo_spawn(&self->task, limits_while_cancelled), 0);
        edo_await(rc, settle());
        edo_task_cancel(self->task);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -ECANCELED);
        edo_return(0);
    }
}
