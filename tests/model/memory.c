/* Weak memory: the knowledge of each thread, and the stores that a load may read.
 *
 * Each location has a modification order. A load may read any store that is not older than the
 * thread's view of the location. Release and acquire pass knowledge on, through the store that was
 * read. Knowledge has a clock, which finds races of plain memory, and a view, which keeps
 * coherence. The seq_cst order is the order of execution: its accesses and fences share a view.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/engine.h"

typedef struct block {
    char *memory;
    size_t size;
    bool freed, is_static;
    uint16_t clock[MODEL_THREADS]; // of the allocation
} block;

typedef struct plain {
    const char *address;
    size_t size;
    int writer;
    uint16_t written; // the writer's clock
    uint16_t read[MODEL_THREADS];
    model_place where_written, where_read[MODEL_THREADS];
} plain;

static _Alignas(4096) char arena[ARENA_SIZE];
static size_t arena_used;
static block blocks[MAX_BLOCKS];
static int block_count;
static int buckets[MAX_BUCKETS]; // the first location of each, or NO_STORE
static plain plains[MAX_PLAIN];
static int plain_count;

/* ---- knowledge ---- */

static bool is_later(int a, int b)
{
    if (a == NO_STORE || b == NO_STORE) return b == NO_STORE && a != NO_STORE;
    return model_run.stores[a].rank > model_run.stores[b].rank;
}

static void join_view(int16_t *to, const int16_t *from)
{
    for (int i = 0; i < model_run.location_count; i++)
        if (is_later(from[i], to[i])) to[i] = from[i];
}

void knowledge_join(knowledge *to, const knowledge *from)
{
    for (int i = 0; i < MODEL_THREADS; i++)
        if (from->clock[i] > to->clock[i]) to->clock[i] = from->clock[i];
    join_view(to->view, from->view);
}

static void knowledge_clear(knowledge *k)
{
    memset(k->clock, 0, sizeof k->clock);
    memset(k->view, 0xff, sizeof k->view);
}

static bool knows(const knowledge *k, int number, uint16_t clock)
{
    return k->clock[number] >= clock;
}

static void tick(void)
{
    thread_now()->now.clock[model_run.current]++;
}

void memory_start_thread(int parent, int child)
{
    thread *p = &model_run.threads[parent], *c = &model_run.threads[child];
    knowledge_clear(&c->now);
    knowledge_clear(&c->acquired);
    knowledge_clear(&c->released);
    if (parent == child) return;
    p->now.clock[parent]++;
    c->now = p->now;
    memcpy(c->order_clock, p->order_clock, sizeof c->order_clock);
}

void memory_reset(void)
{
    arena_used = 0;
    block_count = plain_count = 0;
    memset(buckets, 0xff, sizeof buckets);
    memset(model_run.sequential, 0xff, sizeof model_run.sequential);
}

/* ---- blocks ---- */

void *model_alloc_aligned(size_t size, size_t align)
{
    arena_used = (arena_used + align - 1) / align * align;
    if (block_count == MAX_BLOCKS || arena_used + size > ARENA_SIZE)
        model_fail("a model may use %d bytes in %d blocks", ARENA_SIZE, MAX_BLOCKS);
    block *b = &blocks[block_count++];
    *b = (block){ .memory = arena + arena_used, .size = size };
    memcpy(b->clock, thread_now()->now.clock, sizeof b->clock);
    arena_used += size; // never given out twice in an execution
    memset(b->memory, 0xa5, size);
    return b->memory;
}

void *model_alloc(size_t size)
{
    return model_alloc_aligned(size, _Alignof(max_align_t));
}

void *model_alloc_static(size_t size)
{
    void *memory = model_alloc(size);
    blocks[block_count - 1].is_static = true;
    return memory;
}

static block *block_of(const void *address)
{
    const char *a = address;
    for (int i = 0; i < block_count; i++)
        if (a >= blocks[i].memory && a < blocks[i].memory + blocks[i].size) return &blocks[i];
    return NULL;
}

