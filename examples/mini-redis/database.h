/* The database: 64 shards, each a table of keys under a lock of its own.
 *
 * A command locks the shards of all its keys before it begins, in the order of their numbers, and
 * unlocks them at its end; so does a whole transaction. So a command is atomic, and two commands
 * never wait for each other in a circle. A lock is one of threads: no command waits while it holds
 * one, and a few hundred nanoseconds are less than the cost of asking an owner task.
 *
 * "In the shard" below: for the holder of that lock. */
#pragma once

#include <edo/edo.h>

#include "list.h"
#include "stream.h"
#include "table.h"
#include "zset.h"

enum { SHARDS = 64 }; // a set of shards fits 64 bits
#define ALL_SHARDS UINT64_MAX

enum type { TYPE_STRING, TYPE_LIST, TYPE_SET, TYPE_HASH, TYPE_ZSET, TYPE_STREAM };

struct field { // of a hash
    struct node node;
    text value;
};

struct entry {
    struct node node;
    uint32_t expiry; // 1 + index in the shard's heap; 0: does not expire
    uint8_t type;
    union {
        text string;
        struct list *list;
        struct table *table; // of struct node or struct field
        struct zset *zset;
        struct stream *stream;
    } value;
};

/* A key that clients watch, whether it exists or not. */
struct watched {
    struct node node;
    uint32_t clients;
    uint64_t changes; // of the key, also additions and removals
};

struct expiry {
    int64_t when; // ms, as wall_ms()
    struct entry *entry;
};

struct shard {
    edo_thread_mutex lock;
    struct table keys;
    struct expiry *heap; // the earliest first
    uint32_t heap_count, heap_capacity;
    struct table watched;
    uint32_t waiting; // blocked clients with a key in the shard, see blocked.h
} __attribute__((aligned(64)));

struct database {
    struct shard shards[SHARDS];
    uint64_t expired; // atomic: number of keys that have expired
    bool is_loading;  // keys do not expire: the log has their removals
};

extern struct database database;

void database_init(void);
void database_deinit(void);

int64_t wall_ms(void); // milliseconds since 1970

/* ---- locks ---- */

static inline unsigned shard_number(uint64_t hash)
{
    return (uint32_t)hash >> 26; // of the part that a node keeps
}
uint64_t shard_bit(struct span key);
void shards_lock(uint64_t set);
void shards_unlock(uint64_t set);

/* ---- keys: in the shard ---- */

/* Finds a key that has not expired at `now`. An expired one is removed, and the log has a DEL. */
struct entry *key_find(struct span key, int64_t now);

/* Adds a key that is not there. */
struct entry *key_add(struct span key, enum type type);
void key_remove(struct entry *entry);
void key_touch(struct entry *entry);                   // notes a change
void key_expire_at(struct entry *entry, int64_t when); // -1: never
int64_t key_expiry(const struct entry *entry);         // ms; -1: never
void key_remove_if_empty(struct entry *entry);         // lists, sets, ...
void key_clear_value(struct entry *entry);
const char *type_name(enum type type);
static inline struct span entry_key(const struct entry *entry)
{
    return (struct span){ (const char *)(entry + 1), entry->node.key_size };
}
static inline struct shard *shard_of(struct span key)
{
    return &database.shards[shard_number(hash_of(key))];
}

/* ---- watched keys: in the shard ---- */

uint64_t key_watch(struct span key); // Returns: number of its changes until now
void key_unwatch(struct span key);
uint64_t key_changes(struct span key); // of a watched key

/* ---- the whole ---- */

/* With all shards locked. */
void database_clear(void);
uint64_t database_count(uint64_t *ret_expiring);

/* Removes keys of a shard that have expired, at most `limit`. Locks it. Returns: when the next one
 * expires; INT64_MAX: none. */
int64_t shard_expire(unsigned number, int64_t now, unsigned limit);
