/* Commands of ranges of sorted sets. */
#include "call.h"

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

const struct command zset_range_commands[] = {
    { "zcount", run_zcount, 4, 0, 1, 1, 1 },
    { "zrange", run_zrange, -4, 0, 1, 1, 1 },
    { "zrevrange", run_zrevrange, -4, 0, 1, 1, 1 },
    { "zrangebyscore", run_zrangebyscore, -4, 0, 1, 1, 1 },
    { "zrevrangebyscore", run_zrevrangebyscore, -4, 0, 1, 1, 1 },
    { 0 },
};
