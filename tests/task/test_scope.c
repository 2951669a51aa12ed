/* Rule 10: scopes. Their owner cannot leave them before their members have ended. */
#include "task/probe.h"

#include <stdlib.h>

/* Sleeps, then answers. */
struct member {
    edo_frame();
    edo_args(int64_t duration, answer; unsigned *ended;);
};

edo_async(member)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(self->duration));
        if (self->ended) ++*self->ended;
        edo_return(rc < 0 ? rc : self->answer);
    }
}

/* ---- join ---- */

struct join_waits_for_all {
    edo_frame();
    edo_args();
    edo_scope scope;
    int64_t start;
    unsigned ended;
};

edo_test(join_waits_for_all)
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

struct an_empty_scope_is_joined_at_once {
    edo_frame();
    edo_args();
    edo_scope scope;
    int64_t start;
};

edo_test(an_empty_scope_is_joined_at_once)
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

struct a_joined_scope_takes_members_again {
    edo_frame();
    edo_args();
    edo_scope scope;
    unsigned ended;
    int round;
};

edo_test(a_joined_scope_takes_members_again)
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

struct a_scope_may_be_opened_again_in_a_loop {
    edo_frame();
    edo_args();
    edo_scope outer, scope;
    unsigned ended;
    int round;
};

edo_test(a_scope_may_be_opened_again_in_a_loop)
{
    edo_body {
        int rc;
        self->ended = 0;
        edo_scope_open(&self->scope, 0);
        edo_scope_open(&self->outer, 0);
        for (self->round = 0; self->round < 3; self->round++) {
            edo_scope_open(&self->scope, EDO_SCOPE_RESULTS);
            assert_int_equal(edo_scope_spawn(&self->scope, member, .ended = &self->ended), 0);
            edo_await(rc, edo_sleep(edo_ms(1))); // ended; its result is dropped
            assert_int_equal(edo_scope_count(&self->scope), 0);
        }
        assert_int_equal(self->ended, 3);
        edo_return(0);
    }
}

/* ---- failures ---- */

struct the_first_failure_is_answered_and_the_rest_go_on {
    edo_frame();
    edo_args();
    edo_scope scope;
    unsigned ended;
};

edo_test(the_first_failure_is_answered_and_the_rest_go_on)
{
    edo_body {
        int rc;
        self->ended = 0;
        edo_scope_open(&self->scope, 0);
        edo_scope_spawn(&self->scope, member, .duration = edo_ms(3), .ended = &self->ended);
        edo_scope_spawn(&self->scope, member, .duration = edo_ms(2), .answer = -EPIPE);
        edo_scope_spawn(&self->scope, member, .duration = edo_ms(1), .answer = -EIO);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(rc, -EIO);
        assert_int_equal(self->ended, 1);
        edo_await(rc, edo_scope_join(&self->scope)); // since it was opened
        assert_int_equal(rc, -EIO);
        edo_return(0);
    }
}

struct fail_fast_cancels_the_rest {
    edo_frame();
    edo_args();
    edo_scope scope;
    struct gate work, cleanup;
    int64_t start;
    unsigned ended;
};

