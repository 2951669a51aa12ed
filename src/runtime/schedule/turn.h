/* Turns: ready tasks, the driver, timers, sleep. */
#pragma once

#include "runtime/runtime.h"

/* Polls a task whose queue entry was popped. Owner. */
void edo__poll_task(edo__worker *worker, edo_task *task);

/* The calling thread is the one of the worker from now on, and no longer. Its own time is accounted
 * in between. */
void edo__worker_begin(edo__worker *worker);
void edo__worker_pause(edo__worker *worker);

/* Runs a whole turn of the one worker of a runtime without threads. Returns: whether more is
 * ready. */
int edo__turn(edo__worker *worker, int64_t timeout);

/* The same for a worker among others, on its thread. */
void edo__worker_turn(edo__worker *worker);
