/* The database as commands: the child of a rewrite. It has the database as it was at the fork, and
 * calls nothing that allocates. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "aof_private.h"
#include "database.h"

enum { ITEMS_PER_COMMAND = 64, CHUNK = 64 * 1024 };

static struct output {
    int fd;
    size_t size;
    char bytes[CHUNK];
} output;

static void flush(void)
{
    for (size_t at = 0; at < output.size;) {
        ssize_t n = write(output.fd, output.bytes + at, output.size - at);
        if (n < 0 && errno != EINTR) _exit(1);
        if (n > 0) at += (size_t)n;
    }
    output.size = 0;
}

static void out(const char *data, size_t size)
{
    while (size) {
        if (output.size == CHUNK) flush();
        size_t part = size < CHUNK - output.size ? size : CHUNK - output.size;
        memcpy(output.bytes + output.size, data, part);
        output.size += part;
        data += part;
        size -= part;
    }
}

static void out_head(char type, size_t number)
{
    char buffer[NUMBER_SIZE];
    struct span digits = int_to_span((int64_t)number, buffer);
    out(&type, 1);
    out(digits.data, digits.size);
    out("\r\n", 2);
}

static void out_bulk(struct span span)
{
    out_head('$', span.size);
    out(span.data, span.size);
    out("\r\n", 2);
}

/* A command that adds items to a key, in pieces of some items. */
struct pieces {
    struct span command, key;
    size_t left;  // items
    size_t texts; // per item
    size_t in_piece;
};

static void begin_item(struct pieces *pieces)
{
    if (pieces->in_piece == 0) {
        pieces->in_piece = pieces->left < ITEMS_PER_COMMAND ? pieces->left : ITEMS_PER_COMMAND;
        out_head('*', 2 + pieces->in_piece * pieces->texts);
        out_bulk(pieces->command);
        out_bulk(pieces->key);
    }
    pieces->in_piece--;
    pieces->left--;
}

static void dump_list(struct span key, const struct list *list)
{
    struct pieces pieces = { SPAN("RPUSH"), key, list->count, 1, 0 };
    for (size_t i = 0; i < list->count; i++) {
        begin_item(&pieces);
        out_bulk(text_span(list_at(list, i)));
    }
}

static void dump_table(struct span key, const struct table *table, bool has_values)
{
    struct pieces pieces = { has_values ? SPAN("HSET") : SPAN("SADD"), key, table->count,
                             has_values ? 2 : 1, 0 };
    TABLE_EACH(table, node)
    {
        begin_item(&pieces);
        out_bulk(table_key(table, node));
        if (has_values) out_bulk(text_span(&((struct field *)node)->value));
    }
}

static void dump_zset(struct span key, const struct zset *set)
{
    char buffer[NUMBER_SIZE];
    struct pieces pieces = { SPAN("ZADD"), key, set->members.count, 2, 0 };
    for (struct member *member = set->heads[0].next; member; member = zset_next(member)) {
        begin_item(&pieces);
        out_bulk(double_to_span(member->score, buffer));
        out_bulk(member_name(set, member));
    }
}

static void dump_entry(struct span key, const struct stream_entry *entry, bool is_last_id)
{
    char buffer[64];
    int size = snprintf(buffer, sizeof buffer, "%llu-%llu", (unsigned long long)entry->id.ms,
                        (unsigned long long)entry->id.sequence);
    out_head('*', 3 + entry->count + (is_last_id ? 2 : 0));
    out_bulk(SPAN("XADD"));
    out_bulk(key);
    if (is_last_id) {
        out_bulk(SPAN("MAXLEN"));
        out_bulk(SPAN("0"));
    }
    out_bulk((struct span){ buffer, (size_t)size });
    for (uint32_t i = 0; i < entry->count; i++)
        out_bulk(text_span(&entry->fields[i]));
}

/* A stream that was trimmed to nothing still knows its last id. */
static void dump_stream(struct span key, const struct stream *stream)
{
    for (size_t i = stream->first; i < stream->end; i++)
        dump_entry(key, &stream->entries[i], false);
    text fields[2] = { { { NULL, 0 } } };
    struct stream_entry last = { stream->last, 2, fields };
    if (stream_count(stream) == 0) dump_entry(key, &last, true);
}

static void dump_value(const struct entry *entry)
{
    struct span key = entry_key(entry);
    switch ((enum type)entry->type) {
    case TYPE_STRING:
        out_head('*', 3);
        out_bulk(SPAN("SET"));
        out_bulk(key);
        out_bulk(text_span(&entry->value.string));
        break;
    case TYPE_LIST: dump_list(key, entry->value.list); break;
    case TYPE_SET: dump_table(key, entry->value.table, false); break;
    case TYPE_HASH: dump_table(key, entry->value.table, true); break;
    case TYPE_ZSET: dump_zset(key, entry->value.zset); break;
    case TYPE_STREAM: dump_stream(key, entry->value.stream); break;
    }
}

static void dump_expiry(const struct entry *entry)
{
    char buffer[NUMBER_SIZE];
    if (!entry->expiry) return;
    out_head('*', 3);
    out_bulk(SPAN("PEXPIREAT"));
    out_bulk(entry_key(entry));
    out_bulk(int_to_span(key_expiry(entry), buffer));
}

_Noreturn void aof_dump(void)
{
    output.fd = open(AOF_NEW_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (output.fd < 0) _exit(1);
    for (int i = 0; i < SHARDS; i++)
        TABLE_EACH(&database.shards[i].keys, node)
        {
            dump_value((struct entry *)node);
            dump_expiry((struct entry *)node);
        }
    flush();
    _exit(fsync(output.fd) < 0);
}
