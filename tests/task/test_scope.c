/* Rule 10: scopes. An owner cannot leave a scope before its members have ended. Joining, failures,
 * cancellation; spawning and edo_scope_next() are in test_scope_members.c. */
#include "task/probe.h"

#include <stdlib.h>

/* ---- join ---- */

async_test(join_waits_for_all, edo_scope scope; int64_t start; unsigned ended;)
{
    edo_body {
        int rc;
        self->start = edo_now();
        self->ended = 0;
        edo_scope_open(&self->scope, 0);
        for (int i = 1; i <= 5; i++)
            assert_int_equal(edo_scope_spawn(&self->scope, member, .duration = edo_ms(i),
                                             .answer = i, .ended = &self->ended),
                             0);
        assert_int_equal(edo_scope_count(&self->scope), 5);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(rc, 0);
        assert_int_equal(self->ended, 5);
        assert_int_equal(edo_now() - self->start, edo_ms(5));
        assert_int_equal(edo_scope_count(&self->scope), 0);
        edo_return(0);
    }
}

async_test(an_empty_scope_is_joined_at_once, edo_scope scope; int64_t start;)
{
    edo_body {
        int rc;
        edo_scope_open(&self->scope, 0);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_scope_join(&self->scope)); // again
        assert_int_equal(rc, 0);
        edo_scope_cancel(&self->scope);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(rc, 0);
        edo_return(0);
    }
}

async_test(a_joined_scope_takes_members_again, edo_scope scope; unsigned ended; int round;)
{
    edo_body {
        int rc;
        self->ended = 0;
        edo_scope_open(&self->scope, 0);
        for (self->round = 0; self->round < 3; self->round++) {
            assert_int_equal(edo_scope_spawn(&self->scope, member, .ended = &self->ended), 0);
            edo_await(rc, edo_scope_join(&self->scope));
            assert_int_equal(rc, 0);
        }
        assert_int_equal(self->ended, 3);
        edo_return(0);
    }
}

async_test(a_scope_may_be_opened_again_in_a_loop,
    edo_scope outer, scope;
    unsigned ended;
    int round;)
{
    edo_body {
        int rc;
        self->ended = 0;
        edo_scope_open(&self->scope, 0);
        edo_scope_open(&self->outer, 0);
        for (self->round = 0; self->round < 3; self->round++) {
            edo_scope_open(&self->scope, EDO_SCOPE_RESULTS);
            assert_int_equal(edo_scope_spawn(&self->scope, member, .ended = &self->ended), 0);
            edo_await(rc, edo_sleep(edo_ms(1))); // ended; the result is dropped
            assert_int_equal(edo_scope_count(&self->scope), 0);
        }
        assert_int_equal(self->ended, 3);
        edo_return(0);
    }
}

/* ---- failures ---- */

async_test(the_first_failure_is_answered_and_the_rest_go_on, edo_scope scope; unsigned ended;)
{
    edo_body {
        int rc;
        self->ended = 0;
        edo_scope_open(&self->scope, 0);
        assert_int_equal(
            edo_scope_spawn(&self->scope, member, .duration = edo_ms(3), .ended = &self->ended), 0);
        assert_int_equal(
            edo_scope_spawn(&self->scope, member, .duration = edo_ms(2), .answer = -EPIPE), 0);
        assert_int_equal(
            edo_scope_spawn(&self->scope, member, .duration = edo_ms(1), .answer = -EIO), 0);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(rc, -EIO);
        assert_int_equal(self->ended, 1);
        edo_await(rc, edo_scope_join(&self->scope)); // the first failure since the open
        assert_int_equal(rc, -EIO);
        edo_return(0);
    }
}

async_test(fail_fast_cancels_the_rest,
    edo_scope scope;
    struct gate work, cleanup;
    int64_t start;
    unsigned ended;)
{
    edo_body {
        int rc;
        self->ended = 0;
        self->start = edo_now();
        self->work = gate_make();
        self->cleanup = gate_make();
        edo_scope_open(&self->scope, EDO_SCOPE_FAIL_FAST);
        assert_int_equal(
            edo_scope_spawn(&self->scope, member, .duration = edo_s(60), .ended = &self->ended), 0);
        assert_int_equal(edo_scope_spawn(&self->scope, cleaner, .work = &self->work,
                                         .cleanup = &self->cleanup, .ended = &self->ended),
                         0);
        assert_int_equal(
            edo_scope_spawn(&self->scope, member, .duration = edo_ms(1), .answer = -EIO), 0);
        assert_int_equal(edo_go(opener, .gate = &self->cleanup, .after = 20), 0);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(rc, -EIO);
        assert_int_equal(self->ended, 2);
        assert_int_equal(edo_now() - self->start, edo_ms(1));
        rc = edo_scope_spawn(&self->scope, member, .ended = &self->ended);
        assert_int_equal(rc, -ECANCELED);
        edo_return(0);
    }
}

