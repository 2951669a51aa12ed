/* Combinators of one input: what each gives, its time, its end, its errors. */
#include <stdio.h>
#include <string.h>

#include "sequence/cut.h"

typedef edo_stream_of(int64_t) number_stream;

/* Items at given moments, in milliseconds from the first pull; a negative item is an error. */
typedef struct timetable {
    edo_stream stream;
    const int64_t (*rows)[2]; // moment, item; {-1, 0}: the end
    int64_t began;
} timetable;

static int64_t timetable_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    timetable *table = (timetable *)(void *)stream;
    if (table->began == 0) table->began = edo_now();
    if ((*table->rows)[0] < 0) return 0;
    int64_t due = table->began + edo_ms((*table->rows)[0]);
    if (edo_now() < due) {
        edo_cx_deadline(cx, due);
        return edo_cx_fate(cx) == EDO_LIVE ? EDO_NEXT_WAITS : -ECANCELED;
    }
    int64_t item = (*table->rows++)[1];
    memcpy(ret_item, &item, sizeof item);
    return item < 0 ? item : 1;
}

static void timetable_init(timetable *table, const int64_t (*rows)[2])
{
    static const edo_stream_ops ops = { .name = "timetable", .next = timetable_next };
    *table = (timetable){ .stream = EDO_STREAM_INIT(&ops, sizeof(int64_t)), .rows = rows };
}

/* Answers of a stream, with their moments in milliseconds: "10:1 20:2 30:-84 40:end". */
struct record {
    edo_frame();
    edo_args(edo_stream *in; char *text; int most;);
    int64_t item, began;
    size_t used;
    int i;
};

edo_async(record)
{
    edo_body {
        int64_t rc = 1;
        self->began = edo_now();
        self->used = 0;
        for (self->i = 0; self->i < self->most; self->i++) {
            edo_await(rc, edo__next(self->in, &self->item));
            int64_t moment = (edo_now() - self->began) / edo_ms(1);
            self->used += (size_t)sprintf(self->text + self->used, "%lld:", (long long)moment);
            if (rc == 0) break;
            self->used += (size_t)sprintf(self->text + self->used, "%lld ",
                                          (long long)(rc < 0 ? rc : self->item));
        }
        if (rc == 0) strcpy(self->text + self->used, "end");
        if (rc == 0) {
            edo_await(rc, edo__next(self->in, &self->item));
            assert_int_equal(rc, 0); // after the end there is only the end
        }
        edo_return(0);
    }
}

#define expect_record(stream_, expected)                                                           \
    do {                                                                                           \
        int rc_;                                                                                   \
        edo_call(rc_, record, .in = (stream_), .text = self->text, .most = 30);                    \
        assert_int_equal(rc_, 0);                                                                  \
        assert_string_equal(self->text, expected);                                                 \
    } while (0)

/* ---- time ---- */

static const int64_t two_gaps[][2] = { { 50, 1 }, { 200, 2 }, { 250, 3 }, { 600, 4 }, { -1, 0 } };

async_test(an_item_timeout_is_reported_once_and_the_stream_continues,
           edo_callees(struct record record;) timetable in; edo_paced_of(int64_t) limit;
           char text[500];)
{
    edo_body {
        timetable_init(&self->in, two_gaps);
        edo_item_timeout_init(&self->limit, (number_stream *)(void *)&self->in, edo_ms(100));
        expect_record(&self->limit.stream, "50:1 150:-110 200:2 250:3 350:-110 600:4 600:end");
        timetable_init(&self->in, two_gaps);
        edo_item_timeout_repeats_init(&self->limit, (number_stream *)(void *)&self->in,
                                      edo_ms(100));
        expect_record(&self->limit.stream, "50:1 150:-110 200:2 250:3 350:-110 450:-110 "
                                           "550:-110 600:4 600:end");
        edo_return(0);
    }
}

