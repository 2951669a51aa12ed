/* Inner operations. A reader, writer, copy or wrapper stores an operation on its stream, which is
 * called the inner operation. The user's operation is the outer operation. It polls the inner
 * operation. So a cancellation of the outer operation reaches the inner operation, and no wait list
 * is needed. When the outer operation ends, no inner operation is in flight. */
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

/* Value of an object's `user` after the close of the object. While the object's memory is in the
 * quarantine, a later call finds this value, and reports the misuse. */
#define EDO__USER_CLOSED ((const edo_op *)(uintptr_t)1)

/* Ends the process if the object was closed. */
static inline void edo__user_check(const edo_op *user, const char *call)
{
    if (edo__unlikely(user == EDO__USER_CLOSED))
        edo__misuse(call, "the handle was closed before: a close is the last use of it");
}

/* Marks an object, such as a reader or a writer, as used by an operation. Only one task at a time
 * uses the object. Returns: false: another operation is in flight. */
static inline bool edo__user_enters(const edo_op **user, const edo_op *op)
{
    if (*user && *user != op) {
        edo__user_check(*user, op->base.ops->name);
        return false;
    }
    *user = op;
    return true;
}

/* Ends an operation for which edo__user_enters() has returned true. */
static inline edo_poll edo__user_ends(const edo_op **user, edo_op *op, edo_cx *cx, int64_t result)
{
    *user = NULL;
    return edo__op_finish(op, cx, result);
}

/* Marks an object as closed. Ends the process if an operation on the object is in flight. next: the
 * name of such an operation. */
static inline void edo__user_closes(const edo_op **user, const char *call, const char *next)
{
    edo__user_check(*user, call);
    if (*user) edo__misuse(call, "an %s() is in flight", next);
    *user = EDO__USER_CLOSED;
}
