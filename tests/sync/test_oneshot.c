/* Oneshots: one value, or none; its owner at the end. */
#include "task/probe.h"

#include <pthread.h>
#include <stdlib.h>

typedef edo_oneshot_sender(int64_t) word_reply;
typedef edo_oneshot_receiver(int64_t) word_answer;

typedef struct pair {
    word_reply in;
    word_answer out;
} pair;

static pair make_pair(void)
{
    pair p = { { NULL }, { NULL } };
    assert_int_equal(edo_oneshot_create(&p.in, &p.out), 0);
    return p;
}

static const int64_t seven = 7;

/* ---- memory: before edo_wait() makes a runtime for this thread ---- */

test(a_oneshot_of_a_word_is_small)
{
    test_allocator_install();
    pair p = make_pair();
    assert_in_range(test_allocator_live_bytes(), 8, 64);
    edo_oneshot_sender_close(&p.in);
    edo_oneshot_receiver_close(&p.out);
    test_allocator_remove();
}

static void create_one(void *arg)
{
    (void)arg;
    pair p = { { NULL }, { NULL } };
    int rc = edo_oneshot_create(&p.in, &p.out);
    assert_true(rc == 0 || (rc == -ENOMEM && !p.in.edo_core && !p.out.edo_core));
    edo_oneshot_sender_close(&p.in);
    edo_oneshot_receiver_close(&p.out);
}

test(creation_without_memory_leaves_nothing)
{
    assert_int_equal(with_each_allocation_failing(create_one, NULL), 1);
}

/* Each order of the ends' last steps frees the memory. */
test(every_order_of_ends_frees_the_memory)
{
    test_allocator_install();
    for (int order = 0; order < 8; order++) {
        pair p = make_pair();
        int64_t value;
        if (order & 1) {
            if (order & 2)
                assert_int_equal(edo_oneshot_send(&p.in, &seven), 0);
            else
                edo_oneshot_sender_close(&p.in);
        }
        if (order & 4) edo_oneshot_receiver_shutdown(&p.out);
        if ((order & 1) && edo_oneshot_try_recv(&p.out, &value) == 1) assert_int_equal(value, 7);
        edo_oneshot_receiver_close(&p.out);
        edo_oneshot_sender_close(&p.in);
        assert_int_equal(test_allocator_live_count(), 0);
    }
    test_allocator_remove();
}

/* ---- without waiting ---- */

test(a_value_is_received)
{
    pair p = make_pair();
    int64_t value = 0;
    assert_int_equal(edo_oneshot_try_recv(&p.out, &value), -EAGAIN);
    assert_false(edo_oneshot_has_value(&p.out));
    assert_true(edo_end_is_open(&p.in));
    assert_int_equal(edo_oneshot_send(&p.in, &seven), 0);
    assert_false(edo_end_is_open(&p.in));
    assert_true(edo_oneshot_has_value(&p.out));
    assert_true(edo_end_is_open(&p.out));
    assert_int_equal(edo_oneshot_try_recv(&p.out, &value), 1);
    assert_int_equal(value, 7);
    assert_false(edo_end_is_open(&p.out));
    assert_false(edo_oneshot_has_value(&p.out));
}

test(after_the_value_there_is_none)
{
    pair p = make_pair();
    int64_t value;
    assert_int_equal(edo_oneshot_send(&p.in, &seven), 0);
    assert_int_equal(edo_wait(edo_oneshot_recv(&p.out, &value)), 1);
    assert_int_equal(edo_wait(edo_oneshot_recv(&p.out, &value)), 0);
    assert_int_equal(edo_oneshot_try_recv(&p.out, &value), 0);
    edo_oneshot_receiver_close(&p.out);
}

test(a_closed_sender_is_seen)
{
    pair p = make_pair();
    int64_t value = 1;
    edo_oneshot_sender_close(&p.in);
    edo_oneshot_sender_close(&p.in);
    assert_int_equal(edo_oneshot_try_recv(&p.out, &value), 0);
    assert_int_equal(value, 1);
    assert_null(p.out.edo_core);
}

test(a_closed_receiver_leaves_the_value_with_the_sender)
{
    pair p = make_pair();
    assert_false(edo_oneshot_is_closed(&p.in));
    edo_oneshot_receiver_close(&p.out);
    assert_true(edo_oneshot_is_closed(&p.in));
    assert_int_equal(edo_wait(edo_oneshot_closed(&p.in)), 0);
    assert_int_equal(edo_oneshot_send(&p.in, &seven), -EPIPE);
    assert_null(p.in.edo_core);
}

