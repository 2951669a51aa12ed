/* Where fibers wait: backtraces and dumps. */
#include "support/fibers.h"

#include "fiber/elsewhere.h"

#include <stdio.h>
#include <string.h>

enum { LINES = 8 };

typedef struct trace {
    int count;
    char lines[LINES][128];
} trace;

static void note(void *context, const edo_trace_line *line)
{
    trace *to = context;
    if (to->count == LINES) return;
    const char *file = line->file ? strrchr(line->file, '/') : NULL;
    snprintf(to->lines[to->count++], sizeof *to->lines, "%d %s %s:%u", line->depth, line->name,
             file ? file + 1 : "-", line->line);
}

/* Asks again while the task runs. */
static trace trace_of(edo_task *task)
{
    trace found;
    int rc;
    do {
        found = (trace){ 0 };
        rc = edo_task_trace(task, note, &found);
        if (rc == -EBUSY) assert_int_equal(edo_wait(edo_yield()), 0);
    } while (rc == -EBUSY);
    assert_int_equal(rc, 0);
    return found;
}

static int64_t waits_in_callee(void *arg)
{
    return wait_elsewhere(arg);
}

fiber_test(a_backtrace_has_the_place_of_the_wait)
{
    int line = 0;
    char expected[128];
    edo_task *task;
    assert_int_equal(edo_fiber_spawn(&task, NULL, waits_in_callee, &line), 0);
    assert_int_equal(edo_wait(edo_sleep(edo_s(1))), 0);
    trace found = trace_of(task);
    snprintf(expected, sizeof expected, "0 waits_in_callee elsewhere.h:%d", line);
    assert_int_equal(found.count, 2);
    assert_string_equal(found.lines[0], expected);
    assert_string_equal(found.lines[1], "1 edo_sleep -:0");
    edo_task_cancel(task);
    assert_int_equal(edo_wait(edo_join(task)), -ECANCELED);
}

struct naps {
    edo_frame();
    edo_args();
};

edo_async(naps)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(edo_s(1000)));
        edo_return(rc);
    }
}

static int64_t selects(void *arg)
{
    struct naps nap;
    edo_op sleep = edo_sleep(edo_s(2000));
    (void)arg;
    edo_init(&nap, naps);
    return edo_wait_select(&sleep.base, &nap.base);
}

fiber_test(a_backtrace_leads_through_all_that_is_waited_for)
{
    edo_task *task;
    assert_int_equal(edo_fiber_spawn(&task, NULL, selects, NULL), 0);
    assert_int_equal(edo_wait(edo_sleep(edo_s(1))), 0);
    trace found = trace_of(task);
    assert_int_equal(found.count, 4);
    assert_string_equal(found.lines[1], "1 edo_sleep -:0");
    assert_non_null(strstr(found.lines[2], "1 naps test_trace.c:"));
    assert_string_equal(found.lines[3], "2 edo_sleep -:0");
    edo_task_cancel(task);
    assert_int_equal(edo_wait(edo_join(task)), -ECANCELED);
}
