/* Commands that move elements, and those that wait for them. */
#include "blocked.h"
#include "cmd_list.h"

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
        list_pop_to_reply(call, entry, 1, front);
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

const struct command list_move_commands[] = {
    { "lmove", run_lmove, 5, CMD_WRITE | CMD_WAKES, 1, 2, 1 },
    { "rpoplpush", run_rpoplpush, 3, CMD_WRITE | CMD_WAKES, 1, 2, 1 },
    { "blpop", run_blpop, -3, CMD_WRITE | CMD_BLOCKING, 1, -2, 1 },
    { "brpop", run_brpop, -3, CMD_WRITE | CMD_BLOCKING, 1, -2, 1 },
    { "blmove", run_blmove, 6, CMD_WRITE | CMD_BLOCKING | CMD_WAKES, 1, 2, 1 },
    { "brpoplpush", run_brpoplpush, 4, CMD_WRITE | CMD_BLOCKING | CMD_WAKES, 1, 2, 1 },
    { 0 },
};
