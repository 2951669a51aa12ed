/* The runtime as the task layer sees it: an executor of tasks. The runtime layer implements these
 * functions, so that no file in src/task includes a header of the runtime. */
#pragma once

#include <edo/runtime.h>

#include "sys/sys.h"
#include "task/cx.h"

/* Settings that tasks need. Every edo_runtime begins with this struct. The settings are constant
 * once the runtime is made. */
typedef struct edo__executor {
    const char *name;
    int64_t time_slice;       // greatest length of a poll; ns
    uint32_t budget;          // greatest number of operations of a poll
    uint32_t worker_count;    // number of workers except spare ones; 1 in a current-thread runtime
    uint32_t fork_generation; // fork generation of the process that made the runtime
    bool counts_tasks;        // every task has an edo__task_counts
    bool tracks_handles;      // see handle.h
    uint8_t on_failure;       // an edo_on_failure
} edo__executor;

static inline const edo__executor *edo__executor_of(const edo_runtime *runtime)
{
    return (const edo__executor *)(const void *)runtime;
}

/* ---- tasks ---- */

/* Returns: an id for a new task. Thread: any. */
uint64_t edo__runtime_new_id(edo_runtime *runtime);

/* Adds a new task to the runtime and queues it. Returns: 0, -ESHUTDOWN or -ESTALE. After an error,
 * the task still belongs to the caller. Thread: any. */
int edo__runtime_adopt(edo_runtime *runtime, edo_task *task);

/* Queues a task whose queue entry the caller owns. Thread: any. */
void edo__runtime_push(edo_runtime *runtime, edo_task *task);

/* Ends the runtime because of a failed task: refuses spawns, and cancels all tasks. Thread: any. */
void edo__runtime_fail(edo_runtime *runtime, int64_t result);

/* Whether this process is a fork made after the runtime was made. The model checker treats the
 * number of forks as a figure, because no model forks. */
static inline bool edo__runtime_is_stale(const edo_runtime *runtime)
{
    return edo__executor_of(runtime)->fork_generation != edo_load_figure(&edo__sys_forks);
}

/* Whether this thread is polling a task. False in a child that a task has forked, because the child
 * has only a copy of that poll's memory. */
static inline bool edo__in_task(void)
{
    return edo__self.cx && !edo__runtime_is_stale(edo__self.cx->runtime);
}

/* The time of the runtime's clock, in nanoseconds. Thread: any. */
int64_t edo__runtime_now(const edo_runtime *runtime);

/* ---- the process ---- */

/* Takes the lock of the state that all runtimes of the process share. Usable in the child of a
 * fork. The holder may start a thread, but must not wait for anything else. Returns: whether a
 * runtime exists. */
bool edo__runtimes_lock(void);
void edo__runtimes_unlock(void);
