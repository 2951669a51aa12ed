/* Functions that turn a runtime from outside, or wait for one of its tasks. */
#pragma once

#include "runtime/runtime.h"

/* Checks whether this thread may turn or end the runtime. Returns: 0 if the thread may do so;
 * -EBUSY if not; -ESTALE in the child of a fork. */
int edo__runtime_check_owner(const edo_runtime *runtime);

/* Makes one turn of a runtime without threads, from outside. Returns: whether more tasks are
 * ready. */
int edo__turn_once(edo__worker *worker, int64_t timeout);

/* State of a plain thread that waits for a task. In edo_run(), the task is the root, and a signal
 * handler may interrupt the wait. After an interrupt, the root has drain_limit to end. The thread
 * then aborts the root, and gives it up after a further abort_limit. */
typedef struct edo__waiter {
    edo_user_wakeable base;
    edo_atomic(uint32_t) word; // EDO__WAITER_*; a futex
    int64_t deadline;          // next limit; ns of edo__sys_now(); used by the waiter's thread
    bool has_aborted;          // whether the task was aborted; used by the waiter's thread
} edo__waiter;

enum { EDO__WAITER_WOKEN = 1, EDO__WAITER_INTERRUPTED = 2 };

/* Interrupts the wait. Thread: any. Async-signal-safe. */
void edo__waiter_interrupt(edo__waiter *waiter);

/* Runs the runtime until a task has ended. In a current-thread runtime, this thread turns the
 * runtime. In a runtime with threads, this thread only waits. The caller has the task's handle, and
 * keeps it. The caller has zeroed `waiter`.
 * Returns: whether more tasks are ready; -ETIMEDOUT if the wait was interrupted and its limits have
 * passed. */
int edo__run_until(edo_runtime *runtime, edo_task *task, edo__waiter *waiter);
