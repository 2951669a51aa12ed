#include "database.h"

#include <time.h>

#include "aof.h"

struct database database;

int64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void database_init(void)
{
    for (int i = 0; i < SHARDS; i++) {
        table_init(&database.shards[i].keys, sizeof(struct entry));
        table_init(&database.shards[i].watched, sizeof(struct watched));
    }
}

const char *type_name(enum type type)
{
    static const char *const names[] = { "string", "list", "set", "hash", "zset", "stream" };
    return names[type];
}

/* ---- locks ---- */

uint64_t shard_bit(struct span key)
{
    return UINT64_C(1) << shard_number(hash_of(key));
}

void shards_lock(uint64_t set)
{
    for (; set; set &= set - 1)
        edo_thread_mutex_lock(&database.shards[__builtin_ctzll(set)].lock);
}

void shards_unlock(uint64_t set)
{
    for (; set; set &= set - 1)
        edo_thread_mutex_unlock(&database.shards[__builtin_ctzll(set)].lock);
}

/* ---- the heap of expiries ---- */

static void place(struct shard *shard, uint32_t at, struct expiry expiry)
{
    shard->heap[at] = expiry;
    expiry.entry->expiry = at + 1;
}

static void sift(struct shard *shard, uint32_t at, struct expiry expiry)
{
    while (at > 0 && shard->heap[(at - 1) / 2].when > expiry.when) {
        place(shard, at, shard->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= shard->heap_count) break;
        if (child + 1 < shard->heap_count && shard->heap[child + 1].when < shard->heap[child].when)
            child++;
        if (shard->heap[child].when >= expiry.when) break;
        place(shard, at, shard->heap[child]);
        at = child;
    }
    place(shard, at, expiry);
}

static void heap_remove(struct shard *shard, struct entry *entry)
{
    uint32_t at = entry->expiry - 1;
    struct expiry last = shard->heap[--shard->heap_count];
    entry->expiry = 0;
    if (last.entry != entry) sift(shard, at, last);
}

static void heap_insert(struct shard *shard, struct expiry expiry)
{
    if (shard->heap_count == shard->heap_capacity) {
        shard->heap_capacity = shard->heap_capacity ? 2 * shard->heap_capacity : 16;
        shard->heap = must_realloc(shard->heap, shard->heap_capacity * sizeof *shard->heap);
    }
    sift(shard, shard->heap_count++, expiry);
}

static struct shard *shard_of_entry(const struct entry *entry)
{
    return &database.shards[shard_number(entry->node.hash)];
}

void key_expire_at(struct entry *entry, int64_t when)
{
    if (!entry->expiry && when < 0) return;
    struct shard *shard = shard_of_entry(entry);
    if (entry->expiry) heap_remove(shard, entry);
    if (when >= 0) heap_insert(shard, (struct expiry){ when, entry });
}

int64_t key_expiry(const struct entry *entry)
{
    return entry->expiry ? shard_of_entry(entry)->heap[entry->expiry - 1].when : -1;
}

/* ---- keys ---- */

static void table_destroy(struct table *table, bool has_values)
{
    if (has_values) {
        TABLE_EACH(table, node)
        {
            text_deinit(&((struct field *)node)->value);
        }
    }
    table_deinit(table, NULL);
    free(table);
}

void key_clear_value(struct entry *entry)
{
    switch ((enum type)entry->type) {
    case TYPE_STRING: text_deinit(&entry->value.string); break;
    case TYPE_LIST:
        list_deinit(entry->value.list);
        free(entry->value.list);
        break;
    case TYPE_SET: table_destroy(entry->value.table, false); break;
    case TYPE_HASH: table_destroy(entry->value.table, true); break;
    case TYPE_ZSET: zset_destroy(entry->value.zset); break;
    case TYPE_STREAM: stream_destroy(entry->value.stream); break;
    }
}

static void init_value(struct entry *entry)
{
    switch ((enum type)entry->type) {
    case TYPE_STRING: break;
    case TYPE_LIST:
        entry->value.list = must_alloc(sizeof(struct list));
        memset(entry->value.list, 0, sizeof(struct list));
        break;
    case TYPE_SET:
    case TYPE_HASH:
        entry->value.table = must_alloc(sizeof(struct table));
        table_init(entry->value.table, entry->type == TYPE_SET ? (uint32_t)sizeof(struct node)
                                                               : (uint32_t)sizeof(struct field));
        break;
    case TYPE_ZSET: entry->value.zset = zset_create(); break;
    case TYPE_STREAM: entry->value.stream = stream_create(); break;
    }
}

