/* Broadcasts: every value to every receiver, in one order; lag; the end. */
#include "sync/steps.h"

#include <pthread.h>

typedef edo_broadcast_sender(int64_t) word_caster;
typedef edo_broadcast_receiver(int64_t) word_listener;
typedef edo_broadcast_weak_sender(int64_t) word_weak;

typedef struct cast {
    word_caster in;
    word_listener out;
} cast;

static cast make_cast(size_t capacity)
{
    cast c = { { NULL }, { NULL } };
    assert_int_equal(edo_broadcast_create(&c.in, &c.out, capacity), 0);
    return c;
}

static void close_cast(cast *c)
{
    edo_broadcast_sender_close(&c->in);
    edo_broadcast_receiver_close(&c->out);
}

static void put_range(cast *c, int64_t first, int64_t last)
{
    for (int64_t i = first; i <= last; i++)
        edo_broadcast_send(&c->in, &i);
}

static void expect_of(word_listener *out, int64_t first, int64_t last)
{
    for (int64_t i = first, value; i <= last; i++) {
        assert_int_equal(edo_broadcast_try_recv(out, &value), 1);
        assert_int_equal(value, i);
    }
}

static void expect_range(cast *c, int64_t first, int64_t last)
{
    expect_of(&c->out, first, last);
}

static void expect_none(cast *c, int64_t why)
{
    int64_t value;
    assert_int_equal(edo_broadcast_try_recv(&c->out, &value), why);
}

static void expect_lag(cast *c, uint64_t missed)
{
    expect_none(c, EDO_LAGGED);
    assert_int_equal(edo_broadcast_missed(&c->out), missed);
}

/* ---- memory: before edo_wait() makes a runtime for this thread ---- */

static void create_one(void *arg)
{
    (void)arg;
    cast c = { { NULL }, { NULL } };
    int rc = edo_broadcast_create(&c.in, &c.out, 4);
    assert_true(rc == 0 || (rc == -ENOMEM && !c.in.edo_core && !c.out.edo_core));
    close_cast(&c);
}

test(creation_without_memory_leaves_nothing)
{
    assert_int_equal(with_each_allocation_failing(create_one, NULL), 1);
}

test(any_order_of_closes_frees_the_memory)
{
    test_allocator_install();
    for (int order = 0; order < 2; order++) {
        cast c = make_cast(4);
        word_caster second = edo_broadcast_sender_clone(&c.in);
        word_listener other = { NULL };
        edo_broadcast_subscribe(&c.in, &other);
        put_range(&c, 1, 3);
        if (order) edo_broadcast_receiver_close(&other);
        close_cast(&c);
        close_cast(&c); // nothing
        edo_broadcast_sender_close(&second);
        if (!order) edo_broadcast_receiver_close(&other);
        assert_int_equal(test_allocator_live_count(), 0);
    }
    test_allocator_remove();
}

test(a_capacity_of_0_is_refused)
{
    cast c = { { NULL }, { NULL } };
    assert_int_equal(edo_broadcast_create(&c.in, &c.out, 0), -EINVAL);
    assert_int_equal(edo_broadcast_create(&c.in, &c.out, (size_t)EDO_BROADCAST_MAX + 1), -EINVAL);
}

test(a_weak_sender_keeps_the_memory_alone)
{
    test_allocator_install();
    cast c = make_cast(4);
    word_weak weak = { NULL };
    word_caster strong = { NULL };
    edo_broadcast_downgrade(&c.in, &weak);
    close_cast(&c);
    assert_int_equal(test_allocator_live_count(), 1);
    assert_int_equal(edo_broadcast_upgrade(&weak, &strong), -EPIPE);
    edo_broadcast_weak_close(&weak);
    assert_int_equal(test_allocator_live_count(), 0);
    test_allocator_remove();
}

/* ---- values ---- */

test(values_come_in_their_order)
{
    for (size_t capacity = 1; capacity < 10; capacity++) {
        cast c = make_cast(capacity);
        expect_none(&c, -EAGAIN);
        for (int64_t i = 0; i < 50; i += (int64_t)capacity) {
            put_range(&c, i, i + (int64_t)capacity - 1);
            expect_range(&c, i, i + (int64_t)capacity - 1);
        }
        expect_none(&c, -EAGAIN);
        close_cast(&c);
    }
}

test(each_receiver_gets_each_value)
{
    cast c = make_cast(8);
    word_listener others[3] = { { NULL }, { NULL }, { NULL } };
    int64_t value = 1;
    for (int i = 0; i < 3; i++)
        edo_broadcast_subscribe(&c.in, &others[i]);
    assert_int_equal(edo_broadcast_send(&c.in, &value), 4);
    put_range(&c, 2, 5);
    expect_range(&c, 1, 5);
    for (int i = 0; i < 3; i++) {
        expect_of(&others[i], 1, 5);
        edo_broadcast_receiver_close(&others[i]);
    }
    assert_int_equal(edo_broadcast_send(&c.in, &value), 1);
    close_cast(&c);
}

test(a_subscriber_gets_what_comes_later)
{
    cast c = make_cast(8);
    word_listener late = { NULL }, later = { NULL };
    put_range(&c, 1, 2);
    edo_broadcast_subscribe(&c.in, &late);
    put_range(&c, 3, 3);
    edo_broadcast_resubscribe(&late, &later);
    put_range(&c, 4, 4);
    expect_range(&c, 1, 4);
    expect_of(&late, 3, 4);
    expect_of(&later, 4, 4);
    assert_true(edo_same_channel(&c.in, &later));
    assert_int_equal(edo_broadcast_receivers(&c.in), 3);
    edo_broadcast_receiver_close(&late);
    edo_broadcast_receiver_close(&later);
    close_cast(&c);
}

