/* Reports of the task that occupies a worker. */
#pragma once

#include "runtime/runtime.h"

/* Logs the task that the worker has been polling for `duration`. The log has the task's async
 * backtrace and the thread's stack. Also calls the stall hooks. Called by the monitor.
 * Returns: EDO_NEVER if the report is complete. Otherwise the length of the poll (ns) at which the
 * monitor must call this function again. */
int64_t edo__stall_report(edo__worker *worker, int64_t duration);
