/* Channels of both kinds, bounded and unbounded: values, ends, places, cancellation. */
#include "sync/channels.h"

#include <pthread.h>
#include <stdlib.h>

/* ---- creation ---- */

test(a_capacity_of_0_is_refused)
{
    word_sender in = { NULL };
    word_receiver out = { NULL };
    assert_int_equal(edo_mpsc_create(&in, &out, 0), -EINVAL);
    assert_int_equal(edo_mpmc_create(&in, &out, 0), -EINVAL);
    assert_int_equal(edo_mpsc_create(&in, &out, (size_t)EDO_CHANNEL_MAX + 1), -EINVAL);
    assert_null(in.edo_core);
    assert_null(out.edo_core);
}

typedef struct huge {
    char bytes[1 << 30];
} huge;

test(what_no_memory_holds_is_refused)
{
    edo_sender(huge) in;
    edo_receiver(huge) out;
    assert_int_equal(edo_mpsc_create(&in, &out, EDO_CHANNEL_MAX), -ENOMEM);
}

static void create_all(void *arg)
{
    (void)arg;
    words w = { { NULL }, { NULL } };
    if (edo_mpsc_create(&w.in, &w.out, SMALL) == 0) close_words(&w);
    if (edo_mpmc_create_unbounded(&w.in, &w.out) == 0) close_words(&w);
}

test(creation_without_memory_leaves_nothing)
{
    assert_int_equal(with_each_allocation_failing(create_all, NULL), 4);
}

test(an_empty_channel_of_128_words_is_small)
{
    test_allocator_install();
    words w = make_words(MPSC, 128);
    assert_in_range(test_allocator_live_bytes(), 128 * 8, 1536);
    close_words(&w);
    test_allocator_remove();
}

/* ---- memory: before edo_wait() makes a runtime for this thread ---- */

enum { BURST = 100000 };

test(a_burst_leaves_three_blocks)
{
    test_allocator_install();
    words w = make_words(MPSC_UNBOUNDED, 0);
    size_t empty = test_allocator_live_bytes();
    put_range(&w, 1, BURST);
    assert_true(test_allocator_live_bytes() > BURST * sizeof(int64_t));
    expect_range(&w, 1, BURST);
    expect_none(&w, -EAGAIN);
    assert_in_range(test_allocator_live_bytes(), empty, empty + 2 * 1024);
    put_range(&w, 1, BURST); // remaining values are freed, too
    close_words(&w);
    test_allocator_remove();
}

test(a_channel_that_is_kept_short_allocates_nothing)
{
    test_allocator_install();
    words w = make_words(MPMC_UNBOUNDED, 0);
    put_range(&w, 1, 200);
    expect_range(&w, 1, 200);
    uint64_t calls = test_allocator_calls();
    for (int i = 0; i < 1000; i++) {
        put_range(&w, 1, 100);
        expect_range(&w, 1, 100);
    }
    assert_int_equal(test_allocator_calls(), calls);
    close_words(&w);
    test_allocator_remove();
}

static void send_many_without_memory(void *arg)
{
    (void)arg;
    words w = { { NULL }, { NULL } };
    if (edo_mpsc_create_unbounded(&w.in, &w.out) < 0) return;
    int64_t sent = 0, value, got = 0;
    for (int64_t i = 0; i < 400; i++) {
        value = sent;
        int rc = edo_try_send(&w.in, &value);
        assert_true(rc == 0 || rc == -ENOMEM);
        if (rc == 0) sent++;
    }
    for (; edo_try_recv(&w.out, &value) == 1; got++)
        assert_int_equal(value, got);
    assert_int_equal(got, sent);
    close_words(&w);
}

test(a_send_without_memory_leaves_the_value)
{
    assert_true(with_each_allocation_failing(send_many_without_memory, NULL) >= 4);
}

static void send_an_array_without_memory(void *arg)
{
    (void)arg;
    words w = { { NULL }, { NULL } };
    if (edo_mpmc_create_unbounded(&w.in, &w.out) < 0) return;
    static const int64_t values[400];
    int64_t value, got = 0, sent = edo_try_send_many(&w.in, values, 400);
    assert_true(sent == -ENOMEM || (sent > 0 && sent <= 400));
    while (edo_try_recv(&w.out, &value) == 1)
        got++;
    assert_int_equal(got, sent > 0 ? sent : 0);
    close_words(&w);
}

test(a_send_of_many_without_memory_says_how_many_were_sent)
{
    assert_true(with_each_allocation_failing(send_an_array_without_memory, NULL) >= 4);
}

struct waits_again_and_again {
    edo_frame();
    edo_args(words *w;);
    int64_t value, i;
    uint64_t before;
};

edo_async(waits_again_and_again)
{
    edo_body {
        int rc;
        self->value = 2;
        edo_await_for(rc, 1, edo_send(&self->w->in, &self->value));
        self->before = test_allocator_calls();
        for (self->i = 0; self->i < 1000; self->i++) {
            edo_await_for(rc, 1, edo_send(&self->w->in, &self->value));
            assert_int_equal(rc, -ETIMEDOUT);
        }
        assert_int_equal(test_allocator_calls(), self->before);
        edo_return(0);
    }
}

/* Waiting senders lie in their own operations: neither their polls nor their end allocate. */
test(waiting_senders_allocate_nothing)
{
    test_allocator_install();
    words w = make_words(MPSC, 1);
    put_range(&w, 1, 1);
    edo_runtime *runtime;
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, waits_again_and_again, .w = &w), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    expect_range(&w, 1, 1);
    expect_none(&w, -EAGAIN);
    close_words(&w);
    test_allocator_remove();
}

/* ---- values ---- */

test_each(values_come_in_their_order)
{
    words w = make_words(kind, SMALL);
    for (int round = 0; round < 100; round++) {
        put_range(&w, 1, SMALL);
        expect_range(&w, 1, SMALL);
    }
    expect_none(&w, -EAGAIN);
    close_words(&w);
}

test_each(values_cross_the_ends_of_blocks)
{
    words w = make_words(kind, 1000);
    for (int64_t length = 1; length < 400; length += 17) {
        put_range(&w, 1, length);
        assert_int_equal(edo_receiver_stats(&w.out).length, length);
        expect_range(&w, 1, length);
        expect_none(&w, -EAGAIN);
        assert_int_equal(edo_receiver_stats(&w.out).length, 0);
    }
    close_words(&w);
}

typedef struct odd {
    char bytes[13];
} odd;
typedef struct pair {
    int64_t a, b;
} pair;
typedef struct large {
    int64_t words[200];
} large;

#define SIZE_CASE(type)                                                                            \
    do {                                                                                           \
        edo_sender(type) in = { NULL };                                                            \
        edo_receiver(type) out = { NULL };                                                         \
        type value, got;                                                                           \
        assert_int_equal(                                                                          \
            bounded ? edo_mpsc_create(&in, &out, 3) : edo_mpsc_create_unbounded(&in, &out), 0);    \
        for (uint64_t i = 0; i < 30; i++) {                                                        \
            fill_pattern(&value, sizeof value, i, 0);                                              \
            assert_int_equal(edo_try_send(&in, &value), 0);                                        \
            if (!bounded && i < 15) continue;                                                      \
            assert_int_equal(edo_try_recv(&out, &got), 1);                                         \
            assert_true(is_pattern(&got, sizeof got, bounded ? i : i - 15, 0));                    \
        }                                                                                          \
        edo_sender_close(&in);                                                                     \
        edo_receiver_close(&out);                                                                  \
    } while (0)

test(values_of_any_size_are_copied)
{
    for (int bounded = 0; bounded < 2; bounded++) {
        SIZE_CASE(char);
        SIZE_CASE(int16_t);
        SIZE_CASE(int32_t);
        SIZE_CASE(odd);
        SIZE_CASE(pair);
        SIZE_CASE(large);
    }
}

test_each(constant_values_are_sent)
{
    static const int64_t value = 9;
    words w = make_words(kind, SMALL);
    assert_int_equal(edo_try_send(&w.in, &value), 0);
    expect_range(&w, 9, 9);
    close_words(&w);
}

test_each(many_are_sent_and_received_at_once)
{
    int64_t values[300], got[300];
    words w = make_words(kind, 300);
    for (int64_t i = 0; i < 300; i++)
        values[i] = i;
    assert_int_equal(edo_try_send_many(&w.in, values, 300), 300);
    assert_int_equal(edo_try_recv_many(&w.out, got, 0), 0);
    assert_int_equal(edo_try_recv_many(&w.out, got, 7), 7);
    assert_int_equal(edo_try_recv_many(&w.out, got + 7, 300), 293);
    assert_memory_equal(values, got, sizeof got);
    assert_int_equal(edo_try_recv_many(&w.out, got, 1), -EAGAIN);
    assert_int_equal(edo_try_send_many(&w.in, values, 0), 0);
    close_words(&w);
}

test_bounded(many_are_sent_as_far_as_there_are_places)
{
    int64_t values[] = { 1, 2, 3, 4, 5, 6 };
    words w = make_words(kind, SMALL);
    assert_int_equal(edo_try_send_many(&w.in, values, 6), SMALL);
    assert_int_equal(edo_try_send_many(&w.in, values, 6), -EAGAIN);
    expect_range(&w, 1, 2);
    assert_int_equal(edo_try_send_many(&w.in, values + SMALL, 2), 2);
    expect_range(&w, 3, 6);
    close_words(&w);
}

