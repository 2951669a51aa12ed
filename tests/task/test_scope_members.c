/* Members of scopes: edo_scope_next(), spawning from several tasks, nested scopes, many members. */
#include "task/probe.h"

#include <stdlib.h>

/* ---- next ---- */

async_test(next_answers_in_the_order_of_ends,
    edo_scope scope;
    edo_member member;
    int i, user;
    uint64_t last_id;
    int64_t start;)
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

async_test(several_ended_members_wait_for_next, edo_scope scope; edo_member member; int i;)
{
    edo_body {
        int rc;
        edo_scope_open(&self->scope, EDO_SCOPE_RESULTS);
        for (int i = 0; i < 10; i++)
            assert_int_equal(
                edo_scope_spawn(&self->scope, member, .duration = edo_ms(i), .answer = i), 0);
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

async_test(a_cancelled_next_takes_no_member,
    edo_scope scope;
    edo_member member;
    edo_op next, sleep;)
{
    edo_body {
        int rc;
        edo_scope_open(&self->scope, EDO_SCOPE_RESULTS);
        assert_int_equal(edo_scope_spawn(&self->scope, member, .duration = edo_ms(10), .answer = 7),
                         0);
        self->next = edo_scope_next(&self->scope, &self->member);
        self->sleep = edo_sleep(edo_ms(1));
        edo_select(rc, &self->next.base, &self->sleep.base);
        assert_int_equal(rc, 1);
        assert_int_equal(self->next.base.result, -ECANCELED);
        assert_int_equal(edo_scope_count(&self->scope), 1);
        edo_await(rc,
                  edo_scope_next(&self->scope, &self->member)); // another wait is possible again
        assert_int_equal(rc, 1);
        assert_int_equal(self->member.result, 7);
        edo_return(0);
    }
}

async_test(a_cancelled_next_answers_a_member_that_has_ended,
    edo_scope scope;
    edo_member member;
    edo_op next;)
{
    edo_body {
        int rc;
        edo_scope_open(&self->scope, EDO_SCOPE_RESULTS);
        assert_int_equal(edo_scope_spawn(&self->scope, member, .answer = 7), 0);
        self->next = edo_scope_next(&self->scope, &self->member);
        assert_int_equal(edo_poll_future(&self->next.base, cx), EDO_PENDING);
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

test(next_needs_results)
{
    expect_abort(run_next_without_results, NULL,
                 "edo_scope_next: the scope was opened without EDO_SCOPE_RESULTS");
}

/* ---- one waiter at a time ---- */

async_test(a_second_one_that_waits_is_refused,
    edo_scope scope;
    edo_member member;
    edo_op join, second_join, next;)
{
    edo_body {
        edo_scope_open(&self->scope, EDO_SCOPE_RESULTS);
        assert_int_equal(edo_scope_spawn(&self->scope, member, .duration = edo_ms(1)), 0);
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

/* ---- spawning by several tasks ---- */

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
        edo_add_relaxed(self->ended, 1);
        edo_return(rc);
    }
}

async_test(members_may_spawn_members_while_it_is_joined,
    edo_scope scope;
    unsigned ended;
    int64_t start;)
{
    edo_body {
        int rc;
        self->ended = 0;
        self->start = edo_now();
        edo_scope_open(&self->scope, 0);
        assert_int_equal(edo_scope_spawn(&self->scope, spawns_into, .scope = &self->scope,
                                         .depth = 9, .ended = &self->ended),
                         0);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(rc, 0);
        assert_int_equal(self->ended, 10);
        assert_int_equal(edo_now() - self->start, edo_ms(10));
        edo_return(0);
    }
}

async_test(other_tasks_may_spawn_members, edo_scope scope; edo_task *task; unsigned ended;)
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
                assert_int_equal(edo_scope_spawn(&self->scope, nested, .depth = self->depth - 1,
                                                 .ended = self->ended),
                                 0);
            else
                assert_int_equal(edo_scope_spawn(&self->scope, member, .duration = edo_s(60),
                                                 .ended = self->ended),
                                 0);
        }
        edo_await(rc, edo_scope_join(&self->scope));
        edo_add_relaxed(self->ended, 1);
        edo_return(rc);
    }
}

async_test(a_cancellation_goes_down_nested_scopes, edo_task *task; unsigned ended; int64_t start;)
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
        assert_int_equal(self->ended, 31 + 32); // a tree of five levels, with its leaves
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
        assert_int_equal(
            edo_scope_spawn(&self->a, member, .duration = edo_ms(2), .ended = self->ended), 0);
        assert_int_equal(
            edo_scope_spawn(&self->b, member, .duration = edo_ms(1), .ended = self->ended), 0);
        edo_await(rc, edo_scope_join(&self->a));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_scope_join(&self->b));
        edo_return(rc);
    }
}

async_test(a_function_may_have_several_scopes,
    edo_callees(struct two_scopes two_scopes;)
    unsigned ended;)
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

