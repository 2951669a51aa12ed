#include "stream.h"

#include <stdio.h>

struct stream *stream_create(void)
{
    struct stream *stream = must_alloc(sizeof *stream);
    memset(stream, 0, sizeof *stream);
    return stream;
}

static void entry_deinit(struct stream_entry *entry)
{
    for (uint32_t i = 0; i < entry->count; i++)
        text_deinit(&entry->fields[i]);
    free(entry->fields);
}

void stream_destroy(struct stream *stream)
{
    stream_trim(stream, 0);
    free(stream->entries);
    free(stream);
}

int stream_id_compare(struct stream_id a, struct stream_id b)
{
    if (a.ms != b.ms) return a.ms < b.ms ? -1 : 1;
    return (a.sequence > b.sequence) - (a.sequence < b.sequence);
}

/* Moves the entries to the beginning if half of the memory is trimmed, else gets more memory. */
static void make_room(struct stream *stream)
{
    if (stream->end < stream->capacity) return;
    size_t count = stream_count(stream);
    if (stream->first < stream->capacity / 2 || stream->capacity == 0) {
        stream->capacity = stream->capacity ? 2 * stream->capacity : 4;
        stream->entries = must_realloc(stream->entries, stream->capacity * sizeof *stream->entries);
    }
    memmove(stream->entries, stream->entries + stream->first, count * sizeof *stream->entries);
    stream->first = 0;
    stream->end = count;
}

void stream_add(struct stream *stream, struct stream_id id, const struct span *fields,
                uint32_t count)
{
    make_room(stream);
    struct stream_entry *entry = &stream->entries[stream->end++];
    *entry = (struct stream_entry){ id, count, must_alloc(count * sizeof *entry->fields) };
    for (uint32_t i = 0; i < count; i++)
        entry->fields[i] = text_of(fields[i]);
    stream->last = id;
}

void stream_trim(struct stream *stream, size_t count)
{
    while (stream_count(stream) > count)
        entry_deinit(&stream->entries[stream->first++]);
}

size_t stream_find(const struct stream *stream, struct stream_id id)
{
    size_t low = stream->first, high = stream->end;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (stream_id_compare(stream->entries[middle].id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- ids ---- */

static bool read_part(struct span span, uint64_t *ret_value)
{
    if (span.size == 0 || span.size > 20) return false;
    uint64_t value = 0;
    for (size_t i = 0; i < span.size; i++) {
        unsigned digit = (unsigned)(unsigned char)span.data[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return false;
    }
    *ret_value = value;
    return true;
}

bool stream_id_read(struct span span, uint64_t missing, struct stream_id *ret_id)
{
    const char *dash = memchr(span.data, '-', span.size);
    ret_id->sequence = missing;
    if (!dash) return read_part(span, &ret_id->ms);
    size_t at = (size_t)(dash - span.data);
    return read_part((struct span){ span.data, at }, &ret_id->ms) &&
           read_part((struct span){ dash + 1, span.size - at - 1 }, &ret_id->sequence);
}

struct span stream_id_text(struct stream_id id, char buffer[NUMBER_SIZE])
{
    int size = snprintf(buffer, NUMBER_SIZE, "%llu-%llu", (unsigned long long)id.ms,
                        (unsigned long long)id.sequence);
    return (struct span){ buffer, (size_t)size };
}

bool stream_id_next(struct stream_id *id)
{
    if (++id->sequence == 0 && ++id->ms == 0) return false;
    return true;
}

bool stream_id_before(struct stream_id *id)
{
    if (id->sequence-- == 0 && id->ms-- == 0) return false;
    return true;
}
