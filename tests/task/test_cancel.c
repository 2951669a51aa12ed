/* Rule 5, cancellation: the answers of leaves and functions; it is sticky; functions always run;
 * clean-up runs at whatever point the cancellation comes. Shields, limits and selects have their
 * own files. */
#include "task/probe.h"

/* ---- leaves ---- */

async_test(a_waiting_leaf_answers_that_it_was_cancelled,
    struct gate gate;
    edo_op sleep, yield, join;
    edo_task *task;)
{
    edo_body {
        int rc;
        self->gate = gate_make();
        assert_int_equal(edo_spawn(&self->task, passer, .gate = &self->gate), 0);
        self->sleep = edo_sleep(edo_s(1));
        self->yield = settle();
        self->join = edo_join(self->task);
        edo_cancel(&self->sleep.base);
        edo_cancel(&self->yield.base);
        edo_cancel(&self->join.base);
        edo_all(&self->sleep.base, &self->yield.base, &self->join.base);
        assert_int_equal(self->sleep.base.result, -ECANCELED);
        assert_int_equal(self->yield.base.result, -ECANCELED);
        assert_int_equal(self->join.base.result, -ECANCELED);
        gate_open(&self->gate, 1);
        edo_await(rc, edo_join(self->task)); // the handle is still the caller's
        assert_int_equal(rc, 1);
        edo_return(0);
    }
}

async_test(a_leaf_with_a_result_answers_the_result,
    struct gate gate, open;
    edo_op sleep, join;
    edo_task *task;)
{
    edo_body {
        int rc;
        self->gate = gate_make();
        self->open = gate_make();
        assert_int_equal(edo_spawn(&self->task, passer, .gate = &self->open), 0);
        self->sleep = edo_sleep(edo_ms(1));
        self->join = edo_join(self->task);
        assert_int_equal(edo_poll_future(&self->gate.base, cx), EDO_PENDING);
        assert_int_equal(edo_poll_future(&self->sleep.base, cx), EDO_PENDING);
        assert_int_equal(edo_poll_future(&self->join.base, cx), EDO_PENDING);
        gate_open(&self->open, 4);
        edo_await(rc, edo_sleep(edo_ms(2)));
        gate_open(&self->gate, 3);
        edo_cancel(&self->gate.base);
        edo_cancel(&self->sleep.base);
        edo_cancel(&self->join.base);
        edo_all(&self->gate.base, &self->sleep.base, &self->join.base);
        assert_int_equal(self->gate.base.result, 3);
        assert_int_equal(self->sleep.base.result, 0);
        assert_int_equal(self->join.base.result, 4);
        edo_return(0);
    }
}

async_test(a_leaf_that_cannot_end_at_once_stays_pending, struct gate gate; int64_t start;)
{
    edo_body {
        int64_t result;
        self->gate = gate_make_stubborn();
        edo_cancel(&self->gate.base);
        assert_int_equal(edo_poll_future(&self->gate.base, cx), EDO_PENDING);
        assert_int_equal(edo_go(opener, .gate = &self->gate, .value = 8, .after = 3), 0);
        edo_await_on(result, &self->gate.base);
        assert_int_equal(result, 8);
        edo_return(0);
    }
}

/* ---- twice, too late ---- */

async_test(to_cancel_twice_is_to_cancel_once,
    struct gate gate;
    struct passer child;
    unsigned ended;)
{
    edo_body {
        self->gate = gate_make();
        self->ended = 0;
        edo_init(&self->child, passer, .gate = &self->gate, .ended = &self->ended);
        assert_int_equal(edo_poll_future(&self->child.base, cx), EDO_PENDING);
        edo_cancel(&self->child.base);
        edo_cancel(&self->child.base);
        edo_all(&self->child.base);
        assert_int_equal(self->child.base.result, -ECANCELED);
        assert_int_equal(self->ended, 1);
        edo_return(0);
    }
}