async_test(a_total_timeout_ends_the_stream, edo_callees(struct record record;) timetable in;
           edo_paced_of(int64_t) limit; char text[500];)
{
    edo_body {
        timetable_init(&self->in, two_gaps);
        edo_total_timeout_init(&self->limit, (number_stream *)(void *)&self->in, edo_ms(220));
        expect_record(&self->limit.stream, "50:1 200:2 220:-110 220:end");
        edo_return(0);
    }
}

static const int64_t bursts[][2] = { { 0, 1 },   { 10, 2 },  { 20, 3 },
                                     { 100, 4 }, { 110, 5 }, { -1, 0 } };

async_test(a_debounce_gives_the_last_of_each_burst, edo_callees(struct record record;)
           timetable in; edo_paced_of(int64_t) debounce; char text[500];)
{
    edo_body {
        timetable_init(&self->in, bursts);
        edo_debounce_init(&self->debounce, (number_stream *)(void *)&self->in, edo_ms(30));
        expect_record(&self->debounce.stream, "50:3 110:5 110:end");
        edo_return(0);
    }
}

async_test(rates_are_kept_and_bursts_are_allowed, edo_callees(struct record record;) edo_range in;
           edo_paced_of(int64_t) rate; char text[500];)
{
    edo_body {
        edo_range_init(&self->in, 0, 5, 1);
        edo_throttle_init(&self->rate, &self->in, edo_ms(10));
        expect_record(&self->rate.stream, "0:0 10:1 20:2 30:3 40:4 50:end");
        edo_range_init(&self->in, 0, 5, 1);
        edo_rate_init(&self->rate, &self->in, edo_ms(10), 3);
        expect_record(&self->rate.stream, "0:0 0:1 0:2 10:3 20:4 30:end");
        edo_return(0);
    }
}

/* ---- several items ---- */

static int64_t sum_of(void *context, const void *item, void *ret_item)
{
    const edo_items *items = item;
    (void)context;
    *(int64_t *)ret_item = 0;
    for (size_t i = 0; i < items->count; i++)
        *(int64_t *)ret_item = *(int64_t *)ret_item * 10 + ((const int64_t *)items->data)[i];
    return 1;
}

static const int64_t drops[][2] = { { 0, 1 },   { 100, 2 },   { 110, 3 }, { 120, 4 },
                                    { 130, 5 }, { 135, -84 }, { 150, 6 }, { -1, 0 } };

async_test(chunks_are_given_when_full_late_or_at_the_end, edo_callees(struct record record;)
           timetable in; edo_chunks_of(int64_t, 3) chunks; edo_map_of(edo_items, int64_t) sums;
           char text[500];)
{
    edo_body {
        timetable_init(&self->in, drops);
        edo_chunks_within_init(&self->chunks, (number_stream *)(void *)&self->in, edo_ms(50));
        edo_map_init(&self->sums, &self->chunks, sum_of, NULL);
        expect_record(&self->sums.stream, "50:1 120:234 135:5 135:-84 150:6 150:end");
        timetable_init(&self->in, drops);
        edo_chunks_init(&self->chunks, (number_stream *)(void *)&self->in);
        edo_map_init(&self->sums, &self->chunks, sum_of, NULL);
        expect_record(&self->sums.stream, "110:123 135:45 135:-84 150:6 150:end");
        edo_return(0);
    }
}

async_test(windows_overlap, edo_callees(struct record record;) edo_range in;
           edo_chunks_of(int64_t, 3) windows; edo_map_of(edo_items, int64_t) sums; char text[500];)
{
    edo_body {
        edo_range_init(&self->in, 1, 7, 1);
        edo_windows_init(&self->windows, &self->in, 1);
        edo_map_init(&self->sums, &self->windows, sum_of, NULL);
        expect_record(&self->sums.stream, "0:123 0:234 0:345 0:456 0:end");
        edo_range_init(&self->in, 1, 7, 1);
        edo_windows_init(&self->windows, &self->in, 2);
        edo_map_init(&self->sums, &self->windows, sum_of, NULL);
        expect_record(&self->sums.stream, "0:123 0:345 0:end");
        edo_return(0);
    }
}

