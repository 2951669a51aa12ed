/* Fibers as tasks: spawning, joining, results, waits. */
#include "support/fibers.h"

#include <string.h>

static int64_t answer(void *arg)
{
    return (int64_t)(intptr_t)arg;
}

fiber_test(a_fiber_is_joined_with_its_result)
{
    edo_task *task;
    assert_int_equal(edo_fiber_spawn(&task, NULL, answer, (void *)42), 0);
    assert_string_equal(edo_task_name(task), "answer");
    assert_int_equal(edo_wait(edo_join(task)), 42);
}

fiber_test(options_name_it)
{
    edo_task *task;
    edo_fiber_options options = { .task = { .name = "of its own", .user = &task } };
    assert_int_equal(edo_fiber_spawn(&task, &options, answer, NULL), 0);
    assert_string_equal(edo_task_name(task), "of its own");
    assert_ptr_equal(edo_task_user(task), &task);
    assert_int_equal(edo_wait(edo_join(task)), 0);
}

fiber_test(a_sleep_takes_its_time)
{
    int64_t began = edo_now();
    assert_int_equal(edo_wait(edo_sleep(edo_s(3600))), 0);
    assert_int_equal(edo_now() - began, edo_s(3600));
}

/* ---- many, each with its locals ---- */

enum { MANY = 1000, ROUNDS = 10 };

static int64_t counts(void *arg)
{
    int64_t sum = 0, seed = (int64_t)(intptr_t)arg;
    for (int i = 0; i < ROUNDS; i++) {
        sum += seed + i;
        if (edo_wait(edo_yield()) < 0) return -EPROTO;
    }
    return sum;
}

fiber_test(each_of_many_has_its_own_locals)
{
    static edo_task *tasks[MANY];
    for (intptr_t i = 0; i < MANY; i++)
        assert_int_equal(edo_fiber_spawn(&tasks[i], NULL, counts, (void *)i), 0);
    for (int64_t i = 0; i < MANY; i++)
        assert_int_equal(edo_wait(edo_join(tasks[i])), ROUNDS * i + ROUNDS * (ROUNDS - 1) / 2);
}

/* ---- depth: a wait in any function ---- */

static __attribute__((noinline)) int64_t down(int depth)
{
    if (depth == 0) return edo_wait(edo_sleep(edo_ms(1)));
    int64_t below = down(depth - 1);
    return below < 0 ? below : below + 1;
}

fiber_test(deep_calls_may_wait)
{
    assert_int_equal(down(100), 100);
}

/* ---- typed arguments ---- */

struct sum {
    int first, second;
    int64_t wait;
};

edo_fiber(sum)
{
    if (edo_wait(edo_sleep(self->wait)) < 0) return -ECANCELED;
    return self->first + self->second;
}

fiber_test(typed_arguments_are_copied)
{
    edo_task *task;
    int first = 40;
    assert_int_equal(
        edo_fiber_spawn_args(&task, NULL, sum, .first = first, .second = 2, .wait = edo_s(1)), 0);
    first = 0;
    assert_int_equal(edo_wait(edo_join(task)), 42);
}

/* ---- several at once, on the stack ---- */

fiber_test(a_select_cancels_what_has_lost)
{
    edo_op slow = edo_sleep(edo_s(2)), fast = edo_sleep(edo_s(1));
    int64_t began = edo_now();
    assert_int_equal(edo_wait_select(&slow.base, &fast.base), 1);
    assert_int_equal(slow.base.result, -ECANCELED);
    assert_int_equal(fast.base.result, 0);
    assert_int_equal(edo_now() - began, edo_s(1));
}

fiber_test(a_biased_select_takes_the_left_one)
{
    for (int i = 0; i < ROUNDS; i++) {
        edo_op left = edo_sleep(0), right = edo_sleep(0);
        assert_int_equal(edo_wait_select_biased(&left.base, &right.base), 0);
    }
}

fiber_test(all_are_waited_for)
{
    edo_op slow = edo_sleep(edo_s(2)), fast = edo_sleep(edo_s(1));
    int64_t began = edo_now();
    assert_int_equal(edo_wait_all(&slow.base, &fast.base), 0);
    assert_int_equal(edo_now() - began, edo_s(2));
}

fiber_test(the_first_failure_ends_the_rest)
{
    edo_task *task;
    assert_int_equal(edo_fiber_spawn(&task, NULL, answer, (void *)(intptr_t)-EIO), 0);
    edo_op join = edo_join(task), sleep = edo_sleep(edo_s(100));
    int64_t began = edo_now();
    assert_int_equal(edo_wait_try_all(&sleep.base, &join.base), -EIO);
    assert_int_equal(sleep.base.result, -ECANCELED);
    assert_int_equal(edo_now(), began);
}

