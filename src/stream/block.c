#include "stream/block.h"

edo__block *edo__block_create(size_t size)
{
    if (size > SIZE_MAX - sizeof(edo__block)) return NULL;
    edo__block *block = edo__alloc(sizeof *block + size);
    if (!block) return NULL;
    *block = (edo__block){ .refs = 1, .memory = (uint8_t *)(block + 1), .size = size };
    return block;
}

edo__block *edo__block_wrap(void *memory, size_t size, edo_release_fn *release, void *context)
{
    edo__block *block = edo__alloc(sizeof *block);
    if (!block) return NULL;
    *block = (edo__block){ 1, memory, size, release, context };
    return block;
}

void edo__block_free(edo__block *block)
{
    edo_plain_write(block->memory);
    if (block->release) {
        block->release(block->context, block->memory, block->size);
        edo__free(block, sizeof *block);
    } else {
        edo__free(block, sizeof *block + block->size);
    }
}
