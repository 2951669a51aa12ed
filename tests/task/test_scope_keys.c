/* Scopes as a map and as a queue of tasks, and as a tracker: members under keys, results in the order
 * of the spawns, scopes that are closed. */
#include "task/probe.h"

#include <stdlib.h>

/* ---- in order ---- */

async_test(results_in_the_order_of_the_spawns, edo_scope scope; edo_member member; int i;)
{
    edo_body {
        int rc;
        edo_scope_open(&self->scope, EDO_SCOPE_RESULTS | EDO_SCOPE_IN_ORDER);
        for (int i = 0; i < 5; i++) // the last one ends first
            assert_int_equal(
                edo_scope_spawn(&self->scope, member, .duration = edo_ms(5 - i), .answer = i), 0);
        for (self->i = 0; self->i < 5; self->i++) {
            edo_await(rc, edo_scope_next(&self->scope, &self->member));
            assert_int_equal(rc, 1);
            assert_int_equal(self->member.result, self->i);
        }
        edo_await(rc, edo_scope_next(&self->scope, &self->member));
        assert_int_equal(rc, 0);
        edo_return(0);
    }
}

async_test(spawned_while_others_wait_for_their_turn,
    edo_scope scope;
    edo_member member;
    int64_t start;
    int i;)
{
    edo_body {
        int rc;
        self->start = edo_now();
        edo_scope_open(&self->scope, EDO_SCOPE_RESULTS | EDO_SCOPE_IN_ORDER);
        assert_int_equal(edo_scope_spawn(&self->scope, member, .duration = edo_ms(10), .answer = 0),
                         0);
        assert_int_equal(edo_scope_spawn(&self->scope, member, .answer = 1), 0);
        edo_await(rc, edo_sleep(edo_ms(1)));
        assert_int_equal(edo_scope_count(&self->scope), 1);
        assert_int_equal(edo_scope_spawn(&self->scope, member, .answer = 2), 0);
        for (self->i = 0; self->i < 3; self->i++) {
            edo_await(rc, edo_scope_next(&self->scope, &self->member));
            assert_int_equal(rc, 1);
            assert_int_equal(self->member.result, self->i);
            assert_int_equal(edo_now() - self->start, edo_ms(10));
        }
        edo_return(0);
    }
}

async_test(ended_ones_in_a_queue_are_no_members,
    edo_scope scope;
    edo_member member;
    uint64_t first, second;)
{
    edo_body {
        int rc;
        edo_scope_open(&self->scope, EDO_SCOPE_RESULTS | EDO_SCOPE_IN_ORDER);
        assert_int_equal(
            edo_scope_spawn_member(&self->first, &self->scope, member, .duration = edo_s(60)), 0);
        assert_int_equal(edo_scope_spawn_member(&self->second, &self->scope, member, .answer = 2),
                         0);
        edo_await(rc, edo_sleep(edo_ms(1)));
        assert_int_equal(edo_scope_cancel_member(&self->scope, self->second), -ESRCH);
        edo_scope_cancel(&self->scope); // the first alone is left
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_scope_next(&self->scope, &self->member));
        assert_int_equal(self->member.result, -ECANCELED);
        edo_return(0); // the second one's result is given back with the scope
    }
}

async_test(a_failure_in_a_queue_ends_the_others, edo_scope scope; edo_member member;)
{
    edo_body {
        int rc;
        edo_scope_open(&self->scope, EDO_SCOPE_RESULTS | EDO_SCOPE_IN_ORDER | EDO_SCOPE_FAIL_FAST);
        assert_int_equal(edo_scope_spawn(&self->scope, member, .duration = edo_s(60)), 0);
        assert_int_equal(edo_scope_spawn(&self->scope, member, .answer = -EIO), 0);
        edo_await(rc, edo_scope_next(&self->scope, &self->member));
        assert_int_equal(self->member.result, -ECANCELED);
        edo_await(rc, edo_scope_next(&self->scope, &self->member));
        assert_int_equal(self->member.result, -EIO);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(rc, -EIO);
        edo_return(0);
    }
}

struct leaves_queue {
    edo_frame();
    edo_args();
    edo_scope scope;
};

edo_async(leaves_queue)
{
    edo_body {
        int rc;
        edo_scope_open(&self->scope, EDO_SCOPE_RESULTS | EDO_SCOPE_IN_ORDER);
        rc = edo_scope_spawn(&self->scope, member, .duration = edo_s(60));
        if (rc == 0) rc = edo_scope_spawn(&self->scope, member);
        if (rc == 0) edo_await(rc, edo_sleep(edo_ms(1)));
        edo_return(rc); // too early
    }
}