fiber_test(any_keeps_the_rest_until_its_block_ends)
{
    int64_t began = edo_now();
    {
        edo_op slow EDO_ENDS = edo_sleep(edo_s(2)), fast = edo_sleep(edo_s(1));
        assert_int_equal(edo_wait_any(&slow.base, &fast.base), 1);
        assert_int_equal(slow.base.state, EDO_WAITING);
        assert_int_equal(edo_wait_on(&slow.base), 0); // it has gone on
        assert_int_equal(edo_now() - began, edo_s(2));
    }
    {
        edo_op slow EDO_ENDS = edo_sleep(edo_s(2)), fast = edo_sleep(edo_s(1));
        assert_int_equal(edo_wait_any(&slow.base, &fast.base), 1);
    }
    assert_int_equal(edo_now() - began, edo_s(3));
    assert_int_equal(edo_wait(edo_yield()), 0);
}

enum { ELEMENTS = 5 };

static void make_sleeps(edo_op *sleeps)
{
    for (int i = 0; i < ELEMENTS; i++)
        sleeps[i] = edo_sleep(edo_s(ELEMENTS - i));
}

fiber_test(the_elements_of_an_array)
{
    edo_op sleeps[ELEMENTS];
    int64_t began = edo_now();
    make_sleeps(sleeps);
    assert_int_equal(edo_wait_select_of(sleeps, ELEMENTS), ELEMENTS - 1);
    assert_int_equal(edo_now() - began, edo_s(1));
    assert_int_equal(sleeps[0].base.result, -ECANCELED);
    make_sleeps(sleeps);
    assert_int_equal(edo_wait_select_biased_of(sleeps, 2), 1);
    make_sleeps(sleeps);
    assert_int_equal(edo_wait_all_of(sleeps, ELEMENTS), 0);
    assert_int_equal(edo_now() - began, edo_s(1 + 4 + 5));
    make_sleeps(sleeps);
    assert_int_equal(edo_wait_try_all_of(sleeps, ELEMENTS), 0);
    make_sleeps(sleeps);
    assert_int_equal(edo_wait_any_of(sleeps, ELEMENTS), ELEMENTS - 1);
    assert_int_equal(edo_wait_all_of(sleeps, ELEMENTS), 0); // those that were kept
    assert_int_equal(edo_now() - began, edo_s(1 + 4 + 5 + 5 + 5));
}

fiber_test(no_elements)
{
    edo_op none[1];
    assert_int_equal(edo_wait_all_of(none, 0), 0);
    assert_int_equal(edo_wait_try_all_of(none, 0), 0);
    assert_int_equal(edo_wait_select_of(none, 0), -EINVAL);
    assert_int_equal(edo_wait_any_of(none, 0), -EINVAL);
}

/* ---- limits ---- */

fiber_test(a_limit_passes)
{
    int64_t began = edo_now();
    assert_int_equal(edo_wait_for(edo_s(1), edo_sleep(edo_s(2))), -ETIMEDOUT);
    assert_int_equal(edo_now() - began, edo_s(1));
    assert_int_equal(edo_wait_for(edo_s(2), edo_sleep(edo_s(1))), 0);
}

static int64_t sleeps_twice(void)
{
    int64_t rc = edo_wait(edo_sleep(edo_s(3)));
    return rc < 0 ? rc : edo_wait(edo_sleep(edo_s(3)));
}

fiber_test(a_limit_over_a_block_holds_in_what_it_calls)
{
    int64_t rc = 0, began = edo_now();
    edo_wait_within(edo_s(5))
    {
        rc = sleeps_twice();
    }
    assert_int_equal(rc, -ETIMEDOUT);
    assert_int_equal(edo_now() - began, edo_s(5));
    assert_int_equal(edo_wait(edo_sleep(edo_s(1))), 0); // it is over
}

static int64_t leaves_early(void)
{
    edo_wait_within(edo_s(5))
    {
        return edo_wait(edo_sleep(edo_s(1)));
    }
    return -EPROTO;
}

fiber_test(a_limit_ends_with_its_block_also_by_return)
{
    assert_int_equal(leaves_early(), 0);
    edo_wait_within(edo_s(5))
    {
        break;
    }
    assert_int_equal(edo_wait(edo_sleep(edo_s(100))), 0);
}

fiber_test(limits_may_be_nested)
{
    int64_t inner = 0, outer = 0, began = edo_now();
    edo_wait_within(edo_s(5))
    {
        edo_wait_within(edo_s(1))
        {
            inner = edo_wait(edo_sleep(edo_s(100)));
        }
        outer = edo_wait(edo_sleep(edo_s(100)));
    }
    assert_int_equal(inner, -ETIMEDOUT);
    assert_int_equal(outer, -ETIMEDOUT);
    assert_int_equal(edo_now() - began, edo_s(5));
}

/* ---- scopes ---- */

static int64_t works(void *arg)
{
    int *done = arg;
    int64_t rc = edo_wait(edo_sleep(edo_s(1)));
    __atomic_add_fetch(done, rc == 0, __ATOMIC_RELAXED);
    return rc;
}

