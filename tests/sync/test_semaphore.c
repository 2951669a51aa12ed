/* Semaphores: permits, the order of service, closing, forgetting, cancellation at every point,
 * misuse. */
#include "sync/steps.h"

static void assert_state(const edo_semaphore *semaphore, uint32_t permits, bool closed)
{
    uint64_t flags = closed ? EDO__SEMAPHORE_CLOSED : 0;
    assert_int_equal(semaphore->word, (uint64_t)permits * EDO__SEMAPHORE_PERMIT + flags);
    assert_int_equal(semaphore->lock, 0);
    assert_null(semaphore->waiters);
}

#define assert_free(semaphore, permits) assert_state((semaphore), (permits), false)

/* ---- permits ---- */

test(all_zero_is_one_without_permits)
{
    edo_semaphore semaphore = EDO_SEMAPHORE_INIT(0), zero;
    memset(&zero, 0, sizeof zero);
    assert_memory_equal(&semaphore, &zero, sizeof zero);
    assert_true(sizeof semaphore <= 24);
}

test(as_many_permits_as_it_was_given)
{
    edo_semaphore semaphore = EDO_SEMAPHORE_INIT(3);
    assert_int_equal(edo_semaphore_available(&semaphore), 3);
    assert_int_equal(edo_semaphore_try_acquire(&semaphore, 2), 0);
    assert_int_equal(edo_semaphore_available(&semaphore), 1);
    assert_int_equal(edo_semaphore_try_acquire(&semaphore, 2), -EAGAIN);
    assert_int_equal(edo_semaphore_available(&semaphore), 1);
    assert_int_equal(edo_semaphore_try_acquire(&semaphore, 1), 0);
    assert_int_equal(edo_semaphore_try_acquire(&semaphore, 1), -EAGAIN);
    edo_semaphore_release(&semaphore, 3);
    assert_free(&semaphore, 3);
    edo_semaphore_deinit(&semaphore);
}

test(permits_may_be_added)
{
    edo_semaphore semaphore = EDO_SEMAPHORE_INIT(0);
    assert_int_equal(edo_semaphore_try_acquire(&semaphore, 1), -EAGAIN);
    edo_semaphore_release(&semaphore, 5);
    edo_semaphore_release(&semaphore, 0);
    assert_int_equal(edo_semaphore_try_acquire(&semaphore, 5), 0);
    assert_free(&semaphore, 0);
}

test(no_permit_at_all_is_had_at_once)
{
    edo_semaphore semaphore = EDO_SEMAPHORE_INIT(0);
    assert_int_equal(edo_semaphore_try_acquire(&semaphore, 0), 0);
    assert_free(&semaphore, 0);
}

test(the_limit_of_permits)
{
    edo_semaphore semaphore;
    assert_int_equal(edo_semaphore_init(&semaphore, EDO_SEMAPHORE_MAX), 0);
    assert_int_equal(edo_semaphore_available(&semaphore), EDO_SEMAPHORE_MAX);
    assert_int_equal(edo_semaphore_try_acquire(&semaphore, EDO_SEMAPHORE_MAX), 0);
    edo_semaphore_release(&semaphore, EDO_SEMAPHORE_MAX);
    assert_int_equal(edo_semaphore_try_acquire(&semaphore, UINT32_MAX), -EAGAIN);
    assert_free(&semaphore, EDO_SEMAPHORE_MAX);
    assert_int_equal(edo_semaphore_init(&semaphore, EDO_SEMAPHORE_MAX + 1), -EINVAL);
}

test(permits_may_be_forgotten)
{
    edo_semaphore semaphore = EDO_SEMAPHORE_INIT(5);
    assert_int_equal(edo_semaphore_forget(&semaphore, 2), 2);
    assert_int_equal(edo_semaphore_available(&semaphore), 3);
    assert_int_equal(edo_semaphore_forget(&semaphore, 0), 0);
    assert_int_equal(edo_semaphore_forget(&semaphore, 9), 3);
    assert_int_equal(edo_semaphore_forget(&semaphore, 1), 0);
    assert_free(&semaphore, 0);
    edo_semaphore_release(&semaphore, 1);
    assert_int_equal(edo_semaphore_try_acquire(&semaphore, 1), 0);
}