/* ---- places ---- */

test_bounded(a_full_channel_refuses)
{
    for (size_t capacity = 1; capacity < 5; capacity++) {
        words w = make_words(kind, capacity);
        int64_t value = 99;
        put_range(&w, 1, (int64_t)capacity);
        assert_int_equal(edo_try_send(&w.in, &value), -EAGAIN);
        assert_int_equal(edo_sender_stats(&w.in).places, 0);
        expect_range(&w, 1, 1);
        assert_int_equal(edo_sender_stats(&w.in).places, 1);
        assert_int_equal(edo_try_send(&w.in, &value), 0);
        close_words(&w);
    }
}

test_bounded(figures_of_places)
{
    words w = make_words(kind, SMALL);
    word_permits permits;
    put_range(&w, 1, 1);
    assert_int_equal(edo_try_reserve(&w.in, &permits, 2), 0);
    edo_channel_stats stats = edo_sender_stats(&w.in);
    assert_int_equal(stats.length, 1);
    assert_int_equal(stats.capacity, SMALL);
    assert_int_equal(stats.places, 1);
    assert_int_equal(stats.permits, 2);
    assert_int_equal(stats.senders, 1);
    assert_int_equal(stats.receivers, 1);
    assert_false(stats.is_closed);
    edo_permits_release(&permits);
    assert_int_equal(edo_sender_stats(&w.in).places, SMALL - 1);
    edo_permits_release(&permits); // no permit remains
    close_words(&w);
}

test(an_unbounded_channel_has_no_places)
{
    words w = make_words(MPSC_UNBOUNDED, 0);
    word_permits permits;
    assert_int_equal(edo_sender_stats(&w.in).places, SIZE_MAX);
    assert_int_equal(edo_sender_stats(&w.in).capacity, SIZE_MAX);
    assert_int_equal(edo_try_reserve(&w.in, &permits, 1), -EINVAL);
    assert_int_equal(edo_wait(edo_reserve(&w.in, &permits, 1)), -EINVAL);
    close_words(&w);
}

test_bounded(permits_are_places)
{
    words w = make_words(kind, SMALL);
    word_permits permits;
    int64_t value = 1;
    assert_int_equal(edo_try_reserve(&w.in, &permits, 0), -EINVAL);
    assert_int_equal(edo_try_reserve(&w.in, &permits, SMALL + 1), -EINVAL);
    assert_int_equal(edo_try_reserve(&w.in, &permits, SMALL), 0);
    assert_int_equal(edo_permits_count(&permits), SMALL);
    assert_int_equal(edo_try_send(&w.in, &value), -EAGAIN);
    for (; value <= SMALL; value++)
        assert_int_equal(edo_permits_send(&permits, &value), 0);
    assert_int_equal(edo_permits_count(&permits), 0);
    assert_int_equal(edo_permits_send(&permits, &value), -EINVAL);
    expect_range(&w, 1, SMALL);
    close_words(&w);
}

test_bounded(a_permit_has_no_place_in_the_order)
{
    words w = make_words(kind, SMALL);
    word_permits permits;
    int64_t value = 2;
    assert_int_equal(edo_try_reserve(&w.in, &permits, 1), 0);
    put_range(&w, 1, 1);
    assert_int_equal(edo_permits_send(&permits, &value), 0);
    expect_range(&w, 1, 2);
    close_words(&w);
}

/* ---- the end ---- */

test_each(a_channel_ends_with_its_last_sender)
{
    words w = make_words(kind, SMALL);
    word_sender second = edo_sender_clone(&w.in);
    put_range(&w, 1, 2);
    edo_sender_close(&w.in);
    assert_null(w.in.edo_core);
    edo_sender_close(&w.in); // nothing
    assert_int_equal(edo_receiver_stats(&w.out).senders, 1);
    expect_range(&w, 1, 1);
    edo_sender_close(&second);
    assert_int_equal(edo_receiver_stats(&w.out).senders, 0);
    assert_true(edo_receiver_stats(&w.out).is_closed);
    expect_range(&w, 2, 2);
    expect_none(&w, 0);
    expect_none(&w, 0);
    edo_receiver_close(&w.out);
}

test_each(a_channel_ends_with_its_receiver)
{
    words w = make_words(kind, SMALL);
    int64_t value = 3;
    put_range(&w, 1, 2);
    edo_receiver_close(&w.out);
    assert_int_equal(edo_try_send(&w.in, &value), -EPIPE);
    assert_int_equal(edo_try_send_many(&w.in, &value, 1), -EPIPE);
    assert_int_equal(edo_wait(edo_send(&w.in, &value)), -EPIPE);
    assert_int_equal(edo_wait(edo_send_many(&w.in, &value, 1)), -EPIPE);
    assert_int_equal(edo_wait(edo_sender_closed(&w.in)), 0);
    assert_int_equal(edo_sender_stats(&w.in).length, 0);
    edo_sender_close(&w.in);
}

test_each(a_shutdown_keeps_what_is_in_the_channel)
{
    for (int by_receiver = 0; by_receiver < 2; by_receiver++) {
        words w = make_words(kind, SMALL);
        int64_t value = 3;
        put_range(&w, 1, 2);
        if (by_receiver)
            edo_receiver_shutdown(&w.out);
        else
            edo_sender_shutdown(&w.in);
        assert_int_equal(edo_try_send(&w.in, &value), -EPIPE);
        assert_true(edo_sender_stats(&w.in).is_closed);
        expect_range(&w, 1, 2);
        expect_none(&w, 0);
        close_words(&w);
    }
}

test_bounded(a_permit_keeps_the_channel_open)
{
    for (int shut = 0; shut < 2; shut++) {
        words w = make_words(kind, SMALL);
        word_permits permits;
        int64_t value = 1;
        assert_int_equal(edo_try_reserve(&w.in, &permits, 2), 0);
        if (shut)
            edo_receiver_shutdown(&w.out);
        else
            edo_sender_close(&w.in);
        expect_none(&w, -EAGAIN);
        assert_int_equal(edo_permits_send(&permits, &value), 0);
        expect_range(&w, 1, 1);
        expect_none(&w, -EAGAIN);
        edo_permits_release(&permits);
        expect_none(&w, 0);
        close_words(&w);
    }
}

test_bounded(a_permit_is_void_without_a_receiver)
{
    words w = make_words(kind, SMALL);
    word_permits permits;
    int64_t value = 1;
    assert_int_equal(edo_try_reserve(&w.in, &permits, 2), 0);
    close_words(&w);
    assert_int_equal(edo_permits_send(&permits, &value), -EPIPE);
    edo_permits_release(&permits); // the last reference to the channel
}

static void count_drop(void *value, void *context)
{
    *(int64_t *)context += *(int64_t *)value;
}

test_each(what_nobody_receives_is_dropped)
{
    for (int64_t length = 0; length < 300; length += 23) {
        int64_t dropped = 0;
        words w = { { NULL }, { NULL } };
        bool bounded = kind == MPSC || kind == MPMC, one = kind == MPSC || kind == MPSC_UNBOUNDED;
        edo_channel_options options = { .capacity = bounded ? 400 : 0,
                                        .drop = count_drop,
                                        .context = &dropped };
        int rc = one ? edo_mpsc_create_with(&w.in, &w.out, &options)
                     : edo_mpmc_create_with(&w.in, &w.out, &options);
        assert_int_equal(rc, 0);
        put_range(&w, 1, length);
        if (length) expect_range(&w, 1, 1);
        edo_sender_close(&w.in);
        assert_int_equal(dropped, 0);
        edo_receiver_close(&w.out);
        assert_int_equal(dropped, length ? length * (length + 1) / 2 - 1 : 0);
    }
}

/* ---- weak senders ---- */

test_each(a_weak_sender_does_not_keep_the_channel_open)
{
    words w = make_words(kind, SMALL);
    word_weak weak = { NULL };
    edo_sender_downgrade(&w.in, &weak);
    assert_int_equal(edo_sender_stats(&w.in).weak_senders, 1);
    edo_sender_close(&w.in);
    expect_none(&w, 0);
    assert_int_equal(edo_sender_upgrade(&weak, &w.in), -EPIPE);
    assert_null(w.in.edo_core);
    edo_weak_sender_close(&weak);
    edo_weak_sender_close(&weak);
    edo_receiver_close(&w.out);
}

test_each(a_weak_sender_becomes_a_sender)
{
    words w = make_words(kind, SMALL);
    word_weak weak = { NULL };
    word_sender second = { NULL };
    edo_sender_downgrade(&w.in, &weak);
    word_weak other = edo_weak_sender_clone(&weak);
    assert_int_equal(edo_sender_upgrade(&weak, &second), 0);
    edo_sender_close(&w.in);
    assert_int_equal(edo_try_send(&second, &(int64_t){ 4 }), 0);
    assert_int_equal(edo_receiver_stats(&w.out).senders, 1);
    assert_int_equal(edo_receiver_stats(&w.out).weak_senders, 2);
    edo_sender_close(&second);
    expect_range(&w, 4, 4);
    expect_none(&w, 0);
    edo_weak_sender_close(&weak);
    edo_receiver_close(&w.out);
    edo_weak_sender_close(&other); // the last reference to the channel
}

