/* Packing: workers with little work hand their tasks to one of them. */
#pragma once

#include "runtime/runtime.h"

/* Hands the worker's ready tasks to a worker with a lower index that has capacity, if there is one.
 * Called after a sleep. Thread: the owner of `worker`. */
void edo__pack(edo__worker *worker);
