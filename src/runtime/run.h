/* Turning a runtime from outside, and waiting for one of its tasks. */
#pragma once

#include "runtime/runtime.h"

/* Whether this thread may turn or end the runtime. Returns: 0, -EBUSY or -ESTALE. */
int edo__runtime_check_owner(const edo_runtime *runtime);

/* One turn of a runtime without threads, from outside. Returns: whether more tasks are ready. */
int edo__turn_once(edo__worker *worker, int64_t timeout);

/* A plain thread that waits for a task. In edo_run() a signal handler may interrupt the wait for
 * the program's function: the function is aborted one drain_limit later, and given up one
 * abort_limit after that. */
typedef struct edo__waiter {
    edo_user_wakeable base;
    edo_atomic(uint32_t) word; // EDO__WAITER_*; a futex
    int64_t deadline;          // ns of edo__sys_now(), the next limit; the waiter's thread
    bool has_aborted;          // the waiter's thread
} edo__waiter;

enum { EDO__WAITER_WOKEN = 1, EDO__WAITER_INTERRUPTED = 2 };

/* Interrupts the wait. Any thread, also in a signal handler. */
void edo__waiter_interrupt(edo__waiter *waiter);

/* Runs until a task has ended; the handle stays the caller's. waiter: zeroed.
 * Returns: whether more tasks are ready; -ETIMEDOUT when the wait was interrupted and its limits
 * have passed. */
int edo__run_until(edo_runtime *runtime, edo_task *task, edo__waiter *waiter);