/* Checks an access: the block is alive, and its allocation happens before. */
static void check_block(const void *address, model_place place)
{
    const block *b = block_of(address);
    if (!b) return;
    if (b->freed) model_fail("use after free (%s:%d)", place.file, place.line);
    for (int i = 0; i < MODEL_THREADS; i++)
        if (!knows(&thread_now()->now, i, b->clock[i]))
            model_fail("data race: use of memory whose making does not happen before (%s:%d)",
                       place.file, place.line);
}

static bool overlaps(const char *a, size_t a_size, const char *b, size_t b_size)
{
    return a < b + b_size && b < a + a_size;
}

/* Reports accesses that do not happen before the free: they might come after it. */
static void check_free(const block *b)
{
    const knowledge *now = &thread_now()->now;
    for (int i = 0; i < model_run.location_count; i++) {
        const location *l = &model_run.locations[i];
        if (!overlaps(l->address, l->size, b->memory, b->size)) continue;
        for (int t = 0; t < MODEL_THREADS; t++)
            if (!knows(now, t, l->touched[t]))
                model_fail("use after free: an access of thread %d does not happen before the free",
                           t);
    }
    for (int i = 0; i < plain_count; i++) {
        const plain *p = &plains[i];
        if (!overlaps(p->address, p->size, b->memory, b->size)) continue;
        for (int t = 0; t < MODEL_THREADS; t++)
            if (!knows(now, t, p->read[t]) || (p->writer == t && !knows(now, t, p->written)))
                model_fail(
                    "use after free: a plain access of thread %d does not happen before the free",
                    t);
    }
}

void model_free(void *memory)
{
    if (!memory) return;
    block *b = block_of(memory);
    if (!b || b->memory != memory) model_fail("free of what was not allocated");
    if (b->freed) model_fail("double free");
    check_free(b);
    b->freed = true;
}

void memory_end_execution(void)
{
    for (int i = 0; i < block_count; i++)
        if (!blocks[i].freed && !blocks[i].is_static)
            model_fail("leak: block %d of %zu bytes", i, blocks[i].size);
}

/* ---- locations ---- */

/* The low bytes of a value are its last ones where the byte order is big-endian. */
static char *low_bytes(uint64_t *value, size_t size)
{
    size_t before = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? sizeof *value - size : 0;
    return (char *)value + before;
}

static uint64_t peek(const void *address, size_t size)
{
    uint64_t value = 0;
    memcpy(low_bytes(&value, size), address, size);
    return value;
}

static void poke(const location *l, uint64_t value)
{
    memcpy(l->address, low_bytes(&value, l->size), l->size);
}

static int new_store(int at, uint64_t value)
{
    if (model_run.store_count == MAX_STORES) model_fail("more than %d stores", MAX_STORES);
    int number = model_run.store_count++;
    store *s = &model_run.stores[number];
    s->location = at;
    s->value = value;
    s->next = NO_STORE;
    s->rank = 0;
    s->modifies = false;
    s->thread = -1;
    s->step = model_run.step_count - 1;
    knowledge_clear(&s->released);
    return number;
}

static int *bucket_of(const void *address)
{
    uint64_t hash = (uint64_t)(uintptr_t)address / sizeof(uint32_t) * UINT64_C(0x9e3779b97f4a7c15);
    return &buckets[hash >> 32 & (MAX_BUCKETS - 1)];
}

static int find_location(const void *address)
{
    int number = *bucket_of(address);
    while (number != NO_STORE && model_run.locations[number].address != (const char *)address)
        number = model_run.locations[number].next_in_bucket;
    return number;
}

