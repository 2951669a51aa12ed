/* Commands of strings. */
#include <math.h>

#include "call.h"

static void reply_string(struct call *call, const struct entry *entry)
{
    if (entry)
        reply_bulk(call->reply, text_span(&entry->value.string));
    else
        reply_null(call->reply);
}

/* Sets a key to a string, whatever it was before. */
static struct entry *set_string(struct call *call, struct span key, struct span value,
                                bool keeps_expiry)
{
    struct entry *entry = key_find(key, call->now);
    if (!entry) {
        entry = key_add(key, TYPE_STRING);
    } else if (entry->type != TYPE_STRING) {
        key_clear_value(entry);
        entry->type = TYPE_STRING;
        memset(&entry->value, 0, sizeof entry->value);
    }
    text_set(&entry->value.string, value);
    if (!keeps_expiry) key_expire_at(entry, -1);
    call_changed(call, entry);
    return entry;
}

static int run_get(struct call *call)
{
    struct entry *entry;
    if (call_find(call, 1, TYPE_STRING, &entry)) reply_string(call, entry);
    return 0;
}

/* ---- SET and GETEX: options ---- */

struct options {
    bool nx, xx, get, keeps, persists;
    int expiry;    // index of the time; 0: none
    int64_t unit;  // ms
    bool relative; // to now
    int64_t when;
};

/* Reads EX, PX, EXAT, PXAT. Returns: whether it was one. */
static bool read_expiry_option(struct call *call, int *i, struct options *options)
{
    static const struct {
        const char *name;
        int64_t unit;
        bool relative;
    } kinds[] = {
        { "ex", 1000, true }, { "px", 1, true }, { "exat", 1000, false }, { "pxat", 1, false }
    };
    for (int kind = 0; kind < 4; kind++) {
        if (!call_is(call, *i, kinds[kind].name) || *i + 1 >= call->count) continue;
        if (options->expiry || options->keeps || options->persists) return false;
        options->expiry = ++*i;
        options->unit = kinds[kind].unit;
        options->relative = kinds[kind].relative;
        return true;
    }
    return false;
}

static bool read_set_option(struct call *call, int *i, struct options *options)
{
    if (call_is(call, *i, "nx") && !options->xx) return options->nx = true;
    if (call_is(call, *i, "xx") && !options->nx) return options->xx = true;
    if (call_is(call, *i, "get")) return options->get = true;
    if (call_is(call, *i, "keepttl") && !options->expiry) return options->keeps = true;
    return read_expiry_option(call, i, options);
}

static bool read_expiry(struct call *call, struct options *options)
{
    return !options->expiry ||
           call_expiry(call, options->expiry, options->unit, options->relative, &options->when);
}

/* Logs the absolute time. */
static void propagate_set(struct call *call, const struct options *options)
{
    char buffer[NUMBER_SIZE];
    if (options->expiry)
        CALL_PROPAGATE(call, SPAN("SET"), call->args[1], call->args[2], SPAN("PXAT"),
                       int_to_span(options->when, buffer));
    else if (options->keeps)
        CALL_PROPAGATE(call, SPAN("SET"), call->args[1], call->args[2], SPAN("KEEPTTL"));
    else
        CALL_PROPAGATE(call, SPAN("SET"), call->args[1], call->args[2]);
}

static int run_set(struct call *call)
{
    struct options options = { 0 };
    for (int i = 3; i < call->count; i++)
        if (!read_set_option(call, &i, &options)) {
            call_syntax_error(call);
            return 0;
        }
    if (!read_expiry(call, &options)) return 0;
    struct entry *entry = key_find(call->args[1], call->now);
    if (options.get && entry && entry->type != TYPE_STRING) {
        call_wrong_type(call);
        return 0;
    }
    if (options.get) reply_string(call, entry);
    if ((options.nx && entry) || (options.xx && !entry)) {
        if (!options.get) reply_null(call->reply);
        return 0;
    }
    entry = set_string(call, call->args[1], call->args[2], options.keeps);
    if (options.expiry) key_expire_at(entry, options.when);
    if (call->count > 3) propagate_set(call, &options);
    if (!options.get) reply_ok(call->reply);
    return 0;
}

static void set_or_remove_expiry(struct call *call, struct entry *entry,
                                 const struct options *options)
{
    char buffer[NUMBER_SIZE];
    if (options->persists && entry->expiry) {
        key_expire_at(entry, -1);
        call_changed(call, entry);
        CALL_PROPAGATE(call, SPAN("PERSIST"), call->args[1]);
    } else if (options->expiry && options->when <= call->now && !database.is_loading) {
        key_remove(entry);
        call_changed(call, NULL);
        CALL_PROPAGATE(call, SPAN("DEL"), call->args[1]);
    } else if (options->expiry) {
        key_expire_at(entry, options->when);
        call_changed(call, entry);
        CALL_PROPAGATE(call, SPAN("PEXPIREAT"), call->args[1], int_to_span(options->when, buffer));
    }
}

