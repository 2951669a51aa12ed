#include "table.h"

#include <sys/random.h>

#include <edo/thread_locks.h>

enum { LEAST_BUCKETS = 4 };

/* ---- hash: multiply and fold, 16 bytes at a time, with a secret seed ---- */

static uint64_t seeds[2];
static edo_thread_once seeded;

static int choose_seeds(void *context)
{
    (void)context;
    if (getrandom(seeds, sizeof seeds, 0) != sizeof seeds) seeds[0] = (uintptr_t)&seeds;
    seeds[1] |= 1;
    return 0;
}

static uint64_t fold(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 product;
    product p = (product)a * b;
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static uint64_t load(const char *data, size_t size)
{
    uint64_t word = 0;
    memcpy(&word, data, size < 8 ? size : 8);
    return word;
}

uint64_t hash_of(struct span key)
{
    (void)edo_thread_once_run(&seeded, choose_seeds, NULL);
    uint64_t hash = seeds[0] ^ key.size;
    const char *p = key.data;
    size_t rest = key.size;
    for (; rest > 16; rest -= 16, p += 16)
        hash = fold(load(p, 8) ^ seeds[1], load(p + 8, 8) ^ hash);
    uint64_t low = load(p, rest), high = rest > 8 ? load(p + 8, rest - 8) : 0;
    hash = fold(low ^ seeds[1], high ^ hash);
    return fold(hash ^ UINT64_C(0x9e3779b97f4a7c15), seeds[1]);
}

/* ---- the table ---- */

void table_init(struct table *table, uint32_t node_size)
{
    *table = (struct table){ .node_size = node_size };
}

void table_deinit(struct table *table, void (*release)(struct node *))
{
    TABLE_EACH(table, node)
    {
        if (release)
            release(node);
        else
            free(node);
    }
    free(table->buckets);
    table_init(table, table->node_size);
}

struct node *table_node_create(const struct table *table, void *memory, struct span key,
                               uint64_t hash)
{
    struct node *node = memory ? memory : must_alloc(table->node_size + key.size);
    memset(node, 0, table->node_size);
    node->hash = (uint32_t)hash;
    node->key_size = (uint32_t)key.size;
    if (key.size) memcpy((char *)node + table->node_size, key.data, key.size);
    return node;
}

struct node *table_find(const struct table *table, struct span key, uint64_t hash)
{
    if (!table->buckets) return NULL;
    struct node *node = table->buckets[(uint32_t)hash & table->mask];
    while (node && (node->hash != (uint32_t)hash || !span_equal(table_key(table, node), key)))
        node = node->next;
    return node;
}

static void resize(struct table *table, uint32_t buckets)
{
    struct node **larger = must_alloc(buckets * sizeof *larger);
    memset(larger, 0, buckets * sizeof *larger);
    TABLE_EACH(table, node)
    {
        struct node **bucket = &larger[node->hash & (buckets - 1)];
        node->next = *bucket;
        *bucket = node;
    }
    free(table->buckets);
    table->buckets = larger;
    table->mask = buckets - 1;
}

void table_insert(struct table *table, struct node *node)
{
    if (!table->buckets)
        resize(table, LEAST_BUCKETS);
    else if (table->count > table->mask)
        resize(table, 2 * (table->mask + 1));
    struct node **bucket = &table->buckets[node->hash & table->mask];
    node->next = *bucket;
    *bucket = node;
    table->count++;
}

void table_remove(struct table *table, struct node *node)
{
    struct node **link = &table->buckets[node->hash & table->mask];
    while (*link != node)
        link = &(*link)->next;
    *link = node->next;
    table->count--;
}

struct node *table_random(const struct table *table)
{
    if (table->count == 0) return NULL;
    struct node *node = NULL;
    while (!node)
        node = table->buckets[(uint32_t)random() & table->mask];
    unsigned length = 0;
    for (struct node *n = node; n; n = n->next)
        length++;
    for (unsigned steps = (unsigned)random() % length; steps; steps--)
        node = node->next;
    return node;
}

static uint64_t reverse_bits(uint64_t word)
{
    uint64_t result = 0;
    for (int bit = 0; bit < 64; bit++, word >>= 1)
        result = (result << 1) | (word & 1);
    return result;
}

uint64_t table_scan(const struct table *table, uint64_t cursor,
                    void (*visit)(void *context, struct node *), void *context)
{
    if (!table->buckets) return 0;
    for (struct node *node = table->buckets[cursor & table->mask]; node; node = node->next)
        visit(context, node);
    return reverse_bits(reverse_bits(cursor | ~(uint64_t)table->mask) + 1);
}