static void acquire_once(unsigned index, void *arg)
{
    (void)index;
    edo_semaphore *semaphore = arg;
    insist(edo_wait(edo_semaphore_acquire(semaphore, 2)) == 0);
    insist(edo_semaphore_available(semaphore) == 0);
    edo_semaphore_release(semaphore, 2);
    edo_semaphore_close(semaphore);
    insist(edo_wait(edo_semaphore_acquire(semaphore, 2)) == -EPIPE);
}

test(a_plain_thread_waits_by_edo_wait)
{
    edo_semaphore semaphore = EDO_SEMAPHORE_INIT(2);
    run_threads(1, acquire_once, &semaphore);
    assert_state(&semaphore, 2, true);
}

async_test(too_many_are_refused, edo_semaphore semaphore; edo_op op;)
{
    edo_body {
        int rc;
        self->semaphore = (edo_semaphore)EDO_SEMAPHORE_INIT(1);
        self->op = edo_semaphore_acquire(&self->semaphore, EDO_SEMAPHORE_MAX + 1);
        assert_ends(&self->op, -EINVAL);
        edo_acquire(rc, &self->semaphore, UINT32_MAX);
        assert_int_equal(rc, -EINVAL);
        assert_free(&self->semaphore, 1);
        edo_return(0);
    }
}

async_test(permits_that_are_there_are_had_at_once, edo_semaphore semaphore; edo_op op;)
{
    edo_body {
        int rc;
        self->semaphore = (edo_semaphore)EDO_SEMAPHORE_INIT(4);
        self->op = edo_semaphore_acquire(&self->semaphore, 1);
        assert_free(&self->semaphore, 4); // inert
        assert_ends(&self->op, 0);
        edo_acquire(rc, &self->semaphore, 2);
        assert_int_equal(rc, 0);
        edo_await(rc, edo_semaphore_acquire(&self->semaphore, 1));
        assert_int_equal(rc, 0);
        assert_free(&self->semaphore, 0);
        edo_semaphore_release(&self->semaphore, 4);
        assert_free(&self->semaphore, 4);
        edo_return(0);
    }
}

/* ---- the order of service ---- */

/* Requests for 3, 1 and 1. */
#define CROWD                                                                                      \
    edo_semaphore semaphore;                                                                       \
    edo_op a, b, c;
#define begin_crowd(permits)                                                                       \
    do {                                                                                           \
        self->semaphore = (edo_semaphore)EDO_SEMAPHORE_INIT(permits);                              \
        self->a = edo_semaphore_acquire(&self->semaphore, 3);                                      \
        self->b = edo_semaphore_acquire(&self->semaphore, 1);                                      \
        self->c = edo_semaphore_acquire(&self->semaphore, 1);                                      \
        assert_waits(&self->a);                                                                    \
        assert_waits(&self->b);                                                                    \
        assert_waits(&self->c);                                                                    \
    } while (0)

async_test(a_big_request_is_not_overtaken, CROWD edo_op late;)
{
    edo_body {
        begin_crowd(2);
        assert_int_equal(edo_semaphore_try_acquire(&self->semaphore, 1), -EAGAIN);
        self->late = edo_semaphore_acquire(&self->semaphore, 1);
        assert_waits(&self->late);
        assert_waits(&self->b);
        edo_semaphore_release(&self->semaphore, 1);
        assert_ends(&self->a, 0);
        assert_waits(&self->b);
        edo_semaphore_release(&self->semaphore, 3); // three small requests at once
        assert_ends(&self->b, 0);
        assert_ends(&self->late, 0);
        assert_ends(&self->c, 0);
        assert_free(&self->semaphore, 0);
        edo_return(0);
    }
}

