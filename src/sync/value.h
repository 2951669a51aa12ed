/* Values of channels: copies, and checks of their memory. */
#pragma once

#include <string.h>

#include "task/op.h"

/* Copies a value. Most values have the size of a word. For a value of this size, a call of memcpy()
 * would cost as much as the rest of a send. */
static inline void edo__copy_value(void *to, const void *from, size_t size)
{
    if (size == 8)
        memcpy(to, from, 8);
    else if (size == 16)
        memcpy(to, from, 16);
    else
        memcpy(to, from, size);
}

/* Aborts if a value lies on the stack of the poll in progress. Called for an operation that is
 * about to wait. `value` is NULL if the operation has no value. */
static inline void edo__check_value(const edo_op *op, const void *value)
{
    if (value) edo__check_memory(op->base.ops->name, value, "place of the value");
}

/* As edo__check_value(), for an attempt, which does not wait itself. The caller may wait after the
 * attempt. Checks in debug builds only. */
static inline void edo__check_attempt(const char *call, const void *value)
{
    if (EDO_DEBUG) edo__check_memory(call, value, "place of the value");
}

/* Whether the poll has budget for an answer. If not, the operation waits, so this function checks
 * the value. */
static inline bool edo__may_answer(const edo_op *op, const void *value, edo_cx *cx)
{
    if (edo__has_budget(cx)) return true;
    edo__check_value(op, value);
    return false;
}
