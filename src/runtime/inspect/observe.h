/* Hooks, histograms and task counts for a single poll. If a poll needs none of these three, the
 * functions of this file are not called. */
#pragma once

#include "runtime/runtime.h"

/* The poller calls edo__observe_begin() before the poll of a task and edo__observe_end() after it,
 * if the worker is observed or the task is counted. edo__observe_begin() returns the time at which
 * the poll begins, or 0 if the poll is not measured. The poller passes this time to
 * edo__observe_end() as `start`. */
int64_t edo__observe_begin(edo__worker *worker, edo_task *task);
void edo__observe_end(edo__worker *worker, edo_task *task, int64_t start);
