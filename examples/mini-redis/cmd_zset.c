/* Commands of sorted sets. */
#include <math.h>

#include "call.h"

/* ---- ZADD and ZINCRBY ---- */

struct zadd {
    bool nx, xx, gt, lt, ch, incr;
};

static int read_flags(struct call *call, struct zadd *flags)
{
    int i = 2;
    for (; i < call->count; i++) {
        if (call_is(call, i, "nx"))
            flags->nx = true;
        else if (call_is(call, i, "xx"))
            flags->xx = true;
        else if (call_is(call, i, "gt"))
            flags->gt = true;
        else if (call_is(call, i, "lt"))
            flags->lt = true;
        else if (call_is(call, i, "ch"))
            flags->ch = true;
        else if (call_is(call, i, "incr"))
            flags->incr = true;
        else
            break;
    }
    return i;
}

/* Returns: whether the flags and the number of arguments behind them are valid. */
static bool check_flags(struct call *call, const struct zadd *flags, int first)
{
    int rest = call->count - first;
    const char *error = NULL;
    if (rest == 0 || rest % 2)
        error = "ERR syntax error";
    else if (flags->nx && flags->xx)
        error = "ERR XX and NX options at the same time are not compatible";
    else if ((flags->gt && flags->lt) || (flags->nx && (flags->gt || flags->lt)))
        error = "ERR GT, LT, and/or NX options at the same time are not compatible";
    else if (flags->incr && rest > 2)
        error = "ERR INCR option supports a single increment-element pair";
    if (error) reply_error(call->reply, "%s", error);
    return !error;
}

enum added { NOTHING, ADDED, UPDATED, NOT_A_NUMBER };

/* Adds a member or changes its score, as the flags say. score: in: the argument; out: the result. */
static enum added put_member(struct zset *set, const struct zadd *flags, struct span name,
                             double *score)
{
    struct member *member = zset_find(set, name);
    if (!member && flags->xx) return NOTHING;
    if (!member) {
        zset_put(set, name, *score);
        return ADDED;
    }
    if (flags->nx) return NOTHING;
    if (flags->incr) *score += member->score;
    if (isnan(*score)) return NOT_A_NUMBER;
    if (flags->lt && *score >= member->score) return NOTHING;
    if (flags->gt && *score <= member->score) return NOTHING;
    if (*score == member->score) return flags->incr ? UPDATED : NOTHING;
    zset_put(set, name, *score);
    return UPDATED;
}

/* Result of all members. */
struct zadd_result {
    int64_t added, updated;
    double score;
    bool is_done; // the last member was added or changed, or has the score already
};

static bool put_members(struct call *call, struct zset *set, const struct zadd *flags, int first,
                        struct zadd_result *result)
{
    for (int i = first; i < call->count; i += 2) {
        (void)span_to_double(call->args[i], &result->score);
        double before = 0;
        struct member *member = zset_find(set, call->args[i + 1]);
        if (member) before = member->score;
        switch (put_member(set, flags, call->args[i + 1], &result->score)) {
        case ADDED:
            result->added++;
            result->is_done = true;
            break;
        case UPDATED:
            result->updated += !member || before != result->score;
            result->is_done = true;
            break;
        case NOT_A_NUMBER:
            reply_error(call->reply, "ERR resulting score is not a number (NaN)");
            return false;
        case NOTHING: break;
        }
    }
    return true;
}

static int zadd(struct call *call, const struct zadd *flags, int first)
{
    struct entry *entry;
    struct zadd_result result = { 0 };
    double score;
    for (int i = first; i < call->count; i += 2)
        if (!call_double(call, i, &score)) return 0;
    if (!call_find(call, 1, TYPE_ZSET, &entry)) return 0;
    if (!entry && !flags->xx) entry = key_add(call->args[1], TYPE_ZSET);
    if (entry && !put_members(call, entry->value.zset, flags, first, &result)) return 0;
    if (result.added || result.updated) call_changed(call, entry);
    if (!flags->incr)
        reply_int(call->reply, result.added + (flags->ch ? result.updated : 0));
    else if (result.is_done)
        reply_double(call->reply, result.score);
    else
        reply_null(call->reply);
    return 0;
}

static int run_zadd(struct call *call)
{
    struct zadd flags = { 0 };
    int first = read_flags(call, &flags);
    return check_flags(call, &flags, first) ? zadd(call, &flags, first) : 0;
}

static int run_zincrby(struct call *call)
{
    return zadd(call, &(struct zadd){ .incr = true }, 2);
}

/* ---- single members ---- */

static int run_zscore(struct call *call)
{
    struct entry *entry;
    if (!call_find(call, 1, TYPE_ZSET, &entry)) return 0;
    struct member *member = entry ? zset_find(entry->value.zset, call->args[2]) : NULL;
    if (member)
        reply_double(call->reply, member->score);
    else
        reply_null(call->reply);
    return 0;
}

static int rank(struct call *call, bool reversed)
{
    struct entry *entry;
    if (!call_find(call, 1, TYPE_ZSET, &entry)) return 0;
    struct member *member = entry ? zset_find(entry->value.zset, call->args[2]) : NULL;
    if (!member) {
        reply_null(call->reply);
        return 0;
    }
    uint32_t at = zset_rank(entry->value.zset, member);
    reply_int(call->reply, reversed ? entry->value.zset->members.count - 1 - at : at);
    return 0;
}

static int run_zrank(struct call *call)
{
    return rank(call, false);
}

static int run_zrevrank(struct call *call)
{
    return rank(call, true);
}

static int run_zcard(struct call *call)
{
    struct entry *entry;
    if (call_find(call, 1, TYPE_ZSET, &entry))
        reply_int(call->reply, entry ? entry->value.zset->members.count : 0);
    return 0;
}

static int run_zrem(struct call *call)
{
    struct entry *entry;
    int64_t removed = 0;
    if (!call_find(call, 1, TYPE_ZSET, &entry)) return 0;
    for (int i = 2; entry && i < call->count; i++) {
        struct member *member = zset_find(entry->value.zset, call->args[i]);
        if (!member) continue;
        zset_remove(entry->value.zset, member);
        removed++;
    }
    if (removed) {
        call_changed(call, entry);
        key_remove_if_empty(entry);
    }
    reply_int(call->reply, removed);
    return 0;
}

const struct command zset_commands[] = {
    { "zadd", run_zadd, -4, CMD_WRITE, 1, 1, 1 }, { "zincrby", run_zincrby, 4, CMD_WRITE, 1, 1, 1 },
    { "zscore", run_zscore, 3, 0, 1, 1, 1 },      { "zrank", run_zrank, 3, 0, 1, 1, 1 },
    { "zrevrank", run_zrevrank, 3, 0, 1, 1, 1 },  { "zcard", run_zcard, 2, 0, 1, 1, 1 },
    { "zrem", run_zrem, -3, CMD_WRITE, 1, 1, 1 }, { 0 },
};
