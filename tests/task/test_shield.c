/* Rule 5, shields: clean-up can await although the function was cancelled; futures polled before
 * the shield are not covered; an abort passes. */
#include "task/probe.h"

/* ---- futures covered by a shield ---- */

struct cleans_up {
    edo_frame();
    edo_args(bool shield;);
    int64_t work, cleanup, start;
};

edo_async(cleans_up)
{
    edo_body {
        edo_await(self->work, edo_sleep(edo_s(60)));
        self->start = edo_now();
        if (self->shield) edo_shield();
        edo_await(self->cleanup, edo_sleep(edo_ms(5)));
        edo_return(self->cleanup < 0 ? self->cleanup : edo_now() - self->start);
    }
}

async_test(a_shield_lets_clean_up_wait, edo_task *task;)
{
    edo_body {
        int64_t result;
        assert_int_equal(edo_spawn(&self->task, cleans_up, .shield = true), 0);
        edo_await(result, settle());
        edo_task_cancel(self->task);
        edo_await(result, edo_join(self->task));
        assert_int_equal(result, edo_ms(5));
        edo_return(0);
    }
}

async_test(without_a_shield_clean_up_is_cancelled, edo_task *task;)
{
    edo_body {
        int64_t result;
        assert_int_equal(edo_spawn(&self->task, cleans_up, .shield = false), 0);
        edo_await(result, settle());
        edo_task_cancel(self->task);
        edo_await(result, edo_join(self->task));
        assert_int_equal(result, -ECANCELED);
        edo_return(0);
    }
}

/* ---- before and after ---- */

struct two_children {
    edo_frame();
    edo_args(struct gate *before, *after;);
    struct passer first, second, unpolled;
    struct gate third;
};

edo_async(two_children)
{
    edo_body {
        int which;
        edo_init(&self->first, passer, .gate = self->before);
        edo_init(&self->second, passer, .gate = self->after);
        assert_int_equal(edo_poll_future(&self->first.base, cx), EDO_PENDING);
        edo_shield();
        edo_all(&self->first.base, &self->second.base);
        edo_init(&self->unpolled, passer, .gate = &self->third);
        self->third = gate_make_open(3);
        edo_await_on(which, &self->unpolled.base);
        assert_int_equal(which, 3);
        assert_int_equal(self->first.base.result, -ECANCELED);
        edo_return(self->second.base.result);
    }
}

async_test(it_covers_what_is_first_polled_after_it, struct gate before, after; edo_task *task;)
{
    edo_body {
        int64_t result;
        self->before = gate_make();
        self->after = gate_make();
        assert_int_equal(
            edo_spawn(&self->task, two_children, .before = &self->before, .after = &self->after),
            0);
        edo_await(result, settle());
        edo_task_cancel(self->task);
        edo_await(result, settle());
        assert_int_equal(self->before.base.state, EDO_DONE);
        assert_int_equal(self->before.fate, EDO_CANCELLED);
        assert_int_equal(self->after.base.state, EDO_WAITING);
        assert_int_equal(self->after.fate, EDO_LIVE);
        gate_open(&self->after, 7);
        edo_await(result, edo_join(self->task));
        assert_int_equal(result, 7);
        edo_return(0);
    }
}

/* A function that is shielded before the cancellation does not notice it. Its operation is first
 * polled together with the shield, or in a later poll. */
struct shields_early {
    edo_frame();
    edo_args(struct gate *gate; bool wait;);
};

edo_async(shields_early)
{
    edo_body {
        int64_t result;
        edo_shield();
        if (self->wait) edo_await(result, settle());
        edo_await_on(result, &self->gate->base);
        assert_false(edo_is_cancelled());
        edo_return(result);
    }
}

async_test(a_cancellation_that_comes_later_is_held_off, struct gate gate; edo_task *task; int wait;)
{
    edo_body {
        int64_t result;
        for (self->wait = 0; self->wait < 2; self->wait++) {
            self->gate = gate_make();
            assert_int_equal(
                edo_spawn(&self->task, shields_early, .gate = &self->gate, .wait = self->wait), 0);
            edo_await(result, edo_sleep(edo_ms(1)));
            edo_task_cancel(self->task);
            edo_await(result, edo_sleep(edo_ms(1)));
            assert_int_equal(self->gate.fate, EDO_LIVE);
            gate_open(&self->gate, 6);
            edo_await(result, edo_join(self->task));
            assert_int_equal(result, 6);
        }
        edo_return(0);
    }
}

/* ---- a shield covers its own function only ---- */

struct shielded_callee {
    edo_frame();
    edo_args();
};

edo_async(shielded_callee)
{
    edo_body {
        int rc;
        edo_shield();
        edo_await(rc, edo_sleep(edo_ms(1)));
        edo_return(rc);
    }
}

struct calls_a_shielded_one {
    edo_frame(struct shielded_callee shielded_callee;);
    edo_args();
};