edo_test(fail_fast_cancels_the_rest)
{
    edo_body {
        int rc;
        self->ended = 0;
        self->start = edo_now();
        self->work = gate_make();
        self->cleanup = gate_make();
        edo_scope_open(&self->scope, EDO_SCOPE_FAIL_FAST);
        edo_scope_spawn(&self->scope, member, .duration = edo_s(60), .ended = &self->ended);
        edo_scope_spawn(&self->scope, cleaner, .work = &self->work, .cleanup = &self->cleanup,
                        .ended = &self->ended);
        edo_scope_spawn(&self->scope, member, .duration = edo_ms(1), .answer = -EIO);
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

/* Under a cancelled scope, that is no failure. */
struct members_that_were_cancelled_have_not_failed {
    edo_frame();
    edo_args();
    edo_scope scope;
    unsigned ended;
};

edo_test(members_that_were_cancelled_have_not_failed)
{
    edo_body {
        int rc;
        self->ended = 0;
        edo_scope_open(&self->scope, EDO_SCOPE_FAIL_FAST);
        edo_scope_spawn(&self->scope, member, .duration = edo_s(60), .ended = &self->ended);
        edo_scope_spawn(&self->scope, member, .duration = edo_s(60), .ended = &self->ended);
        edo_await(rc, edo_yield());
        edo_scope_cancel(&self->scope);
        edo_scope_cancel(&self->scope);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(rc, 0);
        assert_int_equal(self->ended, 2);
        edo_return(0);
    }
}

struct a_member_that_ends_as_cancelled_by_itself_has_failed {
    edo_frame();
    edo_args();
    edo_scope scope;
};

edo_test(a_member_that_ends_as_cancelled_by_itself_has_failed)
{
    edo_body {
        int rc;
        edo_scope_open(&self->scope, 0);
        edo_scope_spawn(&self->scope, member, .answer = -ECANCELED);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(rc, -ECANCELED);
        edo_return(0);
    }
}

/* ---- next ---- */

struct next_answers_in_the_order_of_ends {
    edo_frame();
    edo_args();
    edo_scope scope;
    edo_member member;
    int i, user;
    uint64_t last_id;
    int64_t start;
};

edo_test(next_answers_in_the_order_of_ends)
{
    edo_body {
        int rc;
        self->start = edo_now();
        edo_scope_open(&self->scope, EDO_SCOPE_RESULTS);
        for (int i = 0; i < 4; i++)
            assert_int_equal(edo_scope_spawn(&self->scope, member, .duration = edo_ms(40 - i * 10),
                                             .answer = 40 - i * 10),
                             0);
        edo_spawn_options options = { .name = "last", .user = &self->user };
        assert_int_equal(edo_scope_spawn_with(&self->scope, &options, member,
                                              .duration = edo_ms(50), .answer = -EIO),
                         0);
        self->last_id = 0;
        for (self->i = 1; self->i <= 4; self->i++) {
            edo_await(rc, edo_scope_next(&self->scope, &self->member));
            assert_int_equal(rc, 1);
            assert_int_equal(self->member.result, self->i * 10);
            assert_int_equal(edo_now() - self->start, edo_ms(self->i * 10));
            assert_string_equal(self->member.name, "member");
            assert_null(self->member.user);
            assert_int_not_equal(self->member.id, self->last_id);
            self->last_id = self->member.id;
        }
        edo_await(rc, edo_scope_next(&self->scope, &self->member));
        assert_int_equal(rc, 1);
        assert_string_equal(self->member.name, "last");
        assert_ptr_equal(self->member.user, &self->user);
        assert_int_equal(self->member.result, -EIO);
        edo_await(rc, edo_scope_next(&self->scope, &self->member));
        assert_int_equal(rc, 0);
        edo_return(0);
    }
}

struct several_ended_members_wait_for_next {
    edo_frame();
    edo_args();
    edo_scope scope;
    edo_member member;
    int i;
};

edo_test(several_ended_members_wait_for_next)
{
    edo_body {
        int rc;
        edo_scope_open(&self->scope, EDO_SCOPE_RESULTS);
        for (int i = 0; i < 10; i++)
            edo_scope_spawn(&self->scope, member, .duration = edo_ms(i), .answer = i);
        edo_await(rc, edo_sleep(edo_ms(20)));
        assert_int_equal(edo_scope_count(&self->scope), 0);
        for (self->i = 0; self->i < 10; self->i++) {
            edo_await(rc, edo_scope_next(&self->scope, &self->member));
            assert_int_equal(rc, 1);
            assert_int_equal(self->member.result, self->i);
        }
        edo_await(rc, edo_scope_next(&self->scope, &self->member));
        assert_int_equal(rc, 0);
        edo_return(0);
    }
}

struct a_cancelled_next_takes_no_member {
    edo_frame();
    edo_args();
    edo_scope scope;
    edo_member member;
    edo_op next, sleep;
};

edo_test(a_cancelled_next_takes_no_member)
{
    edo_body {
        int rc;
        edo_scope_open(&self->scope, EDO_SCOPE_RESULTS);
        edo_scope_spawn(&self->scope, member, .duration = edo_ms(10), .answer = 7);
        self->next = edo_scope_next(&self->scope, &self->member);
        self->sleep = edo_sleep(edo_ms(1));
        edo_select(rc, &self->next.base, &self->sleep.base);
        assert_int_equal(rc, 1);
        assert_int_equal(self->next.base.result, -ECANCELED);
        assert_int_equal(edo_scope_count(&self->scope), 1);
        edo_await(rc, edo_scope_next(&self->scope, &self->member)); // the place is free again
        assert_int_equal(rc, 1);
        assert_int_equal(self->member.result, 7);
        edo_return(0);
    }
}

struct a_cancelled_next_answers_a_member_that_has_ended {
    edo_frame();
    edo_args();
    edo_scope scope;
    edo_member member;
    edo_op next;
};

edo_test(a_cancelled_next_answers_a_member_that_has_ended)
{
    edo_body {
        int rc;
        edo_scope_open(&self->scope, EDO_SCOPE_RESULTS);
        edo_scope_spawn(&self->scope, member, .answer = 7);
        self->next = edo_scope_next(&self->scope, &self->member);
        edo_await(rc, edo_sleep(edo_ms(1)));
        edo_cancel(&self->next.base);
        edo_await_on(rc, &self->next.base);
        assert_int_equal(rc, 1);
        assert_int_equal(self->member.result, 7);
        edo_return(0);
    }
}

struct next_without_results {
    edo_frame();
    edo_args();
    edo_scope scope;
    edo_member member;
};

edo_async(next_without_results)
{
    edo_body {
        int rc;
        edo_scope_open(&self->scope, 0);
        edo_await(rc, edo_scope_next(&self->scope, &self->member));
        edo_return(rc);
    }
}

static void run_next_without_results(void *arg)
{
    (void)arg;
    edo_run(next_without_results);
}

static void next_needs_results(void **state)
{
    (void)state;
    expect_abort(run_next_without_results, NULL,
                 "edo_scope_next: the scope was opened without EDO_SCOPE_RESULTS");
}

/* ---- one waits at a time ---- */

struct a_second_one_that_waits_is_refused {
    edo_frame();
    edo_args();
    edo_scope scope;
    edo_member member;
    edo_op join, second_join, next;
};

edo_test(a_second_one_that_waits_is_refused)
{
    edo_body {
        edo_scope_open(&self->scope, EDO_SCOPE_RESULTS);
        edo_scope_spawn(&self->scope, member, .duration = edo_ms(1));
        self->join = edo_scope_join(&self->scope);
        self->second_join = edo_scope_join(&self->scope);
        self->next = edo_scope_next(&self->scope, &self->member);
        edo_all(&self->join.base, &self->second_join.base, &self->next.base);
        assert_int_equal(self->join.base.result, 0);
        assert_int_equal(self->second_join.base.result, -EBUSY);
        assert_int_equal(self->next.base.result, -EBUSY);
        edo_return(0);
    }
}

/* ---- cancellation ---- */

struct cancel_ends_all_and_takes_no_more {
    edo_frame();
    edo_args();
    edo_scope scope;
    edo_member member;
    unsigned ended;
    int i;
    int64_t start;
};

edo_test(cancel_ends_all_and_takes_no_more)
{
    edo_body {
        int rc;
        self->ended = 0;
        self->start = edo_now();
        edo_scope_open(&self->scope, EDO_SCOPE_RESULTS);
        for (int i = 0; i < 5; i++)
            edo_scope_spawn(&self->scope, member, .duration = edo_s(60), .ended = &self->ended);
        edo_scope_cancel(&self->scope); // before their first polls
        for (self->i = 0; self->i < 5; self->i++) {
            edo_await(rc, edo_scope_next(&self->scope, &self->member));
            assert_int_equal(self->member.result, -ECANCELED);
        }
        assert_int_equal(self->ended, 5); // each has run
        rc = edo_scope_spawn(&self->scope, member, .ended = &self->ended);
        assert_int_equal(rc, -ECANCELED);
        edo_await(rc, edo_yield());
        assert_int_equal(self->ended, 5);
        assert_int_equal(edo_now(), self->start);
        edo_return(0);
    }
}

/* Has two members: one that cleans up, and one that fails if wanted. */
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
        edo_scope_spawn(&self->scope, cleaner, .work = self->work, .cleanup = self->cleanup,
                        .ended = self->ended);
        if (self->fail) edo_scope_spawn(&self->scope, member, .answer = -EIO);
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
            assert_int_equal(self->work.fate, EDO_LIVE); // nobody was cancelled
            gate_open(&self->work, 0);
        }
        gate_open(&self->cleanup, 0);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(self->ended, 1);
        edo_return(rc);
    }
}

