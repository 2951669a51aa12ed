/* Measurements of single polls: hooks, histograms, counts of tasks. All
 * else takes none of this. */
#pragma once

#include "runtime/runtime.h"

/* Around the poll of a task, if the worker is observed or the task counted. The poller.
 * Returns: the moment of its begin, for the end; 0: it is of no interest. */
int64_t edo__observe_begin(edo__worker *worker, edo_task *task);
void edo__observe_end(edo__worker *worker, edo_task *task, int64_t start);
