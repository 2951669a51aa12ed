/* Frames and calls: lazy, in place, with only head and arguments initialised; and rule 3: a frame
 * does not move after its first poll. */
#include "task/probe.h"

/* ---- lazy ---- */

struct count_up {
    edo_frame();
    edo_args(int *counter;);
};

edo_async(count_up)
{
    edo_body {
        edo_return(++*self->counter);
    }
}

async_test(nothing_happens_before_the_first_poll, struct count_up child; int counter;)
{
    edo_body {
        self->counter = 0;
        edo_init(&self->child, count_up, .counter = &self->counter);
        assert_int_equal(self->counter, 0);
        assert_int_equal(self->child.base.state, EDO_NEW);
        edo_all(&self->child.base);
        assert_int_equal(self->counter, 1);
        assert_int_equal(self->child.base.result, 1);
        edo_return(0);
    }
}

async_test(a_future_that_is_never_polled_does_nothing, struct count_up child; int counter;)
{
    edo_body {
        self->counter = 0;
        edo_init(&self->child, count_up, .counter = &self->counter);
        edo_cancel(&self->child.base);
        edo_return(self->counter);
    }
}

current_thread_only("another worker may run it meanwhile")
async_test(a_spawned_function_runs_only_when_its_spawner_waits, edo_task *task; int counter;)
{
    edo_body {
        int rc;
        self->counter = 0;
        assert_int_equal(edo_spawn(&self->task, count_up, .counter = &self->counter), 0);
        assert_int_equal(self->counter, 0);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 1);
        edo_return(0);
    }
}

async_test(a_future_that_is_done_is_not_polled_again, struct count_up child; int counter;)
{
    edo_body {
        self->counter = 0;
        edo_init(&self->child, count_up, .counter = &self->counter);
        edo_all(&self->child.base);
        edo_all(&self->child.base);
        assert_int_equal(edo_poll_future(&self->child.base, cx), EDO_READY);
        assert_int_equal(self->counter, 1);
        edo_return(0);
    }
}

/* ---- calls and results ---- */

struct echo_value {
    edo_frame();
    edo_args(int64_t value; bool wait;);
};

edo_async(echo_value)
{
    edo_body {
        int rc;
        if (self->wait) edo_await(rc, settle());
        edo_return(self->value);
    }
}

static const int64_t all_kinds[] = {
    0, 1, -1, -ENOMEM, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN
};

async_test(results_of_all_kinds_come_back, edo_callees(struct echo_value echo_value;) size_t i;)
{
    edo_body {
        int64_t result;
        for (self->i = 0; self->i < ARRAY_LENGTH(all_kinds); self->i++) {
            edo_call(result, echo_value, .value = all_kinds[self->i]);
            assert_int_equal(result, all_kinds[self->i]);
            edo_call(result, echo_value, .value = all_kinds[self->i], .wait = true);
            assert_int_equal(result, all_kinds[self->i]);
        }
        edo_return(0);
    }
}

async_test(results_are_converted_to_the_type_that_takes_them,
    edo_callees(struct echo_value echo_value;))
{
    edo_body {
        short small;
        ssize_t size;
        edo_call(small, echo_value, .value = -ENOENT);
        assert_int_equal(small, -ENOENT);
        edo_call(size, echo_value, .value = INT64_MAX);
        assert_int_equal(size, INT64_MAX);
        edo_return(0);
    }
}

struct output {
    edo_frame();
    edo_args(const char **ret_text;);
};

edo_async(output)
{
    edo_body {
        int rc;
        edo_await(rc, settle());
        *self->ret_text = "text";
        edo_return(0);
    }
}

async_test(what_is_no_number_goes_to_an_output,
    edo_callees(struct output output;)
    const char *text;)
{
    edo_body {
        int rc;
        edo_call(rc, output, .ret_text = &self->text);
        assert_string_equal(self->text, "text");
        edo_return(rc);
    }
}

struct level_three {
    edo_frame();
    edo_args(int number;);
};

edo_async(level_three)
{
    edo_body {
        int rc;
        edo_await(rc, settle());
        edo_return(self->number * 10 + 3);
    }
}

struct level_two {
    edo_frame(struct level_three level_three;);
    edo_args(int number;);
};

edo_async(level_two)
{
    edo_body {
        int sum;
        edo_call(sum, level_three, .number = self->number * 10 + 2);
        edo_return(sum);
    }
}

async_test(calls_nest, edo_callees(struct level_two level_two;))
{
    edo_body {
        int digits;
        edo_call(digits, level_two, .number = 1);
        assert_int_equal(digits, 123);
        edo_return(0);
    }
}

struct locals {
    edo_frame(struct echo_value echo_value; struct level_three level_three;);
    edo_args(int count;);
    int i;
    int64_t sum;
};

edo_async(locals)
{
    edo_body {
        int64_t value;
        self->sum = 0;
        for (self->i = 0; self->i < self->count; self->i++) {
            edo_call(value, echo_value, .value = self->i, .wait = self->i % 2);
            self->sum += value;
            edo_call(value, level_three, .number = self->i);
            self->sum += value;
        }
        edo_return(self->sum);
    }
}

