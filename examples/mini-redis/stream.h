/* Streams: entries with growing ids, and their fields. */
#pragma once

#include "text.h"

struct stream_id {
    uint64_t ms, sequence;
};

struct stream_entry {
    struct stream_id id;
    uint32_t count; // of texts: fields and values
    text *fields;
};

struct stream {
    struct stream_entry *entries; // ordered by id
    size_t first, end, capacity;  // entries before `first` were trimmed
    struct stream_id last;
};

struct stream *stream_create(void);
void stream_destroy(struct stream *stream);
static inline size_t stream_count(const struct stream *stream)
{
    return stream->end - stream->first;
}
int stream_id_compare(struct stream_id a, struct stream_id b);

/* Adds an entry; the id is larger than stream->last. The copies are the stream's. */
void stream_add(struct stream *stream, struct stream_id id, const struct span *fields,
                uint32_t count);
void stream_trim(struct stream *stream, size_t count); // keeps the last `count` entries

/* Index of the first entry whose id is not below `id`; stream->end: none. */
size_t stream_find(const struct stream *stream, struct stream_id id);

/* ---- ids as text ---- */

/* Reads "ms" or "ms-sequence". missing: the sequence if there is none. */
bool stream_id_read(struct span span, uint64_t missing, struct stream_id *ret_id);
struct span stream_id_text(struct stream_id id, char buffer[NUMBER_SIZE]);

/* The next id, or the one before. Returns: false: there is none. */
bool stream_id_next(struct stream_id *id);
bool stream_id_before(struct stream_id *id);
