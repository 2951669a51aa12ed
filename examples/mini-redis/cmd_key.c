/* Commands of keys of any type. */
#include "call.h"

static int run_del(struct call *call)
{
    int64_t count = 0;
    for (int i = 1; i < call->count; i++) {
        struct entry *entry = key_find(call->args[i], call->now);
        if (!entry) continue;
        key_remove(entry);
        count++;
    }
    if (count) call_changed(call, NULL);
    reply_int(call->reply, count);
    return 0;
}

static int run_exists(struct call *call)
{
    int64_t count = 0;
    for (int i = 1; i < call->count; i++)
        count += key_find(call->args[i], call->now) != NULL;
    reply_int(call->reply, count);
    return 0;
}

static int run_type(struct call *call)
{
    struct entry *entry = key_find(call->args[1], call->now);
    reply_status(call->reply, entry ? type_name((enum type)entry->type) : "none");
    return 0;
}

/* ---- expiry ---- */

struct conditions {
    bool nx, xx, gt, lt;
};

static bool read_conditions(struct call *call, struct conditions *conditions)
{
    for (int i = 3; i < call->count; i++) {
        if (call_is(call, i, "nx")) {
            conditions->nx = true;
        } else if (call_is(call, i, "xx")) {
            conditions->xx = true;
        } else if (call_is(call, i, "gt")) {
            conditions->gt = true;
        } else if (call_is(call, i, "lt")) {
            conditions->lt = true;
        } else {
            reply_error(call->reply, "ERR Unsupported option %.*s", (int)call->args[i].size,
                        call->args[i].data);
            return false;
        }
    }
    bool contradicts = conditions->nx && (conditions->xx || conditions->gt || conditions->lt);
    if (contradicts)
        reply_error(call->reply,
                    "ERR NX and XX, GT or LT options at the same time are not compatible");
    else if (conditions->gt && conditions->lt)
        reply_error(call->reply, "ERR GT and LT options at the same time are not compatible");
    return !contradicts && !(conditions->gt && conditions->lt);
}

static bool meets(const struct conditions *conditions, int64_t current, int64_t when)
{
    if (conditions->nx && current != -1) return false;
    if (conditions->xx && current == -1) return false;
    if (conditions->gt && (current == -1 || when <= current)) return false;
    return !(conditions->lt && current != -1 && when >= current);
}

static bool read_when(struct call *call, int64_t unit, bool is_relative, int64_t *ret_when)
{
    int64_t value;
    if (!call_int(call, 2, &value)) return false;
    if (!__builtin_mul_overflow(value, unit, ret_when) &&
        !__builtin_add_overflow(*ret_when, is_relative ? call->now : 0, ret_when))
        return true;
    reply_error(call->reply, "ERR invalid expire time in '%s' command", call->command->name);
    return false;
}

static int expire(struct call *call, int64_t unit, bool is_relative)
{
    struct conditions conditions = { 0 };
    char buffer[NUMBER_SIZE];
    int64_t when;
    if (!read_conditions(call, &conditions)) return 0;
    if (!read_when(call, unit, is_relative, &when)) return 0;
    struct entry *entry = key_find(call->args[1], call->now);
    if (!entry || !meets(&conditions, key_expiry(entry), when)) {
        reply_int(call->reply, 0);
        return 0;
    }
    if (when <= call->now && !database.is_loading) {
        key_remove(entry);
        call_changed(call, NULL);
        CALL_PROPAGATE(call, SPAN("DEL"), call->args[1]);
    } else {
        key_expire_at(entry, when);
        call_changed(call, entry);
        CALL_PROPAGATE(call, SPAN("PEXPIREAT"), call->args[1], int_to_span(when, buffer));
    }
    reply_int(call->reply, 1);
    return 0;
}

static int run_expire(struct call *call)
{
    return expire(call, 1000, true);
}

static int run_pexpire(struct call *call)
{
    return expire(call, 1, true);
}

static int run_expireat(struct call *call)
{
    return expire(call, 1000, false);
}

static int run_pexpireat(struct call *call)
{
    return expire(call, 1, false);
}

/* Answers a key's time of expiry in a unit: from now, or absolute. */
static int reply_expiry(struct call *call, int64_t unit, bool is_relative)
{
    struct entry *entry = key_find(call->args[1], call->now);
    int64_t when = entry ? key_expiry(entry) : -2;
    if (when >= 0) {
        if (is_relative) when -= call->now;
        when = ((when > 0 ? when : 0) + unit / 2) / unit;
    }
    reply_int(call->reply, when);
    return 0;
}

