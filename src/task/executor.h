/* The executor of tasks, as this layer sees it: a runtime. The runtime layer implements all of it,
 * so that no file here includes one of there. */
#pragma once

#include "task/cx.h"

/* Settings that tasks need; every edo_runtime begins with them. Fixed once it is made. */
typedef struct edo__executor {
    const char *name;
    int64_t time_slice;    // ns of one poll
    uint32_t budget;       // operations of one poll
    uint32_t worker_count; // workers that take part; 1 without threads
    bool counts_tasks;     // each has an edo__task_counts
    bool tracks_handles;   // see handle.h
} edo__executor;

static inline const edo__executor *edo__executor_of(const edo_runtime *runtime)
{
    return (const edo__executor *)(const void *)runtime;
}

/* ---- tasks ---- */

/* An id for a task. Any thread. */
uint64_t edo__runtime_new_id(edo_runtime *runtime);

/* Enters a new task and queues it. Returns: 0, -ESHUTDOWN or -ESTALE; the task is still the caller's
 * then. Any thread. */
int edo__runtime_adopt(edo_runtime *runtime, edo_task *task);

/* Queues a task whose queue entry the caller owns. Any thread. */
void edo__runtime_push(edo_runtime *runtime, edo_task *task);

/* Whether the process was forked after the runtime was made. */
bool edo__runtime_is_stale(const edo_runtime *runtime);

/* Whether this thread polls a task. The child of a fork that a task made does not: it only has the
 * memory of it. */
static inline bool edo__in_task(void)
{
    return edo__self.cx && !edo__runtime_is_stale(edo__self.cx->runtime);
}

/* The time of the runtime's clock, in nanoseconds. Any thread. */
int64_t edo__runtime_now(const edo_runtime *runtime);

/* ---- the process ---- */

/* Lock of the state that a process has once for all its runtimes; the child of a fork can take it.
 * Its holder may start a thread, but waits for nothing else. Returns: whether there is a runtime. */
bool edo__runtimes_lock(void);
void edo__runtimes_unlock(void);