/* In a cancelled scope, -ECANCELED of a member is no failure. */
async_test(members_that_were_cancelled_have_not_failed, edo_scope scope; unsigned ended;)
{
    edo_body {
        int rc;
        self->ended = 0;
        edo_scope_open(&self->scope, EDO_SCOPE_FAIL_FAST);
        assert_int_equal(
            edo_scope_spawn(&self->scope, member, .duration = edo_s(60), .ended = &self->ended), 0);
        assert_int_equal(
            edo_scope_spawn(&self->scope, member, .duration = edo_s(60), .ended = &self->ended), 0);
        edo_await(rc, settle());
        edo_scope_cancel(&self->scope);
        edo_scope_cancel(&self->scope);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(rc, 0);
        assert_int_equal(self->ended, 2);
        edo_return(0);
    }
}

async_test(a_member_that_ends_as_cancelled_by_itself_has_failed, edo_scope scope;)
{
    edo_body {
        int rc;
        edo_scope_open(&self->scope, 0);
        assert_int_equal(edo_scope_spawn(&self->scope, member, .answer = -ECANCELED), 0);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(rc, -ECANCELED);
        edo_return(0);
    }
}

/* ---- cancellation ---- */

async_test(cancel_ends_all_and_takes_no_more,
    edo_scope scope;
    edo_member member;
    unsigned ended;
    int i;
    int64_t start;)
{
    edo_body {
        int rc;
        self->ended = 0;
        self->start = edo_now();
        edo_scope_open(&self->scope, EDO_SCOPE_RESULTS);
        for (int i = 0; i < 5; i++)
            assert_int_equal(
                edo_scope_spawn(&self->scope, member, .duration = edo_s(60), .ended = &self->ended),
                0);
        edo_scope_cancel(&self->scope); // before their first polls
        for (self->i = 0; self->i < 5; self->i++) {
            edo_await(rc, edo_scope_next(&self->scope, &self->member));
            assert_int_equal(self->member.result, -ECANCELED);
        }
        assert_int_equal(self->ended, 5); // each has run
        rc = edo_scope_spawn(&self->scope, member, .ended = &self->ended);
        assert_int_equal(rc, -ECANCELED);
        assert_int_equal(edo_now(), self->start);
        edo_await(rc, settle());
        assert_int_equal(self->ended, 5);
        edo_return(0);
    }
}

/* Has two members: one that cleans up, and one that fails on request. */
struct joiner {
    edo_frame();
    edo_args(struct gate *work, *cleanup; unsigned *ended; bool fail, shield;);
    edo_scope scope;
};

edo_async(joiner)
{
    edo_body {
        int rc;
        edo_scope_open(&self->scope, 0);
        assert_int_equal(edo_scope_spawn(&self->scope, cleaner, .work = self->work,
                                         .cleanup = self->cleanup, .ended = self->ended),
                         0);
        if (self->fail) assert_int_equal(edo_scope_spawn(&self->scope, member, .answer = -EIO), 0);
        if (self->shield) edo_shield();
        edo_await(rc, edo_scope_join(&self->scope));
        edo_return(rc);
    }
}

struct join_test {
    edo_frame();
    edo_args(bool fail, shield;);
    struct gate work, cleanup;
    edo_task *task;
    unsigned ended;
};

edo_async(join_test)
{
    edo_body {
        int rc;
        self->work = gate_make();
        self->cleanup = gate_make();
        self->ended = 0;
        assert_int_equal(edo_spawn(&self->task, joiner, .work = &self->work,
                                   .cleanup = &self->cleanup, .ended = &self->ended,
                                   .fail = self->fail, .shield = self->shield),
                         0);
        edo_await(rc, edo_sleep(edo_ms(1)));
        edo_task_cancel(self->task);
        edo_await(rc, edo_sleep(edo_ms(1)));
        assert_false(edo_task_is_done(self->task));
        if (self->shield) {
            assert_int_equal(self->work.fate, EDO_LIVE); // the member was not cancelled
            gate_open(&self->work, 0);
        }
        gate_open(&self->cleanup, 0);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(self->ended, 1);
        edo_return(rc);
    }
}