test(nobody_listens)
{
    cast c = make_cast(2);
    int64_t value = 1;
    edo_broadcast_receiver_close(&c.out);
    assert_int_equal(edo_broadcast_send(&c.in, &value), 0);
    edo_broadcast_subscribe(&c.in, &c.out);
    expect_none(&c, -EAGAIN);
    put_range(&c, 2, 2);
    expect_range(&c, 2, 2);
    close_cast(&c);
}

typedef struct odd {
    char bytes[13];
} odd;
typedef struct words {
    int64_t words[8];
} words;
typedef struct large {
    int64_t words[9];
} large;

#define SIZE_CASE(type)                                                                            \
    do {                                                                                           \
        edo_broadcast_sender(type) in = { NULL };                                                  \
        edo_broadcast_receiver(type) out = { NULL };                                               \
        type value, got;                                                                           \
        assert_int_equal(edo_broadcast_create(&in, &out, 3), 0);                                   \
        for (uint64_t i = 0; i < 30; i++) {                                                        \
            fill_pattern(&value, sizeof value, i, 0);                                              \
            edo_broadcast_send(&in, &value);                                                       \
            assert_int_equal(edo_broadcast_try_recv(&out, &got), 1);                               \
            assert_true(is_pattern(&got, sizeof got, i, 0));                                       \
        }                                                                                          \
        edo_broadcast_sender_close(&in);                                                           \
        edo_broadcast_receiver_close(&out);                                                        \
    } while (0)

test(values_of_any_size_are_copied)
{
    SIZE_CASE(char);
    SIZE_CASE(int32_t);
    SIZE_CASE(odd);
    SIZE_CASE(words);
    SIZE_CASE(large);
}

/* ---- lag ---- */

/* tokio#8239: as many as are kept are no lag; one more is. */
test(a_full_ring_is_no_lag)
{
    for (int64_t capacity = 1; capacity < 10; capacity++) {
        cast c = make_cast((size_t)capacity);
        assert_int_equal(edo_broadcast_capacity(&c.in), capacity);
        put_range(&c, 1, capacity);
        assert_int_equal(edo_broadcast_length(&c.out), capacity);
        expect_range(&c, 1, capacity);
        put_range(&c, 1, capacity + 1);
        assert_int_equal(edo_broadcast_length(&c.out), capacity + 1);
        expect_lag(&c, 1);
        assert_int_equal(edo_broadcast_length(&c.out), capacity);
        expect_range(&c, 2, capacity + 1);
        close_cast(&c);
    }
}

test(a_lag_is_no_end)
{
    cast c = make_cast(4);
    put_range(&c, 1, 10);
    expect_lag(&c, 6);
    expect_range(&c, 7, 10);
    expect_none(&c, -EAGAIN);
    put_range(&c, 11, 11);
    expect_range(&c, 11, 11);
    close_cast(&c);
}

test(a_receiver_may_lag_again_and_again)
{
    cast c = make_cast(2);
    for (int64_t i = 0; i < 20; i++) {
        put_range(&c, 1, 5);
        expect_lag(&c, 3);
        put_range(&c, 6, 6);
        expect_lag(&c, 1);
        expect_range(&c, 5, 6);
    }
    close_cast(&c);
}

test(one_lags_and_others_do_not)
{
    cast c = make_cast(2);
    word_listener fast = { NULL };
    edo_broadcast_subscribe(&c.in, &fast);
    for (int64_t i = 1; i <= 5; i++) {
        put_range(&c, i, i);
        expect_of(&fast, i, i);
    }
    expect_lag(&c, 3);
    expect_range(&c, 4, 5);
    edo_broadcast_receiver_close(&fast);
    close_cast(&c);
}

/* tokio#2425: the end takes no slot. */
test(the_end_is_no_lag)
{
    cast c = make_cast(1);
    put_range(&c, 1, 1);
    edo_broadcast_sender_close(&c.in);
    expect_range(&c, 1, 1);
    expect_none(&c, 0);
    edo_broadcast_receiver_close(&c.out);
}

test(a_lag_comes_before_the_end)
{
    cast c = make_cast(2);
    put_range(&c, 1, 4);
    edo_broadcast_sender_close(&c.in);
    expect_lag(&c, 2);
    expect_range(&c, 3, 4);
    expect_none(&c, 0);
    expect_none(&c, 0);
    edo_broadcast_receiver_close(&c.out);
}

/* ---- the end ---- */

test(a_broadcast_ends_with_its_last_sender)
{
    cast c = make_cast(2);
    word_caster second = edo_broadcast_sender_clone(&c.in);
    assert_int_equal(edo_broadcast_senders(&c.in), 2);
    edo_broadcast_sender_close(&c.in);
    expect_none(&c, -EAGAIN);
    edo_broadcast_sender_close(&second);
    expect_none(&c, 0);
    edo_broadcast_receiver_close(&c.out);
}

test(a_receiver_knows_the_end_before_it_has_all)
{
    cast c = make_cast(2);
    word_weak weak = { NULL };
    edo_broadcast_downgrade(&c.in, &weak);
    put_range(&c, 1, 1);
    assert_false(edo_broadcast_is_closed(&c.out));
    edo_broadcast_sender_close(&c.in);
    assert_true(edo_broadcast_is_closed(&c.out));
    assert_int_equal(edo_broadcast_length(&c.out), 1);
    expect_range(&c, 1, 1);
    edo_broadcast_weak_close(&weak);
    edo_broadcast_receiver_close(&c.out);
}

