/* Claims: the sides of a stream or a listener that have an operation in flight, and its end.
 *
 * The word holds CLOSED, CLOSING and a bit for each claimed side (EDO__SOURCE_*). A source for
 * several operations per side has COUNTS in its word from the start, and counts its operations in
 * units of USER instead.
 *
 *     take   an operation, before its first try: sets the bits of its sides; -EBUSY if one is set
 *     leave  the operation, at its end: clears them
 *     close  the owner, once: sets CLOSED and CLOSING, has parked operations polled, leaves CLOSING
 *
 * The leave that makes the word CLOSED alone ends the object. All changes are read-modify-writes of
 * one word, so there is exactly one such leave. CLOSING keeps the object while the closer still
 * wakes operations: a woken operation could otherwise leave first and end it.
 *
 * Order: a take acquires, a leave acquires and releases. So all work of an operation on a side
 * precedes the next claim of that side, and all work of all operations precedes the end.
 */
#pragma once

#include <errno.h>

#include "driver/driver.h"

enum {
    EDO__BOTH_SIDES = EDO__SOURCE_READING | EDO__SOURCE_WRITING,
    EDO__SOURCE_CLOSING = 8, // the closer's own claim
};

/* Amount that a claim of the sides adds to the word. COUNTS never changes. */
static inline uint32_t edo__claims_weight(const edo_atomic(uint32_t) *claims, uint32_t sides)
{
    bool counts = edo_load_relaxed(claims) & EDO__SOURCE_COUNTS;
    return counts ? (uint32_t)EDO__SOURCE_USER : sides;
}

/* Whether a claim of the sides has to fail. With COUNTS only a claim of both sides excludes
 * others. */
static inline bool edo__claims_exclude(uint32_t state, uint32_t sides)
{
    if (state & EDO__SOURCE_COUNTS) return sides == EDO__BOTH_SIDES && state >= EDO__SOURCE_USER;
    return state & sides;
}

/* Returns: 0; -EBUSY; -ECANCELED when closed. */
static inline int edo__claims_take(edo_atomic(uint32_t) *claims, uint32_t sides)
{
    uint32_t state = edo_load_relaxed(claims), claim = edo__claims_weight(claims, sides);
    do {
        if (state & EDO__SOURCE_CLOSED) return -ECANCELED;
        if (edo__claims_exclude(state, sides)) return -EBUSY;
    } while (!edo_cas_acquire(claims, &state, state + claim));
    return 0;
}

/* Subtracts a claim from the word. Returns: whether it was the last claim on a closed object. */
static inline bool edo__claims_drop(edo_atomic(uint32_t) *claims, uint32_t claim)
{
    uint32_t before = edo_sub_acq_rel(claims, claim) & ~(uint32_t)EDO__SOURCE_COUNTS;
    return before == (EDO__SOURCE_CLOSED | claim);
}

/* Returns: whether this was the last claim on a closed object, which the caller must end. */
static inline bool edo__claims_leave(edo_atomic(uint32_t) *claims, uint32_t sides)
{
    return edo__claims_drop(claims, edo__claims_weight(claims, sides));
}

/* Closes the object; the caller then holds CLOSING. Returns: the word before; CLOSED in it is
 * misuse, a second close. */
static inline uint32_t edo__claims_close(edo_atomic(uint32_t) *claims)
{
    return edo_or_relaxed(claims, EDO__SOURCE_CLOSED | EDO__SOURCE_CLOSING);
}

/* Releases CLOSING. Returns: as edo__claims_leave(). */
static inline bool edo__claims_end_close(edo_atomic(uint32_t) *claims)
{
    return edo__claims_drop(claims, EDO__SOURCE_CLOSING);
}

/* Whether operations are in flight. */
static inline bool edo__claims_any(uint32_t state)
{
    return state & ~(uint32_t)(EDO__SOURCE_CLOSED | EDO__SOURCE_CLOSING | EDO__SOURCE_COUNTS);
}

/* Whether the object was closed and has no operation in flight: its memory is no longer in use. */
static inline bool edo__claims_are_over(const edo_atomic(uint32_t) *claims)
{
    return (edo_load_relaxed(claims) & ~(uint32_t)EDO__SOURCE_COUNTS) == EDO__SOURCE_CLOSED;
}