async_test(a_cancelled_join_cancels_and_waits, edo_callees(struct join_test join_test;))
{
    edo_body {
        int rc;
        edo_call(rc, join_test, .fail = false);
        assert_int_equal(rc, -ECANCELED);
        edo_call(rc, join_test, .fail = true);
        assert_int_equal(rc, -EIO); // the failure preceded the cancellation
        edo_call(rc, join_test, .shield = true);
        assert_int_equal(rc, 0);
        edo_return(0);
    }
}

async_test(a_limited_join_has_ended_the_members, edo_scope scope; unsigned ended; int64_t start;)
{
    edo_body {
        int rc;
        self->ended = 0;
        self->start = edo_now();
        edo_scope_open(&self->scope, 0);
        assert_int_equal(
            edo_scope_spawn(&self->scope, member, .duration = edo_s(60), .ended = &self->ended), 0);
        edo_await_for(rc, edo_ms(5), edo_scope_join(&self->scope));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(self->ended, 1);
        assert_int_equal(edo_now() - self->start, edo_ms(5));
        edo_return(0);
    }
}

/* All members ended before the cancellation, so the join has its result. */
async_test(a_cancelled_join_with_a_result_answers_it, edo_scope scope; edo_op join;)
{
    edo_body {
        int rc;
        edo_scope_open(&self->scope, 0);
        assert_int_equal(edo_scope_spawn(&self->scope, member, .duration = edo_ms(1)), 0);
        self->join = edo_scope_join(&self->scope);
        assert_int_equal(edo_poll_future(&self->join.base, cx), EDO_PENDING);
        edo_await(rc, edo_sleep(edo_ms(2)));
        edo_cancel(&self->join.base);
        edo_await_on(rc, &self->join.base);
        assert_int_equal(rc, 0);
        assert_int_equal(edo_scope_spawn(&self->scope, member, .duration = 0), 0); // not cancelled
        edo_await(rc, edo_scope_join(&self->scope));
        edo_return(rc);
    }
}

async_test(an_aborted_join_aborts_the_members,
    struct gate work, cleanup;
    edo_task *task;
    unsigned ended;)
{
    edo_body {
        int rc;
        self->work = gate_make();
        self->cleanup = gate_make(); // never opened
        self->ended = 0;
        assert_int_equal(edo_spawn(&self->task, joiner, .work = &self->work,
                                   .cleanup = &self->cleanup, .ended = &self->ended),
                         0);
        edo_await(rc, settle());
        edo_task_cancel(self->task);
        edo_await(rc, edo_sleep(edo_ms(1)));
        assert_int_equal(self->ended, 0);
        edo_task_abort(self->task);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -ECANCELED);
        assert_int_equal(self->cleanup.fate, EDO_ABORTED);
        assert_int_equal(self->ended, 1);
        edo_return(0);
    }
}

/* ---- leaving early ---- */

struct leaves_early {
    edo_frame();
    edo_args(int members;);
    edo_scope scope;
};

edo_async(leaves_early)
{
    edo_body {
        edo_spawn_options options = { .name = "named" };
        edo_scope_open(&self->scope, 0);
        for (int i = 0; i + 1 < self->members; i++)
            assert_int_equal(edo_scope_spawn(&self->scope, member, .duration = edo_s(60)), 0);
        assert_int_equal(
            edo_scope_spawn_with(&self->scope, &options, member, .duration = edo_s(60)), 0);
        edo_return(0);
    }
}

static void run_leaves_early(void *arg)
{
    edo_run(leaves_early, .members = *(int *)arg);
}

struct opens_again_early {
    edo_frame();
    edo_args();
    edo_scope scope;
};

edo_async(opens_again_early)
{
    edo_body {
        edo_scope_open(&self->scope, 0);
        assert_int_equal(edo_scope_spawn(&self->scope, member, .duration = edo_s(60)), 0);
        edo_scope_open(&self->scope, 0);
        edo_return(0);
    }
}

static void run_opens_again_early(void *arg)
{
    (void)arg;
    edo_run(opens_again_early);
}

/* ---- EDO_SCOPE_IGNORE ---- */