test(a_weak_sender_keeps_nothing_open)
{
    cast c = make_cast(2);
    word_weak weak = { NULL };
    word_caster second = { NULL };
    edo_broadcast_downgrade(&c.in, &weak);
    assert_int_equal(edo_broadcast_upgrade(&weak, &second), 0);
    edo_broadcast_sender_close(&c.in);
    expect_none(&c, -EAGAIN);
    edo_broadcast_send(&second, &(int64_t){ 4 });
    edo_broadcast_sender_close(&second);
    assert_int_equal(edo_broadcast_upgrade(&weak, &second), -EPIPE);
    assert_null(second.edo_core);
    expect_range(&c, 4, 4);
    expect_none(&c, 0);
    edo_broadcast_receiver_close(&c.out);
    edo_broadcast_weak_close(&weak); // the last that holds it
}

test(a_subscriber_after_the_end)
{
    cast c = make_cast(2);
    word_listener late = { NULL };
    int64_t value;
    edo_broadcast_sender_close(&c.in);
    edo_broadcast_resubscribe(&c.out, &late);
    assert_int_equal(edo_broadcast_try_recv(&late, &value), 0);
    edo_broadcast_receiver_close(&late);
    edo_broadcast_receiver_close(&c.out);
}

/* ---- waiting ---- */

struct listens {
    edo_frame();
    edo_args(word_listener out;);
    int64_t value;
};

edo_async(listens)
{
    edo_body {
        int64_t rc;
        edo_await(rc, edo_broadcast_recv(&self->out, &self->value));
        edo_broadcast_receiver_close(&self->out);
        edo_return(rc == 1 ? self->value : rc);
    }
}

async_test(a_value_wakes_all_that_wait,
    cast c;
    edo_task *tasks[5];
    int i;)
{
    edo_body {
        int64_t rc;
        self->c = make_cast(2);
        for (self->i = 0; self->i < 5; self->i++) {
            word_listener out = { NULL };
            edo_broadcast_subscribe(&self->c.in, &out);
            assert_int_equal(edo_spawn(&self->tasks[self->i], listens, .out = out), 0);
        }
        edo_await(rc, settle());
        assert_false(edo_task_is_done(self->tasks[0]));
        put_range(&self->c, 9, 9);
        for (self->i = 0; self->i < 5; self->i++) {
            edo_await(rc, edo_join(self->tasks[self->i]));
            assert_int_equal(rc, 9);
        }
        close_cast(&self->c);
        edo_return(0);
    }
}

async_test(the_end_wakes_all_that_wait,
    cast c;
    edo_task *tasks[3];
    int i;)
{
    edo_body {
        int64_t rc;
        self->c = make_cast(2);
        for (self->i = 0; self->i < 3; self->i++) {
            word_listener out = { NULL };
            edo_broadcast_subscribe(&self->c.in, &out);
            assert_int_equal(edo_spawn(&self->tasks[self->i], listens, .out = out), 0);
        }
        edo_await(rc, settle());
        edo_broadcast_sender_close(&self->c.in);
        for (self->i = 0; self->i < 3; self->i++) {
            edo_await(rc, edo_join(self->tasks[self->i]));
            assert_int_equal(rc, 0);
        }
        edo_broadcast_receiver_close(&self->c.out);
        edo_return(0);
    }
}

#define LISTENER                                                                                   \
    cast c;                                                                                        \
    edo_task *task; // waits for a value

static void begin_listener(cast *ret_cast, edo_task **ret_task)
{
    *ret_cast = make_cast(2);
    assert_int_equal(edo_spawn(ret_task, listens, .out = ret_cast->out), 0);
}

async_test(a_waiting_receiver_may_lag, LISTENER)
{
    edo_body {
        int64_t rc;
        begin_listener(&self->c, &self->task);
        edo_await(rc, settle());
        put_range(&self->c, 5, 5);
        if (test_workers() == 0) put_range(&self->c, 6, 8);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, test_workers() == 0 ? EDO_LAGGED : 5);
        edo_broadcast_sender_close(&self->c.in);
        edo_return(0);
    }
}

async_test(a_cancelled_receive_has_taken_nothing,
    cast c;
    int64_t value;)
{
    edo_body {
        int rc;
        self->c = make_cast(2);
        edo_await_for(rc, edo_ms(1), edo_broadcast_recv(&self->c.out, &self->value));
        assert_int_equal(rc, -ETIMEDOUT);
        put_range(&self->c, 1, 2);
        edo_await_broadcast(rc, &self->c.out, &self->value);
        assert_int_equal(rc, 1);
        assert_int_equal(self->value, 1);
        edo_await(rc, edo_broadcast_recv(&self->c.out, &self->value));
        assert_int_equal(rc, 1);
        assert_int_equal(self->value, 2);
        close_cast(&self->c);
        edo_return(0);
    }
}

async_test(senders_wait_for_the_close,
    cast c;
    edo_op closed, sleep;)
{
    edo_body {
        int rc;
        self->c = make_cast(2);
        self->closed = edo_broadcast_closed(&self->c.in);
        self->sleep = edo_sleep(edo_ms(1));
        edo_any(rc, &self->closed.base, &self->sleep.base);
        assert_int_equal(rc, 1);
        edo_broadcast_receiver_close(&self->c.out);
        edo_await_on(rc, &self->closed.base);
        assert_int_equal(rc, 0);
        edo_broadcast_sender_close(&self->c.in);
        edo_return(0);
    }
}

