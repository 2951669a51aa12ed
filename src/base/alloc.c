/* Memory hooks, and the number of bytes that edo has allocated through the hooks. */
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "base/base.h"
#include "sys/sys.h"

static void *default_alloc(void *context, size_t size, size_t align)
{
    (void)context;
    return edo__sys_alloc(size, align);
}

static void default_free(void *context, void *memory, size_t size, size_t align)
{
    (void)context;
    (void)size;
    (void)align;
    free(memory);
}

static const edo_allocator default_allocator = { default_alloc, default_free, NULL };
static edo_allocator hooks = { default_alloc, default_free, NULL };
static edo_atomic(size_t) in_use;

int edo_set_allocator(const edo_allocator *allocator)
{
    if (!allocator) allocator = &default_allocator;
    if (!allocator->alloc || !allocator->free) return -EINVAL;
    if (edo_load_acquire(&in_use)) return -EBUSY;
    hooks = *allocator;
    return 0;
}

size_t edo_memory_in_use(void)
{
    return edo_load_relaxed(&in_use);
}

void *edo__alloc_aligned(size_t size, size_t align)
{
    void *memory = hooks.alloc(hooks.context, size, align);
    if (memory) edo_add_relaxed(&in_use, size);
    return memory;
}

void edo__free_aligned(void *memory, size_t size, size_t align)
{
    if (!memory) return;
    hooks.free(hooks.context, memory, size, align);
    edo_sub_acq_rel(&in_use, size); // partner: the load in edo_set_allocator
}

void *edo__alloc(size_t size)
{
    return edo__alloc_aligned(size, _Alignof(max_align_t));
}

void *edo__alloc_zeroed(size_t size)
{
    void *memory = edo__alloc(size);
    return memory ? memset(memory, 0, size) : NULL;
}

void edo__free(void *memory, size_t size)
{
    edo__free_aligned(memory, size, _Alignof(max_align_t));
}
