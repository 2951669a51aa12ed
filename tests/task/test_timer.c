/* Rule 6: one timer per task, which moves only when it must fire earlier. */
#include "task/probe.h"

#include "runtime/time/wheel.h"
#include "task/task.h"

static const edo__timer *my_timer(void)
{
    return &edo_current_task()->timer;
}

/* ---- operations that never touch the wheel ---- */

async_test(a_limit_on_what_is_ready_arms_no_timer,
    edo_callees(struct passer passer;)
    struct gate gate;)
{
    edo_body {
        int rc;
        edo_await_for(rc, edo_s(10), edo_sleep(0));
        assert_int_equal(rc, 0);
        self->gate = gate_make_open(1);
        edo_call_for(rc, edo_s(10), passer, .gate = &self->gate);
        assert_int_equal(rc, 1);
        edo_await(rc, edo_yield()); // the task's timer is set after its poll
        assert_false(edo__timer_is_armed(my_timer()));
        assert_int_equal(my_timer()->when, 0);
        edo_return(0);
    }
}

/* Like a server's idle limit, which every request renews long before it passes: the timer moves
 * once per period of the limit, not once per request. */
enum { REQUESTS = 1000 };

async_test(a_limit_that_is_renewed_leaves_the_timer_alone,
    edo_callees(struct passer passer;)
    struct gate gate;
    int64_t first;
    int i;)
{
    edo_body {
        int rc;
        self->first = edo_now() + edo_s(10);
        for (self->i = 0; self->i < REQUESTS; self->i++) {
            self->gate = gate_make();
            assert_int_equal(edo_go(opener, .gate = &self->gate, .after = 2), 0);
            if (self->i > 0) assert_int_equal(edo_clock_advance(edo_ms(1)), 0); // after the first
            edo_call_for(rc, edo_s(10), passer, .gate = &self->gate);
            assert_int_equal(rc, 0);
            assert_true(edo__timer_is_armed(my_timer()));
            assert_int_equal(my_timer()->when, self->first);
        }
        edo_return(0);
    }
}

/* The timer's position in its slot shows whether it was disarmed and armed again: the newest is
 * first. */
struct sleeper {
    edo_frame();
    edo_args(int64_t until; const edo__timer **ret_timer; edo_wakeable **ret_waker;);
};

edo_async(sleeper)
{
    edo_body {
        int rc;
        *self->ret_timer = my_timer();
        *self->ret_waker = edo_cx_waker(cx);
        edo_await(rc, edo_sleep_until(self->until));
        edo_return(rc);
    }
}

current_thread_only("it looks at the order in one wheel")
async_test(polls_that_repeat_a_deadline_leave_the_timer_alone,
    edo_scope scope;
    const edo__timer *first, *second;
    edo_wakeable *first_waker, *second_waker;
    int64_t until;
    int i;)
{
    edo_body {
        int rc;
        self->until = edo_now() + edo_s(10);
        edo_scope_open(&self->scope, 0);
        assert_int_equal(edo_scope_spawn(&self->scope, sleeper, .until = self->until,
                                         .ret_timer = &self->first,
                                         .ret_waker = &self->first_waker),
                         0);
        assert_int_equal(edo_scope_spawn(&self->scope, sleeper, .until = self->until,
                                         .ret_timer = &self->second,
                                         .ret_waker = &self->second_waker),
                         0);
        edo_await(rc, settle());
        edo_await(rc, settle());
        assert_ptr_equal(self->second->next, self->first);
        for (self->i = 0; self->i < 100; self->i++) {
            edo_wake(self->first_waker); // as input would
            edo_await(rc, settle());
            assert_ptr_equal(self->second->next, self->first);
        }
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(edo_now(), self->until);
        edo_return(rc);
    }
}

/* ---- changes that move the timer ---- */

async_test(the_timer_moves_to_what_is_earlier, edo_op late, early, soon; int64_t start;)
{
    edo_body {
        int which;
        self->start = edo_now();
        self->late = edo_sleep(edo_s(100));
        edo_await(which, edo_yield());
        self->early = edo_sleep(0);
        edo_any(which, &self->early.base, &self->late.base);
        edo_await(which, edo_yield());
        assert_int_equal(my_timer()->when, self->start + edo_s(100));
        self->soon = edo_sleep(edo_s(1));
        edo_any(which, &self->late.base, &self->soon.base);
        assert_int_equal(which, 1);
        assert_int_equal(edo_now(), self->start + edo_s(1));
        edo_await(which, edo_yield());
        assert_int_equal(my_timer()->when, self->start + edo_s(100)); // armed anew
        edo_await_on(which, &self->late.base);
        assert_int_equal(edo_now(), self->start + edo_s(100));
        edo_return(0);
    }
}