struct a_cancelled_join_cancels_and_waits {
    edo_frame(struct join_test join_test;);
    edo_args();
};

edo_test(a_cancelled_join_cancels_and_waits)
{
    edo_body {
        int rc;
        edo_call(rc, join_test, .fail = false);
        assert_int_equal(rc, -ECANCELED);
        edo_call(rc, join_test, .fail = true);
        assert_int_equal(rc, -EIO); // the failure came before
        edo_call(rc, join_test, .shield = true);
        assert_int_equal(rc, 0);
        edo_return(0);
    }
}

struct a_limited_join_has_ended_the_members {
    edo_frame();
    edo_args();
    edo_scope scope;
    unsigned ended;
    int64_t start;
};

edo_test(a_limited_join_has_ended_the_members)
{
    edo_body {
        int rc;
        self->ended = 0;
        self->start = edo_now();
        edo_scope_open(&self->scope, 0);
        edo_scope_spawn(&self->scope, member, .duration = edo_s(60), .ended = &self->ended);
        edo_await_for(rc, edo_ms(5), edo_scope_join(&self->scope));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(self->ended, 1);
        assert_int_equal(edo_now() - self->start, edo_ms(5));
        edo_return(0);
    }
}

/* All had ended before the cancellation: that is its result. */
struct a_cancelled_join_with_a_result_answers_it {
    edo_frame();
    edo_args();
    edo_scope scope;
    edo_op join;
};