int memory_location(const void *address, size_t size)
{
    int found = find_location(address);
    if (found != NO_STORE) return found;
    if (model_run.location_count == MAX_LOCATIONS)
        model_fail("more than %d locations", MAX_LOCATIONS);
    int number = model_run.location_count++;
    location *l = &model_run.locations[number];
    memset(l, 0, offsetof(location, handed));
    l->next_in_bucket = *bucket_of(address);
    *bucket_of(address) = number;
    l->last_step = -1;
    l->holder = -1;
    knowledge_clear(&l->handed);
    l->address = (char *)(uintptr_t)address;
    l->size = size;
    l->initial = peek(address, size);
    l->outside = !block_of(address);
    l->first = l->last = new_store(number, l->initial);
    return number;
}

void memory_restore(void)
{
    for (int i = 0; i < model_run.location_count; i++) {
        location *l = &model_run.locations[i];
        if (l->outside) poke(l, l->initial);
    }
}

/* Plain code may initialise an atomic before threads share it; later, plain writes are reported. */
static location *enter(const step *made)
{
    location *l = &model_run.locations[made->location];
    check_block(l->address, made->place);
    if (peek(l->address, l->size) != model_run.stores[l->last].value)
        model_fail("an atomic was written as plain memory (seen at %s:%d)", made->place.file,
                   made->place.line);
    tick();
    l->touched[model_run.current] = thread_now()->now.clock[model_run.current];
    return l;
}

/* ---- the stores that may be read, and the place of a new store ---- */

static int floor_of(int at, bool sequential)
{
    const location *l = &model_run.locations[at];
    int floor = thread_now()->now.view[at];
    if (sequential && is_later(model_run.sequential[at], floor)) floor = model_run.sequential[at];
    return floor == NO_STORE ? l->first : floor;
}

static int choose_source(int at, bool sequential)
{
    int floor = floor_of(at, sequential), count = 0;
    for (int s = floor; s != NO_STORE; s = model_run.stores[s].next)
        count++;
    unsigned back = explore_value((unsigned)count); // 0: the last one
    int source = floor;
    for (int i = count - 1 - (int)back; i > 0; i--)
        source = model_run.stores[source].next;
    return source;
}

static void renumber(location *l)
{
    int rank = 0;
    for (int s = l->first; s != NO_STORE; s = model_run.stores[s].next)
        model_run.stores[s].rank = rank++;
}

static bool may_follow(int s)
{
    int next = model_run.stores[s].next;
    return next == NO_STORE || !model_run.stores[next].modifies;
}

/* Chooses the predecessor of a new store: the last, or an earlier one if the thread knows no later
 * store. */
static int choose_predecessor(int at, bool sequential)
{
    location *l = &model_run.locations[at];
    int places[MAX_STORES], count = 0;
    if (model_options_now.appends_only) return l->last;
    for (int s = floor_of(at, sequential); s != NO_STORE; s = model_run.stores[s].next)
        if (may_follow(s)) places[count++] = s;
    return places[count - 1 - (int)explore_value((unsigned)count)];
}

static void insert_after(location *l, int predecessor, int number)
{
    store *s = &model_run.stores[number], *p = &model_run.stores[predecessor];
    s->next = p->next;
    p->next = number;
    if (l->last == predecessor) l->last = number;
    renumber(l);
    poke(l, model_run.stores[l->last].value);
}

/* ---- passing knowledge on ---- */

static void acquire_from(const knowledge *released, model_order order)
{
    thread *t = thread_now();
    knowledge_join(order & MODEL_ACQUIRE ? &t->now : &t->acquired, released);
}

static void see(int at, int number)
{
    thread *t = thread_now();
    if (is_later(number, t->now.view[at])) t->now.view[at] = (int16_t)number;
}

static int make_store(int at, int predecessor, uint64_t value, model_order order)
{
    location *l = &model_run.locations[at];
    thread *t = thread_now();
    int number = new_store(at, value);
    store *s = &model_run.stores[number];
    s->thread = model_run.current;
    insert_after(l, predecessor, number);
    see(at, number);
    s->released = order & MODEL_RELEASE ? t->now : t->released;
    if (is_later(number, s->released.view[at])) s->released.view[at] = (int16_t)number;
    if (order == MODEL_SEQ_CST && is_later(number, model_run.sequential[at]))
        model_run.sequential[at] = (int16_t)number;
    model_run.progress++;
    return number;
}

