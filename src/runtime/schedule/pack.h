/* Packing: workers with little work hand their tasks to one of them. */
#pragma once

#include "runtime/runtime.h"

/* If the worker's ready tasks are little work, hands them to a worker that has a lower index and
 * has time for them. Called right after a sleep. Thread: the owner of `worker`. */
void edo__pack(edo__worker *worker);
