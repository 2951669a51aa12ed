/* A source that waits at random, and operations that are cancelled at a given poll. */
#pragma once

#include "support/streams.h"

/* Gives the numbers from 0 to `end`, with errors in between, and waits at random: for itself or for
 * a moment of the clock. The numbers do not depend on the cancellations. */
typedef struct patchy {
    edo_stream stream;
    test_random random;
    int64_t next, end;
    int64_t moment; // of the wait; 0: none
    uint64_t waits; // share of items that wait, in 1/8
    bool gave_error;
} patchy;

static inline bool patchy_waits(patchy *source, edo_cx *cx)
{
    if (source->moment == 0 && test_random_below(&source->random, 8) < source->waits)
        source->moment = edo_now() + (int64_t)test_random_below(&source->random, 3);
    if (source->moment == 0) return false;
    if (edo_now() >= source->moment) {
        source->moment = 0;
        return false;
    }
    edo_cx_deadline(cx, source->moment);
    return true;
}

static inline int64_t patchy_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    patchy *source = (patchy *)(void *)stream;
    if (source->next == source->end) return 0;
    if (patchy_waits(source, cx)) return edo_cx_fate(cx) == EDO_LIVE ? EDO_NEXT_WAITS : -ECANCELED;
    if (source->next % 7 == 3 && !source->gave_error) {
        source->gave_error = true;
        return -EILSEQ;
    }
    source->gave_error = false;
    memcpy(ret_item, &source->next, sizeof source->next);
    source->next++;
    return 1;
}

static inline void patchy_init(patchy *source, uint64_t stream, int64_t end, uint64_t waits)
{
    static const edo_stream_ops ops = { .name = "patchy", .next = patchy_next };
    *source = (patchy){ .stream = EDO_STREAM_INIT(&ops, sizeof(int64_t)),
                        .random = test_random_make(stream),
                        .end = end,
                        .waits = waits };
}

/* Awaits an operation, which is cancelled at its poll number `at`, from 0. */
typedef struct cut {
    edo_future base;
    edo_op op;
    uint64_t at, polls;
} cut;

static inline edo_poll cut_poll(edo_future *future, edo_cx *cx)
{
    cut *self = (cut *)(void *)future;
    if (self->polls++ == self->at) edo_cancel(&self->op.base);
    edo_poll poll = edo_poll_future(&self->op.base, cx);
    if (poll == EDO_PENDING && self->polls == self->at) edo_wake(edo_cx_waker(cx));
    if (poll == EDO_READY) future->result = self->op.base.result;
    return poll;
}

static inline void cut_init(cut *self, edo_op op, uint64_t at)
{
    static const edo_future_ops ops = { .name = "cut", .poll = cut_poll };
    *self = (cut){ .base = { .ops = &ops }, .op = op, .at = at };
}
