/* Combinators that make streams of streams, call async functions, or leave out repeated items. */
#include <string.h>

#include "sequence/cut.h"

typedef edo_stream_of(int64_t) number_stream;

/* Collects the answers of a stream; 0 to 99 is an item, a negative one an error. */
struct gather {
    edo_frame();
    edo_args(edo_stream *in; int64_t *values;);
    int64_t item;
    int count;
};

edo_async(gather)
{
    edo_body {
        int64_t rc;
        for (self->count = 0;; self->count++) {
            edo_await(rc, edo__next(self->in, &self->item));
            if (rc == 0) break;
            self->values[self->count] = rc < 0 ? rc : self->item;
        }
        edo_await(rc, edo__next(self->in, &self->item));
        assert_int_equal(rc, 0);
        edo_return(self->count);
    }
}

#define expect_answers(in_, ...)                                                                   \
    do {                                                                                           \
        static const int64_t expected_[] = { __VA_ARGS__ };                                        \
        int64_t rc_;                                                                               \
        edo_call(rc_, gather, .in = (in_), .values = self->values);                                \
        assert_int_equal(rc_, sizeof expected_ / sizeof *expected_);                               \
        assert_memory_equal(self->values, expected_, sizeof expected_);                            \
    } while (0)

/* ---- streams of streams ---- */

/* The numbers below an item; -1 is an error, 0 no stream. */
static int64_t open_below(void *context, const void *item, edo_stream **ret_stream)
{
    edo_range *range = context;
    int64_t end = *(const int64_t *)item;
    if (end < 0) return -ERANGE;
    if (end == 0) return 0;
    edo_range_init(range, 0, end, 1);
    *ret_stream = &range->stream;
    return 1;
}

async_test(a_flat_map_gives_the_items_of_each_stream, edo_callees(struct gather gather;)
           edo_array_of(int64_t) in; edo_range inner; edo_flat_map_of(int64_t, int64_t) flat;
           int64_t values[30];)
{
    static const int64_t ends[] = { 2, 0, -1, 3 };
    edo_body {
        edo_array_init(&self->in, ends, 4);
        edo_flat_map_init(&self->flat, &self->in, open_below, &self->inner);
        expect_answers(&self->flat.stream, 0, 1, -ERANGE, 0, 1, 2);
        edo_return(0);
    }
}

async_test(a_flatten_reads_streams_of_any_kind, edo_callees(struct gather gather;)
           edo_array_of(edo_stream *) in; edo_stream *streams[3]; edo_range range;
           edo_array_of(int64_t) one, none; edo_flat_map_of(edo_stream *, int64_t) flat;
           int64_t seven; int64_t values[30];)
{
    edo_body {
        self->seven = 7;
        edo_range_init(&self->range, 3, 1, -1);
        edo_empty_init(&self->none);
        edo_once_init(&self->one, &self->seven);
        self->streams[0] = &self->range.stream;
        self->streams[1] = &self->none.stream;
        self->streams[2] = &self->one.stream;
        edo_array_init(&self->in, self->streams, 3);
        edo_flatten_init(&self->flat, &self->in);
        expect_answers(&self->flat.stream, 3, 2, 7);
        edo_return(0);
    }
}

/* ---- async functions ---- */

struct half {
    edo_frame();
    edo_item_args(int64_t, int64_t);
};

/* Fails for odd numbers. *context counts the calls. */
edo_async(half)
{
    edo_body {
        int rc;
        ++*(int *)self->context;
        edo_await(rc, edo_sleep(edo_ms(5)));
        if (rc < 0) edo_return(rc);
        *self->ret_item = *self->item / 2;
        edo_return(*self->item % 2 ? -EDOM : 0);
    }
}

async_test(a_then_calls_its_function_for_each_item, edo_callees(struct gather gather;)
           edo_range in; edo_then_of(int64_t, int64_t, half) then; int calls; int64_t item;
           int64_t values[30];)
{
    edo_body {
        int rc;
        self->calls = 0;
        edo_range_init(&self->in, 4, 8, 1);
        edo_then_init(&self->then, &self->in, half, &self->calls);
        edo_await_for(rc, edo_ms(1), edo_next(&self->then, &self->item));
        assert_int_equal(rc, -ETIMEDOUT); // the function is called again, with the same item
        expect_answers(&self->then.stream, 2, -EDOM, 3, -EDOM);
        assert_int_equal(self->calls, 5);
        edo_return(0);
    }
}

/* ---- others ---- */

static int64_t same_tens(void *context, const void *item, void *last)
{
    (void)context;
    if (*(const int64_t *)item == 99) return -ENODATA;
    return *(const int64_t *)item / 10 == *(const int64_t *)last / 10;
}

static void add_hundred(void *context, void *item)
{
    ++*(int *)context;
    *(int64_t *)item += 100;
}

async_test(repeated_items_are_left_out_and_items_are_inspected, edo_callees(struct gather gather;)
           edo_array_of(int64_t) in; edo_paced_of(int64_t) dedup; edo_step_of(int64_t) inspect;
           int count; int64_t values[30];)
{
    static const int64_t numbers[] = { 1, 1, 12, 12, 17, 1, 99, 3 };
    edo_body {
        self->count = 0;
        edo_array_init(&self->in, numbers, 8);
        edo_dedup_init(&self->dedup, &self->in, NULL, NULL);
        edo_inspect_init(&self->inspect, &self->dedup, add_hundred, &self->count);
        expect_answers(&self->inspect.stream, 101, 112, 117, 101, 199, 103);
        assert_int_equal(self->count, 6);
        edo_array_init(&self->in, numbers, 8);
        edo_dedup_init(&self->dedup, &self->in, same_tens, NULL);
        expect_answers(&self->dedup.stream, 1, 12, 1, -ENODATA);
        edo_return(0);
    }
}
