/* The budget of a poll: a number of operations and a time slice, whichever is used up first.
 * Thread: the poller. */
#pragma once

#include "task/cx.h"

/* Whether a leaf may answer EDO_READY in this poll. If not, the task is queued again. */
static inline bool edo__has_budget(edo_cx *cx)
{
    if (edo__likely(cx->budget > 0)) return true;
    cx->requeue = true;
    return false;
}

enum {
    EDO__SLICE_CHECK = 16, // operations between two reads of the clock
    EDO__SLICE_SPENT = -1, // edo_cx.slice_end: the poll has used up its time
};

/* Reads the clock. The first call in a poll starts the time slice. A call after the end of the
 * slice spends the rest of the budget. */
void edo__check_time_slice(edo_cx *cx);

/* Spends the rest of this poll's budget, so that the driver and timers run before the task is
 * polled again. */
void edo__spend_slice(edo_cx *cx);

/* Uses one unit of the budget. Checks the time slice every EDO__SLICE_CHECK units. */
static inline void edo__use_budget(edo_cx *cx)
{
    if (--cx->budget % EDO__SLICE_CHECK == 0) edo__check_time_slice(cx);
}

/* Units beyond the budget, for operations that answer -ECANCELED without having run. A clean-up
 * that awaits a few such operations finishes in one poll. A loop of such operations uses up these
 * units, and the task is requeued. */
enum { EDO__OVERDRAFT = 16 };

/* As edo__has_budget(), for an operation that answers -ECANCELED without having run. */
static inline bool edo__has_overdraft(edo_cx *cx)
{
    if (edo__likely(cx->budget > -EDO__OVERDRAFT)) return true;
    cx->requeue = true;
    return false;
}

/* Whether an EDO_KIND_OWNER operation may answer EDO_READY in this poll. An operation that is first
 * polled in a cancelled function may use the overdraft. */
static inline bool edo__owner_has_budget(const edo_future *future, edo_cx *cx)
{
    bool too_late = future->state == EDO_NEW && cx->fate != EDO_LIVE;
    return too_late ? edo__has_overdraft(cx) : edo__has_budget(cx);
}
