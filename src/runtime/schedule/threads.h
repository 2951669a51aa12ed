/* The threads of a runtime with workers. */
#pragma once

#include "runtime/runtime.h"

/* The first function starts the workers and the monitor, and the second one stops them. The stop
 * returns false if threads of stuck workers still run. */
int edo__threads_start(edo_runtime *runtime);
bool edo__threads_stop(edo_runtime *runtime, int64_t deadline);

/* Starts the thread of a worker. Returns: 0, or a negative errno. */
int edo__worker_start(edo__worker *worker);