async_test(a_scope_may_ignore_failures, edo_scope scope; edo_member member; unsigned ended;)
{
    edo_body {
        int rc;
        self->ended = 0;
        edo_scope_open(&self->scope, EDO_SCOPE_IGNORE | EDO_SCOPE_RESULTS);
        for (int i = 1; i <= 3; i++)
            assert_int_equal(edo_scope_spawn(&self->scope, member, .duration = edo_ms(i),
                                             .answer = -i, .ended = &self->ended),
                             0);
        edo_await(rc, edo_scope_next(&self->scope, &self->member));
        assert_int_equal(rc, 1);
        assert_int_equal(self->member.result, -1); // still reported by edo_scope_next()
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(rc, 0);
        assert_int_equal(self->ended, 3);
        edo_return(0);
    }
}

struct contradicts_itself {
    edo_frame();
    edo_args();
    edo_scope scope;
};

edo_async(contradicts_itself)
{
    edo_body {
        edo_scope_open(&self->scope, EDO_SCOPE_IGNORE | EDO_SCOPE_FAIL_FAST);
        edo_return(0);
    }
}

static void run_contradiction(void *arg)
{
    (void)arg;
    exit(edo_run(contradicts_itself));
}

test(contradicting_flags_abort)
{
    expect_abort(run_contradiction, NULL,
                 "edo_scope_open: EDO_SCOPE_IGNORE contradicts EDO_SCOPE_FAIL_FAST");
}

test(leaving_early_aborts_with_the_names)
{
    int two = 2, many = 1000;
    expect_abort(run_leaves_early, &two,
                 "leaves_early: returned while its scope had 2 live members: "
                 "'member' #[0-9]+, 'named' #[0-9]+");
    expect_abort(run_leaves_early, &many,
                 "leaves_early: returned while its scope had 1000 live members: 'member' #");
    expect_abort(run_opens_again_early, NULL, "opens_again_early: .* 1 live members: 'member' #");
}

async_test(a_scope_of_ended_members_may_be_left,
    edo_callees(struct member member;)
    edo_scope scope;)
{
    edo_body {
        int rc;
        edo_scope_open(&self->scope, EDO_SCOPE_RESULTS);
        assert_int_equal(edo_scope_spawn(&self->scope, member, .answer = 1), 0);
        edo_await(rc, edo_sleep(edo_ms(1)));
        edo_return(rc); // results that were not taken are dropped
    }
}

/* ---- an abort without a cancellation before ---- */

struct owner {
    edo_frame();
    edo_args(gate *work, *cleanup;);
    edo_scope scope;
};

edo_async(owner)
{
    edo_body {
        int rc;
        edo_scope_open(&self->scope, 0);
        rc = edo_scope_spawn(&self->scope, cleaner, .work = self->work, .cleanup = self->cleanup);
        assert_int_equal(rc, 0);
        edo_await(rc, edo_scope_join(&self->scope));
        edo_return(rc);
    }
}

async_test(an_abort_of_the_joiner_aborts_members_that_were_never_cancelled,
    gate work, cleanup;
    edo_task *task;)
{
    edo_body {
        int rc;
        self->work = gate_make();
        self->cleanup = gate_make();
        rc = edo_spawn(&self->task, owner, .work = &self->work, .cleanup = &self->cleanup);
        assert_int_equal(rc, 0);
        edo_await(rc, edo_sleep(1));
        edo_task_abort(self->task);
        edo_await(rc, edo_sleep(1));
        assert_true(edo_task_is_done(self->task));
        assert_int_equal(self->cleanup.base.fate, EDO_ABORTED);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -ECANCELED);
        edo_return(0);
    }
}

/* ---- results of members, at the join ---- */

async_test(a_join_keeps_the_results_of_members,
    edo_scope scope;
    edo_member member;
    gate open;
    int sum, i;)
{
    edo_body {
        int rc;
        self->open = gate_make_open(7);
        self->sum = 0;
        edo_scope_open(&self->scope, EDO_SCOPE_RESULTS);
        for (self->i = 0; self->i < 3; self->i++)
            assert_int_equal(edo_scope_spawn(&self->scope, passer, .gate = &self->open), 0);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(rc, 0);
        for (;;) {
            edo_await(rc, edo_scope_next(&self->scope, &self->member));
            if (rc == 0) break;
            self->sum += (int)self->member.result;
        }
        assert_int_equal(self->sum, 21);
        edo_return(0);
    }
}
