/* Channels with several receivers: each value reaches one of them, and no wake is lost. */
#include "sync/channels.h"

async_test(each_value_goes_to_one_receiver,
    words w;
    word_receiver second;
    int64_t a, b;)
{
    edo_body {
        int rc;
        self->w = make_words(MPMC, SMALL);
        self->second = edo_receiver_clone(&self->w.out);
        put_range(&self->w, 1, 2);
        edo_await_recv(rc, &self->w.out, &self->a);
        assert_int_equal(rc, 1);
        edo_await_recv(rc, &self->second, &self->b);
        assert_int_equal(rc, 1);
        assert_int_equal(self->a, 1);
        assert_int_equal(self->b, 2);
        edo_receiver_close(&self->second);
        close_words(&self->w);
        edo_return(0);
    }
}

test(receivers_are_counted)
{
    words w = make_words(MPMC, SMALL);
    word_receiver second = edo_receiver_clone(&w.out);
    assert_true(edo_same_channel(&w.out, &second));
    assert_int_equal(edo_sender_stats(&w.in).receivers, 2);
    edo_receiver_close(&w.out);
    assert_false(edo_sender_stats(&w.in).is_closed);
    edo_receiver_close(&second);
    assert_true(edo_sender_stats(&w.in).is_closed);
    int64_t value = 1;
    assert_int_equal(edo_try_send(&w.in, &value), -EPIPE);
    edo_sender_close(&w.in);
}

#define TWO_TASKS                                                                                  \
    words w;                                                                                       \
    edo_task *first, *second;

static edo_task *start_receive(const words *w)
{
    edo_task *task;
    assert_int_equal(edo_spawn(&task, word_receives, .out = &w->out), 0);
    return task;
}

async_test(waiting_receivers_are_served_in_their_order, TWO_TASKS)
{
    edo_body {
        int64_t rc;
        self->w = make_words(MPMC, SMALL);
        self->first = start_receive(&self->w);
        edo_await(rc, settle());
        self->second = start_receive(&self->w);
        edo_await(rc, settle());
        put_range(&self->w, 10, 10);
        edo_await(rc, edo_join(self->first));
        assert_int_equal(rc, 10);
        put_range(&self->w, 11, 11);
        edo_await(rc, edo_join(self->second));
        assert_int_equal(rc, 11);
        close_words(&self->w);
        edo_return(0);
    }
}

async_test(two_values_wake_two_receivers, TWO_TASKS)
{
    edo_body {
        int64_t a, b;
        self->w = make_words(MPMC, SMALL);
        assert_int_equal(edo_spawn(&self->first, word_receives, .out = &self->w.out), 0);
        assert_int_equal(edo_spawn(&self->second, word_receives, .out = &self->w.out), 0);
        edo_await(a, settle());
        put_range(&self->w, 1, 2);
        edo_await(a, edo_join(self->first));
        assert_true(a == 1 || a == 2);
        edo_await(b, edo_join(self->second));
        assert_true(b == 1 || b == 2);
        close_words(&self->w);
        edo_return(0);
    }
}

/* Woken and then cancelled, in the same step: the other receiver gets the value. */
async_test(a_cancelled_receiver_passes_its_wake_on, TWO_TASKS)
{
    edo_body {
        int64_t rc;
        self->w = make_words(MPMC, SMALL);
        self->first = start_receive(&self->w);
        edo_await(rc, settle());
        self->second = start_receive(&self->w);
        edo_await(rc, settle());
        edo_task_cancel(self->first);
        put_range(&self->w, 7, 7);
        edo_await(rc, edo_join(self->first));
        if (rc != -ECANCELED) { // on workers the cancellation may be too late
            assert_int_equal(rc, 7);
            put_range(&self->w, 7, 7);
        }
        edo_await(rc, edo_join(self->second));
        assert_int_equal(rc, 7);
        close_words(&self->w);
        edo_return(0);
    }
}

async_test(the_end_wakes_all_receivers,
    words w;
    edo_task *tasks[3];
    int i;)
{
    edo_body {
        int64_t rc;
        self->w = make_words(MPMC, SMALL);
        for (self->i = 0; self->i < 3; self->i++)
            assert_int_equal(edo_spawn(&self->tasks[self->i], word_receives, .out = &self->w.out),
                             0);
        edo_await(rc, settle());
        put_range(&self->w, 5, 5);
        edo_sender_close(&self->w.in);
        for (self->i = 0; self->i < 3; self->i++) {
            edo_await(rc, edo_join(self->tasks[self->i]));
            assert_true(rc == 5 || rc == 0);
        }
        expect_none(&self->w, 0);
        edo_receiver_close(&self->w.out);
        edo_return(0);
    }
}

