/* Growing buffers. */
#include "stream/block.h"

#include <stdio.h>

enum {
    LEAST_BLOCK = 64,      // bytes; least size of the first block
    MOST_KEPT = 64 * 1024, // bytes; up to this size, a new block is not smaller than the last one
};

/* ---- room ---- */

/* Extends the buffer to the end of the block, if no other slice or buffer uses the block. Moves the
 * bytes to the front of the block only if the unused part before them is at least as large as they
 * are. That part has become unused by bytes taken from the front. So at most one byte is moved for
 * each byte that was taken. Returns: whether there is room for `size` more bytes. */
static bool reclaim(edo_buffer *buffer, size_t size)
{
    edo__block *block = buffer->block;
    if (!edo__block_is_unique(block)) return false;
    size_t at = (size_t)(buffer->data - block->memory);
    buffer->capacity = block->size - at;
    if (size <= edo_buffer_room(buffer)) return true;
    if (at < buffer->size || size > block->size - buffer->size) return false;
    edo_plain_write(block->memory);
    if (buffer->size) memcpy(block->memory, buffer->data, buffer->size);
    buffer->data = block->memory;
    buffer->capacity = block->size;
    return true;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Computes the size of the next block: at least twice the bytes in the buffer, and at least the
 * size of the last block, up to MOST_KEPT. Because of the second bound, a buffer whose bytes were
 * split off does not begin again with a small block. */
static size_t next_size(const edo_buffer *buffer, size_t size)
{
    size_t last = buffer->block ? buffer->block->size : LEAST_BLOCK;
    size_t twice = buffer->size <= SIZE_MAX / 2 ? 2 * buffer->size : SIZE_MAX;
    return larger(larger(buffer->size + size, twice), last < MOST_KEPT ? last : MOST_KEPT);
}

int edo_buffer_reserve(edo_buffer *buffer, size_t size)
{
    if (size <= edo_buffer_room(buffer) || reclaim(buffer, size)) return 0;
    if (size > SIZE_MAX - buffer->size) return -ENOMEM;
    edo__block *block = edo__block_create(next_size(buffer, size));
    if (!block) return -ENOMEM;
    if (buffer->size) memcpy(block->memory, buffer->data, buffer->size);
    edo__block_drop(buffer->block);
    *buffer = (edo_buffer){ block->memory, buffer->size, block->size, block };
    return 0;
}

void edo_buffer_deinit(edo_buffer *buffer)
{
    if (!buffer) return;
    edo__block_drop(buffer->block);
    *buffer = (edo_buffer){ NULL, 0, 0, NULL };
}

/* ---- writing ---- */

/* `data` may lie in the buffer itself. Such bytes move when the buffer grows, so the function finds
 * them by their offset. */
int edo_buffer_append(edo_buffer *buffer, const void *data, size_t size)
{
    size_t at = (size_t)((uintptr_t)data - (uintptr_t)buffer->data);
    bool is_own = buffer->data && at < buffer->size;
    if (size == 0) return 0;
    int rc = edo_buffer_reserve(buffer, size);
    if (rc < 0) return rc;
    memmove(edo_buffer_tail(buffer), is_own ? buffer->data + at : (const uint8_t *)data, size);
    buffer->size += size;
    return 0;
}

int edo_buffer_vprintf(edo_buffer *buffer, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    size_t room = edo_buffer_room(buffer);
    int length = vsnprintf((char *)edo_buffer_tail(buffer), room, format, args);
    int rc = length < 0 ? -EILSEQ : 0;
    if (rc == 0 && (size_t)length >= room) { // the NUL needs room as well
        rc = edo_buffer_reserve(buffer, (size_t)length + 1);
        if (rc == 0)
            vsnprintf((char *)edo_buffer_tail(buffer), edo_buffer_room(buffer), format, again);
    }
    va_end(again);
    if (rc == 0) buffer->size += (size_t)length;
    return rc;
}

int edo_buffer_printf(edo_buffer *buffer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int rc = edo_buffer_vprintf(buffer, format, args);
    va_end(args);
    return rc;
}

int edo_buffer_commit(edo_buffer *buffer, size_t size)
{
    if (size > edo_buffer_room(buffer)) return -EINVAL;
    buffer->size += size;
    return 0;
}

int edo_buffer_resize(edo_buffer *buffer, size_t size, uint8_t fill)
{
    size_t before = buffer->size;
    int rc = size > before ? edo_buffer_reserve(buffer, size - before) : 0;
    if (rc < 0) return rc;
    if (size > before) memset(buffer->data + before, fill, size - before);
    buffer->size = size;
    return 0;
}

/* ---- reading ---- */

int edo_buffer_advance(edo_buffer *buffer, size_t size)
{
    if (size > buffer->size) return -EINVAL;
    if (size) buffer->data += size;
    buffer->size -= size;
    buffer->capacity -= size;
    return 0;
}

int edo_buffer_truncate(edo_buffer *buffer, size_t size)
{
    if (size > buffer->size) return -EINVAL;
    buffer->size = size;
    return 0;
}

int edo_buffer_take(edo_buffer *buffer, void *memory, size_t size)
{
    if (size > buffer->size) return -EDO_EOF;
    if (size) memcpy(memory, buffer->data, size);
    return edo_buffer_advance(buffer, size);
}

/* ---- parts ---- */

edo_bytes edo_buffer_freeze(edo_buffer *buffer)
{
    edo_bytes bytes = { buffer->data, buffer->size, buffer->block };
    *buffer = (edo_buffer){ NULL, 0, 0, NULL };
    if (bytes.size == 0) edo_bytes_deinit(&bytes);
    return bytes;
}

int edo_buffer_split_to(edo_buffer *buffer, size_t at, edo_buffer *ret_front)
{
    if (at > buffer->size) return -EINVAL;
    *ret_front = (edo_buffer){ buffer->data, at, at, edo__block_take(buffer->block) };
    return edo_buffer_advance(buffer, at);
}

edo_buffer edo_buffer_split(edo_buffer *buffer)
{
    edo_buffer front;
    int rc = edo_buffer_split_to(buffer, buffer->size, &front);
    (void)rc; // cannot fail: the buffer has that many bytes
    return front;
}

int edo_buffer_split_off(edo_buffer *buffer, size_t at, edo_buffer *ret_back)
{
    if (at > buffer->size) return -EINVAL;
    *ret_back = *buffer;
    edo__block_take(buffer->block);
    buffer->size = buffer->capacity = at;
    return edo_buffer_advance(ret_back, at);
}

/* Whether `back` can be appended to `buffer` without a move. Both must lie in one block. The
 * capacity of `buffer` must end where `back` begins. No gap may lie between their bytes. */
static bool are_neighbours(const edo_buffer *buffer, const edo_buffer *back)
{
    if (!back->block || back->block != buffer->block) return false;
    if (buffer->data + buffer->capacity != back->data) return false;
    return buffer->size == buffer->capacity || back->size == 0;
}

int edo_buffer_unsplit(edo_buffer *buffer, edo_buffer *back)
{
    if (!back->block) return 0;
    if (!buffer->block) {
        *buffer = *back;
    } else if (are_neighbours(buffer, back)) {
        buffer->size += back->size;
        buffer->capacity += back->capacity;
        edo__block_drop(back->block);
    } else {
        return -EINVAL;
    }
    *back = (edo_buffer){ NULL, 0, 0, NULL };
    return 0;
}
