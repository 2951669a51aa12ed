/* edo_within: a limit over several awaits. Rule 5 within the block, and every way out of it. */
#include "task/probe.h"

#include <stdlib.h>

/* Answers the result of its wait; then, behind a shield, waits for `cleanup`, if set. */
struct step {
    edo_frame();
    edo_args(int64_t duration; int64_t cleanup;);
    int64_t result;
};

edo_async(step)
{
    edo_body {
        int rc;
        edo_await(self->result, edo_sleep(self->duration));
        if (self->cleanup) {
            edo_shield();
            edo_await(rc, edo_sleep(self->cleanup));
            assert_int_equal(rc, 0);
        }
        edo_return(self->result);
    }
}

async_test(the_limit_goes_for_the_sum, edo_limit limit; int64_t start; int i;)
{
    edo_body {
        int rc;
        self->start = edo_now();
        edo_within(&self->limit, edo_ms(100)) {
            for (self->i = 0; self->i < 3; self->i++) {
                edo_await(rc, edo_sleep(edo_ms(30)));
                assert_int_equal(rc, 0);
            }
            edo_await(rc, edo_sleep(edo_ms(30)));
            assert_int_equal(rc, -ETIMEDOUT);
            assert_int_equal(edo_now() - self->start, edo_ms(100));
            edo_await(rc, edo_sleep(edo_ms(30))); // sticky, like a cancellation
            assert_int_equal(rc, -ETIMEDOUT);
            assert_int_equal(edo_now() - self->start, edo_ms(100));
            assert_true(edo_is_cancelled());
        }
        assert_false(edo_is_cancelled());
        edo_await(rc, edo_sleep(edo_s(5)));
        assert_int_equal(rc, 0);
        edo_return(0);
    }
}

async_test(a_block_in_time_leaves_nothing, edo_limit limit; int64_t start;)
{
    edo_body {
        int rc;
        self->start = edo_now();
        edo_within(&self->limit, edo_ms(100)) {
            edo_await(rc, edo_sleep(edo_ms(99)));
            assert_int_equal(rc, 0);
        }
        assert_null(self->edo_head.kept);
        edo_await(rc, edo_sleep(edo_s(5)));
        assert_int_equal(rc, 0);
        assert_int_equal(edo_now() - self->start, edo_ms(5099));
        edo_return(0);
    }
}

/* ---- ways out ---- */

async_test(break_and_continue_end_the_block, edo_limit limit; int round;)
{
    edo_body {
        int rc, inside = 0, behind = 0;
        for (self->round = 0; self->round < 4; self->round++) {
            edo_within(&self->limit, 0) {
                inside++;
                if (self->round == 1) break;
                if (self->round == 2) continue;
                assert_true(self->round == 0 || self->round == 3);
            }
            behind++;
            assert_null(self->edo_head.kept);
        }
        assert_int_equal(inside, 4);
        assert_int_equal(behind, 4);
        edo_await(rc, edo_sleep(edo_s(1)));
        assert_int_equal(rc, 0);
        edo_return(0);
    }
}

struct returns_from_the_block {
    edo_frame();
    edo_args();
    edo_limit limit;
};

edo_async(returns_from_the_block)
{
    edo_body {
        edo_within(&self->limit, edo_ms(10)) {
            edo_try(edo_sleep(edo_s(1)));
        }
        edo_return(0);
    }
}

async_test(a_return_ends_the_block,
    edo_callees(struct returns_from_the_block returns_from_the_block;))
{
    edo_body {
        int rc;
        edo_call(rc, returns_from_the_block);
        assert_int_equal(rc, -ETIMEDOUT);
        edo_await(rc, edo_sleep(edo_s(1)));
        assert_int_equal(rc, 0);
        edo_return(0);
    }
}

/* A goto to clean-up: without a shield the clean-up is limited too, with a shield it is not. */
struct goes_out {
    edo_frame();
    edo_args(bool shields;);
    edo_limit limit;
    int cleanup;
};

