/* Polls of ready tasks. Thread: the owner of the worker. */
#pragma once

#include "runtime/runtime.h"

/* Target length of a turn, so that sockets and timers are served in time. */
#define TURN_TARGET edo_us(500)

/* Polls a task whose queue entry was popped. */
void edo__poll_task(edo__worker *worker, edo_task *task);

/* Polls at most worker->interval tasks. Stops early when a poll has used up its time slice, or when
 * is_hurried is set, because the driver and the timers have waited for long. Returns: whether a
 * task has ended. The caller of the turn may be waiting for the end of that task. */
bool edo__run_ready(edo__worker *worker);

/* Publishes the counters. `popped` is the number of tasks popped in this turn. */
void edo__publish_polls(edo__worker *worker, uint32_t popped);
