/* Contexts: inheritance, and the deadline. */
#include "task/probe.h"

/* ---- values and counting ---- */

static edo_context *context_with_user(void *user)
{
    edo_context *context;
    edo_context_values values = { .trace = { 1, 2 }, .priority = 3, .user = user };
    assert_int_equal(edo_context_create(&values, &context), 0);
    return context;
}

test(a_context_holds_its_values)
{
    int user;
    test_allocator_install();
    edo_context *context = context_with_user(&user);
    const edo_context_values *values = edo_context_values_of(context);
    assert_int_equal(values->trace[0], 1);
    assert_int_equal(values->trace[1], 2);
    assert_int_equal(values->priority, 3);
    assert_ptr_equal(values->user, &user);
    assert_int_equal(values->deadline, 0);
    assert_ptr_equal(edo_context_ref(context), context);
    edo_context_unref(context);
    assert_true(test_allocator_live_count() > 0);
    edo_context_unref(context);
    edo_context_unref(NULL);
    test_allocator_remove();
}

test(without_memory_there_is_no_context)
{
    edo_context *context = NULL;
    test_allocator_install();
    test_allocator_fail_at(1);
    assert_int_equal(edo_context_create(&(edo_context_values){ .priority = 1 }, &context), -ENOMEM);
    assert_null(context);
    test_allocator_remove();
}

/* ---- inheritance ---- */

static void *current_user(void)
{
    edo_context *context = edo_current_context();
    return context ? edo_context_values_of(context)->user : NULL;
}

struct child {
    edo_frame();
    edo_args(void **ret_user; int depth;);
    edo_task *task;
};

edo_async(child)
{
    edo_body {
        int rc;
        if (self->depth == 0) {
            *self->ret_user = current_user();
            edo_return(0);
        }
        rc = edo_spawn(&self->task, child, .ret_user = self->ret_user, .depth = self->depth - 1);
        if (rc < 0) edo_return(rc);
        edo_await(rc, edo_join(self->task));
        edo_return(rc);
    }
}

struct tasks_inherit {
    edo_frame(struct child child;);
    edo_args();
    edo_context *mine, *other;
    edo_scope scope;
    edo_task *task;
    int my_user, other_user;
    void *seen;
};

edo_async(tasks_inherit)
{
    edo_body {
        int rc;
        self->mine = context_with_user(&self->my_user);
        self->other = context_with_user(&self->other_user);
        assert_null(edo_current_context());
        edo_set_context(self->mine);
        edo_context_unref(self->mine); // the task has its own reference
        assert_ptr_equal(edo_current_context(), self->mine);

        assert_int_equal(edo_spawn(&self->task, child, .ret_user = &self->seen, .depth = 3), 0);
        edo_await(rc, edo_join(self->task));
        assert_ptr_equal(self->seen, &self->my_user);

        self->seen = NULL;
        edo_scope_open(&self->scope, 0);
        assert_int_equal(edo_scope_spawn(&self->scope, child, .ret_user = &self->seen, .depth = 1),
                         0);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_ptr_equal(self->seen, &self->my_user);

        self->seen = NULL;
        assert_int_equal(edo_go(child, .ret_user = &self->seen), 0);
        edo_await(rc, settle());
        assert_ptr_equal(self->seen, &self->my_user);

        edo_call(rc, child, .ret_user = &self->seen, .depth = 0); // the same task
        assert_ptr_equal(self->seen, &self->my_user);

        edo_spawn_options options = { .context = self->other };
        assert_int_equal(
            edo_spawn_with(&self->task, &options, child, .ret_user = &self->seen, .depth = 2), 0);
        edo_context_unref(self->other);
        edo_await(rc, edo_join(self->task));
        assert_ptr_equal(self->seen, &self->other_user);
        assert_ptr_equal(current_user(), &self->my_user);
        edo_return(rc);
    }
}

static int64_t run_counted(const edo_site *site)
{
    edo_runtime *runtime;
    test_allocator_install();
    assert_int_equal(create_runtime(&(edo_config){ .test_clock = true }, &runtime), 0);
    int64_t result = edo__block_on(runtime, site, "");
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    test_allocator_remove();
    return result;
}

test(tasks_inherit_or_are_told_otherwise)
{
    assert_int_equal(run_counted(edo__site_of(tasks_inherit)), 0);
}

struct replaces {
    edo_frame();
    edo_args();
    edo_context *first, *second;
    edo_task *before, *after, *without;
    int first_user, second_user;
    void *seen_before, *seen_after, *seen_without;
};

edo_async(replaces)
{
    edo_body {
        int rc;
        self->first = context_with_user(&self->first_user);
        self->second = context_with_user(&self->second_user);
        edo_set_context(self->first);
        edo_set_context(self->first); // the same context again
        edo_context_unref(self->first);
        assert_int_equal(edo_spawn(&self->before, child, .ret_user = &self->seen_before), 0);
        edo_set_context(self->second);
        edo_context_unref(self->second);
        assert_int_equal(edo_spawn(&self->after, child, .ret_user = &self->seen_after), 0);
        edo_set_context(NULL);
        assert_null(edo_current_context());
        assert_int_equal(edo_spawn(&self->without, child, .ret_user = &self->seen_without), 0);
        edo_await(rc, edo_join(self->before));
        edo_await(rc, edo_join(self->after));
        edo_await(rc, edo_join(self->without));
        assert_ptr_equal(self->seen_before, &self->first_user);
        assert_ptr_equal(self->seen_after, &self->second_user);
        assert_null(self->seen_without);
        edo_return(rc);
    }
}