/* ---- steps ---- */

static step step_on(step_kind kind, const void *address, size_t size, bool writes,
                    model_order order, model_place place)
{
    return (step){ .kind = kind,
                   .location = memory_location(address, size),
                   .writes = writes,
                   .sequential = order == MODEL_SEQ_CST,
                   .order = order,
                   .address = address,
                   .place = place };
}

uint64_t model_load(const void *address, size_t size, model_order order, model_place place)
{
    step s = step_on(STEP_LOAD, address, size, false, order, place);
    engine_step(s);
    enter(&s);
    int source = choose_source(s.location, order == MODEL_SEQ_CST);
    see(s.location, source);
    acquire_from(&model_run.stores[source].released, order);
    uint64_t value = model_run.stores[source].value;
    engine_note(value, 0, source, false);
    return value;
}

void model_store(void *address, size_t size, uint64_t value, model_order order, model_place place)
{
    step s = step_on(STEP_STORE, address, size, true, order, place);
    engine_step(s);
    enter(&s);
    make_store(s.location, choose_predecessor(s.location, order == MODEL_SEQ_CST), value, order);
    engine_note(value, 0, NO_STORE, false);
}

void model_own(const void *address, model_place place)
{
    check_block(address, place);
    int at = find_location(address);
    if (at == NO_STORE) return;
    const location *l = &model_run.locations[at];
    if (l->first != l->last && thread_now()->now.view[at] != l->last)
        model_fail("another thread has written to its owner's word (read at %s:%d)", place.file,
                   place.line);
}

static uint64_t apply(model_rmw rmw, uint64_t a, uint64_t b)
{
    switch (rmw) {
    case MODEL_SWAP: return b;
    case MODEL_ADD: return a + b;
    case MODEL_SUB: return a - b;
    case MODEL_OR: return a | b;
    case MODEL_AND: return a & b;
    case MODEL_XOR: return a ^ b;
    }
    return a;
}

static uint64_t truncate_to(uint64_t value, size_t size)
{
    return size == sizeof value ? value : value & (((uint64_t)1 << size * 8) - 1);
}

/* Reads the last store in modification order, and becomes the next one; continues its release
 * sequence. */
static void modify(int at, int source, uint64_t value, model_order order)
{
    acquire_from(&model_run.stores[source].released, order);
    int number = make_store(at, source, value, order);
    model_run.stores[number].modifies = true;
    knowledge_join(&model_run.stores[number].released, &model_run.stores[source].released);
}

uint64_t model_modify(void *address, size_t size, model_rmw rmw, uint64_t operand,
                      model_order order, model_place place)
{
    step s = step_on(STEP_MODIFY, address, size, true, order, place);
    engine_step(s);
    location *l = enter(&s);
    int source = l->last;
    uint64_t old = model_run.stores[source].value;
    uint64_t value = truncate_to(apply(rmw, old, operand), size);
    modify(s.location, source, value, order);
    engine_note(value, old, source, false);
    return old;
}

/* A failure reads the last store too: failing on an old value would only repeat the caller's
 * loop. */
bool model_cas(void *address, size_t size, uint64_t *expected, uint64_t value, model_order success,
               model_order failure, model_place place)
{
    step s = step_on(STEP_CAS, address, size, true, success, place);
    engine_step(s);
    location *l = enter(&s);
    int source = l->last;
    uint64_t old = model_run.stores[source].value;
    bool done = old == truncate_to(*expected, size);
    if (done) {
        modify(s.location, source, truncate_to(value, size), success);
    } else {
        see(s.location, source);
        acquire_from(&model_run.stores[source].released, failure);
        *expected = old;
    }
    engine_note(value, old, source, !done);
    return done;
}

