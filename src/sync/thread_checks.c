/* Records the holders of locks for plain threads, and finds circles of threads that wait for each
 * other.
 *
 * Each thread that takes a lock has a record, which lists the thread's holds and its wait. All
 * records are in one list. A thread writes `held` only in its own record, and without a lock. So
 * the checks do not slow down threads that share no lock. The checks also add no order between
 * accesses of the program. An added order would hide races from a race detector. `all.lock` guards
 * the other members and the list. A thread takes `all.lock` when it is about to wait.
 *
 * Each circle is found. A thread that is about to wait records its wait, and searches, under
 * all.lock. One thread of a circle is the last to record its wait. All other threads of the circle
 * have recorded their waits before, and each noted its holds before its wait. all.lock orders these
 * records before the search of the last thread.
 *
 * A reported circle is real. A hold is noted after its lock is taken, and removed before that lock
 * is released. A wait is removed under all.lock after the awaited lock was taken, and before that
 * lock is released. Suppose that the searcher sees A wait for a lock of B, B wait for a lock of C,
 * and so on. The last thread of this chain waits for a lock of the searcher. If a thread really
 * waits, everything that the searcher sees of the thread is true, because the thread does nothing.
 * Suppose that one of the threads, for example A, does not wait any more. Then A has taken the
 * awaited lock. So B has released that lock, and does not wait either. The same holds for each
 * later thread of the chain, up to the last. The last thread has then taken the lock of the
 * searcher, removed its wait, and released the lock. The searcher took that lock later, so the
 * searcher cannot have seen the wait. This is a contradiction. So all these threads wait.
 *
 * Limits. A wait with a time limit ends by itself, so it is part of no circle. A waiting reader is
 * blocked by a writer that holds the lock or waits for it. A reader that holds the lock blocks
 * another reader only if a writer waits.
 *
 * Holds beyond MAX_HELD, and holds of a thread without memory for its record, are only counted. An
 * unlock that finds no recorded hold counts as the end of one of these holds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/list.h"
#include "base/lock.h"
#include "sync/thread_lock.h"
#include "task/cx.h"

enum { MAX_HELD = 32, NAME_SIZE = 16, TEXT_SIZE = 256 };

typedef struct record record;

struct record {
    edo__node link;      // link in all.records
    uint32_t generation; // fork generation of the list that has this record
    edo_atomic(uint32_t) held_count;
    struct {
        edo_atomic(const void *) lock;
        edo_atomic(const edo_thread_place *) place;
        edo_atomic(edo__thread_lock_kind) kind;
    } held[MAX_HELD];
    edo__thread_hold wait; // wait.lock NULL: the thread does not wait
    record *waiter, *next; // state of a search: thread that waits for this one; next in the queue
    bool is_found;
    char name[NAME_SIZE];
    uint32_t id;
};

static struct {
    edo__lock lock;
    uint32_t generation; // fork generation; records of another generation are not listed
    edo__node records;
} all;

static _Thread_local record *own __attribute__((tls_model("initial-exec")));
static edo_atomic(uint32_t) record_key; // key + 1; 0: there is no key yet

uint32_t edo__thread_checks = EDO__CHECKS_UNDECIDED;

bool edo__thread_decide_checks(void)
{
    const char *wish = getenv("EDO_LOCK_TRACE");
    bool on = wish && *wish ? strcmp(wish, "0") != 0 : EDO_DEBUG;
    uint32_t undecided = EDO__CHECKS_UNDECIDED;
    edo_cas_relaxed(&edo__thread_checks, &undecided, on ? EDO__CHECKS_ON : EDO__CHECKS_OFF);
    return edo_load_relaxed(&edo__thread_checks) == EDO__CHECKS_ON;
}

/* ---- records ---- */

static edo__thread_hold hold_at(const record *r, uint32_t i)
{
    return (edo__thread_hold){ edo_load_relaxed(&r->held[i].lock),
                               edo_load_relaxed(&r->held[i].place),
                               edo_load_relaxed(&r->held[i].kind) };
}

static void set_hold(record *r, uint32_t i, const edo__thread_hold *hold)
{
    edo_store_relaxed(&r->held[i].lock, hold->lock);
    edo_store_relaxed(&r->held[i].place, hold->place);
    edo_store_relaxed(&r->held[i].kind, hold->kind);
}

/* Takes the lock. In the child of a fork, the first call empties the list, because the other
 * threads do not exist there, and the fork may have copied the list during a change. */