edo_async(goes_out)
{
    edo_body {
        edo_within(&self->limit, edo_ms(10)) {
            edo_try_or(out, edo_sleep(edo_s(1)));
        }
out:
        if (self->shields) edo_shield();
        edo_await(self->cleanup, edo_sleep(edo_s(1)));
        assert_int_equal(self->cleanup, self->shields ? 0 : -ETIMEDOUT);
        edo_return(edo_failure());
    }
}

async_test(a_goto_takes_the_limit_along, edo_callees(struct goes_out goes_out;))
{
    edo_body {
        int rc;
        edo_call(rc, goes_out, .shields = false);
        assert_int_equal(rc, -ETIMEDOUT);
        edo_call(rc, goes_out, .shields = true);
        assert_int_equal(rc, -ETIMEDOUT);
        edo_return(0);
    }
}

async_test(a_goto_may_lead_back_to_the_block, edo_limit limit; int round;)
{
    edo_body {
        int rc;
        self->round = 0;
again:
        edo_within(&self->limit, edo_ms(10)) {
            edo_await(rc, edo_sleep(self->round ? edo_ms(5) : edo_s(1)));
            assert_int_equal(rc, self->round ? 0 : -ETIMEDOUT);
            if (self->round++ == 0) goto again;
        }
        edo_await(rc, edo_sleep(edo_s(1)));
        assert_int_equal(rc, 0);
        edo_return(0);
    }
}

/* ---- awaits in the block ---- */

async_test(a_ready_operation_wins, edo_limit limit; struct gate gate;)
{
    edo_body {
        int rc;
        self->gate = gate_make_open(7);
        edo_within(&self->limit, edo_ms(-1)) {
            edo_await_on(rc, &self->gate.base);
            assert_int_equal(rc, 7);
            edo_await(rc, edo_yield());
            assert_int_equal(rc, -ETIMEDOUT);
        }
        edo_return(0);
    }
}

/* The budget is used up when the limit passes: a message is ready, but was not taken yet. */
struct a_ready_operation_wins_without_budget {
    edo_frame();
    edo_args();
    edo_limit limit;
    struct receive receive;
    int messages;
};

edo_async(a_ready_operation_wins_without_budget)
{
    edo_body {
        int rc;
        while (edo_cx_charge(cx))
            ;
        self->messages = 1;
        self->receive = receive_make(&self->messages);
        edo_within(&self->limit, 0) {
            edo_await_on(rc, &self->receive.base);
            assert_int_equal(rc, 1);
        }
        edo_return(0);
    }
}

test(budget_does_not_decide)
{
    run_unhurried(a_ready_operation_wins_without_budget);
}

/* Always ready: waits only for budget. */
struct ready_for_ever {
    edo_frame();
    edo_args();
    edo_limit limit;
    struct receive receive;
    int messages;
};

edo_async(ready_for_ever)
{
    edo_body {
        int rc;
        self->messages = 100000;
        edo_within(&self->limit, 0) {
            do {
                self->receive = receive_make(&self->messages);
                edo_await_on(rc, &self->receive.base);
            } while (rc == 1);
            assert_int_equal(rc, -ETIMEDOUT);
        }
        assert_in_range(self->messages, 99000, 99998);
        edo_return(0);
    }
}

test(a_fast_peer_does_not_hold_off_the_limit)
{
    run_unhurried(ready_for_ever);
}

async_test(what_is_ended_has_ended, edo_callees(struct step step;) edo_limit limit; int64_t start;)
{
    edo_body {
        int rc;
        self->start = edo_now();
        edo_within(&self->limit, edo_ms(10)) {
            edo_call(rc, step, .duration = edo_s(1), .cleanup = edo_ms(30));
            assert_int_equal(rc, -ETIMEDOUT); // the callee saw -ECANCELED
            assert_int_equal(edo_now() - self->start, edo_ms(40));
            edo_call(rc, step, .duration = edo_s(1)); // the function is called nevertheless
            assert_int_equal(rc, -ETIMEDOUT);
            edo_call_boxed(rc, step, .duration = edo_s(1));
            assert_int_equal(rc, -ETIMEDOUT);
        }
        edo_return(0);
    }
}