test_each(no_sender_is_made_of_a_closed_channel)
{
    words w = make_words(kind, SMALL);
    word_weak weak = { NULL };
    word_sender second = { NULL };
    edo_sender_downgrade(&w.in, &weak);
    edo_receiver_close(&w.out);
    assert_int_equal(edo_sender_upgrade(&weak, &second), -EPIPE);
    edo_weak_sender_close(&weak);
    edo_sender_close(&w.in);
}

/* ---- waiting ---- */

async_test(a_receive_waits_for_a_value,
    words w;
    edo_task *task;
    unsigned ended;
    int kind;)
{
    edo_body {
        int64_t rc;
        for (self->kind = MPSC; self->kind <= MPMC_UNBOUNDED; self->kind++) {
            self->ended = 0;
            self->w = make_words((channel_kind)self->kind, SMALL);
            assert_int_equal(
                edo_spawn(&self->task, word_receives, .out = &self->w.out, .ended = &self->ended),
                0);
            edo_await(rc, settle());
            assert_int_equal(edo_load_relaxed(&self->ended), 0);
            put_range(&self->w, 5, 5);
            edo_await(rc, edo_join(self->task));
            assert_int_equal(rc, 5);
            close_words(&self->w);
        }
        edo_return(0);
    }
}

async_test(a_receive_sees_the_end,
    words w;
    edo_task *task;
    int kind, how;)
{
    edo_body {
        int64_t rc;
        for (self->kind = MPSC; self->kind <= MPMC_UNBOUNDED; self->kind++) {
            for (self->how = 0; self->how < 3; self->how++) {
                self->w = make_words((channel_kind)self->kind, SMALL);
                assert_int_equal(edo_spawn(&self->task, word_receives, .out = &self->w.out), 0);
                edo_await(rc, settle());
                if (self->how == 0) edo_sender_close(&self->w.in);
                if (self->how == 1) edo_sender_shutdown(&self->w.in);
                if (self->how == 2) edo_receiver_shutdown(&self->w.out);
                edo_await(rc, edo_join(self->task));
                assert_int_equal(rc, 0);
                close_words(&self->w);
            }
        }
        edo_return(0);
    }
}

/* tokio#8260: the release of the last place ends the channel. */
async_test(the_last_permit_wakes_the_receiver,
    words w;
    word_permits permits;
    edo_task *task;
    int kind, how;)
{
    edo_body {
        int64_t rc;
        for (self->kind = MPSC; self->kind <= MPMC; self->kind++) {
            for (self->how = 0; self->how < 2; self->how++) {
                self->w = make_words((channel_kind)self->kind, SMALL);
                assert_int_equal(edo_try_reserve(&self->w.in, &self->permits, 2), 0);
                assert_int_equal(edo_spawn(&self->task, word_receives, .out = &self->w.out), 0);
                if (self->how == 0) edo_sender_close(&self->w.in);
                if (self->how == 1) edo_receiver_shutdown(&self->w.out);
                edo_await(rc, settle());
                assert_false(edo_task_is_done(self->task));
                edo_permits_release(&self->permits);
                edo_await(rc, edo_join(self->task));
                assert_int_equal(rc, 0);
                close_words(&self->w);
            }
        }
        edo_return(0);
    }
}

/* The same for a reserve that was served, and is cancelled before its poll. */
async_test(a_cancelled_reserve_ends_the_channel,
    words w;
    edo_task *reserve, *receive;)
{
    edo_body {
        int64_t rc;
        self->w = make_words(MPMC, 1);
        put_range(&self->w, 1, 1);
        assert_int_equal(edo_spawn(&self->reserve, word_reserves,
                                   .in = edo_sender_clone(&self->w.in), .count = 1,
                                   .releases = true),
                         0);
        edo_await(rc, settle());
        edo_sender_close(&self->w.in);
        expect_range(&self->w, 1, 1); // serves the reserve
        edo_task_cancel(self->reserve);
        assert_int_equal(edo_spawn(&self->receive, word_receives, .out = &self->w.out), 0);
        edo_await(rc, edo_join(self->receive));
        assert_int_equal(rc, 0);
        edo_await_void(edo_join(self->reserve));
        edo_receiver_close(&self->w.out);
        edo_return(0);
    }
}

async_test(a_send_waits_for_a_place,
    words w;
    edo_task *task;
    unsigned ended;
    int kind;)
{
    edo_body {
        int64_t rc;
        for (self->kind = MPSC; self->kind <= MPMC; self->kind++) {
            self->ended = 0;
            self->w = make_words((channel_kind)self->kind, 1);
            put_range(&self->w, 1, 1);
            assert_int_equal(edo_spawn(&self->task, word_sends, .in = edo_sender_clone(&self->w.in),
                                       .value = 2, .ended = &self->ended),
                             0);
            edo_await(rc, settle());
            assert_int_equal(edo_load_relaxed(&self->ended), 0);
            expect_range(&self->w, 1, 1);
            edo_await(rc, edo_join(self->task));
            assert_int_equal(rc, 0);
            expect_range(&self->w, 2, 2);
            close_words(&self->w);
        }
        edo_return(0);
    }
}

async_test(waiting_senders_are_served_in_their_order,
    words w;
    edo_task *tasks[3];
    int i;)
{
    edo_body {
        int64_t rc;
        self->w = make_words(MPSC, 1);
        put_range(&self->w, 0, 0);
        for (self->i = 0; self->i < 3; self->i++) {
            assert_int_equal(edo_spawn(&self->tasks[self->i], word_sends,
                                       .in = edo_sender_clone(&self->w.in), .value = self->i + 1),
                             0);
            edo_await(rc, settle());
        }
        assert_int_equal(edo_sender_stats(&self->w.in).places, 0);
        for (self->i = 0; self->i < 4; self->i++) {
            expect_range(&self->w, self->i, self->i);
            edo_await(rc, settle());
        }
        for (self->i = 0; self->i < 3; self->i++) {
            edo_await(rc, edo_join(self->tasks[self->i]));
            assert_int_equal(rc, 0);
        }
        close_words(&self->w);
        edo_return(0);
    }
}

/* A try does not overtake waiting sends. */
async_test(a_big_reserve_is_not_overtaken,
    words w;
    edo_task *big, *small;
    unsigned ended;)
{
    edo_body {
        int64_t rc;
        self->ended = 0;
        self->w = make_words(MPSC, 3);
        put_range(&self->w, 1, 2);
        assert_int_equal(edo_spawn(&self->big, word_reserves, .in = edo_sender_clone(&self->w.in),
                                   .count = 3, .ended = &self->ended, .releases = true),
                         0);
        edo_await(rc, settle());
        assert_int_equal(edo_try_send(&self->w.in, &(int64_t){ 9 }), -EAGAIN);
        assert_int_equal(
            edo_spawn(&self->small, word_sends, .in = edo_sender_clone(&self->w.in), .value = 7),
            0);
        edo_await(rc, settle());
        expect_range(&self->w, 1, 1);
        edo_await(rc, settle());
        assert_int_equal(edo_load_relaxed(&self->ended), 0);
        expect_range(&self->w, 2, 2);
        edo_await(rc, edo_join(self->big));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_join(self->small));
        assert_int_equal(rc, 0);
        expect_range(&self->w, 7, 7);
        close_words(&self->w);
        edo_return(0);
    }
}

async_test(closing_answers_waiting_senders,
    words w;
    edo_task *send, *reserve;
    int how;)
{
    edo_body {
        int64_t rc;
        for (self->how = 0; self->how < 2; self->how++) {
            self->w = make_words(MPSC, 1);
            put_range(&self->w, 1, 1);
            assert_int_equal(
                edo_spawn(&self->send, word_sends, .in = edo_sender_clone(&self->w.in), .value = 2),
                0);
            assert_int_equal(edo_spawn(&self->reserve, word_reserves,
                                       .in = edo_sender_clone(&self->w.in), .count = 1),
                             0);
            edo_await(rc, settle());
            if (self->how == 0) edo_receiver_close(&self->w.out);
            if (self->how == 1) edo_receiver_shutdown(&self->w.out);
            edo_await(rc, edo_join(self->send));
            assert_int_equal(rc, -EPIPE);
            edo_await(rc, edo_join(self->reserve));
            assert_int_equal(rc, -EPIPE);
            close_words(&self->w);
        }
        edo_return(0);
    }
}

/* A sender that was served before a shutdown sends its value. */
current_thread_only("the shutdown comes before the served task runs")
async_test(a_served_sender_sends_after_a_shutdown,
    words w;
    edo_task *task;)
{
    edo_body {
        int64_t rc;
        self->w = make_words(MPSC, 1);
        put_range(&self->w, 1, 1);
        assert_int_equal(
            edo_spawn(&self->task, word_sends, .in = edo_sender_clone(&self->w.in), .value = 2), 0);
        edo_await(rc, settle());
        expect_range(&self->w, 1, 1);
        edo_receiver_shutdown(&self->w.out);
        expect_none(&self->w, -EAGAIN);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 0);
        expect_range(&self->w, 2, 2);
        expect_none(&self->w, 0);
        close_words(&self->w);
        edo_return(0);
    }
}

