/* edo_all and edo_try_all: all run to their ends; with try, the first failure cancels the rest. */
#include "task/probe.h"

/* ---- edo_all ---- */

async_test(all_run_side_by_side, edo_op a, b, c; int64_t start;)
{
    edo_body {
        self->start = edo_now();
        self->a = edo_sleep(edo_ms(30));
        self->b = edo_sleep(edo_ms(10));
        self->c = edo_sleep(edo_ms(20));
        edo_all(&self->a.base, &self->b.base, &self->c.base);
        assert_int_equal(edo_now() - self->start, edo_ms(30));
        assert_int_equal(self->a.base.result, 0);
        assert_int_equal(self->b.base.result, 0);
        assert_int_equal(self->c.base.result, 0);
        edo_return(0);
    }
}

async_test(each_result_stands_in_its_future, struct gate a, b, c;)
{
    edo_body {
        self->a = gate_make();
        self->b = gate_make_open(-EIO);
        self->c = gate_make();
        assert_int_equal(edo_go(opener, .gate = &self->c, .value = 3, .after = 1), 0);
        assert_int_equal(edo_go(opener, .gate = &self->a, .value = 1, .after = 2), 0);
        edo_all(&self->a.base, &self->b.base, &self->c.base);
        assert_int_equal(self->a.base.result, 1);
        assert_int_equal(self->b.base.result, -EIO); // a failure does not stop the others
        assert_int_equal(self->c.base.result, 3);
        edo_return(0);
    }
}

struct waits_for_all {
    edo_frame();
    edo_args(edo_future *a, *b;);
};

edo_async(waits_for_all)
{
    edo_body {
        edo_all(self->a, self->b);
        edo_return(edo_is_cancelled() ? -ECANCELED : 0);
    }
}

async_test(a_cancelled_all_waits_for_its_children,
    struct gate a, work, cleanup;
    struct cleaner cleaner;
    struct waits_for_all child;
    unsigned ended;)
{
    edo_body {
        self->a = gate_make();
        self->work = gate_make();
        self->cleanup = gate_make();
        self->ended = 0;
        edo_init(&self->cleaner, cleaner, .work = &self->work, .cleanup = &self->cleanup,
                 .ended = &self->ended);
        edo_init(&self->child, waits_for_all, .a = &self->a.base, .b = &self->cleaner.base);
        assert_int_equal(edo_poll_future(&self->child.base, cx), EDO_PENDING);
        edo_cancel(&self->child.base);
        assert_int_equal(edo_poll_future(&self->child.base, cx), EDO_PENDING);
        assert_int_equal(self->a.base.result, -ECANCELED);
        gate_open(&self->cleanup, 0);
        edo_all(&self->child.base);
        assert_int_equal(self->child.base.result, -ECANCELED);
        assert_int_equal(self->ended, 1);
        edo_return(0);
    }
}

struct one_branch_is_cancelled_by_another {
    edo_frame();
    edo_args(edo_future *victim;);
};

edo_async(one_branch_is_cancelled_by_another)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(edo_ms(5)));
        edo_cancel(self->victim);
        edo_return(rc);
    }
}

async_test(a_branch_may_be_cancelled_alone,
    edo_op victim, other;
    struct one_branch_is_cancelled_by_another canceller;
    int64_t start;)
{
    edo_body {
        self->start = edo_now();
        self->victim = edo_sleep(edo_s(60));
        self->other = edo_sleep(edo_ms(10));
        edo_init(&self->canceller, one_branch_is_cancelled_by_another,
                 .victim = &self->victim.base);
        edo_all(&self->canceller.base, &self->victim.base, &self->other.base);
        assert_int_equal(self->victim.base.result, -ECANCELED);
        assert_int_equal(self->other.base.result, 0);
        assert_int_equal(edo_now() - self->start, edo_ms(10));
        edo_return(0);
    }
}

/* ---- edo_try_all ---- */

async_test(without_a_failure_try_all_answers_zero, struct gate a, b;)
{
    edo_body {
        int rc;
        self->a = gate_make();
        self->b = gate_make_open(7);
        assert_int_equal(edo_go(opener, .gate = &self->a, .value = 5, .after = 1), 0);
        edo_try_all(rc, &self->a.base, &self->b.base);
        assert_int_equal(rc, 0);
        assert_int_equal(self->a.base.result, 5);
        assert_int_equal(self->b.base.result, 7);
        edo_return(0);
    }
}

