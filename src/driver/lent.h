/* Memory of lent reads (edo/lent.h): a header, then the bytes. The memory comes from the allocator,
 * or from a driver's own buffers. Thread: the holder's. */
#pragma once

#include <stddef.h>

#include <edo/lent.h>

#include "base/base.h"
#include "base/list.h"

enum { EDO__LENT_SIZE = 16 * 1024 }; // bytes; about the amount that a fast peer sends per turn

typedef struct edo__lent_block {
    void (*give_back)(struct edo__lent_block *block); // called once, by any thread
    void *home;                                       // used by the maker of the block
    _Alignas(max_align_t) char bytes[];
} edo__lent_block;

/* Allocates a block of EDO__LENT_SIZE bytes. Returns: NULL if out of memory. */
edo__lent_block *edo__lent_create(void);

static inline edo__lent_block *edo__lent_block_of(const char *bytes)
{
    return edo__container((char *)(uintptr_t)bytes, edo__lent_block, bytes);
}

/* Passes a block with n bytes to the caller of a read. If n <= 0, nothing was read, and the block
 * is given back instead. */
static inline void edo__lent_pass(edo__lent_block *block, int64_t n, edo_lent *ret_lent)
{
    if (n > 0)
        *ret_lent = (edo_lent){ block->bytes, (size_t)n };
    else
        block->give_back(block);
}