async_test(to_cancel_what_is_done_changes_nothing,
    struct gate gate;
    struct passer child;
    edo_task *task;)
{
    edo_body {
        int64_t result;
        self->gate = gate_make_open(5);
        edo_init(&self->child, passer, .gate = &self->gate);
        edo_all(&self->child.base);
        edo_cancel(&self->child.base);
        edo_abort(&self->child.base);
        edo_all(&self->child.base);
        assert_int_equal(self->child.base.result, 5);
        assert_int_equal(edo_spawn(&self->task, passer, .gate = &self->gate), 0);
        edo_await(result, settle());
        assert_true(edo_task_is_done(self->task));
        edo_task_cancel(self->task);
        edo_task_cancel(self->task);
        edo_task_abort(self->task);
        edo_await(result, edo_join(self->task));
        assert_int_equal(result, 5);
        edo_return(0);
    }
}

async_test(a_cancel_after_an_abort_takes_nothing_back, struct gate gate;)
{
    edo_body {
        self->gate = gate_make_stubborn();
        edo_abort(&self->gate.base);
        edo_cancel(&self->gate.base);
        assert_int_equal(edo_poll_future(&self->gate.base, cx), EDO_PENDING);
        assert_int_equal(self->gate.fate, EDO_ABORTED);
        edo_return(0);
    }
}

/* ---- sticky ---- */

enum { TRIES = 5 };

struct tries_again {
    edo_frame(struct passer passer;);
    edo_args(struct gate *gate; unsigned *cancels;);
    int i;
};

edo_async(tries_again)
{
    edo_body {
        int64_t result;
        for (self->i = 0; self->i < TRIES; self->i++) {
            edo_await(result, edo_sleep(edo_s(1)));
            *self->cancels += result == -ECANCELED && edo_is_cancelled();
            edo_call(result, passer, .gate = self->gate);
            *self->cancels += result == -ECANCELED && edo_is_cancelled();
            *self->gate = gate_make();
        }
        edo_return(-ECANCELED);
    }
}

async_test(every_further_await_answers_that_it_was_cancelled,
    struct gate gate;
    struct tries_again child;
    edo_task *task;
    unsigned cancels;
    int64_t start;)
{
    edo_body {
        int rc;
        self->gate = gate_make();
        self->cancels = 0;
        self->start = edo_now();
        edo_init(&self->child, tries_again, .gate = &self->gate, .cancels = &self->cancels);
        assert_int_equal(edo_poll_future(&self->child.base, cx), EDO_PENDING);
        edo_cancel(&self->child.base);
        edo_all(&self->child.base);
        assert_int_equal(self->cancels, 2 * TRIES);
        assert_int_equal(edo_now(), self->start);
        self->gate = gate_make();
        self->cancels = 0;
        assert_int_equal(
            edo_spawn(&self->task, tries_again, .gate = &self->gate, .cancels = &self->cancels), 0);
        edo_await(rc, settle());
        self->start = edo_now();
        edo_task_cancel(self->task);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(self->cancels, 2 * TRIES);
        assert_int_equal(edo_now(), self->start);
        edo_return(0);
    }
}

/* A future that has seen a cancellation sees it in every later poll, even if another function polls
 * it. */
struct a_fate_that_was_seen_stays {
    edo_frame();
    edo_args(struct gate *gate;);
    struct passer child;
};

edo_async(a_fate_that_was_seen_stays)
{
    edo_body {
        int64_t result;
        edo_init(&self->child, passer, .gate = self->gate);
        edo_await(result, edo_sleep(edo_s(1))); // cancelled here
        assert_int_equal(edo_poll_future(&self->child.base, cx), EDO_PENDING);
        assert_int_equal(self->child.base.fate, EDO_CANCELLED);
        edo_shield();
        edo_await_on(result, &self->child.base);
        assert_int_equal(self->gate->fate, EDO_CANCELLED);
        edo_return(result);
    }
}