async_test(senders_wait_for_the_close,
    words w;
    edo_op closed;
    edo_op sleep;)
{
    edo_body {
        int rc;
        self->w = make_words(MPSC, 1);
        edo_await_for(rc, edo_ms(1), edo_sender_closed(&self->w.in));
        assert_int_equal(rc, -ETIMEDOUT);
        self->closed = edo_sender_closed(&self->w.in);
        self->sleep = edo_sleep(edo_ms(1));
        edo_any(rc, &self->closed.base, &self->sleep.base);
        assert_int_equal(rc, 1);
        edo_receiver_close(&self->w.out);
        edo_await_on(rc, &self->closed.base);
        assert_int_equal(rc, 0);
        edo_sender_close(&self->w.in);
        edo_return(0);
    }
}

struct notes_length {
    edo_frame();
    edo_args(const word_sender *in; uint64_t *ret_length;);
};

edo_async(notes_length)
{
    edo_body {
        *self->ret_length = edo_sender_stats(self->in).length;
        edo_return(0);
    }
}

enum { LONG = 100000, MOST_IN_A_POLL = 128 * 64 }; // default budget, values per unit

/* An array of any length leaves room for other tasks. */
current_thread_only("the other task runs when this one yields")
async_test(a_long_array_uses_budget, words w; edo_task *task; uint64_t length; int64_t sent;)
{
    static int64_t values[LONG], got[LONG];
    edo_body {
        int64_t rc;
        for (int i = 0; i < LONG; i++)
            values[i] = i;
        self->w = make_words(MPSC_UNBOUNDED, 0);
        rc = edo_spawn(&self->task, notes_length, .in = &self->w.in, .ret_length = &self->length);
        assert_int_equal(rc, 0);
        edo_await(self->sent, edo_send_many(&self->w.in, values, LONG));
        assert_int_equal(self->sent, LONG);
        edo_await(rc, edo_join(self->task));
        assert_in_range(self->length, 1, MOST_IN_A_POLL);
        assert_int_equal(edo_try_recv_many(&self->w.out, got, LONG), LONG);
        assert_memory_equal(values, got, sizeof got);
        close_words(&self->w);
        edo_return(0);
    }
}

enum { PORTION = 10000 }; // values; more than a budget

current_thread_only("the other task runs when this one yields")
async_test(a_large_portion_uses_budget, words w; edo_task *task; uint64_t length; int64_t got;)
{
    static int64_t values[LONG];
    edo_body {
        int64_t rc;
        self->w = make_words(MPSC_UNBOUNDED, 0);
        assert_int_equal(edo_try_send_many(&self->w.in, values, LONG), LONG);
        rc = edo_spawn(&self->task, notes_length, .in = &self->w.in, .ret_length = &self->length);
        assert_int_equal(rc, 0);
        for (self->got = 0; self->got < LONG; self->got += PORTION) {
            edo_await(rc, edo_recv_many(&self->w.out, values, PORTION));
            assert_int_equal(rc, PORTION);
        }
        edo_await(rc, edo_join(self->task));
        assert_int_equal(self->length, LONG - PORTION);
        close_words(&self->w);
        edo_return(0);
    }
}

async_test(many_are_sent_through_few_places,
    words w;
    edo_task *task;
    int64_t values[10], i;)
{
    edo_body {
        int64_t rc;
        self->w = make_words(MPMC, 3);
        for (int i = 0; i < 10; i++)
            self->values[i] = i;
        assert_int_equal(edo_spawn(&self->task, word_receives, .out = &self->w.out), 0);
        self->i = 0;
        edo_await(rc, settle());
        edo_await_for(rc, edo_ms(1), edo_send_many(&self->w.in, self->values, 10));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(edo_op_progress(edo_last_op()), 4); // the task took one
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 0);
        expect_range(&self->w, 1, 3);
        close_words(&self->w);
        edo_return(0);
    }
}

/* ---- cancellation ---- */

async_test(a_cancelled_send_leaves_the_value,
    words w;
    int kind;
    int64_t value;)
{
    edo_body {
        int rc;
        for (self->kind = MPSC; self->kind <= MPMC; self->kind++) {
            self->w = make_words((channel_kind)self->kind, 1);
            put_range(&self->w, 1, 1);
            self->value = 2;
            edo_await_for(rc, edo_ms(1), edo_send(&self->w.in, &self->value));
            assert_int_equal(rc, -ETIMEDOUT);
            assert_int_equal(self->value, 2);
            expect_range(&self->w, 1, 1);
            expect_none(&self->w, -EAGAIN);
            assert_int_equal(edo_sender_stats(&self->w.in).places, 1);
            close_words(&self->w);
        }
        edo_return(0);
    }
}

async_test(a_cancelled_receive_has_taken_nothing,
    words w;
    int kind;
    int64_t value;)
{
    edo_body {
        int rc;
        for (self->kind = MPSC; self->kind <= MPMC_UNBOUNDED; self->kind++) {
            self->w = make_words((channel_kind)self->kind, 1);
            edo_await_for(rc, edo_ms(1), edo_recv(&self->w.out, &self->value));
            assert_int_equal(rc, -ETIMEDOUT);
            put_range(&self->w, 1, 1);
            edo_await_for(rc, edo_ms(1), edo_recv(&self->w.out, &self->value));
            assert_int_equal(rc, 1);
            close_words(&self->w);
        }
        edo_return(0);
    }
}

/* The losing one of two receives has taken nothing. */
async_test(a_select_loses_no_value,
    words w, v;
    edo_op first, second;
    int64_t a, b;
    int round;)
{
    edo_body {
        int rc;
        for (self->round = 0; self->round < 50; self->round++) {
            self->w = make_words(MPSC, 1);
            self->v = make_words(MPMC, 1);
            if (self->round % 2) {
                put_range(&self->w, 1, 1);
                put_range(&self->v, 2, 2);
            } else {
                self->first = edo_yield();
                edo_await_on(rc, &self->first.base);
            }
            self->first = edo_recv(&self->w.out, &self->a);
            self->second = edo_recv(&self->v.out, &self->b);
            if (self->round % 2 == 0) {
                edo_sender_close(&self->w.in);
                put_range(&self->v, 2, 2);
            }
            edo_select(rc, &self->first.base, &self->second.base);
            assert_in_range(rc, 0, 1);
            if (rc == 0) expect_range(&self->v, 2, 2);
            if (rc == 1 && self->round % 2) expect_range(&self->w, 1, 1);
            close_words(&self->w);
            close_words(&self->v);
        }
        edo_return(0);
    }
}

async_test(a_cancelled_reserve_lets_the_next_go,
    words w;
    edo_task *big, *small;)
{
    edo_body {
        int64_t rc;
        self->w = make_words(MPSC, 3);
        put_range(&self->w, 1, 2);
        assert_int_equal(
            edo_spawn(&self->big, word_reserves, .in = edo_sender_clone(&self->w.in), .count = 3),
            0);
        edo_await(rc, settle());
        assert_int_equal(
            edo_spawn(&self->small, word_sends, .in = edo_sender_clone(&self->w.in), .value = 3),
            0);
        edo_await(rc, settle());
        edo_task_cancel(self->big);
        edo_await(rc, edo_join(self->small));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_join(self->big));
        assert_int_equal(rc, -ECANCELED);
        expect_range(&self->w, 1, 3);
        close_words(&self->w);
        edo_return(0);
    }
}

/* Served and cancelled in the same step: the next sender gets the place. */
async_test(a_cancelled_sender_passes_its_place_on,
    words w;
    edo_task *first, *second;)
{
    edo_body {
        int64_t rc;
        self->w = make_words(MPSC, 1);
        put_range(&self->w, 1, 1);
        assert_int_equal(
            edo_spawn(&self->first, word_sends, .in = edo_sender_clone(&self->w.in), .value = 2),
            0);
        edo_await(rc, settle());
        assert_int_equal(
            edo_spawn(&self->second, word_sends, .in = edo_sender_clone(&self->w.in), .value = 3),
            0);
        edo_await(rc, settle());
        edo_task_cancel(self->first);
        expect_range(&self->w, 1, 1);
        edo_await(rc, edo_join(self->first));
        if (rc == 0) expect_range(&self->w, 2, 2); // on workers the cancellation may be too late
        edo_await(rc, edo_join(self->second));
        assert_int_equal(rc, 0);
        expect_range(&self->w, 3, 3);
        close_words(&self->w);
        edo_return(0);
    }
}

/* In a cancelled function no operation begins, ready or not. */
struct cancelled_user {
    edo_frame();
    edo_args(words *w;);
    int64_t value;
};

edo_async(cancelled_user)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(EDO_NEVER));
        assert_int_equal(rc, -ECANCELED);
        edo_await_recv(rc, &self->w->out, &self->value);
        assert_int_equal(rc, -ECANCELED);
        edo_await_send(rc, &self->w->in, &self->value);
        assert_int_equal(rc, -ECANCELED);
        edo_await(rc, edo_send_many(&self->w->in, &self->value, 1));
        assert_int_equal(rc, -ECANCELED);
        edo_shield();
        edo_await_recv(rc, &self->w->out, &self->value);
        assert_int_equal(rc, 1);
        edo_await_send(rc, &self->w->in, &self->value);
        assert_int_equal(rc, 0);
        edo_return(0);
    }
}

