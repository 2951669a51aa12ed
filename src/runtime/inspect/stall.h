/* Naming the task that keeps a worker. */
#pragma once

#include "runtime/runtime.h"

/* Logs the task that the worker has been polling for so long, with its async backtrace and the
 * thread's stack, and calls the hooks. The monitor.
 * Returns: how long the poll is to last to be reported again; EDO_NEVER when it was reported. */
int64_t edo__stall_report(edo__worker *worker, int64_t duration);