/* ---- more of lags and subscribers ---- */

test(a_subscriber_after_a_lag_begins_at_the_end)
{
    cast c = make_cast(2);
    word_listener late = { NULL };
    int64_t value;
    put_range(&c, 1, 9);
    edo_broadcast_resubscribe(&c.out, &late);
    assert_int_equal(edo_broadcast_length(&late), 0);
    assert_int_equal(edo_broadcast_try_recv(&late, &value), -EAGAIN);
    expect_lag(&c, 7);
    expect_range(&c, 8, 9);
    edo_broadcast_receiver_close(&late);
    close_cast(&c);
}

test(a_lag_while_catching_up)
{
    cast c = make_cast(4);
    put_range(&c, 1, 4);
    expect_range(&c, 1, 2);
    put_range(&c, 5, 8); // 3 and 4 are gone
    expect_lag(&c, 2);
    expect_range(&c, 5, 8);
    close_cast(&c);
}

test(large_values_lag_as_words_do)
{
    edo_broadcast_sender(large) in = { NULL };
    edo_broadcast_receiver(large) out = { NULL };
    large value = { { 0 } };
    assert_int_equal(edo_broadcast_create(&in, &out, 3), 0);
    for (int i = 1; i <= 7; i++) {
        value.words[8] = i;
        edo_broadcast_send(&in, &value);
    }
    assert_int_equal(edo_broadcast_try_recv(&out, &value), EDO_LAGGED);
    assert_int_equal(edo_broadcast_missed(&out), 4);
    for (int i = 5; i <= 7; i++) {
        assert_int_equal(edo_broadcast_try_recv(&out, &value), 1);
        assert_int_equal(value.words[8], i);
    }
    assert_int_equal(edo_broadcast_try_recv(&out, &value), -EAGAIN);
    edo_broadcast_sender_close(&in);
    edo_broadcast_receiver_close(&out);
}

test(many_receivers_at_different_places)
{
    enum { MANY = 50 };
    cast c = make_cast(MANY);
    word_listener many[MANY];
    for (int64_t i = 0; i < MANY; i++) {
        edo_broadcast_subscribe(&c.in, &many[i]);
        put_range(&c, i, i);
    }
    assert_int_equal(edo_broadcast_receivers(&c.in), MANY + 1);
    for (int64_t i = 0; i < MANY; i++) {
        assert_int_equal(edo_broadcast_length(&many[i]), MANY - i);
        expect_of(&many[i], i, MANY - 1);
        edo_broadcast_receiver_close(&many[i]);
    }
    assert_int_equal(edo_broadcast_receivers(&c.in), 1);
    close_cast(&c);
}

test(weak_senders_are_no_senders)
{
    cast c = make_cast(1);
    word_weak weak = { NULL };
    assert_int_equal(edo_broadcast_weak_senders(&c.in), 0);
    edo_broadcast_downgrade(&c.in, &weak);
    assert_int_equal(edo_broadcast_senders(&c.in), 1);
    assert_int_equal(edo_broadcast_weak_senders(&c.in), 1);
    assert_true(edo_same_channel(&weak, &c.out));
    edo_broadcast_weak_close(&weak);
    assert_int_equal(edo_broadcast_weak_senders(&c.in), 0);
    edo_broadcast_weak_close(&weak); // nothing
    put_range(&c, 1, 1);
    expect_range(&c, 1, 1);
    close_cast(&c);
}

async_test(a_cancelled_receive_is_no_longer_woken, LISTENER)
{
    edo_body {
        int64_t rc;
        begin_listener(&self->c, &self->task);
        edo_await(rc, settle());
        edo_task_cancel(self->task);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -ECANCELED);
        assert_int_equal(edo_broadcast_send(&self->c.in, &(int64_t){ 1 }), 0);
        edo_broadcast_sender_close(&self->c.in);
        edo_return(0);
    }
}

async_test(a_select_over_broadcasts_takes_one,
    cast a, b;
    edo_op first, second;
    int64_t x, y;
    int round;)
{
    edo_body {
        int rc;
        for (self->round = 0; self->round < 20; self->round++) {
            self->a = make_cast(1);
            self->b = make_cast(1);
            put_range(&self->a, 1, 1);
            put_range(&self->b, 2, 2);
            self->first = edo_broadcast_recv(&self->a.out, &self->x);
            self->second = edo_broadcast_recv(&self->b.out, &self->y);
            edo_select(rc, &self->first.base, &self->second.base);
            assert_int_equal(edo_broadcast_length(&self->a.out), rc == 1);
            assert_int_equal(edo_broadcast_length(&self->b.out), rc == 0);
            close_cast(&self->a);
            close_cast(&self->b);
        }
        edo_return(0);
    }
}

async_test(a_subscriber_that_comes_while_others_wait, LISTENER word_listener late;)
{
    edo_body {
        int64_t rc;
        begin_listener(&self->c, &self->task);
        edo_await(rc, settle());
        edo_broadcast_subscribe(&self->c.in, &self->late);
        put_range(&self->c, 3, 3);
        expect_of(&self->late, 3, 3);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 3);
        edo_broadcast_receiver_close(&self->late);
        edo_broadcast_sender_close(&self->c.in);
        edo_return(0);
    }
}