async_test(a_cancelled_function_begins_nothing,
    words w;
    edo_task *task;)
{
    edo_body {
        int64_t rc;
        self->w = make_words(MPSC, SMALL);
        put_range(&self->w, 1, 2);
        assert_int_equal(edo_spawn(&self->task, cancelled_user, .w = &self->w), 0);
        edo_await(rc, settle());
        edo_task_cancel(self->task);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 0);
        expect_range(&self->w, 2, 2);
        expect_range(&self->w, 1, 1);
        close_words(&self->w);
        edo_return(0);
    }
}

/* A ready channel does not starve other tasks. */
struct flag_setter {
    edo_frame();
    edo_args(unsigned *flag;);
};

edo_async(flag_setter)
{
    edo_body {
        edo_add_relaxed(self->flag, 1);
        edo_return(0);
    }
}

async_test(a_ready_channel_is_left_when_the_budget_ends,
    words w;
    unsigned flag;
    int64_t value, rounds;)
{
    edo_body {
        int rc;
        self->flag = 0;
        self->value = 1;
        self->w = make_words(MPSC, SMALL);
        assert_int_equal(edo_go(flag_setter, .flag = &self->flag), 0);
        for (self->rounds = 0; !edo_load_relaxed(&self->flag); self->rounds++) {
            edo_await_send(rc, &self->w.in, &self->value);
            assert_int_equal(rc, 0);
            edo_await_recv(rc, &self->w.out, &self->value);
            assert_int_equal(rc, 1);
            if (test_workers() <= 1) assert_true(self->rounds < 10000);
        }
        close_words(&self->w);
        edo_return(0);
    }
}

/* ---- more of places ---- */

test_bounded(nothing_is_reserved_in_a_closed_channel)
{
    words w = make_words(kind, SMALL);
    word_permits permits;
    edo_sender_shutdown(&w.in);
    edo_sender_shutdown(&w.in); // nothing
    assert_int_equal(edo_try_reserve(&w.in, &permits, 1), -EPIPE);
    assert_int_equal(edo_wait(edo_reserve(&w.in, &permits, 1)), -EPIPE);
    assert_int_equal(edo_wait(edo_reserve(&w.in, &permits, 0)), -EINVAL);
    assert_int_equal(edo_wait(edo_reserve(&w.in, &permits, SMALL + 1)), -EINVAL);
    close_words(&w);
}

test_bounded(places_go_round_and_round)
{
    for (int64_t capacity = 1; capacity < 8; capacity++) {
        words w = make_words(kind, (size_t)capacity);
        for (int64_t i = 0; i < 100; i++) {
            int64_t count = i % capacity + 1;
            put_range(&w, i, i + count - 1);
            assert_int_equal(edo_sender_stats(&w.in).places, capacity - count);
            expect_range(&w, i, i + count - 1);
        }
        close_words(&w);
    }
}

async_test(a_reserve_waits_for_all_its_places,
    words w;
    edo_task *task;
    int kind;)
{
    edo_body {
        int64_t rc;
        for (self->kind = MPSC; self->kind <= MPMC; self->kind++) {
            self->w = make_words((channel_kind)self->kind, 3);
            put_range(&self->w, 7, 9);
            assert_int_equal(edo_spawn(&self->task, word_reserves,
                                       .in = edo_sender_clone(&self->w.in), .count = 2),
                             0);
            edo_await(rc, settle());
            expect_range(&self->w, 7, 7);
            edo_await(rc, settle());
            assert_false(edo_task_is_done(self->task));
            expect_range(&self->w, 8, 8);
            edo_await(rc, edo_join(self->task));
            assert_int_equal(rc, 0);
            expect_range(&self->w, 9, 9);
            expect_range(&self->w, 1, 2);
            close_words(&self->w);
        }
        edo_return(0);
    }
}

/* A released place serves a waiting sender, like a place that a receive frees. */
async_test(released_permits_serve_those_that_wait,
    words w;
    word_permits permits;
    edo_task *task;)
{
    edo_body {
        int64_t rc;
        self->w = make_words(MPSC, 2);
        assert_int_equal(edo_try_reserve(&self->w.in, &self->permits, 2), 0);
        assert_int_equal(
            edo_spawn(&self->task, word_sends, .in = edo_sender_clone(&self->w.in), .value = 5), 0);
        edo_await(rc, settle());
        assert_false(edo_task_is_done(self->task));
        edo_permits_release(&self->permits);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 0);
        expect_range(&self->w, 5, 5);
        close_words(&self->w);
        edo_return(0);
    }
}

async_test(a_cancelled_reserve_holds_nothing,
    words w;
    word_permits permits;)
{
    edo_body {
        int rc;
        self->w = make_words(MPSC, 2);
        put_range(&self->w, 1, 1);
        edo_await_for(rc, edo_ms(1), edo_reserve(&self->w.in, &self->permits, 2));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(edo_sender_stats(&self->w.in).places, 1);
        assert_int_equal(edo_sender_stats(&self->w.in).permits, 0);
        put_range(&self->w, 2, 2);
        close_words(&self->w);
        edo_return(0);
    }
}

async_test(a_select_of_sends_sends_one,
    words w, v;
    edo_op first, second;
    int64_t a, b;
    int round;)
{
    edo_body {
        int rc;
        for (self->round = 0; self->round < 20; self->round++) {
            self->w = make_words(MPSC, 1);
            self->v = make_words(MPSC, 1);
            self->a = 1;
            self->b = 2;
            self->first = edo_send(&self->w.in, &self->a);
            self->second = edo_send(&self->v.in, &self->b);
            edo_select(rc, &self->first.base, &self->second.base);
            assert_int_equal(edo_receiver_stats(&self->w.out).length, rc == 0);
            assert_int_equal(edo_receiver_stats(&self->v.out).length, rc == 1);
            close_words(&self->w);
            close_words(&self->v);
        }
        edo_return(0);
    }
}

/* ---- more of many ---- */

async_test(a_receive_of_many_waits_for_the_first,
    words w;
    edo_task *task;
    int64_t got[8];
    int kind;)
{
    edo_body {
        int64_t rc;
        for (self->kind = MPSC; self->kind <= MPMC_UNBOUNDED; self->kind++) {
            self->w = make_words((channel_kind)self->kind, SMALL);
            edo_await(rc, edo_recv_many(&self->w.out, self->got, 0));
            assert_int_equal(rc, 0);
            assert_int_equal(
                edo_spawn(&self->task, word_sends, .in = edo_sender_clone(&self->w.in), .value = 3),
                0);
            edo_await(rc, edo_recv_many(&self->w.out, self->got, 8));
            assert_int_equal(rc, 1);
            assert_int_equal(self->got[0], 3);
            put_range(&self->w, 1, SMALL);
            edo_await(rc, edo_recv_many(&self->w.out, self->got, 8));
            assert_int_equal(rc, SMALL);
            edo_await(rc, edo_join(self->task));
            edo_sender_close(&self->w.in);
            edo_await(rc, edo_recv_many(&self->w.out, self->got, 8));
            assert_int_equal(rc, 0);
            edo_receiver_close(&self->w.out);
        }
        edo_return(0);
    }
}

struct sends_array {
    edo_frame();
    edo_args(word_sender in; const int64_t *values; size_t count;);
};

edo_async(sends_array)
{
    edo_body {
        int64_t rc;
        edo_await(rc, edo_send_many(&self->in, self->values, self->count));
        edo_sender_close(&self->in);
        edo_return(rc);
    }
}

async_test(many_are_sent_in_their_order,
    words w;
    edo_task *task;
    int64_t values[100], value, i;
    int kind;)
{
    edo_body {
        int64_t rc;
        for (int i = 0; i < 100; i++)
            self->values[i] = i;
        for (self->kind = MPSC; self->kind <= MPMC_UNBOUNDED; self->kind++) {
            self->w = make_words((channel_kind)self->kind, 3);
            assert_int_equal(edo_spawn(&self->task, sends_array, .in = self->w.in,
                                       .values = self->values, .count = 100),
                             0);
            for (self->i = 0; self->i < 100; self->i++) {
                edo_await_recv(rc, &self->w.out, &self->value);
                assert_int_equal(rc, 1);
                assert_int_equal(self->value, self->i);
            }
            edo_await(rc, edo_join(self->task));
            assert_int_equal(rc, 100);
            edo_await_recv(rc, &self->w.out, &self->value);
            assert_int_equal(rc, 0);
            edo_receiver_close(&self->w.out);
        }
        edo_return(0);
    }
}

async_test(a_close_ends_a_send_of_many,
    words w;
    edo_task *task;
    int64_t values[5];)
{
    edo_body {
        int64_t rc;
        self->w = make_words(MPSC, 2);
        memset(self->values, 0, sizeof self->values);
        assert_int_equal(edo_spawn(&self->task, sends_array, .in = edo_sender_clone(&self->w.in),
                                   .values = self->values, .count = 5),
                         0);
        edo_await(rc, settle());
        edo_receiver_close(&self->w.out);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -EPIPE);
        close_words(&self->w);
        edo_return(0);
    }
}

/* ---- more of the ends ---- */