static void lock_all(void)
{
    edo__lock_take(&all.lock);
    uint32_t generation = edo__sys_fork_generation();
    if (!all.records.next || all.generation != generation) edo__list_init(&all.records);
    all.generation = generation;
}

/* Whether the record is in the list of this process. Called under the lock. */
static bool is_listed(const record *r)
{
    return r->link.next && r->generation == all.generation;
}

/* Adds a record to the list, under the lock. */
static void list(record *r)
{
    if (is_listed(r)) return;
    r->generation = all.generation;
    edo__list_push(&all.records, &r->link);
}

static const char *name_of(edo__thread_lock_kind kind)
{
    return kind == EDO__THREAD_MUTEX ? "mutex" : kind == EDO__THREAD_ONCE ? "once" : "rwlock";
}

static _Noreturn void end_with_hold(const edo__thread_hold *hold)
{
    edo__misuse(hold->place->call, "a thread ends while it holds the %s that it locked at %s:%u",
                name_of(hold->kind), hold->place->file, hold->place->line);
}

static void delete_record(void *record_of_thread)
{
    record *r = record_of_thread;
    edo__thread_hold first = hold_at(r, 0);
    if (edo_load_relaxed(&r->held_count)) end_with_hold(&first);
    lock_all();
    if (is_listed(r)) edo__list_remove(&r->link);
    edo__lock_give(&all.lock);
    own = NULL;
    free(r);
}

static int make_key(void)
{
    uint32_t key, none = 0;
    if (edo_load_relaxed(&record_key)) return 0;
    int rc = edo__sys_key_create(&key, delete_record);
    if (rc == 0 && !edo_cas_relaxed(&record_key, &none, key + 1)) edo__sys_key_destroy(key);
    return rc;
}

/* Finds or makes the record of this thread, in memory that the program's allocator does not count.
 * Returns: NULL: no memory. */
static record *own_record(void)
{
    if (own || make_key() < 0) return own;
    record *r = edo__sys_alloc(sizeof *r, _Alignof(record));
    if (!r) return NULL;
    memset(r, 0, sizeof *r);
    if (edo__sys_key_set(edo_load_relaxed(&record_key) - 1, r) < 0) {
        free(r);
        return NULL;
    }
    lock_all();
    list(r);
    edo__lock_give(&all.lock);
    return own = r;
}

/* ---- holds ---- */

static uint32_t find(const record *r, const void *lock)
{
    uint32_t count = r ? edo_load_relaxed(&r->held_count) : 0, i = 0;
    while (i < count && hold_at(r, i).lock != lock)
        i++;
    return i < count ? i : MAX_HELD;
}

void edo__thread_check_lock(const edo__thread_hold *hold)
{
    uint32_t i = find(own, hold->lock);
    if (i == MAX_HELD) return;
    edo__thread_hold held = hold_at(own, i);
    edo__misuse(hold->place->call, "recursive, at %s:%u: this thread has locked the %s at %s:%u",
                hold->place->file, hold->place->line, name_of(held.kind), held.place->file,
                held.place->line);
}

/* Aborts after a poll that has kept a lock. */
static _Noreturn void end_with_kept(void)
{
    const record *r = own;
    uint32_t count = r ? edo_load_relaxed(&r->held_count) : 0;
    if (!count) edo__misuse("edo_thread_mutex_lock", "a poll ended while its thread held a lock");
    edo__thread_hold last = hold_at(r, count - 1);
    edo__misuse(
        last.place->call,
        "a poll ended while its thread held the %s that it had locked at %s:%u: use a lock for "
        "tasks across awaits",
        name_of(last.kind), last.place->file, last.place->line);
}

void edo__thread_note_locked(const edo__thread_hold *hold)
{
    record *r = own_record();
    uint32_t count = r ? edo_load_relaxed(&r->held_count) : MAX_HELD;
    edo_store_relaxed(&edo__at_kept_lock, end_with_kept);
    edo__thread_locks_held++;
    if (count == MAX_HELD) return;
    set_hold(r, count, hold);
    edo_store_relaxed(&r->held_count, count + 1);
}

