/* The meaning of failed tasks: options of the runtime and of scopes. */
#include "support/support.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <edo/edo.h>
#include <edo/test.h>

struct failing {
    edo_frame();
    edo_args(int64_t result;);
};

edo_async(failing)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(1));
        if (rc < 0) edo_return(rc);
        edo_return(self->result);
    }
}

enum way { DETACHED, JOINED, CANCELLED };

struct parent {
    edo_frame();
    edo_args(enum way way; int64_t result;);
    edo_task *task;
};

/* Returns 7 unless it is cancelled. By the test clock, the other task ends first. */
edo_async(parent)
{
    edo_body {
        int64_t rc;
        rc = edo_spawn(&self->task, failing, .result = self->result);
        if (rc < 0) edo_return(rc);
        if (self->way == CANCELLED) edo_task_cancel(self->task);
        if (self->way == JOINED)
            edo_await(rc, edo_join(self->task));
        else
            edo_detach(self->task);
        edo_await(rc, edo_sleep(edo_ms(20)));
        if (rc < 0) edo_return(rc);
        edo_return(7);
    }
}

static int64_t run(edo_on_failure policy, enum way way, int64_t result, int64_t *ret_failure)
{
    edo_runtime *runtime;
    edo_config config = { .name = "failures", .on_failure = policy, .test_clock = true };
    assert_int_equal(create_runtime(&config, &runtime), 0);
    int64_t answer = edo_block_on(runtime, parent, .way = way, .result = result);
    *ret_failure = edo_runtime_failure(runtime);
    if (*ret_failure) {
        int64_t again = edo_block_on(runtime, failing, .result = 0);
        assert_int_equal(again, -ESHUTDOWN);
    }
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    return answer;
}

test(policies_of_a_runtime)
{
    int64_t failure;
    log_capture();
    assert_int_equal(run(EDO_FAILURE_IGNORE, DETACHED, -EPROTO, &failure), 7);
    assert_int_equal(failure, 0);
    assert_int_equal(log_lines("has failed"), 0);
    assert_int_equal(run(EDO_FAILURE_LOG, DETACHED, -EPROTO, &failure), 7);
    assert_int_equal(failure, 0);
    assert_int_equal(log_lines("task 'failing'"), 1);
    assert_int_equal(log_lines("has failed: Protocol error"), 1);
    assert_int_equal(run(EDO_FAILURE_END, DETACHED, -EPROTO, &failure), -ECANCELED);
    assert_int_equal(failure, -EPROTO);
    assert_int_equal(log_lines("the runtime ends"), 1);
    log_release();
}

test(unknown_policy)
{
    edo_runtime *runtime;
    edo_config config = { .on_failure = (edo_on_failure)7 };
    assert_int_equal(create_runtime(&config, &runtime), -EINVAL);
}

/* A result that somebody takes, a result that is none, and a cancellation are no failures. */
test(what_is_no_failure)
{
    int64_t failure;
    assert_int_equal(run(EDO_FAILURE_END, JOINED, -EPROTO, &failure), 7);
    assert_int_equal(failure, 0);
    assert_int_equal(run(EDO_FAILURE_END, DETACHED, 5, &failure), 7);
    assert_int_equal(failure, 0);
    assert_int_equal(run(EDO_FAILURE_END, CANCELLED, 0, &failure), 7);
    assert_int_equal(failure, 0);
    log_capture();
    assert_int_equal(run(EDO_FAILURE_END, DETACHED, -ECANCELED, &failure), -ECANCELED);
    assert_int_equal(failure, -ECANCELED); // it was not asked to
    log_release();
}

/* ---- the deadline of a context ---- */

struct request {
    edo_frame();
    edo_args(int64_t result;);
};

/* Returns `result` if it is not 0, else the result of a sleep that its deadline cuts short. */
edo_async(request)
{
    edo_body {
        int64_t rc;
        edo_await(rc, edo_sleep(edo_s(60)));
        edo_return(self->result ? self->result : rc);
    }
}

struct under_deadline {
    edo_frame();
    edo_args(int64_t result; int64_t after; uint32_t flags; bool in_scope;);
    edo_context *context;
    edo_scope scope;
};

/* Spawns a request whose context has a deadline, detached or in a scope, and answers the scope's
 * result. */
edo_async(under_deadline)
{
    edo_body {
        int64_t rc;
        edo_context_values values = { .deadline = edo_now() + self->after };
        edo_check(edo_context_create(&values, &self->context));
        edo_spawn_options options = { .context = self->context };
        edo_scope_open(&self->scope, self->flags);
        if (self->in_scope)
            rc = edo_scope_spawn_with(&self->scope, &options, request, .result = self->result);
        else
            rc = edo_spawn_with(NULL, &options, request, .result = self->result);
        edo_context_unref(self->context);
        if (rc < 0) edo_return(rc);
        edo_await(rc, edo_sleep(edo_ms(50)));
        if (rc < 0) edo_return(rc);
        edo_await(rc, edo_scope_join(&self->scope));
        edo_return(rc);
    }
}