async_test(a_ready_broadcast_is_left_when_the_budget_ends,
    cast c;
    edo_task *task;
    int64_t value, rounds;)
{
    edo_body {
        int rc;
        begin_listener(&self->c, &self->task);
        edo_broadcast_subscribe(&self->c.in, &self->c.out);
        put_range(&self->c, 1, 1);
        for (self->rounds = 0; !edo_task_is_done(self->task); self->rounds++) {
            edo_await_broadcast(rc, &self->c.out, &self->value);
            assert_in_range(rc, 1, EDO_LAGGED);
            put_range(&self->c, 1, 1);
            if (test_workers() <= 1) assert_true(self->rounds < 10000);
        }
        edo_detach(self->task);
        close_cast(&self->c);
        edo_return(0);
    }
}

/* ---- lags of several receivers ---- */

test(receivers_of_different_ages_lag_by_their_own_numbers)
{
    enum { AGES = 6, KEPT = 3 };
    cast c = make_cast(KEPT);
    word_listener out[AGES];
    int64_t value;
    for (int64_t i = 0; i < AGES; i++) {
        edo_broadcast_subscribe(&c.in, &out[i]);
        put_range(&c, i, i);
    }
    for (int64_t i = 0; i < AGES; i++) {
        int64_t missed = AGES - i - KEPT;
        if (missed > 0) {
            assert_int_equal(edo_broadcast_try_recv(&out[i], &value), EDO_LAGGED);
            assert_int_equal(edo_broadcast_missed(&out[i]), missed);
        }
        expect_of(&out[i], missed > 0 ? AGES - KEPT : i, AGES - 1);
        assert_int_equal(edo_broadcast_length(&out[i]), 0);
        edo_broadcast_receiver_close(&out[i]);
    }
    close_cast(&c);
}

test(with_one_place_all_but_the_last_are_missed)
{
    cast c = make_cast(1);
    for (int64_t n = 2; n < 40; n++) {
        put_range(&c, 1, n);
        assert_int_equal(edo_broadcast_length(&c.out), n);
        expect_lag(&c, (uint64_t)n - 1);
        expect_range(&c, n, n);
        expect_none(&c, -EAGAIN);
    }
    close_cast(&c);
}

/* A ring has a power of two of slots, of which fewer may be kept. */
test(a_lag_is_right_at_every_slot_of_the_ring)
{
    for (int64_t capacity = 1; capacity <= 9; capacity++) {
        cast c = make_cast((size_t)capacity);
        int64_t sent = 0;
        for (int64_t round = 0; round < 40; round++) {
            int64_t count = capacity + 1 + round % 5;
            put_range(&c, sent + 1, sent + count);
            sent += count;
            expect_lag(&c, (uint64_t)(count - capacity));
            expect_range(&c, sent - capacity + 1, sent);
            put_range(&c, sent + 1, sent + 1); // the next round begins at another slot
            expect_range(&c, sent + 1, sent + 1);
            sent++;
        }
        close_cast(&c);
    }
}

test(the_number_missed_is_that_of_the_last_lag)
{
    cast c = make_cast(2);
    assert_int_equal(edo_broadcast_missed(&c.out), 0);
    put_range(&c, 1, 5);
    expect_lag(&c, 3);
    expect_range(&c, 4, 5);
    expect_none(&c, -EAGAIN);
    assert_int_equal(edo_broadcast_missed(&c.out), 3);
    put_range(&c, 6, 8);
    expect_lag(&c, 1);
    close_cast(&c);
}

test(a_subscriber_has_the_whole_capacity_before_it)
{
    cast c = make_cast(3);
    word_listener late = { NULL };
    put_range(&c, 1, 7);
    expect_lag(&c, 4);
    edo_broadcast_resubscribe(&c.out, &late);
    assert_int_equal(edo_broadcast_missed(&late), 0); // that was the other's
    put_range(&c, 8, 10);
    expect_of(&late, 8, 10);
    expect_lag(&c, 3);
    expect_range(&c, 8, 10);
    edo_broadcast_receiver_close(&late);
    close_cast(&c);
}

test(a_receiver_that_is_closed_while_it_lags_holds_nobody_up)
{
    cast c = make_cast(2);
    word_listener slow = { NULL };
    edo_broadcast_subscribe(&c.in, &slow);
    put_range(&c, 1, 2);
    expect_range(&c, 1, 2);
    put_range(&c, 3, 4);
    assert_int_equal(edo_broadcast_length(&slow), 4);
    edo_broadcast_receiver_close(&slow);
    assert_int_equal(edo_broadcast_receivers(&c.in), 1);
    expect_range(&c, 3, 4);
    close_cast(&c);
}

test(what_is_sent_to_nobody_is_missed_by_nobody)
{
    cast c = make_cast(2);
    int64_t value = 1;
    edo_broadcast_receiver_close(&c.out);
    for (int i = 0; i < 9; i++)
        assert_int_equal(edo_broadcast_send(&c.in, &value), 0);
    edo_broadcast_subscribe(&c.in, &c.out);
    assert_int_equal(edo_broadcast_length(&c.out), 0);
    put_range(&c, 10, 11);
    expect_range(&c, 10, 11);
    close_cast(&c);
}

test(a_send_answers_how_many_listen_now)
{
    cast c = make_cast(2);
    word_listener more[3] = { { NULL }, { NULL }, { NULL } };
    int64_t value = 1;
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(edo_broadcast_send(&c.in, &value), i + 1);
        edo_broadcast_subscribe(&c.in, &more[i]);
    }
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(edo_broadcast_send(&c.in, &value), 4 - i);
        edo_broadcast_receiver_close(&more[i]);
        edo_broadcast_receiver_close(&more[i]); // nothing
    }
    close_cast(&c);
}

