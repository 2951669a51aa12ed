/* Memory for tasks: blocks of size classes, cut from slabs.
 *
 * A heap is owned by one thread, which allocates; any thread may free. A block freed by another
 * thread goes onto a lock-free stack that the owner empties. A slab is released when its last block
 * is free, except one per class. Blocks may outlive the owner: the last free after
 * edo__heap_close() frees the heap.
 *
 * Slabs are aligned to the next power of two, so that the address of a block gives its slab and
 * heap. */
#pragma once

#include "base/list.h"

#include <stddef.h>
#include <stdint.h>

enum {
    EDO__HEAP_GRAIN = 16, // alignment of every block: max_align_t
    EDO__HEAP_MAX = 1024, // larger blocks come from the hooks one by one
    EDO__HEAP_CLASSES = EDO__HEAP_MAX / EDO__HEAP_GRAIN,
#ifdef EDO_MODEL
    EDO__SLAB_ALIGN = 4 * 1024, // three blocks of the largest class
#else
    EDO__SLAB_ALIGN = 64 * 1024, // some 200 tasks; small enough to be touched soon
#endif
    EDO__SLAB_GAP = 128, // for the allocator's headers: so slabs may lie side by side
    EDO__SLAB_SIZE = EDO__SLAB_ALIGN - EDO__SLAB_GAP,
};

typedef struct edo__heap edo__heap;

edo__heap *edo__heap_create(void); // NULL: out of memory

/* The largest block that is worth taking from a heap: EDO__HEAP_MAX; 0 in a program with
 * AddressSanitizer, which does not see the end of a block that a heap uses again. */
size_t edo__heap_max(void);

/* size <= EDO__HEAP_MAX. Owner only. NULL: out of memory. */
void *edo__heap_alloc(edo__heap *heap, size_t size);

/* Any thread. mine: the heap that the caller's thread owns, or NULL. */
void edo__heap_free(edo__heap *mine, void *block);

/* Ends the ownership; blocks in use stay valid until they are freed. */
void edo__heap_close(edo__heap *heap);
