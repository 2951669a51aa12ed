/* Watches: the last value, seen and unseen, and the end. */
#include "sync/steps.h"

#include <pthread.h>
#include <stdlib.h>

typedef edo_watch_sender(int64_t) word_watched;
typedef edo_watch_receiver(int64_t) word_watcher;

typedef struct watch {
    word_watched in;
    word_watcher out;
} watch;

static watch make_watch(int64_t value)
{
    watch w = { { NULL }, { NULL } };
    assert_int_equal(edo_watch_create(&w.in, &w.out, &value), 0);
    return w;
}

static void close_watch(watch *w)
{
    edo_watch_sender_close(&w->in);
    edo_watch_receiver_close(&w->out);
}

static void put(watch *w, int64_t value)
{
    edo_watch_send(&w->in, &value);
}

static void expect_next(watch *w, int64_t expected)
{
    int64_t value = -1;
    assert_int_equal(edo_watch_try_recv(&w->out, &value), 1);
    assert_int_equal(value, expected);
}

static void expect_none(watch *w, int64_t why)
{
    int64_t value;
    assert_int_equal(edo_watch_try_recv(&w->out, &value), why);
}

/* ---- memory: before edo_wait() makes a runtime for this thread ---- */

static void create_one(void *arg)
{
    (void)arg;
    watch w = { { NULL }, { NULL } };
    int64_t value = 1;
    int rc = edo_watch_create(&w.in, &w.out, &value);
    assert_true(rc == 0 || (rc == -ENOMEM && !w.in.edo_core && !w.out.edo_core));
    close_watch(&w);
}

test(creation_without_memory_leaves_nothing)
{
    assert_int_equal(with_each_allocation_failing(create_one, NULL), 1);
}

test(any_order_of_closes_frees_the_memory)
{
    test_allocator_install();
    for (int order = 0; order < 2; order++) {
        watch w = make_watch(1);
        word_watched second = edo_watch_sender_clone(&w.in);
        word_watcher other = { NULL };
        edo_watch_subscribe(&w.in, &other);
        if (order) edo_watch_receiver_close(&other);
        close_watch(&w);
        close_watch(&w); // nothing
        edo_watch_sender_close(&second);
        if (!order) edo_watch_receiver_close(&other);
        assert_int_equal(test_allocator_live_count(), 0);
    }
    test_allocator_remove();
}

/* ---- values ---- */

test(the_first_value_counts_as_seen)
{
    watch w = make_watch(5);
    int64_t value = 0;
    assert_int_equal(edo_watch_has_changed(&w.out), 0);
    expect_none(&w, -EAGAIN);
    assert_int_equal(edo_watch_get(&w.out, &value), 0);
    assert_int_equal(value, 5);
    close_watch(&w);
}

test(a_change_is_seen_once)
{
    watch w = make_watch(1);
    put(&w, 2);
    assert_int_equal(edo_watch_has_changed(&w.out), 1);
    expect_next(&w, 2);
    expect_none(&w, -EAGAIN);
    assert_int_equal(edo_watch_has_changed(&w.out), 0);
    close_watch(&w);
}

test(only_the_last_value_is_received)
{
    watch w = make_watch(1);
    for (int64_t i = 2; i < 100; i++)
        put(&w, i);
    expect_next(&w, 99);
    expect_none(&w, -EAGAIN);
    close_watch(&w);
}

test(the_same_value_again_is_a_change)
{
    watch w = make_watch(1);
    put(&w, 1);
    expect_next(&w, 1);
    close_watch(&w);
}

test(a_peek_marks_nothing)
{
    watch w = make_watch(1);
    int64_t value;
    put(&w, 2);
    assert_int_equal(edo_watch_peek(&w.out, &value), 1);
    assert_int_equal(edo_watch_peek(&w.out, &value), 1);
    assert_int_equal(value, 2);
    assert_int_equal(edo_watch_get(&w.out, &value), 1);
    assert_int_equal(edo_watch_get(&w.out, &value), 0);
    close_watch(&w);
}