edo_test(a_cancelled_join_with_a_result_answers_it)
{
    edo_body {
        int rc;
        edo_scope_open(&self->scope, 0);
        edo_scope_spawn(&self->scope, member, .duration = edo_ms(1));
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

struct an_aborted_join_aborts_the_members {
    edo_frame();
    edo_args();
    struct gate work, cleanup;
    edo_task *task;
    unsigned ended;
};

edo_test(an_aborted_join_aborts_the_members)
{
    edo_body {
        int rc;
        self->work = gate_make();
        self->cleanup = gate_make(); // never opened
        self->ended = 0;
        assert_int_equal(edo_spawn(&self->task, joiner, .work = &self->work,
                                   .cleanup = &self->cleanup, .ended = &self->ended),
                         0);
        edo_await(rc, edo_yield());
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
            edo_scope_spawn(&self->scope, member, .duration = edo_s(60));
        edo_scope_spawn_with(&self->scope, &options, member, .duration = edo_s(60));
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
        edo_scope_spawn(&self->scope, member, .duration = edo_s(60));
        edo_scope_open(&self->scope, 0);
        edo_return(0);
    }
}

static void run_opens_again_early(void *arg)
{
    (void)arg;
    edo_run(opens_again_early);
}

static void leaving_early_aborts_with_the_names(void **state)
{
    int two = 2, many = 1000;
    (void)state;
    expect_abort(run_leaves_early, &two,
                 "leaves_early: it returned while its scope had 2 live members: "
                 "'member' #[0-9]+, 'named' #[0-9]+");
    expect_abort(run_leaves_early, &many,
                 "leaves_early: it returned while its scope had 1000 live members: 'member' #");
    expect_abort(run_opens_again_early, NULL, "opens_again_early: .* 1 live members: 'member' #");
}

struct a_scope_of_ended_members_may_be_left {
    edo_frame(struct member member;);
    edo_args();
    edo_scope scope;
};

edo_test(a_scope_of_ended_members_may_be_left)
{
    edo_body {
        int rc;
        edo_scope_open(&self->scope, EDO_SCOPE_RESULTS);
        edo_scope_spawn(&self->scope, member, .answer = 1);
        edo_await(rc, edo_sleep(edo_ms(1)));
        edo_return(rc); // a result that nobody asked for is dropped
    }
}

/* ---- who spawns ---- */

struct spawns_into {
    edo_frame();
    edo_args(edo_scope *scope; int depth; unsigned *ended;);
};

edo_async(spawns_into)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(edo_ms(1)));
        if (rc == 0 && self->depth > 0)
            rc = edo_scope_spawn(self->scope, spawns_into, .scope = self->scope,
                                 .depth = self->depth - 1, .ended = self->ended);
        ++*self->ended;
        edo_return(rc);
    }
}

