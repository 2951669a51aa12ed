/* Dumps. A dump writes all tasks of a runtime as text (report.h).
 *
 * A dump locks a shard only to take references to the shard's tasks. Each task is then inspected
 * without the lock (edo_task_trace), and reported after the inspection. So while the user's write
 * function runs, no lock is held, and no task is kept from running.
 *
 * A dump begins with the tasks that workers are running. Each worker's thread reports its own task.
 * Another task may be KEPT (state.h): it looks as if it were running, but no thread has reported
 * it. An inspection of a KEPT task fails. So the dump marks running tasks as WANTED, which makes
 * their next yields requeue them, and tries to inspect them for at most PATIENCE. */
#include <edo/dump.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/inspect/dump.h"
#include "base/duration.h"
#include "runtime/inspect/report.h"
#include "runtime/runtimes.h"
#include "task/holders.h"

enum {
    SPARE = 64, // room for tasks that are spawned between the count and the lock
};

#define PATIENCE edo_ms(50)  // longest time for which inspections of running tasks are repeated
#define SPIN     edo_us(200) // time of spinning between two yields of the processor

typedef struct dump {
    edo__reporter reporter;
    bool is_abort; // the dump is made at an abort, and this thread may hold any lock
    int64_t deadline;
} dump;

/* ---- tasks ---- */

static size_t report_each(dump *d, edo_task **tasks, size_t count)
{
    size_t left = 0;
    for (size_t i = 0; i < count; i++)
        if (!edo__report_task(&d->reporter, tasks[i])) tasks[left++] = tasks[i];
    return left;
}

/* Reports the tasks. Tasks that could not be inspected before the deadline are only named. A WANTED
 * task can be inspected only while it waits in its queue, and often it waits for only a few
 * microseconds. So this thread repeats the inspections without a pause, and yields the processor
 * only once per SPIN. */
static void report_tasks(dump *d, edo_task **tasks, size_t count)
{
    count = report_each(d, tasks, count);
    uint32_t tries = 0;
    for (int64_t now = edo__sys_now(), since = now; count && now < d->deadline;) {
        count = report_each(d, tasks, count);
        now = edo__sys_now();
        if (now - since < SPIN) continue;
        edo__sys_wait_briefly(&tries);
        since = edo__sys_now();
    }
    /* Some tasks may have begun a long poll after the threads had reported. */
    if (count) edo__report_workers(&d->reporter, tasks, count);
    for (size_t i = 0; i < count; i++)
        edo__report_restless(&d->reporter, tasks[i]);
}

/* Locks a shard. At an abort, the wait for the lock has a limit, because this thread itself may
 * hold the lock. Returns: whether the shard is locked. */
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

/* Takes a reference to a task. A running task may be KEPT, and a KEPT task cannot be inspected. So
 * a running task is marked as WANTED, and its next yields requeue it. A requeued task can be
 * inspected. The mark remains until the task is reported (report.c). Called under the lock. */
static edo_task *take(edo_task *task)
{
    uint64_t before = edo_add_relaxed(&task->state, EDO__REF);
    if (before & EDO__RUNNING) edo__state_want(&task->state);
    return task;
}

/* Takes references to all tasks of a shard. Called under the lock. Returns: the number of tasks; 0
 * if `tasks` has no room for all of them. */
static size_t take_all(edo__shard *shard, edo_task **tasks, size_t capacity)
{
    size_t count = 0;
    if (edo__shard_count(shard) > capacity) return 0;
    edo__list_each(&shard->tasks, node)
        tasks[count++] = take(edo__container(node, edo_task, registry));
    return count;
}

/* Reports the tasks of a worker's shard. Returns: 0; -ENOMEM if tasks were left out. */
static int report_shard(dump *d, edo__worker *worker)
{
    edo__shard *shard = &worker->shard;
    size_t expected = edo__shard_count(shard), capacity = expected + expected / 2 + SPARE;
    edo_task **tasks = edo__alloc(capacity * sizeof *tasks);
    if (!tasks) return -ENOMEM;
    size_t count = 0, there = 0;
    if (lock_shard(d, shard)) {
        there = edo__shard_count(shard);
        count = take_all(shard, tasks, capacity);
        edo__lock_give(&shard->lock);
    } else {
        edo__say(&d->reporter,
                 "the tasks of worker %u cannot be inspected: this thread changes them",
                 worker->index);
    }
    report_tasks(d, tasks, count);
    edo__free(tasks, capacity * sizeof *tasks);
    return count < there ? -ENOMEM : 0;
}

/* ---- a dump ---- */

static void write_to_log(void *context, const char *line)
{
    (void)context;
    edo__log_patiently(EDO_LOG_WARN, line);
}

static void say_line(void *context, const char *line)
{
    edo__say(context, "%s", line);
}

static void report_locks(dump *d)
{
    edo__holders_check();
    edo__holders_describe(d->reporter.runtime, say_line, &d->reporter);
}

static int dump_runtime(edo_runtime *runtime, edo_dump_fn *write, void *context, bool is_abort)
{
    if (edo__runtime_is_stale(runtime)) return -ESTALE;
    dump d = { .is_abort = is_abort };
    edo__reporter_init(&d.reporter, runtime, write ? write : write_to_log, context);
    edo__report_runtime(&d.reporter);
    edo__report_workers(&d.reporter, NULL, 0);
    d.deadline = edo__later(edo__sys_now(), PATIENCE);
    int rc = 0;
    for (uint32_t i = 0; i < edo__worker_total(runtime); i++)
        if (report_shard(&d, runtime->workers[i]) < 0) rc = -ENOMEM;
    if (!is_abort) report_locks(&d);
    int cut = edo__reporter_deinit(&d.reporter);
    return rc < 0 ? rc : cut;
}

edo_atomic(edo__dump_stacks_fn *) edo__dump_stacks;

/* Writes the lines about the stacks of fibers. The stacks belong to the process, not to a runtime,
 * so these lines follow the lines of the last runtime. */
static void report_stacks(edo_dump_fn *write, void *context)
{
    edo__dump_stacks_fn *dump_stacks = edo_load_relaxed(&edo__dump_stacks);
    if (dump_stacks) dump_stacks(write ? write : write_to_log, context);
}

int edo_dump(edo_runtime *runtime, edo_dump_fn *write, void *context)
{
    int rc = dump_runtime(runtime, write, context, false);
    if (rc != -ESTALE) report_stacks(write, context);
    return rc;
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
    int rc = dump_all(write, context, false);
    report_stacks(write, context);
    return rc;
}

static void write_to_stderr(void *context, const char *line)
{
    (void)context;
    edo__print_patiently("edo: %s\n", line);
}

static edo_atomic(bool) dumps_at_abort;

/* Dumps all runtimes, at most once. So an abort during the dump does not begin a second dump. */
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
    edo_store_relaxed(&edo__at_misuse, dump_at_abort); // relaxed: always the same value
}
