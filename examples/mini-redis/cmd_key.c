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
        if (when < 0) when = 0;
        when = when / unit + (when % unit * 2 >= unit && unit > 1); // rounded
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
    { 0 },
};