void model_fence(model_order order, model_place place)
{
    bool sequential = order == MODEL_SEQ_CST;
    step s = { .kind = STEP_FENCE,
               .location = NO_STORE,
               .fences = sequential,
               .writes = true,
               .order = order,
               .place = place };
    if (sequential) engine_step(s); // other fences concern only this thread
    thread *t = thread_now();
    tick();
    if (order & MODEL_ACQUIRE) knowledge_join(&t->now, &t->acquired);
    if (sequential) {
        join_view(t->now.view, model_run.sequential);
        join_view(model_run.sequential, t->now.view);
    }
    if (order & MODEL_RELEASE) t->released = t->now;
}

/* ---- plain memory ---- */

static plain *plain_at(const void *address, size_t size)
{
    for (int i = 0; i < plain_count; i++)
        if (plains[i].address == address && plains[i].size == size) return &plains[i];
    if (plain_count == MAX_PLAIN) model_fail("more than %d plain places", MAX_PLAIN);
    plain *p = &plains[plain_count++];
    *p = (plain){ .address = address, .size = size, .writer = -1 };
    return p;
}

static void race(const char *what, model_place a, int other, model_place b)
{
    model_fail("data race: %s at %s:%d against thread %d at %s:%d", what, a.file, a.line, other,
               b.file, b.line);
}

/* Checks an access against accesses of other threads to the same bytes that do not happen
 * before. */
static void check_races(const plain *p, bool write, model_place place)
{
    const knowledge *now = &thread_now()->now;
    if (p->writer >= 0 && !knows(now, p->writer, p->written))
        race(write ? "write" : "read", place, p->writer, p->where_written);
    for (int t = 0; write && t < MODEL_THREADS; t++)
        if (!knows(now, t, p->read[t])) race("write", place, t, p->where_read[t]);
}

void model_plain(const void *address, size_t size, bool write, model_place place)
{
    check_block(address, place);
    int self = model_run.current;
    plain *mine = plain_at(address, size);
    for (int i = 0; i < plain_count; i++)
        if (overlaps(plains[i].address, plains[i].size, address, size))
            check_races(&plains[i], write, place);
    tick();
    if (write) {
        mine->writer = self;
        mine->written = thread_now()->now.clock[self];
        mine->where_written = place;
    } else {
        mine->read[self] = thread_now()->now.clock[self];
        mine->where_read[self] = place;
    }
}

/* ---- blocking ---- */

bool memory_is_enabled(int number)
{
    const thread *t = &model_run.threads[number];
    if (t->waits_for_progress && t->waits_for_progress == model_run.progress) return false;
    switch (t->next.kind) {
    case STEP_LOCK: return model_run.locations[t->next.location].holder < 0;
    case STEP_WAIT: return *(const uint32_t *)t->next.address > 0;
    case STEP_JOIN: return model_run.threads[t->next.thread].state == THREAD_ENDED;
    case STEP_FUTEX_WAIT: return !t->sleeps_on_futex || t->woken;
    default: return true;
    }
}

static location *object_step(step_kind kind, uint32_t *word, model_place place)
{
    step s = step_on(kind, word, sizeof *word, true, MODEL_ACQ_REL, place);
    engine_step(s);
    check_block(word, place);
    tick();
    location *l = &model_run.locations[s.location];
    l->touched[model_run.current] = thread_now()->now.clock[model_run.current];
    engine_note(0, 0, NO_STORE, false);
    return l;
}

void model_lock(uint32_t *lock, model_place place)
{
    location *l = object_step(STEP_LOCK, lock, place);
    l->holder = model_run.current;
    knowledge_join(&thread_now()->now, &l->handed);
}

bool model_lock_try(uint32_t *lock, model_place place)
{
    location *l = object_step(STEP_TRY_LOCK, lock, place);
    if (l->holder >= 0) return false;
    l->holder = model_run.current;
    knowledge_join(&thread_now()->now, &l->handed);
    return true;
}

void model_unlock(uint32_t *lock, model_place place)
{
    location *l = object_step(STEP_UNLOCK, lock, place);
    if (l->holder != model_run.current)
        model_fail("unlock by a thread that does not hold the lock");
    l->holder = -1;
    l->handed = thread_now()->now;
    model_run.progress++;
}

