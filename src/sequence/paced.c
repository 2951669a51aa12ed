/* Combinators with a clock: rates and time limits. */
#include "sequence/pull.h"

#include <edo/combinators.h>

static edo__paced *paced_of(edo_stream *stream)
{
    return (edo__paced *)(void *)stream;
}

static int64_t after(int64_t moment, int64_t duration)
{
    int64_t sum;
    return __builtin_add_overflow(moment, duration, &sum) ? INT64_MAX : sum;
}

static void init(edo__paced *paced, const edo_stream_ops *ops, edo_stream *in, int64_t period)
{
    *paced = (edo__paced){ .step = { .stream = EDO_STREAM_INIT(ops, in->size), .in = in },
                           .period = period < 0 ? 0 : period };
}

/* ---- rates ----
 *
 * The virtual scheduling algorithm (ITU-T I.371): `moment` is the time at which the next item is
 * due at the exact rate. An item may be given burst - 1 periods earlier. `context` holds the
 * duration of these burst - 1 periods. Once a pull of the input waits, each poll continues this
 * pull, even if the poll's clock is behind the allowed time. A clock may be behind after a
 * migration to another worker. */

static int64_t rate_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    edo__paced *rate = paced_of(stream);
    int64_t most_early = (int64_t)(intptr_t)rate->step.context;
    int64_t allowed = rate->step.is_over ? rate->step.moment - most_early : INT64_MIN;
    if (cx->now < allowed && !rate->step.is_pulling) {
        if (cx->fate != EDO_LIVE) return -ECANCELED;
        edo_cx_deadline(cx, allowed);
        return EDO_NEXT_WAITS;
    }
    int64_t result = edo_pull(rate->step.in, cx, ret_item);
    rate->step.is_pulling = result == EDO_NEXT_WAITS;
    if (result != 1) return result;
    int64_t due = rate->step.is_over && rate->step.moment > cx->now ? rate->step.moment : cx->now;
    rate->step.moment = after(due, rate->period);
    rate->step.is_over = true; // there was an item
    return 1;
}

void edo__rate_init(edo__paced *rate, edo_stream *in, int64_t period, uint64_t burst)
{
    static const edo_stream_ops ops = { .name = "rate limit", .next = rate_next };
    if (burst == 0) edo__misuse("edo_rate_init", "a burst of 0 lets no item pass");
    init(rate, &ops, in, period);
    int64_t most_early;
    if (__builtin_mul_overflow(rate->period, burst - 1, &most_early)) most_early = INT64_MAX / 2;
    rate->step.context = (void *)(intptr_t)most_early;
}

/* ---- limits ---- */

/* Uses of the step's members:
 * - `context`: NULL if the limit does not repeat
 * - `has_item`: whether `moment` is set
 * - `is_over`: whether the limit was reported and does not repeat; it is off until the next item */
static int64_t item_timeout_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    edo__paced *limit = paced_of(stream);
    edo__step *step = &limit->step;
    if (!step->has_item && !step->is_over) {
        step->moment = after(cx->now, limit->period);
        step->has_item = true;
    }
    int64_t moment = step->is_over ? INT64_MAX : step->moment;
    int64_t result = edo__pull_until(step->in, cx, ret_item, moment, &step->ending);
    if (result == EDO_NEXT_WAITS) return result;
    bool has_passed = edo__has_passed(result, step->ending);
    if (result == 1 || has_passed) step->has_item = false;
    if (result == 1) step->is_over = false;
    if (has_passed) step->is_over = !step->context;
    return result;
}

void edo__item_timeout_init(edo__paced *timeout, edo_stream *in, int64_t limit, bool repeats)
{
    static const edo_stream_ops ops = { .name = "item time-out", .next = item_timeout_next };
    init(timeout, &ops, in, limit);
    timeout->step.context = repeats ? timeout : NULL;
}

static int64_t total_timeout_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    edo__paced *limit = paced_of(stream);
    edo__step *step = &limit->step;
    if (step->is_over) return 0;
    if (!step->has_item) step->moment = after(cx->now, limit->period);
    step->has_item = true;
    if (cx->now >= step->moment && !step->is_pulling) { // limit passed between calls
        step->is_over = true;
        return -ETIMEDOUT;
    }
    int64_t result = edo__pull_until(step->in, cx, ret_item, step->moment, &step->ending);
    step->is_pulling = result == EDO_NEXT_WAITS;
    if (edo__has_passed(result, step->ending)) step->is_over = true;
    return result;
}

void edo__total_timeout_init(edo__paced *timeout, edo_stream *in, int64_t limit)
{
    static const edo_stream_ops ops = { .name = "total time-out", .next = total_timeout_next };
    init(timeout, &ops, in, limit);
}
