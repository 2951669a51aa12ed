/* Memory for tasks: blocks of fixed size classes, cut from slabs.
 *
 * One thread owns a heap and allocates from it. Any thread may free a block. A block freed by
 * another thread is pushed to a lock-free stack that the owner empties. A slab whose blocks are all
 * free is released if another slab of the same class has a free block. Blocks may outlive the
 * ownership: after edo__heap_close(), the free of the last block frees the heap.
 *
 * The address of a slab is a multiple of a power of two that is greater than the slab's size. So
 * the high bits of a block's address are the address of the slab, and the slab has a pointer to the
 * heap. */
#pragma once

#include "base/list.h"

#include <stddef.h>
#include <stdint.h>

enum {
    EDO__HEAP_GRAIN = 16, // alignment of every block, sufficient for max_align_t
    EDO__HEAP_MAX = 1024, // the memory hooks allocate each larger block separately
    EDO__HEAP_CLASSES = EDO__HEAP_MAX / EDO__HEAP_GRAIN,
#ifdef EDO_MODEL
    EDO__SLAB_ALIGN = 4 * 1024, // three blocks of the largest class
#else
    EDO__SLAB_ALIGN = 64 * 1024, // about 200 tasks
#endif
    EDO__SLAB_GAP = 128, // space between adjacent slabs, for the allocator's headers
    EDO__SLAB_SIZE = EDO__SLAB_ALIGN - EDO__SLAB_GAP,
};

typedef struct edo__heap edo__heap;

edo__heap *edo__heap_create(void); // NULL: out of memory

/* Returns: size of the largest block that may be taken from a heap. The size is EDO__HEAP_MAX. It
 * is 0 in a program with AddressSanitizer, because AddressSanitizer would not detect the use of a
 * block that was freed to a heap. */
size_t edo__heap_max(void);

/* Takes a block of at most EDO__HEAP_MAX bytes. Thread: the owner. Returns: NULL if out of
 * memory. */
void *edo__heap_alloc(edo__heap *heap, size_t size);

/* Frees a block. Thread: any. mine: the heap that the calling thread owns, or NULL. */
void edo__heap_free(edo__heap *mine, void *block);

/* Ends the ownership of a heap. Blocks in use remain valid until they are freed. */
void edo__heap_close(edo__heap *heap);