async_test(combinators_end_too, edo_limit limit; edo_op a, b;)
{
    edo_body {
        int rc;
        edo_within(&self->limit, edo_ms(10)) {
            self->a = edo_sleep(edo_s(1));
            self->b = edo_sleep(edo_ms(2));
            edo_all(&self->a.base, &self->b.base);
            assert_int_equal(self->a.base.result, -ETIMEDOUT);
            assert_int_equal(self->b.base.result, 0);
            self->a = edo_sleep(edo_s(1));
            self->b = edo_sleep(edo_s(1));
            edo_try_all(rc, &self->a.base, &self->b.base);
            assert_int_equal(rc, -ETIMEDOUT);
        }
        edo_within(&self->limit, edo_ms(10)) {
            self->a = edo_sleep(edo_s(1));
            self->b = edo_sleep(edo_s(1));
            edo_select(rc, &self->a.base, &self->b.base);
            assert_int_equal(rc, -ETIMEDOUT);
            self->a = edo_sleep(edo_s(1));
            self->b = edo_sleep(edo_s(1));
            edo_any(rc, &self->a.base, &self->b.base);
            assert_int_equal(rc, -ETIMEDOUT);
        }
        edo_return(0);
    }
}

async_test(two_limits_the_earlier_ends, edo_limit outer, inner; int64_t start;)
{
    edo_body {
        int rc;
        self->start = edo_now();
        edo_within(&self->outer, edo_ms(50)) {
            edo_within(&self->inner, edo_ms(20)) {
                edo_await(rc, edo_sleep(edo_s(1)));
                assert_int_equal(rc, -ETIMEDOUT);
            }
            assert_int_equal(edo_now() - self->start, edo_ms(20));
            edo_await_for(rc, edo_ms(10), edo_sleep(edo_s(1)));
            assert_int_equal(rc, -ETIMEDOUT);
            assert_int_equal(edo_now() - self->start, edo_ms(30));
            edo_within(&self->inner, edo_s(9)) {
                edo_await_for(rc, edo_s(9), edo_sleep(edo_s(10)));
                assert_int_equal(rc, -ETIMEDOUT);
                assert_int_equal(edo_now() - self->start, edo_ms(50));
            }
            edo_await(rc, edo_sleep(edo_s(1)));
            assert_int_equal(rc, -ETIMEDOUT);
        }
        assert_int_equal(edo_now() - self->start, edo_ms(50));
        edo_return(0);
    }
}

async_test(a_scope_is_left_in_time, edo_limit limit; edo_scope scope; unsigned ended;)
{
    edo_body {
        int rc;
        self->ended = 0;
        edo_scope_open(&self->scope, 0);
        rc = edo_scope_spawn(&self->scope, member, .duration = edo_s(1), .ended = &self->ended);
        assert_int_equal(rc, 0);
        edo_within(&self->limit, edo_ms(10)) {
            edo_await(rc, edo_scope_join(&self->scope));
            assert_int_equal(rc, -ETIMEDOUT);
        }
        assert_int_equal(self->ended, 1);
        edo_return(0);
    }
}

/* A future that was kept before, and is not awaited in the block. */
async_test(what_any_keeps_is_not_limited,
    edo_callees(struct step step;)
    edo_limit limit;
    edo_op kept, tick;)
{
    edo_body {
        int rc;
        self->kept = edo_sleep(edo_s(1));
        self->tick = edo_sleep(edo_ms(1));
        edo_any(rc, &self->kept.base, &self->tick.base);
        assert_int_equal(rc, 1);
        edo_within(&self->limit, edo_ms(10)) {
            edo_call(rc, step, .duration = edo_s(1), .cleanup = edo_ms(20));
            assert_int_equal(rc, -ETIMEDOUT);
        }
        edo_await_on(rc, &self->kept.base);
        assert_int_equal(rc, 0);
        edo_return(0);
    }
}

/* ---- cancellation and shield ---- */

struct victim {
    edo_frame(struct step step;);
    edo_args(int64_t limit;);
    edo_limit block, cleanup;
    int64_t result;
};

