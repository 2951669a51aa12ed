/* Sleeping by clocks other than the monotonic clock. edo_sleep() uses the monotonic clock. That
 * clock stops while the machine is suspended, and does not tell the time of day.
 *
 * The functions here follow the real clocks, even if the runtime has a test clock. */
#pragma once

#include <edo/future.h>

EDO_BEGIN_DECLS

typedef enum edo_clock {
    EDO_CLOCK_WALL, // ns since 1970-01-01 00:00 UTC; may be set, forward and back
    EDO_CLOCK_BOOT, // ns since the start of the machine, including suspension
} edo_clock;

/* The time of a clock. Thread: any. */
EDO_API int64_t edo_clock_now(edo_clock clock);

/* Waits until a clock has reached the time `when`. Each sleep uses a timer of the system, and that
 * timer follows its clock. So if somebody sets the wall clock during a sleep by EDO_CLOCK_WALL, the
 * sleep becomes longer or shorter, and still ends when the clock shows `when`. If `when` passes
 * while the machine is suspended, the sleep ends when the machine resumes.
 * Result: 0; -EINVAL for an unknown clock; -EMFILE; -ENFILE; -ENOMEM.
 * Cancel: waits, briefly. */
EDO_API EDO_MUST_USE edo_op edo_sleep_until_clock(edo_clock clock, int64_t when);

EDO_END_DECLS