static void run_leaves_queue(void *arg)
{
    (void)arg;
    edo_run(leaves_queue);
}

struct order_without_results {
    edo_frame();
    edo_args();
    edo_scope scope;
};

edo_async(order_without_results)
{
    edo_body {
        edo_scope_open(&self->scope, EDO_SCOPE_IN_ORDER);
        edo_return(0);
    }
}

static void run_order_without_results(void *arg)
{
    (void)arg;
    edo_run(order_without_results);
}

test(misuse_of_order)
{
    expect_abort(run_leaves_queue, NULL, "had 1 live members: 'member' #[0-9]+($|[^,])");
    expect_abort(run_order_without_results, NULL,
                 "edo_scope_open: EDO_SCOPE_IN_ORDER without EDO_SCOPE_RESULTS");
}

/* ---- keys ---- */

async_test(a_key_comes_with_the_result, edo_scope scope; edo_member member; uintptr_t sum;)
{
    edo_body {
        int rc;
        self->sum = 0;
        edo_scope_open(&self->scope, EDO_SCOPE_RESULTS);
        for (int key = 1; key <= 3; key++)
            assert_int_equal(edo_scope_spawn_key(&self->scope, key, member, .answer = 10 * key), 0);
        assert_int_equal(edo_scope_spawn_key(&self->scope, NULL, member), -EINVAL);
        assert_int_equal(edo_scope_count_key(&self->scope, 2), 1);
        assert_int_equal(edo_scope_count_key(&self->scope, 4), 0);
        for (;;) {
            edo_await(rc, edo_scope_next(&self->scope, &self->member));
            if (rc != 1) break;
            assert_int_equal(self->member.result, 10 * (uintptr_t)self->member.user);
            self->sum += (uintptr_t)self->member.user;
        }
        assert_int_equal(self->sum, 6);
        assert_int_equal(edo_scope_count_key(&self->scope, 2), 0);
        edo_return(rc);
    }
}

async_test(the_same_key_replaces,
    edo_scope scope;
    edo_member member;
    unsigned ended;)
{
    edo_body {
        int rc;
        self->ended = 0;
        edo_scope_open(&self->scope, EDO_SCOPE_RESULTS | EDO_SCOPE_FAIL_FAST);
        for (int i = 0; i < 3; i++) // the first two are cancelled
            assert_int_equal(edo_scope_spawn_key(&self->scope, self, member,
                                                 .duration = edo_s(i < 2 ? 60 : 1), .answer = i,
                                                 .ended = &self->ended),
                             0);
        assert_int_equal(edo_scope_spawn(&self->scope, member, .duration = edo_s(2), .answer = 9),
                         0);
        assert_int_equal(edo_scope_count_key(&self->scope, self), 1);
        edo_await(rc, edo_scope_next(&self->scope, &self->member));
        assert_int_equal(rc, 1);
        assert_int_equal(self->member.result, 2);
        assert_ptr_equal(self->member.user, self);
        assert_int_equal(self->ended, 3); // the others were waited for, silently
        edo_await(rc, edo_scope_next(&self->scope, &self->member));
        assert_int_equal(self->member.result, 9);
        edo_await(rc, edo_scope_next(&self->scope, &self->member));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_scope_join(&self->scope));
        edo_return(rc);
    }
}

struct stubborn {
    edo_frame();
    edo_args();
};

/* Fails for a reason of its own when it is cancelled. */
edo_async(stubborn)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(edo_s(60)));
        edo_return(rc < 0 ? -EIO : 0);
    }
}

async_test(results_that_wait_are_replaced_too, edo_scope scope; edo_member member; unsigned flags;)
{
    edo_body {
        int rc;
        for (self->flags = 0; self->flags <= EDO_SCOPE_IN_ORDER;
             self->flags += EDO_SCOPE_IN_ORDER) {
            edo_scope_open(&self->scope, EDO_SCOPE_RESULTS | self->flags);
            assert_int_equal(edo_scope_spawn_key(&self->scope, 7, member, .answer = 1), 0);
            edo_await(rc, edo_sleep(edo_ms(1)));
            assert_int_equal(edo_scope_spawn_key(&self->scope, 7, stubborn), 0);
            edo_await(rc, edo_sleep(edo_ms(1)));
            assert_int_equal(edo_scope_spawn_key(&self->scope, 7, member, .answer = 3), 0);
            edo_await(rc, edo_scope_next(&self->scope, &self->member));
            assert_int_equal(rc, 1);
            assert_int_equal(self->member.result, 3);
            edo_await(rc, edo_scope_next(&self->scope, &self->member));
            assert_int_equal(rc, 0);
            edo_await(rc, edo_scope_join(&self->scope));
            assert_int_equal(rc, 0); // a replaced one's failure is its own
        }
        edo_return(0);
    }
}

