/* The monitor: a thread that finds workers which are stuck. */
#pragma once

#include "runtime/runtime.h"

int edo__monitor_start(edo_runtime *runtime);
void edo__monitor_stop(edo_runtime *runtime);
void edo__monitor_free(edo_runtime *runtime);

/* A worker is awake again: so must the monitor be. */
void edo__monitor_note_awake(edo_runtime *runtime);

/* The worker was found in one turn for too long: the one in which `turns` had that value. Any thread.
 * Returns: whether nobody had found it before. */
bool edo__monitor_mark_long(edo__worker *worker, uint64_t turns);

/* That turn has ended. Its thread, or the monitor. */
void edo__monitor_unmark_long(edo__worker *worker);

/* The worker is stuck from now on, as its own word has it; and no longer. Its thread. */
void edo__monitor_hand_over(edo__worker *worker);
void edo__monitor_take_back(edo__worker *worker);