edo_async(victim)
{
    edo_body {
        int rc;
        edo_within(&self->block, self->limit) {
            edo_call(self->result, step, .duration = edo_ms(20));
            if (self->result < 0) break;
            edo_await(self->result, edo_sleep(edo_ms(20)));
        }
        edo_await(rc, edo_sleep(edo_ms(20)));
        edo_shield();
        edo_within(&self->cleanup, edo_ms(5)) { // bounds the clean-up
            edo_await(rc, edo_sleep(edo_ms(3)));
            assert_int_equal(rc, 0);
            edo_await(rc, edo_sleep(edo_ms(3)));
            assert_int_equal(rc, -ETIMEDOUT);
        }
        edo_await(rc, edo_sleep(edo_ms(1)));
        assert_int_equal(rc, 0);
        edo_return(self->result);
    }
}

/* The task is cancelled at every millisecond of its life, with limits before and after that. */
async_test(cancelled_at_every_point, edo_task *task; int64_t at, limit;)
{
    edo_body {
        int rc;
        for (self->at = 0; self->at <= 70; self->at++) {
            for (self->limit = 5; self->limit <= 45; self->limit += 10) {
                rc = edo_spawn(&self->task, victim, .limit = edo_ms(self->limit));
                assert_int_equal(rc, 0);
                edo_await(rc, edo_sleep(edo_ms(self->at) + edo_us(500)));
                edo_task_cancel(self->task);
                edo_await(rc, edo_join(self->task));
                bool in_time = self->limit > 40;
                int64_t end = in_time ? 40 : self->limit;
                assert_int_equal(rc, self->at < end ? -ECANCELED : in_time ? 0 : -ETIMEDOUT);
            }
        }
        edo_return(0);
    }
}

struct cleans_up_in_time {
    edo_frame();
    edo_args();
    edo_limit limit;
    int result;
};

edo_async(cleans_up_in_time)
{
    edo_body {
        edo_shield();
        edo_within(&self->limit, edo_s(1)) {
            edo_await(self->result, edo_sleep(edo_s(9)));
        }
        edo_return(self->result);
    }
}

async_test(a_limit_does_not_hold_off_an_abort, edo_task *task; int64_t start;)
{
    edo_body {
        int rc;
        rc = edo_spawn(&self->task, cleans_up_in_time);
        assert_int_equal(rc, 0);
        edo_await_void(settle());
        self->start = edo_now();
        edo_task_abort(self->task);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -ECANCELED);
        assert_int_equal(edo_now(), self->start);
        edo_return(0);
    }
}

/* ---- misuse ---- */

struct nested_with_one_limit {
    edo_frame();
    edo_args();
    edo_limit limit;
};

edo_async(nested_with_one_limit)
{
    edo_body {
        edo_within(&self->limit, edo_s(1)) {
            edo_within(&self->limit, edo_s(2)) {
                edo_try(edo_yield());
            }
        }
        edo_return(0);
    }
}

struct a_limit_on_the_stack {
    edo_frame();
    edo_args();
};

edo_async(a_limit_on_the_stack)
{
    edo_body {
        edo_limit limit;
        // edo-lint: allow(edo-local-address) this is what aborts
        edo_within(&limit, edo_s(1)) {
            edo_try(edo_yield());
        }
        edo_return(0);
    }
}

struct another_limit_at_the_end {
    edo_frame();
    edo_args();
    edo_limit limits[2];
    int i;
};

edo_async(another_limit_at_the_end)
{
    edo_body {
        self->i = 0;
        edo_within(&self->limits[self->i], edo_s(1)) {
            edo_try(edo_yield());
            self->i++;
        }
        edo_return(0);
    }
}

static void run_another_at_the_end(void *arg)
{
    (void)arg;
    exit(edo_run(another_limit_at_the_end));
}

static void run_nested(void *arg)
{
    (void)arg;
    exit(edo_run(nested_with_one_limit));
}

static void run_on_the_stack(void *arg)
{
    (void)arg;
    exit(edo_run(a_limit_on_the_stack));
}

test(misuse_aborts)
{
    expect_abort(run_nested, NULL,
                 "edo_within: line [0-9]+ opens a limit that line [0-9]+ has open");
    expect_abort(run_on_the_stack, NULL, "edo_within: .*limit");
    expect_abort(run_another_at_the_end, NULL,
                 "edo_within: closes a limit that is not open: .*"
                 "'another_limit_at_the_end' at .*test_within.c:[0-9]+");
}
