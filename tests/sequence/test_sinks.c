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
