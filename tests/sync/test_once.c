/* Once: made by the first task that needs it, or set by one task and awaited by others. */
#include "sync/steps.h"

#include <edo/events.h>

static void assert_word(const edo_once *once, uint32_t word)
{
    assert_int_equal(once->word, word);
    assert_int_equal(once->lock, 0);
    assert_null(once->waiters);
}

/* ---- alone ---- */

test(all_zero_is_not_made)
{
    edo_once once = EDO_ONCE_INIT, zero;
    memset(&zero, 0, sizeof zero);
    assert_memory_equal(&once, &zero, sizeof zero);
    assert_false(edo_once_is_done(&once));
    edo_once_deinit(&once);
}

test(it_is_made_by_the_first)
{
    edo_once once = EDO_ONCE_INIT;
    assert_int_equal(edo_once_try_enter(&once), 1);
    assert_false(edo_once_is_done(&once));
    assert_int_equal(edo_once_try_enter(&once), -EBUSY);
    edo_once_done(&once);
    assert_true(edo_once_is_done(&once));
    assert_int_equal(edo_once_try_enter(&once), 0);
    assert_word(&once, EDO__ONCE_DONE);
    edo_once_deinit(&once);
}

test(what_failed_is_tried_again)
{
    edo_once once = EDO_ONCE_INIT;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(edo_once_try_enter(&once), 1);
        edo_once_fail(&once);
        assert_false(edo_once_is_done(&once));
    }
    assert_word(&once, 0);
}

async_test(the_operation_makes_it_as_well, edo_once once; edo_op op;)
{
    edo_body {
        int rc;
        self->once = (edo_once)EDO_ONCE_INIT;
        self->op = edo_once_enter(&self->once);
        assert_word(&self->once, 0); // inert
        assert_ends(&self->op, 1);
        edo_once_done(&self->once);
        edo_await(rc, edo_once_enter(&self->once));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_once_wait(&self->once));
        assert_int_equal(rc, 0);
        assert_word(&self->once, EDO__ONCE_DONE);
        edo_return(0);
    }
}

async_test(who_makes_it_and_enters_again_waits, edo_once once;)
{
    edo_body {
        int rc;
        self->once = (edo_once)EDO_ONCE_INIT;
        edo_await(rc, edo_once_enter(&self->once));
        assert_int_equal(rc, 1);
        edo_await_for(rc, edo_ms(100), edo_once_enter(&self->once));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(edo_once_try_enter(&self->once), -EBUSY);
        edo_once_done(&self->once);
        edo_await(rc, edo_once_enter(&self->once));
        assert_int_equal(rc, 0);
        edo_return(0);
    }
}

/* ---- others wait ---- */

/* Two requests to enter, and one wait, while another task is the maker. */
#define CROWD                                                                                      \
    edo_once once;                                                                                 \
    edo_op a, b, waits;
#define begin_crowd()                                                                              \
    do {                                                                                           \
        self->once = (edo_once)EDO_ONCE_INIT;                                                      \
        assert_int_equal(edo_once_try_enter(&self->once), 1);                                      \
        self->waits = edo_once_wait(&self->once);                                                  \
        self->a = edo_once_enter(&self->once);                                                     \
        self->b = edo_once_enter(&self->once);                                                     \
        assert_waits(&self->waits);                                                                \
        assert_waits(&self->a);                                                                    \
        assert_waits(&self->b);                                                                    \
    } while (0)

async_test(all_go_on_when_it_is_made, CROWD)
{
    edo_body {
        begin_crowd();
        edo_once_done(&self->once);
        assert_ends(&self->b, 0);
        assert_ends(&self->waits, 0);
        assert_ends(&self->a, 0);
        assert_word(&self->once, EDO__ONCE_DONE);
        edo_return(0);
    }
}

async_test(when_it_fails_one_tries_and_the_rest_wait, CROWD)
{
    edo_body {
        begin_crowd();
        edo_once_fail(&self->once);
        assert_int_equal(edo_once_try_enter(&self->once), -EBUSY); // a is the maker
        assert_waits(&self->b);
        assert_waits(&self->waits);
        assert_ends(&self->a, 1);
        edo_once_fail(&self->once);
        assert_waits(&self->waits);
        assert_ends(&self->b, 1);
        edo_once_done(&self->once);
        assert_ends(&self->waits, 0);
        assert_word(&self->once, EDO__ONCE_DONE);
        edo_return(0);
    }
}

