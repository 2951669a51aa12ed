#include "zset.h"

struct zset *zset_create(void)
{
    struct zset *set = must_alloc(sizeof *set);
    memset(set, 0, sizeof *set);
    table_init(&set->members, sizeof(struct member));
    set->levels = 1;
    return set;
}

static struct zlink *link_of(struct member *member, uint32_t level)
{
    return (struct zlink *)member - 1 - level;
}

static void release(struct node *node)
{
    struct member *member = (struct member *)node;
    free(link_of(member, member->levels - 1));
}

void zset_destroy(struct zset *set)
{
    table_deinit(&set->members, release);
    free(set);
}

struct member *zset_find(const struct zset *set, struct span name)
{
    return (struct member *)table_find(&set->members, name, hash_of(name));
}

struct member *zset_next(const struct member *member)
{
    return ((const struct zlink *)member - 1)->next;
}

static int compare(const struct zset *set, const struct member *a, double score, struct span name)
{
    if (a->score != score) return a->score < score ? -1 : 1;
    struct span own = member_name(set, a);
    size_t size = own.size < name.size ? own.size : name.size;
    int order = size ? memcmp(own.data, name.data, size) : 0;
    return order ? order : (own.size > name.size) - (own.size < name.size);
}

/* The way to a place in the list: on each level the last link before it, and its rank. */
struct way {
    struct zlink *links[ZSET_LEVELS];
    uint32_t ranks[ZSET_LEVELS]; // number of members before the link's end
    struct member *before;
};

static void find_way(struct zset *set, double score, struct span name, struct way *way)
{
    struct member *at = NULL;
    uint32_t rank = 0;
    way->links[0] = &set->heads[0]; // compilers do not see that there is a level
    way->ranks[0] = 0;
    for (uint32_t level = set->levels; level-- > 0;) {
        struct zlink *link = at ? link_of(at, level) : &set->heads[level];
        while (link->next && compare(set, link->next, score, name) < 0) {
            rank += link->passes;
            at = link->next;
            link = link_of(at, level);
        }
        way->links[level] = link;
        way->ranks[level] = rank;
    }
    way->before = at;
}

static uint32_t choose_levels(void)
{
    uint32_t levels = 1;
    for (long bits = random(); levels < ZSET_LEVELS && (bits & 3) == 0; bits >>= 2)
        levels++;
    return levels;
}

static void widen(struct zset *set, uint32_t levels, struct way *way)
{
    for (; set->levels < levels; set->levels++) {
        struct zlink *head = &set->heads[set->levels];
        *head = (struct zlink){ NULL, set->members.count };
        way->links[set->levels] = head;
        way->ranks[set->levels] = 0;
    }
}

/* Links a member, which is not in the table yet. */
static void insert(struct zset *set, struct member *member)
{
    struct way way;
    find_way(set, member->score, member_name(set, member), &way);
    widen(set, member->levels, &way);
    uint32_t rank = way.ranks[0];
    for (uint32_t level = 0; level < set->levels; level++) {
        struct zlink *link = way.links[level];
        if (level >= member->levels) {
            link->passes++;
            continue;
        }
        uint32_t distance = rank - way.ranks[level] + 1;
        *link_of(member, level) = (struct zlink){ link->next, link->passes + 1 - distance };
        *link = (struct zlink){ member, distance };
    }
    member->before = way.before;
    struct member *next = zset_next(member);
    if (next)
        next->before = member;
    else
        set->last = member;
}

static void unlink_member(struct zset *set, struct member *member)
{
    struct way way;
    find_way(set, member->score, member_name(set, member), &way);
    for (uint32_t level = 0; level < set->levels; level++) {
        struct zlink *link = way.links[level];
        if (link->next != member) {
            link->passes--;
            continue;
        }
        struct zlink *own = link_of(member, level);
        *link = (struct zlink){ own->next, link->passes + own->passes - 1 };
    }
    struct member *next = zset_next(member);
    if (next)
        next->before = member->before;
    else
        set->last = member->before;
}

void zset_put(struct zset *set, struct span name, double score)
{
    uint64_t hash = hash_of(name);
    struct member *member = (struct member *)table_find(&set->members, name, hash);
    if (member) {
        if (member->score == score) return;
        unlink_member(set, member);
        member->score = score;
        insert(set, member);
        return;
    }
    uint32_t levels = choose_levels();
    size_t links = levels * sizeof(struct zlink);
    char *memory = must_alloc(links + sizeof *member + name.size);
    member = (struct member *)table_node_create(&set->members, memory + links, name, hash);
    member->levels = levels;
    member->score = score;
    insert(set, member);
    table_insert(&set->members, &member->node);
}

void zset_remove(struct zset *set, struct member *member)
{
    unlink_member(set, member);
    table_remove(&set->members, &member->node);
    release(&member->node);
}

struct member *zset_at(const struct zset *set, uint32_t rank)
{
    if (rank >= set->members.count) return NULL;
    struct member *at = NULL;
    uint32_t rest = rank + 1;
    for (uint32_t level = set->levels; level-- > 0 && rest;) {
        const struct zlink *link = at ? link_of(at, level) : &set->heads[level];
        while (link->next && link->passes <= rest) {
            rest -= link->passes;
            at = link->next;
            link = link_of(at, level);
        }
    }
    return at;
}

uint32_t zset_rank(const struct zset *set, const struct member *member)
{
    struct way way;
    find_way((struct zset *)(uintptr_t)set, member->score, member_name(set, member), &way);
    return way.ranks[0];
}

/* ---- ranges of scores ---- */

static bool is_below(const struct score_range *range, double score)
{
    return range->least_open ? score <= range->least : score < range->least;
}

static bool is_above(const struct score_range *range, double score)
{
    return range->most_open ? score >= range->most : score > range->most;
}

bool score_is_in(const struct score_range *range, double score)
{
    return !is_below(range, score) && !is_above(range, score);
}

/* The last member whose score is before an end of the range, or NULL. */
static struct member *last_before(const struct zset *set, const struct score_range *range,
                                  bool is_end)
{
    struct member *at = NULL;
    for (uint32_t level = set->levels; level-- > 0;) {
        const struct zlink *link = at ? link_of(at, level) : &set->heads[level];
        while (link->next && (is_end ? !is_above(range, link->next->score)
                                     : is_below(range, link->next->score))) {
            at = link->next;
            link = link_of(at, level);
        }
    }
    return at;
}

struct member *zset_first_in(const struct zset *set, const struct score_range *range)
{
    struct member *before = last_before(set, range, false);
    struct member *first = before ? zset_next(before) : set->heads[0].next;
    return first && score_is_in(range, first->score) ? first : NULL;
}

struct member *zset_last_in(const struct zset *set, const struct score_range *range)
{
    struct member *last = last_before(set, range, true);
    return last && score_is_in(range, last->score) ? last : NULL;
}
