/* Inner operations. A reader, writer, copy or wrapper stores an operation on its stream, called the
 * inner operation. The user's operation on the reader (or writer, copy, wrapper) is the outer
 * operation, and polls the inner operation. So a cancellation of the outer operation reaches the
 * inner operation, and no wait list is needed. When the outer operation ends, no inner operation is
 * in flight. */
#pragma once

#include <edo/io.h>

#include "task/op.h"

/* Whether the inner operation is in flight. */
static inline bool edo__inner_is_set(const edo_op *inner)
{
    return inner->base.ops;
}

/* Polls the inner operation. Returns: EDO_PENDING; or EDO_READY with the result in *ret_result.
 * After EDO_READY the inner operation is not in flight. Called inside a poll. */
static inline edo_poll edo__inner_poll(edo_op *inner, edo_cx *cx, int64_t *ret_result)
{
    if (edo_poll_future(&inner->base, cx) == EDO_PENDING) return EDO_PENDING;
    *ret_result = inner->base.result;
    inner->base.ops = NULL;
    return EDO_READY;
}

/* Marks a reader or a writer as used by an operation. Only one task at a time may use a reader or a
 * writer. Returns: false: another operation is in flight. */
static inline bool edo__user_enters(const edo_op **user, const edo_op *op)
{
    if (*user && *user != op) return false;
    *user = op;
    return true;
}

/* Ends an operation for which edo__user_enters() has returned true. */
static inline edo_poll edo__user_ends(const edo_op **user, edo_op *op, edo_cx *cx, int64_t result)
{
    *user = NULL;
    return edo__op_finish(op, cx, result);
}
