/* edo_test(): its runtime and clock, and failing tests. */
#include "runtime/fixture.h"

/* ---- tests that pass ---- */

fixture(set_up, tear_down)
async_test(long_test)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(edo_s(86400))); // the test clock
        edo_return(rc < 0 ? rc : 7);
    }
}

fixture(set_up, tear_down)
async_test(leaves_others)
{
    edo_body {
        edo_return(edo_go(wait_forever)); // cancelled by the runtime's end
    }
}

/* ---- tests that fail ---- */

edo_async_test(answers_failure)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(1));
        edo_return(rc < 0 ? rc : -ENOENT);
    }
}

static void run_one(void *arg)
{
    (*(void (*const *)(void **))arg)(NULL);
}

static void without_memory(void **state)
{
    test_allocator_install();
    test_allocator_fail_from(1);
    long_test_test(state);
}

test(failures)
{
    void (*fails)(void **) = answers_failure_test, (*starves)(void **) = without_memory;
    expect_abort(run_one, &fails, "^edo: test answers_failure: result: No such file or directory$");
    expect_abort(run_one, &starves, "^edo: test long_test: no runtime: Cannot allocate memory$");
}

/* ---- after a failed assertion, which leaves the poll by a jump, the next test runs ---- */

static jmp_buf back;

edo_async_test(jumps)
{
    edo_body {
        longjmp(back, 1);
        edo_return(0);
    }
}

static void fail_and_go_on(void *arg)
{
    (void)arg;
    if (setjmp(back) == 0) jumps_test(NULL);
    long_test_test(NULL);
}

current_thread_only("an assertion cannot jump from one thread to another")
test(goes_on_after_a_jump)
{
    expect_success_in_child(fail_and_go_on, NULL); // memory of the child is not checked
}
