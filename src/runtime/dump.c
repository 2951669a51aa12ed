/* Dumps: what all tasks do, as text.
 *
 * A shard is locked only to take references to its tasks; then each is looked at without (task.h,
 * edo_task_trace), and told of once it has been given back. So no lock is held, and no task waits,
 * while the user's function runs. A task's memory stays by its reference; its name is the user's, and
 * is read only while the task cannot end.
 *
 * Tasks that run are told of by their threads (snapshot.h), before the others. One that ran when it
 * was to be looked at, and was not among them, has just begun, or yields all the time and is kept
 * (state.h): it is asked to hold still, and looked at again until patience ends. */
#include <edo/dump.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/runtimes.h"
#include "runtime/snapshot.h"

enum {
    LINE_SIZE = 512,
    FEW_LINES = 64, // of a backtrace, without more memory
    BATCH = 64,     // tasks at a time, without memory for a list
    MAX_TOLD = 256, // tasks that run, to be told of once; with more at a time some are named twice
    SPARE = 64,     // places in a list for tasks that come while it is made
};

#define PATIENCE edo_ms(50)  // for tasks that run whenever they are looked at
#define SPIN     edo_us(200) // of it, between two times that the processor is offered to others

typedef struct dump {
    edo_runtime *runtime;
    edo_dump_fn *write;
    void *context;
    int rc;
    bool is_abort; // this thread may hold any lock
    int64_t deadline;
    uint64_t told[MAX_TOLD]; // ids
    size_t told_count;
    edo__snapshot snapshot;

    /* what the last look at a task saw */
    uint64_t state;
    int64_t poll_start;
    char name[EDO__SNAPSHOT_NAME];
    edo_trace_line few[FEW_LINES], *lines;
    size_t line_capacity, line_count; // the count may be larger: the rest was not kept
} dump;

/* ---- text ---- */

