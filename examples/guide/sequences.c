/* Streams of items: a pipeline, several streams in one, a generator, calls with several items at
 * once. */
#include <stdio.h>

#include <edo/edo.h>

/* region: pipeline */
static int64_t is_warm(void *context, const void *item)
{
    return *(const double *)item > *(const double *)context;
}

static int64_t to_celsius(void *context, const void *item, void *ret_item)
{
    (void)context;
    *(double *)ret_item = (*(const int *)item - 32) / 1.8;
    return 1;
}

struct warm_days {
    edo_frame();
    edo_args(const int *fahrenheit; size_t count; double limit;);
    edo_array_of(int) days;          // int
    edo_map_of(int, double) celsius; // int -> double
    edo_step_of(double) warm, first; // double -> double
    double day;
};

edo_async(warm_days)
{
    edo_body {
        int rc;
        edo_array_init(&self->days, self->fahrenheit, self->count);
        edo_map_init(&self->celsius, &self->days, to_celsius, NULL);
        edo_filter_init(&self->warm, &self->celsius, is_warm, &self->limit);
        edo_take_init(&self->first, &self->warm, 3);
        edo_for_each(rc, &self->first, &self->day)
            printf("%.1f\n", self->day);
        edo_return(rc);
    }
}
/* end: pipeline */

/* region: generator */
typedef edo_emitter_of(int64_t) number_emitter;

/* Emits the squares, one each `pause` nanoseconds. */
struct squares {
    edo_frame();
    edo_args(number_emitter *out; int64_t end, pause;);
    int64_t i, square;
};

edo_async(squares)
{
    edo_body {
        for (self->i = 1; self->i <= self->end; self->i++) {
            edo_try(edo_sleep(self->pause));
            self->square = self->i * self->i;
            edo_try(edo_emit(self->out, &self->square));
        }
        edo_return(0);
    }
}
/* end: generator */

/* region: merge */
struct both {
    edo_frame();
    edo_args();
    edo_generator_of(int64_t, squares) squares;
    edo_range hundreds;
    edo_paced_of(int64_t) slow;
    edo_merge_of(int64_t, 2) both;
    int64_t number;
    int sums[2]; // of each stream
};

edo_async(both)
{
    edo_body {
        int rc;
        edo_generator_init(&self->squares, squares, .end = 3, .pause = edo_ms(20));
        edo_range_init(&self->hundreds, 100, 400, 100);
        edo_throttle_init(&self->slow, &self->hundreds, edo_ms(25));
        edo_merge_init(&self->both);
        edo_merge_add(&self->both, &self->squares);
        edo_merge_add(&self->both, &self->slow);
        self->sums[0] = self->sums[1] = 0;
        edo_for_each(rc, &self->both, &self->number)
            self->sums[edo_merge_which(&self->both)] += (int)self->number;
        printf("squares: %d, hundreds: %d\n", self->sums[0], self->sums[1]);
        edo_return(rc);
    }
}
/* end: merge */

/* region: buffered */
struct lookup {
    edo_frame();
    edo_item_args(const char *, size_t);
};

/* Stands for a request to a server. */
edo_async(lookup)
{
    edo_body {
        edo_try(edo_sleep(edo_ms(10)));
        const char *name = *self->item;
        size_t length = 0;
        while (name[length])
            length++;
        *self->ret_item = length;
        edo_return(length ? 0 : -ENOENT);
    }
}

struct look_all_up {
    edo_frame();
    edo_args(const char **names; size_t count;);
    edo_array_of(const char *) names_in;
    edo_buffered_of(const char *, size_t, 8) lookups; // at most 8 at once
    size_t length;
};

edo_async(look_all_up)
{
    edo_body {
        int rc;
        edo_array_init(&self->names_in, self->names, self->count);
        edo_buffer_ordered_init(&self->lookups, &self->names_in, lookup, NULL);
        for (;;) {
            edo_await_next(rc, &self->lookups, &self->length);
            if (rc == 0) break;
            if (rc < 0)
                printf("failed: %s\n", edo_strerror(rc)); // one answer, not the end
            else
                printf("%zu\n", self->length);
        }
        edo_return(0);
    }
}
/* end: buffered */

struct show {
    edo_frame(struct warm_days warm_days; struct both both; struct look_all_up look_all_up;);
    edo_args();
};

edo_async(show)
{
    static const int days[] = { 50, 70, 75, 61, 90, 88 };
    static const char *names[] = { "one", "three", "", "fourteen" };
    edo_body {
        int rc;
        edo_call(rc, warm_days, .fahrenheit = days, .count = 6, .limit = 20.0);
        edo_check(rc);
        edo_call(rc, both);
        edo_check(rc);
        edo_call(rc, look_all_up, .names = names, .count = 4);
        edo_return(rc);
    }
}

int main(void)
{
    return edo_run(show);
}
