/* Records of holders and waiters: see holders.h. */
#include "task/records.h"

#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/lock.h"
#include "task/future.h"
#include "task/op.h"
#include "task/trace.h"

#define DEFAULT_LIMIT 1000000000 // longest time from the wake of a waiter to its poll; ns

uint32_t edo__locks_traced; // atomic

static edo_atomic(int64_t) limit = DEFAULT_LIMIT;
static edo__lock records_lock;
static edo__record records[EDO__RECORDS];
static size_t used;         // 1 + the highest index in use; guarded by records_lock
static uint32_t generation; // fork generation of the process that made the records
static uint64_t search;     // number of the last search for a cycle; guarded by records_lock

/* Off by default under ThreadSanitizer, because the lock of the records would hide races. */
enum { ON_BY_DEFAULT = EDO_DEBUG && !EDO__TSAN };

/* Reads EDO_LOCK_TRACE. If the variable is unset or empty, the build's default applies. 0 means
 * off, and 1 means on. A greater number also means on, and is the limit in milliseconds. */
void edo__holders_prepare(void)
{
    const char *text = getenv("EDO_LOCK_TRACE");
    if (!text || !*text) {
        if (ON_BY_DEFAULT) edo_store_relaxed(&edo__locks_traced, 1);
        return;
    }
    long wanted = strtol(text, NULL, 10);
    if (wanted > 1) edo_store_relaxed(&limit, edo_ms(wanted));
    edo_store_relaxed(&edo__locks_traced, wanted > 0);
}

/* Takes the lock. In the child of a fork, the first call removes all records, because the tasks and
 * threads of the parent do not exist there, and the fork may have copied the records during a
 * change. */
static void lock_records(void)
{
    edo__lock_take(&records_lock);
    uint32_t mine = edo__sys_fork_generation();
    if (generation == mine) return;
    for (size_t i = 0; i < EDO__RECORDS; i++)
        if (records[i].object) records[i].object = NULL;
    used = 0;
    generation = mine;
}

/* ---- records; called under the lock ---- */

edo__record *edo__record_next(edo__record *record)
{
    edo__record *next = record ? record + 1 : records;
    while (next < records + used && !next->object)
        next++;
    return next < records + used ? next : NULL;
}

static void remove_record(edo__record *record)
{
    record->object = NULL;
    while (used && !records[used - 1].object)
        used--;
}

/* Adds a copy of a record. Returns: the copy; NULL if there is no free place. */
static edo__record *add_record(const edo__record *record)
{
    for (size_t i = 0; i < EDO__RECORDS; i++) {
        if (records[i].object) continue;
        if (i >= used) used = i + 1;
        records[i] = *record;
        return &records[i];
    }
    return NULL;
}

static edo__record *find_wait(const edo_op *op)
{
    for (edo__each_record(record))
        if (record->op == op) return record;
    return NULL;
}

/* Finds a record of a holder of the object. If `id` is 0, finds any holder. */
static edo__record *find_holder(const void *object, uint32_t kind, uint64_t id)
{
    for (edo__each_record(record))
        if (record->object == object && !record->op && record->kind == kind &&
            (!id || record->id == id))
            return record;
    return NULL;
}

/* ---- this task or thread ---- */

static edo_task *this_task(void)
{
    return edo__self.waits ? NULL : edo__current_task();
}

static uint64_t this_id(void)
{
    edo_task *task = this_task();
    return task ? task->id : EDO__RECORD_THREAD | edo__sys_thread_id();
}

static edo__record describe(const void *object, uint32_t kind)
{
    edo_task *task = this_task();
    const edo_future *function = task ? edo__function_of(task) : NULL;
    edo__record record = { .object = object, .kind = kind, .since = edo__sys_now() };
    record.id = this_id();
    record.runtime = edo__self.cx ? edo__self.cx->runtime : NULL;
    if (task) record.name = task->site->ops->name;
    if (function) {
        record.function = function->ops->name;
        record.file = function->ops->file;
        record.line = function->line;
    }
    return record;
}

/* ---- holders ---- */

static bool is_exclusive(uint32_t kind)
{
    return kind == EDO__HELD_MUTEX || kind == EDO__HELD_WRITE;
}

/* Removes stale records. Suppose that a task takes an exclusive lock, and another holder of the
 * lock is recorded. The record of the other holder is stale: it belongs to an earlier lock, whose
 * memory was reused. */
static void drop_stale(const void *object, uint32_t kind)
{
    for (edo__each_record(record))
        if (is_exclusive(kind) && record->object == object && !record->op) remove_record(record);
}

/* Adds to the count in the record of this holder, or adds the record. */
static void raise_count(const edo__record *holder)
{
    edo__record *held = find_holder(holder->object, holder->kind, holder->id);
    if (held)
        held->count += holder->count;
    else
        add_record(holder);
}

/* Lowers the count in a record, and removes the record at 0. held: may be NULL. Returns: the number
 * by which the count was lowered. */
static uint32_t lower_count(edo__record *held, uint32_t count)
{
    if (!held) return 0;
    uint32_t lowered = held->count < count ? held->count : count;
    held->count -= lowered;
    if (!held->count) remove_record(held);
    return lowered;
}