struct entry *key_find(struct span key, int64_t now)
{
    uint64_t hash = hash_of(key);
    struct shard *shard = &database.shards[shard_number(hash)];
    struct entry *entry = (struct entry *)table_find(&shard->keys, key, hash);
    if (!entry || !entry->expiry || database.is_loading) return entry;
    if (shard->heap[entry->expiry - 1].when > now) return entry;
    aof_append_delete(key);
    __atomic_fetch_add(&database.expired, 1, __ATOMIC_RELAXED);
    key_remove(entry);
    return NULL;
}

struct entry *key_add(struct span key, enum type type)
{
    uint64_t hash = hash_of(key);
    struct shard *shard = &database.shards[shard_number(hash)];
    struct entry *entry = (struct entry *)table_node_create(&shard->keys, NULL, key, hash);
    entry->type = (uint8_t)type;
    init_value(entry);
    table_insert(&shard->keys, &entry->node);
    return entry;
}

static void release_entry(struct entry *entry)
{
    key_clear_value(entry);
    free(entry);
}

void key_remove(struct entry *entry)
{
    struct shard *shard = shard_of_entry(entry);
    key_touch(entry);
    if (entry->expiry) heap_remove(shard, entry);
    table_remove(&shard->keys, &entry->node);
    release_entry(entry);
}

/* ---- watched keys ---- */

static struct watched *find_watched(struct shard *shard, struct span key)
{
    return (struct watched *)table_find(&shard->watched, key, hash_of(key));
}

void key_touch(struct entry *entry)
{
    struct shard *shard = shard_of_entry(entry);
    if (!shard->watched.count) return;
    struct watched *watched = find_watched(shard, entry_key(entry));
    if (watched) watched->changes++;
}

uint64_t key_watch(struct span key)
{
    struct shard *shard = shard_of(key);
    struct watched *watched = find_watched(shard, key);
    if (!watched) {
        watched = (struct watched *)table_node_create(&shard->watched, NULL, key, hash_of(key));
        table_insert(&shard->watched, &watched->node);
    }
    watched->clients++;
    return watched->changes;
}

void key_unwatch(struct span key)
{
    struct shard *shard = shard_of(key);
    struct watched *watched = find_watched(shard, key);
    if (--watched->clients) return;
    table_remove(&shard->watched, &watched->node);
    free(watched);
}

uint64_t key_changes(struct span key)
{
    return find_watched(shard_of(key), key)->changes;
}

/* ---- values ---- */

static size_t value_count(const struct entry *entry)
{
    switch ((enum type)entry->type) {
    case TYPE_LIST: return entry->value.list->count;
    case TYPE_SET:
    case TYPE_HASH: return entry->value.table->count;
    case TYPE_ZSET: return entry->value.zset->members.count;
    case TYPE_STRING:
    case TYPE_STREAM: break; // may be empty
    }
    return 1;
}

void key_remove_if_empty(struct entry *entry)
{
    if (value_count(entry) == 0) key_remove(entry);
}

/* ---- the whole ---- */

static void release_node(struct node *node)
{
    release_entry((struct entry *)node);
}

void database_clear(void)
{
    for (int i = 0; i < SHARDS; i++) {
        struct shard *shard = &database.shards[i];
        TABLE_EACH(&shard->watched, node)
        {
            struct span key = table_key(&shard->watched, node);
            ((struct watched *)node)->changes += table_find(&shard->keys, key, hash_of(key)) !=
                                                 NULL;
        }
        table_deinit(&shard->keys, release_node);
        shard->heap_count = 0;
    }
}

void database_deinit(void)
{
    database_clear();
    for (int i = 0; i < SHARDS; i++)
        free(database.shards[i].heap);
}

uint64_t database_count(uint64_t *ret_expiring)
{
    uint64_t count = 0, expiring = 0;
    for (int i = 0; i < SHARDS; i++) {
        struct shard *shard = &database.shards[i];
        count += shard->keys.count;
        expiring += shard->heap_count;
    }
    if (ret_expiring) *ret_expiring = expiring;
    return count;
}

int64_t shard_expire(unsigned number, int64_t now, unsigned limit)
{
    struct shard *shard = &database.shards[number];
    edo_thread_mutex_lock(&shard->lock);
    for (; limit && shard->heap_count && shard->heap[0].when <= now; limit--)
        (void)key_find(entry_key(shard->heap[0].entry), now);
    int64_t next = shard->heap_count ? shard->heap[0].when : INT64_MAX;
    edo_thread_mutex_unlock(&shard->lock);
    return next;
}