typedef struct deadline_case {
    int64_t result, after;
    uint32_t flags;
    bool in_scope;
} deadline_case;

static int64_t run_deadline(const deadline_case *one, int64_t *ret_failure)
{
    edo_runtime *runtime;
    edo_config config = { .on_failure = EDO_FAILURE_END, .test_clock = true };
    assert_int_equal(create_runtime(&config, &runtime), 0);
    int64_t answer = edo_block_on(runtime, under_deadline, .result = one->result,
                                  .after = one->after, .flags = one->flags,
                                  .in_scope = one->in_scope);
    *ret_failure = edo_runtime_failure(runtime);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    return answer;
}

/* A deadline that has passed before the task's first poll, and one that passes while it waits. */
test(a_deadline_is_no_failure)
{
    const int64_t after[] = { -1, edo_ms(10) };
    for (int i = 0; i < 2; i++) {
        int64_t failure;
        deadline_case alone = { .after = after[i] }, member = { .after = after[i] };
        assert_int_equal(run_deadline(&alone, &failure), 0);
        assert_int_equal(failure, 0);
        member.in_scope = true;
        assert_int_equal(run_deadline(&member, &failure), 0);
        assert_int_equal(failure, 0);
        member.flags = EDO_SCOPE_FAIL_FAST | EDO_SCOPE_END_RUNTIME;
        assert_int_equal(run_deadline(&member, &failure), 0);
        assert_int_equal(failure, 0);
    }
}

test(another_result_after_a_deadline_is_a_failure)
{
    int64_t failure;
    log_capture();
    deadline_case alone = { .after = edo_ms(10), .result = -EPROTO };
    assert_int_equal(run_deadline(&alone, &failure), -ECANCELED);
    assert_int_equal(failure, -EPROTO);
    deadline_case member = { .after = edo_ms(10), .result = -EPROTO, .in_scope = true };
    assert_int_equal(run_deadline(&member, &failure), -EPROTO);
    assert_int_equal(failure, 0);
    log_release();
}

static void run_a_program(void *arg)
{
    (void)arg;
    edo_config config = { .on_failure = EDO_FAILURE_END };
    _exit(edo_run_with(&config, parent, .way = DETACHED, .result = -EPROTO));
}

test(edo_run_answers_the_failure)
{
    char text[1024];
    int status = run_in_child(run_a_program, NULL, text, sizeof text);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAILURE);
    assert_non_null(strstr(text, "edo: parent: Protocol error"));
}

/* ---- scopes ---- */

struct owner {
    edo_frame();
    edo_args(uint32_t flags;);
    edo_scope scope;
};

edo_async(owner)
{
    edo_body {
        int64_t rc;
        edo_scope_open(&self->scope, self->flags);
        for (int i = 0; i < 2; i++) {
            rc = edo_scope_spawn(&self->scope, failing, .result = -EPROTO);
            if (rc < 0) break;
        }
        edo_await(rc, edo_scope_join(&self->scope));
        edo_return(rc);
    }
}

static int64_t run_scope(uint32_t flags, int64_t *ret_failure)
{
    edo_runtime *runtime;
    edo_config config = { .on_failure = EDO_FAILURE_END }; // not for members of a scope
    assert_int_equal(create_runtime(&config, &runtime), 0);
    int64_t answer = edo_block_on(runtime, owner, .flags = flags);
    *ret_failure = edo_runtime_failure(runtime);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    return answer;
}

test(policies_of_a_scope)
{
    int64_t failure;
    log_capture();
    assert_int_equal(run_scope(0, &failure), -EPROTO);
    assert_int_equal(failure, 0);
    assert_int_equal(log_lines("has failed"), 0);
    assert_int_equal(run_scope(EDO_SCOPE_LOG | EDO_SCOPE_IGNORE, &failure), 0);
    assert_int_equal(failure, 0);
    assert_int_equal(log_lines("has failed: Protocol error"), 2);
    assert_int_equal(run_scope(EDO_SCOPE_END_RUNTIME, &failure), -EPROTO);
    assert_int_equal(failure, -EPROTO);
    assert_true(log_lines("the runtime ends") >= 1);
    log_release();
}

static void contradict(void *arg)
{
    (void)arg;
    int64_t failure;
    run_scope(EDO_SCOPE_IGNORE | EDO_SCOPE_END_RUNTIME, &failure);
}

test(contradicting_policies)
{
    expect_abort(contradict, NULL, "EDO_SCOPE_IGNORE contradicts EDO_SCOPE_END_RUNTIME");
}
