/* Cancellations that must themselves wake the task. */
#include "task/probe.h"

#define settle()                                                                                   \
    do {                                                                                           \
        int settled_;                                                                              \
        edo_await(settled_, edo_sleep(1));                                                         \
        (void)settled_;                                                                            \
    } while (0)

/* ---- from a sibling that is polled later ---- */

struct canceller {
    edo_frame();
    edo_args(edo_future *victim; bool abort;);
};

edo_async(canceller)
{
    edo_body {
        if (self->abort)
            edo_abort(self->victim);
        else
            edo_cancel(self->victim);
        edo_return(0);
    }
}

struct pair {
    edo_frame();
    edo_args(struct gate *gate; bool abort;);
    struct canceller canceller;
};

edo_async(pair)
{
    edo_body {
        edo_init(&self->canceller, canceller, .victim = &self->gate->base, .abort = self->abort);
        edo_all(&self->gate->base, &self->canceller.base);
        edo_return(self->gate->base.result);
    }
}

async_test(a_sibling_that_was_polled_already_sees_it, gate gate; edo_task *task; int abort;)
{
    edo_body {
        int rc;
        for (self->abort = 0; self->abort < 2; self->abort++) {
            self->gate = gate_make();
            rc = edo_spawn(&self->task, pair, .gate = &self->gate, .abort = self->abort);
            assert_int_equal(rc, 0);
            settle();
            assert_true(edo_task_is_done(self->task));
            assert_int_equal(self->gate.fate, self->abort ? EDO_ABORTED : EDO_CANCELLED);
            edo_await(rc, edo_join(self->task));
            assert_int_equal(rc, -ECANCELED);
        }
        edo_return(0);
    }
}

/* ---- of a branch that edo_any kept ---- */

struct keeper {
    edo_frame();
    edo_args(gate *kept, *rest;);
    gate open;
};

edo_async(keeper)
{
    edo_body {
        int rc;
        self->open = gate_make_open(0);
        edo_any(rc, &self->open.base, &self->kept->base);
        edo_cancel(&self->kept->base);
        edo_await_on(rc, &self->rest->base);
        edo_return(rc);
    }
}

async_test(a_kept_branch_sees_it, gate kept, rest; edo_task *task;)
{
    edo_body {
        int rc;
        self->kept = gate_make();
        self->rest = gate_make();
        rc = edo_spawn(&self->task, keeper, .kept = &self->kept, .rest = &self->rest);
        assert_int_equal(rc, 0);
        settle();
        assert_int_equal(self->kept.fate, EDO_CANCELLED);
        assert_int_equal(self->kept.base.result, -ECANCELED);
        gate_open(&self->rest, 5);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 5);
        edo_return(0);
    }
}

/* ---- of the function itself ---- */

struct quitter {
    edo_frame();
    edo_args(struct gate *gate;);
};

edo_async(quitter)
{
    edo_body {
        int rc;
        edo_cancel(&self->base);
        edo_await_on(rc, &self->gate->base);
        edo_return(rc);
    }
}

async_test(a_function_sees_its_own, gate gate; edo_task *task;)
{
    edo_body {
        int rc;
        self->gate = gate_make();
        assert_int_equal(edo_spawn(&self->task, quitter, .gate = &self->gate), 0);
        settle();
        assert_true(edo_task_is_done(self->task));
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -ECANCELED);
        edo_return(0);
    }
}

/* ---- by the deadline of a context that the task has set itself ---- */

struct hurried {
    edo_frame();
    edo_args(struct gate *gate; int64_t deadline;);
};

edo_async(hurried)
{
    edo_body {
        int rc;
        edo_context *context;
        rc = edo_context_create(&(edo_context_values){ .deadline = self->deadline }, &context);
        assert_int_equal(rc, 0);
        edo_set_context(context);
        edo_context_unref(context);
        edo_await_on(rc, &self->gate->base);
        edo_return(rc);
    }
}

async_test(the_deadline_of_a_new_context_is_met, gate gate; edo_task *task; int64_t start;)
{
    edo_body {
        int rc;
        self->start = edo_now();
        self->gate = gate_make();
        rc = edo_spawn(&self->task, hurried, .gate = &self->gate,
                       .deadline = self->start + edo_ms(5));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_sleep(edo_ms(6)));
        assert_true(edo_task_is_done(self->task));
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -ECANCELED);
        edo_return(0);
    }
}