void edo__note_taken_slow(const void *object, uint32_t kind, uint32_t count)
{
    edo__record new = describe(object, kind);
    new.count = count;
    lock_records();
    drop_stale(object, kind);
    raise_count(&new);
    edo__lock_give(&records_lock);
}

/* Moves permits from the record of this task or thread to the record of permits that were passed
 * on. */
void edo__note_passed_slow(const void *semaphore, uint32_t count)
{
    edo__record passed = describe(semaphore, EDO__HELD_PERMITS);
    lock_records();
    passed.count = lower_count(find_holder(semaphore, EDO__HELD_PERMITS, passed.id), count);
    passed.id = EDO__RECORD_PASSED;
    if (passed.count) raise_count(&passed);
    edo__lock_give(&records_lock);
}

static _Noreturn void report_other_holder(const edo__record *holder, const char *call)
{
    char who[EDO__RECORD_TEXT], where[EDO__RECORD_TEXT];
    edo__misuse(call, "held by another: %s%s", edo__record_describe_who(holder, who),
                edo__record_describe_place(holder, where));
}

/* Finds the record that a release by this task or thread lowers. The first choice is its own
 * record, the second is the record of permits that were passed on. The last choice is any record,
 * because any task or thread may release permits. */
static edo__record *find_released(const void *object, uint32_t kind)
{
    edo__record *held = find_holder(object, kind, this_id());
    if (!held) held = find_holder(object, kind, EDO__RECORD_PASSED);
    return held ? held : find_holder(object, kind, 0);
}

/* Lowers the count in a holder record. Aborts if the lock is exclusive, and the only record is that
 * of another task or thread. */
void edo__note_given_slow(const void *object, uint32_t kind, uint32_t count, const char *call)
{
    edo__record holder = { 0 };
    lock_records();
    edo__record *held = find_released(object, kind);
    if (held && held->id != this_id() && is_exclusive(kind))
        holder = *held;
    else
        count -= lower_count(held, count);
    if (count) lower_count(find_holder(object, kind, EDO__RECORD_PASSED), count);
    edo__lock_give(&records_lock);
    if (holder.object) report_other_holder(&holder, call);
}

void edo__holders_drop(const void *object)
{
    lock_records();
    for (edo__each_record(record))
        if (record->object == object) remove_record(record);
    edo__lock_give(&records_lock);
}

/* ---- waiters ---- */

static bool is_marker(const edo_future *future)
{
    return future->ops->kind == EDO_KIND_SCOPE || future->ops->kind == EDO_KIND_LIMIT;
}

static bool keeps_futures(const edo_future *kept)
{
    while (kept && is_marker(kept))
        kept = kept->next;
    return kept;
}

/* Whether the task waits for this operation alone. If the task also waits for another future, the
 * task does not count as stuck: the other future could go on, and release a lock of the task. */
static bool is_all_that_waits(const edo_task *task, const edo_op *op)
{
    const edo_future *future = edo__task_frame(task);
    while (future != &op->base) {
        if (future->ops->kind != EDO_KIND_ASYNC) return false;
        const edo_frame_head *head =
            &((const struct edo_any_frame *)(const void *)future)->edo_head;
        if (!head->awaiting || head->awaiting->next || keeps_futures(head->kept)) return false;
        future = head->awaiting;
    }
    return true;
}

static edo__record *find_stuck(uint64_t id)
{
    for (edo__each_record(record))
        if (record->op && record->id == id && record->is_stuck) return record;
    return NULL;
}

/* Whether one task or thread holds all granted permits of a semaphore. If there are several
 * holders, the semaphore is not regarded as part of a cycle, because any holder could release
 * permits. */
static bool is_held_by_one(const void *object)
{
    size_t holders = 0;
    for (edo__each_record(record)) {
        holders += record->object == object && !record->op;
        if (holders > 1) return false;
    }
    return holders == 1;
}

static bool blocks(const edo__record *holder, const edo__record *waiter)
{
    if (holder->op || holder->object != waiter->object || holder->has_ended) return false;
    return holder->kind != EDO__HELD_PERMITS || is_held_by_one(holder->object);
}

/* Whether the search skips a waiter that it has reached by `depth` edges. There are two cases:
 * - A cycle through the waiter would be too long.
 * - The search has followed the waiter before, and had reached it by at most `depth` edges.
 * If the search reaches the waiter by fewer edges than before, it follows the waiter again, because
 * a cycle may now be short enough. So a waiter is followed at most EDO__CYCLE times. */
static bool was_followed(edo__record *waiter, size_t depth)
{
    if (depth == EDO__CYCLE) return true;
    if (waiter->search == search && waiter->depth <= depth) return true;
    waiter->search = search;
    waiter->depth = depth;
    return false;
}

/* Searches depth first for a cycle. The caller has set edges[depth].waiter, where the search
 * begins, and has given the search a new number. Returns: the length of a cycle through the waiter
 * of edges[0], or 0. */
