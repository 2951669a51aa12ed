/* All runtimes of the process, for dumps and for debuggers (tools/gdb/edo.py begins here). */
#pragma once

#include "runtime/runtime.h"

/* The list holds no references: a runtime leaves it before its last reference is dropped. */
typedef struct edo__runtimes_list {
    edo__lock lock;      // edo__runtimes_lock()
    uint32_t generation; // fork generation of the process that filled the list
    uint64_t last_serial;
    edo__node list; // through edo_runtime.all
} edo__runtimes_list;

extern edo__runtimes_list edo__runtimes;

void edo__runtimes_add(edo_runtime *runtime);
void edo__runtimes_remove(edo_runtime *runtime);

/* The next runtime by creation after the one with number *serial (0: the first), with a reference
 * for the caller; or NULL. *serial becomes the number of that runtime. */
edo_runtime *edo__runtimes_next(uint64_t *serial);