async_test(a_fate_stays_with_those_who_saw_it, struct gate gate; edo_task *task;)
{
    edo_body {
        int64_t result;
        self->gate = gate_make_stubborn();
        assert_int_equal(edo_spawn(&self->task, a_fate_that_was_seen_stays, .gate = &self->gate),
                         0);
        edo_await(result, settle());
        edo_task_cancel(self->task);
        assert_int_equal(edo_go(opener, .gate = &self->gate, .value = 2, .after = 3), 0);
        edo_await(result, edo_join(self->task));
        assert_int_equal(result, 2);
        edo_return(0);
    }
}

/* ---- an async function always runs ---- */

struct releases {
    edo_frame();
    edo_args(unsigned *held;);
};

edo_async(releases)
{
    edo_body {
        int64_t result;
        edo_await(result, edo_sleep(edo_s(1)));
        --*self->held;
        edo_return(result);
    }
}

struct hands_over_while_cancelled {
    edo_frame(struct releases releases;);
    edo_args(unsigned *held;);
    struct releases a, b;
    int64_t result;
};

edo_async(hands_over_while_cancelled)
{
    edo_body {
        int64_t result;
        edo_await(self->result, edo_sleep(edo_s(1))); // cancelled here
        assert_int_equal(self->result, -ECANCELED);
        *self->held = 6;
        edo_call(result, releases, .held = self->held);
        assert_int_equal(result, -ECANCELED);
        edo_call_for(result, edo_ms(1), releases, .held = self->held);
        assert_int_equal(result, -ECANCELED);
        edo_call_boxed(result, releases, .held = self->held);
        assert_int_equal(result, -ECANCELED);
        edo_init(&self->a, releases, .held = self->held);
        edo_init(&self->b, releases, .held = self->held);
        edo_all(&self->a.base, &self->b.base);
        assert_int_equal(*self->held, 1);
        edo_init(&self->a, releases, .held = self->held);
        edo_await_on(result, &self->a.base);
        assert_int_equal(*self->held, 0);
        edo_return(self->result);
    }
}

async_test(calls_of_a_cancelled_function_run, edo_task *task; unsigned held;)
{
    edo_body {
        int64_t result;
        self->held = 0;
        assert_int_equal(edo_spawn(&self->task, hands_over_while_cancelled, .held = &self->held),
                         0);
        edo_task_cancel(self->task);
        edo_await(result, edo_join(self->task));
        assert_int_equal(result, -ECANCELED);
        assert_int_equal(self->held, 0);
        edo_return(0);
    }
}

async_test(cancelled_before_its_first_poll_it_runs_once,
    struct releases child;
    edo_task *task;
    unsigned held;)
{
    edo_body {
        int64_t result;
        self->held = 3;
        edo_init(&self->child, releases, .held = &self->held);
        edo_cancel(&self->child.base);
        edo_await_on(result, &self->child.base);
        assert_int_equal(result, -ECANCELED);
        assert_int_equal(self->held, 2);
        assert_int_equal(edo_spawn(&self->task, releases, .held = &self->held), 0);
        edo_task_cancel(self->task);
        edo_await(result, edo_join(self->task));
        assert_int_equal(result, -ECANCELED);
        assert_int_equal(self->held, 1);
        assert_int_equal(edo_spawn(&self->task, releases, .held = &self->held), 0);
        edo_task_abort(self->task);
        edo_await(result, edo_join(self->task));
        assert_int_equal(result, -ECANCELED);
        assert_int_equal(self->held, 0);
        edo_return(0);
    }
}

/* ---- at every await of a function with clean-up ---- */

enum { AWAITS = 5 };

struct ledger {
    struct gate gates[AWAITS];
    int began, held, ended;
};

/* Takes two resources, works with them, and releases them in a clean-up that waits. */
struct worker {
    edo_frame();
    edo_args(struct ledger *ledger;);
    int64_t result;
    int i;
};