async_test(permits_come_one_by_one, CROWD)
{
    edo_body {
        begin_crowd(0);
        edo_semaphore_release(&self->semaphore, 1);
        edo_semaphore_release(&self->semaphore, 1);
        assert_waits(&self->a);
        edo_semaphore_release(&self->semaphore, 1);
        assert_waits(&self->b);
        assert_ends(&self->a, 0);
        edo_semaphore_release(&self->semaphore, 1);
        assert_waits(&self->c);
        assert_ends(&self->b, 0);
        edo_semaphore_release(&self->semaphore, 2);
        assert_ends(&self->c, 0);
        assert_free(&self->semaphore, 1);
        edo_return(0);
    }
}

async_test(what_is_granted_is_gone_before_the_waiter_runs, CROWD)
{
    edo_body {
        begin_crowd(0);
        edo_semaphore_release(&self->semaphore, 6);
        assert_int_equal(edo_semaphore_available(&self->semaphore), 1);
        assert_int_equal(edo_semaphore_try_acquire(&self->semaphore, 2), -EAGAIN);
        assert_int_equal(edo_semaphore_try_acquire(&self->semaphore, 1), 0);
        assert_ends(&self->a, 0);
        assert_ends(&self->b, 0);
        assert_ends(&self->c, 0);
        assert_free(&self->semaphore, 0);
        edo_return(0);
    }
}

async_test(a_request_for_none_waits_for_its_turn, edo_semaphore semaphore; edo_op one, none;)
{
    edo_body {
        self->semaphore = (edo_semaphore)EDO_SEMAPHORE_INIT(0);
        self->one = edo_semaphore_acquire(&self->semaphore, 1);
        self->none = edo_semaphore_acquire(&self->semaphore, 0);
        assert_waits(&self->one);
        assert_waits(&self->none);
        edo_semaphore_release(&self->semaphore, 1);
        assert_ends(&self->none, 0);
        assert_ends(&self->one, 0);
        assert_free(&self->semaphore, 0);
        edo_return(0);
    }
}

async_test(a_release_of_none_changes_nothing, CROWD)
{
    edo_body {
        begin_crowd(2);
        edo_semaphore_release(&self->semaphore, 0);
        assert_waits(&self->a);
        assert_waits(&self->b);
        assert_cancelled(&self->c);
        assert_cancelled(&self->b);
        assert_cancelled(&self->a);
        assert_free(&self->semaphore, 2);
        edo_return(0);
    }
}

async_test(forgotten_permits_are_not_granted, CROWD)
{
    edo_body {
        begin_crowd(2);
        assert_int_equal(edo_semaphore_forget(&self->semaphore, 1), 1);
        edo_semaphore_release(&self->semaphore, 1);
        assert_waits(&self->a);
        edo_semaphore_release(&self->semaphore, 1);
        assert_ends(&self->a, 0);
        assert_cancelled(&self->b);
        assert_cancelled(&self->c);
        assert_free(&self->semaphore, 0);
        edo_return(0);
    }
}

/* ---- cancellation ---- */

async_test(a_cancelled_head_lets_smaller_requests_go, CROWD)
{
    edo_body {
        begin_crowd(1);
        assert_cancelled(&self->a);
        assert_ends(&self->b, 0); // without any release
        assert_waits(&self->c);
        edo_semaphore_release(&self->semaphore, 1);
        assert_ends(&self->c, 0);
        assert_free(&self->semaphore, 0);
        edo_return(0);
    }
}

async_test(a_cancelled_waiter_leaves_no_trace, CROWD)
{
    edo_body {
        begin_crowd(2);
        assert_cancelled(&self->b);
        assert_cancelled(&self->c);
        assert_cancelled(&self->a);
        assert_free(&self->semaphore, 2);
        edo_return(0);
    }
}

async_test(one_that_was_granted_and_is_cancelled_passes_it_on, CROWD)
{
    edo_body {
        begin_crowd(0);
        edo_semaphore_release(&self->semaphore, 3);
        assert_cancelled(&self->a);
        assert_ends(&self->b, 0);
        assert_ends(&self->c, 0);
        assert_free(&self->semaphore, 1);
        edo_return(0);
    }
}

