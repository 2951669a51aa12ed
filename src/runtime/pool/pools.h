/* The pools of a runtime: a part of the runtime's struct. */
#pragma once

#include <edo/blocking.h>

#include "base/atomic.h"
#include "base/lock.h"

/* Part of a runtime. Any thread. */
typedef struct edo__blocking {
    edo_atomic(uint32_t) jobs; // operations of the runtime's tasks that wait for a pool
    edo__lock lock;
    edo_pool *first;             // its pools; the lock
    edo_atomic(edo_pool *) user; // the pool "user", once it exists
    bool closed;                 // the lock
} edo__blocking;

/* Whether a task of the runtime waits for a job; a test clock must not advance by itself then. The
 * count falls only when the task has taken the result. */
static inline bool edo__blocking_is_busy(const edo__blocking *blocking)
{
    return edo_load_relaxed(&blocking->jobs) > 0;
}