edo_async(calls_a_shielded_one)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(edo_s(1))); // cancelled here
        edo_call(rc, shielded_callee);
        assert_int_equal(rc, 0);
        assert_true(edo_is_cancelled());
        edo_await(rc, edo_sleep(edo_ms(1)));
        edo_return(rc);
    }
}

async_test(a_callees_shield_ends_with_it, edo_task *task;)
{
    edo_body {
        int rc;
        assert_int_equal(edo_spawn(&self->task, calls_a_shielded_one), 0);
        edo_await(rc, settle());
        edo_task_cancel(self->task);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -ECANCELED);
        edo_return(0);
    }
}

struct shields_and_ends {
    edo_frame();
    edo_args();
};

edo_async(shields_and_ends)
{
    edo_body {
        edo_shield();
        edo_return(0);
    }
}

/* Futures first polled after a call of a shielded function, in the same poll, are not covered. */
struct polls_behind_a_shielded_one {
    edo_frame(struct shields_and_ends shields_and_ends;);
    edo_args(struct gate *gate;);
};

edo_async(polls_behind_a_shielded_one)
{
    edo_body {
        int64_t result;
        edo_call(result, shields_and_ends);
        assert_int_equal(edo_poll_future(&self->gate->base, cx), EDO_PENDING);
        edo_await(result, edo_sleep(edo_s(1))); // cancelled here
        edo_shield();
        edo_await_on(result, &self->gate->base);
        edo_return(result);
    }
}

async_test(a_callees_shield_covers_nothing_of_its_callers, struct gate gate; edo_task *task;)
{
    edo_body {
        int64_t result;
        self->gate = gate_make();
        assert_int_equal(edo_spawn(&self->task, polls_behind_a_shielded_one, .gate = &self->gate),
                         0);
        edo_await(result, settle());
        edo_task_cancel(self->task);
        edo_await(result, settle());
        assert_int_equal(self->gate.fate, EDO_CANCELLED);
        edo_await(result, edo_join(self->task));
        assert_int_equal(result, -ECANCELED);
        edo_return(0);
    }
}

struct plain_callee {
    edo_frame();
    edo_args();
};

edo_async(plain_callee)
{
    edo_body {
        int rc;
        assert_false(edo_is_cancelled());
        edo_await(rc, edo_sleep(edo_ms(1)));
        if (rc < 0) edo_return(rc);
        edo_await(rc, edo_sleep(edo_ms(1)));
        edo_return(rc);
    }
}

struct calls_in_its_clean_up {
    edo_frame(struct plain_callee plain_callee;);
    edo_args();
    struct plain_callee a, b;
};

edo_async(calls_in_its_clean_up)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(edo_s(1))); // cancelled here
        assert_int_equal(rc, -ECANCELED);
        edo_shield();
        edo_call(rc, plain_callee);
        if (rc < 0) edo_return(rc);
        edo_call_boxed(rc, plain_callee);
        if (rc < 0) edo_return(rc);
        edo_init(&self->a, plain_callee);
        edo_init(&self->b, plain_callee);
        edo_try_all(rc, &self->a.base, &self->b.base);
        edo_return(rc);
    }
}

async_test(a_shield_covers_all_that_the_clean_up_calls, edo_task *task; int64_t start;)
{
    edo_body {
        int rc;
        assert_int_equal(edo_spawn(&self->task, calls_in_its_clean_up), 0);
        edo_await(rc, settle());
        self->start = edo_now();
        edo_task_cancel(self->task);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 0);
        assert_int_equal(edo_now() - self->start, edo_ms(6));
        edo_return(0);
    }
}

/* ---- cancelling within the clean-up ---- */

struct limits_its_clean_up {
    edo_frame();
    edo_args();
    struct gate never, signal;
    struct passer loser;
    int64_t start;
};

edo_async(limits_its_clean_up)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(edo_s(1))); // cancelled here
        edo_shield();
        self->start = edo_now();
        edo_await_for(rc, edo_ms(3), edo_sleep(edo_s(1)));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(edo_now() - self->start, edo_ms(3));
        self->never = gate_make();
        self->signal = gate_make_open(0);
        edo_init(&self->loser, passer, .gate = &self->never);
        edo_select_biased(rc, &self->signal.base, &self->loser.base);
        assert_int_equal(rc, 0);
        edo_return(self->loser.base.result == -ECANCELED ? 1 : -EPROTO);
    }
}

async_test(limits_and_selects_work_behind_a_shield, edo_task *task;)
{
    edo_body {
        int rc;
        assert_int_equal(edo_spawn(&self->task, limits_its_clean_up), 0);
        edo_await(rc, settle());
        edo_task_cancel(self->task);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 1);
        edo_return(0);
    }
}

/* ---- abort ---- */