test(thousands_of_members_leave_no_memory)
{
    edo_runtime *runtime;
    test_allocator_install();
    assert_int_equal(create_runtime(&(edo_config){ .test_clock = true }, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, thousands, .flags = 0), 0);
    assert_int_equal(edo_block_on(runtime, thousands, .flags = EDO_SCOPE_RESULTS), 0);
    assert_int_equal(edo_runtime_task_count(runtime), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    test_allocator_remove();
}

struct large_member {
    edo_frame();
    edo_args(char *argument;);
    char room[4096]; // larger than a block of the heap: each comes from the hooks
};

edo_async(large_member)
{
    edo_body {
        free(self->argument);
        edo_return(0);
    }
}

edo_async_test(no_memory_for_a_member, edo_scope scope; char *argument;)
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

test(without_memory_the_arguments_stay_the_callers)
{
    test_allocator_install();
    no_memory_for_a_member_test(state);
    test_allocator_remove();
}

/* ---- one of them is cancelled ---- */

enum { CANCEL_MEMBERS = 9 };

async_test(one_member_is_cancelled,
    edo_scope scope;
    edo_member member;
    uint64_t ids[CANCEL_MEMBERS];
    int64_t start;
    int i;)
{
    edo_body {
        int rc;
        self->start = edo_now();
        edo_scope_open(&self->scope, EDO_SCOPE_RESULTS | EDO_SCOPE_FAIL_FAST);
        for (int i = 0; i < CANCEL_MEMBERS; i++)
            assert_int_equal(
                edo_scope_spawn_member(&self->ids[i], &self->scope, member, .duration = edo_s(1)),
                0);
        assert_int_equal(edo_scope_cancel_member(&self->scope, self->ids[4]), 0);
        edo_await(rc, edo_scope_next(&self->scope, &self->member));
        assert_int_equal(rc, 1);
        assert_int_equal(self->member.id, self->ids[4]);
        assert_int_equal(self->member.result, -ECANCELED);
        assert_true(edo_now() < self->start + edo_ms(1));
        assert_int_equal(edo_scope_cancel_member(&self->scope, self->ids[4]), -ESRCH); // for ever
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(rc, 0); // no failure, so the others were not cancelled
        assert_true(edo_now() >= self->start + edo_s(1));
        for (int i = 0; i < CANCEL_MEMBERS; i++)
            assert_int_equal(edo_scope_cancel_member(&self->scope, self->ids[i]), -ESRCH);
        edo_return(0);
    }
}

async_test(ids_of_other_scopes_are_unknown, edo_scope a, b; uint64_t id;)
{
    edo_body {
        int rc;
        edo_scope_open(&self->a, 0);
        edo_scope_open(&self->b, 0);
        rc = edo_scope_spawn_member(&self->id, &self->a, member, .duration = edo_s(1));
        assert_int_equal(rc, 0);
        assert_int_equal(edo_scope_cancel_member(&self->b, self->id), -ESRCH);
        assert_int_equal(edo_scope_cancel_member(&self->a, 0), -ESRCH);
        assert_int_equal(edo_scope_cancel_member(&self->a, self->id), 0);
        assert_int_equal(edo_scope_cancel_member(&self->a, self->id),
                         0); // a second cancel has no effect
        edo_await(rc, edo_scope_join(&self->a));
        assert_int_equal(rc, 0);
        self->id = 1;
        edo_scope_cancel(&self->b);
        rc = edo_scope_spawn_member(&self->id, &self->b, member, .duration = 0);
        assert_int_equal(rc, -ECANCELED);
        assert_int_equal(self->id, 1);
        edo_return(0);
    }
}

/* Members end on all workers while their owner cancels them by id: each id hits its own member or
 * none. */
struct members_race_with_their_cancellation {
    edo_frame();
    edo_args();
    edo_scope scope;
    uint64_t ids[64];
    unsigned ended;
    int round;
};

edo_async(members_race_with_their_cancellation)
{
    edo_body {
        int rc;
        self->ended = 0;
        for (self->round = 0; self->round < 50; self->round++) {
            edo_scope_open(&self->scope, 0);
            for (int i = 0; i < 64; i++)
                assert_int_equal(edo_scope_spawn_member(&self->ids[i], &self->scope, member,
                                                        .duration = i % 2 ? 0 : edo_us(10),
                                                        .ended = &self->ended),
                                 0);
            for (int i = 0; i < 64; i++) {
                rc = edo_scope_cancel_member(&self->scope, self->ids[i]);
                assert_true(rc == 0 || rc == -ESRCH);
            }
            edo_await(rc, edo_scope_join(&self->scope));
            assert_int_equal(rc, 0);
        }
        assert_int_equal(edo_load_relaxed(&self->ended), 50 * 64);
        edo_return(0);
    }
}

test(members_race_on_workers)
{
    edo_config config = { .workers = 3 };
    assert_int_equal(edo_run_with(&config, members_race_with_their_cancellation), 0);
}