async_test(when_all_fail_one_that_waits_goes_on_waiting, CROWD)
{
    edo_body {
        begin_crowd();
        edo_once_fail(&self->once);
        assert_ends(&self->a, 1);
        edo_once_fail(&self->once);
        assert_ends(&self->b, 1);
        edo_once_fail(&self->once);
        assert_waits(&self->waits);
        assert_int_equal(self->once.word, 0);
        assert_int_equal(edo_once_try_enter(&self->once), 1);
        edo_once_done(&self->once);
        assert_ends(&self->waits, 0);
        edo_return(0);
    }
}

async_test(a_cancelled_waiter_leaves_no_trace, CROWD)
{
    edo_body {
        begin_crowd();
        assert_cancelled(&self->a);
        assert_cancelled(&self->waits);
        edo_once_fail(&self->once);
        assert_ends(&self->b, 1);
        edo_once_fail(&self->once);
        assert_word(&self->once, 0);
        edo_return(0);
    }
}

async_test(one_that_is_to_make_it_and_is_cancelled_passes_it_on, CROWD)
{
    edo_body {
        begin_crowd();
        edo_once_fail(&self->once);
        assert_cancelled(&self->a);
        assert_waits(&self->waits);
        assert_ends(&self->b, 1);
        edo_once_done(&self->once);
        assert_ends(&self->waits, 0);
        edo_return(0);
    }
}

async_test(the_last_that_is_to_make_it_leaves_it_unmade, CROWD)
{
    edo_body {
        begin_crowd();
        edo_once_fail(&self->once);
        assert_cancelled(&self->b);
        assert_cancelled(&self->a);
        assert_cancelled(&self->waits);
        assert_word(&self->once, 0);
        edo_return(0);
    }
}

async_test(one_that_is_cancelled_when_it_is_made_changes_nothing, CROWD)
{
    edo_body {
        begin_crowd();
        edo_once_done(&self->once);
        assert_cancelled(&self->a);
        assert_int_equal(cancel(&self->waits), 0); // cancelled too late: made before
        assert_ends(&self->b, 0);
        assert_word(&self->once, EDO__ONCE_DONE);
        edo_return(0);
    }
}

async_test(a_limit_leaves_no_trace, edo_once once;)
{
    edo_body {
        int rc;
        self->once = (edo_once)EDO_ONCE_INIT;
        edo_await_for(rc, edo_ms(2), edo_once_wait(&self->once));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_word(&self->once, 0);
        assert_int_equal(edo_once_try_enter(&self->once), 1);
        edo_await_for(rc, edo_ms(2), edo_once_enter(&self->once));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_word(&self->once, EDO__ONCE_BUSY);
        edo_once_done(&self->once);
        edo_return(0);
    }
}

async_test(without_budget_nothing_is_entered, edo_once once; edo_op op;)
{
    edo_body {
        int rc;
        self->once = (edo_once)EDO_ONCE_INIT;
        self->op = edo_once_enter(&self->once);
        spend_budget();
        assert_waits(&self->op);
        assert_word(&self->once, 0);
        edo_await_on(rc, &self->op.base);
        assert_int_equal(rc, 1);
        edo_once_done(&self->once);
        edo_return(0);
    }
}

/* ---- many ---- */

enum { TASKS = 10, TRIES = 4 };

struct cell {
    edo_once once;
    int64_t value; // made once
    int tries;     // number of makers
};

/* Makes it, slowly; the first few times it fails. */
struct makes {
    edo_frame();
    edo_args(struct cell *cell; int failures;);
};

edo_async(makes)
{
    edo_body {
        int rc;
        self->cell->tries++;
        edo_await(rc, edo_sleep(edo_ms(1)));
        if (rc < 0 || self->cell->tries <= self->failures) edo_return(rc < 0 ? rc : -EIO);
        self->cell->value = 42;
        edo_return(0);
    }
}

