/* Clocks and durations.
 *
 * A moment is an int64_t of nanoseconds of the monotonic clock; a duration is one of nanoseconds.
 * Both saturate: a deadline too far off is EDO_NEVER. Deadlines are never early: the clock is read
 * when a deadline is made. They are late by what the kernel adds (some 50 us); and by
 * edo_config.timer_slack (50 us) at most where a runtime goes to sleep just before them.
 *
 * A runtime may have a test clock (edo_config, edo_test): it stands still until it is advanced, or
 * until every task waits; then it goes on to the next deadline by itself
 * (edo_clock_auto_advance()). Workers run one at a time under a paused clock, in an order that
 * edo_config.seed gives. The clock goes on when all of them are idle, so the work after a deadline
 * is done before the next one is met.
 */
#pragma once

#include <edo/future.h>

#define EDO_NEVER INT64_MAX

EDO_BEGIN_DECLS

static inline int64_t edo__scaled(int64_t count, int64_t unit)
{
    int64_t product;
    if (!__builtin_mul_overflow(count, unit, &product)) return product;
    return count < 0 ? INT64_MIN : INT64_MAX;
}

/* Durations in nanoseconds. Saturate. */
static inline int64_t edo_ns(int64_t count)
{
    return count;
}
static inline int64_t edo_us(int64_t count)
{
    return edo__scaled(count, 1000);
}
static inline int64_t edo_ms(int64_t count)
{
    return edo__scaled(count, 1000000);
}
static inline int64_t edo_s(int64_t count)
{
    return edo__scaled(count, 1000000000);
}
static inline int64_t edo_minutes(int64_t count)
{
    return edo__scaled(count, 60000000000);
}

/* This moment: of the clock of the runtime that runs on this thread, or that it has entered, else
 * of the monotonic clock.
 * Thread: any. */
EDO_API int64_t edo_now(void);

EDO_API extern const edo_future_ops edo__sleep_ops;
EDO_API int64_t edo__deadline_after(int64_t duration);

/* Waits for a duration, counted from now, or until a moment; not for one that has passed.
 * Result: 0.
 * Cancel: prompt. */
static inline EDO_MUST_USE edo_op edo_sleep_until(int64_t when)
{
    return edo__op(&edo__sleep_ops, NULL, NULL, (uint64_t)when, 0);
}
static inline EDO_MUST_USE edo_op edo_sleep(int64_t duration)
{
    return edo_sleep_until(edo__deadline_after(duration));
}

/* ---- the test clock of a runtime ---- */

/* Stops the clock of the current runtime (edo_current_runtime()) for all of its tasks, or lets it
 * go on from where it stands.
 * Returns: 0; -EALREADY when it is so already; -EINVAL without a current runtime.
 * Thread: inside a task of that runtime, or one that has entered it. */
EDO_API int edo_clock_pause(void);
EDO_API int edo_clock_resume(void);

/* Moves a paused clock on, once the task waits: from one deadline to the next, so that each is met
 * in its order and edo_now() is its moment then. Several add up. With workers each of them has a turn
 * between two deadlines.
 * Returns: 0; -EINVAL when it is not paused or duration < 0.
 * Thread: inside a task of that runtime, or one that has entered it: then it moves at once, too. */
EDO_API int edo_clock_advance(int64_t duration);

/* Whether a paused clock goes on by itself when all is idle: no task ready, no event to be had, no
 * job of the runtime's in a pool. On at first.
 * Returns: 0; -EINVAL without a current runtime. Thread: as edo_clock_pause(). */
EDO_API int edo_clock_auto_advance(bool on);

EDO_END_DECLS
