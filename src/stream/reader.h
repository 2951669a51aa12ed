/* Readers from the inside. The task that owns one. */
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

/* Takes bytes out that lie ahead. */
static inline void edo__reader_drop(edo_reader *reader, size_t size)
{
    reader->start += size;
    reader->scanned = 0;
}

/* Reads more from the stream into the free memory, of which there is some, or goes on to do so.
 * EDO_READY with *ret_n: bytes, which lie ahead then; 0 at the end; a negative errno. */
edo_poll edo__reader_fill(edo_reader *reader, edo_cx *cx, int64_t *ret_n);

/* Reads past the empty memory. Answers as edo__reader_fill(). */
edo_poll edo__reader_bypass(edo_reader *reader, void *buffer, size_t size, edo_cx *cx,
                            int64_t *ret_n);
