/* Help: a worker serves stuck workers. */
#pragma once

#include "runtime/runtime.h"

/* Serves all stuck workers: their drivers (unless a helper turns them already), timers and tasks.
 * Thread: the owner of `worker`. */
void edo__worker_help(edo__worker *worker);
