/* Claims record which sides of a stream or listener have an operation in flight, and decide who
 * ends the object.
 *
 * The word holds CLOSED, CLOSING and a bit for each claimed side (EDO__SOURCE_*). If a source
 * allows several operations per side, its word has COUNTS from the start. Instead of the bits of
 * sides, this word holds the number of operations, in units of USER.
 *
 *     take   Before its first try, an operation sets the bits of its sides. -EBUSY if one is set.
 *     leave  At its end, the operation clears these bits.
 *     close  The owner sets CLOSED and CLOSING, wakes the parked operations, and then clears
 *            CLOSING. The owner closes once.
 *
 * The step that leaves only CLOSED in the word ends the object. All changes are read-modify-writes
 * of one word, so there is exactly one such step. CLOSING keeps the object valid while the closer
 * still wakes operations. Without CLOSING a woken operation could leave first and end the object.
 *
 * Memory orders. A take acquires. A leave acquires and releases. So the work of an operation on a
 * side precedes the next claim of that side. The work of all operations precedes the end of the
 * object.
 */
#pragma once

#include <errno.h>

#include "driver/driver.h"

enum {
    EDO__BOTH_SIDES = EDO__SOURCE_READING | EDO__SOURCE_WRITING,
    EDO__SOURCE_CLOSING = 8, // the closer's own claim
};

/* Amount that a claim of the sides adds to the word. The load is relaxed, because COUNTS never
 * changes. */
static inline uint32_t edo__claims_weight(const edo_atomic(uint32_t) *claims, uint32_t sides)
{
    bool counts = edo_load_relaxed(claims) & EDO__SOURCE_COUNTS;
    return counts ? (uint32_t)EDO__SOURCE_USER : sides;
}

/* Whether a claim of the sides has to fail. With COUNTS, a claim of one side never fails, and a
 * claim of both sides fails if there is any other claim. */
static inline bool edo__claims_exclude(uint32_t state, uint32_t sides)
{
    if (state & EDO__SOURCE_COUNTS) return sides == EDO__BOTH_SIDES && state >= EDO__SOURCE_USER;
    return state & sides;
}

/* Claims sides. Returns: 0; -EBUSY when a side is claimed; -ECANCELED when the object was
 * closed. */
static inline int edo__claims_take(edo_atomic(uint32_t) *claims, uint32_t sides)
{
    uint32_t state = edo_load_relaxed(claims), claim = edo__claims_weight(claims, sides);
    do {
        if (state & EDO__SOURCE_CLOSED) return -ECANCELED;
        if (edo__claims_exclude(state, sides)) return -EBUSY;
    } while (!edo_cas_acquire(claims, &state, state + claim));
    return 0;
}

/* Subtracts a claim from the word. Returns: whether the claim was the last one on a closed
 * object. */
static inline bool edo__claims_drop(edo_atomic(uint32_t) *claims, uint32_t claim)
{
    uint32_t before = edo_sub_acq_rel(claims, claim) & ~(uint32_t)EDO__SOURCE_COUNTS;
    return before == (EDO__SOURCE_CLOSED | claim);
}

/* Releases a claim of sides. Returns: whether this was the last claim on a closed object; the
 * caller must then end the object. */
static inline bool edo__claims_leave(edo_atomic(uint32_t) *claims, uint32_t sides)
{
    return edo__claims_drop(claims, edo__claims_weight(claims, sides));
}

/* Closes the object. The caller then holds CLOSING. Returns: the word before the close. If that
 * word has CLOSED, this is a second close, which is misuse. */
static inline uint32_t edo__claims_close(edo_atomic(uint32_t) *claims)
{
    return edo_or_relaxed(claims, EDO__SOURCE_CLOSED | EDO__SOURCE_CLOSING);
}

/* Releases CLOSING. Returns: as edo__claims_leave(). */
static inline bool edo__claims_end_close(edo_atomic(uint32_t) *claims)
{
    return edo__claims_drop(claims, EDO__SOURCE_CLOSING);
}

/* Whether the word `state` has claims of operations. */
static inline bool edo__claims_any(uint32_t state)
{
    return state & ~(uint32_t)(EDO__SOURCE_CLOSED | EDO__SOURCE_CLOSING | EDO__SOURCE_COUNTS);
}

/* Whether the object was closed and has no operation in flight. */
static inline bool edo__claims_are_over(const edo_atomic(uint32_t) *claims)
{
    return (edo_load_relaxed(claims) & ~(uint32_t)EDO__SOURCE_COUNTS) == EDO__SOURCE_CLOSED;
}