async_test(the_last_one_that_was_granted_gives_it_back, edo_semaphore semaphore; edo_op op;)
{
    edo_body {
        self->semaphore = (edo_semaphore)EDO_SEMAPHORE_INIT(0);
        self->op = edo_semaphore_acquire(&self->semaphore, 7);
        assert_waits(&self->op);
        edo_semaphore_release(&self->semaphore, 8);
        assert_int_equal(edo_semaphore_available(&self->semaphore), 1);
        assert_cancelled(&self->op);
        assert_free(&self->semaphore, 8);
        edo_return(0);
    }
}

async_test(granted_ones_that_are_cancelled_in_any_order,
    edo_semaphore semaphore;
    edo_op a, b, c;
    unsigned first;)
{
    edo_body {
        for (self->first = 0; self->first < 3; self->first++) {
            self->semaphore = (edo_semaphore)EDO_SEMAPHORE_INIT(0);
            self->a = edo_semaphore_acquire(&self->semaphore, 1);
            self->b = edo_semaphore_acquire(&self->semaphore, 1);
            self->c = edo_semaphore_acquire(&self->semaphore, 2);
            assert_waits(&self->a);
            assert_waits(&self->b);
            assert_waits(&self->c);
            edo_semaphore_release(&self->semaphore, 2); // for a and b
            if (self->first == 0) assert_cancelled(&self->a);
            if (self->first == 1) assert_cancelled(&self->b);
            assert_waits(&self->c);
            if (self->first == 0) assert_ends(&self->b, 0);
            if (self->first == 1) assert_ends(&self->a, 0);
            if (self->first < 2) {
                edo_semaphore_release(&self->semaphore, 1);
            } else {
                assert_cancelled(&self->b);
                assert_cancelled(&self->a);
            }
            assert_ends(&self->c, 0);
            assert_free(&self->semaphore, 0);
        }
        edo_return(0);
    }
}

async_test(without_budget_nothing_is_taken, edo_semaphore semaphore; edo_op op;)
{
    edo_body {
        int rc;
        self->semaphore = (edo_semaphore)EDO_SEMAPHORE_INIT(1);
        self->op = edo_semaphore_acquire(&self->semaphore, 1);
        spend_budget();
        assert_waits(&self->op);
        assert_free(&self->semaphore, 1);
        edo_await_on(rc, &self->op.base);
        assert_int_equal(rc, 0);
        assert_free(&self->semaphore, 0);
        edo_return(0);
    }
}

struct late {
    edo_frame();
    edo_args(edo_semaphore *semaphore; bool spends;);
};

edo_async(late)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(edo_s(60)));
        if (self->spends) spend_budget();
        edo_acquire(rc, self->semaphore, 1);
        assert_int_equal(rc, -ECANCELED);
        edo_await(rc, edo_semaphore_acquire(self->semaphore, 1));
        assert_int_equal(rc, -ECANCELED);
        edo_shield();
        edo_acquire(rc, self->semaphore, 1);
        assert_int_equal(rc, 0);
        edo_return(1);
    }
}

async_test(in_a_cancelled_function_nothing_is_taken, edo_semaphore semaphore; edo_task *task; int i;)
{
    edo_body {
        int rc;
        self->semaphore = (edo_semaphore)EDO_SEMAPHORE_INIT(2);
        for (self->i = 0; self->i < 2; self->i++) {
            assert_int_equal(edo_spawn(&self->task, late, &self->semaphore, self->i), 0);
            edo_await(rc, settle());
            edo_task_cancel(self->task);
            edo_await(rc, edo_join(self->task));
            assert_int_equal(rc, 1);
        }
        assert_free(&self->semaphore, 0);
        edo_return(0);
    }
}

