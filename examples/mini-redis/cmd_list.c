/* Commands of lists. */
#include "cmd_list.h"

static int push(struct call *call, bool front, bool only_if_exists)
{
    struct entry *entry;
    if (!call_find(call, 1, TYPE_LIST, &entry)) return 0;
    if (!entry && only_if_exists) {
        reply_int(call->reply, 0);
        return 0;
    }
    if (!entry) entry = key_add(call->args[1], TYPE_LIST);
    for (int i = 2; i < call->count; i++)
        list_push(entry->value.list, call->args[i], front);
    call_changed(call, entry);
    call_wakes(call, call->args[1]);
    reply_int(call->reply, (int64_t)entry->value.list->count);
    return 0;
}

static int run_lpush(struct call *call)
{
    return push(call, true, false);
}

static int run_rpush(struct call *call)
{
    return push(call, false, false);
}

static int run_lpushx(struct call *call)
{
    return push(call, true, true);
}

static int run_rpushx(struct call *call)
{
    return push(call, false, true);
}

void list_pop_to_reply(struct call *call, struct entry *entry, int64_t count, bool front)
{
    for (; count; count--) {
        text value = list_pop(entry->value.list, front);
        reply_bulk(call->reply, text_span(&value));
        text_deinit(&value);
    }
    call_changed(call, entry);
    key_remove_if_empty(entry);
}

static bool read_pop_count(struct call *call, int64_t *ret_count)
{
    if (span_to_int(call->args[2], ret_count) && *ret_count >= 0) return true;
    reply_error(call->reply, "ERR value is out of range, must be positive");
    return false;
}

static int pop(struct call *call, bool front)
{
    struct entry *entry;
    int64_t count = 1;
    bool has_count = call->count == 3;
    if (call->count > 3) {
        call_wrong_arity(call);
        return 0;
    }
    if (has_count && !read_pop_count(call, &count)) return 0;
    if (!call_find(call, 1, TYPE_LIST, &entry)) return 0;
    if (!entry) {
        if (has_count)
            reply_null_array(call->reply);
        else
            reply_null(call->reply);
        return 0;
    }
    if (count > (int64_t)entry->value.list->count) count = (int64_t)entry->value.list->count;
    if (has_count) reply_array(call->reply, (size_t)count);
    if (count) list_pop_to_reply(call, entry, count, front);
    return 0;
}

static int run_lpop(struct call *call)
{
    return pop(call, true);
}

static int run_rpop(struct call *call)
{
    return pop(call, false);
}

static int run_llen(struct call *call)
{
    struct entry *entry;
    if (call_find(call, 1, TYPE_LIST, &entry))
        reply_int(call->reply, entry ? (int64_t)entry->value.list->count : 0);
    return 0;
}

static int run_lindex(struct call *call)
{
    struct entry *entry;
    int64_t index;
    if (!call_find(call, 1, TYPE_LIST, &entry)) return 0;
    if (!entry) {
        reply_null(call->reply);
        return 0;
    }
    if (!call_int(call, 2, &index)) return 0;
    int64_t count = (int64_t)entry->value.list->count;
    if (index < 0) index += count;
    if (index < 0 || index >= count)
        reply_null(call->reply);
    else
        reply_bulk(call->reply, text_span(list_at(entry->value.list, (size_t)index)));
    return 0;
}

static int run_lset(struct call *call)
{
    struct entry *entry;
    int64_t index;
    if (!call_find(call, 1, TYPE_LIST, &entry)) return 0;
    if (!entry) {
        reply_error(call->reply, "ERR no such key");
        return 0;
    }
    if (!call_int(call, 2, &index)) return 0;
    int64_t count = (int64_t)entry->value.list->count;
    if (index < 0) index += count;
    if (index < 0 || index >= count) {
        reply_error(call->reply, "ERR index out of range");
        return 0;
    }
    text_set(list_at(entry->value.list, (size_t)index), call->args[3]);
    call_changed(call, entry);
    reply_ok(call->reply);
    return 0;
}

