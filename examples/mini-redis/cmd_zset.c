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

/* ---- ranges ---- */

struct query {
    bool by_score, reversed, with_scores, has_limit;
    int64_t offset, limit; // limit < 0: all
};

static bool read_bound(struct span span, double *ret_score, bool *ret_open)
{
    *ret_open = span.size > 0 && span.data[0] == '(';
    if (*ret_open) span = (struct span){ span.data + 1, span.size - 1 };
    return span_to_double(span, ret_score);
}

static bool read_range(struct call *call, int least, int most, struct score_range *range)
{
    if (read_bound(call->args[least], &range->least, &range->least_open) &&
        read_bound(call->args[most], &range->most, &range->most_open))
        return true;
    reply_error(call->reply, "ERR min or max is not a float");
    return false;
}

/* Answers members from one on. RESP3 has pairs in arrays of their own. */
static void reply_members(struct call *call, const struct zset *set, struct member *member,
                          int64_t count, const struct query *query)
{
    bool pairs = query->with_scores && call->reply->is_resp3;
    reply_array(call->reply, (size_t)(query->with_scores && !pairs ? 2 * count : count));
    for (; count; count--) {
        if (pairs) reply_array(call->reply, 2);
        reply_bulk(call->reply, member_name(set, member));
        if (query->with_scores) reply_double(call->reply, member->score);
        member = query->reversed ? member->before : zset_next(member);
    }
}

static int range_by_rank(struct call *call, const struct query *query)
{
    struct entry *entry;
    int64_t start, stop, first = 0, count = 0;
    if (!call_int(call, 2, &start) || !call_int(call, 3, &stop)) return 0;
    if (!call_find(call, 1, TYPE_ZSET, &entry)) return 0;
    uint32_t size = entry ? entry->value.zset->members.count : 0;
    call_range(call, start, stop, size, &first, &count);
    struct member *member = NULL;
    if (count)
        member = zset_at(entry->value.zset, (uint32_t)(query->reversed ? size - 1 - first : first));
    reply_members(call, entry ? entry->value.zset : NULL, member, count, query);
    return 0;
}

static int range_by_score(struct call *call, const struct query *query)
{
    struct entry *entry;
    struct score_range range;
    bool reversed = query->reversed;
    if (!read_range(call, reversed ? 3 : 2, reversed ? 2 : 3, &range)) return 0;
    if (!call_find(call, 1, TYPE_ZSET, &entry)) return 0;
    struct zset *set = entry ? entry->value.zset : NULL;
    struct member *first = NULL;
    if (set) first = reversed ? zset_last_in(set, &range) : zset_first_in(set, &range);
    int64_t skip = query->offset, count = 0;
    if (skip < 0) first = NULL;
    for (; first && skip > 0; skip--) {
        first = reversed ? first->before : zset_next(first);
        if (first && !score_is_in(&range, first->score)) first = NULL;
    }
    for (struct member *m = first; m && score_is_in(&range, m->score) && count != query->limit;
         m = reversed ? m->before : zset_next(m))
        count++;
    reply_members(call, set, first, count, query);
    return 0;
}

static bool read_query(struct call *call, struct query *query, bool is_zrange)
{
    for (int i = 4; i < call->count; i++) {
        if (call_is(call, i, "withscores")) {
            query->with_scores = true;
        } else if (call_is(call, i, "limit") && i + 2 < call->count) {
            if (!call_int(call, i + 1, &query->offset) || !call_int(call, i + 2, &query->limit))
                return false;
            query->has_limit = true;
            i += 2;
        } else if (is_zrange && call_is(call, i, "rev")) {
            query->reversed = true;
        } else if (is_zrange && call_is(call, i, "byscore")) {
            query->by_score = true;
        } else {
            call_syntax_error(call);
            return false;
        }
    }
    if (!query->has_limit || query->by_score) return true;
    reply_error(call->reply, "ERR syntax error, LIMIT is only supported in combination with "
                             "either BYSCORE or BYLEX");
    return false;
}

static int range(struct call *call, struct query query, bool is_zrange)
{
    if (!read_query(call, &query, is_zrange)) return 0;
    return query.by_score ? range_by_score(call, &query) : range_by_rank(call, &query);
}

static int run_zrange(struct call *call)
{
    return range(call, (struct query){ .limit = -1 }, true);
}

static int run_zrevrange(struct call *call)
{
    return range(call, (struct query){ .limit = -1, .reversed = true }, false);
}

static int run_zrangebyscore(struct call *call)
{
    return range(call, (struct query){ .limit = -1, .by_score = true }, false);
}

static int run_zrevrangebyscore(struct call *call)
{
    return range(call, (struct query){ .limit = -1, .by_score = true, .reversed = true }, false);
}

static int run_zcount(struct call *call)
{
    struct entry *entry;
    struct score_range range;
    int64_t count = 0;
    if (!read_range(call, 2, 3, &range)) return 0;
    if (!call_find(call, 1, TYPE_ZSET, &entry)) return 0;
    struct member *first = entry ? zset_first_in(entry->value.zset, &range) : NULL;
    if (first) {
        struct member *last = zset_last_in(entry->value.zset, &range);
        count = (int64_t)zset_rank(entry->value.zset, last) -
                (int64_t)zset_rank(entry->value.zset, first) + 1;
    }
    reply_int(call->reply, count);
    return 0;
}

const struct command zset_commands[] = {
    { "zadd", run_zadd, -4, CMD_WRITE, 1, 1, 1 },
    { "zincrby", run_zincrby, 4, CMD_WRITE, 1, 1, 1 },
    { "zscore", run_zscore, 3, 0, 1, 1, 1 },
    { "zrank", run_zrank, 3, 0, 1, 1, 1 },
    { "zrevrank", run_zrevrank, 3, 0, 1, 1, 1 },
    { "zcard", run_zcard, 2, 0, 1, 1, 1 },
    { "zcount", run_zcount, 4, 0, 1, 1, 1 },
    { "zrem", run_zrem, -3, CMD_WRITE, 1, 1, 1 },
    { "zrange", run_zrange, -4, 0, 1, 1, 1 },
    { "zrevrange", run_zrevrange, -4, 0, 1, 1, 1 },
    { "zrangebyscore", run_zrangebyscore, -4, 0, 1, 1, 1 },
    { "zrevrangebyscore", run_zrevrangebyscore, -4, 0, 1, 1, 1 },
    { 0 },
};
