/* Dumps: what all tasks do, as text (tell.h).
 *
 * A shard is locked only to take references to its tasks; then each is looked at without (task.h,
 * edo_task_trace), and told of once it has been given back. So no lock is held, and no task waits,
 * while the user's function runs.
 *
 * Tasks that run are told of by their threads, before the others. One that ran when it was to be
 * looked at, and was not among them, has just begun, or yields all the time and is kept (state.h): it
 * is asked to hold still, and looked at again until patience ends. */
#include <edo/dump.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/inspect/dump.h"
#include "base/duration.h"
#include "runtime/inspect/tell.h"
#include "runtime/runtimes.h"

enum {
    BATCH = 64, // tasks at a time, without memory for a list
    SPARE = 64, // places in a list for tasks that come while it is made
};

#define PATIENCE edo_ms(50)  // for tasks that run whenever they are looked at
#define SPIN     edo_us(200) // of it, between two times that the processor is offered to others

typedef struct dump {
    edo__teller teller;
    bool is_abort; // this thread may hold any lock
    int64_t deadline;
} dump;

/* ---- tasks, by references ---- */

static size_t tell_each(dump *d, edo_task **tasks, size_t count)
{
    size_t left = 0;
    for (size_t i = 0; i < count; i++)
        if (!edo__tell_task(&d->teller, tasks[i])) tasks[left++] = tasks[i];
    return left;
}

/* One that holds still does so for rounds of its queue, some microseconds each: so it is not yielded
 * all the time here. */
static void tell_tasks(dump *d, edo_task **tasks, size_t count)
{
    count = tell_each(d, tasks, count);
    uint32_t tries = 0;
    for (int64_t now = edo__sys_now(), since = now; count && now < d->deadline;) {
        count = tell_each(d, tasks, count);
        now = edo__sys_now();
        if (now - since < SPIN) continue;
        edo__sys_wait_briefly(&tries);
        since = edo__sys_now();
    }
    /* Some of them may run for long, since the threads were asked first. */
    if (count) edo__tell_workers(&d->teller, tasks, count);
    for (size_t i = 0; i < count; i++)
        edo__tell_restless(&d->teller, tasks[i]);
}

/* At an abort the lock may be this thread's own, and is not worth more than a wait. */
static bool lock_shard(const dump *d, edo__shard *shard)
{
    if (!d->is_abort) {
        edo__lock_take(&shard->lock);
        return true;
    }
    uint32_t tries = 0;
    while (!edo__lock_try(&shard->lock)) {
        if (edo__sys_now() >= d->deadline) return false;
        edo__sys_wait_briefly(&tries);
    }
    return true;
}

/* Under the lock. A task that yields all the time is asked to hold still: until it has been told of
 * (tell.c), in whichever way. */
static edo_task *take(edo_task *task)
{
    uint64_t before = edo_add_relaxed(&task->state, EDO__REF);
    if (before & EDO__RUNNING) edo__state_want(&task->state);
    return task;
}

/* Returns: how many; none when they do not fit. Under the lock. */
static size_t take_all(edo__shard *shard, edo_task **tasks, size_t capacity)
{
    size_t count = 0;
    if (edo__shard_count(shard) > capacity) return 0;
    edo__list_each(&shard->tasks, node)
        tasks[count++] = take(edo__container(node, edo_task, registry));
    return count;
}

/* A sorted array of those with the lowest ids. */
static size_t insert(edo_task **tasks, size_t count, edo_task *task)
{
    if (count == BATCH && tasks[count - 1]->id < task->id) return count;
    if (count < BATCH) count++;
    size_t at = count - 1;
    for (; at > 0 && tasks[at - 1]->id > task->id; at--)
        tasks[at] = tasks[at - 1];
    tasks[at] = task;
    return count;
}

/* The next BATCH tasks, by their ids, up to `last`. Returns: how many. Under the lock. */
static size_t take_batch(edo__shard *shard, uint64_t after, uint64_t last, edo_task **tasks)
{
    size_t count = 0;
    edo__list_each(&shard->tasks, node) {
        edo_task *task = edo__container(node, edo_task, registry);
        if (task->id > after && task->id <= last) count = insert(tasks, count, task);
    }
    for (size_t i = 0; i < count; i++)
        take(tasks[i]);
    return count;
}

