/* edo_try, edo_check and their forms with a label; awaits without a result. */
#include "task/probe.h"

/* ---- failures that return ---- */

struct answer {
    edo_frame();
    edo_args(int64_t answer;);
};

edo_async(answer)
{
    edo_body {
        edo_try(edo_yield());
        edo_return(self->answer);
    }
}

enum how { BY_CHECK, BY_TRY, BY_TRY_GET, BY_CALL, HOWS };

struct tries {
    edo_frame(struct answer answer;);
    edo_args(enum how how; int64_t answer; int64_t *got;);
};

edo_async(tries)
{
    edo_body {
        uint64_t n = 5; // may be unsigned: a failure never reaches it
        switch (self->how) {
        case BY_CHECK: edo_check(self->answer); break;
        case BY_TRY: edo_try(edo_sleep_until(edo_now() + self->answer)); break;
        case BY_TRY_GET:
            edo_try(n, edo_sleep(0));
            *self->got = (int64_t)n;
            break;
        case BY_CALL: edo_try_call(answer, .answer = self->answer); break;
        default: break;
        }
        edo_return(100);
    }
}

async_test(a_failure_is_the_functions, edo_callees(struct tries tries;) int64_t got;)
{
    edo_body {
        int rc;
        edo_call(rc, tries, .how = BY_CHECK, .answer = -EIO);
        assert_int_equal(rc, -EIO);
        edo_call(rc, tries, .how = BY_CALL, .answer = -EPROTO);
        assert_int_equal(rc, -EPROTO);
        edo_return(0);
    }
}

async_test(a_success_goes_on, edo_callees(struct tries tries;) int64_t got;)
{
    edo_body {
        int rc;
        self->got = 9;
        edo_call(rc, tries, .how = BY_CHECK, .answer = 1);
        assert_int_equal(rc, 100);
        edo_call(rc, tries, .how = BY_TRY, .answer = edo_ms(1));
        assert_int_equal(rc, 100);
        edo_call(rc, tries, .how = BY_TRY_GET, .got = &self->got);
        assert_int_equal(rc, 100);
        assert_int_equal(self->got, 0);
        edo_call(rc, tries, .how = BY_CALL, .answer = 3);
        assert_int_equal(rc, 100);
        edo_return(0);
    }
}

/* ---- failures that go to a label ---- */

struct cleans_up {
    edo_frame(struct answer answer; struct gate gate;);
    edo_args(int fails_at; unsigned *cleaned;);
    edo_op child;
    int64_t n;
};

edo_async(cleans_up)
{
    edo_body {
        int rc;
        self->n = 5;
        edo_check_or(out, self->fails_at == 0 ? -EIO : 0);
        edo_try_or(out, edo_sleep(edo_ms(1)));
        edo_try_or(out, self->n, edo_sleep(edo_ms(1)));
        edo_try_call_or(out, answer, .answer = self->fails_at == 1 ? -EPROTO : 1);
        if (self->fails_at == 2) edo_check_or(out, -EBADMSG);
        self->n = 7;
out:
        edo_shield();
        self->child = edo_sleep(edo_ms(1)); // clean-up may await; the failure is kept
        edo_try_all(rc, &self->child.base);
        assert_int_equal(rc, 0);
        edo_call(rc, answer, .answer = -EFAULT);
        assert_int_equal(rc, -EFAULT);
        ++*self->cleaned;
        edo_return(edo_failure());
    }
}

async_test(a_failure_waits_for_the_cleanup,
    edo_callees(struct cleans_up cleans_up;)
    unsigned cleaned;)
{
    edo_body {
        int rc;
        self->cleaned = 0;
        edo_call(rc, cleans_up, .fails_at = 0, .cleaned = &self->cleaned);
        assert_int_equal(rc, -EIO);
        edo_call(rc, cleans_up, .fails_at = 1, .cleaned = &self->cleaned);
        assert_int_equal(rc, -EPROTO);
        edo_call(rc, cleans_up, .fails_at = 2, .cleaned = &self->cleaned);
        assert_int_equal(rc, -EBADMSG);
        edo_call(rc, cleans_up, .fails_at = 3, .cleaned = &self->cleaned);
        assert_int_equal(rc, 0);
        assert_int_equal(self->cleaned, 4);
        edo_return(0);
    }
}

async_test(cancelled_anywhere_it_cleans_up, edo_task *task; unsigned cleaned, i;)
{
    edo_body {
        int rc;
        self->cleaned = 0;
        for (self->i = 0; self->i < 8; self->i++) {
            rc = edo_spawn(&self->task, cleans_up, .fails_at = 3, .cleaned = &self->cleaned);
            assert_int_equal(rc, 0);
            edo_await_void(edo_sleep(edo_us(500) * self->i));
            edo_task_cancel(self->task);
            edo_await(rc, edo_join(self->task));
            assert_true(rc == -ECANCELED || (rc == 0 && self->i >= 4));
            assert_int_equal(self->cleaned, self->i + 1);
        }
        edo_return(0);
    }
}

/* On failure the left side keeps what it had. */
async_test(the_left_side_is_written_on_success, edo_task *task; edo_op op; size_t n;)
{
    edo_body {
        self->n = 42;
        edo_try_or(out, self->n, edo_join(NULL));
        fail();
out:
        assert_int_equal(edo_failure(), -EINVAL);
        assert_int_equal(self->n, 42);
        edo_try(self->n, edo_yield());
        assert_int_equal(self->n, 0);
        edo_return(0);
    }
}

async_test(results_may_be_dropped, edo_callees(struct answer answer;) int64_t start;)
{
    edo_body {
        self->start = edo_now();
        edo_await_void(edo_sleep(edo_ms(5)));
        assert_int_equal(edo_now() - self->start, edo_ms(5));
        edo_await_void(edo_join(NULL));
        edo_call_void(answer, .answer = -EIO);
        edo_return(0);
    }
}
