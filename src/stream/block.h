/* Blocks: reference-counted memory, shared by slices and buffers. Thread: any.
 *
 * The count has one reference for each slice and each buffer of the block.
 *
 *     n -- take, by the holder of a reference -------------------> n + 1
 *     n -- drop, n > 1 -----------------------------------------> n - 1
 *     1 -- drop, by the last holder ---------------------------> the block is freed
 *     1 -- edo__block_is_unique --------------------------------> 1, and the only holder may write
 *
 * At a count of 1, only the holder of that reference can add another one.
 *
 * Memory orders. A take is relaxed, because its caller already holds a reference, and the program
 * synchronizes the threads when it passes the new reference to another thread. A drop releases, so
 * the thread's accesses to the memory happen before the drop. The partners of the release are the
 * acquire of the drop that frees, and the acquire of the load that finds a count of 1. Without
 * these acquires, a free or a write in place could overtake the last read by another thread.
 *
 * Parts of one block that belong to different buffers do not overlap. No buffer contains a byte of
 * a slice. */
#pragma once

#include <edo/bytes.h>

#include "base/atomic.h"
#include "base/base.h"

struct edo__block {
    edo_atomic(size_t) refs;
    uint8_t *memory;
    size_t size;             // bytes of the memory
    edo_release_fn *release; // releases the user's memory; NULL: the memory follows this struct
    void *context;
};

/* These two functions make a block with one reference. Returns: NULL: out of memory. */
edo__block *edo__block_create(size_t size);
edo__block *edo__block_wrap(void *memory, size_t size, edo_release_fn *release, void *context);

void edo__block_free(edo__block *block);

enum { EDO__BLOCK_SIGN = 8 * sizeof(size_t) - 1 };

/* Adds a reference. A program that leaks references aborts before the count can wrap around. */
static inline edo__block *edo__block_take(edo__block *block)
{
    if (block && edo__unlikely(edo_add_relaxed(&block->refs, 1) >> EDO__BLOCK_SIGN))
        edo__misuse("edo_bytes_clone", "too many references: some are never given back");
    return block;
}

static inline void edo__block_drop(edo__block *block)
{
    if (block && edo_sub_acq_rel(&block->refs, 1) == 1) edo__block_free(block);
}

static inline bool edo__block_is_unique(const edo__block *block)
{
    return block && edo_load_acquire(&block->refs) == 1;
}