void model_post(model_event *event)
{
    location *l = object_step(STEP_POST, &event->count, MODEL_HERE);
    knowledge_join(&l->handed, &thread_now()->now);
    event->count++;
    model_run.stores[l->last].value = event->count;
    model_run.progress++;
}

void model_wait(model_event *event)
{
    location *l = object_step(STEP_WAIT, &event->count, MODEL_HERE);
    knowledge_join(&thread_now()->now, &l->handed);
    event->count--;
    model_run.stores[l->last].value = event->count;
}

bool model_wait_until(model_event *event, int64_t deadline)
{
    thread_now()->deadline = deadline;
    location *l = object_step(STEP_WAIT, &event->count, MODEL_HERE);
    thread_now()->deadline = INT64_MAX;
    if (!event->count) return false;
    knowledge_join(&thread_now()->now, &l->handed);
    event->count--;
    model_run.stores[l->last].value = event->count;
    return true;
}

bool model_try_wait(model_event *event)
{
    location *l = object_step(STEP_POST, &event->count, MODEL_HERE);
    if (!event->count) return false;
    knowledge_join(&thread_now()->now, &l->handed);
    event->count--;
    model_run.stores[l->last].value = event->count;
    return true;
}

void model_join(int number)
{
    step s = { .kind = STEP_JOIN, .location = NO_STORE, .thread = number, .place = MODEL_HERE };
    engine_step(s);
    knowledge_join(&thread_now()->now, &model_run.threads[number].now);
    tick();
}

void model_futex_wait(uint32_t *word, uint32_t value, model_place place)
{
    model_futex_wait_until(word, value, INT64_MAX, place);
}

/* The comparison and the sleep are one step, the wake is another. A wake without a sleeper is
 * lost. */
bool model_futex_wait_until(uint32_t *word, uint32_t value, int64_t deadline, model_place place)
{
    location *l = object_step(STEP_FUTEX_WAIT, word, place);
    if (model_run.stores[l->last].value != value) {
        see(find_location(word), l->last); // the comparison was a load of this thread
        return true;
    }
    thread *t = thread_now();
    t->sleeps_on_futex = true;
    t->deadline = deadline;
    object_step(STEP_FUTEX_WAIT, word, place);
    bool woken = t->woken;
    t->deadline = INT64_MAX;
    t->sleeps_on_futex = t->woken = false;
    return woken;
}

bool model_futex_wake(uint32_t *word, model_place place)
{
    object_step(STEP_FUTEX_WAKE, word, place);
    int sleepers[MODEL_THREADS], count = 0;
    for (int i = 0; i < model_run.thread_count; i++) {
        thread *t = &model_run.threads[i];
        if (t->sleeps_on_futex && !t->woken && t->next.address == word) sleepers[count++] = i;
    }
    if (count) model_run.threads[sleepers[explore_value((unsigned)count)]].woken = true;
    return count > 0;
}

bool model_futex_wake_all(uint32_t *word, model_place place)
{
    bool any = false;
    object_step(STEP_FUTEX_WAKE, word, place);
    for (int i = 0; i < model_run.thread_count; i++) {
        thread *t = &model_run.threads[i];
        if (!t->sleeps_on_futex || t->woken || t->next.address != word) continue;
        t->woken = any = true;
    }
    return any;
}

/* Stores become visible eventually: after a yield a thread reads the newest stores. If these are
 * not new to it, it does not run before another thread has made progress. */
void model_yield(model_place place)
{
    (void)place;
    thread *t = thread_now();
    bool news = false;
    for (int i = 0; i < model_run.location_count; i++) {
        int last = model_run.locations[i].last;
        if (t->now.view[i] == NO_STORE || !is_later(last, t->now.view[i])) continue;
        t->now.view[i] = (int16_t)last;
        news = true;
    }
    t->waits_for_progress = news ? 0 : model_run.progress;
}