test(values_are_marked_by_hand)
{
    watch w = make_watch(1);
    edo_watch_mark_changed(&w.out);
    assert_int_equal(edo_watch_has_changed(&w.out), 1);
    expect_next(&w, 1);
    put(&w, 2);
    edo_watch_mark_unchanged(&w.out);
    assert_int_equal(edo_watch_has_changed(&w.out), 0);
    expect_none(&w, -EAGAIN);
    close_watch(&w);
}

/* Versions do not wrap: a small counter would. */
test(any_number_of_changes_is_a_change)
{
    watch w = make_watch(1);
    for (int64_t i = 0; i < (1 << 16); i++)
        put(&w, i);
    assert_int_equal(edo_watch_has_changed(&w.out), 1);
    close_watch(&w);
}

/* tokio#7228 */
test(a_value_is_stored_while_nobody_listens)
{
    watch w = make_watch(1);
    int64_t value = 7;
    edo_watch_receiver_close(&w.out);
    assert_int_equal(edo_watch_send(&w.in, &value), 0);
    edo_watch_subscribe(&w.in, &w.out);
    assert_int_equal(edo_watch_has_changed(&w.out), 0);
    assert_int_equal(edo_watch_get(&w.out, &value), 0);
    assert_int_equal(value, 7);
    close_watch(&w);
}

test(each_receiver_sees_for_itself)
{
    watch w = make_watch(1);
    word_watcher second = { NULL }, third = { NULL };
    int64_t value = 2;
    edo_watch_receiver_clone(&w.out, &second);
    assert_int_equal(edo_watch_send(&w.in, &value), 2);
    expect_next(&w, 2);
    assert_int_equal(edo_watch_has_changed(&second), 1);
    edo_watch_receiver_clone(&second, &third); // has seen the same value
    assert_int_equal(edo_watch_has_changed(&third), 1);
    assert_int_equal(edo_watch_receivers(&w.in), 3);
    assert_true(edo_same_channel(&w.in, &third));
    edo_watch_receiver_close(&second);
    edo_watch_receiver_close(&third);
    assert_int_equal(edo_watch_receivers(&w.in), 1);
    close_watch(&w);
}

test(an_exchange_answers_the_value_before)
{
    watch w = make_watch(1);
    int64_t value = 2;
    assert_int_equal(edo_watch_exchange(&w.in, &value), 1);
    assert_int_equal(value, 1);
    expect_next(&w, 2);
    close_watch(&w);
}

test(a_value_of_an_old_version_is_refused)
{
    watch w = make_watch(1);
    int64_t value = 0, other = 9;
    uint64_t version = edo_watch_read(&w.in, &value);
    assert_int_equal(value, 1);
    put(&w, 5);
    assert_int_equal(edo_watch_send_if(&w.in, &other, version), -EAGAIN);
    expect_next(&w, 5);
    version = edo_watch_read(&w.in, &value);
    assert_int_equal(edo_watch_send_if(&w.in, &other, version), 1);
    expect_next(&w, 9);
    close_watch(&w);
}

typedef struct large {
    char bytes[999];
} large;

test(values_of_any_size_are_copied)
{
    edo_watch_sender(large) in = { NULL };
    edo_watch_receiver(large) out = { NULL };
    large a, b;
    fill_pattern(&a, sizeof a, 1, 0);
    assert_int_equal(edo_watch_create(&in, &out, &a), 0);
    fill_pattern(&a, sizeof a, 2, 0);
    edo_watch_exchange(&in, &a);
    assert_true(is_pattern(&a, sizeof a, 1, 0));
    assert_int_equal(edo_watch_try_recv(&out, &b), 1);
    assert_true(is_pattern(&b, sizeof b, 2, 0));
    edo_watch_sender_close(&in);
    edo_watch_receiver_close(&out);
}

/* ---- the end ---- */

/* tokio#3913 */
test(the_last_value_comes_before_the_end)
{
    watch w = make_watch(1);
    int64_t value;
    put(&w, 2);
    edo_watch_sender_close(&w.in);
    assert_int_equal(edo_watch_has_changed(&w.out), 1);
    expect_next(&w, 2);
    assert_int_equal(edo_watch_has_changed(&w.out), -EPIPE);
    expect_none(&w, 0);
    assert_int_equal(edo_watch_get(&w.out, &value), 0);
    assert_int_equal(value, 2);
    edo_watch_receiver_close(&w.out);
}

