/* Sources, and the operations on streams. */
#include <stdlib.h>

#include "support/streams.h"

typedef edo_stream_of(int) int_stream;

/* The sizes of the headers' comments. */
#define SIZE_IS(type, size) _Static_assert(sizeof(void *) != 8 || sizeof(type) == (size), #type)
SIZE_IS(edo_array_of(int), 40);
SIZE_IS(edo_function_of(int), 40);
SIZE_IS(edo_range, 48);
SIZE_IS(edo_op_source_of(int), 152);
SIZE_IS(edo_step_of(int), 64);
SIZE_IS(edo__map, 72);
SIZE_IS(edo__paced, 80);
SIZE_IS(edo__flat, 64);
SIZE_IS(edo__then, 72);
SIZE_IS(edo__chunks, 104);
SIZE_IS(edo__set, 176);
SIZE_IS(edo__input, 96);
SIZE_IS(edo__zip, 392);
SIZE_IS(edo__generator, 168);
SIZE_IS(edo__buffered, 720);
SIZE_IS(edo__call, 8);
SIZE_IS(edo__frames, 176);
SIZE_IS(edo__frame_sink, 176);
_Static_assert(sizeof(edo_length_codec) <= 72 && sizeof(edo_line_codec) <= 72, "codecs");

static const int table[] = { 1, 2, 3, 4, 5, 6, 7, 8 };

async_test(an_array_gives_its_items_then_the_end, edo_array_of(int) in; int item, i;)
{
    edo_body {
        int rc;
        edo_array_init(&self->in, table, 3);
        edo_await(rc, edo_next(&self->in, &self->item));
        assert_int_equal(rc, 1);
        assert_int_equal(self->item, 1);
        edo_for_each(rc, &self->in, &self->item) {
            if (self->item == 2) continue;
            assert_int_equal(self->item, 3);
        }
        assert_int_equal(rc, 0);
        for (self->i = 0; self->i < 3; self->i++) {
            edo_await_next(rc, &self->in, &self->item);
            assert_int_equal(rc, 0);
        }
        edo_return(0);
    }
}

static int64_t add(void *context, const void *item)
{
    *(int64_t *)context += *(const int64_t *)item;
    return 0;
}

async_test(ranges_count_up_and_down, edo_range in; int64_t item; int64_t sum;)
{
    edo_body {
        int64_t n;
        self->sum = 0;
        edo_range_init(&self->in, 0, 1000, 1);
        edo_await(n, edo_fold(&self->in, &self->item, add, &self->sum));
        assert_int_equal(n, 0);
        assert_int_equal(edo_op_progress(edo_last_op()), 1000);
        assert_int_equal(self->sum, 499500);
        edo_range_init(&self->in, 5, -5, -3);
        edo_await(n, edo_count(&self->in, &self->item));
        assert_int_equal(n, 4);
        assert_int_equal(self->item, -4);
        edo_range_init(&self->in, INT64_MAX - 1, INT64_MAX, 5);
        edo_await(n, edo_count(&self->in, &self->item));
        assert_int_equal(n, 1);
        edo_return(0);
    }
}

async_test(a_stream_that_never_answers_is_cancelled, int_stream in; int item;)
{
    edo_body {
        int rc;
        edo_never_init(&self->in);
        edo_await_for(rc, edo_ms(3), edo_next(&self->in, &self->item));
        assert_int_equal(rc, -ETIMEDOUT);
        edo_await_for(rc, edo_ms(3), edo_next(&self->in, &self->item));
        assert_int_equal(rc, -ETIMEDOUT);
        edo_return(0);
    }
}

/* Plain threads pull as well, from streams that are not bound to an async function. */
typedef edo_sender(int) int_sender;
typedef edo_receiver(int) int_receiver;

struct feed {
    int_sender tx;
};

static void send_from_a_thread(unsigned index, void *arg)
{
    struct feed *feed = arg;
    for (int i = 0; i < 100 && index == 1; i++)
        if (edo_wait(edo_send(&feed->tx, &i)) < 0) abort();
    if (index == 1) edo_sender_close(&feed->tx);
}

struct pull_on_thread {
    struct feed feed;
    int_receiver rx;
    int sum;
};

static int64_t add_int(void *context, const void *item)
{
    *(int *)context += *(const int *)item;
    return 0;
}

