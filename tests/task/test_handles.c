/* Stale handles, leaked handles, frames of ended tasks. A debug build ends the process with a line;
 * AddressSanitizer reports freed memory. */
#include "support/support.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <edo/edo.h>
#include <edo/test.h>

#include "base/base.h"
#include "task/task.h"

#define GIVEN_BACK(call)                                                                           \
    call ": the handle of task 'answer' #[0-9]+, spawned at .*test_handles\\.c:[0-9]+, was "       \
         "already joined or detached"

struct answer {
    edo_frame();
    edo_args(int64_t after; int64_t result;);
};

edo_async(answer)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(self->after));
        edo_return(rc < 0 ? rc : self->result);
    }
}

/* ---- stale handles ---- */

enum misuse {
    JOIN_TWICE,
    DETACH_TWICE,
    CANCEL_AFTER_DETACH,
    ABORT_AFTER_JOIN,
    ASK_AFTER_JOIN,
    NAME_AFTER_JOIN,
};

struct stale {
    edo_frame();
    edo_args(enum misuse misuse;);
    edo_task *task, *other;
};

static void misuse_it(enum misuse misuse, edo_task *task)
{
    if (misuse == DETACH_TWICE) edo_detach(task);
    if (misuse == CANCEL_AFTER_DETACH) edo_task_cancel(task);
    if (misuse == ABORT_AFTER_JOIN) edo_task_abort(task);
    if (misuse == ASK_AFTER_JOIN) edo_task_is_done(task);
    if (misuse == NAME_AFTER_JOIN) edo_task_name(task);
}

/* Another task is spawned in between, perhaps in the same memory. */
edo_async(stale)
{
    edo_body {
        int rc;
        bool detach = self->misuse == DETACH_TWICE || self->misuse == CANCEL_AFTER_DETACH;
        assert_int_equal(edo_spawn(&self->task, answer, .after = detach ? edo_s(9) : 1), 0);
        if (detach)
            edo_detach(self->task);
        else
            edo_await(rc, edo_join(self->task));
        assert_int_equal(edo_spawn(&self->other, answer, .after = 1), 0);
        misuse_it(self->misuse, self->task);
        edo_await(rc, edo_join(self->misuse == JOIN_TWICE ? self->task : self->other));
        edo_return(rc);
    }
}

static void run_stale(void *arg)
{
    edo_runtime *runtime;
    assert_int_equal(create_runtime(&(edo_config){ .test_clock = true }, &runtime), 0);
    edo_block_on(runtime, stale, .misuse = *(enum misuse *)arg);
    edo_runtime_destroy(runtime);
}

static void expect_stale(enum misuse misuse, const char *pattern)
{
    if (!EDO_DEBUG) skip(); // only debug builds check handles
    char text[4096];
    bool handle_is_memory = misuse != CANCEL_AFTER_DETACH && misuse != DETACH_TWICE;
    if (EDO__TSAN && handle_is_memory) skip(); // TSan builds reuse the memory at once
    if (!EDO__ASAN || !handle_is_memory) {
        expect_abort(run_stale, &misuse, pattern);
        return;
    }
    assert_int_not_equal(run_in_child(run_stale, &misuse, text, sizeof text), 0);
    assert_non_null(strstr(text, "heap-use-after-free"));
}

test(join_twice)
{
    expect_stale(JOIN_TWICE, GIVEN_BACK("edo_join"));
}

test(detach_twice)
{
    expect_stale(DETACH_TWICE, GIVEN_BACK("edo_detach"));
}

test(cancel_after_detach)
{
    expect_stale(CANCEL_AFTER_DETACH, GIVEN_BACK("edo_task_cancel"));
}

test(abort_after_join)
{
    expect_stale(ABORT_AFTER_JOIN, GIVEN_BACK("edo_task_abort"));
}

test(ask_after_join)
{
    expect_stale(ASK_AFTER_JOIN, GIVEN_BACK("edo_task_is_done"));
}

test(name_after_join)
{
    expect_stale(NAME_AFTER_JOIN, GIVEN_BACK("edo_task_name"));
}

/* Calls of a task on itself need no handle. */
async_test(asks_itself)
{
    edo_body {
        int rc;
        edo_task *task = edo_current_task();
        edo_waker_unref(edo_task_waker(task));
        assert_false(edo_task_is_done(task));
        assert_string_equal(edo_task_name(task), "asks_itself");
        edo_task_cancel(task);
        edo_await(rc, edo_yield());
        edo_await(rc, edo_yield());
        assert_int_equal(rc, -ECANCELED);
        edo_return(0);
    }
}

/* ---- leaked handles ---- */

enum { LEFT = 3 };

struct leaves_handles {
    edo_frame();
    edo_args(edo_task **ret_tasks;); // LEFT leaked handles
    edo_task *joined, *detached;
};

enum { ENDED_LINE = __LINE__ + 9, WAITS_LINE };

