/* Turns of a worker: polls of ready tasks, then a wait, then timers. */
#pragma once

#include "runtime/runtime.h"

/* These functions begin and end the worker's use of the calling thread. The time between the two
 * calls counts as busy. */
void edo__worker_begin(edo__worker *worker);
void edo__worker_pause(edo__worker *worker);

/* Runs a whole turn of the only worker of a current-thread runtime. Returns: whether more tasks are
 * ready. */
int edo__turn(edo__worker *worker, int64_t timeout);

/* Runs a whole turn of one of several workers, on its thread. */
void edo__worker_turn(edo__worker *worker);