test_each(senders_are_counted)
{
    words w = make_words(kind, SMALL), v = make_words(kind, SMALL);
    word_sender a = edo_sender_clone(&w.in), b = edo_sender_clone(&a);
    assert_true(edo_same_channel(&a, &b));
    assert_true(edo_same_channel(&a, &w.out));
    assert_false(edo_same_channel(&a, &v.in));
    assert_int_equal(edo_receiver_stats(&w.out).senders, 3);
    edo_sender_close(&w.in);
    edo_sender_close(&a);
    assert_int_equal(edo_receiver_stats(&w.out).senders, 1);
    assert_int_equal(edo_try_send(&b, &(int64_t){ 1 }), 0);
    edo_sender_close(&b);
    expect_range(&w, 1, 1);
    expect_none(&w, 0);
    edo_receiver_close(&w.out);
    close_words(&v);
}

async_test(the_last_sender_wakes_the_receiver_beside_weak_ones,
    words w;
    word_weak weak;
    edo_task *task;)
{
    edo_body {
        int64_t rc;
        self->w = make_words(MPSC, SMALL);
        edo_sender_downgrade(&self->w.in, &self->weak);
        assert_int_equal(edo_spawn(&self->task, word_receives, .out = &self->w.out), 0);
        edo_await(rc, settle());
        edo_sender_close(&self->w.in);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 0);
        edo_receiver_close(&self->w.out);
        edo_weak_sender_close(&self->weak);
        edo_return(0);
    }
}

async_test(a_weak_sender_sends_to_a_waiting_receiver,
    words w;
    word_weak weak;
    word_sender again;
    edo_task *task;)
{
    edo_body {
        int64_t rc;
        self->w = make_words(MPSC_UNBOUNDED, 0);
        edo_sender_downgrade(&self->w.in, &self->weak);
        assert_int_equal(edo_spawn(&self->task, word_receives, .out = &self->w.out), 0);
        edo_await(rc, settle());
        static const int64_t six = 6;
        assert_int_equal(edo_sender_upgrade(&self->weak, &self->again), 0);
        edo_sender_close(&self->w.in);
        edo_await_send(rc, &self->again, &six); // unbounded: never waits
        assert_int_equal(rc, 0);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 6);
        edo_sender_close(&self->again);
        assert_int_equal(edo_sender_upgrade(&self->weak, &self->again), -EPIPE);
        edo_weak_sender_close(&self->weak);
        edo_receiver_close(&self->w.out);
        edo_return(0);
    }
}

async_test(two_senders_see_a_shutdown,
    words w;
    edo_op a, b, sleep;)
{
    edo_body {
        int rc;
        self->w = make_words(MPMC, 1);
        self->a = edo_sender_closed(&self->w.in);
        self->b = edo_sender_closed(&self->w.in);
        self->sleep = edo_sleep(edo_ms(1));
        edo_any(rc, &self->a.base, &self->b.base, &self->sleep.base);
        assert_int_equal(rc, 2);
        edo_receiver_shutdown(&self->w.out);
        edo_await_on(rc, &self->a.base);
        assert_int_equal(rc, 0);
        edo_await_on(rc, &self->b.base);
        assert_int_equal(rc, 0);
        edo_await(rc, edo_sender_closed(&self->w.in));
        assert_int_equal(rc, 0);
        close_words(&self->w);
        edo_return(0);
    }
}

async_test(a_wait_for_the_close_that_is_cancelled_too_late_saw_the_close,
    words w;
    edo_op op;)
{
    edo_body {
        self->w = make_words(MPSC, 1);
        self->op = edo_sender_closed(&self->w.in);
        assert_waits(&self->op);
        edo_receiver_close(&self->w.out);
        assert_int_equal(cancel(&self->op), 0);
        self->op = edo_sender_closed(&self->w.in);
        assert_cancelled(&self->op); // before its first poll
        edo_sender_close(&self->w.in);
        edo_return(0);
    }
}

/* A drop function may use the channel's other ends. */
static void drop_and_send(void *value, void *context)
{
    words *w = context;
    assert_int_equal(edo_try_send(&w->in, (int64_t *)value), -EPIPE);
    assert_int_equal(edo_sender_stats(&w->in).receivers, 0);
}

test_each(a_drop_may_use_the_channel)
{
    words w = { { NULL }, { NULL } };
    bool bounded = kind == MPSC || kind == MPMC, one = kind == MPSC || kind == MPSC_UNBOUNDED;
    edo_channel_options options = { .capacity = bounded ? 3 : 0,
                                    .drop = drop_and_send,
                                    .context = &w };
    assert_int_equal(one ? edo_mpsc_create_with(&w.in, &w.out, &options)
                         : edo_mpmc_create_with(&w.in, &w.out, &options),
                     0);
    put_range(&w, 1, 3);
    edo_receiver_close(&w.out);
    edo_sender_close(&w.in);
}

typedef edo_sender(word_sender) sender_sender;
typedef edo_receiver(word_sender) sender_receiver;

/* ---- more of places and ends ---- */

struct order_of_drops {
    int64_t values[16];
    int count;
};

static void note_drop(void *value, void *context)
{
    struct order_of_drops *order = context;
    if (order->count < 16) order->values[order->count++] = *(int64_t *)value;
}