/* One receiver gets the value of the last permit, the others the end. */
async_test(the_last_permit_ends_it_for_all,
    words w;
    word_permits permits;
    edo_task *tasks[3];
    int i, values;)
{
    edo_body {
        int64_t rc;
        static const int64_t five = 5;
        self->w = make_words(MPMC, SMALL);
        assert_int_equal(edo_try_reserve(&self->w.in, &self->permits, 1), 0);
        for (self->i = 0; self->i < 3; self->i++)
            assert_int_equal(edo_spawn(&self->tasks[self->i], word_receives, .out = &self->w.out),
                             0);
        edo_sender_close(&self->w.in);
        edo_await(rc, settle());
        assert_int_equal(edo_permits_send(&self->permits, &five), 0);
        for (self->i = self->values = 0; self->i < 3; self->i++) {
            edo_await_for(rc, edo_s(1), edo_join(self->tasks[self->i]));
            assert_true(rc == 5 || rc == 0);
            self->values += rc == 5;
        }
        assert_int_equal(self->values, 1);
        edo_receiver_close(&self->w.out);
        edo_return(0);
    }
}

/* Another receiver takes the value between a wake and its poll: the woken one waits on, at the
 * front. */
current_thread_only("the value is taken before the woken task runs")
async_test(a_receiver_that_was_overtaken_keeps_its_place, TWO_TASKS)
{
    edo_body {
        int64_t rc;
        self->w = make_words(MPMC, SMALL);
        self->first = start_receive(&self->w);
        edo_await(rc, settle());
        self->second = start_receive(&self->w);
        edo_await(rc, settle());
        put_range(&self->w, 1, 1);
        expect_range(&self->w, 1, 1);
        edo_await(rc, settle());
        assert_false(edo_task_is_done(self->first));
        put_range(&self->w, 2, 2);
        edo_await(rc, settle());
        assert_true(edo_task_is_done(self->first));
        assert_false(edo_task_is_done(self->second));
        put_range(&self->w, 3, 3);
        edo_await(rc, edo_join(self->first));
        assert_int_equal(rc, 2);
        edo_await(rc, edo_join(self->second));
        assert_int_equal(rc, 3);
        close_words(&self->w);
        edo_return(0);
    }
}

async_test(a_receive_of_many_shares_with_others,
    words w;
    int64_t values[SMALL];)
{
    edo_body {
        int rc;
        self->w = make_words(MPMC, SMALL);
        put_range(&self->w, 1, SMALL);
        edo_await(rc, edo_recv_many(&self->w.out, self->values, 3));
        assert_int_equal(rc, 3);
        assert_int_equal(self->values[2], 3);
        expect_range(&self->w, SMALL, SMALL);
        expect_none(&self->w, -EAGAIN);
        close_words(&self->w);
        edo_return(0);
    }
}

/* ---- several receivers, by hand ---- */

#define TWO_RECEIVERS                                                                              \
    words w;                                                                                       \
    word_receiver second;                                                                          \
    edo_op a, b, op;                                                                               \
    int64_t x, y, value;                                                                           \
    int kind;
#define begin_two(capacity)                                                                        \
    do {                                                                                           \
        self->w = make_words((channel_kind)self->kind, (capacity));                                \
        self->second = edo_receiver_clone(&self->w.out);                                           \
        self->a = edo_recv(&self->w.out, &self->x);                                                \
        self->b = edo_recv(&self->second, &self->y);                                               \
        self->value = 9;                                                                           \
    } while (0)
#define end_two()                                                                                  \
    do {                                                                                           \
        edo_receiver_close(&self->second);                                                         \
        close_words(&self->w);                                                                     \
    } while (0)

async_test(one_value_wakes_one_of_two_receivers, TWO_RECEIVERS)
{
    edo_body {
        for (self->kind = MPMC; self->kind <= MPMC_UNBOUNDED; self->kind += 2) {
            begin_two(2);
            assert_waits(&self->a);
            assert_waits(&self->b);
            put_range(&self->w, 1, 1);
            assert_waits(&self->b);
            assert_ends(&self->a, 1);
            assert_int_equal(self->x, 1);
            put_range(&self->w, 2, 2);
            assert_ends(&self->b, 1);
            assert_int_equal(self->y, 2);
            end_two();
        }
        edo_return(0);
    }
}

/* Its value was taken by a try; the other one that waits gets the next. */
async_test(a_woken_receiver_without_a_value_waits_again_in_front, TWO_RECEIVERS)
{
    edo_body {
        for (self->kind = MPMC; self->kind <= MPMC_UNBOUNDED; self->kind += 2) {
            begin_two(2);
            assert_waits(&self->a);
            assert_waits(&self->b);
            put_range(&self->w, 1, 1);
            expect_range(&self->w, 1, 1);
            assert_waits(&self->a);
            put_range(&self->w, 2, 2);
            assert_waits(&self->b);
            assert_ends(&self->a, 1);
            assert_int_equal(self->x, 2);
            assert_cancelled(&self->b);
            end_two();
        }
        edo_return(0);
    }
}

async_test(a_cancelled_receiver_at_the_end_takes_no_end_from_the_other, TWO_RECEIVERS)
{
    edo_body {
        for (self->kind = MPMC; self->kind <= MPMC_UNBOUNDED; self->kind += 2) {
            begin_two(2);
            assert_waits(&self->a);
            assert_waits(&self->b);
            edo_sender_close(&self->w.in);
            assert_cancelled(&self->a);
            assert_ends(&self->b, 0);
            end_two();
        }
        edo_return(0);
    }
}