test(a_watch_ends_with_its_last_sender)
{
    watch w = make_watch(1);
    word_watched second = edo_watch_sender_clone(&w.in);
    assert_int_equal(edo_watch_senders(&w.in), 2);
    edo_watch_sender_close(&w.in);
    expect_none(&w, -EAGAIN);
    edo_watch_sender_close(&second);
    expect_none(&w, 0);
    edo_watch_receiver_close(&w.out);
}

/* ---- waiting ---- */

struct watcher {
    edo_frame();
    edo_args(word_watcher out;);
    int64_t value;
};

edo_async(watcher)
{
    edo_body {
        int64_t rc;
        edo_await(rc, edo_watch_recv(&self->out, &self->value));
        edo_watch_receiver_close(&self->out);
        edo_return(rc == 1 ? self->value : rc);
    }
}

async_test(a_receive_waits_for_a_change,
    watch w;
    edo_task *tasks[3];
    int i;)
{
    edo_body {
        int64_t rc;
        self->w = make_watch(1);
        for (self->i = 0; self->i < 3; self->i++) {
            word_watcher out = { NULL };
            edo_watch_subscribe(&self->w.in, &out);
            assert_int_equal(edo_spawn(&self->tasks[self->i], watcher, .out = out), 0);
        }
        edo_await(rc, settle());
        assert_false(edo_task_is_done(self->tasks[0]));
        put(&self->w, 4);
        for (self->i = 0; self->i < 3; self->i++) {
            edo_await(rc, edo_join(self->tasks[self->i]));
            assert_int_equal(rc, 4);
        }
        close_watch(&self->w);
        edo_return(0);
    }
}

async_test(a_receive_sees_the_end,
    watch w;
    edo_task *task;)
{
    edo_body {
        int64_t rc;
        self->w = make_watch(1);
        assert_int_equal(edo_spawn(&self->task, watcher, .out = self->w.out), 0);
        edo_await(rc, settle());
        edo_watch_sender_close(&self->w.in);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 0);
        edo_return(0);
    }
}

async_test(a_change_without_its_value,
    watch w;)
{
    edo_body {
        int rc;
        self->w = make_watch(1);
        edo_await_for(rc, edo_ms(1), edo_watch_changed(&self->w.out));
        assert_int_equal(rc, -ETIMEDOUT);
        put(&self->w, 2);
        edo_await(rc, edo_watch_changed(&self->w.out));
        assert_int_equal(rc, 1);
        assert_int_equal(edo_watch_has_changed(&self->w.out), 0);
        edo_watch_sender_close(&self->w.in);
        edo_await(rc, edo_watch_changed(&self->w.out));
        assert_int_equal(rc, 0);
        edo_watch_receiver_close(&self->w.out);
        edo_return(0);
    }
}

async_test(a_cancelled_receive_has_seen_nothing,
    watch w;
    edo_task *task;
    int64_t value;)
{
    edo_body {
        int64_t rc;
        self->w = make_watch(1);
        edo_await_for(rc, edo_ms(1), edo_watch_recv(&self->w.out, &self->value));
        assert_int_equal(rc, -ETIMEDOUT);
        put(&self->w, 2);
        edo_await_watch(rc, &self->w.out, &self->value);
        assert_int_equal(rc, 1);
        assert_int_equal(self->value, 2);
        close_watch(&self->w);
        edo_return(0);
    }
}

/* tokio#4246: a set while a reader has the value. */
async_test(no_lock_is_held_while_a_value_is_used,
    watch w;
    int64_t value;)
{
    edo_body {
        self->w = make_watch(1);
        edo_watch_get(&self->w.out, &self->value);
        put(&self->w, self->value + 1);
        edo_watch_get(&self->w.out, &self->value);
        assert_int_equal(self->value, 2);
        close_watch(&self->w);
        edo_return(0);
    }
}

async_test(senders_wait_for_the_close,
    watch w;
    edo_op closed, sleep;)
{
    edo_body {
        int rc;
        self->w = make_watch(1);
        self->closed = edo_watch_closed(&self->w.in);
        self->sleep = edo_sleep(edo_ms(1));
        edo_any(rc, &self->closed.base, &self->sleep.base);
        assert_int_equal(rc, 1);
        edo_watch_receiver_close(&self->w.out);
        edo_await_on(rc, &self->closed.base);
        assert_int_equal(rc, 0);
        edo_await(rc, edo_watch_closed(&self->w.in));
        assert_int_equal(rc, 0);
        edo_watch_sender_close(&self->w.in);
        edo_return(0);
    }
}