test_bounded(what_is_left_is_dropped_in_its_order)
{
    struct order_of_drops order = { { 0 }, 0 };
    words w = { { NULL }, { NULL } };
    edo_channel_options options = { .capacity = 3, .drop = note_drop, .context = &order };
    int rc = kind == MPSC ? edo_mpsc_create_with(&w.in, &w.out, &options)
                          : edo_mpmc_create_with(&w.in, &w.out, &options);
    assert_int_equal(rc, 0);
    put_range(&w, 1, 2);
    expect_range(&w, 1, 2);
    put_range(&w, 3, 5); // over the end of the ring
    edo_receiver_close(&w.out);
    assert_int_equal(order.count, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(order.values[i], 3 + i);
    int64_t value = 6;
    assert_int_equal(edo_try_send(&w.in, &value), -EPIPE); // it is still the caller's
    edo_sender_close(&w.in);
    assert_int_equal(order.count, 3);
}

test_bounded(permits_alone_make_no_sender_of_a_weak_one)
{
    words w = make_words(kind, SMALL);
    word_weak weak = { NULL };
    word_permits permits;
    word_sender second = { NULL };
    edo_sender_downgrade(&w.in, &weak);
    assert_int_equal(edo_try_reserve(&w.in, &permits, 1), 0);
    edo_sender_close(&w.in);
    expect_none(&w, -EAGAIN); // it is open for them
    assert_int_equal(edo_sender_upgrade(&weak, &second), -EPIPE);
    assert_int_equal(edo_permits_send(&permits, &(int64_t){ 1 }), 0);
    expect_range(&w, 1, 1);
    expect_none(&w, 0);
    edo_weak_sender_close(&weak);
    edo_receiver_close(&w.out);
}

test_bounded(permits_of_before_a_shutdown_send_or_go)
{
    words w = make_words(kind, SMALL);
    word_permits first, second;
    assert_int_equal(edo_try_reserve(&w.in, &first, 2), 0);
    assert_int_equal(edo_try_reserve(&w.in, &second, 1), 0);
    put_range(&w, 1, 1);
    edo_sender_shutdown(&w.in);
    assert_int_equal(edo_try_send(&w.in, &(int64_t){ 9 }), -EPIPE);
    assert_int_equal(edo_try_reserve(&w.in, &second, 1), -EPIPE);
    assert_int_equal(edo_permits_send(&first, &(int64_t){ 2 }), 0);
    edo_permits_release(&first);
    expect_range(&w, 1, 2);
    expect_none(&w, -EAGAIN);
    assert_int_equal(edo_sender_stats(&w.in).permits, 1);
    assert_int_equal(edo_permits_send(&second, &(int64_t){ 3 }), 0);
    expect_range(&w, 3, 3);
    expect_none(&w, 0);
    close_words(&w);
}

/* Expected lengths, places and permits. */
struct figures {
    words w;
    word_permits permits;
    size_t held;
    int64_t sent, received;
    test_random random;
};

static void act_at_random(struct figures *f, size_t capacity)
{
    size_t used = (size_t)(f->sent - f->received) + f->held;
    int64_t got, value = f->sent;
    switch (test_random_below(&f->random, 5)) {
    case 0:
        assert_int_equal(edo_try_send(&f->w.in, &value), used < capacity ? 0 : -EAGAIN);
        f->sent += used < capacity;
        return;
    case 1:
        if (f->held) return;
        f->held = 1 + test_random_below(&f->random, capacity);
        int rc = edo_try_reserve(&f->w.in, &f->permits, f->held);
        assert_int_equal(rc, used + f->held <= capacity ? 0 : -EAGAIN);
        if (rc < 0) f->held = 0;
        return;
    case 2:
        if (!f->held) return;
        assert_int_equal(edo_permits_send(&f->permits, &value), 0);
        f->sent++;
        f->held--;
        return;
    case 3:
        if (f->held && test_random_below(&f->random, 2)) {
            edo_permits_release(&f->permits);
            f->held = 0;
        }
        return;
    default:
        assert_int_equal(edo_try_recv(&f->w.out, &got), f->sent > f->received ? 1 : -EAGAIN);
        if (f->sent > f->received) assert_int_equal(got, f->received++);
        return;
    }
}

test_bounded(lengths_places_and_permits_are_the_capacity_at_every_step)
{
    for (size_t capacity = 1; capacity <= 5; capacity++) {
        struct figures f = { .w = make_words(kind, capacity),
                             .random = test_random_make(capacity) };
        for (int i = 0; i < 2000; i++) {
            act_at_random(&f, capacity);
            edo_channel_stats stats = edo_sender_stats(&f.w.in);
            assert_int_equal(stats.length, f.sent - f.received);
            assert_int_equal(stats.permits, f.held);
            assert_int_equal(stats.length + stats.places + stats.permits, capacity);
        }
        if (f.held) edo_permits_release(&f.permits);
        close_words(&f.w);
    }
}

/* Operations that are polled by hand, of a full channel with one place. */
#define BY_HAND                                                                                    \
    words w;                                                                                       \
    word_permits permits;                                                                          \
    edo_op op, other, receive;                                                                     \
    int64_t value, got[8], values[5];                                                              \
    int kind;
#define each_bounded for (self->kind = MPSC; self->kind <= MPMC; self->kind++)
#define each_kind    for (self->kind = MPSC; self->kind <= MPMC_UNBOUNDED; self->kind++)
#define begin_full(capacity)                                                                       \
    do {                                                                                           \
        self->w = make_words((channel_kind)self->kind, (capacity));                                \
        put_range(&self->w, 1, (capacity));                                                        \
        self->value = 9;                                                                           \
    } while (0)

async_test(a_woken_receive_that_is_cancelled_leaves_the_value, BY_HAND)
{
    edo_body {
        each_kind
        {
            self->w = make_words((channel_kind)self->kind, SMALL);
            self->receive = edo_recv(&self->w.out, self->got);
            self->got[0] = -1;
            assert_waits(&self->receive);
            put_range(&self->w, 1, 1);
            assert_cancelled(&self->receive);
            assert_int_equal(self->got[0], -1);
            assert_int_equal(edo_receiver_stats(&self->w.out).length, 1);
            expect_range(&self->w, 1, 1);
            close_words(&self->w);
        }
        edo_return(0);
    }
}

async_test(a_receive_that_is_cancelled_at_the_end_leaves_the_end, BY_HAND)
{
    edo_body {
        each_kind
        {
            self->w = make_words((channel_kind)self->kind, SMALL);
            self->receive = edo_recv(&self->w.out, self->got);
            assert_waits(&self->receive);
            edo_sender_close(&self->w.in);
            assert_cancelled(&self->receive);
            self->receive = edo_recv(&self->w.out, self->got);
            assert_ends(&self->receive, 0);
            edo_receiver_close(&self->w.out);
        }
        edo_return(0);
    }
}

async_test(a_waiting_receive_of_many_takes_no_more_than_its_limit, BY_HAND)
{
    edo_body {
        each_kind
        {
            self->w = make_words((channel_kind)self->kind, 5);
            self->receive = edo_recv_many(&self->w.out, self->got, 3);
            assert_waits(&self->receive);
            put_range(&self->w, 1, 5);
            edo_sender_close(&self->w.in);
            assert_ends(&self->receive, 3);
            for (int64_t i = 0; i < 3; i++)
                assert_int_equal(self->got[i], i + 1);
            assert_int_equal(edo_receiver_stats(&self->w.out).length, 2);
            self->receive = edo_recv_many(&self->w.out, self->got, 8);
            assert_ends(&self->receive, 2);
            assert_int_equal(self->got[1], 5);
            self->receive = edo_recv_many(&self->w.out, self->got, 8);
            assert_ends(&self->receive, 0);
            edo_receiver_close(&self->w.out);
        }
        edo_return(0);
    }
}

async_test(a_receive_of_many_makes_places_for_all_that_wait, BY_HAND)
{
    edo_body {
        each_bounded
        {
            begin_full(2);
            self->op = edo_reserve(&self->w.in, &self->permits, 2);
            self->other = edo_send(&self->w.in, &self->value);
            assert_waits(&self->op);
            assert_waits(&self->other);
            assert_int_equal(edo_try_recv_many(&self->w.out, self->got, 8), 2);
            assert_waits(&self->other); // both places are the reserve's
            assert_ends(&self->op, 0);
            assert_int_equal(edo_permits_count(&self->permits), 2);
            edo_permits_release(&self->permits);
            assert_ends(&self->other, 0);
            expect_range(&self->w, 9, 9);
            close_words(&self->w);
        }
        edo_return(0);
    }
}

async_test(a_cancelled_send_of_many_gives_its_place_back, BY_HAND)
{
    edo_body {
        each_bounded
        {
            self->w = make_words((channel_kind)self->kind, 2);
            for (int64_t i = 0; i < 5; i++)
                self->values[i] = i + 1;
            self->op = edo_send_many(&self->w.in, self->values, 5);
            assert_waits(&self->op);
            assert_int_equal(edo_op_progress(&self->op), 2);
            expect_range(&self->w, 1, 1); // the place is granted, and not used
            assert_int_equal(edo_sender_stats(&self->w.in).permits, 1);
            assert_cancelled(&self->op);
            assert_int_equal(edo_op_progress(&self->op), 2);
            assert_int_equal(edo_sender_stats(&self->w.in).permits, 0);
            assert_int_equal(edo_sender_stats(&self->w.in).places, 1);
            expect_range(&self->w, 2, 2);
            expect_none(&self->w, -EAGAIN);
            close_words(&self->w);
        }
        edo_return(0);
    }
}

async_test(a_cancelled_send_of_many_lets_the_next_sender_go, BY_HAND)
{
    edo_body {
        each_bounded
        {
            begin_full(1);
            self->values[0] = self->values[1] = 5;
            self->op = edo_send_many(&self->w.in, self->values, 2);
            self->other = edo_send(&self->w.in, &self->value);
            assert_waits(&self->op);
            assert_waits(&self->other);
            expect_range(&self->w, 1, 1);
            assert_cancelled(&self->op);
            assert_int_equal(edo_op_progress(&self->op), 0);
            assert_ends(&self->other, 0);
            expect_range(&self->w, 9, 9);
            close_words(&self->w);
        }
        edo_return(0);
    }
}

/* It has its place, and nobody to send to. */
async_test(a_served_sender_without_a_receiver_keeps_its_value, BY_HAND)
{
    edo_body {
        each_bounded
        {
            begin_full(1);
            self->op = edo_send(&self->w.in, &self->value);
            assert_waits(&self->op);
            expect_range(&self->w, 1, 1);
            edo_receiver_close(&self->w.out);
            assert_ends(&self->op, -EPIPE);
            assert_int_equal(self->value, 9);
            assert_int_equal(edo_sender_stats(&self->w.in).permits, 0);
            edo_sender_close(&self->w.in);
        }
        edo_return(0);
    }
}

/* tokio#8260, with the receiver parked while the request is still to run. */
async_test(a_served_reserve_that_is_cancelled_ends_a_parked_receive, BY_HAND)
{
    edo_body {
        each_bounded
        {
            begin_full(1);
            self->op = edo_reserve(&self->w.in, &self->permits, 1);
            assert_waits(&self->op);
            expect_range(&self->w, 1, 1);
            edo_sender_shutdown(&self->w.in);
            self->receive = edo_recv(&self->w.out, self->got);
            assert_waits(&self->receive); // a place is granted
            assert_cancelled(&self->op);
            assert_ends(&self->receive, 0);
            close_words(&self->w);
        }
        edo_return(0);
    }
}

/* A reserve that waits holds none of the places that are free, and keeps no channel open. */
async_test(a_waiting_reserve_holds_nothing, BY_HAND)
{
    edo_body {
        each_bounded
        {
            begin_full(3);
            self->op = edo_reserve(&self->w.in, &self->permits, 3);
            assert_waits(&self->op);
            expect_range(&self->w, 1, 2);
            assert_waits(&self->op);
            assert_int_equal(edo_sender_stats(&self->w.in).places, 2);
            assert_int_equal(edo_sender_stats(&self->w.in).permits, 0);
            edo_receiver_shutdown(&self->w.out);
            assert_ends(&self->op, -EPIPE);
            expect_range(&self->w, 3, 3);
            expect_none(&self->w, 0);
            close_words(&self->w);
        }
        edo_return(0);
    }
}

async_test(a_cancelled_reserve_that_was_refused_says_so, BY_HAND)
{
    edo_body {
        each_bounded
        {
            begin_full(1);
            self->op = edo_reserve(&self->w.in, &self->permits, 1);
            assert_waits(&self->op);
            edo_receiver_shutdown(&self->w.out);
            assert_int_equal(cancel(&self->op), -EPIPE); // it was answered before
            expect_range(&self->w, 1, 1);
            expect_none(&self->w, 0);
            close_words(&self->w);
        }
        edo_return(0);
    }
}

test(ends_go_through_channels)
{
    words w = make_words(MPSC, 1);
    sender_sender in = { NULL };
    sender_receiver out = { NULL };
    word_sender got = { NULL };
    assert_int_equal(edo_mpsc_create(&in, &out, 1), 0);
    assert_int_equal(edo_try_send(&in, &w.in), 0); // owned by the receiver now
    assert_int_equal(edo_try_recv(&out, &got), 1);
    assert_int_equal(edo_try_send(&got, &(int64_t){ 8 }), 0);
    edo_sender_close(&got);
    expect_range(&w, 8, 8);
    expect_none(&w, 0);
    edo_receiver_close(&w.out);
    edo_sender_close(&in);
    edo_receiver_close(&out);
}

async_test(a_limit_over_a_block_of_receives,
    words w;
    edo_limit limit;
    int64_t value;
    int got;)
{
    edo_body {
        int rc = 0;
        self->w = make_words(MPSC, SMALL);
        put_range(&self->w, 1, 3);
        self->got = 0;
        edo_within(&self->limit, edo_ms(5)) {
            for (;;) {
                edo_await_recv(rc, &self->w.out, &self->value);
                if (rc != 1) break;
                self->got++;
            }
            assert_int_equal(rc, -ETIMEDOUT);
        }
        assert_int_equal(self->got, 3);
        close_words(&self->w);
        edo_return(0);
    }
}

/* ---- threads and runtimes ---- */

enum { MESSAGES = 20000, THREADS = 4, SECONDS = 3 };

static words shared;

/* Messages of the producers, and those that have arrived. */
typedef struct tally {
    int64_t end; // see is_late()
    edo_atomic(int64_t) sent, sent_sum;
    int64_t count, sum;
} tally;

static void produce(tally *t)
{
    int64_t i = 0;
    word_sender in = shared.in;
    for (; i < MESSAGES && !is_late(t->end); i++)
        if (edo_wait(edo_send(&in, &i)) != 0) abort();
    edo_add_relaxed(&t->sent, i);
    edo_add_relaxed(&t->sent_sum, i * (i - 1) / 2);
    edo_sender_close(&in);
}

static void produce_or_consume(unsigned index, void *arg)
{
    tally *t = arg;
    if (index > 0) {
        produce(t);
        return;
    }
    for (int64_t value; edo_wait(edo_recv(&shared.out, &value)) == 1; t->sum += value)
        t->count++;
}

static void run_shared(channel_kind kind, size_t capacity)
{
    tally t = { .end = rounds_end(SECONDS) };
    shared = make_words(kind, capacity);
    for (int i = 1; i < THREADS - 1; i++)
        (void)edo_sender_clone(&shared.in).edo_core;
    run_threads(THREADS, produce_or_consume, &t);
    assert_true(t.sent > 0);
    assert_int_equal(t.count, t.sent);
    assert_int_equal(t.sum, t.sent_sum);
    edo_receiver_close(&shared.out);
}

test(plain_threads_lose_nothing)
{
    run_shared(MPSC, 1);
    run_shared(MPSC, 2);
    run_shared(MPSC, 128);
    run_shared(MPSC_UNBOUNDED, 0);
    run_shared(MPMC, 3);
}

/* tokio#3263: a send that has returned is seen, also while others are in progress. */
static uint64_t sent_count;

static void send_or_look(unsigned index, void *arg)
{
    (void)arg;
    if (index > 0) {
        for (int64_t i = 0; i < MESSAGES; i++) {
            if (edo_try_send(&shared.in, &i) != 0) abort();
            edo_add_release(&sent_count, 1);
        }
        return;
    }
    for (uint64_t taken = 0; taken < (uint64_t)MESSAGES * (THREADS - 1);) {
        int64_t value;
        if (edo_load_acquire(&sent_count) <= taken) continue;
        if (edo_try_recv(&shared.out, &value) != 1) abort();
        taken++;
    }
}

test(a_try_is_never_wrongly_empty)
{
    sent_count = 0;
    shared = make_words(MPSC_UNBOUNDED, 0);
    run_threads(THREADS, send_or_look, NULL);
    close_words(&shared);
}

struct counts_words {
    edo_frame();
    edo_args(word_receiver out;);
    int64_t value, count;
};

edo_async(counts_words)
{
    edo_body {
        int rc;
        self->count = 0;
        for (;;) {
            edo_await_recv(rc, &self->out, &self->value);
            if (rc != 1) break;
            assert_int_equal(self->value, self->count);
            self->count++;
        }
        edo_receiver_close(&self->out);
        edo_return(self->count);
    }
}

/* Returns: the number of messages. */
struct sends_words {
    edo_frame();
    edo_args(word_sender in;);
    int64_t i, end;
};

edo_async(sends_words)
{
    edo_body {
        int rc = 0;
        self->end = rounds_end(SECONDS);
        for (self->i = 0; self->i < MESSAGES && rc == 0 && !is_late(self->end); self->i++)
            edo_await_send(rc, &self->in, &self->i);
        edo_sender_close(&self->in);
        edo_return(rc < 0 ? rc : self->i);
    }
}

typedef struct other_sender {
    word_sender in;
    int64_t sent;
} other_sender;

static void *send_from_runtime(void *arg)
{
    other_sender *other = arg;
    edo_runtime *runtime;
    if (create_runtime(NULL, &runtime) < 0) abort();
    other->sent = edo_block_on(runtime, sends_words, .in = other->in);
    if (edo_runtime_destroy(runtime) != 0) abort();
    return NULL;
}

test(runtimes_send_to_each_other)
{
    pthread_t thread;
    edo_runtime *runtime;
    words w = make_words(MPSC, 2);
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    other_sender other = { .in = w.in };
    assert_int_equal(pthread_create(&thread, NULL, send_from_runtime, &other), 0);
    int64_t count = edo_block_on(runtime, counts_words, .out = w.out);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(count > 0);
    assert_int_equal(other.sent, count);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

async_test(tasks_lose_nothing,
    edo_callees(struct counts_words counts_words;)
    words w;
    edo_task *task;
    int64_t count;
    int kind;)
{
    edo_body {
        int64_t rc;
        for (self->kind = MPSC; self->kind <= MPMC_UNBOUNDED; self->kind++) {
            self->w = make_words((channel_kind)self->kind, SMALL);
            assert_int_equal(edo_spawn(&self->task, sends_words, .in = self->w.in), 0);
            edo_call(self->count, counts_words, .out = self->w.out);
            assert_true(self->count > 0);
            edo_await(rc, edo_join(self->task));
            assert_int_equal(rc, self->count);
        }
        edo_return(0);
    }
}

/* ---- misuse ---- */

static void run_clone_of_mpsc(void *arg)
{
    (void)arg;
    words w = make_words(MPSC, 1);
    (void)edo_receiver_clone(&w.out).edo_core;
}

static void run_closed_end(void *arg)
{
    words w = make_words(MPSC, 1);
    int64_t value = 1;
    close_words(&w);
    if (arg)
        (void)!edo_try_send(&w.in, &value);
    else
        (void)!edo_wait(edo_recv(&w.out, &value));
}

struct receives_twice {
    edo_frame();
    edo_args(words *w;);
    edo_op a, b;
    int64_t x, y;
};

edo_async(receives_twice)
{
    edo_body {
        int rc;
        self->a = edo_recv(&self->w->out, &self->x);
        self->b = edo_recv(&self->w->out, &self->y);
        edo_select(rc, &self->a.base, &self->b.base);
        edo_return(rc);
    }
}

static void run_two_receives(void *arg)
{
    (void)arg;
    edo_runtime *runtime;
    words w = make_words(MPSC, 1);
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    (void)edo_block_on(runtime, receives_twice, .w = &w);
}

struct closes_early {
    edo_frame();
    edo_args(words *w; bool receives;);
    edo_op op, sleep;
    int64_t value;
};

edo_async(closes_early)
{
    edo_body {
        int rc;
        self->value = 1;
        self->op = self->receives ? edo_recv(&self->w->out, &self->value)
                                  : edo_send(&self->w->in, &self->value);
        self->sleep = edo_sleep(1);
        edo_any(rc, &self->op.base, &self->sleep.base);
        if (self->receives) edo_receiver_close(&self->w->out);
        close_words(self->w);
        edo_return(rc);
    }
}

static void run_early_close(void *arg)
{
    edo_runtime *runtime;
    words w = make_words(MPMC, 1);
    if (!arg) put_range(&w, 1, 1);
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    (void)edo_block_on(runtime, closes_early, .w = &w, .receives = arg != NULL);
}

struct local_place {
    edo_frame();
    edo_args(words *w;);
};

edo_async(local_place)
{
    edo_body {
        int rc;
        int64_t value;
        // edo-lint: allow(edo-local-address) this is what aborts
        edo_await(rc, edo_recv(&self->w->out, &value));
        edo_return(rc);
    }
}

static void run_local_place(void *arg)
{
    (void)arg;
    edo_runtime *runtime;
    words w = make_words(MPSC, 1);
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    (void)edo_block_on(runtime, local_place, .w = &w);
}

test(misuse_aborts)
{
    expect_abort(run_clone_of_mpsc, NULL, "edo_receiver_clone: .*mpsc");
    expect_abort(run_closed_end, NULL, "edo_recv: this end was closed");
    expect_abort(run_closed_end, (void *)1, "edo_try_send: this end was closed");
    expect_abort(run_two_receives, NULL, "edo_recv: second receive");
    expect_abort(run_early_close, NULL, "edo_sender_close: an operation is still pending");
    expect_abort(run_early_close, (void *)1, "edo_receiver_close: an operation is still pending");
    expect_abort(run_local_place, NULL, "edo_recv: the place of the value lies on the stack");
}
