/* Sequences with a clock: nothing of the input is in flight after their answers. */
#include <string.h>

#include "support/streams.h"
#include "task/cx.h"

/* Gives some items, and then waits for ever. `in_flight` is true from a pull that waits to the next
 * answer. */
typedef struct waiting {
    edo_stream stream;
    int items;
    bool in_flight;
} waiting;

static int64_t waiting_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    waiting *source = (waiting *)(void *)stream;
    if (source->items) {
        memset(ret_item, source->items--, stream->size);
        return 1;
    }
    source->in_flight = edo_cx_fate(cx) == EDO_LIVE;
    return source->in_flight ? EDO_NEXT_WAITS : -ECANCELED;
}

static void waiting_init(waiting *source, int items)
{
    static const edo_stream_ops ops = { .name = "waiting", .next = waiting_next };
    *source = (waiting){ .stream = EDO_STREAM_INIT(&ops, sizeof(int64_t)), .items = items };
}

typedef edo_stream_of(int64_t) number_stream;
#define NUMBERS(source) ((number_stream *)(void *)(source))

/* ---- limits ---- */

/* Gives an item, and then waits. A cancelled pull ends only in the next poll, in which the clock is
 * behind: a worker reads the clock once for several polls, so a task that migrates may see an
 * earlier moment. */
typedef struct slow_end {
    edo_stream stream;
    int64_t by; // ns
    bool has_begun, is_ending;
} slow_end;

static int64_t slow_end_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    slow_end *source = (slow_end *)(void *)stream;
    if (!source->has_begun) {
        source->has_begun = true;
        memset(ret_item, 1, stream->size);
        return 1;
    }
    if (edo_cx_fate(cx) == EDO_LIVE) return EDO_NEXT_WAITS;
    if (source->is_ending) cx->now -= source->by; // only in this poll
    source->is_ending = !source->is_ending;
    if (source->is_ending) edo_wake(edo_cx_waker(cx));
    return source->is_ending ? EDO_NEXT_WAITS : -ECANCELED;
}

static void slow_end_init(slow_end *source)
{
    static const edo_stream_ops ops = { .name = "slow end", .next = slow_end_next };
    *source = (slow_end){ .stream = EDO_STREAM_INIT(&ops, sizeof(int64_t)), .by = edo_ms(5) };
}

enum { ITEM = 0x0101010101010101 };

/* Waits for an item that never comes. Returns: how long the stream has let the caller wait. */
#define await_in_vain(wait, stream, place)                                                         \
    do {                                                                                           \
        int rc_;                                                                                   \
        self->begin = edo_now();                                                                   \
        edo_await_for(rc_, edo_ms(100), edo_next(stream, place));                                  \
        assert_int_equal(rc_, -ETIMEDOUT);                                                         \
        (wait) = edo_now() - self->begin;                                                          \
    } while (0)

async_test(debounce_gives_its_item_when_the_clock_is_behind, slow_end in;
           edo_paced_of(int64_t) paced; int64_t item;)
{
    edo_body {
        int rc;
        slow_end_init(&self->in);
        edo_debounce_init(&self->paced, NUMBERS(&self->in), edo_ms(20));
        edo_await(rc, edo_next(&self->paced, &self->item));
        assert_int_equal(rc, 1);
        assert_int_equal(self->item, ITEM);
        edo_return(0);
    }
}

async_test(a_chunk_ends_once_when_the_clock_is_behind, slow_end in; edo_chunks_of(int64_t, 4) chunks;
           edo_items items; int64_t begin;)
{
    edo_body {
        int64_t rc;
        slow_end_init(&self->in);
        edo_chunks_within_init(&self->chunks, NUMBERS(&self->in), edo_ms(20));
        edo_await(rc, edo_next(&self->chunks, &self->items));
        assert_int_equal(rc, 1);
        assert_int_equal(self->items.count, 1);
        await_in_vain(rc, &self->chunks, &self->items);
        assert_true(rc >= edo_ms(100));
        edo_return(0);
    }
}

async_test(a_timeout_is_reported_once_when_the_clock_is_behind, slow_end in;
           edo_paced_of(int64_t) paced; int64_t item, begin;)
{
    edo_body {
        int64_t rc;
        slow_end_init(&self->in);
        edo_item_timeout_init(&self->paced, NUMBERS(&self->in), edo_ms(20));
        edo_await(rc, edo_next(&self->paced, &self->item));
        assert_int_equal(rc, 1);
        edo_await(rc, edo_next(&self->paced, &self->item));
        assert_int_equal(rc, -ETIMEDOUT);
        await_in_vain(rc, &self->paced, &self->item);
        assert_true(rc >= edo_ms(100));
        slow_end_init(&self->in);
        edo_total_timeout_init(&self->paced, NUMBERS(&self->in), edo_ms(20));
        edo_await(rc, edo_next(&self->paced, &self->item));
        assert_int_equal(rc, 1);
        edo_await(rc, edo_next(&self->paced, &self->item));
        assert_int_equal(rc, -ETIMEDOUT);
        edo_await(rc, edo_next(&self->paced, &self->item));
        assert_int_equal(rc, 0);
        edo_return(0);
    }
}

async_test(a_total_timeout_ends_the_waiting_pull, waiting in; edo_paced_of(int64_t) limit;
           int64_t item;)
{
    edo_body {
        int rc;
        waiting_init(&self->in, 0);
        edo_total_timeout_init(&self->limit, NUMBERS(&self->in), edo_ms(20));
        edo_await(rc, edo_next(&self->limit, &self->item));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_false(self->in.in_flight);
        edo_await(rc, edo_next(&self->limit, &self->item));
        assert_int_equal(rc, 0);
        edo_return(0);
    }
}