async_test(a_limit_leaves_no_trace_in_the_queue, edo_semaphore semaphore; edo_limit limit;)
{
    edo_body {
        int rc;
        self->semaphore = (edo_semaphore)EDO_SEMAPHORE_INIT(1);
        edo_await_for(rc, edo_ms(5), edo_semaphore_acquire(&self->semaphore, 2));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_free(&self->semaphore, 1);
        edo_within(&self->limit, edo_ms(5)) {
            edo_acquire(rc, &self->semaphore, 2);
            assert_int_equal(rc, -ETIMEDOUT);
            edo_acquire(rc, &self->semaphore, 1); // it is closed
            assert_int_equal(rc, -ETIMEDOUT);
        }
        edo_await_for(rc, 0, edo_semaphore_acquire(&self->semaphore, 1));
        assert_int_equal(rc, 0);
        assert_free(&self->semaphore, 0);
        edo_return(0);
    }
}

/* ---- closing ---- */

async_test(a_closed_one_answers_all, CROWD edo_op late;)
{
    edo_body {
        int rc;
        begin_crowd(2);
        assert_false(edo_semaphore_is_closed(&self->semaphore));
        edo_semaphore_close(&self->semaphore);
        assert_true(edo_semaphore_is_closed(&self->semaphore));
        assert_ends(&self->a, -EPIPE);
        assert_ends(&self->b, -EPIPE);
        assert_ends(&self->c, -EPIPE);
        self->late = edo_semaphore_acquire(&self->semaphore, 1);
        assert_ends(&self->late, -EPIPE);
        assert_int_equal(edo_semaphore_try_acquire(&self->semaphore, 1), -EPIPE);
        edo_acquire(rc, &self->semaphore, 1);
        assert_int_equal(rc, -EPIPE);
        assert_state(&self->semaphore, 2, true);
        edo_semaphore_close(&self->semaphore); // again
        edo_return(0);
    }
}

async_test(permits_are_given_back_to_a_closed_one, edo_semaphore semaphore;)
{
    edo_body {
        int rc;
        self->semaphore = (edo_semaphore)EDO_SEMAPHORE_INIT(2);
        edo_acquire(rc, &self->semaphore, 2);
        assert_int_equal(rc, 0);
        edo_semaphore_close(&self->semaphore);
        edo_semaphore_release(&self->semaphore, 2);
        assert_int_equal(edo_semaphore_available(&self->semaphore), 2);
        assert_state(&self->semaphore, 2, true);
        assert_int_equal(edo_semaphore_forget(&self->semaphore, 1), 1);
        assert_state(&self->semaphore, 1, true);
        edo_return(0);
    }
}

async_test(one_that_was_granted_before_the_close_has_its_permits, CROWD)
{
    edo_body {
        begin_crowd(0);
        edo_semaphore_release(&self->semaphore, 4);
        edo_semaphore_close(&self->semaphore);
        assert_ends(&self->a, 0);
        assert_cancelled(&self->b); // releases its permit
        assert_ends(&self->c, -EPIPE);
        assert_state(&self->semaphore, 1, true);
        edo_return(0);
    }
}

async_test(a_waiter_that_was_closed_and_cancelled_says_that_it_was_closed, CROWD)
{
    edo_body {
        begin_crowd(0);
        edo_semaphore_close(&self->semaphore);
        assert_int_equal(cancel(&self->a), -EPIPE);
        assert_int_equal(cancel(&self->b), -EPIPE);
        assert_ends(&self->c, -EPIPE);
        assert_state(&self->semaphore, 0, true);
        edo_return(0);
    }
}

/* ---- more of the order, and of who waits ---- */

async_test(one_that_asks_for_more_than_were_ever_made_waits_for_them,
    edo_semaphore semaphore;
    edo_op op;)
{
    edo_body {
        self->semaphore = (edo_semaphore)EDO_SEMAPHORE_INIT(2);
        self->op = edo_semaphore_acquire(&self->semaphore, 5);
        assert_waits(&self->op);
        edo_semaphore_release(&self->semaphore, 2);
        assert_waits(&self->op);
        edo_semaphore_release(&self->semaphore, 2); // one too many
        assert_ends(&self->op, 0);
        assert_free(&self->semaphore, 1);
        edo_return(0);
    }
}

