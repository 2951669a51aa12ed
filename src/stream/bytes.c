/* Slices of counted memory. */
#include "stream/block.h"

static edo_bytes part_of(const edo_bytes *bytes, size_t at, size_t size)
{
    if (size == 0) return (edo_bytes){ NULL, 0, NULL };
    return (edo_bytes){ bytes->data + at, size, edo__block_take(bytes->block) };
}

int edo_bytes_copy(edo_bytes *ret_bytes, const void *data, size_t size)
{
    edo__block *block = size ? edo__block_create(size) : NULL;
    if (size && !block) return -ENOMEM;
    if (size) memcpy(block->memory, data, size);
    *ret_bytes = (edo_bytes){ block ? block->memory : NULL, size, block };
    return 0;
}

int edo_bytes_wrap(edo_bytes *ret_bytes, void *memory, size_t size, edo_release_fn *release,
                   void *context)
{
    if (!release) return -EINVAL;
    edo__block *block = edo__block_wrap(memory, size, release, context);
    if (!block) return -ENOMEM;
    *ret_bytes = (edo_bytes){ memory, size, block };
    return 0;
}

edo_bytes edo_bytes_clone(const edo_bytes *bytes)
{
    return part_of(bytes, 0, bytes->size);
}

void edo_bytes_deinit(edo_bytes *bytes)
{
    if (!bytes) return;
    edo__block_drop(bytes->block);
    *bytes = (edo_bytes){ NULL, 0, NULL };
}

int edo_bytes_slice(const edo_bytes *bytes, size_t at, size_t size, edo_bytes *ret_part)
{
    if (at > bytes->size || size > bytes->size - at) return -EINVAL;
    *ret_part = part_of(bytes, at, size);
    return 0;
}

/* Compares addresses as numbers, because pointers into different objects cannot be compared. */
int edo_bytes_slice_of(const edo_bytes *bytes, const void *part, size_t size, edo_bytes *ret_part)
{
    uintptr_t first = (uintptr_t)bytes->data, place = (uintptr_t)part;
    if (place < first) return -EINVAL;
    return edo_bytes_slice(bytes, place - first, size, ret_part);
}

int edo_bytes_split_to(edo_bytes *bytes, size_t at, edo_bytes *ret_front)
{
    int rc = edo_bytes_slice(bytes, 0, at, ret_front);
    return rc < 0 ? rc : edo_bytes_advance(bytes, at);
}

int edo_bytes_split_off(edo_bytes *bytes, size_t at, edo_bytes *ret_back)
{
    if (at > bytes->size) return -EINVAL;
    *ret_back = part_of(bytes, at, bytes->size - at);
    return edo_bytes_truncate(bytes, at);
}

int edo_bytes_advance(edo_bytes *bytes, size_t size)
{
    if (size > bytes->size) return -EINVAL;
    if (size) bytes->data += size;
    bytes->size -= size;
    return 0;
}

int edo_bytes_truncate(edo_bytes *bytes, size_t size)
{
    if (size > bytes->size) return -EINVAL;
    bytes->size = size;
    return 0;
}

int edo_bytes_take(edo_bytes *bytes, void *memory, size_t size)
{
    if (size > bytes->size) return -EDO_EOF;
    if (size) memcpy(memory, bytes->data, size);
    return edo_bytes_advance(bytes, size);
}

bool edo_bytes_is_unique(const edo_bytes *bytes)
{
    return edo__block_is_unique(bytes->block);
}

size_t edo_bytes_held(const edo_bytes *bytes)
{
    return bytes->block ? bytes->block->size : 0;
}

int edo_bytes_compact(edo_bytes *bytes)
{
    edo_bytes copy;
    if (edo_bytes_held(bytes) == bytes->size || !bytes->block) return 0;
    int rc = edo_bytes_copy(&copy, bytes->data, bytes->size);
    if (rc < 0) return rc;
    edo_bytes_deinit(bytes);
    *bytes = copy;
    return 0;
}

int edo_bytes_into_buffer(edo_bytes *bytes, edo_buffer *ret_buffer)
{
    edo__block *block = bytes->block;
    if (!block || block->release) return -ENOTSUP;
    if (!edo__block_is_unique(block)) return -EBUSY;
    size_t at = (size_t)(bytes->data - block->memory);
    *ret_buffer = (edo_buffer){ block->memory + at, bytes->size, block->size - at, block };
    *bytes = (edo_bytes){ NULL, 0, NULL };
    return 0;
}

bool edo_bytes_equal(const edo_bytes *a, const edo_bytes *b)
{
    return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}