test(a_shutdown_refuses_later_sends)
{
    pair p = make_pair();
    int64_t value;
    edo_oneshot_receiver_shutdown(&p.out);
    assert_true(edo_oneshot_is_closed(&p.in));
    assert_int_equal(edo_oneshot_send(&p.in, &seven), -EPIPE);
    assert_int_equal(edo_oneshot_try_recv(&p.out, &value), 0);
}

test(a_shutdown_keeps_the_value)
{
    pair p = make_pair();
    int64_t value;
    assert_int_equal(edo_oneshot_send(&p.in, &seven), 0);
    edo_oneshot_receiver_shutdown(&p.out);
    assert_int_equal(edo_oneshot_try_recv(&p.out, &value), 1);
    assert_int_equal(value, 7);
}

test(after_a_shutdown_there_is_none)
{
    pair p = make_pair();
    int64_t value;
    edo_oneshot_receiver_shutdown(&p.out);
    edo_oneshot_receiver_shutdown(&p.out);
    assert_int_equal(edo_oneshot_try_recv(&p.out, &value), 0);
    edo_oneshot_sender_close(&p.in);
}

static void add_to(void *value, void *context)
{
    *(int64_t *)context += *(int64_t *)value;
}

test(what_nobody_receives_is_dropped)
{
    int64_t dropped = 0, value;
    pair p = { { NULL }, { NULL } };
    assert_int_equal(edo_oneshot_create_with(&p.in, &p.out, add_to, &dropped), 0);
    assert_int_equal(edo_oneshot_send(&p.in, &seven), 0);
    edo_oneshot_receiver_close(&p.out);
    assert_int_equal(dropped, 7);
    assert_int_equal(edo_oneshot_create_with(&p.in, &p.out, add_to, &dropped), 0);
    assert_int_equal(edo_oneshot_send(&p.in, &seven), 0);
    assert_int_equal(edo_oneshot_try_recv(&p.out, &value), 1);
    assert_int_equal(edo_oneshot_create_with(&p.in, &p.out, add_to, &dropped), 0);
    edo_oneshot_receiver_close(&p.out);
    assert_int_equal(edo_oneshot_send(&p.in, &seven), -EPIPE); // the value is still the caller's
    assert_int_equal(dropped, 7);
}

typedef struct large {
    char bytes[3000];
} large;
typedef struct wide {
    __attribute__((aligned(16))) char bytes[32];
} wide;

test(values_of_any_size_are_copied)
{
    edo_oneshot_sender(large) in = { NULL };
    edo_oneshot_receiver(large) out = { NULL };
    edo_oneshot_sender(char) byte_in = { NULL };
    edo_oneshot_receiver(char) byte_out = { NULL };
    edo_oneshot_sender(wide) wide_in = { NULL };
    edo_oneshot_receiver(wide) wide_out = { NULL };
    large a, b;
    wide c, d;
    char byte = 0;
    fill_pattern(&a, sizeof a, 1, 0);
    fill_pattern(&c, sizeof c, 2, 0);
    assert_int_equal(edo_oneshot_create(&in, &out), 0);
    assert_int_equal(edo_oneshot_create(&byte_in, &byte_out), 0);
    assert_int_equal(edo_oneshot_create(&wide_in, &wide_out), 0);
    assert_int_equal(edo_oneshot_send(&in, &a), 0);
    assert_int_equal(edo_oneshot_send(&byte_in, &(char){ 'x' }), 0);
    assert_int_equal(edo_oneshot_send(&wide_in, &c), 0);
    assert_int_equal(edo_oneshot_try_recv(&out, &b), 1);
    assert_int_equal(edo_oneshot_try_recv(&byte_out, &byte), 1);
    assert_int_equal(edo_oneshot_try_recv(&wide_out, &d), 1);
    assert_true(is_pattern(&b, sizeof b, 1, 0));
    assert_true(is_pattern(&d, sizeof d, 2, 0));
    assert_int_equal(byte, 'x');
}

/* ---- waiting ---- */

struct answered {
    edo_frame();
    edo_args(word_answer out;);
    int64_t value;
};

