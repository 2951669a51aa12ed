#include "support/linear.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned __int128 call_set; // a bit per call

typedef struct point {
    call_set done;
    unsigned char state[LINEAR_STATE];
} point;

typedef struct search {
    const linear_spec *spec;
    const linear_call *calls;
    size_t count;
    point *failed; // hash table; an entry with done 0 is free
    size_t size, used;
} search;

enum { FIRST_SIZE = 256 }; // a power of 2

/* FNV-1a, Fowler, Noll and Vo */
static uint64_t hash_of(const point *p)
{
    const unsigned char *bytes = (const unsigned char *)p;
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < sizeof *p; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
    return hash;
}

/* Finds the entry of a point, or the free entry for the point. */
static point *find(const search *s, const point *p)
{
    size_t at = hash_of(p) & (s->size - 1);
    while (s->failed[at].done && memcmp(&s->failed[at], p, sizeof *p) != 0)
        at = (at + 1) & (s->size - 1);
    return &s->failed[at];
}

static void grow(search *s)
{
    search larger = *s;
    larger.size = 2 * s->size;
    larger.failed = calloc(larger.size, sizeof *larger.failed);
    assert_non_null(larger.failed);
    for (size_t i = 0; i < s->size; i++)
        if (s->failed[i].done) *find(&larger, &s->failed[i]) = s->failed[i];
    free(s->failed);
    *s = larger;
}

static void remember(search *s, const point *p)
{
    if (2 * ++s->used > s->size) grow(s);
    *find(s, p) = *p;
}

/* The earliest end among the calls that are not done. A call that begins after this end is later in
 * the order. UINT64_MAX: all calls are done. */
static uint64_t horizon(const search *s, call_set done)
{
    uint64_t end = UINT64_MAX;
    for (size_t i = 0; i < s->count; i++)
        if (!(done >> i & 1) && s->calls[i].end < end) end = s->calls[i].end;
    return end;
}

static bool go_on(search *s, const point *from);

static bool try_call(search *s, const point *from, size_t i)
{
    unsigned variants = s->spec->variants ? s->spec->variants : 1;
    for (unsigned variant = 0; variant < variants; variant++) {
        point to = *from;
        to.done |= (call_set)1 << i;
        if (s->spec->apply(to.state, &s->calls[i], variant) && go_on(s, &to)) return true;
    }
    return false;
}

static bool go_on(search *s, const point *from)
{
    uint64_t end = horizon(s, from->done);
    if (end == UINT64_MAX) return true;
    if (from->done && find(s, from)->done) return false;
    for (size_t i = 0; i < s->count; i++) {
        if ((from->done >> i & 1) || s->calls[i].begin > end) continue;
        if (try_call(s, from, i)) return true;
    }
    if (from->done) remember(s, from);
    return false;
}

bool linear_check(const linear_spec *spec, const linear_call *calls, size_t count)
{
    search s = { .spec = spec, .calls = calls, .count = count, .size = FIRST_SIZE };
    point first;
    memset(&first, 0, sizeof first);
    assert_true(count <= LINEAR_CALLS);
    s.failed = calloc(s.size, sizeof *s.failed);
    assert_non_null(s.failed);
    if (spec->init) spec->init(first.state);
    bool is_linear = go_on(&s, &first);
    free(s.failed);
    return is_linear;
}

static int by_begin(const void *a, const void *b)
{
    const linear_call *left = a, *right = b;
    return left->begin < right->begin ? -1 : 1;
}

void linear_print(const linear_spec *spec, const linear_call *calls, size_t count)
{
    linear_call sorted[LINEAR_CALLS];
    memcpy(sorted, calls, count * sizeof *calls);
    qsort(sorted, count, sizeof *sorted, by_begin);
    fprintf(stderr, "%s: a history that no order explains:\n", spec->name);
    for (size_t i = 0; i < count; i++)
        fprintf(stderr,
                "  [%3" PRIu64 " %3" PRIu64 "] actor %u: %s(%" PRId64 ") = %" PRId64
                ", value %" PRId64 "%s\n",
                sorted[i].begin, sorted[i].end, sorted[i].actor, spec->kinds[sorted[i].kind],
                sorted[i].argument, sorted[i].result, sorted[i].value,
                sorted[i].limited ? " (with a limit)" : "");
}
