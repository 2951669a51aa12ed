/* Blocks: counted memory, shared by slices and buffers. Any thread.
 *
 * The count has one reference for each slice and each buffer of the block.
 *
 *     n -- take, by the holder of a reference -------------------> n + 1
 *     n -- drop, n > 1 -----------------------------------------> n - 1
 *     1 -- drop: the last holder frees the block
 *     1 -- edo__block_is_unique: its only holder may write to all of it, and stays the only one
 *
 * Order. A take is relaxed: its caller has a reference already, and hands the new one to another
 * thread by some means of its own, which orders. A drop releases: the uses of the memory by its
 * thread come before it. Its partner is the acquire of the drop that frees, and of the load that
 * finds a count of 1: without it a write in place could overtake the last read by another thread.
 *
 * Parts of one block that belong to different buffers do not overlap, and bytes that a slice can see
 * are in no buffer. */
#pragma once

#include <edo/bytes.h>

#include "base/atomic.h"
#include "base/base.h"

struct edo__block {
    edo_atomic(size_t) refs;
    uint8_t *memory;
    size_t size;             // of the memory
    edo_release_fn *release; // of memory of the user's; NULL: it lies behind this struct
    void *context;
};

/* With one reference. NULL: out of memory. */
edo__block *edo__block_create(size_t size);
edo__block *edo__block_wrap(void *memory, size_t size, edo_release_fn *release, void *context);

void edo__block_free(edo__block *block);

enum { EDO__BLOCK_SIGN = 8 * sizeof(size_t) - 1 };

/* A program that loses references in a loop ends before the count could begin anew. */
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
