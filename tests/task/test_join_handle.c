// edo-test: once
/* Ownership of the handle after a join: shown by edo_op_progress(), whatever the result is. */
#include "support/support.h"

#include <edo/edo.h>
#include <edo/test.h>

struct answer {
    edo_frame();
    edo_args(int64_t after; int result;);
};

edo_async(answer)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(self->after));
        edo_return(rc < 0 ? rc : self->result);
    }
}

async_test(own_answer, edo_task *task;)
{
    edo_body {
        int rc;
        assert_int_equal(edo_spawn(&self->task, answer, .after = 5, .result = -ECANCELED), 0);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -ECANCELED);
        assert_int_equal(edo_op_progress(edo_last_op()), 1);
        edo_return(0);
    }
}

async_test(limited_join, edo_task *task;)
{
    edo_body {
        int rc;
        assert_int_equal(edo_spawn(&self->task, answer, .after = edo_s(9), .result = 7), 0);
        edo_await_for(rc, edo_s(1), edo_join(self->task));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(edo_op_progress(edo_last_op()), 0); // the handle is still the caller's
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 7);
        edo_return(0);
    }
}

/* A join of an ended task, cancelled before its first poll: the handle stays the caller's. */
async_test(late_join, edo_task *task; edo_op join;)
{
    edo_body {
        int rc;
        assert_int_equal(edo_spawn(&self->task, answer, .after = 5, .result = -ECANCELED), 0);
        edo_await(rc, edo_sleep(10));
        assert_int_equal(rc, 0);
        self->join = edo_join(self->task);
        edo_cancel(&self->join.base);
        edo_await_on(rc, &self->join.base);
        assert_int_equal(rc, -ECANCELED);
        assert_int_equal(edo_op_progress(&self->join), 0);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -ECANCELED); // the task's own result
        assert_int_equal(edo_op_progress(edo_last_op()), 1);
        edo_return(0);
    }
}
