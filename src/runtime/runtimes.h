/* The list of all runtimes of the process, for dumps and for debuggers (tools/gdb/edo.py reads the
 * list). */
#pragma once

#include "runtime/runtime.h"

/* The list holds no references, because a runtime is removed from the list before its last
 * reference is dropped. */
typedef struct edo__runtimes_list {
    edo__lock lock;      // taken by edo__runtimes_lock()
    uint32_t generation; // fork generation of the process that filled the list
    uint64_t last_serial;
    edo__node list; // runtimes, linked by edo_runtime.all
} edo__runtimes_list;

extern edo__runtimes_list edo__runtimes;

void edo__runtimes_add(edo_runtime *runtime);
void edo__runtimes_remove(edo_runtime *runtime);

/* Finds the next runtime after the serial *serial, and stores its serial in *serial. A caller
 * begins with 0. Returns: the runtime with a reference for the caller, or NULL. */
edo_runtime *edo__runtimes_next(uint64_t *serial);
