/* Measurements of single polls: hooks, histograms, counts of tasks. Polls without them do not come
 * here. */
#pragma once

#include "runtime/runtime.h"

/* Called around the poll of a task, if the worker is observed or the task counted. The poller.
 * Returns: the moment of the begin, for edo__observe_end(); 0 if it is not measured. */
int64_t edo__observe_begin(edo__worker *worker, edo_task *task);
void edo__observe_end(edo__worker *worker, edo_task *task, int64_t start);