struct needs {
    edo_frame(struct makes makes;);
    edo_args(struct cell *cell; int failures;);
};

edo_async(needs)
{
    edo_body {
        int rc;
        edo_await(rc, edo_once_enter(&self->cell->once));
        if (rc < 0) edo_return(rc);
        if (rc == 1) {
            edo_call(rc, makes, self->cell, self->failures);
            if (rc < 0) {
                edo_once_fail(&self->cell->once);
                edo_return(rc);
            }
            edo_once_done(&self->cell->once);
        }
        edo_return(self->cell->value);
    }
}

struct needs_all {
    edo_frame();
    edo_args();
    struct cell cell;
    edo_task *tasks[TASKS];
    int failures, i, good, bad;
};

framed_test(needs_all)
{
    edo_body {
        int rc;
        for (self->failures = 0; self->failures < TRIES; self->failures++) {
            self->cell = (struct cell){ .once = EDO_ONCE_INIT };
            self->good = self->bad = 0;
            for (self->i = 0; self->i < TASKS; self->i++)
                assert_int_equal(
                    edo_spawn(&self->tasks[self->i], needs, &self->cell, self->failures), 0);
            for (self->i = 0; self->i < TASKS; self->i++) {
                edo_await(rc, edo_join(self->tasks[self->i]));
                self->good += rc == 42;
                self->bad += rc == -EIO;
            }
            assert_int_equal(self->cell.tries, self->failures + 1);
            assert_int_equal(self->bad, self->failures);
            assert_int_equal(self->good, TASKS - self->failures);
        }
        edo_return(0);
    }
}

async_test(the_maker_is_cancelled_and_the_next_one_makes_it,
    struct cell cell;
    edo_task *first, *tasks[TASKS];
    int i;)
{
    edo_body {
        int rc;
        self->cell = (struct cell){ .once = EDO_ONCE_INIT };
        assert_int_equal(edo_spawn(&self->first, needs, &self->cell, 0), 0);
        edo_await(rc, edo_sleep(1));
        for (self->i = 0; self->i < TASKS; self->i++)
            assert_int_equal(edo_spawn(&self->tasks[self->i], needs, &self->cell, 0), 0);
        edo_await(rc, edo_sleep(1));
        edo_task_cancel(self->first);
        edo_await(rc, edo_join(self->first));
        assert_int_equal(rc, -ECANCELED);
        for (self->i = 0; self->i < TASKS; self->i++) {
            edo_await(rc, edo_join(self->tasks[self->i]));
            assert_int_equal(rc, 42);
        }
        assert_int_equal(self->cell.tries, 2);
        edo_return(0);
    }
}

static void set_or_wait(unsigned index, void *arg)
{
    struct cell *cell = arg;
    if (index == 0) {
        insist(edo_once_try_enter(&cell->once) == 1);
        cell->value = 7;
        edo_once_done(&cell->once);
        insist(edo_once_try_enter(&cell->once) == 0); // set already
        return;
    }
    insist(edo_wait(edo_once_wait(&cell->once)) == 0);
    insist(cell->value == 7);
}

test(one_thread_sets_it_and_others_wait)
{
    for (int i = 0; i < 20; i++) {
        struct cell cell = { .once = EDO_ONCE_INIT };
        run_threads(4, set_or_wait, &cell);
        assert_word(&cell.once, EDO__ONCE_DONE);
    }
}

static void enter_all(unsigned index, void *arg)
{
    struct cell *cell = arg;
    (void)index;
    int64_t rc = edo_wait(edo_once_enter(&cell->once));
    insist(rc == 0 || rc == 1);
    if (rc == 1) {
        cell->value++;
        edo_once_done(&cell->once);
    }
    insist(cell->value == 1);
}

test(of_many_threads_one_makes_it)
{
    for (int i = 0; i < 20; i++) {
        struct cell cell = { .once = EDO_ONCE_INIT };
        run_threads(4, enter_all, &cell);
        assert_word(&cell.once, EDO__ONCE_DONE);
    }
}

/* ---- more of the rules ---- */

