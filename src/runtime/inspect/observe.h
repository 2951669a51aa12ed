/* Hooks, histograms and task counts for a single poll. A poll that needs none of these does not
 * call these functions. */
#pragma once

#include "runtime/runtime.h"

/* Called by the poller before and after the poll of a task, if the worker is observed or the task
 * is counted. edo__observe_begin() returns the time at which the poll begins, for
 * edo__observe_end(); 0 if the poll is not measured. */
int64_t edo__observe_begin(edo__worker *worker, edo_task *task);
void edo__observe_end(edo__worker *worker, edo_task *task, int64_t start);