async_test(an_abort_goes_through_a_shield,
    struct gate work, cleanup;
    edo_task *task;
    unsigned ended;)
{
    edo_body {
        int64_t result;
        self->work = gate_make();
        self->cleanup = gate_make();
        self->ended = 0;
        assert_int_equal(edo_spawn(&self->task, cleaner, .work = &self->work,
                                   .cleanup = &self->cleanup, .ended = &self->ended),
                         0);
        edo_await(result, settle());
        edo_task_cancel(self->task);
        edo_await(result, settle());
        assert_int_equal(self->cleanup.base.state, EDO_WAITING);
        edo_task_abort(self->task);
        edo_await(result, edo_join(self->task));
        assert_int_equal(result, -ECANCELED);
        assert_int_equal(self->cleanup.fate, EDO_ABORTED);
        assert_int_equal(self->ended, 1);
        edo_return(0);
    }
}

struct calls_cleaner {
    edo_frame(struct cleaner cleaner;);
    edo_args(struct gate *work, *cleanup; unsigned *ended;);
};

edo_async(calls_cleaner)
{
    edo_body {
        int64_t result;
        edo_shield();
        edo_call(result, cleaner, .work = self->work, .cleanup = self->cleanup,
                 .ended = self->ended);
        assert_true(edo_is_cancelled());
        edo_return(result);
    }
}

async_test(an_abort_goes_through_nested_shields,
    struct gate work, cleanup;
    struct calls_cleaner child;
    unsigned ended;)
{
    edo_body {
        self->work = gate_make();
        self->cleanup = gate_make();
        self->ended = 0;
        edo_init(&self->child, calls_cleaner, .work = &self->work, .cleanup = &self->cleanup,
                 .ended = &self->ended);
        assert_int_equal(edo_poll_future(&self->child.base, cx), EDO_PENDING);
        edo_cancel(&self->child.base);
        assert_int_equal(edo_poll_future(&self->child.base, cx), EDO_PENDING);
        assert_int_equal(self->work.fate, EDO_LIVE);
        edo_abort(&self->child.base);
        assert_int_equal(edo_poll_future(&self->child.base, cx), EDO_READY);
        assert_int_equal(self->work.fate, EDO_ABORTED);
        assert_int_equal(self->cleanup.base.fate, EDO_ABORTED);
        assert_int_equal(self->ended, 1);
        edo_return(0);
    }
}

struct shields_after_an_abort {
    edo_frame();
    edo_args();
};

edo_async(shields_after_an_abort)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(edo_s(1))); // aborted here
        assert_int_equal(rc, -ECANCELED);
        edo_shield();
        assert_true(edo_is_cancelled());
        edo_await(rc, edo_sleep(edo_s(1)));
        edo_return(rc);
    }
}

async_test(a_shield_holds_no_abort_off, edo_task *task; int64_t start;)
{
    edo_body {
        int rc;
        assert_int_equal(edo_spawn(&self->task, shields_after_an_abort), 0);
        edo_await(rc, settle());
        self->start = edo_now();
        edo_task_abort(self->task);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -ECANCELED);
        assert_int_equal(edo_now(), self->start);
        edo_return(0);
    }
}

/* A user's combinator behind a shield passes its fate on to its children. */
struct wrapper {
    edo_future base;
    edo_future *inner;
};

static edo_poll wrapper_poll(edo_future *future, edo_cx *cx)
{
    struct wrapper *wrapper = (struct wrapper *)(void *)future;
    if (edo_poll_future(wrapper->inner, cx) == EDO_PENDING) return EDO_PENDING;
    future->result = wrapper->inner->result;
    return EDO_READY;
}

static const edo_future_ops wrapper_ops = { .name = "wrapper", .poll = wrapper_poll };

struct wraps_in_its_clean_up {
    edo_frame();
    edo_args(struct gate *gate;);
    struct wrapper wrapper;
};

edo_async(wraps_in_its_clean_up)
{
    edo_body {
        int64_t result;
        edo_await(result, edo_sleep(edo_s(1))); // cancelled here
        edo_shield();
        self->wrapper = (struct wrapper){ { .ops = &wrapper_ops }, &self->gate->base };
        edo_await_on(result, &self->wrapper.base);
        edo_return(result);
    }
}

async_test(a_shield_covers_what_a_users_combinator_polls, struct gate gate; edo_task *task;)
{
    edo_body {
        int64_t result;
        self->gate = gate_make();
        assert_int_equal(edo_spawn(&self->task, wraps_in_its_clean_up, .gate = &self->gate), 0);
        edo_await(result, settle());
        edo_task_cancel(self->task);
        edo_await(result, settle());
        assert_int_equal(self->gate.fate, EDO_LIVE);
        gate_open(&self->gate, 4);
        edo_await(result, edo_join(self->task));
        assert_int_equal(result, 4);
        edo_return(0);
    }
}
