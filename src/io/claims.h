/* Claims: which sides of a stream or a listener have an operation in flight, and its end.
 *
 * The word holds CLOSED, CLOSING and a bit for each claimed side (EDO__SOURCE_*). A source that takes
 * several operations per side counts them instead, in units of EDO__SOURCE_USER.
 *
 *     take   an operation, before its first try: sets the bits of its sides; -EBUSY if one is set
 *     leave  the operation, at its end: clears them
 *     close  the owner, once: sets CLOSED and CLOSING, has parked operations polled, leaves CLOSING
 *
 * The leave after which the word is CLOSED alone ends the object. All changes are
 * read-modify-writes of one word, so exactly one leave does. CLOSING keeps the object while the
 * closer still wakes: else an operation that it wakes could leave first and end it.
 *
 * Order: a take acquires and a leave is acquire and release. So one operation's work on a side
 * comes before the next one's claim, and all of it before the end.
 */
#pragma once

#include <errno.h>

#include "driver/driver.h"

enum {
    EDO__BOTH_SIDES = EDO__SOURCE_READING | EDO__SOURCE_WRITING,
    EDO__SOURCE_CLOSING = 8, // the closer's own claim
};

/* Returns: 0; -EBUSY; -ECANCELED when closed. */
static inline int edo__claims_take(edo_atomic(uint32_t) *claims, uint32_t sides)
{
    uint32_t state = edo_load_relaxed(claims);
    do {
        if (state & EDO__SOURCE_CLOSED) return -ECANCELED;
        if (state & sides) return -EBUSY;
    } while (!edo_cas_acquire(claims, &state, state | sides));
    return 0;
}

/* Returns: whether the caller is the last one of a closed object, and so ends it. */
static inline bool edo__claims_leave(edo_atomic(uint32_t) *claims, uint32_t sides)
{
    return edo_sub_acq_rel(claims, sides) == (EDO__SOURCE_CLOSED | sides);
}

/* The caller holds CLOSING then. Returns: the word before; CLOSED in it is a mistake. */
static inline uint32_t edo__claims_close(edo_atomic(uint32_t) *claims)
{
    return edo_or_relaxed(claims, EDO__SOURCE_CLOSED | EDO__SOURCE_CLOSING);
}

/* Whether the object was closed and nothing is in flight: its memory is no longer in use. */
static inline bool edo__claims_are_over(const edo_atomic(uint32_t) *claims)
{
    return edo_load_relaxed(claims) == EDO__SOURCE_CLOSED;
}
