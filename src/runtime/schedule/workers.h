/* The making and the end of workers. */
#pragma once

#include "runtime/runtime.h"

/* Makes one, with its driver and heap. Returns: as edo_runtime_create(). */
int edo__worker_create(edo_runtime *runtime, uint32_t index, edo__worker **ret_worker);

/* Ends the drivers and heaps of all; the rest of each stays for those who hold a reference to the
 * runtime, until the last of them frees it. */
void edo__workers_close(edo_runtime *runtime);
void edo__workers_free(edo_runtime *runtime);