async_test(a_cancelled_big_request_leaves_all_that_it_waited_for, CROWD)
{
    edo_body {
        begin_crowd(0);
        edo_semaphore_release(&self->semaphore, 2);
        assert_waits(&self->a);
        assert_waits(&self->b);
        assert_cancelled(&self->a);
        assert_ends(&self->b, 0);
        assert_ends(&self->c, 0);
        assert_free(&self->semaphore, 0);
        edo_return(0);
    }
}

async_test(a_cancelled_head_serves_as_many_as_there_are_permits_for, CROWD edo_op d, e;)
{
    edo_body {
        begin_crowd(2);
        self->d = edo_semaphore_acquire(&self->semaphore, 2);
        self->e = edo_semaphore_acquire(&self->semaphore, 1);
        assert_waits(&self->d);
        assert_waits(&self->e);
        assert_cancelled(&self->a);
        assert_ends(&self->c, 0);
        assert_ends(&self->b, 0);
        edo_semaphore_release(&self->semaphore, 1);
        assert_waits(&self->e); // d is before it
        assert_waits(&self->d);
        assert_cancelled(&self->d);
        assert_ends(&self->e, 0);
        assert_free(&self->semaphore, 0);
        edo_return(0);
    }
}

async_test(a_cancelled_one_in_the_middle_keeps_the_order_of_the_others, CROWD)
{
    edo_body {
        begin_crowd(2);
        assert_cancelled(&self->b);
        edo_semaphore_release(&self->semaphore, 1);
        assert_waits(&self->c);
        assert_ends(&self->a, 0);
        edo_semaphore_release(&self->semaphore, 1);
        assert_ends(&self->c, 0);
        assert_free(&self->semaphore, 0);
        edo_return(0);
    }
}

test(two_semaphores_are_apart)
{
    edo_semaphore first = EDO_SEMAPHORE_INIT(1), second = EDO_SEMAPHORE_INIT(1);
    assert_int_equal(edo_semaphore_try_acquire(&first, 1), 0);
    edo_semaphore_close(&first);
    assert_int_equal(edo_semaphore_try_acquire(&second, 1), 0);
    assert_false(edo_semaphore_is_closed(&second));
    edo_semaphore_release(&second, 2);
    assert_state(&first, 0, true);
    assert_free(&second, 2);
}

async_test(a_select_over_semaphores_takes_permits_of_one,
    edo_semaphore first, second;
    edo_op a, b;
    int round;)
{
    edo_body {
        int rc;
        for (self->round = 0; self->round < 20; self->round++) {
            self->first = (edo_semaphore)EDO_SEMAPHORE_INIT(2);
            self->second = (edo_semaphore)EDO_SEMAPHORE_INIT(2);
            self->a = edo_semaphore_acquire(&self->first, 2);
            self->b = edo_semaphore_acquire(&self->second, 2);
            edo_select(rc, &self->a.base, &self->b.base);
            assert_free(&self->first, rc == 0 ? 0 : 2);
            assert_free(&self->second, rc == 1 ? 0 : 2);
        }
        edo_return(0);
    }
}

enum { CROWDED = 50 };

allocator_fixture() async_test(waiters_need_no_memory, edo_semaphore semaphore; edo_op ops[CROWDED]; uint64_t calls;)
{
    edo_body {
        self->semaphore = (edo_semaphore)EDO_SEMAPHORE_INIT(0);
        self->calls = test_allocator_calls();
        test_allocator_fail_from(1);
        for (int i = 0; i < CROWDED; i++) {
            self->ops[i] = edo_semaphore_acquire(&self->semaphore, 1);
            assert_waits(&self->ops[i]);
        }
        edo_semaphore_release(&self->semaphore, CROWDED / 2);
        edo_semaphore_close(&self->semaphore);
        for (int i = 0; i < CROWDED; i++)
            assert_ends(&self->ops[i], i < CROWDED / 2 ? 0 : -EPIPE);
        test_allocator_fail_from(0);
        assert_int_equal(test_allocator_calls(), self->calls);
        assert_state(&self->semaphore, 0, true);
        edo_return(0);
    }
}

