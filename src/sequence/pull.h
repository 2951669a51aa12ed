/* Common parts of streams and combinators. Thread: the task of the stream. */
#pragma once

#include <string.h>

#include <edo/sequence.h>

#include "task/op.h"

/* Copies an item. Most items are numbers or pointers. */
static inline void edo__copy_item(void *to, const void *from, uint32_t size)
{
    if (size == sizeof(uint64_t))
        memcpy(to, from, sizeof(uint64_t));
    else if (size == sizeof(uint32_t))
        memcpy(to, from, sizeof(uint32_t));
    else
        memcpy(to, from, size);
}

/* Number of items that use one unit of the budget together, if the items are in memory. Such an
 * item costs much less than an operation. */
enum { EDO__ITEMS_PER_UNIT = 8 };

/* Uses the budget for an operation that answers with `count` items, or with another answer. */
static inline void edo__use_budget_for(edo_cx *cx, int64_t count)
{
    for (; count > EDO__ITEMS_PER_UNIT && cx->budget > 1; count -= EDO__ITEMS_PER_UNIT)
        edo__use_budget(cx);
    edo__use_budget(cx);
}

/* Decides whether a combinator that has dropped an item may take another one in this poll. Uses one
 * unit of the budget. Returns: 0: it may; otherwise the combinator's answer, EDO_NEXT_WAITS or
 * -ECANCELED. */
static inline int64_t edo__go_on(edo_cx *cx)
{
    if (edo__unlikely(cx->fate != EDO_LIVE)) return -ECANCELED;
    if (!edo__has_budget(cx)) return EDO_NEXT_WAITS;
    edo__use_budget(cx);
    return 0;
}

/* Pulls in a cancelled poll, which ends the operations that `in` has in flight. */
int64_t edo__pull_cancelled(edo_stream *in, edo_cx *cx, void *ret_item);

/* Pulls until the time `when` of edo_now()'s clock. *ending: state that the calling stream keeps; 0
 * at first.
 * Returns: as edo_pull(); -ETIMEDOUT, with *ending set to EDO__PASSED: the time has passed, and
 * nothing was taken. An item that is ready is the answer even if the time has passed. */
int64_t edo__pull_until(edo_stream *in, edo_cx *cx, void *ret_item, int64_t when, uint8_t *ending);
enum { EDO__RESPITE_GIVEN = 1, EDO__ENDING, EDO__PASSED };

/* Whether an answer of edo__pull_until() means that the time has passed. The answer is not compared
 * with cx->now: the end of the pull may come in a later poll, in which the clock is behind, because
 * the task has migrated. */
static inline bool edo__has_passed(int64_t result, uint8_t ending)
{
    return result == -ETIMEDOUT && ending == EDO__PASSED;
}
