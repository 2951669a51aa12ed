/* Sinks and forwarding: functions, channels, two sinks. */
#include <string.h>

#include "sequence/cut.h"

typedef edo_sender(int64_t) number_sender;
typedef edo_receiver(int64_t) number_receiver;

/* ---- functions ---- */

struct numbers {
    int64_t values[20];
    int count;
};

static int64_t keep(void *context, const void *item)
{
    struct numbers *numbers = context;
    int64_t value = *(const int64_t *)item;
    if (value % 5 == 4) return -EDOM;
    numbers->values[numbers->count++] = value;
    return 0;
}

static int64_t is_even(void *context, const void *item)
{
    (void)context;
    int64_t value = *(const int64_t *)item;
    return value == 7 ? -ERANGE : value % 2 == 0;
}

/* A refused item stays in the forward: the same item is refused again. */
async_test(a_forward_stops_at_a_refused_item, edo_range in; edo_function_sink_of(int64_t) out;
           edo_forward_of(int64_t) forward; struct numbers numbers;)
{
    edo_body {
        int rc;
        self->numbers.count = 0;
        edo_range_init(&self->in, 0, 10, 1);
        edo_function_sink_init(&self->out, keep, &self->numbers);
        edo_forward_init(&self->forward, &self->in, &self->out);
        edo_await(rc, edo_forward(&self->forward));
        assert_int_equal(rc, -EDOM);
        assert_int_equal(edo_op_progress(edo_last_op()), 4);
        edo_await(rc, edo_forward(&self->forward));
        assert_int_equal(rc, -EDOM);
        assert_int_equal(edo_op_progress(edo_last_op()), 0);
        assert_int_equal(self->numbers.count, 4);
        edo_return(0);
    }
}

async_test(a_split_divides_and_both_doubles, edo_function_sink_of(int64_t) yes, no;
           edo_pair_sink_of(int64_t) pair; struct numbers even, odd; int64_t i;)
{
    edo_body {
        int rc;
        self->even.count = self->odd.count = 0;
        edo_function_sink_init(&self->yes, keep, &self->even);
        edo_function_sink_init(&self->no, keep, &self->odd);
        edo_split_sink_init(&self->pair, &self->yes, &self->no, is_even, NULL);
        for (self->i = 0; self->i < 9; self->i++) {
            edo_await_sink_send(rc, &self->pair, &self->i);
            assert_int_equal(rc, self->i == 7 ? -ERANGE : self->i == 4 ? -EDOM : 0);
        }
        assert_int_equal(self->even.count, 4); // 0 2 6 8
        assert_int_equal(self->even.values[2], 6);
        assert_int_equal(self->odd.count, 3); // 1 3 5
        assert_int_equal(self->odd.values[2], 5);
        edo_both_sink_init(&self->pair, &self->yes, &self->no);
        self->i = 11;
        edo_await(rc, edo_sink_send_many(&self->pair, &self->i, 1));
        assert_int_equal(rc, 1);
        edo_await(rc, edo_sink_close(&self->pair));
        assert_int_equal(rc, 0);
        assert_int_equal(self->even.values[4], 11);
        assert_int_equal(self->odd.values[3], 11);
        edo_return(0);
    }
}

/* ---- two sinks, of which one waits ---- */

enum { WAITS = EDO_NEXT_WAITS, MOST_ANSWERS = 4 };

/* Answers each call of `ready`, `flush` or `close` with the next number of a list, and then with 0.
 * A cancelled call answers -ECANCELED instead of a wait. */
typedef struct listed {
    edo_sink sink;
    int64_t answers[MOST_ANSWERS];
    int calls, closes, items;
} listed;

static int64_t listed_step(edo_sink *sink, edo_cx *cx)
{
    listed *self = (listed *)(void *)sink;
    int64_t answer = self->calls < MOST_ANSWERS ? self->answers[self->calls] : 0;
    self->calls++;
    if (answer != WAITS) return answer;
    if (edo_cx_fate(cx) != EDO_LIVE) return -ECANCELED;
    edo_wake(edo_cx_waker(cx));
    return EDO_NEXT_WAITS;
}