edo_async(leaves_handles)
{
    edo_body {
        int rc;
        assert_int_equal(edo_spawn(&self->joined, answer, .after = 1), 0);
        assert_int_equal(edo_spawn(&self->detached, answer, .after = 1), 0);
        // clang-format off
        assert_int_equal(edo_spawn(&self->ret_tasks[0], answer, .after = 1), 0);
        assert_int_equal(edo_spawn(&self->ret_tasks[1], answer, .after = EDO_NEVER), 0);
        // clang-format on
        assert_int_equal(edo_spawn(&self->ret_tasks[2], answer, .after = 1), 0);
        edo_await(rc, edo_join(self->joined));
        edo_await(rc, edo_sleep(edo_ms(1)));
        edo_detach(self->detached); // the task has ended
        edo_return(rc);
    }
}

/* Leaks handles, and gives them back in the end, for the sanitizers. */
static void leak_handles(bool report)
{
    edo_task *tasks[LEFT];
    edo_runtime *runtime;
    edo_config config = { .name = "shop", .test_clock = true, .report_leaks = report };
    assert_int_equal(create_runtime(&config, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, leaves_handles, .ret_tasks = tasks), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    for (int i = 0; i < LEFT; i++)
        edo_detach(tasks[i]);
}

test(leaked_handles_are_named)
{
    char line[128];
    log_capture();
    leak_handles(true);
    for (int number = ENDED_LINE; number <= WAITS_LINE; number++) {
        snprintf(line, sizeof line, "test_handles.c:%d, was neither joined nor detached", number);
        assert_int_equal(log_lines(line), 1);
    }
    assert_int_equal(log_lines("shop: the handle of task 'answer' #"), LEFT);
    assert_int_equal(log_lines(NULL), LEFT);
    log_release();
}

test(leaked_handles_are_not_named_unasked)
{
    log_capture();
    leak_handles(false);
    if (EDO_DEBUG && !EDO__TSAN)
        assert_int_equal(log_lines(NULL), LEFT); // always on in debug builds
    else
        assert_int_equal(log_lines(NULL), 0);
    log_release();
}

/* The fork may have copied the list of leaks during a change. */
static void end_beside_leaks(void *arg)
{
    edo_task **tasks = arg;
    edo_runtime *runtime;
    edo__node half_written = { (edo__node *)16, (edo__node *)16 };
    assert_true(edo_task_is_done(tasks[0]));
    tasks[0]->registry = half_written;
    assert_int_equal(edo_runtime_create(&(edo_config){ .report_leaks = true }, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, answer, .result = 5), 5);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    edo_detach(tasks[0]);
}

current_thread_only("a sanitizer has no runtime after a fork beside threads")
test(the_child_of_a_fork_follows_no_leaks)
{
    edo_task *tasks[LEFT];
    edo_runtime *runtime;
    edo_config config = { .test_clock = true, .report_leaks = true };
    log_capture();
    assert_int_equal(create_runtime(&config, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, leaves_handles, .ret_tasks = tasks), 0);
    expect_success_in_child(end_beside_leaks, tasks);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    for (int i = 0; i < LEFT; i++)
        edo_detach(tasks[i]);
    assert_int_equal(log_lines("was neither joined nor detached"), LEFT);
    log_release();
}

/* ---- frames ---- */

struct lends_itself {
    edo_frame();
    edo_args(struct lends_itself **ret_frame;);
    int number;
};

edo_async(lends_itself)
{
    edo_body {
        self->number = 7;
        *self->ret_frame = self;
        edo_return(0);
    }
}

struct reads_ended {
    edo_frame();
    edo_args();
    struct lends_itself *lent;
    edo_task *task;
};

static void *read_number(void *arg)
{
    volatile int *number = arg;
    _exit(*number == 7 ? 0 : 3);
}

edo_async(reads_ended)
{
    edo_body {
        int rc;
        pthread_t thread;
        assert_int_equal(edo_spawn(&self->task, lends_itself, .ret_frame = &self->lent), 0);
        edo_await(rc, edo_join(self->task));
        pthread_create(&thread, NULL, read_number, &self->lent->number);
        pthread_join(thread, NULL);
        edo_return(rc);
    }
}

/* The test clock runs one worker at a time. So the worker of the ended task has released the frame
 * before the joiner continues. */
static void run_reads_ended(void *arg)
{
    (void)arg;
    edo_runtime *runtime;
    assert_int_equal(create_runtime(&(edo_config){ .test_clock = true }, &runtime), 0);
    edo_block_on(runtime, reads_ended);
}

test(ended_frame)
{
    if (!EDO_DEBUG || EDO__TSAN) skip(); // not checked
    char text[4096];
    int status = run_in_child(run_reads_ended, NULL, text, sizeof text);
    assert_int_not_equal(status, 0);
    if (EDO__ASAN) assert_non_null(strstr(text, "heap-use-after-free"));
}