test(a_task_may_replace_its_context)
{
    assert_int_equal(run_counted(edo__site_of(replaces)), 0);
}

static void set_outside(void *arg)
{
    (void)arg;
    edo_set_context(NULL);
}

test(outside_of_tasks_there_is_none)
{
    assert_null(edo_current_context());
    expect_abort(set_outside, NULL, "edo_set_context: called outside of a task");
}

/* ---- the deadline ---- */

static edo_context *context_until(int64_t deadline)
{
    edo_context *context;
    assert_int_equal(edo_context_create(&(edo_context_values){ .deadline = deadline }, &context),
                     0);
    return context;
}

struct long_work {
    edo_frame();
    edo_args(int64_t *ended_at; int64_t cleanup;);
    int64_t result;
};

edo_async(long_work)
{
    edo_body {
        int rc;
        edo_await(self->result, edo_sleep(edo_s(60)));
        edo_shield();
        if (self->cleanup) edo_await(rc, edo_sleep(self->cleanup));
        *self->ended_at = edo_now();
        edo_return(self->result);
    }
}

async_test(the_deadline_cancels_the_task, edo_task *task; int64_t start, ended_at;)
{
    edo_body {
        int rc;
        self->start = edo_now();
        edo_context *context = context_until(self->start + edo_ms(10));
        edo_spawn_options options = { .context = context };
        assert_int_equal(
            edo_spawn_with(&self->task, &options, long_work, .ended_at = &self->ended_at), 0);
        edo_context_unref(context);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -ECANCELED);
        assert_int_equal(self->ended_at - self->start, edo_ms(10));
        edo_return(0);
    }
}

async_test(clean_up_goes_on_behind_the_deadline, edo_task *task; int64_t start, ended_at;)
{
    edo_body {
        int rc;
        self->start = edo_now();
        edo_context *context = context_until(self->start + edo_ms(10));
        edo_spawn_options options = { .context = context };
        assert_int_equal(edo_spawn_with(&self->task, &options, long_work,
                                        .ended_at = &self->ended_at, .cleanup = edo_ms(5)),
                         0);
        edo_context_unref(context);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -ECANCELED);
        assert_int_equal(self->ended_at - self->start, edo_ms(15));
        edo_return(0);
    }
}

/* The function still runs, like every async function. */
async_test(a_deadline_that_has_passed_cancels_at_once, edo_task *task; int64_t start, ended_at;)
{
    edo_body {
        int rc;
        self->start = edo_now();
        edo_context *context = context_until(self->start - 1);
        edo_spawn_options options = { .context = context };
        assert_int_equal(
            edo_spawn_with(&self->task, &options, long_work, .ended_at = &self->ended_at), 0);
        edo_context_unref(context);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -ECANCELED);
        assert_int_equal(self->ended_at, self->start);
        edo_return(0);
    }
}

struct sets_its_deadline {
    edo_frame();
    edo_args(int64_t deadline, limit;);
};

edo_async(sets_its_deadline)
{
    edo_body {
        int rc;
        edo_context *context = context_until(self->deadline);
        edo_set_context(context);
        edo_context_unref(context);
        edo_await_for(rc, self->limit, edo_sleep(edo_s(60)));
        edo_return(rc);
    }
}

async_test(a_task_may_set_its_own_deadline, edo_task *task; int64_t start;)
{
    edo_body {
        int rc;
        self->start = edo_now();
        assert_int_equal(edo_spawn(&self->task, sets_its_deadline,
                                   .deadline = self->start + edo_ms(10), .limit = EDO_NEVER),
                         0);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -ECANCELED);
        assert_int_equal(edo_now() - self->start, edo_ms(10));
        edo_return(0);
    }
}

async_test(the_earlier_of_limit_and_deadline_counts, edo_task *task; int64_t start;)
{
    edo_body {
        int rc;
        self->start = edo_now();
        assert_int_equal(edo_spawn(&self->task, sets_its_deadline,
                                   .deadline = self->start + edo_ms(10), .limit = edo_ms(5)),
                         0);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(edo_now() - self->start, edo_ms(5));
        assert_int_equal(edo_spawn(&self->task, sets_its_deadline,
                                   .deadline = self->start + edo_ms(10), .limit = edo_ms(50)),
                         0);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -ECANCELED);
        assert_int_equal(edo_now() - self->start, edo_ms(10));
        edo_return(0);
    }
}

struct spawns_under_a_deadline {
    edo_frame();
    edo_args(int64_t *ended_at;);
    edo_task *task;
};

edo_async(spawns_under_a_deadline)
{
    edo_body {
        int rc = edo_spawn(&self->task, long_work, .ended_at = self->ended_at);
        if (rc < 0) edo_return(rc);
        edo_shield();
        edo_await(rc, edo_join(self->task));
        edo_return(rc);
    }
}

async_test(the_deadline_is_inherited, edo_task *task; int64_t start, ended_at;)
{
    edo_body {
        int rc;
        self->start = edo_now();
        edo_context *context = context_until(self->start + edo_ms(10));
        edo_spawn_options options = { .context = context };
        assert_int_equal(edo_spawn_with(&self->task, &options, spawns_under_a_deadline,
                                        .ended_at = &self->ended_at),
                         0);
        edo_context_unref(context);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -ECANCELED);
        assert_int_equal(self->ended_at - self->start, edo_ms(10));
        edo_return(0);
    }
}