/* ---- receives that are polled by hand ---- */

#define LISTENING                                                                                  \
    cast c;                                                                                        \
    edo_op op, next;                                                                               \
    int64_t value;
#define begin_listening(capacity)                                                                  \
    do {                                                                                           \
        self->c = make_cast(capacity);                                                             \
        self->op = edo_broadcast_recv(&self->c.out, &self->value);                                 \
        self->next = edo_broadcast_recv(&self->c.out, &self->value);                               \
        assert_waits(&self->op);                                                                   \
    } while (0)

async_test(a_woken_receive_whose_value_is_overwritten_lags, LISTENING)
{
    edo_body {
        begin_listening(1);
        put_range(&self->c, 1, 3);
        assert_ends(&self->op, EDO_LAGGED);
        assert_int_equal(edo_broadcast_missed(&self->c.out), 2);
        assert_ends(&self->next, 1);
        assert_int_equal(self->value, 3);
        close_cast(&self->c);
        edo_return(0);
    }
}

async_test(one_wake_stands_for_all_values_before_the_poll, LISTENING)
{
    edo_body {
        begin_listening(4);
        put_range(&self->c, 1, 2);
        assert_ends(&self->op, 1);
        assert_int_equal(self->value, 1);
        assert_ends(&self->next, 1);
        assert_int_equal(self->value, 2);
        self->op = edo_broadcast_recv(&self->c.out, &self->value);
        assert_waits(&self->op);
        assert_cancelled(&self->op);
        close_cast(&self->c);
        edo_return(0);
    }
}

async_test(a_woken_receive_that_is_cancelled_leaves_the_value, LISTENING)
{
    edo_body {
        begin_listening(2);
        self->value = -1;
        put_range(&self->c, 1, 1);
        assert_cancelled(&self->op);
        assert_int_equal(self->value, -1);
        assert_int_equal(edo_broadcast_length(&self->c.out), 1);
        assert_ends(&self->next, 1);
        assert_int_equal(self->value, 1);
        close_cast(&self->c);
        edo_return(0);
    }
}

async_test(a_receive_that_is_cancelled_at_the_lag_leaves_the_lag, LISTENING)
{
    edo_body {
        begin_listening(2);
        put_range(&self->c, 1, 5);
        assert_cancelled(&self->op);
        assert_int_equal(edo_broadcast_missed(&self->c.out), 0);
        assert_int_equal(edo_broadcast_length(&self->c.out), 5);
        assert_ends(&self->next, EDO_LAGGED);
        assert_int_equal(edo_broadcast_missed(&self->c.out), 3);
        expect_range(&self->c, 4, 5);
        close_cast(&self->c);
        edo_return(0);
    }
}

async_test(a_receive_that_is_cancelled_at_the_end_leaves_the_end, LISTENING)
{
    edo_body {
        begin_listening(2);
        edo_broadcast_sender_close(&self->c.in);
        assert_cancelled(&self->op);
        assert_ends(&self->next, 0);
        expect_none(&self->c, 0);
        edo_broadcast_receiver_close(&self->c.out);
        edo_return(0);
    }
}

async_test(an_end_that_comes_while_one_lags_takes_no_value, LISTENING)
{
    edo_body {
        begin_listening(2);
        put_range(&self->c, 1, 4);
        edo_broadcast_sender_close(&self->c.in);
        assert_ends(&self->op, EDO_LAGGED);
        assert_int_equal(edo_broadcast_missed(&self->c.out), 2);
        assert_ends(&self->next, 1);
        assert_int_equal(self->value, 3);
        expect_range(&self->c, 4, 4);
        expect_none(&self->c, 0);
        edo_broadcast_receiver_close(&self->c.out);
        edo_return(0);
    }
}

async_test(without_budget_no_value_is_taken, LISTENING)
{
    edo_body {
        int rc;
        self->c = make_cast(2);
        put_range(&self->c, 1, 1);
        self->op = edo_broadcast_recv(&self->c.out, &self->value);
        spend_budget();
        assert_waits(&self->op);
        assert_int_equal(edo_broadcast_length(&self->c.out), 1);
        edo_await_on(rc, &self->op.base);
        assert_int_equal(rc, 1);
        assert_int_equal(self->value, 1);
        close_cast(&self->c);
        edo_return(0);
    }
}

allocator_fixture() async_test(waiting_receives_allocate_nothing, LISTENING uint64_t calls;)
{
    edo_body {
        self->c = make_cast(2);
        self->calls = test_allocator_calls();
        for (int64_t i = 0; i < 50; i++) {
            self->op = edo_broadcast_recv(&self->c.out, &self->value);
            assert_waits(&self->op);
            if (i % 2) {
                assert_cancelled(&self->op);
                continue;
            }
            put_range(&self->c, i, i);
            assert_ends(&self->op, 1);
            assert_int_equal(self->value, i);
        }
        assert_int_equal(test_allocator_calls(), self->calls);
        close_cast(&self->c);
        edo_return(0);
    }
}

/* ---- senders that wait for the close ---- */

async_test(only_the_last_of_several_receivers_wakes_a_sender,
    cast c;
    word_listener second;
    edo_op first, other;)
{
    edo_body {
        self->c = make_cast(2);
        edo_broadcast_subscribe(&self->c.in, &self->second);
        self->first = edo_broadcast_closed(&self->c.in);
        self->other = edo_broadcast_closed(&self->c.in);
        assert_waits(&self->first);
        assert_waits(&self->other);
        edo_broadcast_receiver_close(&self->c.out);
        assert_waits(&self->first);
        assert_cancelled(&self->other);
        edo_broadcast_receiver_close(&self->second);
        assert_ends(&self->first, 0);
        self->other = edo_broadcast_closed(&self->c.in);
        assert_ends(&self->other, 0); // at once
        edo_broadcast_sender_close(&self->c.in);
        edo_return(0);
    }
}