/* ---- errors ---- */

static const int64_t mixed[][2] = { { 0, -84 }, { 0, 1 }, { 0, -84 }, { 0, 2 }, { -1, 0 } };

static int64_t drop_error(void *context, const void *item)
{
    ++*(int *)context;
    return *(const int64_t *)item == -84 ? 1 : *(const int64_t *)item;
}

async_test(an_error_is_an_answer_and_not_the_end, edo_callees(struct record record;) timetable in;
           edo_step_of(int64_t) step; int errors; char text[500];)
{
    edo_body {
        timetable_init(&self->in, mixed);
        edo_take_init(&self->step, (number_stream *)(void *)&self->in, 10);
        expect_record(&self->step.stream, "0:-84 0:1 0:-84 0:2 0:end");
        timetable_init(&self->in, mixed);
        edo_stop_on_error_init(&self->step, (number_stream *)(void *)&self->in);
        expect_record(&self->step.stream, "0:-84 0:end");
        timetable_init(&self->in, mixed);
        self->errors = 0;
        edo_recover_init(&self->step, (number_stream *)(void *)&self->in, drop_error,
                         &self->errors);
        expect_record(&self->step.stream, "0:1 0:2 0:end");
        assert_int_equal(self->errors, 2);
        edo_return(0);
    }
}

/* Every negative errno may be an error of a stream. */
static int64_t fail_with_all(void *context, void *ret_item)
{
    (void)ret_item;
    int *error = context;
    return *error < 140 ? -++*error : 0;
}

async_test(any_error_is_handed_on_once, edo_function_of(int) in; edo_step_of(int) step; int item;
           int error, count;)
{
    edo_body {
        int rc;
        self->error = self->count = 0;
        edo_function_init(&self->in, fail_with_all, &self->error);
        edo_take_init(&self->step, &self->in, 3);
        for (;;) {
            edo_await_next(rc, &self->step, &self->item);
            if (rc == 0) break;
            assert_int_equal(rc, -++self->count);
        }
        assert_int_equal(self->count, 140);
        edo_return(0);
    }
}

static int64_t never(void *context, const void *item)
{
    (void)context;
    (void)item;
    return 0;
}

/* A time limit over a stream that is always busy and gives nothing. */
async_test(a_limit_ends_a_busy_stream, edo_range in; edo_step_of(int64_t) filter;
           edo_paced_of(int64_t) limit; int64_t item;)
{
    edo_body {
        int rc;
        edo_range_init(&self->in, 0, INT64_MAX, 1);
        edo_filter_init(&self->filter, &self->in, never, NULL);
        edo_total_timeout_init(&self->limit, &self->filter, 0);
        edo_await(rc, edo_next(&self->limit, &self->item));
        assert_int_equal(rc, -ETIMEDOUT);
        edo_await(rc, edo_next(&self->limit, &self->item));
        assert_int_equal(rc, 0);
        edo_range_init(&self->in, 0, INT64_MAX, 1);
        edo_filter_init(&self->filter, &self->in, never, NULL);
        edo_item_timeout_init(&self->limit, &self->filter, 0);
        edo_await(rc, edo_next(&self->limit, &self->item));
        assert_int_equal(rc, -ETIMEDOUT);
        edo_return(0);
    }
}

/* ---- others ---- */

static int64_t is_below_three(void *context, const void *item)
{
    (void)context;
    return *(const int64_t *)item < 3;
}

static int64_t halve_even(void *context, const void *item, void *ret_item)
{
    (void)context;
    int64_t value = *(const int64_t *)item;
    if (value == 6) return EDO_NEXT_END;
    *(int64_t *)ret_item = value / 2;
    return value % 2 == 0;
}

static void note_end(void *context, void *item)
{
    assert_null(item);
    ++*(int *)context;
}