static int run_ttl(struct call *call)
{
    return reply_expiry(call, 1000, true);
}

static int run_pttl(struct call *call)
{
    return reply_expiry(call, 1, true);
}

static int run_expiretime(struct call *call)
{
    return reply_expiry(call, 1000, false);
}

static int run_pexpiretime(struct call *call)
{
    return reply_expiry(call, 1, false);
}

static int run_persist(struct call *call)
{
    struct entry *entry = key_find(call->args[1], call->now);
    bool had_expiry = entry && entry->expiry;
    if (had_expiry) {
        key_expire_at(entry, -1);
        call_changed(call, entry);
    }
    reply_int(call->reply, had_expiry);
    return 0;
}

/* ---- renaming ---- */

/* Moves the value, and leaves an empty string in its place, which is removed. */
static void rename_key(struct call *call, struct entry *from)
{
    struct entry *to = key_find(call->args[2], call->now);
    if (to == from) return;
    if (to) key_remove(to);
    to = key_add(call->args[2], TYPE_STRING);
    to->type = from->type;
    to->value = from->value;
    key_expire_at(to, key_expiry(from));
    from->type = TYPE_STRING;
    memset(&from->value, 0, sizeof from->value);
    key_remove(from);
    call_changed(call, to);
    call_wakes(call, call->args[2]);
}

static int run_rename(struct call *call)
{
    struct entry *from = key_find(call->args[1], call->now);
    if (!from) {
        reply_error(call->reply, "ERR no such key");
        return 0;
    }
    rename_key(call, from);
    reply_ok(call->reply);
    return 0;
}

static int run_renamenx(struct call *call)
{
    struct entry *from = key_find(call->args[1], call->now);
    if (!from) {
        reply_error(call->reply, "ERR no such key");
        return 0;
    }
    bool is_new = !key_find(call->args[2], call->now);
    if (is_new) rename_key(call, from);
    reply_int(call->reply, is_new);
    return 0;
}

/* ---- all keys ---- */

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
    int64_t count = 0;
    for (int i = 0; i < SHARDS; i++)
        count += database.shards[i].keys.count;
    reply_int(call->reply, count);
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

const struct command key_commands[] = {
    { "del", run_del, -2, CMD_WRITE, 1, -1, 1 },
    { "unlink", run_del, -2, CMD_WRITE, 1, -1, 1 },
    { "exists", run_exists, -2, 0, 1, -1, 1 },
    { "touch", run_exists, -2, 0, 1, -1, 1 },
    { "type", run_type, 2, 0, 1, 1, 1 },
    { "expire", run_expire, -3, CMD_WRITE, 1, 1, 1 },
    { "pexpire", run_pexpire, -3, CMD_WRITE, 1, 1, 1 },
    { "expireat", run_expireat, -3, CMD_WRITE, 1, 1, 1 },
    { "pexpireat", run_pexpireat, -3, CMD_WRITE, 1, 1, 1 },
    { "ttl", run_ttl, 2, 0, 1, 1, 1 },
    { "pttl", run_pttl, 2, 0, 1, 1, 1 },
    { "expiretime", run_expiretime, 2, 0, 1, 1, 1 },
    { "pexpiretime", run_pexpiretime, 2, 0, 1, 1, 1 },
    { "persist", run_persist, 2, CMD_WRITE, 1, 1, 1 },
    { "rename", run_rename, 3, CMD_WRITE | CMD_WAKES, 1, 2, 1 },
    { "renamenx", run_renamenx, 3, CMD_WRITE | CMD_WAKES, 1, 2, 1 },
    { "keys", run_keys, 2, CMD_ALL_SHARDS, 0, 0, 0 },
    { "scan", run_scan, -2, CMD_ALL_SHARDS, 0, 0, 0 },
    { "randomkey", run_randomkey, 1, CMD_ALL_SHARDS, 0, 0, 0 },
    { "dbsize", run_dbsize, 1, CMD_ALL_SHARDS, 0, 0, 0 },
    { "flushall", run_flushall, -1, CMD_WRITE | CMD_ALL_SHARDS, 0, 0, 0 },
    { "flushdb", run_flushall, -1, CMD_WRITE | CMD_ALL_SHARDS, 0, 0, 0 },
    { 0 },
};