fiber_test(a_scope_is_joined)
{
    int done = 0;
    edo_fiber_scope(scope, 0);
    for (int i = 0; i < ROUNDS; i++)
        assert_int_equal(edo_fiber_scope_spawn(&scope, NULL, works, &done), 0);
    assert_int_equal(edo_wait(edo_scope_join(&scope)), 0);
    assert_int_equal(done, ROUNDS);
}

fiber_test(a_cancelled_scope_ends_its_fibers)
{
    int done = 0;
    edo_fiber_scope(scope, EDO_SCOPE_IGNORE);
    for (int i = 0; i < ROUNDS; i++)
        assert_int_equal(edo_fiber_scope_spawn(&scope, NULL, works, &done), 0);
    edo_scope_cancel(&scope);
    assert_int_equal(edo_fiber_scope_spawn(&scope, NULL, works, &done), -ECANCELED);
    assert_int_equal(edo_wait(edo_scope_join(&scope)), 0);
    assert_int_equal(done, 0);
}

/* ---- fibers and async functions ---- */

struct doubles {
    edo_frame();
    edo_args(int64_t value; int64_t wait;);
};

edo_async(doubles)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(self->wait));
        edo_return(rc < 0 ? rc : 2 * self->value);
    }
}

fiber_test(a_fiber_calls_an_async_function)
{
    assert_int_equal(edo_wait_call(doubles, .value = 21, .wait = edo_s(1)), 42);
    assert_int_equal(edo_wait_call(doubles, .value = 21, .wait = 0), 42);
    assert_int_equal(edo_wait_call_for(edo_s(1), doubles, .wait = edo_s(2)), -ETIMEDOUT);
}

static int64_t doubles_in_fiber(void *arg)
{
    return edo_wait_call(doubles, .value = *(int *)arg, .wait = edo_s(1));
}

async_test(an_async_function_joins_a_fiber, edo_task *task; int value;)
{
    edo_body {
        int64_t result;
        self->value = 21;
        assert_int_equal(edo_fiber_spawn(&self->task, NULL, doubles_in_fiber, &self->value), 0);
        edo_await(result, edo_join(self->task));
        assert_int_equal(result, 42);
        edo_return(0);
    }
}

async_test(an_async_function_calls_a_fiber, struct edo_fiber_frame child; int value;)
{
    edo_body {
        int64_t result;
        self->value = 21;
        assert_int_equal(edo_fiber_init(&self->child, NULL, doubles_in_fiber, &self->value), 0);
        edo_await_on(result, &self->child.base);
        assert_int_equal(result, 42);
        edo_return(0);
    }
}

struct calls_fiber {
    edo_frame();
    edo_args(int value;);
    struct edo_fiber_frame child;
};

edo_async(calls_fiber)
{
    edo_body {
        int64_t result;
        assert_int_equal(edo_fiber_init(&self->child, NULL, doubles_in_fiber, &self->value), 0);
        edo_await_on(result, &self->child.base);
        edo_return(result);
    }
}

fiber_test(a_fiber_calls_a_function_that_calls_a_fiber)
{
    assert_int_equal(edo_wait_call(calls_fiber, .value = 21), 42);
}

/* ---- entry points ---- */

static int64_t waits_a_moment(void *arg)
{
    *(bool *)arg = edo_in_fiber();
    return edo_wait(edo_yield());
}

test(a_fiber_runs_as_a_program)
{
    bool ran = false;
    assert_false(edo_in_fiber());
    assert_int_equal(edo_fiber_run(waits_a_moment, &ran), 0);
    assert_true(ran);
}

test(a_plain_thread_waits_with_the_same_calls)
{
    edo_op slow = edo_sleep(edo_s(3600)), fast = edo_sleep(0);
    assert_int_equal(edo_wait_select(&slow.base, &fast.base), 1);
    assert_int_equal(edo_wait_for(0, edo_sleep(edo_s(3600))), -ETIMEDOUT);
    assert_int_equal(edo_wait_call(doubles, .value = 21, .wait = 0), 42);
    edo_op one = edo_sleep(0), two = edo_sleep(0);
    assert_int_equal(edo_wait_all(&one.base, &two.base), 0);
    edo_op both[] = { edo_sleep(edo_s(3600)), edo_sleep(0) };
    assert_int_equal(edo_wait_select_of(both, 2), 1);
    edo_op kept = edo_sleep(edo_s(3600)), first = edo_sleep(0);
    assert_int_equal(edo_wait_any(&kept.base, &first.base), 1);
    assert_int_equal(kept.base.result, -ECANCELED);
}

static int64_t never_runs(void *arg)
{
    fail();
    return (int64_t)(intptr_t)arg;
}

test(without_a_runtime_it_is_refused)
{
    edo_task *task = NULL;
    assert_int_equal(edo_fiber_spawn(&task, NULL, never_runs, NULL), -EINVAL);
    assert_null(task);
}
