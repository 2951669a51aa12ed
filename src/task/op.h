/* Leaf operations: what their polls have in common.
 *
 * An operation is built complete and inert by its constructor. Its first poll tries; each poll that
 * answers EDO_READY has used one unit of the budget. `word` (EDO__OP_*) says where it stands with
 * whoever completes it: the completer stores it with release, the poll reads it with acquire.
 */
#pragma once

#include "task/task.h"

static inline edo_op *edo__op_of(edo_future *future)
{
    return (edo_op *)(void *)future;
}

/* Whether a leaf may answer EDO_READY in this poll; if not, the task is queued again. */
static inline bool edo__has_budget(edo_cx *cx)
{
    if (edo__likely(cx->budget > 0)) return true;
    cx->requeue = true;
    return false;
}

enum { EDO__SLICE_CHECK = 16 }; // operations between two looks at the clock

void edo__check_time_slice(edo_cx *cx);

/* This poll has used its time up: driver and timers come first now. */
void edo__spend_slice(edo_cx *cx);

/* Uses one unit of the budget, of operations or of time, whichever ends first. */
static inline void edo__use_budget(edo_cx *cx)
{
    if (--cx->budget % EDO__SLICE_CHECK == 0) edo__check_time_slice(cx);
}

/* Ends an operation; edo__has_budget() was asked before. */
static inline edo_poll edo__op_finish(edo_op *op, edo_cx *cx, int64_t result)
{
    edo__use_budget(cx);
    op->base.result = result;
    return EDO_READY;
}

/* An operation that answers an error known to its constructor, or -ECANCELED, by its first poll. */
edo_op edo__op_refuse(int error);

/* Aborts when memory handed to an operation lies on the stack of the poll in progress: between the
 * caller's frame and the poll loop's. */
void edo__check_memory_slow(const char *call, const void *memory, const char *what);

static inline void edo__check_memory(const char *call, const void *memory, const char *what)
{
    if (edo__unlikely((uintptr_t)memory - (uintptr_t)__builtin_frame_address(0) <
                      edo__self.stack - (uintptr_t)__builtin_frame_address(0)) &&
        edo__self.stack)
        edo__check_memory_slow(call, memory, what);
}
