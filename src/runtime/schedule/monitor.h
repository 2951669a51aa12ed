/* The monitor: a thread that finds stuck workers. */
#pragma once

#include "runtime/runtime.h"

int edo__monitor_start(edo_runtime *runtime);
void edo__monitor_stop(edo_runtime *runtime);
void edo__monitor_free(edo_runtime *runtime);

/* Wakes the monitor from its long sleep, because a worker is awake again. Thread: any. */
void edo__monitor_note_awake(edo_runtime *runtime);

/* Marks a worker as stuck in the turn with the number `turns`. Thread: any. Returns: whether the
 * mark is new. */
bool edo__monitor_mark_long(edo__worker *worker, uint64_t turns);

/* Clears the mark of a turn that has ended. Thread: the worker's, or the monitor. */
void edo__monitor_unmark_long(edo__worker *worker);

/* edo__monitor_hand_over() marks the worker as being in edo_block_in_place(), and wakes a helper.
 * edo__monitor_take_back() clears the mark. Thread: the worker's. */
void edo__monitor_hand_over(edo__worker *worker);
void edo__monitor_take_back(edo__worker *worker);
