/* The tasks of a runtime, from their spawn to their end. */
#pragma once

#include "runtime/runtime.h"

/* Takes out a task that has ended. */
void edo__runtime_dismiss(edo_task *task);

/* Cancels or aborts every task. */
void edo__runtime_ask_all(edo_runtime *runtime, uint64_t fate);

/* Adds a worker behind the others. One thread at a time. */
void edo__runtime_add_worker(edo_runtime *runtime, edo__worker *worker);

/* Refuses all further tasks. */
void edo__runtime_close(edo_runtime *runtime);

/* Whether no task is left. */
bool edo__runtime_is_empty(edo_runtime *runtime);

/* Gives up all remaining tasks. Returns: their number. */
int64_t edo__runtime_give_up(edo_runtime *runtime);