static size_t find_cycle(edo__record_edge *edges, size_t depth)
{
    for (edo__each_record(holder)) {
        if (!blocks(holder, &edges[depth].waiter)) continue;
        edges[depth].holder = *holder;
        if (holder->id == edges[0].waiter.id) return depth + 1;
        edo__record *next = find_stuck(holder->id);
        if (!next || was_followed(next, depth + 1)) continue;
        edges[depth + 1].waiter = *next;
        size_t length = find_cycle(edges, depth + 1);
        if (length) return length;
    }
    return 0;
}

static void count_tasks(edo__record_edge *edges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        edo_waker_ref(&edges[i].waiter.task->head);
}

void edo__holders_note_wait(const void *object, uint32_t kind, edo_op *op)
{
    edo__record_edge edges[EDO__CYCLE];
    edo__record new = describe(object, kind);
    size_t length = 0;
    edo_task *task = edo__current_task();
    if (!task) return; // the program itself polls the operation
    new.op = op;
    new.task = task;
    new.is_stuck = is_all_that_waits(task, op);
    lock_records();
    if (!find_wait(op) && add_record(&new) && new.is_stuck) {
        edges[0].waiter = new;
        search++;
        length = find_cycle(edges, 0);
        count_tasks(edges, length);
    }
    edo__lock_give(&records_lock);
    if (length) edo__record_report_cycle(edges, length);
    edo__holders_check();
}

void edo__holders_end_wait(const edo_op *op)
{
    lock_records();
    edo__record *record = find_wait(op);
    if (record) remove_record(record);
    edo__lock_give(&records_lock);
}

/* ---- for dumps ---- */

size_t edo__records_of_holders(const void *object, edo__record *holders, size_t room)
{
    size_t count = 0;
    lock_records();
    for (edo__each_record(record)) {
        if (record->object != object || record->op) continue;
        if (count < room) holders[count] = *record;
        count++;
    }
    edo__lock_give(&records_lock);
    return count;
}

bool edo__records_next_waiter(const edo_runtime *runtime, size_t *at, edo__record *ret_waiter)
{
    bool found = false;
    lock_records();
    for (; *at < used && !found; ++*at) {
        const edo__record *record = &records[*at];
        found = record->object && record->op && record->runtime == runtime;
        if (found) *ret_waiter = *record;
    }
    edo__lock_give(&records_lock);
    return found;
}

/* ---- mistakes without a cycle ---- */

/* Whether a waiter was woken longer ago than the limit. Called under the lock. The operation exists
 * as long as its record does, because the operation's last poll removes the record. */
static bool is_overdue(edo__record *record, int64_t now)
{
    if (!record->op || record->is_reported) return false;
    if (edo_load_acquire(&record->op->word) != EDO__OP_WOKEN) {
        record->woken_at = 0;
        return false;
    }
    if (!record->woken_at) record->woken_at = now;
    record->is_reported = now - record->woken_at >= edo_load_relaxed(&limit);
    return record->is_reported;
}

/* Copies the record of a waiter that is overdue, and marks the record as reported. Returns: whether
 * there was such a waiter. */
static bool take_overdue(edo__record *ret_record, int64_t now)
{
    bool found = false;
    lock_records();
    for (edo__each_record(record)) {
        if (found || !is_overdue(record, now)) continue;
        *ret_record = *record;
        found = true;
    }
    edo__lock_give(&records_lock);
    return found;
}

void edo__holders_check(void)
{
    if (!edo__holders_are_wanted()) return;
    edo__record record;
    char who[EDO__RECORD_TEXT], what[EDO__RECORD_TEXT], where[EDO__RECORD_TEXT];
    for (int64_t now = edo__sys_now(); take_overdue(&record, now);)
        edo__log(
            EDO_LOG_ERROR,
            "%s was woken for %s %lld ms ago%s, and has not polled it: the requests behind it are blocked",
            edo__record_describe_who(&record, who), edo__record_describe_object(&record, what),
            (long long)((now - record.woken_at) / edo_ms(1)),
            edo__record_describe_place(&record, where));
}

/* Copies the record of a lock that an ended task still holds, and marks the record. The task's
 * records of permits are not reported, only removed, because another task may release the permits.
 * Returns: whether there was a record to report. */
static bool take_left(edo__record *ret_record, uint64_t id)
{
    bool found = false;
    lock_records();
    for (edo__each_record(record)) {
        if (found || record->id != id || record->op || record->has_ended) continue;
        found = record->kind != EDO__HELD_PERMITS;
        record->has_ended = true;
        *ret_record = *record;
        if (!found) remove_record(record);
    }
    edo__lock_give(&records_lock);
    return found;
}

void edo__holders_note_end(const edo_task *task)
{
    edo__record record;
    char who[EDO__RECORD_TEXT], what[EDO__RECORD_TEXT], where[EDO__RECORD_TEXT];
    while (take_left(&record, task->id))
        edo__log(EDO_LOG_ERROR, "%s has ended and holds %s%s",
                 edo__record_describe_who(&record, who), edo__record_describe_object(&record, what),
                 edo__record_describe_place(&record, where));
}
