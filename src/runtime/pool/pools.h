/* The pools of a runtime: a part of the runtime's struct. */
#pragma once

#include <edo/blocking.h>

#include "base/atomic.h"
#include "base/lock.h"

/* Pools of a runtime. Any thread may use the struct. */
typedef struct edo__blocking {
    edo_atomic(uint32_t) jobs; // number of the tasks' operations that wait for a pool
    edo__lock lock;
    edo_pool *first;              // list of the runtime's pools; guarded by the lock
    edo_atomic(edo_pool *) user;  // the pool "user"; NULL until that pool exists
    edo_atomic(edo_pool *) files; // as above, for the pool "files"
    bool closed;                  // whether the pools have been ended; guarded by the lock
} edo__blocking;

/* Whether a task of the runtime waits for a job. If so, a test clock must not advance
 * automatically. The task counts as waiting until it has taken the job's result. */
static inline bool edo__blocking_is_busy(const edo__blocking *blocking)
{
    return edo_load_relaxed(&blocking->jobs) > 0;
}
