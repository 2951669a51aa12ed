/* Help: a worker serves stuck workers. */
#pragma once

#include "runtime/runtime.h"

/* Serves all stuck workers: their drivers (unless a helper turns them already), timers and tasks.
 * Owner of `worker`. */
void edo__worker_help(edo__worker *worker);