/* ---- gathering the earliest ---- */

struct waits_within {
    edo_frame();
    edo_args(int64_t limit, duration;);
};

edo_async(waits_within)
{
    edo_body {
        int rc;
        edo_await_for(rc, self->limit, edo_sleep(self->duration));
        edo_return(rc);
    }
}

struct two_within {
    edo_frame(struct waits_within waits_within;);
    edo_args(int64_t outer, inner, duration;);
};

edo_async(two_within)
{
    edo_body {
        int rc;
        edo_call_for(rc, self->outer, waits_within, .limit = self->inner,
                     .duration = self->duration);
        edo_return(rc);
    }
}

struct case_of {
    int64_t outermost, outer, inner, duration, ends_after;
    int result;
};

static const struct case_of cases[] = {
    { 100, 90, 80, 70, 70, 0 },          { 100, 90, 80, 85, 80, -ETIMEDOUT },
    { 100, 50, 80, 85, 50, -ETIMEDOUT }, { 30, 50, 80, 85, 30, -ETIMEDOUT },
    { 10, 1000, 2000, 5, 5, 0 },         { 2000, 1000, 10, 5000, 10, -ETIMEDOUT },
    { 2000, 2000, 2000, 2000, 2000, 0 }, // a ready operation wins
};

async_test(the_earliest_of_all_deadlines_fires,
    edo_callees(struct two_within two_within;)
    int64_t start;
    size_t i;)
{
    edo_body {
        int rc;
        for (self->i = 0; self->i < ARRAY_LENGTH(cases); self->i++) {
            const struct case_of *c = &cases[self->i];
            self->start = edo_now();
            edo_call_for(rc, edo_ms(c->outermost), two_within, .outer = edo_ms(c->outer),
                         .inner = edo_ms(c->inner), .duration = edo_ms(c->duration));
            assert_int_equal(rc, cases[self->i].result);
            assert_int_equal(edo_now() - self->start, edo_ms(cases[self->i].ends_after));
        }
        edo_return(0);
    }
}

async_test(side_by_side_each_deadline_is_met,
    struct waits_within children[4];
    edo_op sleep;
    int64_t start;)
{
    edo_body {
        int which;
        for (self->start = edo_now(), which = 0; which < 4; which++)
            edo_init(&self->children[which], waits_within, .limit = edo_ms(10 * (4 - which)),
                     .duration = edo_s(1));
        self->sleep = edo_sleep(edo_ms(25));
        edo_any(which, &self->children[0].base, &self->children[1].base, &self->children[2].base,
                &self->children[3].base, &self->sleep.base);
        assert_int_equal(which, 3);
        assert_int_equal(edo_now() - self->start, edo_ms(10));
        edo_any(which, &self->children[0].base, &self->children[1].base, &self->children[2].base);
        assert_int_equal(which, 2);
        assert_int_equal(edo_now() - self->start, edo_ms(20));
        edo_await_on(which, &self->sleep.base);
        assert_int_equal(edo_now() - self->start, edo_ms(25));
        edo_all(&self->children[0].base, &self->children[1].base);
        assert_int_equal(edo_now() - self->start, edo_ms(40));
        assert_int_equal(self->children[1].base.result, -ETIMEDOUT);
        edo_return(0);
    }
}

/* ---- the end ---- */

struct ends_before_its_limit {
    edo_frame(struct passer passer;);
    edo_args(struct gate *gate;);
};

edo_async(ends_before_its_limit)
{
    edo_body {
        int rc;
        edo_call_for(rc, edo_s(100), passer, .gate = self->gate);
        edo_return(rc);
    }
}

async_test(a_task_that_ends_takes_its_timer_along, struct gate gate; edo_task *task; int64_t start;)
{
    edo_body {
        int rc;
        self->gate = gate_make();
        assert_int_equal(edo_spawn(&self->task, ends_before_its_limit, .gate = &self->gate), 0);
        edo_await(rc, settle());
        assert_true(edo__timer_is_armed(&self->task->timer));
        gate_open(&self->gate, 0);
        edo_await(rc, settle());
        assert_true(edo_task_is_done(self->task));
        assert_false(edo__timer_is_armed(&self->task->timer));
        edo_await(rc, edo_join(self->task));
        self->start = edo_now();
        edo_await(rc, edo_sleep(edo_s(200))); // nothing fires meanwhile
        assert_int_equal(edo_now() - self->start, edo_s(200));
        edo_return(rc);
    }
}
