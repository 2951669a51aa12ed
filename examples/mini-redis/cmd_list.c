/* Commands of lists. */
#include "blocked.h"

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

/* Pops elements into the reply. */
static void pop_to_reply(struct call *call, struct entry *entry, int64_t count, bool front)
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
    if (count) pop_to_reply(call, entry, count, front);
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
    int64_t start, stop, first, count = 0;
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

/* ---- moves ---- */

static bool read_end(struct call *call, int index, bool *ret_front)
{
    *ret_front = call_is(call, index, "left");
    if (*ret_front || call_is(call, index, "right")) return true;
    call_syntax_error(call);
    return false;
}

/* Moves an element of args[1] to args[2]. Returns: whether there was one; an error counts. */
static bool move(struct call *call, bool from_front, bool to_front)
{
    struct entry *from, *to;
    if (!call_find(call, 1, TYPE_LIST, &from)) return true;
    if (!from) return false;
    if (!call_find(call, 2, TYPE_LIST, &to)) return true;
    text value = list_pop(from->value.list, from_front);
    if (!to) to = key_add(call->args[2], TYPE_LIST);
    list_push(to->value.list, text_span(&value), to_front);
    reply_bulk(call->reply, text_span(&value));
    text_deinit(&value);
    call_changed(call, from);
    if (from != to) call_changed(call, to);
    key_remove_if_empty(from);
    call_wakes(call, call->args[2]);
    CALL_PROPAGATE(call, SPAN("LMOVE"), call->args[1], call->args[2],
                   from_front ? SPAN("LEFT") : SPAN("RIGHT"),
                   to_front ? SPAN("LEFT") : SPAN("RIGHT"));
    return true;
}

static int run_lmove(struct call *call)
{
    bool from, to;
    if (!read_end(call, 3, &from) || !read_end(call, 4, &to)) return 0;
    if (!move(call, from, to)) reply_null(call->reply);
    return 0;
}

static int run_rpoplpush(struct call *call)
{
    if (!move(call, false, true)) reply_null(call->reply);
    return 0;
}

/* ---- blocking ---- */

enum { MAX_TIMEOUT = INT32_MAX }; // s, 68 years

static bool read_timeout(struct call *call, int index, double *ret_seconds)
{
    const char *error = NULL;
    if (!span_to_double(call->args[index], ret_seconds))
        error = "ERR timeout is not a float or out of range";
    else if (*ret_seconds < 0)
        error = "ERR timeout is negative";
    else if (*ret_seconds > MAX_TIMEOUT)
        error = "ERR timeout is out of range";
    if (error) reply_error(call->reply, "%s", error);
    return !error;
}

static int block(struct call *call, double seconds, bool null_is_array)
{
    if (!call->in_exec) return call_block(call, seconds, call->count, call->args);
    if (null_is_array)
        reply_null_array(call->reply);
    else
        reply_null(call->reply);
    return 0;
}

static int blocking_pop(struct call *call, bool front)
{
    double seconds;
    if (!read_timeout(call, call->count - 1, &seconds)) return 0;
    for (int i = 1; i < call->count - 1; i++) {
        struct entry *entry = key_find(call->args[i], call->now);
        if (!entry) continue;
        if (entry->type != TYPE_LIST) {
            if (call->is_retry) continue;
            call_wrong_type(call);
            return 0;
        }
        reply_array(call->reply, 2);
        reply_bulk(call->reply, call->args[i]);
        pop_to_reply(call, entry, 1, front);
        CALL_PROPAGATE(call, front ? SPAN("LPOP") : SPAN("RPOP"), call->args[i]);
        return 0;
    }
    return block(call, seconds, true);
}

static int run_blpop(struct call *call)
{
    return blocking_pop(call, true);
}

static int run_brpop(struct call *call)
{
    return blocking_pop(call, false);
}

/* A blocked client ignores a source of another type. */
static bool waits_on(struct call *call)
{
    struct entry *entry = call->is_retry ? key_find(call->args[1], call->now) : NULL;
    return entry && entry->type != TYPE_LIST;
}

static int run_blmove(struct call *call)
{
    bool from, to;
    double seconds;
    if (!read_end(call, 3, &from) || !read_end(call, 4, &to)) return 0;
    if (!read_timeout(call, 5, &seconds)) return 0;
    return !waits_on(call) && move(call, from, to) ? 0 : block(call, seconds, false);
}

static int run_brpoplpush(struct call *call)
{
    double seconds;
    if (!read_timeout(call, 3, &seconds)) return 0;
    return !waits_on(call) && move(call, false, true) ? 0 : block(call, seconds, false);
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
    { "lmove", run_lmove, 5, CMD_WRITE | CMD_WAKES, 1, 2, 1 },
    { "rpoplpush", run_rpoplpush, 3, CMD_WRITE | CMD_WAKES, 1, 2, 1 },
    { "blpop", run_blpop, -3, CMD_WRITE | CMD_BLOCKING, 1, -2, 1 },
    { "brpop", run_brpop, -3, CMD_WRITE | CMD_BLOCKING, 1, -2, 1 },
    { "blmove", run_blmove, 6, CMD_WRITE | CMD_BLOCKING | CMD_WAKES, 1, 2, 1 },
    { "brpoplpush", run_brpoplpush, 4, CMD_WRITE | CMD_BLOCKING | CMD_WAKES, 1, 2, 1 },
    { 0 },
};