edo_async(worker)
{
    edo_body {
        int rc;
        self->ledger->began++;
        edo_await_on(self->result, &self->ledger->gates[0].base);
        if (self->result < 0) goto out;
        self->ledger->held++;
        edo_await_on(self->result, &self->ledger->gates[1].base);
        if (self->result < 0) goto give_back_first;
        self->ledger->held++;
        for (self->i = 2; self->i < AWAITS; self->i++) {
            edo_await_on(self->result, &self->ledger->gates[self->i].base);
            if (self->result < 0) goto give_back_second;
        }

give_back_second:
        edo_shield();
        edo_await(rc, settle());
        self->ledger->held--;
give_back_first:
        edo_shield();
        edo_await(rc, settle());
        self->ledger->held--;
out:
        self->ledger->ended++;
        edo_return(self->result);
    }
}

/* Calls the worker, so that the cancellation passes one more function. */
struct manager {
    edo_frame(struct worker worker;);
    edo_args(struct ledger *ledger;);
};

edo_async(manager)
{
    edo_body {
        int64_t result;
        edo_call(result, worker, .ledger = self->ledger);
        edo_return(result);
    }
}

enum way { BY_TASK, BY_ABORT, BY_SELECT, BY_LIMIT, BY_SIBLING, BY_SCOPE, WAYS };

/* Cancels a manager that waits at its n-th await; -1: before its first poll. */
struct cancel_at {
    edo_frame(struct manager manager;);
    edo_args(int n; enum way way; struct ledger *ledger;);
    struct manager child;
    struct gate signal;
    edo_task *task;
    edo_scope scope;
    edo_member member;
};

static void prepare(struct cancel_at *self)
{
    *self->ledger = (struct ledger){ 0 };
    for (int i = 0; i < AWAITS; i++)
        self->ledger->gates[i] = i < self->n ? gate_make_open(0) : gate_make();
    self->signal = gate_make();
    edo_init(&self->child, manager, .ledger = self->ledger);
}

edo_async(cancel_at)
{
    edo_body {
        int64_t result;
        int which;
        prepare(self);
        if (self->way == BY_TASK || self->way == BY_ABORT) {
            assert_int_equal(edo_spawn(&self->task, manager, .ledger = self->ledger), 0);
            if (self->n >= 0) edo_await(result, settle());
            if (self->way == BY_TASK)
                edo_task_cancel(self->task);
            else
                edo_task_abort(self->task);
            edo_await(result, edo_join(self->task));
            edo_return(result);
        }
        if (self->way == BY_LIMIT) {
            edo_call_for(result, edo_ms(1), manager, .ledger = self->ledger);
            edo_return(result == -ETIMEDOUT ? -ECANCELED : result);
        }
        if (self->way == BY_SCOPE) {
            edo_scope_open(&self->scope, EDO_SCOPE_RESULTS);
            assert_int_equal(edo_scope_spawn(&self->scope, manager, .ledger = self->ledger), 0);
            if (self->n >= 0) edo_await(result, settle());
            edo_scope_cancel(&self->scope);
            edo_await(result, edo_scope_next(&self->scope, &self->member));
            assert_int_equal(result, 1);
            edo_return(self->member.result);
        }
        if (self->n < 0)
            gate_open(&self->signal, -EPIPE);
        else
            assert_int_equal(edo_go(opener, .gate = &self->signal, .value = -EPIPE), 0);
        if (self->way == BY_SELECT)
            edo_select_biased(which, &self->signal.base, &self->child.base);
        else
            edo_try_all(which, &self->signal.base, &self->child.base);
        assert_int_equal(which, self->way == BY_SELECT ? 0 : -EPIPE);
        edo_return(self->child.base.result);
    }
}