async_test(a_sender_waits_for_the_close_again_after_a_subscription,
    cast c;
    edo_op op;)
{
    edo_body {
        self->c = make_cast(2);
        edo_broadcast_receiver_close(&self->c.out);
        edo_broadcast_subscribe(&self->c.in, &self->c.out);
        self->op = edo_broadcast_closed(&self->c.in);
        assert_waits(&self->op);
        edo_broadcast_receiver_close(&self->c.out);
        assert_ends(&self->op, 0);
        edo_broadcast_subscribe(&self->c.in, &self->c.out);
        self->op = edo_broadcast_closed(&self->c.in);
        assert_waits(&self->op);
        edo_broadcast_receiver_close(&self->c.out);
        assert_int_equal(cancel(&self->op), 0); // cancelled too late: closed before
        edo_broadcast_sender_close(&self->c.in);
        edo_return(0);
    }
}

/* ---- weak senders ---- */

async_test(the_last_sender_wakes_receivers_beside_weak_ones, LISTENING word_weak weak;)
{
    edo_body {
        begin_listening(2);
        edo_broadcast_downgrade(&self->c.in, &self->weak);
        assert_waits(&self->op);
        edo_broadcast_sender_close(&self->c.in);
        assert_ends(&self->op, 0);
        edo_broadcast_receiver_close(&self->c.out);
        edo_broadcast_weak_close(&self->weak);
        edo_return(0);
    }
}

async_test(a_weak_sender_that_is_closed_wakes_nobody, LISTENING word_weak weak;)
{
    edo_body {
        begin_listening(2);
        edo_broadcast_downgrade(&self->c.in, &self->weak);
        edo_broadcast_weak_close(&self->weak);
        assert_waits(&self->op);
        put_range(&self->c, 1, 1);
        assert_ends(&self->op, 1);
        close_cast(&self->c);
        edo_return(0);
    }
}

test(an_upgrade_keeps_the_broadcast_open)
{
    cast c = make_cast(2);
    word_weak weak = { NULL };
    word_caster strong[2] = { { NULL }, { NULL } };
    edo_broadcast_downgrade(&c.in, &weak);
    for (int i = 0; i < 2; i++)
        assert_int_equal(edo_broadcast_upgrade(&weak, &strong[i]), 0);
    assert_int_equal(edo_broadcast_senders(&c.in), 3);
    edo_broadcast_sender_close(&c.in);
    edo_broadcast_sender_close(&strong[0]);
    expect_none(&c, -EAGAIN);
    assert_int_equal(edo_broadcast_upgrade(&weak, &c.in), 0); // and once more
    edo_broadcast_sender_close(&strong[1]);
    put_range(&c, 1, 1);
    expect_range(&c, 1, 1);
    edo_broadcast_weak_close(&weak);
    close_cast(&c);
}

test(what_has_ended_is_opened_by_no_weak_sender)
{
    cast c = make_cast(2);
    word_weak weak[2] = { { NULL }, { NULL } };
    word_caster strong = { NULL };
    for (int i = 0; i < 2; i++)
        edo_broadcast_downgrade(&c.in, &weak[i]);
    put_range(&c, 1, 1);
    edo_broadcast_sender_close(&c.in);
    for (int i = 0; i < 2; i++)
        assert_int_equal(edo_broadcast_upgrade(&weak[i], &strong), -EPIPE); // a value is left
    expect_range(&c, 1, 1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(edo_broadcast_upgrade(&weak[i], &strong), -EPIPE);
        edo_broadcast_weak_close(&weak[i]);
    }
    expect_none(&c, 0);
    edo_broadcast_receiver_close(&c.out);
}

test(a_weak_sender_is_upgraded_while_nobody_listens)
{
    cast c = make_cast(2);
    word_weak weak = { NULL };
    word_caster strong = { NULL };
    int64_t value = 1;
    edo_broadcast_downgrade(&c.in, &weak);
    edo_broadcast_receiver_close(&c.out);
    assert_int_equal(edo_broadcast_upgrade(&weak, &strong), 0);
    assert_int_equal(edo_broadcast_send(&strong, &value), 0);
    edo_broadcast_subscribe(&strong, &c.out);
    assert_int_equal(edo_broadcast_send(&strong, &value), 1);
    expect_range(&c, 1, 1);
    edo_broadcast_sender_close(&strong);
    edo_broadcast_weak_close(&weak);
    close_cast(&c);
}

static void *upgrade_and_send(void *arg)
{
    word_weak *weak = arg;
    word_caster strong = { NULL };
    int64_t sent = 0;
    while (edo_broadcast_upgrade(weak, &strong) == 0) {
        edo_broadcast_send(&strong, &sent);
        sent++;
        edo_broadcast_sender_close(&strong);
        if (sent == 200) break;
    }
    edo_broadcast_weak_close(weak);
    return (void *)(intptr_t)sent;
}

