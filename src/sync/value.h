/* Values of channels: copies, and checks of their memory. */
#pragma once

#include <string.h>

#include "task/op.h"

/* Copies a value. Most values have the size of a word. For such a value a call of memcpy() would
 * cost as much as the rest of a send. */
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
 * about to wait. value: NULL: there is no value. */
static inline void edo__check_value(const edo_op *op, const void *value)
{
    if (value) edo__check_memory(op->base.ops->name, value, "place of the value");
}

/* Checks the value of an attempt like edo__check_value(), because a wait may follow. Debug builds
 * only. */
static inline void edo__check_attempt(const char *call, const void *value)
{
    if (EDO_DEBUG) edo__check_memory(call, value, "place of the value");
}

/* Whether the poll has budget for an answer. Without budget the operation waits, so this function
 * then checks the value. */
static inline bool edo__may_answer(const edo_op *op, const void *value, edo_cx *cx)
{
    if (edo__has_budget(cx)) return true;
    edo__check_value(op, value);
    return false;
}
