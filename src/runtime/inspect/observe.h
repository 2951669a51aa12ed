/* Hooks, histograms and counts of tasks, for single polls. Polls that need none of these do not
 * call the functions. */
#pragma once

#include "runtime/runtime.h"

/* Called by the poller before and after the poll of a task, if the worker is observed or the task
 * is counted. Returns: the moment of the begin, for edo__observe_end(); 0 if the poll is not
 * measured. */
int64_t edo__observe_begin(edo__worker *worker, edo_task *task);
void edo__observe_end(edo__worker *worker, edo_task *task, int64_t start);
