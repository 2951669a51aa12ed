/* Sources, and the operations on streams. */
#include "support/streams.h"

typedef edo_stream_of(int) int_stream;

/* The sizes of the headers' comments. */
#define SIZE_IS(type, size) _Static_assert(sizeof(void *) != 8 || sizeof(type) == (size), #type)
SIZE_IS(edo_array_of(int), 40);
SIZE_IS(edo_function_of(int), 40);
SIZE_IS(edo_ticks, 40);
SIZE_IS(edo_range, 48);
SIZE_IS(edo_op_source_of(int), 144);
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
