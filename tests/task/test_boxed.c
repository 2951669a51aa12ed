/* Recursion with boxed frames, and boxed calls without memory. */
#include "task/probe.h"

#include <unistd.h>

#include <edo/dump.h>

struct node {
    struct node *left, *right;
    int value;
};

static struct node leaves[] = { { .value = 1 }, { .value = 2 }, { .value = 4 } };
static struct node inner = { &leaves[0], &leaves[1], 8 };
static struct node root = { &inner, &leaves[2], 16 };

struct sum_tree {
    edo_frame();
    edo_args(struct node *node;);
    int64_t left;
};

edo_async(sum_tree)
{
    edo_body {
        int64_t right;
        if (!self->node) edo_return(0);
        edo_await(right, settle());
        edo_call_boxed(self->left, sum_tree, .node = self->node->left);
        if (self->left < 0) edo_return(self->left);
        edo_call_boxed(right, sum_tree, .node = self->node->right);
        if (right < 0) edo_return(right);
        edo_return(self->left + right + self->node->value);
    }
}

async_test(functions_recurse)
{
    edo_body {
        int64_t sum;
        edo_call_boxed(sum, sum_tree, .node = &root);
        assert_int_equal(sum, 31);
        edo_return(0);
    }
}

struct descend {
    edo_frame();
    edo_args(int depth; struct gate *gate;);
};

edo_async(descend)
{
    edo_body {
        int64_t result;
        if (self->depth == 0)
            edo_await_on(result, &self->gate->base);
        else
            edo_call_boxed(result, descend, .depth = self->depth - 1, .gate = self->gate);
        edo_return(result < 0 ? result : result + 1);
    }
}

enum { DEPTH = 1000 };

async_test(recursion_waits_at_any_depth, struct gate gate; edo_task *task;)
{
    edo_body {
        int64_t result;
        self->gate = gate_make();
        assert_int_equal(edo_go(opener, .gate = &self->gate, .value = 5, .after = 2), 0);
        edo_call_boxed(result, descend, .depth = DEPTH, .gate = &self->gate);
        assert_int_equal(result, 5 + DEPTH + 1);
        edo_return(0);
    }
}

async_test(cancellation_reaches_any_depth, struct gate gate; edo_task *task;)
{
    edo_body {
        int64_t result;
        self->gate = gate_make();
        assert_int_equal(edo_spawn(&self->task, descend, .depth = DEPTH, .gate = &self->gate), 0);
        edo_await(result, settle());
        edo_task_cancel(self->task);
        edo_await(result, edo_join(self->task));
        assert_int_equal(result, -ECANCELED);
        edo_return(0);
    }
}

test(boxes_are_given_back)
{
    test_allocator_install();
    functions_recurse_test(state);
    recursion_waits_at_any_depth_test(state);
    cancellation_reaches_any_depth_test(state);
    test_allocator_remove();
}

/* ---- no memory ---- */

struct owner {
    edo_frame();
    edo_args(bool *owned;);
};

/* Releases its argument, as functions do. */
edo_async(owner)
{
    edo_body {
        *self->owned = false;
        edo_return(1);
    }
}

edo_async_test(no_memory_for_a_box, bool owned;)
{
    edo_body {
        int rc;
        self->owned = true;
        test_allocator_fail_from(1);
        edo_call_boxed(rc, owner, .owned = &self->owned);
        test_allocator_fail_at(0);
        assert_int_equal(rc, -ENOMEM);
        assert_true(self->owned);
        edo_call_boxed(rc, owner, .owned = &self->owned);
        assert_int_equal(rc, 1);
        assert_false(self->owned);
        edo_return(0);
    }
}

test(without_memory_the_arguments_stay_the_callers)
{
    test_allocator_install();
    no_memory_for_a_box_test(state);
    test_allocator_remove();
}

static void sum_with_failures(void *arg)
{
    edo_runtime *runtime;
    (void)arg;
    if (create_runtime(NULL, &runtime) < 0) return;
    int64_t sum = edo_block_on(runtime, sum_tree, .node = &root);
    assert_true(sum == 31 || sum == -ENOMEM);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

test(recursion_survives_each_allocation_that_fails)
{
    assert_true(with_each_allocation_failing(sum_with_failures, NULL) >= 10);
}

/* ---- as deep as the stack ---- */

enum { BOTTOMLESS = 4000000, CHILD_PATIENCE = 100 };

static void discard(void *context, const char *line)
{
    (void)context;
    (void)line;
}

static bool was_dumped; // at the greatest depth

struct sink {
    edo_frame();
    edo_args(int depth;);
};

/* At the greatest depth a dump inspects the task; its handler runs on the rest of the stack. */
edo_async(sink)
{
    edo_body {
        int64_t result;
        edo_call_boxed(result, sink, .depth = self->depth - 1);
        if (result == -ENOMEM && !was_dumped) {
            was_dumped = true;
            edo_dump(edo_current_runtime(), discard, NULL);
        }
        edo_return(result);
    }
}

static void sink_for_ever(void *arg)
{
    const edo_config *config = arg;
    edo_runtime *runtime;
    alarm(CHILD_PATIENCE);
    log_capture();
    assert_int_equal(edo_runtime_create(config, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, sink, .depth = BOTTOMLESS), -ENOMEM);
    assert_int_equal(edo_block_on(runtime, sink, .depth = BOTTOMLESS), -ENOMEM);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    assert_int_equal(log_lines("no room for one more call of 'sink'"), 2);
    log_release();
}

test(recursion_ends_with_the_stack)
{
    edo_config current = { .name = "current" };
    edo_config small = { .workers = 1, .max_spare = -1, .stack_size = 128 << 10 };
    edo_config workers = { .workers = 1, .max_spare = -1 };
    expect_success_in_child(sink_for_ever, &small);
#ifndef __SANITIZE_THREAD__ // ThreadSanitizer's own stack of function names is smaller
    expect_success_in_child(sink_for_ever, &current);
    expect_success_in_child(sink_for_ever, &workers);
#else
    (void)current, (void)workers;
#endif
}
