/* Combinators that pass on the items of their input. The input writes each item directly to the
 * memory of the caller. */
#include "sequence/pull.h"

#include <edo/combinators.h>

static edo__step *step_of(edo_stream *stream)
{
    return (edo__step *)(void *)stream;
}

/* ---- tests ---- */

static int64_t filter_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    edo__step *step = step_of(stream);
    for (;;) {
        int64_t wait, result = edo_pull(step->in, cx, ret_item);
        if (result != 1) return result;
        int64_t is_kept = step->test(step->context, ret_item);
        if (is_kept) return is_kept > 0 ? 1 : is_kept;
        if ((wait = edo__go_on(cx)) != 0) return wait;
    }
}

static int64_t take_while_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    edo__step *step = step_of(stream);
    int64_t result = edo_pull(step->in, cx, ret_item);
    if (result != 1) return result;
    int64_t is_kept = step->test(step->context, ret_item);
    return is_kept > 0 ? 1 : is_kept;
}

static int64_t skip_while_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    edo__step *step = step_of(stream);
    for (;;) {
        int64_t wait, result = edo_pull(step->in, cx, ret_item);
        if (result != 1 || step->is_over) return result;
        int64_t is_skipped = step->test(step->context, ret_item);
        if (is_skipped < 0) return is_skipped;
        step->is_over = is_skipped == 0;
        if (step->is_over) return 1;
        if ((wait = edo__go_on(cx)) != 0) return wait;
    }
}

/* ---- counts ---- */

static int64_t take_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    edo__step *step = step_of(stream);
    if (step->count == 0) return 0;
    int64_t result = edo_pull(step->in, cx, ret_item);
    if (result == 1) step->count--;
    return result;
}

static int64_t skip_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    edo__step *step = step_of(stream);
    for (;;) {
        int64_t wait, result = edo_pull(step->in, cx, ret_item);
        if (result != 1 || step->count == 0) return result;
        step->count--;
        if ((wait = edo__go_on(cx)) != 0) return wait;
    }
}

/* Gives one of every N items. `context` holds N. `count` is the number of items to leave out before
 * the next item is given. */
static int64_t step_by_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    edo__step *step = step_of(stream);
    for (;;) {
        int64_t wait, result = edo_pull(step->in, cx, ret_item);
        if (result != 1) return result;
        if (step->count == 0) {
            step->count = (uint64_t)(uintptr_t)step->context - 1;
            return 1;
        }
        step->count--;
        if ((wait = edo__go_on(cx)) != 0) return wait;
    }
}

/* ---- others ---- */

static int64_t see_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    edo__step *step = step_of(stream);
    int64_t result = edo_pull(step->in, cx, ret_item);
    if (result == 1) step->see(step->context, ret_item);
    return result;
}

static int64_t number_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    edo__step *step = step_of(stream);
    int64_t result = edo_pull(step->in, cx, ret_item);
    if (result == 1) *(uint64_t *)step->context = step->count++;
    return result;
}

static int64_t chain_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    edo__step *step = step_of(stream);
    int64_t result = edo_pull(step->in, cx, ret_item);
    return result == 0 ? edo_pull(step->context, cx, ret_item) : result;
}

/* Whether a result is an error of the input. The -ECANCELED with which a cancelled edo_next() ends
 * is not such an error. */
static bool is_error(int64_t result, const edo_cx *cx)
{
    return result < 0 && result != EDO_NEXT_WAITS &&
           !(result == -ECANCELED && cx->fate != EDO_LIVE);
}

static int64_t stop_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    edo__step *step = step_of(stream);
    if (step->is_over) return 0;
    int64_t result = edo_pull(step->in, cx, ret_item);
    step->is_over = is_error(result, cx);
    return result;
}

static int64_t recover_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    edo__step *step = step_of(stream);
    for (;;) {
        int64_t wait, result = edo_pull(step->in, cx, ret_item);
        if (!is_error(result, cx)) return result;
        int64_t answer = step->test(step->context, &result);
        if (answer <= 0) return answer;
        if ((wait = edo__go_on(cx)) != 0) return wait;
    }
}

static int64_t end_notice_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    edo__step *step = step_of(stream);
    int64_t result = edo_pull(step->in, cx, ret_item);
    if (result == 0) step->see(step->context, NULL);
    return result;
}

/* ---- initialisation ---- */

static const edo_stream_ops step_ops[] = {
    [EDO__FILTER] = { .name = "filter", .next = filter_next },
    [EDO__TAKE_WHILE] = { .name = "take while", .next = take_while_next },
    [EDO__SKIP_WHILE] = { .name = "skip while", .next = skip_while_next },
    [EDO__TAKE] = { .name = "take", .next = take_next },
    [EDO__SKIP] = { .name = "skip", .next = skip_next },
    [EDO__STEP_BY] = { .name = "step by", .next = step_by_next },
    [EDO__SEE] = { .name = "inspect", .next = see_next },
    [EDO__NUMBER] = { .name = "enumerate", .next = number_next },
    [EDO__CHAIN] = { .name = "chain", .next = chain_next },
    [EDO__STOP_ON_ERROR] = { .name = "stop on error", .next = stop_next },
    [EDO__RECOVER] = { .name = "recover", .next = recover_next },
    [EDO__END_NOTICE] = { .name = "at end", .next = end_notice_next },
};

static void init(edo__step *step, int kind, edo_stream *in)
{
    *step = (edo__step){ .stream = EDO_STREAM_INIT(&step_ops[kind], in->size), .in = in };
}

void edo__step_init(edo__step *step, int kind, edo_stream *in, uint64_t count, void *context)
{
    init(step, kind, in);
    step->context = context;
    step->count = count;
    if (kind != EDO__STEP_BY) return;
    if (count == 0) edo__misuse("edo_step_by_init", "a step of 0 never ends");
    step->context = (void *)(uintptr_t)count;
    step->count = 0;
}

void edo__test_init(edo__step *step, int kind, edo_stream *in, edo_test_fn *fn, void *context)
{
    init(step, kind, in);
    step->test = fn;
    step->context = context;
}

void edo__see_init(edo__step *step, int kind, edo_stream *in, edo_see_fn *fn, void *context)
{
    init(step, kind, in);
    step->see = fn;
    step->context = context;
}