async_test(all_of_a_key_are_cancelled, edo_scope scope; edo_member member; int i;)
{
    edo_body {
        int rc;
        edo_spawn_options options = { .user = self };
        edo_scope_open(&self->scope, EDO_SCOPE_RESULTS);
        for (int i = 0; i < 2; i++)
            assert_int_equal(
                edo_scope_spawn_with(&self->scope, &options, member, .duration = edo_s(60)), 0);
        assert_int_equal(edo_scope_spawn_key(&self->scope, 1, member, .duration = edo_s(1)), 0);
        assert_int_equal(edo_scope_cancel_key(&self->scope, self), 2);
        assert_int_equal(edo_scope_cancel_key(&self->scope, 2), 0);
        for (self->i = 0; self->i < 3; self->i++) {
            edo_await(rc, edo_scope_next(&self->scope, &self->member));
            assert_int_equal(rc, 1);
            assert_int_equal(self->member.result, self->i < 2 ? -ECANCELED : 0);
        }
        edo_await(rc, edo_scope_join(&self->scope));
        edo_return(rc);
    }
}

/* Without results, too. */
async_test(keys_of_a_tracker, edo_scope scope; unsigned ended;)
{
    edo_body {
        int rc;
        self->ended = 0;
        edo_scope_open(&self->scope, 0);
        for (int i = 0; i < 10; i++)
            assert_int_equal(edo_scope_spawn_key(&self->scope, 1, member, .duration = edo_ms(1),
                                                 .ended = &self->ended),
                             0);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(self->ended, 10);
        edo_return(rc);
    }
}

/* Several tasks replace each other's members all the time. */
struct replacer {
    edo_frame();
    edo_args(edo_scope *scope; uintptr_t seed;);
    int i;
};

edo_async(replacer)
{
    edo_body {
        int rc = 0;
        for (self->i = 0; self->i < 200 && rc == 0; self->i++) {
            uintptr_t key = 1 + (self->seed + (uintptr_t)self->i) % 3;
            rc = edo_scope_spawn_key(self->scope, key, member, .duration = edo_us(self->i % 3),
                                     .answer = 1);
            if (rc == 0 && self->i % 2) edo_await(rc, edo_yield());
        }
        edo_return(rc);
    }
}

async_test(replaced_from_everywhere, edo_scope scope; edo_member member; int64_t taken;)
{
    edo_body {
        int rc;
        edo_scope_open(&self->scope, EDO_SCOPE_RESULTS);
        for (uintptr_t i = 0; i < 4; i++)
            assert_int_equal(
                edo_scope_spawn(&self->scope, replacer, .scope = &self->scope, .seed = i), 0);
        for (self->taken = 0;; self->taken++) {
            edo_await(rc, edo_scope_next(&self->scope, &self->member));
            if (rc != 1) break;
            assert_true(self->member.result >= 0);
        }
        assert_int_equal(rc, 0);
        assert_true(self->taken >= 4 + 3); // the replacers, and the last one of each key
        edo_return(0);
    }
}

/* ---- closed ---- */

async_test(a_closed_scope_takes_no_members, edo_scope scope; unsigned ended;)
{
    edo_body {
        int rc;
        self->ended = 0;
        edo_scope_open(&self->scope, 0);
        assert_int_equal(
            edo_scope_spawn(&self->scope, member, .duration = edo_ms(5), .ended = &self->ended), 0);
        edo_scope_close(&self->scope);
        edo_scope_close(&self->scope); // again
        assert_int_equal(edo_scope_spawn(&self->scope, member), -ESHUTDOWN);
        assert_int_equal(edo_scope_spawn_key(&self->scope, 1, member), -ESHUTDOWN);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(rc, 0); // the member was not cancelled
        assert_int_equal(self->ended, 1);
        edo_scope_cancel(&self->scope);
        assert_int_equal(edo_scope_spawn(&self->scope, member), -ECANCELED);
        edo_scope_open(&self->scope, 0); // anew
        assert_int_equal(edo_scope_spawn(&self->scope, member), 0);
        edo_await(rc, edo_scope_join(&self->scope));
        edo_return(rc);
    }
}
