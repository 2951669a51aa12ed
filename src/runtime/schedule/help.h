/* Help: a worker serves stuck workers. */
#pragma once

#include "runtime/runtime.h"

/* Serves the drivers, timers and tasks of all stuck workers. A driver that another helper is
 * turning is left out. Thread: the owner of `worker`. */
void edo__worker_help(edo__worker *worker);
