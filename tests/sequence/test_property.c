/* Random pipelines: a run whose operations are cancelled, at any of their first polls, gives the same
 * answers as a run without cancellations. One operation in five is not cancelled: an async function
 * that is cancelled again and again, and begins anew each time, would never end. */
#include <string.h>

#include "sequence/cut.h"

enum {
    ITEMS = 40,
    DEPTH = 6,
    MOST = 12 * ITEMS, // overlapping chunks of three make three items of two, at each level
    RUNS = 60,
    NEVER = 1 << 30
};

/* Waits in the middle, and fails for some items. */
struct slowly {
    edo_frame();
    edo_item_args(int64_t, int64_t);
};

edo_async(slowly)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(*self->item % 3));
        if (rc < 0) edo_return(rc);
        *self->ret_item = *self->item * 2;
        edo_return(*self->item % 11 == 5 ? -EBADMSG : 0);
    }
}

typedef edo_stream_of(int64_t) number_stream;
struct run;

/* A generator that gives the items of another stream, and its errors as numbers. */
typedef edo_emitter_of(int64_t) number_emitter;

struct pass_on {
    edo_frame();
    edo_args(number_emitter *out; edo_stream *in;);
    int64_t item;
};

edo_async(pass_on)
{
    edo_body {
        int64_t rc;
        for (;;) {
            edo_await(rc, edo__next(self->in, &self->item));
            if (rc == 0 || rc == -ECANCELED) edo_return(rc);
            if (rc < 0) self->item = 1000 - rc;
            edo_await(rc, edo_emit(self->out, &self->item));
            if (rc < 0) edo_return(rc);
        }
    }
}

/* One level of a pipeline. */
struct level {
    int64_t slot, other;
    union {
        edo__step step;
        edo__map map;
        edo__paced paced;
        edo__then then;
    };
    edo__chunks chunks;
    int64_t memory[3];
    struct slowly frame;
    struct sums {
        edo__flat flat;
        edo_items slot;
        edo__array array;
    } sums;
    edo_merge_of(int64_t, 2) merge;
    edo_buffered_of(int64_t, int64_t, 3) buffered;
    edo_generator_of(int64_t, pass_on) generator;
};

static int64_t is_odd(void *context, const void *item)
{
    (void)context;
    return *(const int64_t *)item & 1;
}

static int64_t is_small(void *context, const void *item)
{
    (void)context;
    return *(const int64_t *)item < 20;
}

static int64_t add_some(void *context, const void *item, void *ret_item)
{
    (void)context;
    int64_t value = *(const int64_t *)item;
    if (value % 13 == 6) return -ERANGE;
    *(int64_t *)ret_item = value + 3;
    return value % 5 != 4;
}

/* Opens a chunk as a stream. */
static int64_t open_chunk(void *context, const void *item, edo_stream **ret_stream)
{
    const edo_items *items = item;
    edo__array *array = context;
    edo__array_init(array, items->data, items->count, sizeof(int64_t));
    *ret_stream = &array->stream;
    return 1;
}

static edo_stream *build_chunks(struct level *level, edo_stream *in, uint64_t keep)
{
    edo__chunks_init(&level->chunks, in, level->memory, 3, keep, INT64_MAX);
    edo__flat_init(&level->sums.flat, &level->chunks.stream, &level->sums.slot, open_chunk,
                   &level->sums.array, sizeof(int64_t));
    return &level->sums.flat.stream;
}

/* A merge of one stream with an empty one, calls of an async function in order, a generator: each
 * keeps something in flight between two pulls. */
static edo_stream *build_together(struct level *level, edo_stream *in, uint64_t kind,
                                  struct run *self, edo_cx *cx);