/* Each upgrade either fails or is heard: the end comes behind the last value. */
test(an_upgrade_that_races_with_the_last_close_is_heard_or_fails)
{
    for (int round = 0; round < 30; round++) {
        cast c = make_cast(256);
        word_weak weak = { NULL };
        pthread_t thread;
        void *sent;
        int64_t value, got = 0;
        edo_broadcast_downgrade(&c.in, &weak);
        assert_int_equal(pthread_create(&thread, NULL, upgrade_and_send, &weak), 0);
        if (round % 2) { // it has sent before the last close
            assert_int_equal(edo_wait(edo_broadcast_recv(&c.out, &value)), 1);
            assert_int_equal(value, got++);
        }
        edo_broadcast_sender_close(&c.in);
        while (edo_wait(edo_broadcast_recv(&c.out, &value)) == 1)
            assert_int_equal(value, got++);
        assert_int_equal(pthread_join(thread, &sent), 0);
        assert_int_equal((intptr_t)sent, got);
        edo_broadcast_receiver_close(&c.out);
    }
}

/* ---- threads: no value is torn, and their order is one ---- */

enum { SENDS = 30000, SENDERS = 2, THREADS = 5, WIDE = 8 };

typedef struct wide {
    int64_t sender, number, same[WIDE - 2];
} wide;

typedef edo_broadcast_sender(wide) wide_caster;
typedef edo_broadcast_receiver(wide) wide_listener;

static struct {
    wide_caster in[SENDERS];
    wide_listener out[THREADS];
    int64_t missed[THREADS], got[THREADS];
} shared;

static void send_all(unsigned index)
{
    for (int64_t i = 0; i < SENDS; i++) {
        wide value = { .sender = (int64_t)index, .number = i };
        for (int k = 0; k < WIDE - 2; k++)
            value.same[k] = i;
        edo_broadcast_send(&shared.in[index], &value);
    }
    edo_broadcast_sender_close(&shared.in[index]);
}

static void check_value(const wide *value, int64_t *last)
{
    for (int k = 0; k < WIDE - 2; k++)
        if (value->same[k] != value->number) abort();
    if (value->number <= last[value->sender]) abort();
    last[value->sender] = value->number;
}

static void listen_or_send(unsigned index, void *arg)
{
    (void)arg;
    if (index < SENDERS) {
        send_all(index);
        return;
    }
    int64_t rc, last[SENDERS] = { -1, -1 };
    wide value;
    while ((rc = edo_wait(edo_broadcast_recv(&shared.out[index], &value))) > 0) {
        if (rc == EDO_LAGGED) {
            shared.missed[index] += (int64_t)edo_broadcast_missed(&shared.out[index]);
            continue;
        }
        check_value(&value, last);
        shared.got[index]++;
        while (edo_broadcast_try_recv(&shared.out[index], &value) == 1) {
            check_value(&value, last);
            shared.got[index]++;
        }
    }
    edo_broadcast_receiver_close(&shared.out[index]);
}

static void run_shared(size_t capacity)
{
    memset(&shared, 0, sizeof shared);
    assert_int_equal(edo_broadcast_create(&shared.in[0], &shared.out[SENDERS], capacity), 0);
    shared.in[1] = edo_broadcast_sender_clone(&shared.in[0]);
    for (int i = SENDERS + 1; i < THREADS; i++)
        edo_broadcast_subscribe(&shared.in[0], &shared.out[i]);
    run_threads(THREADS, listen_or_send, NULL);
    for (int i = SENDERS; i < THREADS; i++)
        assert_in_range(shared.got[i] + shared.missed[i], 1, SENDS * SENDERS);
}

test(threads_get_whole_values)
{
    run_shared(1);
    run_shared(2);
    run_shared(3);
    run_shared(64);
}

struct counts {
    edo_frame();
    edo_args(word_listener out;);
    int64_t value, next;
};

edo_async(counts)
{
    edo_body {
        int rc;
        for (self->next = 1;;) {
            edo_await_broadcast(rc, &self->out, &self->value);
            if (rc == 0) break;
            if (rc == EDO_LAGGED) {
                self->next += (int64_t)edo_broadcast_missed(&self->out);
                continue;
            }
            assert_int_equal(self->value, self->next);
            self->next++;
        }
        edo_broadcast_receiver_close(&self->out);
        edo_return(self->next - 1);
    }
}

async_test(values_and_lags_add_up,
    cast c;
    edo_task *tasks[4];
    int64_t i;)
{
    edo_body {
        int64_t rc;
        self->c = make_cast(3);
        for (self->i = 0; self->i < 4; self->i++) {
            word_listener out = { NULL };
            edo_broadcast_subscribe(&self->c.in, &out);
            assert_int_equal(edo_spawn(&self->tasks[self->i], counts, .out = out), 0);
        }
        for (self->i = 1; self->i <= SENDS; self->i++) {
            put_range(&self->c, self->i, self->i);
            if (self->i % 5 == 0) edo_await(rc, edo_yield());
        }
        close_cast(&self->c);
        for (self->i = 0; self->i < 4; self->i++) {
            edo_await(rc, edo_join(self->tasks[self->i]));
            assert_int_equal(rc, SENDS);
        }
        edo_return(0);
    }
}

/* ---- misuse ---- */

static void run_closed_end(void *arg)
{
    cast c = make_cast(1);
    int64_t value = 1;
    close_cast(&c);
    if (arg)
        edo_broadcast_send(&c.in, &value);
    else
        (void)!edo_broadcast_try_recv(&c.out, &value);
}

test(misuse_aborts)
{
    expect_abort(run_closed_end, NULL, "edo_broadcast_try_recv: this end was closed");
    expect_abort(run_closed_end, (void *)1, "edo_broadcast_send: this end was closed");
}