async_test(the_first_failure_cancels_the_rest, struct gate a, b, c; int round;)
{
    edo_body {
        int rc;
        for (self->round = 0; self->round < 2; self->round++) {
            self->a = gate_make();
            self->b = gate_make();
            self->c = gate_make();
            if (self->round == 0)
                gate_open(&self->b, -EIO); // in the first pass: a was polled, c is still new
            else
                assert_int_equal(edo_go(opener, .gate = &self->b, .value = -EIO, .after = 1), 0);
            edo_try_all(rc, &self->a.base, &self->b.base, &self->c.base);
            assert_int_equal(rc, -EIO);
            assert_int_equal(self->a.base.result, -ECANCELED);
            assert_int_equal(self->c.base.result, -ECANCELED);
            assert_int_equal(self->a.base.state, EDO_DONE);
            assert_int_equal(self->c.base.state, EDO_DONE);
        }
        edo_return(0);
    }
}

/* One child ends before the first failure, another fails after it. */
async_test(the_first_failure_is_told, struct gate good, bad, worse;)
{
    edo_body {
        int rc;
        self->good = gate_make_open(1);
        self->bad = gate_make();
        self->worse = gate_make_stubborn();
        assert_int_equal(edo_go(opener, .gate = &self->bad, .value = -EPIPE, .after = 1), 0);
        assert_int_equal(edo_go(opener, .gate = &self->worse, .value = -EIO, .after = 4), 0);
        edo_try_all(rc, &self->worse.base, &self->good.base, &self->bad.base);
        assert_int_equal(rc, -EPIPE);
        assert_int_equal(self->good.base.result, 1);
        assert_int_equal(self->worse.base.result, -EIO);
        edo_return(0);
    }
}

async_test(the_rest_have_ended_their_clean_up,
    struct gate bad, work, cleanup;
    struct cleaner cleaner;
    unsigned ended;)
{
    edo_body {
        int rc;
        self->bad = gate_make();
        self->work = gate_make();
        self->cleanup = gate_make();
        self->ended = 0;
        edo_init(&self->cleaner, cleaner, .work = &self->work, .cleanup = &self->cleanup,
                 .ended = &self->ended);
        assert_int_equal(edo_go(opener, .gate = &self->bad, .value = -EPIPE, .after = 1), 0);
        assert_int_equal(edo_go(opener, .gate = &self->cleanup, .after = 6), 0);
        edo_try_all(rc, &self->cleaner.base, &self->bad.base);
        assert_int_equal(rc, -EPIPE);
        assert_int_equal(self->ended, 1);
        edo_return(0);
    }
}

async_test(functions_that_have_not_begun_run_as_cancelled,
    struct gate bad, unopened;
    struct passer child;
    unsigned ended;)
{
    edo_body {
        int rc;
        self->bad = gate_make_open(-EIO);
        self->unopened = gate_make();
        self->ended = 0;
        edo_init(&self->child, passer, .gate = &self->unopened, .ended = &self->ended);
        edo_try_all(rc, &self->bad.base, &self->child.base);
        assert_int_equal(rc, -EIO);
        assert_int_equal(self->ended, 1);
        assert_int_equal(self->child.base.result, -ECANCELED);
        edo_return(0);
    }
}

/* A child that was not polled before the failure is polled as cancelled, and has no effect. */
async_test(behind_a_failure_nothing_begins, struct gate bad; struct receive receive; int messages;)
{
    edo_body {
        int rc;
        self->messages = 1;
        self->bad = gate_make_open(-EIO);
        self->receive = receive_make(&self->messages);
        edo_try_all(rc, &self->bad.base, &self->receive.base);
        assert_int_equal(rc, -EIO);
        assert_int_equal(self->messages, 1);
        assert_int_equal(self->receive.base.result, -ECANCELED);
        edo_return(0);
    }
}

struct tries_all {
    edo_frame();
    edo_args(edo_future *a, *b;);
};

edo_async(tries_all)
{
    edo_body {
        int rc;
        edo_try_all(rc, self->a, self->b);
        edo_return(rc);
    }
}

async_test(cancelled_from_outside_try_all_answers_so, struct gate a, b; struct tries_all child;)
{
    edo_body {
        self->a = gate_make();
        self->b = gate_make();
        edo_init(&self->child, tries_all, .a = &self->a.base, .b = &self->b.base);
        assert_int_equal(edo_poll_future(&self->child.base, cx), EDO_PENDING);
        edo_cancel(&self->child.base);
        edo_all(&self->child.base);
        assert_int_equal(self->child.base.result, -ECANCELED);
        edo_return(0);
    }
}