static int run_lrange(struct call *call)
{
    struct entry *entry;
    int64_t start, stop, first = 0, count = 0;
    if (!call_int(call, 2, &start) || !call_int(call, 3, &stop)) return 0;
    if (!call_find(call, 1, TYPE_LIST, &entry)) return 0;
    if (entry) call_range(call, start, stop, (int64_t)entry->value.list->count, &first, &count);
    reply_array(call->reply, (size_t)count);
    for (int64_t i = 0; i < count; i++)
        reply_bulk(call->reply, text_span(list_at(entry->value.list, (size_t)(first + i))));
    return 0;
}

static int run_ltrim(struct call *call)
{
    struct entry *entry;
    int64_t start, stop, first, count;
    if (!call_int(call, 2, &start) || !call_int(call, 3, &stop)) return 0;
    if (!call_find(call, 1, TYPE_LIST, &entry)) return 0;
    if (entry) {
        struct list *list = entry->value.list;
        call_range(call, start, stop, (int64_t)list->count, &first, &count);
        if (count == 0)
            list_trim(list, list->count, 0);
        else
            list_trim(list, (size_t)first, list->count - (size_t)(first + count));
        call_changed(call, entry);
        key_remove_if_empty(entry);
    }
    reply_ok(call->reply);
    return 0;
}

static int run_lrem(struct call *call)
{
    struct entry *entry;
    int64_t limit, removed = 0;
    if (!call_int(call, 2, &limit)) return 0;
    if (!call_find(call, 1, TYPE_LIST, &entry)) return 0;
    struct list *list = entry ? entry->value.list : NULL;
    bool backwards = limit < 0;
    uint64_t most = limit < 0 ? 0 - (uint64_t)limit : limit ? (uint64_t)limit : UINT64_MAX;
    for (size_t i = 0, left = list ? list->count : 0; left && (uint64_t)removed < most; left--) {
        size_t at = backwards ? left - 1 : i;
        if (span_equal(text_span(list_at(list, at)), call->args[3])) {
            list_remove(list, at);
            removed++;
        } else {
            i++;
        }
    }
    if (removed) {
        call_changed(call, entry);
        key_remove_if_empty(entry);
    }
    reply_int(call->reply, removed);
    return 0;
}

static int run_linsert(struct call *call)
{
    struct entry *entry;
    bool before = call_is(call, 2, "before");
    if (!before && !call_is(call, 2, "after")) {
        call_syntax_error(call);
        return 0;
    }
    if (!call_find(call, 1, TYPE_LIST, &entry)) return 0;
    struct list *list = entry ? entry->value.list : NULL;
    for (size_t i = 0; list && i < list->count; i++) {
        if (!span_equal(text_span(list_at(list, i)), call->args[3])) continue;
        list_insert(list, before ? i : i + 1, call->args[4]);
        call_changed(call, entry);
        reply_int(call->reply, (int64_t)list->count);
        return 0;
    }
    reply_int(call->reply, list ? -1 : 0);
    return 0;
}

const struct command list_commands[] = {
    { "lpush", run_lpush, -3, CMD_WRITE | CMD_WAKES, 1, 1, 1 },
    { "rpush", run_rpush, -3, CMD_WRITE | CMD_WAKES, 1, 1, 1 },
    { "lpushx", run_lpushx, -3, CMD_WRITE | CMD_WAKES, 1, 1, 1 },
    { "rpushx", run_rpushx, -3, CMD_WRITE | CMD_WAKES, 1, 1, 1 },
    { "lpop", run_lpop, -2, CMD_WRITE, 1, 1, 1 },
    { "rpop", run_rpop, -2, CMD_WRITE, 1, 1, 1 },
    { "llen", run_llen, 2, 0, 1, 1, 1 },
    { "lindex", run_lindex, 3, 0, 1, 1, 1 },
    { "lset", run_lset, 4, CMD_WRITE, 1, 1, 1 },
    { "lrange", run_lrange, 4, 0, 1, 1, 1 },
    { "ltrim", run_ltrim, 4, CMD_WRITE, 1, 1, 1 },
    { "lrem", run_lrem, 4, CMD_WRITE, 1, 1, 1 },
    { "linsert", run_linsert, 5, CMD_WRITE, 1, 1, 1 },
    { 0 },
};
