// pkg-config: cmocka
/* Tests of an async function, with a clock of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <edo/edo.h>
#include <edo/test.h>

/* region: subject */
/* What is tested: tries until it works, with pauses of 1, 2, 4, ... seconds. */
struct retry {
    edo_frame();
    edo_args(int (*attempt)(void *context); void *context; int times;);
    int64_t pause;
    int i;
};

edo_async(retry)
{
    edo_body {
        int rc;
        self->pause = edo_s(1);
        for (self->i = 1;; self->i++) {
            rc = self->attempt(self->context);
            if (rc >= 0 || self->i == self->times) edo_return(rc);
            edo_await(rc, edo_sleep(self->pause));
            if (rc < 0) edo_return(rc);
            self->pause *= 2;
        }
    }
}
/* end: subject */

/* region: tests */
static int fail_twice(void *context)
{
    int *calls = context;
    return ++*calls <= 2 ? -EIO : *calls;
}

edo_async_test(third_time_works, edo_callees(struct retry retry;) int64_t started; int calls;)
{
    edo_body {
        int rc;
        self->calls = 0;
        self->started = edo_now();
        edo_call(rc, retry, .attempt = fail_twice, .context = &self->calls, .times = 5);
        assert_int_equal(rc, 3);
        assert_int_equal(edo_now() - self->started, edo_s(1 + 2)); // and took no time
        edo_return(0);
    }
}

edo_async_test(cancelled_in_a_pause, edo_task *task; int calls;)
{
    edo_body {
        int rc;
        self->calls = 0;
        rc = edo_spawn(&self->task, retry, .attempt = fail_twice, .context = &self->calls,
                       .times = 5);
        assert_int_equal(rc, 0);
        edo_await(rc, edo_sleep(edo_ms(1500)));
        edo_task_cancel(self->task);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -ECANCELED);
        assert_int_equal(self->calls, 2);
        edo_return(0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(third_time_works_test),
        cmocka_unit_test(cancelled_in_a_pause_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
/* end: tests */