/* The limit passes between two calls, of which the first was cancelled. */
async_test(a_total_timeout_between_calls_pulls_nothing, waiting in; edo_paced_of(int64_t) limit;
           int64_t item;)
{
    edo_body {
        int rc;
        waiting_init(&self->in, 0);
        edo_total_timeout_init(&self->limit, NUMBERS(&self->in), edo_ms(20));
        edo_await_for(rc, edo_ms(5), edo_next(&self->limit, &self->item));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_false(self->in.in_flight);
        edo_await(rc, edo_sleep(edo_ms(20)));
        edo_await(rc, edo_next(&self->limit, &self->item));
        assert_int_equal(rc, -ETIMEDOUT);
        edo_await(rc, edo_next(&self->limit, &self->item));
        assert_int_equal(rc, 0);
        edo_return(0);
    }
}

async_test(an_item_timeout_ends_the_waiting_pull, waiting in; edo_paced_of(int64_t) limit;
           int64_t item;)
{
    edo_body {
        int rc;
        waiting_init(&self->in, 0);
        edo_item_timeout_init(&self->limit, NUMBERS(&self->in), edo_ms(20));
        edo_await(rc, edo_next(&self->limit, &self->item));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_false(self->in.in_flight);
        edo_return(0);
    }
}

/* The read of the frames has ended, so the stream may be read by the next user. */
async_test(a_total_timeout_over_frames_leaves_the_stream_free, edo_line_codec codec; edo_io *io;
           edo_io *peer; edo_frames_of(edo_slice) frames; edo_paced_of(edo_slice) limit;
           edo_slice line; char text[8];)
{
    edo_body {
        int rc;
        edo_check(edo_duplex(100, &self->io, &self->peer));
        edo_line_codec_init(&self->codec, 1000);
        edo_frames_init(&self->frames, self->io, &self->codec.codec);
        edo_total_timeout_init(&self->limit, &self->frames, edo_ms(20));
        edo_await(rc, edo_next(&self->limit, &self->line));
        assert_int_equal(rc, -ETIMEDOUT);
        edo_await(rc, edo_write(self->peer, "rest", 4));
        edo_await(rc, edo_read(self->io, self->text, sizeof self->text));
        assert_int_equal(rc, 4);
        edo_frames_deinit(&self->frames);
        edo_close(self->io);
        edo_close(self->peer);
        edo_return(0);
    }
}

typedef edo_sender(int) int_sender;
typedef edo_receiver(int) int_receiver;

/* Receives below a limit that passes. The frame ends with the call. */
struct receive_within {
    edo_frame();
    edo_args(int_receiver *rx;);
    edo_op_source_of(int) source;
    edo_paced_of(int) limit;
    int item;
};

edo_async(receive_within)
{
    edo_body {
        int rc;
        edo_receiver_stream(&self->source, self->rx);
        edo_total_timeout_init(&self->limit, &self->source, edo_ms(20));
        edo_await(rc, edo_next(&self->limit, &self->item));
        edo_return(rc);
    }
}

async_test(a_total_timeout_over_a_receiver_leaves_no_receive,
           edo_callees(struct receive_within receive_within;) int_sender tx; int_receiver rx;
           int item;)
{
    edo_body {
        int rc;
        edo_check(edo_mpsc_create(&self->tx, &self->rx, 4));
        edo_call_boxed(rc, receive_within, .rx = &self->rx);
        assert_int_equal(rc, -ETIMEDOUT);
        self->item = 7;
        edo_await(rc, edo_send(&self->tx, &self->item));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_recv(&self->rx, &self->item));
        assert_int_equal(rc, 1);
        assert_int_equal(self->item, 7);
        edo_sender_close(&self->tx);
        edo_receiver_close(&self->rx);
        edo_return(0);
    }
}

/* ---- rates ---- */

/* Polls an operation, which waits; then cancels it, in a poll whose clock is behind. A worker reads
 * the clock once for several polls, so a task that migrates may see an earlier moment. */
typedef struct behind {
    edo_future base;
    edo_op op;
    int64_t by; // ns
    bool was_polled;
} behind;

static edo_poll behind_poll(edo_future *future, edo_cx *cx)
{
    behind *self = (behind *)(void *)future;
    int64_t now = cx->now;
    if (self->was_polled) {
        edo_cancel(&self->op.base);
        cx->now -= self->by;
    }
    edo_poll poll = edo_poll_future(&self->op.base, cx);
    cx->now = now;
    if (poll == EDO_PENDING && !self->was_polled) edo_wake(edo_cx_waker(cx));
    self->was_polled = true;
    if (poll == EDO_READY) future->result = self->op.base.result;
    return poll;
}

static void behind_init(behind *self, edo_op op, int64_t by)
{
    static const edo_future_ops ops = { .name = "behind", .poll = behind_poll };
    *self = (behind){ .base = { .ops = &ops }, .op = op, .by = by };
}

async_test(a_cancelled_rate_ends_the_waiting_pull, waiting in; edo_paced_of(int64_t) rate;
           behind behind; int64_t item;)
{
    edo_body {
        int rc;
        waiting_init(&self->in, 1);
        edo_rate_init(&self->rate, NUMBERS(&self->in), edo_ms(10), 1);
        edo_await(rc, edo_next(&self->rate, &self->item));
        assert_int_equal(rc, 1);
        edo_await(rc, edo_sleep(edo_ms(10)));
        behind_init(&self->behind, edo_next(&self->rate, &self->item), edo_ms(5));
        edo_await_on(rc, &self->behind.base);
        assert_int_equal(rc, -ECANCELED);
        assert_false(self->in.in_flight);
        edo_return(0);
    }
}