async_test(callees_share_a_slot_and_locals_stay, edo_callees(struct locals locals;))
{
    edo_body {
        int64_t sum;
        edo_call(sum, locals, .count = 100);
        assert_int_equal(sum, 4950 + 49500 + 300);
        edo_return(0);
    }
}

struct without_arguments {
    edo_frame();
    edo_args();
};

edo_async(without_arguments)
{
    edo_body {
        edo_return(7);
    }
}

async_test(a_function_may_have_no_arguments,
    edo_callees(struct without_arguments without_arguments;)
    struct without_arguments child;
    edo_task *task;)
{
    edo_body {
        int value;
        edo_call(value, without_arguments);
        assert_int_equal(value, 7);
        edo_init(&self->child, without_arguments);
        edo_all(&self->child.base);
        assert_int_equal(self->child.base.result, 7);
        assert_int_equal(edo_spawn(&self->task, without_arguments), 0);
        edo_await(value, edo_join(self->task));
        assert_int_equal(value, 7);
        edo_return(edo_go(without_arguments));
    }
}

/* ---- only head and arguments are initialised ---- */

enum { BIG = 1 << 20, POISON = 0xa5, OTHER_POISON = 0x5a };

static bool is_filled(const unsigned char *bytes, size_t size, unsigned char value)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != value) return false;
    return true;
}

struct big {
    edo_frame();
    edo_args(int first, second;);
    unsigned char buf[BIG];
};

edo_async(big)
{
    edo_body {
        assert_int_equal(self->first, 1);
        assert_int_equal(self->second, 0);
        edo_return(self->buf[0] == self->buf[BIG - 1] ? self->buf[0] : -EPROTO);
    }
}

async_test(a_call_initialises_only_head_and_arguments,
    edo_callees(struct big big;)
    struct big child;)
{
    edo_body {
        int found;
        memset(&self->child, POISON, sizeof self->child);
        memset(&self->edo_slot, OTHER_POISON, sizeof self->edo_slot);
        edo_init(&self->child, big, .first = 1);
        assert_true(is_filled(self->child.buf, BIG, POISON));
        edo_all(&self->child.base);
        assert_int_equal(self->child.base.result, POISON);
        edo_call(found, big, .first = 1);
        assert_int_equal(found, OTHER_POISON);
        edo_return(0);
    }
}

edo_async_test(spawn_big, edo_task *task;)
{
    edo_body {
        int found;
        assert_int_equal(edo_spawn(&self->task, big, .first = 1), 0);
        edo_await(found, edo_join(self->task));
        assert_int_equal(found, POISON); // filled in by the test's allocator
        edo_call_boxed(found, big, .first = 1);
        assert_int_equal(found, POISON);
        edo_return(0);
    }
}

test(spawns_and_boxes_initialise_only_head_and_arguments)
{
    test_allocator_install();
    spawn_big_test(state);
    test_allocator_remove();
}

struct aligned {
    edo_frame();
    edo_args(char odd;);
    max_align_t strict;
};

edo_async(aligned)
{
    edo_body {
        edo_return((uintptr_t)&self->strict % _Alignof(max_align_t));
    }
}

async_test(frames_are_aligned_for_any_type, edo_callees(struct aligned aligned;) edo_task *task;)
{
    edo_body {
        int off;
        edo_call(off, aligned);
        assert_int_equal(off, 0);
        edo_call_boxed(off, aligned);
        assert_int_equal(off, 0);
        assert_int_equal(edo_spawn_with(&self->task, &(edo_spawn_options){ .name = "x" }, aligned),
                         0);
        edo_await(off, edo_join(self->task));
        assert_int_equal(off, 0);
        edo_return(0);
    }
}

/* ---- rule 3 ---- */

struct moves_a_frame {
    edo_frame();
    edo_args(bool polled, cancelled;);
    struct gate gate;
    struct passer child, moved;
};

edo_async(moves_a_frame)
{
    edo_body {
        self->gate = gate_make_stubborn();
        edo_init(&self->child, passer, .gate = &self->gate);
        if (self->polled) assert_int_equal(edo_poll_future(&self->child.base, cx), EDO_PENDING);
        if (self->cancelled) edo_cancel(&self->child.base);
        self->moved = self->child;
        gate_open(&self->gate, 0);
        edo_all(&self->moved.base);
        edo_return(self->moved.base.result);
    }
}

static void move_a_frame(bool polled, bool cancelled)
{
    edo_runtime *runtime;
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, moves_a_frame, .polled = polled, .cancelled = cancelled),
                     0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

static void move_a_polled_frame(void *arg)
{
    (void)arg;
    move_a_frame(true, false);
}

static void move_a_cancelled_frame(void *arg)
{
    (void)arg;
    move_a_frame(true, true);
}

test(a_frame_that_moved_after_its_first_poll_aborts)
{
    const char *rule = "passer: the frame was moved or copied after its first poll";
    expect_abort(move_a_polled_frame, NULL, rule);
    expect_abort(move_a_cancelled_frame, NULL, rule);
}

test(a_frame_may_move_before_its_first_poll)
{
    move_a_frame(false, false);
    move_a_frame(false, true);
}
