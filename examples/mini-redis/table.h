/* A hash table of nodes, which the user allocates by table_node_create(): the databases, sets,
 * hashes and sorted sets. Chained, so a node stays in place. Belongs to the holder of a lock. */
#pragma once

#include "text.h"

/* Head of a node; the members of a user follow, then the key. */
struct node {
    struct node *next;
    uint32_t hash;
    uint32_t key_size;
};

struct table {
    struct node **buckets;
    uint32_t count;
    uint32_t mask;        // number of buckets - 1
    uint32_t node_size;   // bytes of the user's struct; the key follows
    uint32_t node_prefix; // unused by the table
};

uint64_t hash_of(struct span key); // seeded at random by the first call
void table_init(struct table *table, uint32_t node_size);

/* Frees nodes by `release`, unless it is NULL: then by free(). */
void table_deinit(struct table *table, void (*release)(struct node *));

struct node *table_node_create(const struct table *table, void *memory, struct span key,
                               uint64_t hash);
static inline struct span table_key(const struct table *table, const struct node *node)
{
    return (struct span){ (const char *)node + table->node_size, node->key_size };
}

struct node *table_find(const struct table *table, struct span key, uint64_t hash);
void table_insert(struct table *table, struct node *node);
void table_remove(struct table *table, struct node *node); // the caller frees it
struct node *table_random(const struct table *table);      // NULL: empty

/* Calls visit for all nodes of at least one bucket. A node that is in the table during a whole
 * scan, from cursor 0 until 0 is returned, is visited at least once, even if the table grows:
 * the cursor counts with reversed bits, as Redis's. */
uint64_t table_scan(const struct table *table, uint64_t cursor,
                    void (*visit)(void *context, struct node *), void *context);

/* Iterates over all nodes; the current node may be removed. */
#define TABLE_EACH(table, node)                                                                    \
    for (uint32_t bucket_ = 0; (table)->buckets && bucket_ <= (table)->mask; bucket_++)            \
        for (struct node *node = (table)->buckets[bucket_], *next_ = NULL;                         \
             node && (next_ = node->next, true); node = next_)