static int run_getex(struct call *call)
{
    struct options options = { 0 };
    for (int i = 2; i < call->count; i++) {
        if (call_is(call, i, "persist") && !options.expiry)
            options.persists = true;
        else if (!read_expiry_option(call, &i, &options)) {
            call_syntax_error(call);
            return 0;
        }
    }
    struct entry *entry;
    if (!call_find(call, 1, TYPE_STRING, &entry)) return 0;
    if (entry && !read_expiry(call, &options)) return 0;
    reply_string(call, entry);
    if (entry) set_or_remove_expiry(call, entry, &options);
    return 0;
}

static int set_with_expiry(struct call *call, int64_t unit)
{
    struct options options = { .expiry = 2 };
    struct span args[] = { call->args[0], call->args[1], call->args[3] };
    if (!call_expiry(call, 2, unit, true, &options.when)) return 0;
    struct entry *entry = set_string(call, call->args[1], call->args[3], false);
    key_expire_at(entry, options.when);
    struct call set = *call;
    set.args = args;
    propagate_set(&set, &options);
    call->is_propagated = true;
    reply_ok(call->reply);
    return 0;
}

static int run_setex(struct call *call)
{
    return set_with_expiry(call, 1000);
}

static int run_psetex(struct call *call)
{
    return set_with_expiry(call, 1);
}

static int run_setnx(struct call *call)
{
    bool is_new = !key_find(call->args[1], call->now);
    if (is_new) set_string(call, call->args[1], call->args[2], false);
    reply_int(call->reply, is_new);
    return 0;
}

static int run_getset(struct call *call)
{
    struct entry *entry;
    if (!call_find(call, 1, TYPE_STRING, &entry)) return 0;
    reply_string(call, entry);
    set_string(call, call->args[1], call->args[2], false);
    CALL_PROPAGATE(call, SPAN("SET"), call->args[1], call->args[2]);
    return 0;
}

static int run_getdel(struct call *call)
{
    struct entry *entry;
    if (!call_find(call, 1, TYPE_STRING, &entry)) return 0;
    reply_string(call, entry);
    if (!entry) return 0;
    key_remove(entry);
    call_changed(call, NULL);
    CALL_PROPAGATE(call, SPAN("DEL"), call->args[1]);
    return 0;
}

static int run_mget(struct call *call)
{
    reply_array(call->reply, (size_t)call->count - 1);
    for (int i = 1; i < call->count; i++) {
        struct entry *entry = key_find(call->args[i], call->now);
        reply_string(call, entry && entry->type == TYPE_STRING ? entry : NULL);
    }
    return 0;
}

static void set_all(struct call *call)
{
    for (int i = 1; i < call->count; i += 2)
        set_string(call, call->args[i], call->args[i + 1], false);
}

static int run_mset(struct call *call)
{
    if (call->count % 2 == 0) {
        call_wrong_arity(call);
        return 0;
    }
    set_all(call);
    reply_ok(call->reply);
    return 0;
}

static int run_msetnx(struct call *call)
{
    bool is_new = true;
    if (call->count % 2 == 0) {
        call_wrong_arity(call);
        return 0;
    }
    for (int i = 1; i < call->count; i += 2)
        is_new &= !key_find(call->args[i], call->now);
    if (is_new) set_all(call);
    reply_int(call->reply, is_new);
    return 0;
}

/* ---- INCRBYFLOAT ---- */

static int run_incrbyfloat(struct call *call)
{
    struct entry *entry;
    char buffer[NUMBER_SIZE];
    long double value = 0, amount;
    if (!call_find(call, 1, TYPE_STRING, &entry)) return 0;
    if ((entry && !span_to_long_double(text_span(&entry->value.string), &value)) ||
        !span_to_long_double(call->args[2], &amount)) {
        reply_error(call->reply, "ERR value is not a valid float");
        return 0;
    }
    value += amount;
    if (isnan(value) || isinf(value)) {
        reply_error(call->reply, "ERR increment would produce NaN or Infinity");
        return 0;
    }
    struct span result = long_double_to_span(value, buffer);
    set_string(call, call->args[1], result, true);
    CALL_PROPAGATE(call, SPAN("SET"), call->args[1], result, SPAN("KEEPTTL"));
    reply_bulk(call->reply, result);
    return 0;
}

const struct command string_commands[] = {
    { "get", run_get, 2, 0, 1, 1, 1 },
    { "set", run_set, -3, CMD_WRITE, 1, 1, 1 },
    { "setex", run_setex, 4, CMD_WRITE, 1, 1, 1 },
    { "psetex", run_psetex, 4, CMD_WRITE, 1, 1, 1 },
    { "setnx", run_setnx, 3, CMD_WRITE, 1, 1, 1 },
    { "getset", run_getset, 3, CMD_WRITE, 1, 1, 1 },
    { "getex", run_getex, -2, CMD_WRITE, 1, 1, 1 },
    { "getdel", run_getdel, 2, CMD_WRITE, 1, 1, 1 },
    { "mget", run_mget, -2, 0, 1, -1, 1 },
    { "mset", run_mset, -3, CMD_WRITE, 1, -1, 2 },
    { "msetnx", run_msetnx, -3, CMD_WRITE, 1, -1, 2 },
    { "incrbyfloat", run_incrbyfloat, 3, CMD_WRITE, 1, 1, 1 },
    { 0 },
};