/* 0 and 1 are different: who gets 1 has something to do. */
test(what_is_made_is_made_for_every_later_one)
{
    edo_once once = EDO_ONCE_INIT;
    assert_int_equal(edo_once_try_enter(&once), 1);
    edo_once_done(&once);
    for (int i = 0; i < 100; i++)
        assert_int_equal(edo_once_try_enter(&once), 0);
    assert_word(&once, EDO__ONCE_DONE);
}

test(two_of_them_are_apart)
{
    edo_once first = EDO_ONCE_INIT, second = EDO_ONCE_INIT;
    assert_int_equal(edo_once_try_enter(&first), 1);
    assert_int_equal(edo_once_try_enter(&second), 1);
    edo_once_done(&first);
    assert_int_equal(edo_once_try_enter(&second), -EBUSY);
    assert_false(edo_once_is_done(&second));
    edo_once_fail(&second);
    assert_true(edo_once_is_done(&first));
    assert_word(&second, 0);
}

async_test(a_wait_begins_nothing, edo_once once; edo_op waits;)
{
    edo_body {
        self->once = (edo_once)EDO_ONCE_INIT;
        self->waits = edo_once_wait(&self->once);
        assert_waits(&self->waits);
        assert_int_equal(edo_once_try_enter(&self->once), 1); // nobody was making it
        assert_waits(&self->waits);
        edo_once_done(&self->once);
        assert_ends(&self->waits, 0);
        edo_return(0);
    }
}

async_test(those_that_come_late_wait_behind_those_that_wait, CROWD edo_op late;)
{
    edo_body {
        begin_crowd();
        edo_once_fail(&self->once);
        self->late = edo_once_enter(&self->once); // a was chosen, and has yet to run
        assert_waits(&self->late);
        assert_ends(&self->a, 1);
        edo_once_fail(&self->once);
        assert_waits(&self->late);
        assert_ends(&self->b, 1);
        edo_once_fail(&self->once);
        assert_ends(&self->late, 1);
        edo_once_done(&self->once);
        assert_ends(&self->waits, 0);
        edo_return(0);
    }
}

/* The one that was chosen is cancelled, and nobody else wants to: the next one that comes does. */
async_test(one_that_comes_after_a_cancelled_maker_makes_it, edo_once once; edo_op chosen, next;)
{
    edo_body {
        self->once = (edo_once)EDO_ONCE_INIT;
        assert_int_equal(edo_once_try_enter(&self->once), 1);
        self->chosen = edo_once_enter(&self->once);
        assert_waits(&self->chosen);
        edo_once_fail(&self->once);
        assert_cancelled(&self->chosen);
        self->next = edo_once_enter(&self->once);
        assert_ends(&self->next, 1);
        edo_once_done(&self->once);
        assert_word(&self->once, EDO__ONCE_DONE);
        edo_return(0);
    }
}

/* It waits, is cancelled, and waits again: each wait is its own. */
async_test(a_wait_may_be_cancelled_and_begun_again, edo_once once; edo_op waits;)
{
    edo_body {
        self->once = (edo_once)EDO_ONCE_INIT;
        for (int i = 0; i < 5; i++) {
            self->waits = edo_once_wait(&self->once);
            assert_waits(&self->waits);
            assert_cancelled(&self->waits);
            assert_word(&self->once, 0);
        }
        self->waits = edo_once_wait(&self->once);
        assert_waits(&self->waits);
        assert_int_equal(edo_once_try_enter(&self->once), 1);
        edo_once_done(&self->once);
        assert_ends(&self->waits, 0);
        edo_return(0);
    }
}

struct enters_late {
    edo_frame();
    edo_args(edo_once *once;);
};

edo_async(enters_late)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(EDO_NEVER));
        assert_int_equal(rc, -ECANCELED);
        edo_await(rc, edo_once_enter(self->once));
        assert_int_equal(rc, -ECANCELED);
        edo_await(rc, edo_once_wait(self->once));
        assert_int_equal(rc, -ECANCELED);
        edo_shield();
        edo_await(rc, edo_once_enter(self->once));
        edo_return(rc);
    }
}