async_test(a_sender_is_refused_when_the_last_receiver_goes, TWO_RECEIVERS edo_op closed;)
{
    edo_body {
        self->kind = MPMC;
        begin_two(1);
        put_range(&self->w, 1, 1);
        self->op = edo_send(&self->w.in, &self->value);
        self->closed = edo_sender_closed(&self->w.in);
        assert_waits(&self->op);
        assert_waits(&self->closed);
        edo_receiver_close(&self->w.out);
        assert_waits(&self->op);
        assert_waits(&self->closed);
        edo_receiver_close(&self->second);
        assert_ends(&self->op, -EPIPE);
        assert_ends(&self->closed, 0);
        assert_int_equal(self->value, 9);
        edo_sender_close(&self->w.in);
        edo_return(0);
    }
}

async_test(a_receiver_that_is_left_takes_all_that_is_left, TWO_RECEIVERS)
{
    edo_body {
        for (self->kind = MPMC; self->kind <= MPMC_UNBOUNDED; self->kind += 2) {
            begin_two(4);
            put_range(&self->w, 1, 4);
            edo_sender_close(&self->w.in);
            edo_receiver_close(&self->w.out);
            for (int64_t i = 1; i <= 4; i++) {
                self->b = edo_recv(&self->second, &self->y);
                assert_ends(&self->b, 1);
                assert_int_equal(self->y, i);
            }
            self->b = edo_recv(&self->second, &self->y);
            assert_ends(&self->b, 0);
            edo_receiver_close(&self->second);
        }
        edo_return(0);
    }
}

/* ---- threads ---- */

enum { THREADS = 4, PER_THREAD = 20000 };

static struct {
    words w;
    uint64_t sums[THREADS], counts[THREADS];
} crowd;

static void in_crowd(unsigned index, void *arg)
{
    (void)arg;
    if (index % 2 == 0) {
        for (int64_t i = 1; i <= PER_THREAD; i++)
            if (edo_wait(edo_send(&crowd.w.in, &i)) != 0) abort();
        word_sender own = crowd.w.in;
        edo_sender_close(&own);
        return;
    }
    int64_t value;
    while (edo_wait(edo_recv(&crowd.w.out, &value)) == 1) {
        crowd.sums[index] += (uint64_t)value;
        crowd.counts[index]++;
    }
}

static void run_crowd(size_t capacity)
{
    memset(&crowd, 0, sizeof crowd);
    crowd.w = make_words(capacity ? MPMC : MPMC_UNBOUNDED, capacity);
    word_sender second = edo_sender_clone(&crowd.w.in); // closed by the other thread
    (void)second;
    run_threads(THREADS, in_crowd, NULL);
    uint64_t sum = 0, count = 0;
    for (int i = 0; i < THREADS; i++) {
        sum += crowd.sums[i];
        count += crowd.counts[i];
    }
    assert_int_equal(count, THREADS / 2 * PER_THREAD);
    assert_int_equal(sum, (uint64_t)PER_THREAD * (PER_THREAD + 1) / 2 * (THREADS / 2));
    edo_receiver_close(&crowd.w.out);
}

test(plain_threads_lose_nothing)
{
    run_crowd(1);
    run_crowd(3);
    run_crowd(128);
    run_crowd(0);
}

/* ---- tasks, on several workers ---- */

struct many_sends {
    edo_frame();
    edo_args(word_sender in;);
    int64_t i;
};

edo_async(many_sends)
{
    edo_body {
        int rc = 0;
        for (self->i = 1; self->i <= PER_THREAD; self->i++) {
            edo_await_send(rc, &self->in, &self->i);
            if (rc < 0) break;
        }
        edo_sender_close(&self->in);
        edo_return(rc);
    }
}

struct many_receives {
    edo_frame();
    edo_args(word_receiver out; uint64_t *sum;);
    int64_t value;
};

edo_async(many_receives)
{
    edo_body {
        int rc;
        for (;;) {
            edo_await_recv(rc, &self->out, &self->value);
            if (rc != 1) break;
            edo_add_relaxed(self->sum, (uint64_t)self->value);
        }
        edo_receiver_close(&self->out);
        edo_return(rc);
    }
}

async_test(tasks_lose_nothing,
    words w;
    edo_scope scope;
    uint64_t sum;
    int i;)
{
    edo_body {
        int rc;
        self->sum = 0;
        self->w = make_words(MPMC, SMALL);
        edo_scope_open(&self->scope, 0);
        for (self->i = 0; self->i < 3; self->i++) {
            word_sender in = edo_sender_clone(&self->w.in);
            word_receiver out = edo_receiver_clone(&self->w.out);
            assert_int_equal(edo_scope_spawn(&self->scope, many_sends, .in = in), 0);
            assert_int_equal(
                edo_scope_spawn(&self->scope, many_receives, .out = out, .sum = &self->sum), 0);
        }
        close_words(&self->w);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(rc, 0);
        assert_int_equal(self->sum, (uint64_t)PER_THREAD * (PER_THREAD + 1) / 2 * 3);
        edo_return(0);
    }
}