static edo_stream *build_level(struct level *level, edo_stream *in, uint64_t kind, struct run *self,
                               edo_cx *cx)
{
    switch (kind) {
    case 13:
    case 14:
    case 15: return build_together(level, in, kind, self, cx);
    case 0: edo__test_init(&level->step, EDO__FILTER, in, is_odd, NULL); break;
    case 1: edo__test_init(&level->step, EDO__SKIP_WHILE, in, is_small, NULL); break;
    case 2: edo__step_init(&level->step, EDO__TAKE, in, 15, NULL); break;
    case 3: edo__step_init(&level->step, EDO__SKIP, in, 2, NULL); break;
    case 4: edo__step_init(&level->step, EDO__STEP_BY, in, 2, NULL); break;
    case 5: edo__map_init(&level->map, in, &level->slot, add_some, NULL, sizeof(int64_t)); break;
    case 6:
        edo__then_init(&level->then, in, &level->slot, &level->frame.base, &slowly_async, NULL,
                       sizeof(int64_t));
        break;
    case 7: edo__dedup_init(&level->paced, in, &level->slot, NULL, NULL); break;
    case 8: edo__peekable_init(&level->paced, in, &level->slot); break;
    case 9: return build_chunks(level, in, 0);
    case 10: return build_chunks(level, in, 1);
    case 11: edo__test_init(&level->step, EDO__TAKE_WHILE, in, is_small, NULL); break;
    default: edo__item_timeout_init(&level->paced, in, edo_s(1), false);
    }
    return &level->step.stream;
}

enum { KINDS = 16 };

/* Answers of a pipeline, in order. */
struct answers {
    int64_t values[MOST];
    size_t count;
};

struct run {
    edo_frame();
    edo_args(uint64_t seed; bool is_cut; struct answers *answers;);
    patchy source;
    struct level levels[DEPTH];
    edo_stream *stream;
    test_random random;
    cut cut;
    int64_t item;
    uint64_t cancelled, at;
};

static edo_stream *build_together(struct level *level, edo_stream *in, uint64_t kind,
                                  struct run *self, edo_cx *cx)
{
    number_stream *typed = (number_stream *)(void *)in;
    if (kind == 13) {
        edo__array_init(&level->sums.array, NULL, 0, sizeof(int64_t));
        edo_merge_init(&level->merge);
        edo_merge_add(&level->merge, typed);
        edo_merge_add(&level->merge, (number_stream *)(void *)&level->sums.array);
        return &level->merge.stream;
    }
    if (kind == 14) {
        edo_buffer_ordered_init(&level->buffered, typed, slowly, NULL);
        return &level->buffered.stream;
    }
    edo_generator_init(&level->generator, pass_on, .in = in);
    return &level->generator.stream;
}

static edo_stream *build(struct run *self, edo_cx *cx)
{
    test_random random = test_random_make(self->seed);
    patchy_init(&self->source, self->seed, ITEMS, test_random_below(&random, 6));
    edo_stream *stream = &self->source.stream;
    uint64_t depth = test_random_below(&random, DEPTH + 1);
    for (uint64_t i = 0; i < depth; i++)
        stream = build_level(&self->levels[i], stream, test_random_below(&random, KINDS), self, cx);
    return stream;
}

static void note(struct answers *answers, int64_t value)
{
    assert_true(answers->count < MOST);
    answers->values[answers->count++] = value;
}

edo_async(run)
{
    edo_body {
        int64_t n;
        self->stream = build(self, cx);
        self->random = test_random_make(self->seed + 1);
        self->cancelled = 0;
        for (;;) {
            self->at = test_random_below(&self->random, 5);
            cut_init(&self->cut, edo__next(self->stream, &self->item),
                     self->is_cut && self->at < 4 ? self->at : NEVER);
            edo_await_on(n, &self->cut.base);
            if (n == -ECANCELED) {
                self->cancelled++;
                continue;
            }
            if (n == 0) break;
            note(self->answers, n < 0 ? n : self->item);
        }
        edo_return((int64_t)self->cancelled);
    }
}

async_test(cancelled_pipelines_lose_nothing, edo_callees(struct run run;) uint64_t i, cancelled;
           struct answers whole, parts;)
{
    edo_body {
        int64_t n;
        self->cancelled = 0;
        for (self->i = 0; self->i < RUNS; self->i++) {
            self->whole.count = self->parts.count = 0;
            edo_call(n, run, .seed = self->i * 2, .is_cut = false, .answers = &self->whole);
            assert_int_equal(n, 0);
            edo_call(n, run, .seed = self->i * 2, .is_cut = true, .answers = &self->parts);
            self->cancelled += (uint64_t)n;
            assert_int_equal(self->parts.count, self->whole.count);
            assert_memory_equal(self->parts.values, self->whole.values,
                                self->whole.count * sizeof(int64_t));
        }
        assert_true(self->cancelled > RUNS);
        edo_return(0);
    }
}