edo_async(answered)
{
    edo_body {
        int64_t rc;
        edo_await(rc, edo_oneshot_recv(&self->out, &self->value));
        edo_oneshot_receiver_close(&self->out); // when it was cancelled
        edo_return(rc == 1 ? self->value : rc);
    }
}

struct sees_close {
    edo_frame();
    edo_args(word_reply in;);
};

edo_async(sees_close)
{
    edo_body {
        int64_t rc;
        edo_await(rc, edo_oneshot_closed(&self->in));
        edo_oneshot_sender_close(&self->in);
        edo_return(rc);
    }
}

#define ANSWERED                                                                                   \
    pair p;                                                                                        \
    edo_task *task; // waits for the value

static void begin_answered(pair *ret_pair, edo_task **ret_task)
{
    *ret_pair = make_pair();
    assert_int_equal(edo_spawn(ret_task, answered, .out = ret_pair->out), 0);
}

async_test(a_receive_waits_for_the_value, ANSWERED)
{
    edo_body {
        int64_t rc;
        begin_answered(&self->p, &self->task);
        edo_await(rc, settle());
        assert_false(edo_task_is_done(self->task));
        assert_int_equal(edo_oneshot_send(&self->p.in, &seven), 0);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 7);
        edo_return(0);
    }
}

async_test(a_receive_waits_for_the_close, ANSWERED)
{
    edo_body {
        int64_t rc;
        begin_answered(&self->p, &self->task);
        edo_await(rc, settle());
        edo_oneshot_sender_close(&self->p.in);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 0);
        edo_return(0);
    }
}

async_test(a_sender_waits_for_the_close,
    pair p;
    edo_task *task;
    int how;)
{
    edo_body {
        int64_t rc;
        for (self->how = 0; self->how < 2; self->how++) {
            self->p = make_pair();
            assert_int_equal(edo_spawn(&self->task, sees_close, .in = self->p.in), 0);
            edo_await(rc, settle());
            assert_false(edo_task_is_done(self->task));
            if (self->how) edo_oneshot_receiver_shutdown(&self->p.out);
            edo_oneshot_receiver_close(&self->p.out);
            edo_await(rc, edo_join(self->task));
            assert_int_equal(rc, 0);
        }
        edo_return(0);
    }
}

async_test(a_cancelled_receive_leaves_the_value,
    pair p;
    int64_t value;)
{
    edo_body {
        int rc;
        self->p = make_pair();
        edo_await_for(rc, edo_ms(1), edo_oneshot_recv(&self->p.out, &self->value));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(edo_oneshot_send(&self->p.in, &seven), 0);
        edo_await_for(rc, edo_ms(1), edo_oneshot_recv(&self->p.out, &self->value));
        assert_int_equal(rc, 1);
        assert_int_equal(self->value, 7);
        edo_return(0);
    }
}

/* Sent and cancelled in the same step. */
async_test(a_task_that_is_cancelled_at_the_send_loses_nothing, ANSWERED)
{
    edo_body {
        int64_t rc;
        begin_answered(&self->p, &self->task);
        edo_await(rc, settle());
        edo_task_cancel(self->task);
        rc = edo_oneshot_send(&self->p.in, &seven);
        assert_true(rc == 0 || rc == -EPIPE);
        edo_await(rc, edo_join(self->task));
        assert_true(rc == 7 || rc == -ECANCELED);
        edo_return(0);
    }
}

async_test(a_cancelled_wait_for_the_close_leaves_the_sender,
    pair p;
    int64_t value;)
{
    edo_body {
        int rc;
        self->p = make_pair();
        edo_await_for(rc, edo_ms(1), edo_oneshot_closed(&self->p.in));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(edo_oneshot_send(&self->p.in, &seven), 0);
        edo_await_oneshot(rc, &self->p.out, &self->value);
        assert_int_equal(rc, 1);
        edo_return(0);
    }
}

async_test(a_wait_for_the_close_that_is_cancelled_too_late_saw_the_close,
    pair p;
    edo_op op;)
{
    edo_body {
        self->p = make_pair();
        self->op = edo_oneshot_closed(&self->p.in);
        assert_int_equal(edo_poll_future(&self->op.base, cx), EDO_PENDING);
        edo_oneshot_receiver_close(&self->p.out);
        edo_cancel(&self->op.base);
        assert_int_equal(edo_poll_future(&self->op.base, cx), EDO_READY);
        assert_int_equal(self->op.base.result, 0);
        assert_int_equal(edo_oneshot_send(&self->p.in, &seven), -EPIPE);
        edo_return(0);
    }
}

