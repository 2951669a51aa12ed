/* Sorted sets: a hash table of members, and a skip list of them in the order of score and name.
 * Each link knows how many members it passes, so ranks take logarithmic time. */
#pragma once

#include "table.h"

enum { ZSET_LEVELS = 32 };

struct member {
    struct node node;
    double score;
    struct member *before;
    uint32_t levels; // the links lie in front of the member
};

struct zlink {
    struct member *next;
    uint32_t passes; // number of members from the one to the other
};

struct zset {
    struct table members;
    struct zlink heads[ZSET_LEVELS];
    struct member *last;
    uint32_t levels;
};

/* A range of scores; an open end is not in the range. */
struct score_range {
    double least, most;
    bool least_open, most_open;
};

struct zset *zset_create(void);
void zset_destroy(struct zset *set);
struct member *zset_find(const struct zset *set, struct span name);
void zset_put(struct zset *set, struct span name, double score); // adds, or changes the score
void zset_remove(struct zset *set, struct member *member);
struct member *zset_at(const struct zset *set, uint32_t rank); // NULL: no such rank
uint32_t zset_rank(const struct zset *set, const struct member *member);
struct member *zset_next(const struct member *member);

/* First or last member of a range, or NULL. */
struct member *zset_first_in(const struct zset *set, const struct score_range *range);
struct member *zset_last_in(const struct zset *set, const struct score_range *range);
bool score_is_in(const struct score_range *range, double score);

static inline struct span member_name(const struct zset *set, const struct member *member)
{
    return table_key(&set->members, &member->node);
}
