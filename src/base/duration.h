/* Arithmetic on points in time and durations, in nanoseconds. */
#pragma once

#include <stdint.h>

/* Returns: moment + duration, or the limit of the type (INT64_MIN, INT64_MAX) on overflow. */
static inline int64_t edo__later(int64_t moment, int64_t duration)
{
    int64_t later;
    if (!__builtin_add_overflow(moment, duration, &later)) return later;
    return duration < 0 ? INT64_MIN : INT64_MAX;
}

static inline int64_t edo__clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}