static int64_t listed_close(edo_sink *sink, edo_cx *cx)
{
    ((listed *)(void *)sink)->closes++;
    return listed_step(sink, cx);
}

static int64_t listed_put(edo_sink *sink, const void *item)
{
    (void)item;
    ((listed *)(void *)sink)->items++;
    return 0;
}

#define listed_init(listed_sink, ...)                                                              \
    do {                                                                                           \
        static const edo_sink_ops ops_ = { .name = "listed",                                       \
                                           .ready = listed_step,                                   \
                                           .put = listed_put,                                      \
                                           .flush = listed_step,                                   \
                                           .close = listed_close };                                \
        *(listed_sink) = (listed){ .sink = EDO_SINK_INIT(&ops_, sizeof(int64_t)),                  \
                                   .answers = { __VA_ARGS__ } };                                   \
    } while (0)

#define pair_test(name, ...)                                                                       \
    async_test(name, edo_pair_sink_of(int64_t) pair; listed a, b; int64_t item; cut cut;           \
               __VA_ARGS__)

static void pair_init(edo__pair_sink *pair, listed *a, listed *b)
{
    edo__pair_sink_init(pair, &a->sink, &b->sink, NULL, NULL, sizeof(int64_t));
}

pair_test(an_error_of_one_sink_outlasts_the_wait_of_the_other, )
{
    edo_body {
        int rc;
        listed_init(&self->a, -EIO);
        listed_init(&self->b, WAITS, WAITS);
        pair_init(&self->pair.edo_impl, &self->a, &self->b);
        edo_await(rc, edo_sink_send(&self->pair, &self->item));
        assert_int_equal(rc, -EIO);
        assert_int_equal(self->a.calls, 1);
        assert_int_equal(self->b.calls, 3);
        assert_int_equal(self->a.items + self->b.items, 0);
        edo_await(rc, edo_sink_send(&self->pair, &self->item));
        assert_int_equal(rc, 0);
        assert_int_equal(self->a.items, 1);
        assert_int_equal(self->b.items, 1);
        listed_init(&self->a, WAITS, -EPIPE);
        listed_init(&self->b, -EIO);
        edo_await(rc, edo_sink_flush(&self->pair));
        assert_int_equal(rc, -EIO);
        edo_await(rc, edo_sink_flush(&self->pair));
        assert_int_equal(rc, 0);
        edo_return(0);
    }
}

pair_test(a_sink_that_has_closed_is_not_closed_again, )
{
    edo_body {
        int rc;
        listed_init(&self->a, 0);
        listed_init(&self->b, WAITS, WAITS, WAITS, -EIO);
        pair_init(&self->pair.edo_impl, &self->a, &self->b);
        cut_init(&self->cut, edo_sink_close(&self->pair), 1);
        edo_await_on(rc, &self->cut.base);
        assert_int_equal(rc, -ECANCELED);
        edo_await(rc, edo_sink_send(&self->pair, &self->item));
        assert_int_equal(rc, -EPIPE); // one of the sinks has closed
        edo_await(rc, edo_sink_flush(&self->pair));
        assert_int_equal(rc, 0);
        listed_init(&self->b, WAITS, -EIO);
        edo_await(rc, edo_sink_close(&self->pair));
        assert_int_equal(rc, -EIO);
        assert_int_equal(self->a.closes, 1);
        assert_int_equal(self->b.closes, 2);
        edo_return(0);
    }
}

/* The error of a close stays until the other sink has closed, too. */
pair_test(an_error_of_a_cancelled_close_is_answered_later, )
{
    edo_body {
        int rc;
        listed_init(&self->a, -EIO);
        listed_init(&self->b, WAITS, WAITS);
        pair_init(&self->pair.edo_impl, &self->a, &self->b);
        cut_init(&self->cut, edo_sink_close(&self->pair), 1);
        edo_await_on(rc, &self->cut.base);
        assert_int_equal(rc, -ECANCELED);
        edo_await(rc, edo_sink_close(&self->pair));
        assert_int_equal(rc, -EIO);
        assert_int_equal(self->a.closes, 1);
        edo_return(0);
    }
}