struct members_may_spawn_members_while_it_is_joined {
    edo_frame();
    edo_args();
    edo_scope scope;
    unsigned ended;
    int64_t start;
};

edo_test(members_may_spawn_members_while_it_is_joined)
{
    edo_body {
        int rc;
        self->ended = 0;
        self->start = edo_now();
        edo_scope_open(&self->scope, 0);
        edo_scope_spawn(&self->scope, spawns_into, .scope = &self->scope, .depth = 9,
                        .ended = &self->ended);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(rc, 0);
        assert_int_equal(self->ended, 10);
        assert_int_equal(edo_now() - self->start, edo_ms(10));
        edo_return(0);
    }
}

struct other_tasks_may_spawn_members {
    edo_frame();
    edo_args();
    edo_scope scope;
    edo_task *task;
    unsigned ended;
};

edo_test(other_tasks_may_spawn_members)
{
    edo_body {
        int rc;
        self->ended = 0;
        edo_scope_open(&self->scope, 0);
        assert_int_equal(edo_spawn(&self->task, spawns_into, .scope = &self->scope, .depth = 1,
                                   .ended = &self->ended),
                         0);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 0);
        assert_int_equal(edo_scope_count(&self->scope), 1);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(self->ended, 2);
        edo_return(rc);
    }
}

/* ---- nested ---- */

struct nested {
    edo_frame();
    edo_args(int depth; unsigned *ended;);
    edo_scope scope;
};

edo_async(nested)
{
    edo_body {
        int rc;
        edo_scope_open(&self->scope, 0);
        for (int i = 0; i < 2; i++) {
            if (self->depth > 0)
                edo_scope_spawn(&self->scope, nested, .depth = self->depth - 1,
                                .ended = self->ended);
            else
                edo_scope_spawn(&self->scope, member, .duration = edo_s(60), .ended = self->ended);
        }
        edo_await(rc, edo_scope_join(&self->scope));
        ++*self->ended;
        edo_return(rc);
    }
}

struct a_cancellation_goes_down_nested_scopes {
    edo_frame();
    edo_args();
    edo_task *task;
    unsigned ended;
    int64_t start;
};

edo_test(a_cancellation_goes_down_nested_scopes)
{
    edo_body {
        int rc;
        self->ended = 0;
        self->start = edo_now();
        assert_int_equal(edo_spawn(&self->task, nested, .depth = 4, .ended = &self->ended), 0);
        edo_await(rc, edo_sleep(edo_ms(1)));
        edo_task_cancel(self->task);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -ECANCELED);
        assert_int_equal(self->ended, 31 + 32); // a tree of five levels, and its leaves
        assert_int_equal(edo_now() - self->start, edo_ms(1));
        edo_return(0);
    }
}

struct two_scopes {
    edo_frame();
    edo_args(unsigned *ended;);
    edo_scope a, b;
};

edo_async(two_scopes)
{
    edo_body {
        int rc;
        edo_scope_open(&self->a, EDO_SCOPE_RESULTS);
        edo_scope_open(&self->b, EDO_SCOPE_RESULTS);
        edo_scope_spawn(&self->a, member, .duration = edo_ms(2), .ended = self->ended);
        edo_scope_spawn(&self->b, member, .duration = edo_ms(1), .ended = self->ended);
        edo_await(rc, edo_scope_join(&self->a));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_scope_join(&self->b));
        edo_return(rc);
    }
}

struct a_function_may_have_several_scopes {
    edo_frame(struct two_scopes two_scopes;);
    edo_args();
    unsigned ended;
};

edo_test(a_function_may_have_several_scopes)
{
    edo_body {
        int rc;
        self->ended = 0;
        edo_call(rc, two_scopes, .ended = &self->ended);
        assert_int_equal(self->ended, 2);
        edo_return(rc);
    }
}

/* ---- many, and memory ---- */

enum { MANY = 10000 };

struct thousands {
    edo_frame();
    edo_args(uint32_t flags;);
    edo_scope scope;
    edo_member member;
    unsigned ended, told;
};

