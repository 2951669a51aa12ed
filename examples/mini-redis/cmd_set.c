/* Commands of sets. */
#include "call.h"

static int run_sadd(struct call *call)
{
    struct entry *entry;
    int64_t added = 0;
    if (!call_find_or_add(call, 1, TYPE_SET, &entry)) return 0;
    struct table *set = entry->value.table;
    for (int i = 2; i < call->count; i++) {
        uint64_t hash = hash_of(call->args[i]);
        if (table_find(set, call->args[i], hash)) continue;
        table_insert(set, table_node_create(set, NULL, call->args[i], hash));
        added++;
    }
    if (added) call_changed(call, entry);
    reply_int(call->reply, added);
    return 0;
}

static int run_srem(struct call *call)
{
    struct entry *entry;
    int64_t removed = 0;
    if (!call_find(call, 1, TYPE_SET, &entry)) return 0;
    for (int i = 2; entry && i < call->count; i++) {
        struct node *node = table_find(entry->value.table, call->args[i], hash_of(call->args[i]));
        if (!node) continue;
        table_remove(entry->value.table, node);
        free(node);
        removed++;
    }
    if (removed) {
        call_changed(call, entry);
        key_remove_if_empty(entry);
    }
    reply_int(call->reply, removed);
    return 0;
}

static int run_smembers(struct call *call)
{
    struct entry *entry;
    if (!call_find(call, 1, TYPE_SET, &entry)) return 0;
    reply_set(call->reply, entry ? entry->value.table->count : 0);
    if (!entry) return 0;
    TABLE_EACH(entry->value.table, node)
    {
        reply_bulk(call->reply, table_key(entry->value.table, node));
    }
    return 0;
}

static bool is_member(const struct entry *entry, struct span member)
{
    return entry && table_find(entry->value.table, member, hash_of(member));
}

static int run_sismember(struct call *call)
{
    struct entry *entry;
    if (call_find(call, 1, TYPE_SET, &entry))
        reply_int(call->reply, is_member(entry, call->args[2]));
    return 0;
}

static int run_smismember(struct call *call)
{
    struct entry *entry;
    if (!call_find(call, 1, TYPE_SET, &entry)) return 0;
    reply_array(call->reply, (size_t)call->count - 2);
    for (int i = 2; i < call->count; i++)
        reply_int(call->reply, is_member(entry, call->args[i]));
    return 0;
}

static int run_scard(struct call *call)
{
    struct entry *entry;
    if (call_find(call, 1, TYPE_SET, &entry))
        reply_int(call->reply, entry ? entry->value.table->count : 0);
    return 0;
}

/* Removes a random member, and logs its name. */
static void pop_member(struct call *call, struct entry *entry)
{
    struct node *node = table_random(entry->value.table);
    struct span member = table_key(entry->value.table, node);
    reply_bulk(call->reply, member);
    CALL_PROPAGATE(call, SPAN("SREM"), call->args[1], member);
    table_remove(entry->value.table, node);
    free(node);
}

static int run_spop(struct call *call)
{
    struct entry *entry;
    int64_t count = 1;
    bool has_count = call->count == 3;
    if (call->count > 3) {
        call_syntax_error(call);
        return 0;
    }
    if (has_count && (!span_to_int(call->args[2], &count) || count < 0)) {
        reply_error(call->reply, "ERR value is out of range, must be positive");
        return 0;
    }
    if (!call_find(call, 1, TYPE_SET, &entry)) return 0;
    if (!entry && !has_count) {
        reply_null(call->reply);
        return 0;
    }
    int64_t members = entry ? entry->value.table->count : 0;
    if (count > members) count = members;
    if (has_count) reply_set(call->reply, (size_t)count);
    if (count == 0) return 0;
    while (count--)
        pop_member(call, entry);
    call_changed(call, entry);
    key_remove_if_empty(entry);
    return 0;
}

const struct command set_commands[] = {
    { "sadd", run_sadd, -3, CMD_WRITE, 1, 1, 1 },     { "srem", run_srem, -3, CMD_WRITE, 1, 1, 1 },
    { "smembers", run_smembers, 2, 0, 1, 1, 1 },      { "sismember", run_sismember, 3, 0, 1, 1, 1 },
    { "smismember", run_smismember, -3, 0, 1, 1, 1 }, { "scard", run_scard, 2, 0, 1, 1, 1 },
    { "spop", run_spop, -2, CMD_WRITE, 1, 1, 1 },     { 0 },
};