static void wait_or_close(unsigned index, void *arg)
{
    edo_semaphore *semaphore = arg;
    if (index == 0)
        edo_semaphore_close(semaphore);
    else
        insist(edo_wait(edo_semaphore_acquire(semaphore, index)) == -EPIPE);
}

test(a_close_answers_every_plain_thread)
{
    for (int i = 0; i < 50; i++) {
        edo_semaphore semaphore = EDO_SEMAPHORE_INIT(0);
        run_threads(4, wait_or_close, &semaphore);
        assert_state(&semaphore, 0, true);
    }
}

/* One thread releases what the others acquire: permits have no owner. */
static void release_or_acquire(unsigned index, void *arg)
{
    edo_semaphore *semaphore = arg;
    for (int i = 0; i < 300; i++) {
        if (index == 0)
            edo_semaphore_release(semaphore, 1 + 2 + 3);
        else
            insist(edo_wait(edo_semaphore_acquire(semaphore, index)) == 0);
    }
}

test(permits_released_by_one_thread_are_had_by_others)
{
    edo_semaphore semaphore = EDO_SEMAPHORE_INIT(0);
    run_threads(4, release_or_acquire, &semaphore);
    assert_free(&semaphore, 0);
}

/* ---- many ---- */

enum { TASKS = 8, ROUNDS = 400, THREADS = 4, PERMITS = 3 };

struct world {
    edo_semaphore semaphore;
    uint32_t inside, most;
};

static void go_in(struct world *world, uint32_t permits)
{
    uint32_t inside = edo_add_relaxed(&world->inside, permits) + permits;
    insist(inside <= PERMITS);
}

static void go_out(struct world *world, uint32_t permits)
{
    edo_sub_relaxed(&world->inside, permits);
    edo_semaphore_release(&world->semaphore, permits);
}

struct user {
    edo_frame();
    edo_args(struct world *world; uint64_t seed; bool hurries;);
    test_random random;
    uint32_t permits;
    int i;
};

edo_async(user)
{
    edo_body {
        int rc;
        self->random = test_random_make(self->seed);
        for (self->i = 0; self->i < ROUNDS; self->i++) {
            self->permits = (uint32_t)test_random_below(&self->random, PERMITS + 1);
            if (self->hurries)
                edo_await_for(rc, (int64_t)test_random_below(&self->random, 4),
                              edo_semaphore_acquire(&self->world->semaphore, self->permits));
            else
                edo_acquire(rc, &self->world->semaphore, self->permits);
            if (rc < 0) continue;
            go_in(self->world, self->permits);
            if (self->hurries && self->i % 2)
                edo_await_void(edo_sleep((int64_t)test_random_below(&self->random, 4)));
            else
                edo_await_void(edo_yield());
            go_out(self->world, self->permits);
        }
        edo_return(0);
    }
}

async_test(never_more_than_there_are_permits, struct world world; edo_scope scope; unsigned i;)
{
    edo_body {
        int rc;
        self->world = (struct world){ .semaphore = EDO_SEMAPHORE_INIT(PERMITS) };
        edo_scope_open(&self->scope, 0);
        for (self->i = 0; self->i < TASKS; self->i++)
            assert_int_equal(edo_scope_spawn(&self->scope, user, &self->world, self->i, false), 0);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(rc, 0);
        assert_free(&self->world.semaphore, PERMITS);
        edo_return(0);
    }
}