/* ---- receives that are polled by hand ---- */

#define WATCHING                                                                                   \
    watch w;                                                                                       \
    word_watcher second;                                                                           \
    edo_op op, other;                                                                              \
    int64_t value, seen;
#define begin_watching()                                                                           \
    do {                                                                                           \
        self->w = make_watch(1);                                                                   \
        edo_watch_receiver_clone(&self->w.out, &self->second);                                     \
        self->op = edo_watch_recv(&self->w.out, &self->value);                                     \
        self->other = edo_watch_recv(&self->second, &self->seen);                                  \
        self->value = self->seen = -1;                                                             \
        assert_waits(&self->op);                                                                   \
    } while (0)
#define end_watching()                                                                             \
    do {                                                                                           \
        edo_watch_receiver_close(&self->second);                                                   \
        close_watch(&self->w);                                                                     \
    } while (0)

async_test(a_woken_receive_gets_the_last_value_before_its_poll, WATCHING)
{
    edo_body {
        begin_watching();
        put(&self->w, 2);
        put(&self->w, 3);
        assert_ends(&self->op, 1);
        assert_int_equal(self->value, 3);
        expect_none(&self->w, -EAGAIN);
        assert_ends(&self->other, 1); // though it comes late
        assert_int_equal(self->seen, 3);
        end_watching();
        edo_return(0);
    }
}

async_test(a_woken_receive_that_is_cancelled_leaves_the_change, WATCHING)
{
    edo_body {
        begin_watching();
        put(&self->w, 2);
        assert_cancelled(&self->op);
        assert_int_equal(self->value, -1);
        assert_int_equal(edo_watch_has_changed(&self->w.out), 1);
        expect_next(&self->w, 2);
        end_watching();
        edo_return(0);
    }
}

async_test(a_change_that_was_marked_as_seen_wakes_nobody_for_it, WATCHING)
{
    edo_body {
        begin_watching();
        put(&self->w, 2);
        edo_watch_mark_unchanged(&self->second);
        assert_waits(&self->other);
        assert_ends(&self->op, 1);
        put(&self->w, 3);
        assert_ends(&self->other, 1);
        assert_int_equal(self->seen, 3);
        end_watching();
        edo_return(0);
    }
}

async_test(a_change_and_the_end_before_one_poll_are_two_answers, WATCHING)
{
    edo_body {
        begin_watching();
        put(&self->w, 2);
        edo_watch_sender_close(&self->w.in);
        assert_ends(&self->op, 1);
        assert_int_equal(self->value, 2);
        self->op = edo_watch_recv(&self->w.out, &self->value);
        assert_ends(&self->op, 0);
        assert_ends(&self->other, 1);
        self->other = edo_watch_recv(&self->second, &self->seen);
        assert_ends(&self->other, 0);
        end_watching();
        edo_return(0);
    }
}

async_test(without_budget_no_change_is_seen, WATCHING)
{
    edo_body {
        int rc;
        begin_watching();
        put(&self->w, 2);
        spend_budget();
        assert_waits(&self->op);
        assert_int_equal(edo_watch_has_changed(&self->w.out), 1);
        edo_await_on(rc, &self->op.base);
        assert_int_equal(rc, 1);
        assert_int_equal(self->value, 2);
        end_watching();
        edo_return(0);
    }
}

async_test(a_refused_value_wakes_nobody, WATCHING uint64_t version;)
{
    edo_body {
        begin_watching();
        self->version = edo_watch_read(&self->w.in, &self->seen);
        self->seen = 8;
        assert_int_equal(edo_watch_send_if(&self->w.in, &self->seen, self->version - 1), -EAGAIN);
        assert_waits(&self->op);
        assert_int_equal(edo_watch_send_if(&self->w.in, &self->seen, self->version), 2);
        assert_ends(&self->op, 1);
        assert_int_equal(self->value, 8);
        end_watching();
        edo_return(0);
    }
}