/* Describes in `text` the place at which another thread has locked the lock. */
static void describe_holder(const void *lock, char *text, size_t size)
{
    snprintf(text, size, "no thread holds it");
    lock_all();
    edo__list_each(&all.records, node) {
        const record *r = edo__container(node, record, link);
        uint32_t i = find(r, lock);
        if (i == MAX_HELD) continue;
        edo__thread_hold held = hold_at(r, i);
        snprintf(text, size, "another thread has locked it at %s:%u", held.place->file,
                 held.place->line);
        break;
    }
    edo__lock_give(&all.lock);
}

static _Noreturn void unlock_of_another(const void *lock, const edo_thread_place *place)
{
    char holder[TEXT_SIZE];
    describe_holder(lock, holder, sizeof holder);
    edo__misuse(place->call, "at %s:%u: this thread does not hold the lock: %s", place->file,
                place->line, holder);
}

/* Whether this thread has holds that are only counted. One of these holds may be that of a lock
 * without a record. */
static bool has_counted(const record *r)
{
    return edo__thread_locks_held > (r ? edo_load_relaxed(&r->held_count) : 0);
}

void edo__thread_note_unlock(const void *lock, const edo_thread_place *place)
{
    if (!edo__thread_are_checked()) return;
    record *r = own;
    uint32_t i = find(r, lock);
    if (i == MAX_HELD && !has_counted(r)) unlock_of_another(lock, place);
    edo__thread_locks_held--;
    if (i == MAX_HELD) return;
    edo__thread_hold last = hold_at(r, edo_load_relaxed(&r->held_count) - 1);
    edo_store_relaxed(&r->held_count, edo_load_relaxed(&r->held_count) - 1);
    set_hold(r, i, &last);
}

/* ---- circles ---- */

/* Whether a thread waits to write-lock `lock`. Called under the lock. */
static bool writer_waits(const void *lock)
{
    edo__list_each(&all.records, node) {
        const record *r = edo__container(node, record, link);
        if (r->wait.lock == lock && r->wait.kind == EDO__THREAD_WRITE) return true;
    }
    return false;
}

static bool is_in_the_way(const record *holder, const edo__thread_hold *wait)
{
    uint32_t i = find(holder, wait->lock);
    if (i == MAX_HELD) return false;
    bool both_read = wait->kind == EDO__THREAD_READ && hold_at(holder, i).kind == EDO__THREAD_READ;
    return !both_read || writer_waits(wait->lock);
}

/* Searches for a circle, breadth first. Called under the lock. Returns: whether this thread is part
 * of a circle. If so, the `waiter` links lead from this thread around the circle. */
static bool find_circle(record *self)
{
    edo__list_each(&all.records, node)
        edo__container(node, record, link)->is_found = false;
    record *last = self;
    self->next = NULL;
    for (record *waiter = self; waiter; waiter = waiter->next) {
        edo__list_each(&all.records, node) {
            record *r = edo__container(node, record, link);
            if (r->is_found || !r->wait.lock || !is_in_the_way(r, &waiter->wait)) continue;
            r->is_found = true;
            r->waiter = waiter;
            if (r == self) return true;
            r->next = NULL;
            last = last->next = r;
        }
    }
    return false;
}

static void print_wait(const record *waiter, const record *holder)
{
    const edo__thread_hold *wait = &waiter->wait;
    edo__thread_hold held = hold_at(holder, find(holder, wait->lock));
    edo__print_patiently(
        "edo: thread '%s' (%u) waits at %s:%u for the %s that thread '%s' (%u) has "
        "locked at %s:%u\n",
        waiter->name, waiter->id, wait->place->file, wait->place->line, name_of(wait->kind),
        holder->name, holder->id, held.place->file, held.place->line);
}

static _Noreturn void report_circle(const record *self)
{
    unsigned threads = 0;
    const record *holder = self;
    do {
        print_wait(holder->waiter, holder);
        threads++;
        holder = holder->waiter;
    } while (holder != self);
    edo__misuse(self->wait.place->call, "deadlock: the %u threads above wait for each other",
                threads);
}

void edo__thread_note_waits(const edo__thread_hold *hold)
{
    record *r = own_record();
    if (!r) return;
    edo__sys_thread_own_name(r->name, sizeof r->name);
    r->id = edo__sys_thread_id();
    lock_all();
    list(r);
    r->wait = *hold;
    if (find_circle(r)) report_circle(r);
    edo__lock_give(&all.lock);
}

void edo__thread_note_waits_no_more(void)
{
    record *r = own;
    if (!r) return;
    lock_all();
    r->wait = (edo__thread_hold){ 0 };
    edo__lock_give(&all.lock);
}
