/* Memory for small objects that a worker makes: tasks, streams, oneshots. The memory comes from the
 * heap of the worker, or else from the memory hooks. The heap has no header per block. */
#pragma once

#include "base/heap.h"
#include "task/cx.h"

/* Allocates from the heap of this thread's worker. Without a worker, or if the size exceeds
 * EDO__HEAP_MAX, allocates through the hooks. The object may outlive the worker and its runtime.
 * *ret_in_heap: for edo__worker_free(). Returns: NULL if out of memory. Thread: any. */
static inline void *edo__worker_alloc(size_t size, bool *ret_in_heap)
{
    const edo_cx *cx = edo__worker_cx();
    *ret_in_heap = cx && size <= cx->heap_max;
    return *ret_in_heap ? edo__heap_alloc(cx->heap, size) : edo__alloc(size);
}

/* Thread: any. */
static inline void edo__worker_free(void *memory, size_t size, bool in_heap)
{
    if (in_heap)
        edo__heap_free(edo__self.worker ? edo__worker_cx()->heap : NULL, memory);
    else
        edo__free(memory, size);
}