async_test(a_select_over_replies_takes_one,
    pair a, b;
    edo_op first, second;
    int64_t x, y;)
{
    edo_body {
        int rc;
        self->a = make_pair();
        self->b = make_pair();
        assert_int_equal(edo_oneshot_send(&self->a.in, &seven), 0);
        assert_int_equal(edo_oneshot_send(&self->b.in, &seven), 0);
        self->first = edo_oneshot_recv(&self->a.out, &self->x);
        self->second = edo_oneshot_recv(&self->b.out, &self->y);
        edo_select_biased(rc, &self->first.base, &self->second.base);
        assert_int_equal(rc, 0);
        assert_null(self->a.out.edo_core);
        edo_await_oneshot(rc, &self->b.out, &self->y);
        assert_int_equal(rc, 1);
        edo_return(0);
    }
}

/* The same operation is polled by another task: its waker changes. */
struct polls_op {
    edo_frame();
    edo_args(edo_op *op;);
};

edo_async(polls_op)
{
    edo_body {
        int64_t rc;
        edo_await_on(rc, &self->op->base);
        edo_return(rc);
    }
}

struct once {
    edo_future base;
    edo_op *op;
};

static edo_poll once_poll(edo_future *future, edo_cx *cx)
{
    struct once *once = (struct once *)(void *)future;
    if (!edo_cx_charge(cx)) return EDO_PENDING;
    future->result = edo_poll_future(&once->op->base, cx);
    return EDO_READY;
}

static const edo_future_ops once_ops = { .name = "once", .poll = once_poll };

async_test(an_operation_may_change_its_task,
    pair p;
    edo_op op;
    struct once once;
    edo_task *task;
    int64_t value;)
{
    edo_body {
        int64_t rc;
        self->p = make_pair();
        self->op = edo_oneshot_recv(&self->p.out, &self->value);
        self->once = (struct once){ { .ops = &once_ops }, &self->op };
        edo_await_on(rc, &self->once.base);
        assert_int_equal(rc, EDO_PENDING);
        assert_int_equal(edo_spawn(&self->task, polls_op, .op = &self->op), 0);
        edo_await(rc, settle());
        assert_int_equal(edo_oneshot_send(&self->p.in, &seven), 0);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 1);
        assert_int_equal(self->value, 7);
        edo_return(0);
    }
}

/* ---- threads ---- */

enum { ROUNDS = 20000 };

static struct {
    pair p[ROUNDS];
    unsigned sent[ROUNDS], taken[ROUNDS];
} races;

/* tokio#4225: a send against a shutdown and a try: one side has the value. */
static void send_or_try(unsigned index, void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        int64_t value = i, got = -1;
        if (index == 0) {
            races.sent[i] = edo_oneshot_send(&races.p[i].in, &value) == 0;
            continue;
        }
        if (arg) edo_oneshot_receiver_shutdown(&races.p[i].out);
        int64_t rc;
        while ((rc = edo_oneshot_try_recv(&races.p[i].out, &got)) == -EAGAIN)
            continue;
        if (rc == 1 && got != i) abort();
        races.taken[i] = rc == 1;
    }
}

static void race(bool shuts_down)
{
    for (int i = 0; i < ROUNDS; i++)
        races.p[i] = make_pair();
    run_threads(2, send_or_try, shuts_down ? &races : NULL);
    for (int i = 0; i < ROUNDS; i++)
        assert_int_equal(races.sent[i], races.taken[i]);
}

test(one_side_has_the_value)
{
    race(true);
    race(false);
}

static void send_or_wait(unsigned index, void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS / 10; i++) {
        int64_t value = i;
        if (index == 0) {
            if (edo_oneshot_send(&races.p[i].in, &value) < 0) abort();
        } else if (edo_wait(edo_oneshot_recv(&races.p[i].out, &value)) != 1 || value != i) {
            abort();
        }
    }
}

test(plain_threads_wait)
{
    for (int i = 0; i < ROUNDS / 10; i++)
        races.p[i] = make_pair();
    run_threads(2, send_or_wait, NULL);
}

