/* Copies of values. */
#pragma once

#include <stddef.h>
#include <string.h>

/* Words are the usual values, and a call of memcpy() costs as much as the rest of a send. */
static inline void edo__copy_value(void *to, const void *from, size_t size)
{
    if (size == 8)
        memcpy(to, from, 8);
    else if (size == 16)
        memcpy(to, from, 16);
    else
        memcpy(to, from, size);
}
