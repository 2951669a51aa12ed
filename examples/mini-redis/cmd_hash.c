/* Commands of hashes. */
#include "call.h"

static struct field *find_field(const struct entry *entry, struct span name)
{
    if (!entry) return NULL;
    return (struct field *)table_find(entry->value.table, name, hash_of(name));
}

/* Returns: whether the field is new. */
static bool set_field(struct entry *entry, struct span name, struct span value)
{
    struct table *table = entry->value.table;
    uint64_t hash = hash_of(name);
    struct field *field = (struct field *)table_find(table, name, hash);
    bool is_new = !field;
    if (is_new) {
        field = (struct field *)table_node_create(table, NULL, name, hash);
        table_insert(table, &field->node);
    }
    text_set(&field->value, value);
    return is_new;
}

static void reply_field(struct call *call, const struct field *field)
{
    if (field)
        reply_bulk(call->reply, text_span(&field->value));
    else
        reply_null(call->reply);
}

static int set_fields(struct call *call, bool answers_ok)
{
    struct entry *entry;
    int64_t added = 0;
    if (call->count % 2) {
        call_wrong_arity(call);
        return 0;
    }
    if (!call_find_or_add(call, 1, TYPE_HASH, &entry)) return 0;
    for (int i = 2; i < call->count; i += 2)
        added += set_field(entry, call->args[i], call->args[i + 1]);
    call_changed(call, entry);
    if (answers_ok)
        reply_ok(call->reply);
    else
        reply_int(call->reply, added);
    return 0;
}

static int run_hset(struct call *call)
{
    return set_fields(call, false);
}

static int run_hmset(struct call *call)
{
    return set_fields(call, true);
}

static int run_hsetnx(struct call *call)
{
    struct entry *entry;
    if (!call_find_or_add(call, 1, TYPE_HASH, &entry)) return 0;
    bool is_new = !find_field(entry, call->args[2]);
    if (is_new) {
        set_field(entry, call->args[2], call->args[3]);
        call_changed(call, entry);
    }
    reply_int(call->reply, is_new);
    return 0;
}

static int run_hget(struct call *call)
{
    struct entry *entry;
    if (call_find(call, 1, TYPE_HASH, &entry)) reply_field(call, find_field(entry, call->args[2]));
    return 0;
}

static int run_hmget(struct call *call)
{
    struct entry *entry;
    if (!call_find(call, 1, TYPE_HASH, &entry)) return 0;
    reply_array(call->reply, (size_t)call->count - 2);
    for (int i = 2; i < call->count; i++)
        reply_field(call, find_field(entry, call->args[i]));
    return 0;
}

static int run_hexists(struct call *call)
{
    struct entry *entry;
    if (call_find(call, 1, TYPE_HASH, &entry))
        reply_int(call->reply, find_field(entry, call->args[2]) != NULL);
    return 0;
}

static int run_hdel(struct call *call)
{
    struct entry *entry;
    int64_t removed = 0;
    if (!call_find(call, 1, TYPE_HASH, &entry)) return 0;
    for (int i = 2; i < call->count; i++) {
        struct field *field = find_field(entry, call->args[i]);
        if (!field) continue;
        table_remove(entry->value.table, &field->node);
        text_deinit(&field->value);
        free(field);
        removed++;
    }
    if (removed) {
        call_changed(call, entry);
        key_remove_if_empty(entry);
    }
    reply_int(call->reply, removed);
    return 0;
}

static int reply_fields(struct call *call, bool names, bool values)
{
    struct entry *entry;
    if (!call_find(call, 1, TYPE_HASH, &entry)) return 0;
    size_t count = entry ? entry->value.table->count : 0;
    if (names && values)
        reply_map(call->reply, count);
    else
        reply_array(call->reply, count);
    if (!entry) return 0;
    TABLE_EACH(entry->value.table, node)
    {
        if (names) reply_bulk(call->reply, table_key(entry->value.table, node));
        if (values) reply_field(call, (struct field *)node);
    }
    return 0;
}

static int run_hgetall(struct call *call)
{
    return reply_fields(call, true, true);
}

static int run_hkeys(struct call *call)
{
    return reply_fields(call, true, false);
}

static int run_hvals(struct call *call)
{
    return reply_fields(call, false, true);
}

static int run_hlen(struct call *call)
{
    struct entry *entry;
    if (call_find(call, 1, TYPE_HASH, &entry))
        reply_int(call->reply, entry ? entry->value.table->count : 0);
    return 0;
}

static int run_hstrlen(struct call *call)
{
    struct entry *entry;
    if (!call_find(call, 1, TYPE_HASH, &entry)) return 0;
    struct field *field = find_field(entry, call->args[2]);
    reply_int(call->reply, field ? (int64_t)text_span(&field->value).size : 0);
    return 0;
}

static int run_hincrby(struct call *call)
{
    struct entry *entry;
    char buffer[NUMBER_SIZE];
    int64_t amount, value = 0;
    if (!call_int(call, 3, &amount)) return 0;
    if (!call_find(call, 1, TYPE_HASH, &entry)) return 0;
    struct field *field = find_field(entry, call->args[2]);
    if (field && !span_to_int(text_span(&field->value), &value)) {
        reply_error(call->reply, "ERR hash value is not an integer");
        return 0;
    }
    if (__builtin_add_overflow(value, amount, &value)) {
        reply_error(call->reply, "ERR increment or decrement would overflow");
        return 0;
    }
    if (!entry) entry = key_add(call->args[1], TYPE_HASH);
    set_field(entry, call->args[2], int_to_span(value, buffer));
    call_changed(call, entry);
    reply_int(call->reply, value);
    return 0;
}

const struct command hash_commands[] = {
    { "hset", run_hset, -4, CMD_WRITE, 1, 1, 1 },
    { "hmset", run_hmset, -4, CMD_WRITE, 1, 1, 1 },
    { "hsetnx", run_hsetnx, 4, CMD_WRITE, 1, 1, 1 },
    { "hget", run_hget, 3, 0, 1, 1, 1 },
    { "hmget", run_hmget, -3, 0, 1, 1, 1 },
    { "hexists", run_hexists, 3, 0, 1, 1, 1 },
    { "hdel", run_hdel, -3, CMD_WRITE, 1, 1, 1 },
    { "hgetall", run_hgetall, 2, 0, 1, 1, 1 },
    { "hkeys", run_hkeys, 2, 0, 1, 1, 1 },
    { "hvals", run_hvals, 2, 0, 1, 1, 1 },
    { "hlen", run_hlen, 2, 0, 1, 1, 1 },
    { "hstrlen", run_hstrlen, 3, 0, 1, 1, 1 },
    { "hincrby", run_hincrby, 4, CMD_WRITE, 1, 1, 1 },
    { 0 },
};
