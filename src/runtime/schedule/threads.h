/* The threads of a runtime with workers. */
#pragma once

#include "runtime/runtime.h"

/* edo__threads_start() starts the workers and the monitor, and edo__threads_stop() stops them.
 * edo__threads_stop() returns false if threads of stuck workers still run after `deadline`. */
int edo__threads_start(edo_runtime *runtime);
bool edo__threads_stop(edo_runtime *runtime, int64_t deadline);

/* Starts the thread of a worker. Returns: 0, or a negative errno. */
int edo__worker_start(edo__worker *worker);