async_test(only_the_last_of_several_receivers_wakes_a_sender, WATCHING)
{
    edo_body {
        begin_watching();
        assert_cancelled(&self->op);
        self->op = edo_watch_closed(&self->w.in);
        assert_waits(&self->op);
        edo_watch_receiver_close(&self->w.out);
        assert_waits(&self->op);
        edo_watch_receiver_close(&self->second);
        assert_ends(&self->op, 0);
        edo_watch_subscribe(&self->w.in, &self->w.out); // and again
        self->op = edo_watch_closed(&self->w.in);
        assert_waits(&self->op);
        edo_watch_receiver_close(&self->w.out);
        assert_int_equal(cancel(&self->op), 0); // cancelled too late: closed before
        close_watch(&self->w);
        edo_return(0);
    }
}

test(a_receiver_of_before_the_end_makes_others_after_it)
{
    watch w = make_watch(1);
    word_watcher late = { NULL };
    int64_t value = -1;
    put(&w, 2);
    edo_watch_sender_close(&w.in);
    edo_watch_receiver_clone(&w.out, &late);
    assert_int_equal(edo_watch_try_recv(&late, &value), 1); // neither has seen it
    assert_int_equal(value, 2);
    assert_int_equal(edo_watch_try_recv(&late, &value), 0);
    expect_next(&w, 2);
    expect_none(&w, 0);
    edo_watch_receiver_close(&late);
    edo_watch_receiver_close(&w.out);
}

/* ---- threads ---- */

enum { ADDS = 20000, THREADS = 4 };

static watch shared;

static void add_or_watch(unsigned index, void *arg)
{
    int64_t value, last = 0;
    (void)arg;
    if (index == 0) {
        while (last < (int64_t)ADDS * (THREADS - 1)) {
            if (edo_wait(edo_watch_recv(&shared.out, &value)) != 1 || value <= last) abort();
            last = value;
        }
        return;
    }
    for (int i = 0; i < ADDS; i++) {
        uint64_t version;
        do {
            version = edo_watch_read(&shared.in, &value);
            value++;
        } while (edo_watch_send_if(&shared.in, &value, version) == -EAGAIN);
    }
}

test(threads_change_a_value_together)
{
    shared = make_watch(0);
    run_threads(THREADS, add_or_watch, NULL);
    int64_t value;
    edo_watch_get(&shared.out, &value);
    assert_int_equal(value, ADDS * (THREADS - 1));
    close_watch(&shared);
}

struct last_seen {
    edo_frame();
    edo_args(word_watcher out;);
    int64_t value, last;
};

edo_async(last_seen)
{
    edo_body {
        int rc;
        for (self->last = 0;;) {
            edo_await_watch(rc, &self->out, &self->value);
            if (rc != 1) break;
            assert_true(self->value > self->last);
            self->last = self->value;
        }
        edo_watch_receiver_close(&self->out);
        edo_return(self->last);
    }
}

async_test(every_receiver_sees_the_last_value,
    watch w;
    edo_task *tasks[4];
    int64_t i;)
{
    edo_body {
        int64_t rc;
        self->w = make_watch(0);
        for (self->i = 0; self->i < 4; self->i++) {
            word_watcher out = { NULL };
            edo_watch_subscribe(&self->w.in, &out);
            assert_int_equal(edo_spawn(&self->tasks[self->i], last_seen, .out = out), 0);
        }
        for (self->i = 1; self->i <= ADDS; self->i++) {
            put(&self->w, self->i);
            if (self->i % 100 == 0) edo_await(rc, edo_yield());
        }
        close_watch(&self->w);
        for (self->i = 0; self->i < 4; self->i++) {
            edo_await(rc, edo_join(self->tasks[self->i]));
            assert_int_equal(rc, ADDS);
        }
        edo_return(0);
    }
}

/* ---- misuse ---- */

static void run_closed_end(void *arg)
{
    watch w = make_watch(1);
    int64_t value = 1;
    close_watch(&w);
    if (arg)
        edo_watch_send(&w.in, &value);
    else
        edo_watch_get(&w.out, &value);
}

test(misuse_aborts)
{
    expect_abort(run_closed_end, NULL, "edo_watch_get: this end was closed");
    expect_abort(run_closed_end, (void *)1, "edo_watch_send: this end was closed");
}
