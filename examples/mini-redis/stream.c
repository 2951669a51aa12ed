#include "stream.h"

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