async_test(steps_do_what_their_names_say, edo_callees(struct record record;) edo_range in, more;
           edo_step_of(int64_t) step, last; edo_map_of(int64_t, int64_t) map; uint64_t number;
           int ends; char text[500];)
{
    edo_body {
        edo_range_init(&self->in, 0, 9, 1);
        edo_take_while_init(&self->step, &self->in, is_below_three, NULL);
        expect_record(&self->step.stream, "0:0 0:1 0:2 0:end");
        edo_range_init(&self->in, 0, 6, 1);
        edo_skip_while_init(&self->step, &self->in, is_below_three, NULL);
        edo_enumerate_init(&self->last, &self->step, &self->number);
        expect_record(&self->last.stream, "0:3 0:4 0:5 0:end");
        assert_int_equal(self->number, 2);
        edo_range_init(&self->in, 0, 9, 1);
        edo_map_init(&self->map, &self->in, halve_even, NULL);
        expect_record(&self->map.stream, "0:0 0:1 0:2 0:end");
        edo_range_init(&self->in, 0, 2, 1);
        edo_range_init(&self->more, 7, 9, 1);
        edo_chain_init(&self->step, &self->in, &self->more);
        self->ends = 0;
        edo_at_end_init(&self->last, &self->step, note_end, &self->ends);
        expect_record(&self->last.stream, "0:0 0:1 0:7 0:8 0:end");
        assert_int_equal(self->ends, 1);
        edo_range_init(&self->in, 0, 7, 1);
        edo_step_by_init(&self->step, &self->in, 3);
        edo_skip_init(&self->last, &self->step, 1);
        expect_record(&self->last.stream, "0:3 0:6 0:end");
        edo_return(0);
    }
}

async_test(a_peeked_item_is_still_there, edo_range in; edo_paced_of(int64_t) peekable;
           int64_t *ahead; int64_t item;)
{
    edo_body {
        int rc;
        edo_range_init(&self->in, 5, 7, 1);
        edo_peekable_init(&self->peekable, &self->in);
        for (int i = 0; i < 2; i++) {
            edo_await(rc, edo_peek_item(&self->peekable, &self->ahead));
            assert_int_equal(rc, 1);
            assert_int_equal(*self->ahead, 5);
            break;
        }
        edo_await(rc, edo_next(&self->peekable, &self->item));
        assert_int_equal(self->item, 5);
        edo_await(rc, edo_next(&self->peekable, &self->item));
        assert_int_equal(self->item, 6);
        edo_await(rc, edo_peek_item(&self->peekable, &self->ahead));
        assert_int_equal(rc, 0);
        edo_return(0);
    }
}

/* A stream that is always ready lets other tasks run. */
struct count_turns {
    edo_frame();
    edo_args(bool *stops;);
    int i;
};

edo_async(count_turns)
{
    edo_body {
        for (self->i = 0; self->i < 5; self->i++)
            edo_await_void(edo_yield());
        __atomic_store_n(self->stops, true, __ATOMIC_RELAXED);
        edo_return(0);
    }
}

static int64_t none(void *context, const void *item)
{
    (void)item;
    return __atomic_load_n((bool *)context, __ATOMIC_RELAXED) ? -ESTALE : 0;
}

async_test(an_endless_stream_yields, edo_range in; edo_step_of(int64_t) filter; bool stops;
           int64_t item; edo_task *task;)
{
    edo_body {
        int rc;
        self->stops = false;
        rc = edo_spawn(&self->task, count_turns, .stops = &self->stops);
        assert_int_equal(rc, 0);
        edo_range_init(&self->in, 0, INT64_MAX, 1);
        edo_filter_init(&self->filter, &self->in, none, &self->stops);
        edo_await(rc, edo_next(&self->filter, &self->item)); // no item passes
        assert_int_equal(rc, -ESTALE);
        edo_await(rc, edo_join(self->task));
        edo_return(rc);
    }
}