static void pull_or_send(unsigned index, void *arg)
{
    struct pull_on_thread *both = arg;
    edo_op_source_of(int) in;
    edo_step_of(int) skip;
    int item;
    send_from_a_thread(index, &both->feed);
    if (index == 1) return;
    edo_receiver_stream(&in, &both->rx);
    edo_skip_init(&skip, &in, 10);
    if (edo_wait(edo_fold(&skip, &item, add_int, &both->sum)) != 0) abort();
    edo_receiver_close(&both->rx);
}

test(a_plain_thread_pulls_what_another_sends)
{
    struct pull_on_thread both = { .sum = 0 };
    assert_int_equal(edo_mpsc_create(&both.feed.tx, &both.rx, 3), 0);
    run_threads(2, pull_or_send, &both);
    assert_int_equal(both.sum, 99 * 100 / 2 - 9 * 10 / 2);
}

/* The four kinds of receivers, and ended members of a scope. */
struct answer {
    edo_frame();
    edo_args(int64_t result;);
};

edo_async(answer)
{
    edo_body {
        edo_return(self->result);
    }
}

typedef edo_oneshot_sender(int) int_oneshot_sender;
typedef edo_oneshot_receiver(int) int_oneshot_receiver;
typedef edo_broadcast_sender(int) int_broadcast_sender;
typedef edo_broadcast_receiver(int) int_broadcast_receiver;
typedef edo_watch_sender(int) int_watch_sender;
typedef edo_watch_receiver(int) int_watch_receiver;

async_test(receivers_of_all_kinds_are_streams, edo_op_source_of(int) in; int item;
           int_oneshot_sender one_tx; int_oneshot_receiver one_rx; int_broadcast_sender cast_tx;
           int_broadcast_receiver cast_rx; int_watch_sender watch_tx; int_watch_receiver watch_rx;)
{
    edo_body {
        int64_t rc;
        int value = 5;
        edo_check(edo_oneshot_create(&self->one_tx, &self->one_rx));
        edo_check(edo_oneshot_send(&self->one_tx, &value));
        edo_oneshot_stream(&self->in, &self->one_rx);
        edo_await(rc, edo_count(&self->in, &self->item));
        assert_int_equal(rc, 1);
        assert_int_equal(self->item, 5);

        edo_check(edo_broadcast_create(&self->cast_tx, &self->cast_rx, 2));
        for (int i = 0; i < 3; i++)
            edo_broadcast_send(&self->cast_tx, &i);
        edo_broadcast_sender_close(&self->cast_tx);
        edo_broadcast_stream(&self->in, &self->cast_rx);
        edo_await(rc, edo_next(&self->in, &self->item));
        assert_int_equal(rc, -EOVERFLOW);
        assert_int_equal(edo_broadcast_missed(&self->cast_rx), 1);
        edo_await(rc, edo_count(&self->in, &self->item));
        assert_int_equal(rc, 2);
        edo_broadcast_receiver_close(&self->cast_rx);

        self->item = 7;
        edo_check(edo_watch_create(&self->watch_tx, &self->watch_rx, &self->item));
        edo_watch_mark_changed(&self->watch_rx); // the stream begins with the present value
        edo_watch_sender_close(&self->watch_tx);
        edo_watch_stream(&self->in, &self->watch_rx);
        edo_await(rc, edo_count(&self->in, &self->item));
        assert_int_equal(rc, 1);
        assert_int_equal(self->item, 7);
        edo_watch_receiver_close(&self->watch_rx);
        edo_return(0);
    }
}

async_test(ended_members_of_a_scope_are_a_stream, edo_op_source_of(edo_member) in;
           edo_member member; edo_scope scope; int64_t sum; int i;)
{
    edo_body {
        int64_t rc;
        self->sum = 0;
        edo_scope_open(&self->scope, EDO_SCOPE_RESULTS);
        for (self->i = 1; self->i <= 10; self->i++) {
            rc = edo_scope_spawn(&self->scope, answer, .result = self->i);
            assert_int_equal(rc, 0);
        }
        edo_scope_stream(&self->in, &self->scope);
        edo_for_each(rc, &self->in, &self->member)
            self->sum += self->member.result;
        assert_int_equal(rc, 0);
        assert_int_equal(self->sum, 55);
        edo_return(0);
    }
}
