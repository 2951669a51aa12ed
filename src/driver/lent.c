#include "driver/lent.h"

static size_t size_of_block(void)
{
    return offsetof(edo__lent_block, bytes) + EDO__LENT_SIZE;
}

static void free_block(edo__lent_block *block)
{
    edo__free(block, size_of_block());
}

edo__lent_block *edo__lent_create(void)
{
    edo__lent_block *made = edo__alloc(size_of_block());
    if (made) made->give_back = free_block;
    return made;
}
