/* Pauses of an operation, for the case that no event of the system shows when the operation can
 * succeed. The operation tries, pauses, and tries again. Each pause is twice as long as the last
 * one, up to a limit. */
#pragma once

#include <edo/time.h>

#include "task/op.h"

/* Lengths of the first and of the longest pause; ms. The first pause is too short to be noticed.
 * Even with the longest pause, there are several tries per second. */
enum { EDO__FIRST_PAUSE = 1, EDO__LAST_PAUSE = 64 };

/* Returns: length of the pause after a pause of `last` ms; 0: there was none. */
static inline uint32_t edo__next_pause(uint32_t last)
{
    uint32_t next = last == 0 ? EDO__FIRST_PAUSE : last * 2;
    return next > EDO__LAST_PAUSE ? EDO__LAST_PAUSE : next;
}

/* Begins a pause. last: length of the last pause in ms; 0: there was none. *ret_until: end of the
 * pause, in ns of the runtime's clock. Returns: the length of this pause. Called inside a poll,
 * which then returns EDO_PENDING. */
static inline uint32_t edo__pause(edo_cx *cx, uint32_t last, int64_t *ret_until)
{
    uint32_t next = edo__next_pause(last);
    *ret_until = edo__deadline_after(edo_ms((int64_t)next));
    edo_cx_deadline(cx, *ret_until);
    return next;
}

/* Whether a pause continues. The poll then returns EDO_PENDING. until: 0: there was no pause. */
static inline bool edo__is_paused(edo_cx *cx, int64_t until)
{
    if (cx->now >= until) return false;
    edo_cx_deadline(cx, until);
    return true;
}
