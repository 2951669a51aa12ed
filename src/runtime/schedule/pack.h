/* Packing: workers with little work hand their tasks to one of them. */
#pragma once

#include "runtime/runtime.h"

/* Hands the worker's ready tasks, if they are little work, to a worker with a lower index that has
 * time for them. Called right after a sleep. Thread: the owner of `worker`. */
void edo__pack(edo__worker *worker);
