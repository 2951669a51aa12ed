/* Internals of readers. Thread: the one that polls the owner's task. */
#pragma once

#include <edo/buffered.h>

#include "stream/inner.h"

static inline size_t edo__reader_count(const edo_reader *reader)
{
    return reader->end - reader->start;
}

static inline const uint8_t *edo__reader_first(const edo_reader *reader)
{
    return reader->memory + reader->start;
}

/* Drops bytes that lie ahead. */
static inline void edo__reader_drop(edo_reader *reader, size_t size)
{
    reader->start += size;
    reader->scanned = 0;
}

/* Begins or continues a read from the stream into the free part of the memory. The free part must
 * not be empty. Returns: EDO_PENDING; or EDO_READY with the result in *ret_n: the number of bytes
 * that were added to the bytes ahead, 0 at the end, or a negative errno. */
edo_poll edo__reader_fill(edo_reader *reader, edo_cx *cx, int64_t *ret_n);

/* Begins or continues a read from the stream directly into `buffer`. The reader's memory must hold
 * no unread bytes. Returns: EDO_PENDING; or EDO_READY with the result in *ret_n: the number of
 * bytes in `buffer`, 0 at the end, or a negative errno. */
edo_poll edo__reader_bypass(edo_reader *reader, void *buffer, size_t size, edo_cx *cx,
                            int64_t *ret_n);
