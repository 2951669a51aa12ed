/* The list of all runtimes of the process, for dumps and for debuggers (tools/gdb/edo.py reads the
 * list). */
#pragma once

#include "runtime/runtime.h"

/* The list needs no references to its runtimes, because a runtime is removed from the list before
 * its last reference is dropped. */
typedef struct edo__runtimes_list {
    edo__lock lock;      // taken by edo__runtimes_lock()
    uint32_t generation; // fork generation of the process that filled the list
    uint64_t last_serial;
    edo__node list; // runtimes, linked by edo_runtime.all
} edo__runtimes_list;

extern edo__runtimes_list edo__runtimes;

void edo__runtimes_add(edo_runtime *runtime);
void edo__runtimes_remove(edo_runtime *runtime);

/* Finds the first runtime whose serial is greater than *serial, and stores that runtime's serial in
 * *serial. A caller that visits all runtimes begins with 0 in *serial. Returns: the runtime with a
 * reference for the caller, or NULL. */
edo_runtime *edo__runtimes_next(uint64_t *serial);