static EDO_PRINTF(2, 3) void say(dump *d, const char *format, ...)
{
    char line[LINE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    d->write(d->context, line);
}

static void say_trace(dump *d, const edo_trace_line *lines, size_t count, size_t more)
{
    char where[EDO__WHERE_SIZE];
    for (size_t i = 0; i < count; i++)
        say(d, "  %s", edo__describe_line(&lines[i], where));
    if (more) say(d, "  ... and %zu more", more);
}

static long long milliseconds_since(const dump *d, int64_t moment)
{
    int64_t passed = edo__runtime_now(d->runtime) - moment;
    return passed > 0 ? passed / edo_ms(1) : 0;
}

/* ---- the seats, and the tasks that run ---- */

static bool is_told(const dump *d, uint64_t id)
{
    for (size_t i = 0; i < d->told_count; i++)
        if (d->told[i] == id) return true;
    return false;
}

static void tell_stack(dump *d)
{
    char where[EDO__WHERE_SIZE];
    say(d, "  its thread is in");
    for (size_t i = 0; i < d->snapshot.stack_count; i++) {
        edo__sys_describe_code(d->snapshot.stack[i], where, sizeof where);
        say(d, "    %s", where);
    }
}

static void tell_running(dump *d, const edo__worker *worker)
{
    const edo__snapshot *s = &d->snapshot;
    if (d->told_count < MAX_TOLD) d->told[d->told_count++] = s->id;
    say(d, "worker %u runs task '%s' #%llu, since %lld ms, spawned by %s at %s:%u", worker->index,
        s->name, (unsigned long long)s->id, milliseconds_since(d, s->poll_start), s->site->function,
        s->site->file, s->site->line);
    say_trace(d, s->lines, s->line_count, s->more_lines);
    tell_stack(d);
}

static bool is_among(uint64_t id, edo_task *const *tasks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (tasks[i]->id == id) return true;
    return false;
}

/* tasks: the only ones to be told of, if they run; NULL: any. */
static void tell_workers(dump *d, edo_task *const *tasks, size_t count)
{
    const edo__snapshot *s = &d->snapshot;
    for (uint32_t i = 0; i < edo__seat_count(d->runtime); i++) {
        edo__worker *worker = d->runtime->seats[i];
        if (edo_load_relaxed(&worker->beat) % 2 == 0) continue; // it polls nothing
        if (edo__snapshot_take(&d->snapshot, worker) < 0)
            say(d, "worker %u runs a task, and its thread does not say which", i);
        else if (s->is_polling && !is_told(d, s->id) && (!tasks || is_among(s->id, tasks, count)))
            tell_running(d, worker);
    }
}

static void tell_runtime(dump *d)
{
    const edo_runtime *runtime = d->runtime;
    unsigned seats = edo__seat_count(runtime), asleep = 0;
    for (uint32_t i = 0; i < seats; i++)
        asleep += edo_load_relaxed(&runtime->seats[i]->park) == EDO__PARKED;
    say(d, "runtime '%s' on %s: %zu tasks; %u %s, %u of them asleep, %u stuck",
        runtime->config.name, runtime->driver_name, edo_runtime_task_count(runtime), seats,
        runtime->has_threads ? "workers" : "thread", asleep,
        (unsigned)edo_load_relaxed(&runtime->stuck_count));
}

/* ---- one task that does not run ---- */

/* While the task is looked at. */
static void note_line(void *context, const edo_trace_line *line)
{
    dump *d = context;
    if (d->line_count < d->line_capacity) d->lines[d->line_count] = *line;
    d->line_count++;
}

static void drop_lines(dump *d)
{
    if (d->lines != d->few) edo__free(d->lines, d->line_capacity * sizeof *d->lines);
    d->lines = d->few;
    d->line_capacity = FEW_LINES;
}

/* Returns: whether there is room now for as many lines as there were. */
static bool make_room(dump *d)
{
    size_t capacity = 2 * d->line_count; // it may grow until the next look
    edo_trace_line *lines = edo__alloc(capacity * sizeof *lines);
    if (!lines) {
        d->rc = -ENOMEM;
        return false;
    }
    drop_lines(d);
    d->lines = lines;
    d->line_capacity = capacity;
    return true;
}

typedef struct look {
    dump *dump;
    const edo_task *task;
} look;

static void note(void *context, const edo_trace_line *line)
{
    look *l = context;
    dump *d = l->dump;
    if (d->line_count == 0) {
        d->state = edo_load_relaxed(&l->task->state);
        d->poll_start = edo_load_relaxed(&l->task->poll_start);
        snprintf(d->name, sizeof d->name, "%s", edo_task_name(l->task));
    }
    note_line(d, line);
}

/* Returns: as edo_task_trace(). */
static int look_at(dump *d, edo_task *task)
{
    look l = { .dump = d, .task = task };
    for (;;) {
        d->line_count = 0;
        int rc = edo_task_trace(task, note, &l);
        if (rc < 0) return rc;
        if (d->line_count <= d->line_capacity || !make_room(d)) return 0;
    }
}

static const char *state_text(uint64_t state)
{
    if (state & EDO__GIVEN_UP) return "was given up";
    return state & EDO__NOTIFIED ? "is ready" : "waits";
}

static const char *fate_text(uint64_t state)
{
    if (state & EDO__ABORTED) return ", aborted";
    return state & EDO__CANCELLED ? ", cancelled" : "";
}

static void tell_seen(dump *d, const edo_task *task)
{
    char when[64] = "not polled so far";
    if (d->poll_start)
        snprintf(when, sizeof when, "last polled %lld ms ago",
                 milliseconds_since(d, d->poll_start));
    say(d, "task '%s' #%llu %s%s, %s, spawned by %s at %s:%u", d->name,
        (unsigned long long)task->id, state_text(d->state), fate_text(d->state), when,
        task->site->function, task->site->file, task->site->line);
    size_t kept = d->line_count < d->line_capacity ? d->line_count : d->line_capacity;
    say_trace(d, d->lines, kept, d->line_count - kept);
}

/* Returns: whether that is done with, and the reference given back. */
static bool tell_task(dump *d, edo_task *task)
{
    if (!is_told(d, task->id)) {
        int rc = look_at(d, task);
        if (rc == -EBUSY) return false;
        if (rc == 0) tell_seen(d, task);
    }
    edo__task_unref(task);
    return true;
}

/* By the function, not by its name, which may be gone. */
static void tell_restless(dump *d, edo_task *task)
{
    if (!is_told(d, task->id) && !(edo_load_relaxed(&task->state) & EDO__COMPLETE))
        say(d, "task %s #%llu runs whenever it is looked at, spawned by %s at %s:%u",
            task->site->ops->name, (unsigned long long)task->id, task->site->function,
            task->site->file, task->site->line);
    edo__task_unref(task);
}

/* ---- all of them ---- */

static size_t tell_each(dump *d, edo_task **tasks, size_t count)
{
    size_t left = 0;
    for (size_t i = 0; i < count; i++)
        if (!tell_task(d, tasks[i])) tasks[left++] = tasks[i];
    return left;
}

/* One that holds still does so for one round of its queue, some microseconds: so it is not yielded
 * all the time here. */
static void tell_tasks(dump *d, edo_task **tasks, size_t count)
{
    count = tell_each(d, tasks, count);
    for (int64_t now = edo__sys_now(), since = now; count && now < d->deadline;) {
        count = tell_each(d, tasks, count);
        now = edo__sys_now();
        if (now - since < SPIN) continue;
        edo__sys_yield_thread();
        since = now;
    }
    if (count) tell_workers(d, tasks, count); // some of them may run for long, since the first time
    for (size_t i = 0; i < count; i++)
        tell_restless(d, tasks[i]);
}

/* At an abort the lock may be this thread's own, and is not worth more than a wait. */
static bool lock_shard(const dump *d, edo__shard *shard)
{
    if (!d->is_abort) {
        edo__lock_take(&shard->lock);
        return true;
    }
    while (!edo__lock_try(&shard->lock)) {
        if (edo__sys_now() >= d->deadline) return false;
        edo__sys_yield_thread();
    }
    return true;
}

/* Under the lock. A task that yields all the time is asked to hold still. */
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

/* The next BATCH tasks, by their ids. Returns: how many. Under the lock. */
static size_t take_batch(edo__shard *shard, uint64_t after, edo_task **tasks)
{
    size_t count = 0;
    edo__list_each(&shard->tasks, node) {
        edo_task *task = edo__container(node, edo_task, registry);
        if (task->id > after) count = insert(tasks, count, task);
    }
    for (size_t i = 0; i < count; i++)
        take(tasks[i]);
    return count;
}

/* Without memory: slow, for each batch goes through all. left: tasks that were there at first; more
 * may come all the time. */
static void tell_in_batches(dump *d, edo__shard *shard, size_t left)
{
    edo_task *tasks[BATCH];
    uint64_t after = 0;
    size_t count = 0;
    do {
        if (!lock_shard(d, shard)) return;
        count = take_batch(shard, after, tasks);
        edo__lock_give(&shard->lock);
        if (count) after = tasks[count - 1]->id;
        tell_tasks(d, tasks, count);
        left -= count < left ? count : left;
    } while (count && left);
}

static void tell_shard(dump *d, edo__worker *seat)
{
    edo__shard *shard = &seat->shard;
    size_t expected = edo__shard_count(shard), capacity = expected + expected / 2 + SPARE;
    edo_task **tasks = edo__alloc(capacity * sizeof *tasks);
    size_t count = 0;
    if (lock_shard(d, shard)) {
        if (tasks) count = take_all(shard, tasks, capacity);
        expected = edo__shard_count(shard);
        edo__lock_give(&shard->lock);
    } else {
        say(d, "the tasks of worker %u cannot be looked at: this thread changes them", seat->index);
        expected = 0;
    }
    if (count)
        tell_tasks(d, tasks, count);
    else if (expected)
        tell_in_batches(d, shard, expected);
    edo__free(tasks, capacity * sizeof *tasks);
}

/* ---- a dump ---- */

static void write_to_log(void *context, const char *line)
{
    (void)context;
    edo__log(EDO_LOG_WARN, "%s", line);
}

static int dump_runtime(edo_runtime *runtime, edo_dump_fn *write, void *context, bool is_abort)
{
    if (edo__runtime_is_stale(runtime)) return -ESTALE;
    dump d = { .runtime = runtime,
               .write = write ? write : write_to_log,
               .context = context,
               .is_abort = is_abort,
               .line_capacity = FEW_LINES };
    d.lines = d.few;
    tell_runtime(&d);
    tell_workers(&d, NULL, 0);
    d.deadline = edo__later(edo__sys_now(), PATIENCE);
    for (uint32_t i = 0; i < edo__seat_count(runtime); i++)
        tell_shard(&d, runtime->seats[i]);
    drop_lines(&d);
    return d.rc;
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
    fprintf(stderr, "edo: %s\n", line);
}

/* Once: a misuse that the dump itself meets ends the process without another one. */
void edo__dump_at_abort(void)
{
    static edo_atomic(bool) has_begun;
    const char *wanted = getenv("EDO_DUMP_ON_ABORT");
    if (!wanted || !*wanted || strcmp(wanted, "0") == 0) return;
    if (!edo_swap_acq_rel(&has_begun, true)) dump_all(write_to_stderr, NULL, true);
}