/* Closes of one end while the other begins to wait. */
static void close_or_wait(unsigned index, void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS / 10; i++) {
        if (index == 0) {
            if (edo_wait(edo_oneshot_closed(&races.p[i].in)) != 0) abort();
            edo_oneshot_sender_close(&races.p[i].in);
        } else {
            edo_oneshot_receiver_close(&races.p[i].out);
        }
    }
}

test(plain_threads_close)
{
    for (int i = 0; i < ROUNDS / 10; i++)
        races.p[i] = make_pair();
    run_threads(2, close_or_wait, NULL);
}

async_test(tasks_answer_each_other,
    pair p;
    edo_task *task;
    int i;)
{
    edo_body {
        int64_t rc;
        for (self->i = 0; self->i < 2000; self->i++) {
            self->p = make_pair();
            assert_int_equal(edo_spawn(&self->task, answered, .out = self->p.out), 0);
            if (self->i % 3 == 0) edo_await(rc, edo_yield());
            assert_int_equal(edo_oneshot_send(&self->p.in, &seven), 0);
            edo_await(rc, edo_join(self->task));
            assert_int_equal(rc, 7);
        }
        edo_return(0);
    }
}

/* The memory may come from a worker that has ended. */
struct makes_pair {
    edo_frame();
    edo_args(pair *ret_pair;);
};

edo_async(makes_pair)
{
    edo_body {
        *self->ret_pair = make_pair();
        edo_return(0);
    }
}

test(a_oneshot_outlives_its_runtime)
{
    edo_runtime *runtime;
    pair p;
    int64_t value = 0;
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, makes_pair, .ret_pair = &p), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    assert_int_equal(edo_oneshot_send(&p.in, &seven), 0);
    assert_int_equal(edo_wait(edo_oneshot_recv(&p.out, &value)), 1);
    assert_int_equal(value, 7);
}

/* The runtime of a waiting task ends: the task is cancelled, and the value stays with its
 * sender. */
test(a_runtime_ends_while_its_task_waits)
{
    edo_runtime *runtime;
    edo_task *task;
    pair p = make_pair();
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    edo_spawn_options there = { .runtime = runtime };
    assert_int_equal(edo_spawn_with(&task, &there, answered, .out = p.out), 0);
    edo_detach(task);
    turn_runtime(runtime, 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    assert_int_equal(edo_oneshot_send(&p.in, &seven), -EPIPE);
}

/* ---- misuse ---- */

static void run_second_send(void *arg)
{
    (void)arg;
    pair p = make_pair();
    int64_t value = 1;
    (void)!edo_oneshot_send(&p.in, &value);
    (void)!edo_oneshot_send(&p.in, &value);
}

struct closes_early {
    edo_frame();
    edo_args(int how;);
    pair p;
    edo_op op, sleep;
    int64_t value;
};

edo_async(closes_early)
{
    edo_body {
        int rc;
        self->p = make_pair();
        self->op = self->how % 2 ? edo_oneshot_recv(&self->p.out, &self->value)
                                 : edo_oneshot_closed(&self->p.in);
        self->sleep = edo_sleep(1);
        edo_any(rc, &self->op.base, &self->sleep.base);
        if (self->how == 0) edo_oneshot_sender_close(&self->p.in);
        if (self->how == 1) edo_oneshot_receiver_close(&self->p.out);
        if (self->how == 2) (void)!edo_oneshot_send(&self->p.in, &seven);
        if (self->how == 3) edo_await(rc, edo_oneshot_recv(&self->p.out, &self->value));
        edo_return(rc);
    }
}

static void run_early_close(void *arg)
{
    edo_runtime *runtime;
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    (void)edo_block_on(runtime, closes_early, .how = *(int *)arg);
}

test(misuse_aborts)
{
    static int hows[] = { 0, 1, 2, 3 };
    expect_abort(run_second_send, NULL, "edo_oneshot_send: this end was consumed");
    expect_abort(run_early_close, &hows[0],
                 "edo_oneshot_sender_close: an operation is still pending");
    expect_abort(run_early_close, &hows[1],
                 "edo_oneshot_receiver_close: an operation is still pending");
    expect_abort(run_early_close, &hows[2], "edo_oneshot_send: an operation is still pending");
    expect_abort(run_early_close, &hows[3], "edo_oneshot_recv: another operation is pending");
}