async_test(in_a_cancelled_function_nothing_is_entered,
    edo_once once;
    edo_task *task;)
{
    edo_body {
        int rc;
        self->once = (edo_once)EDO_ONCE_INIT;
        assert_int_equal(edo_spawn(&self->task, enters_late, &self->once), 0);
        edo_await(rc, settle());
        edo_task_cancel(self->task);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 1); // by the shielded one alone
        edo_once_done(&self->once);
        assert_word(&self->once, EDO__ONCE_DONE);
        edo_return(0);
    }
}

allocator_fixture()
    async_test(waiters_need_no_memory, edo_once once; edo_op ops[40]; uint64_t calls;)
{
    edo_body {
        self->once = (edo_once)EDO_ONCE_INIT;
        self->calls = test_allocator_calls();
        test_allocator_fail_from(1);
        assert_int_equal(edo_once_try_enter(&self->once), 1);
        for (int i = 0; i < 40; i++) {
            self->ops[i] = i % 2 ? edo_once_wait(&self->once) : edo_once_enter(&self->once);
            assert_waits(&self->ops[i]);
        }
        edo_once_done(&self->once);
        for (int i = 0; i < 40; i++)
            assert_ends(&self->ops[i], 0);
        test_allocator_fail_from(0);
        assert_int_equal(test_allocator_calls(), self->calls);
        edo_return(0);
    }
}

static void need_in_a_runtime(unsigned index, void *arg)
{
    edo_runtime *runtime;
    if (index == 0) { // a plain thread sees the same value
        insist(edo_wait(edo_once_wait(&((struct cell *)arg)->once)) == 0);
        insist(((struct cell *)arg)->value == 42);
        return;
    }
    insist(create_runtime(NULL, &runtime) == 0);
    int64_t rc = edo_block_on(runtime, needs, arg, 1); // the first one that tries fails
    insist(rc == 42 || rc == -EIO);
    insist(edo_runtime_destroy(runtime) == 0);
}

test(runtimes_share_what_one_of_them_makes)
{
    struct cell cell = { .once = EDO_ONCE_INIT };
    run_threads(5, need_in_a_runtime, &cell);
    assert_int_equal(cell.tries, 2);
    assert_word(&cell.once, EDO__ONCE_DONE);
}

/* A thread makes it while others come, wait, and give up: none of them keeps the others from it. */
static void make_or_give_up(unsigned index, void *arg)
{
    struct cell *cell = arg;
    for (int i = 0; !edo_once_is_done(&cell->once); i++) {
        int rc = edo_once_try_enter(&cell->once);
        if (rc == 1 && index == 0 && i > 100) {
            cell->value = 9;
            edo_once_done(&cell->once);
        } else if (rc == 1) {
            edo_once_fail(&cell->once);
        }
    }
    insist(cell->value == 9);
}

test(who_sees_that_it_is_made_sees_what_was_made)
{
    for (int i = 0; i < 20; i++) {
        struct cell cell = { .once = EDO_ONCE_INIT };
        run_threads(3, make_or_give_up, &cell);
        assert_word(&cell.once, EDO__ONCE_DONE);
    }
}

/* ---- misuse ---- */

static void done_by_nobody(void *arg)
{
    edo_once once = EDO_ONCE_INIT;
    (void)arg;
    edo_once_done(&once);
}

static void done_twice(void *arg)
{
    edo_once once = EDO_ONCE_INIT;
    (void)arg;
    insist(edo_once_try_enter(&once) == 1);
    edo_once_done(&once);
    edo_once_done(&once);
}

static void fail_by_nobody(void *arg)
{
    edo_once once = EDO_ONCE_INIT;
    (void)arg;
    edo_once_fail(&once);
}

static void end_while_it_is_made(void *arg)
{
    edo_once once = EDO_ONCE_INIT;
    (void)arg;
    insist(edo_once_try_enter(&once) == 1);
    edo_once_deinit(&once);
}

test(misuse_is_named)
{
    expect_abort(done_by_nobody, NULL, "edo_once_done: no initialisation is in progress");
    expect_abort(done_twice, NULL, "edo_once_done: no initialisation is in progress");
    expect_abort(fail_by_nobody, NULL, "edo_once_fail: no initialisation is in progress");
    expect_abort(end_while_it_is_made, NULL, "edo_once_deinit: still in use");
}