async_test(a_stream_has_one_operation_at_a_time, number_stream in; edo_op first, second;
           int64_t item;)
{
    edo_body {
        int which;
        edo_never_init(&self->in);
        self->first = edo_next(&self->in, &self->item);
        self->second = edo_next(&self->in, &self->item);
        edo_select_biased(which, &self->first.base, &self->second.base);
        assert_int_equal(which, 1);
        assert_int_equal(self->second.base.result, -EBUSY);
        assert_int_equal(self->first.base.result, -ECANCELED);
        edo_return(0);
    }
}

/* The close of a receiver ends the senders of a stream that was dropped in the middle. */
typedef edo_sender(int) int_sender;
typedef edo_receiver(int) int_receiver;

struct send_forever {
    edo_frame();
    edo_args(int_sender tx;);
    int value;
};

edo_async(send_forever)
{
    edo_body {
        int rc = 0;
        for (self->value = 0; rc == 0; self->value++)
            edo_await(rc, edo_send(&self->tx, &self->value));
        edo_sender_close(&self->tx);
        edo_return(rc);
    }
}

async_test(a_dropped_stream_ends_its_producer, int_sender tx; int_receiver rx;
           edo_op_source_of(int) in; edo_step_of(int) one; int item; edo_task *task;)
{
    edo_body {
        int rc;
        edo_check(edo_mpsc_create(&self->tx, &self->rx, 2));
        rc = edo_spawn(&self->task, send_forever, .tx = self->tx);
        assert_int_equal(rc, 0);
        edo_receiver_stream(&self->in, &self->rx);
        edo_take_init(&self->one, &self->in, 1);
        edo_for_each(rc, &self->one, &self->item)
            assert_int_equal(self->item, 0);
        edo_receiver_close(&self->rx);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -EPIPE);
        edo_return(0);
    }
}

/* A select over two streams: the loser's pull has taken nothing, or shows its item. */
struct send_range {
    edo_frame();
    edo_args(int_sender tx; int first;);
    int value;
};

enum { SELECTED = 3000 };

edo_async(send_range)
{
    edo_body {
        int rc = 0;
        for (self->value = self->first; self->value < SELECTED && rc == 0; self->value += 2)
            edo_await(rc, edo_send(&self->tx, &self->value));
        edo_sender_close(&self->tx);
        edo_return(rc);
    }
}

async_test(a_select_over_streams_loses_nothing, int_sender tx; int_receiver rx[2];
           edo_op_source_of(int) in[2]; edo_op pulls[2]; int items[2]; bool seen[SELECTED];
           int ended; edo_scope scope; int i;)
{
    edo_body {
        int rc, which;
        memset(self->seen, 0, sizeof self->seen);
        edo_scope_open(&self->scope, 0);
        for (self->i = 0; self->i < 2; self->i++) {
            edo_check(edo_mpsc_create(&self->tx, &self->rx[self->i], 3));
            edo_receiver_stream(&self->in[self->i], &self->rx[self->i]);
            rc = edo_scope_spawn(&self->scope, send_range, .tx = self->tx, .first = self->i);
            assert_int_equal(rc, 0);
        }
        for (self->ended = 0; self->ended < 2;) {
            self->ended = 0;
            for (int i = 0; i < 2; i++)
                self->pulls[i] = edo_next(&self->in[i], &self->items[i]);
            edo_select_of(which, self->pulls, 2);
            assert_true(which >= 0);
            for (int i = 0; i < 2; i++) {
                self->ended += self->in[i].stream.has_ended;
                if (self->pulls[i].base.result != 1) continue;
                assert_false(self->seen[self->items[i]]);
                self->seen[self->items[i]] = true;
            }
        }
        for (int i = 0; i < SELECTED; i++)
            assert_true(self->seen[i]);
        for (int i = 0; i < 2; i++)
            edo_receiver_close(&self->rx[i]);
        edo_await(rc, edo_scope_join(&self->scope));
        edo_return(rc);
    }
}