/* The failure is stored in the frame; a later edo_try_all() begins without one. */
async_test(a_failure_of_one_is_not_that_of_the_next, struct gate a, b;)
{
    edo_body {
        int rc;
        self->a = gate_make_open(-EIO);
        edo_try_all(rc, &self->a.base);
        assert_int_equal(rc, -EIO);
        self->a = gate_make_open(1);
        self->b = gate_make();
        assert_int_equal(edo_go(opener, .gate = &self->b, .value = 1, .after = 1), 0);
        edo_try_all(rc, &self->a.base, &self->b.base);
        assert_int_equal(rc, 0);
        edo_return(0);
    }
}

/* ---- misuse: a future has one link, so it belongs to one await of several futures at a time ---- */

struct awaits_another {
    edo_frame();
    edo_args(edo_future *other; int polls;);
};

edo_async(awaits_another)
{
    edo_body {
        int64_t result;
        for (; self->polls > 0; self->polls--) {
            edo_await(result, edo_yield());
        }
        edo_await_on(result, self->other);
        edo_return(result);
    }
}

struct waits_for_array {
    edo_frame();
    edo_args(struct gate *gates;);
};

edo_async(waits_for_array)
{
    edo_body {
        edo_all_of(self->gates, 2);
        edo_return(0);
    }
}

enum twice {
    SIBLING_BEFORE,
    SIBLING_BEHIND,
    SIBLING_WAITS,
    SIBLING_ENDED,
    OF_ARRAY,
    IN_ALL,
    IN_TRY_ALL,
    IN_SELECT,
    IN_ANY,
    TWICE
};

struct awaits_twice {
    edo_frame();
    edo_args(enum twice how;);
    struct gate gates[2];
    struct awaits_another child;
    struct waits_for_array array;
};

edo_async(awaits_twice)
{
    edo_body {
        int rc;
        self->gates[0] = self->how == SIBLING_ENDED ? gate_make_open(1) : gate_make();
        self->gates[1] = gate_make();
        edo_init(&self->array, waits_for_array, .gates = self->gates);
        edo_init(&self->child, awaits_another, .other = &self->gates[0].base,
                 .polls = self->how == SIBLING_WAITS);
        if (self->how == SIBLING_BEHIND)
            edo_all(&self->child.base, &self->gates[0].base, &self->gates[1].base);
        else if (self->how < OF_ARRAY)
            edo_all(&self->gates[0].base, &self->gates[1].base, &self->child.base);
        else if (self->how == OF_ARRAY)
            edo_all(&self->array.base, &self->child.base);
        else if (self->how == IN_ALL)
            edo_all(&self->gates[0].base, &self->gates[1].base, &self->gates[0].base);
        else if (self->how == IN_TRY_ALL)
            edo_try_all(rc, &self->gates[0].base, &self->gates[0].base);
        else if (self->how == IN_SELECT)
            edo_select(rc, &self->gates[0].base, &self->gates[1].base, &self->gates[0].base);
        else
            edo_any(rc, &self->gates[0].base, &self->gates[1].base, &self->gates[1].base);
        edo_return(0);
    }
}

static void run_twice(void *arg)
{
    edo_run(awaits_twice, .how = *(enum twice *)arg);
}

test(a_future_of_another_await_aborts)
{
    if (!EDO_DEBUG) skip(); // a check of debug builds
    for (enum twice how = SIBLING_BEFORE; how < TWICE; how++)
        expect_abort(run_twice, &how,
                     how < IN_ALL
                         ? "^edo: gate: awaited twice: .*task 'awaits_twice'.*"
                           "in 'awaits_another' at .*test_all.c:[0-9]+"
                         : "^edo: gate: awaited twice: .*in 'awaits_twice' at .*test_all.c:[0-9]+");
}

/* A future that has ended may be awaited again, together with others. */
async_test(what_has_ended_may_be_awaited_again, struct gate gates[2];)
{
    edo_body {
        int rc;
        for (int i = 0; i < 2; i++)
            self->gates[i] = gate_make_open(i);
        edo_all(&self->gates[0].base, &self->gates[1].base);
        edo_try_all(rc, &self->gates[1].base, &self->gates[0].base);
        assert_int_equal(rc, 0);
        edo_select_biased(rc, &self->gates[1].base, &self->gates[0].base);
        assert_int_equal(rc, 0);
        edo_any_of(rc, self->gates, 2);
        assert_in_range(rc, 0, 1);
        edo_await_on(rc, &self->gates[1].base);
        assert_int_equal(rc, 1);
        edo_return(0);
    }
}
