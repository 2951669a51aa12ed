/* Common parts of codecs. */
#pragma once

#include <string.h>

#include <edo/codec.h>

#include "sequence/pull.h"

/* Counts a frame that is taken from memory or put into memory. Every EDO__ITEMS_PER_UNIT-th frame
 * uses one unit of the budget. Returns: whether this frame uses no budget. */
static inline bool edo__is_free_frame(uint8_t *count)
{
    return ++*count % EDO__ITEMS_PER_UNIT != 0;
}

/* Drops `size` bytes at the front of the buffer, which has at least that many. */
static inline void edo__drop_front(edo_codec *codec, edo_buffer *in, size_t size)
{
    if (size) in->data += size;
    in->size -= size;
    in->capacity -= size;
    codec->scanned = 0;
    codec->wants = 0;
}

/* Drops those bytes of a refused frame that are in the buffer. *rest: number of bytes of the frame
 * that must still be dropped. Returns: whether none is left to drop. */
static inline bool edo__drop_rest(edo_codec *codec, edo_buffer *in, uint64_t *rest)
{
    size_t size = in->size < *rest ? in->size : (size_t)*rest;
    edo__drop_front(codec, in, size);
    *rest -= size;
    codec->skips = *rest > 0;
    return !codec->skips;
}

/* As edo_buffer_reserve(), but without a call if there is enough room. */
static inline int edo__make_room(edo_buffer *out, size_t size)
{
    return edo__likely(size <= edo_buffer_room(out)) ? 0 : edo_buffer_reserve(out, size);
}

static inline int64_t edo__break(edo_codec *codec, int error)
{
    codec->is_broken = true;
    return error;
}