/* Without memory: slow, for each batch goes through all. last: of those that were there at first. */
static void tell_in_batches(dump *d, edo__shard *shard, uint64_t last)
{
    edo_task *tasks[BATCH];
    uint64_t after = 0;
    size_t count = 0;
    do {
        if (!lock_shard(d, shard)) return;
        count = take_batch(shard, after, last, tasks);
        edo__lock_give(&shard->lock);
        if (count) after = tasks[count - 1]->id;
        tell_tasks(d, tasks, count);
    } while (count);
}

/* Under the lock. Returns: 0 when there are none. */
static uint64_t highest_id(const edo__shard *shard)
{
    uint64_t highest = 0;
    edo__list_each(&shard->tasks, node) {
        const edo_task *task = edo__container(node, edo_task, registry);
        if (task->id > highest) highest = task->id;
    }
    return highest;
}

static void tell_shard(dump *d, edo__worker *seat)
{
    edo__shard *shard = &seat->shard;
    size_t expected = edo__shard_count(shard), capacity = expected + expected / 2 + SPARE;
    edo_task **tasks = edo__alloc(capacity * sizeof *tasks);
    size_t count = 0;
    uint64_t last = 0;
    if (lock_shard(d, shard)) {
        if (tasks) count = take_all(shard, tasks, capacity);
        if (count == 0) last = highest_id(shard);
        edo__lock_give(&shard->lock);
    } else {
        edo__say(&d->teller, "the tasks of worker %u cannot be looked at: this thread changes them",
                 seat->index);
    }
    if (count)
        tell_tasks(d, tasks, count);
    else if (last)
        tell_in_batches(d, shard, last);
    edo__free(tasks, capacity * sizeof *tasks);
}

/* ---- a dump ---- */

static void write_to_log(void *context, const char *line)
{
    (void)context;
    edo__log_patiently(EDO_LOG_WARN, line);
}

static int dump_runtime(edo_runtime *runtime, edo_dump_fn *write, void *context, bool is_abort)
{
    if (edo__runtime_is_stale(runtime)) return -ESTALE;
    dump d = { .is_abort = is_abort };
    edo__teller_init(&d.teller, runtime, write ? write : write_to_log, context);
    edo__tell_runtime(&d.teller);
    edo__tell_workers(&d.teller, NULL, 0);
    d.deadline = edo__later(edo__sys_now(), PATIENCE);
    for (uint32_t i = 0; i < edo__seat_count(runtime); i++)
        tell_shard(&d, runtime->seats[i]);
    return edo__teller_deinit(&d.teller);
}

int edo_dump(edo_runtime *runtime, edo_dump_fn *write, void *context)
{
    return dump_runtime(runtime, write, context, false);
}

static int dump_all(edo_dump_fn *write, void *context, bool is_abort)
{
    int rc = 0;
    uint64_t serial = 0;
    for (edo_runtime *runtime; (runtime = edo__runtimes_next(&serial));) {
        int failure = dump_runtime(runtime, write, context, is_abort);
        if (failure < 0 && rc == 0) rc = failure;
        edo_runtime_unref(runtime);
    }
    return rc;
}

int edo_dump_all(edo_dump_fn *write, void *context)
{
    return dump_all(write, context, false);
}

static void write_to_stderr(void *context, const char *line)
{
    (void)context;
    edo__print_patiently("edo: %s\n", line);
}

static edo_atomic(bool) dumps_at_abort;

/* Once: a misuse that the dump itself meets ends the process without another one. */
static void dump_at_abort(void)
{
    static edo_atomic(bool) has_begun;
    if (!edo_load_relaxed(&dumps_at_abort)) return;
    if (!edo_swap_acq_rel(&has_begun, true)) dump_all(write_to_stderr, NULL, true);
}

void edo__dump_prepare(void)
{
    const char *wanted = getenv("EDO_DUMP_ON_ABORT");
    edo_store_relaxed(&dumps_at_abort, wanted && *wanted && strcmp(wanted, "0") != 0);
    edo_store_relaxed(&edo__at_misuse, dump_at_abort); // by any thread, always the same
}
