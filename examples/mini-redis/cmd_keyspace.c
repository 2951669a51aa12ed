/* Commands of all keys. */
#include "call.h"

static void reply_count_later(struct call *call, edo_buffer *keys, size_t count)
{
    reply_array(call->reply, count);
    put(&call->reply->bytes, keys->data, keys->size);
    edo_buffer_deinit(keys);
}

static bool has_expired(const struct entry *entry, int64_t now)
{
    int64_t when = key_expiry(entry);
    return when >= 0 && when <= now;
}

static int run_keys(struct call *call)
{
    edo_buffer keys = { 0 };
    size_t count = 0;
    for (int i = 0; i < SHARDS; i++)
        TABLE_EACH(&database.shards[i].keys, node)
        {
            const struct entry *entry = (const struct entry *)node;
            if (has_expired(entry, call->now)) continue;
            if (!span_matches(call->args[1], entry_key(entry))) continue;
            put_bulk(&keys, entry_key(entry));
            count++;
        }
    reply_count_later(call, &keys, count);
    return 0;
}

struct scan {
    const struct call *call;
    const struct span *pattern;
    const struct span *type;
    edo_buffer keys;
    size_t count, visited;
};

static void visit(void *context, struct node *node)
{
    struct scan *scan = context;
    const struct entry *entry = (const struct entry *)node;
    scan->visited++;
    if (has_expired(entry, scan->call->now)) return;
    if (scan->pattern && !span_matches(*scan->pattern, entry_key(entry))) return;
    if (scan->type && !span_is(*scan->type, type_name((enum type)entry->type))) return;
    put_bulk(&scan->keys, entry_key(entry));
    scan->count++;
}

static bool read_scan_options(struct call *call, struct scan *scan, int64_t *ret_count)
{
    for (int i = 2; i < call->count; i += 2) {
        if (i + 1 < call->count && call_is(call, i, "count")) {
            if (!call_int(call, i + 1, ret_count)) return false;
            if (*ret_count >= 1) continue;
        } else if (i + 1 < call->count && call_is(call, i, "match")) {
            scan->pattern = &call->args[i + 1];
            continue;
        } else if (i + 1 < call->count && call_is(call, i, "type")) {
            scan->type = &call->args[i + 1];
            continue;
        }
        call_syntax_error(call);
        return false;
    }
    return true;
}

/* The cursor has the number of the shard in its low bits, and the table's cursor above them.
 */
static uint64_t scan_shards(struct scan *scan, uint64_t cursor, size_t wanted)
{
    uint64_t number = cursor % SHARDS, bucket = cursor / SHARDS;
    while (number < SHARDS && scan->visited < wanted) {
        struct shard *shard = &database.shards[number];
        bucket = table_scan(&shard->keys, bucket, visit, scan);
        if (bucket == 0) number++;
    }
    return number < SHARDS ? bucket * SHARDS + number : 0;
}

static int run_scan(struct call *call)
{
    struct scan scan = { .call = call };
    char buffer[NUMBER_SIZE];
    int64_t cursor, count = 10;
    if (!span_to_int(call->args[1], &cursor) || cursor < 0) {
        reply_error(call->reply, "ERR invalid cursor");
        return 0;
    }
    if (!read_scan_options(call, &scan, &count)) return 0;
    uint64_t next = scan_shards(&scan, (uint64_t)cursor, (size_t)count);
    reply_array(call->reply, 2);
    reply_bulk(call->reply, int_to_span((int64_t)next, buffer));
    reply_count_later(call, &scan.keys, scan.count);
    return 0;
}

static int run_randomkey(struct call *call)
{
    unsigned start = (unsigned)random() % SHARDS;
    for (unsigned i = 0; i < SHARDS; i++) {
        struct node *node = table_random(&database.shards[(start + i) % SHARDS].keys);
        if (!node || has_expired((struct entry *)node, call->now)) continue;
        reply_bulk(call->reply, entry_key((struct entry *)node));
        return 0;
    }
    reply_null(call->reply);
    return 0;
}

static int run_dbsize(struct call *call)
{
    reply_int(call->reply, (int64_t)database_count(NULL));
    return 0;
}

static int run_flushall(struct call *call)
{
    if (call->count > 2 ||
        (call->count == 2 && !call_is(call, 1, "sync") && !call_is(call, 1, "async"))) {
        call_syntax_error(call);
        return 0;
    }
    database_clear();
    call_changed(call, NULL);
    reply_ok(call->reply);
    return 0;
}

const struct command keyspace_commands[] = {
    { "keys", run_keys, 2, CMD_ALL_SHARDS, 0, 0, 0 },
    { "scan", run_scan, -2, CMD_ALL_SHARDS, 0, 0, 0 },
    { "randomkey", run_randomkey, 1, CMD_ALL_SHARDS, 0, 0, 0 },
    { "dbsize", run_dbsize, 1, CMD_ALL_SHARDS, 0, 0, 0 },
    { "flushall", run_flushall, -1, CMD_WRITE | CMD_ALL_SHARDS, 0, 0, 0 },
    { "flushdb", run_flushall, -1, CMD_WRITE | CMD_ALL_SHARDS, 0, 0, 0 },
    { 0 },
};
