/* Scopes where cancellation, abort and results meet. */
#include "task/probe.h"

#define settle()                                                                                   \
    do {                                                                                           \
        int settled_;                                                                              \
        edo_await(settled_, edo_sleep(1));                                                         \
        (void)settled_;                                                                            \
    } while (0)

/* ---- an abort that no cancellation preceded ---- */

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
        settle();
        edo_task_abort(self->task);
        settle();
        assert_true(edo_task_is_done(self->task));
        assert_int_equal(self->cleanup.base.fate, EDO_ABORTED);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -ECANCELED);
        edo_return(0);
    }
}

/* ---- results ---- */

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
