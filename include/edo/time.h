/* Clocks and durations.
 *
 * A moment is an int64_t, in nanoseconds of the monotonic clock. A duration is an int64_t, in
 * nanoseconds. Moments and durations saturate, so a deadline too far in the future is EDO_NEVER. A
 * deadline is computed from a new reading of the clock, so timers never fire early. Timers fire
 * late by the delay of the kernel (about 50 us). When more than 32 timers become due within 250 us,
 * they fire later by a further 250 us at most (edo_config.timer_slack).
 *
 * A runtime may have a test clock (edo_config, edo_test), which stands still until it is advanced.
 * When every task waits, the clock advances by itself to the next deadline
 * (edo_clock_auto_advance()). Under a paused clock workers run one at a time, in an order that
 * edo_config.seed determines. The clock advances only when all workers are idle. So all work after
 * one deadline is done before the next deadline. */
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

/* These functions convert to durations in nanoseconds. The results saturate. */
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

/* The current moment, by the clock of the runtime that runs on this thread or that this thread has
 * entered. Without a runtime, by the monotonic clock.
 * Thread: any. */
EDO_API int64_t edo_now(void);

EDO_API extern const edo_future_ops edo__sleep_ops;
EDO_API int64_t edo__deadline_after(int64_t duration);

/* Waits for a duration from now, or until a moment. If the moment has passed, the operation is
 * ready at once.
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

/* edo_clock_pause() pauses the clock of the current runtime (edo_current_runtime()) for all tasks
 * of the runtime. edo_clock_resume() makes the clock continue from the paused moment.
 * Returns: 0; -EALREADY if the clock is already paused (edo_clock_pause) or already runs
 * (edo_clock_resume); -EINVAL without a current runtime.
 * Thread: inside a task of that runtime, or a thread that has entered the runtime. */
EDO_API int edo_clock_pause(void);
EDO_API int edo_clock_resume(void);

/* Advances a paused clock. Inside a task, the clock advances when the task next waits. On a thread
 * that has entered the runtime, the clock advances at once. The clock goes from deadline to
 * deadline, so timers fire in order, and when a timer fires, edo_now() is the timer's deadline.
 * Each worker has a turn between two deadlines. The durations of several calls add up.
 * Returns: 0; -EINVAL when the clock is not paused or duration < 0.
 * Thread: inside a task of that runtime, or a thread that has entered it. */
EDO_API int edo_clock_advance(int64_t duration);

/* Sets whether a paused clock advances by itself when the runtime is idle, that is, has no ready
 * task, no pending event, and no job in a pool. On by default.
 * Returns: 0; -EINVAL without a current runtime.
 * Thread: as edo_clock_pause(). */
EDO_API int edo_clock_auto_advance(bool on);

EDO_END_DECLS