edo_async(thousands)
{
    edo_body {
        int rc;
        self->ended = self->told = 0;
        edo_scope_open(&self->scope, self->flags);
        for (int i = 0; i < MANY; i++)
            assert_int_equal(edo_scope_spawn(&self->scope, member, .duration = edo_us(i % 100),
                                             .ended = &self->ended),
                             0);
        while (self->flags) {
            edo_await(rc, edo_scope_next(&self->scope, &self->member));
            if (rc != 1) break;
            self->told++;
        }
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(self->ended, MANY);
        assert_int_equal(self->told, self->flags ? MANY : 0);
        edo_return(rc);
    }
}

static void thousands_of_members_leave_no_memory(void **state)
{
    edo_runtime *runtime;
    (void)state;
    test_allocator_install();
    assert_int_equal(edo_runtime_create(&(edo_config){ .test_clock = true }, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, thousands, .flags = 0), 0);
    assert_int_equal(edo_block_on(runtime, thousands, .flags = EDO_SCOPE_RESULTS), 0);
    assert_int_equal(edo_runtime_task_count(runtime), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    test_allocator_remove();
}

struct no_memory_for_a_member {
    edo_frame();
    edo_args();
    edo_scope scope;
    char *argument;
};

struct large_member {
    edo_frame();
    edo_args(char *argument;);
    char room[4096]; // more than a slab's block: asks the hooks each time
};

edo_async(large_member)
{
    edo_body {
        free(self->argument);
        edo_return(0);
    }
}

edo_test(no_memory_for_a_member)
{
    edo_body {
        int rc;
        self->argument = malloc(1);
        edo_scope_open(&self->scope, 0);
        test_allocator_fail_at(1);
        rc = edo_scope_spawn(&self->scope, large_member, .argument = self->argument);
        assert_int_equal(rc, -ENOMEM);
        assert_int_equal(edo_scope_count(&self->scope), 0);
        rc = edo_scope_spawn(&self->scope, large_member, .argument = self->argument);
        assert_int_equal(rc, 0);
        edo_await(rc, edo_scope_join(&self->scope));
        edo_return(rc);
    }
}

static void without_memory_the_arguments_stay_the_callers(void **state)
{
    test_allocator_install();
    no_memory_for_a_member_test(state);
    test_allocator_remove();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(join_waits_for_all_test),
        cmocka_unit_test(an_empty_scope_is_joined_at_once_test),
        cmocka_unit_test(a_joined_scope_takes_members_again_test),
        cmocka_unit_test(a_scope_may_be_opened_again_in_a_loop_test),
        cmocka_unit_test(the_first_failure_is_answered_and_the_rest_go_on_test),
        cmocka_unit_test(fail_fast_cancels_the_rest_test),
        cmocka_unit_test(members_that_were_cancelled_have_not_failed_test),
        cmocka_unit_test(a_member_that_ends_as_cancelled_by_itself_has_failed_test),
        cmocka_unit_test(next_answers_in_the_order_of_ends_test),
        cmocka_unit_test(several_ended_members_wait_for_next_test),
        cmocka_unit_test(a_cancelled_next_takes_no_member_test),
        cmocka_unit_test(a_cancelled_next_answers_a_member_that_has_ended_test),
        cmocka_unit_test(next_needs_results),
        cmocka_unit_test(a_second_one_that_waits_is_refused_test),
        cmocka_unit_test(cancel_ends_all_and_takes_no_more_test),
        cmocka_unit_test(a_cancelled_join_cancels_and_waits_test),
        cmocka_unit_test(a_limited_join_has_ended_the_members_test),
        cmocka_unit_test(a_cancelled_join_with_a_result_answers_it_test),
        cmocka_unit_test(an_aborted_join_aborts_the_members_test),
        cmocka_unit_test(leaving_early_aborts_with_the_names),
        cmocka_unit_test(a_scope_of_ended_members_may_be_left_test),
        cmocka_unit_test(members_may_spawn_members_while_it_is_joined_test),
        cmocka_unit_test(other_tasks_may_spawn_members_test),
        cmocka_unit_test(a_cancellation_goes_down_nested_scopes_test),
        cmocka_unit_test(a_function_may_have_several_scopes_test),
        cmocka_unit_test(thousands_of_members_leave_no_memory),
        cmocka_unit_test(without_memory_the_arguments_stay_the_callers),
    };
    return RUN(tests);
}
