/* The tasks of a runtime, from their spawn to their end. */
#pragma once

#include "runtime/runtime.h"

/* Removes an ended task from the registry. */
void edo__runtime_dismiss(edo_task *task);

/* Cancels or aborts every task. `fate` is EDO__CANCELLED or EDO__ABORTED. */
void edo__runtime_ask_all(edo_runtime *runtime, uint64_t fate);

/* Adds a worker at the end of the runtime's array of workers. Only one thread at a time may call
 * this function. */
void edo__runtime_add_worker(edo_runtime *runtime, edo__worker *worker);

/* Closes the registry, which then refuses new tasks. */
void edo__runtime_close(edo_runtime *runtime);

/* Whether the registry has no tasks. */
bool edo__runtime_is_empty(edo_runtime *runtime);

/* Gives up all remaining tasks. Returns: the number of these tasks. */
int64_t edo__runtime_give_up(edo_runtime *runtime);
