/* Operations on a stream that are kept by what wraps it, and polled by the operations of that. So a
 * cancellation reaches them, and the wrapper has no parking of its own. When the outer operation
 * ends, none is in flight. */
#pragma once

#include <edo/io.h>

#include "task/op.h"

/* Whether one is in flight. */
static inline bool edo__inner_is_set(const edo_op *inner)
{
    return inner->base.ops;
}

/* EDO_READY with its result, and then none is in flight. Inside a poll. */
static inline edo_poll edo__inner_poll(edo_op *inner, edo_cx *cx, int64_t *ret_result)
{
    if (edo_poll_future(&inner->base, cx) == EDO_PENDING) return EDO_PENDING;
    *ret_result = inner->base.result;
    inner->base.ops = NULL;
    return EDO_READY;
}

/* Whether another operation than this one is in flight on a reader or a writer; if not, this one is
 * from now on. One task at a time. */
static inline bool edo__user_enters(const edo_op **user, const edo_op *op)
{
    if (*user && *user != op) return false;
    *user = op;
    return true;
}

/* Ends an operation that has entered. */
static inline edo_poll edo__user_ends(const edo_op **user, edo_op *op, edo_cx *cx, int64_t result)
{
    *user = NULL;
    return edo__op_finish(op, cx, result);
}
