/* Creation and end of workers. */
#pragma once

#include "runtime/runtime.h"

/* Makes a worker with a driver and a heap. Returns: 0, or a negative errno as
 * edo_runtime_create(). */
int edo__worker_create(edo_runtime *runtime, uint32_t index, edo__worker **ret_worker);

/* edo__workers_close() ends the drivers and heaps of all workers. edo__workers_free() frees the
 * other memory of the workers, when the last reference to the runtime is dropped. */
void edo__workers_close(edo_runtime *runtime);
void edo__workers_free(edo_runtime *runtime);