async_test(limits_at_random_lose_nothing, struct world world; edo_scope scope; unsigned i;)
{
    edo_body {
        int rc;
        self->world = (struct world){ .semaphore = EDO_SEMAPHORE_INIT(PERMITS) };
        edo_scope_open(&self->scope, 0);
        for (self->i = 0; self->i < TASKS; self->i++)
            assert_int_equal(edo_scope_spawn(&self->scope, user, &self->world, self->i, true), 0);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(rc, 0);
        assert_free(&self->world.semaphore, PERMITS);
        edo_return(0);
    }
}

static void meet(unsigned index, void *arg)
{
    struct world *world = arg;
    if (index < 2) {
        edo_runtime *runtime;
        insist(create_runtime(NULL, &runtime) == 0);
        insist(edo_block_on(runtime, user, world, index, false) == 0);
        insist(edo_runtime_destroy(runtime) == 0);
        return;
    }
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint32_t permits = i % (PERMITS + 1);
        insist(edo_wait(edo_semaphore_acquire(&world->semaphore, permits)) == 0);
        go_in(world, permits);
        go_out(world, permits);
    }
}

test(threads_and_runtimes)
{
    struct world world = { .semaphore = EDO_SEMAPHORE_INIT(PERMITS) };
    run_threads(THREADS, meet, &world);
    assert_free(&world.semaphore, PERMITS);
}

/* ---- a semaphore in the frame of its only waiter ---- */

struct reports {
    edo_frame();
    edo_args(edo_semaphore *done;);
};

edo_async(reports)
{
    edo_body {
        edo_semaphore_release(self->done, 1);
        edo_return(0);
    }
}

struct awaits_reports {
    edo_frame();
    edo_args();
    edo_semaphore done;
    int i;
};

edo_async(awaits_reports)
{
    edo_body {
        int rc;
        self->done = (edo_semaphore)EDO_SEMAPHORE_INIT(0);
        for (int i = 0; i < 3; i++)
            assert_int_equal(edo_go(reports, &self->done), 0);
        for (self->i = 0; self->i < 3; self->i++) {
            edo_acquire(rc, &self->done, 1);
            assert_int_equal(rc, 0);
        }
        edo_semaphore_deinit(&self->done);
        edo_return(0);
    }
}

async_test(who_has_acquired_all_may_free_it, edo_task *task; int i;)
{
    edo_body {
        int rc;
        for (self->i = 0; self->i < 200; self->i++) {
            assert_int_equal(edo_spawn(&self->task, awaits_reports), 0);
            edo_await(rc, edo_join(self->task));
            assert_int_equal(rc, 0);
        }
        edo_return(0);
    }
}

/* ---- misuse ---- */

static void release_too_many(void *arg)
{
    (void)arg;
    edo_semaphore semaphore = EDO_SEMAPHORE_INIT(EDO_SEMAPHORE_MAX);
    edo_semaphore_release(&semaphore, 1);
}

static void release_far_too_many(void *arg)
{
    (void)arg;
    edo_semaphore semaphore = EDO_SEMAPHORE_INIT(1);
    edo_semaphore_release(&semaphore, UINT32_MAX);
}

struct ends_a_waited_one {
    edo_frame();
    edo_args();
    edo_semaphore semaphore;
    edo_op op;
};

edo_async(ends_a_waited_one)
{
    edo_body {
        self->semaphore = (edo_semaphore)EDO_SEMAPHORE_INIT(0);
        self->op = edo_semaphore_acquire(&self->semaphore, 1);
        assert_waits(&self->op);
        edo_semaphore_deinit(&self->semaphore);
        edo_return(0);
    }
}

static void end_a_waited_one(void *arg)
{
    (void)arg;
    in_task(ends_a_waited_one);
}

test(misuse_is_named)
{
    expect_abort(release_too_many, NULL,
                 "edo_semaphore_release: the count would exceed EDO_SEMAPHORE_MAX");
    expect_abort(release_far_too_many, NULL,
                 "edo_semaphore_release: the count would exceed EDO_SEMAPHORE_MAX");
    expect_abort(end_a_waited_one, NULL, "edo_semaphore_deinit: waiters remain in its queue");
}