async_test(clean_up_is_done_wherever_the_cancellation_comes,
    edo_callees(struct cancel_at cancel_at;)
    struct ledger ledger;
    int n;
    enum way way;)
{
    edo_body {
        int64_t result;
        for (self->way = 0; self->way < WAYS; self->way++) {
            for (self->n = -1; self->n < AWAITS; self->n++) {
                edo_call(result, cancel_at, .n = self->n, .way = self->way,
                         .ledger = &self->ledger);
                assert_int_equal(result, -ECANCELED);
                assert_int_equal(self->ledger.began, 1);
                assert_int_equal(self->ledger.held, 0);
                assert_int_equal(self->ledger.ended, 1);
            }
        }
        edo_return(0);
    }
}

/* A cancellation after the last await of the work: clean-up has begun, and the work counts as
 * done. */
async_test(cancelled_in_its_clean_up_it_answers_its_result,
    edo_callees(struct cancel_at cancel_at;)
    struct ledger ledger;
    enum way way;)
{
    edo_body {
        int64_t result;
        for (self->way = 0; self->way < WAYS; self->way++) {
            edo_call(result, cancel_at, .n = AWAITS, .way = self->way, .ledger = &self->ledger);
            assert_int_equal(result, 0);
            assert_int_equal(self->ledger.held, 0);
            assert_int_equal(self->ledger.ended, 1);
        }
        edo_return(0);
    }
}

/* ---- loops ---- */

enum { RETRIES = 10000, IN_A_POLL = 128 + 16 }; // budget and overdraft

/* Careless: tries again and again, although it was cancelled. */
struct retries {
    edo_frame();
    edo_args(bool *done;);
    int i;
};

edo_async(retries)
{
    edo_body {
        int rc;
        for (self->i = 0; self->i < RETRIES; self->i++)
            edo_await(rc, edo_sleep(edo_s(1)));
        *self->done = true;
        edo_return(0);
    }
}

struct retries_beside_another {
    edo_frame();
    edo_args();
    bool done;
    int turns;
};

edo_async(retries_beside_another)
{
    edo_body {
        int rc;
        edo_task *task;
        self->done = false;
        assert_int_equal(edo_spawn(&task, retries, .done = &self->done), 0);
        edo_task_cancel(task);
        edo_detach(task);
        for (self->turns = 0; !self->done; self->turns++)
            edo_await(rc, settle());
        assert_in_range(self->turns, RETRIES / IN_A_POLL, RETRIES / IN_A_POLL + 2);
        edo_return(0);
    }
}

current_thread_only("another task takes turns with it; workers queue long polls apart")
test(a_careless_retry_loop_starves_nobody)
{
    run_unhurried(retries_beside_another);
}

/* Computes in slices, and checks edo_is_cancelled(). */
struct computes {
    edo_frame();
    edo_args();
    int slices;
};

edo_async(computes)
{
    edo_body {
        int rc;
        for (self->slices = 0; !edo_is_cancelled(); self->slices++)
            edo_await(rc, settle());
        edo_return(self->slices);
    }
}

async_test(a_loop_that_computes_may_ask, edo_task *task; int i;)
{
    edo_body {
        int slices;
        assert_int_equal(edo_spawn(&self->task, computes), 0);
        for (self->i = 0; self->i < 10; self->i++)
            edo_await(slices, settle());
        edo_task_cancel(self->task);
        edo_await(slices, edo_join(self->task));
        assert_in_range(slices, 9, 11);
        edo_return(0);
    }
}

/* ---- a task that cancels itself ---- */

struct cancels_itself {
    edo_frame();
    edo_args();
};

edo_async(cancels_itself)
{
    edo_body {
        int64_t result;
        edo_task_cancel(edo_current_task());
        edo_await(result, edo_sleep(edo_s(1)));
        edo_return(result);
    }
}

async_test(a_task_may_cancel_itself, edo_task *task; int64_t start;)
{
    edo_body {
        int64_t result;
        self->start = edo_now();
        assert_int_equal(edo_spawn(&self->task, cancels_itself), 0);
        edo_await(result, edo_join(self->task));
        assert_int_equal(result, -ECANCELED);
        assert_int_equal(edo_now(), self->start);
        edo_return(0);
    }
}
