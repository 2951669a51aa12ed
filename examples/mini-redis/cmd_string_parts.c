/* Commands of parts of strings, and of integers. */
#include "call.h"

static bool check_size(struct call *call, uint64_t size)
{
    if (size <= 512u * 1024 * 1024) return true;
    reply_error(call->reply, "ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    return false;
}

/* ---- parts ---- */

static int run_append(struct call *call)
{
    struct entry *entry;
    struct span more = call->args[2];
    if (!call_find(call, 1, TYPE_STRING, &entry)) return 0;
    size_t size = entry ? text_span(&entry->value.string).size : 0;
    if (!check_size(call, size + more.size)) return 0;
    if (!entry) entry = key_add(call->args[1], TYPE_STRING);
    char *data = text_resize(&entry->value.string, size + more.size);
    if (more.size) memcpy(data + size, more.data, more.size);
    call_changed(call, entry);
    reply_int(call->reply, (int64_t)(size + more.size));
    return 0;
}

static int run_strlen(struct call *call)
{
    struct entry *entry;
    if (call_find(call, 1, TYPE_STRING, &entry))
        reply_int(call->reply, entry ? (int64_t)text_span(&entry->value.string).size : 0);
    return 0;
}

static int run_setrange(struct call *call)
{
    struct entry *entry;
    struct span part = call->args[3];
    int64_t offset;
    if (!call_int(call, 2, &offset)) return 0;
    if (offset < 0) {
        reply_error(call->reply, "ERR offset is out of range");
        return 0;
    }
    if (!call_find(call, 1, TYPE_STRING, &entry)) return 0;
    size_t size = entry ? text_span(&entry->value.string).size : 0;
    size_t end = (size_t)offset + part.size;
    if (part.size == 0) {
        reply_int(call->reply, (int64_t)size);
        return 0;
    }
    if (!check_size(call, end)) return 0;
    if (!entry) entry = key_add(call->args[1], TYPE_STRING);
    char *data = text_resize(&entry->value.string, end > size ? end : size);
    memcpy(data + offset, part.data, part.size);
    call_changed(call, entry);
    reply_int(call->reply, (int64_t)(end > size ? end : size));
    return 0;
}

static int run_getrange(struct call *call)
{
    struct entry *entry;
    int64_t start, end, first, count;
    if (!call_int(call, 2, &start) || !call_int(call, 3, &end)) return 0;
    if (!call_find(call, 1, TYPE_STRING, &entry)) return 0;
    struct span value = entry ? text_span(&entry->value.string) : SPAN("");
    bool is_backwards = start < 0 && end < 0 && start > end;
    if (end < 0 && end + (int64_t)value.size < 0) end = -(int64_t)value.size; // as Redis: 0
    call_range(call, start, end, (int64_t)value.size, &first, &count);
    if (is_backwards || value.size == 0) count = 0;
    reply_bulk(call->reply, (struct span){ value.data + (count ? first : 0), (size_t)count });
    return 0;
}

/* ---- numbers ---- */

static int add(struct call *call, int64_t amount)
{
    struct entry *entry;
    char buffer[NUMBER_SIZE];
    int64_t value = 0;
    if (!call_find(call, 1, TYPE_STRING, &entry)) return 0;
    if (entry && !span_to_int(text_span(&entry->value.string), &value)) {
        reply_error(call->reply, "ERR value is not an integer or out of range");
        return 0;
    }
    if (__builtin_add_overflow(value, amount, &value)) {
        reply_error(call->reply, "ERR increment or decrement would overflow");
        return 0;
    }
    if (!entry) entry = key_add(call->args[1], TYPE_STRING);
    text_set(&entry->value.string, int_to_span(value, buffer));
    call_changed(call, entry);
    reply_int(call->reply, value);
    return 0;
}

static int run_incr(struct call *call)
{
    return add(call, 1);
}

static int run_decr(struct call *call)
{
    return add(call, -1);
}

static int run_incrby(struct call *call)
{
    int64_t amount;
    return call_int(call, 2, &amount) ? add(call, amount) : 0;
}

static int run_decrby(struct call *call)
{
    int64_t amount;
    if (!call_int(call, 2, &amount)) return 0;
    if (amount != INT64_MIN) return add(call, -amount);
    reply_error(call->reply, "ERR decrement would overflow");
    return 0;
}

const struct command string_part_commands[] = {
    { "append", run_append, 3, CMD_WRITE, 1, 1, 1 },
    { "strlen", run_strlen, 2, 0, 1, 1, 1 },
    { "setrange", run_setrange, 4, CMD_WRITE, 1, 1, 1 },
    { "getrange", run_getrange, 4, 0, 1, 1, 1 },
    { "substr", run_getrange, 4, 0, 1, 1, 1 },
    { "incr", run_incr, 2, CMD_WRITE, 1, 1, 1 },
    { "decr", run_decr, 2, CMD_WRITE, 1, 1, 1 },
    { "incrby", run_incrby, 3, CMD_WRITE, 1, 1, 1 },
    { "decrby", run_decrby, 3, CMD_WRITE, 1, 1, 1 },
    { 0 },
};