/* A cancelled send has asked one sink whether it is ready. The flush asks both. */
pair_test(another_step_asks_both_sinks, )
{
    edo_body {
        int rc;
        listed_init(&self->a, 0);
        listed_init(&self->b, WAITS, WAITS);
        pair_init(&self->pair.edo_impl, &self->a, &self->b);
        cut_init(&self->cut, edo_sink_send(&self->pair, &self->item), 1);
        edo_await_on(rc, &self->cut.base);
        assert_int_equal(rc, -ECANCELED);
        assert_int_equal(self->a.calls, 1);
        edo_await(rc, edo_sink_flush(&self->pair));
        assert_int_equal(rc, 0);
        assert_int_equal(self->a.calls, 2);
        edo_return(0);
    }
}

/* ---- channels ---- */

/* A cancelled send has sent nothing, at whatever poll, and the closed sink gives its place back. */
async_test(a_sink_of_a_channel_waits_for_a_place, number_sender tx; number_receiver rx;
           edo_sender_sink_of(int64_t) out; int64_t item, value; cut cut; uint64_t i;)
{
    edo_body {
        int rc;
        edo_check(edo_mpsc_create(&self->tx, &self->rx, 2));
        edo_sender_sink_init(&self->out, &self->tx);
        for (self->item = 0; self->item < 2; self->item++) {
            edo_await_sink_send(rc, &self->out, &self->item);
            assert_int_equal(rc, 0);
        }
        for (self->i = 0; self->i < 4; self->i++) {
            cut_init(&self->cut, edo_sink_send(&self->out, &self->item), self->i);
            if (self->i == 3) assert_int_equal(edo_try_recv(&self->rx, &self->value), 1);
            edo_await_on(rc, &self->cut.base);
            assert_int_equal(rc, self->i == 3 ? 0 : -ECANCELED);
        }
        assert_int_equal(edo_try_recv(&self->rx, &self->value), 1);
        assert_int_equal(self->value, 1);
        assert_int_equal(edo_try_recv(&self->rx, &self->value), 1);
        assert_int_equal(self->value, 2);
        assert_int_equal(edo_try_recv(&self->rx, &self->value), -EAGAIN);
        edo_await(rc, edo_sink_close(&self->out));
        assert_int_equal(rc, 0);
        edo_receiver_close(&self->rx);
        edo_await(rc, edo_sink_send(&self->out, &self->item));
        assert_int_equal(rc, -EPIPE);
        edo_sender_close(&self->tx);
        edo_return(0);
    }
}

/* ---- one operation at a time ---- */

/* A forward is the one operation of its stream and of its sink while it waits. */
async_test(a_forward_is_an_operation_of_its_stream, number_sender tx; number_receiver rx;
           edo_op_source_of(int64_t) in; edo_function_sink_of(int64_t) out;
           edo_forward_of(int64_t) forward; struct numbers numbers; edo_op first, second;
           int64_t item;)
{
    edo_body {
        int which;
        self->numbers.count = 0;
        edo_check(edo_mpsc_create(&self->tx, &self->rx, 2));
        edo_receiver_stream(&self->in, &self->rx);
        edo_function_sink_init(&self->out, keep, &self->numbers);
        edo_forward_init(&self->forward, &self->in, &self->out);
        self->first = edo_forward(&self->forward);
        self->second = edo_next(&self->in, &self->item);
        edo_select_biased(which, &self->first.base, &self->second.base);
        assert_int_equal(which, 1);
        assert_int_equal(self->second.base.result, -EBUSY);
        assert_int_equal(self->first.base.result, -ECANCELED);
        self->first = edo_next(&self->in, &self->item);
        self->second = edo_forward(&self->forward);
        edo_select_biased(which, &self->first.base, &self->second.base);
        assert_int_equal(which, 1);
        assert_int_equal(self->second.base.result, -EBUSY);
        edo_sender_close(&self->tx);
        edo_receiver_close(&self->rx);
        edo_return(0);
    }
}
