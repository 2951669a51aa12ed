#include "runtime/inspect/report.h"

#include <stdio.h>

enum { LINE_SIZE = 512 };

void edo__reporter_init(edo__reporter *t, edo_runtime *runtime, edo_dump_fn *write, void *context)
{
    t->runtime = runtime;
    t->write = write;
    t->context = context;
    t->rc = 0;
    t->seen_count = 0;
    t->lines = t->few;
    t->line_capacity = EDO__REPORTER_LINES;
}

static void drop_lines(edo__reporter *t)
{
    if (t->lines != t->few) edo__free(t->lines, t->line_capacity * sizeof *t->lines);
    t->lines = t->few;
    t->line_capacity = EDO__REPORTER_LINES;
}

int edo__reporter_deinit(edo__reporter *t)
{
    drop_lines(t);
    return t->rc;
}

/* ---- text ---- */

void edo__say(edo__reporter *t, const char *format, ...)
{
    char line[LINE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    t->write(t->context, line);
}

static void say_trace(edo__reporter *t, const edo_trace_line *lines, size_t count, size_t more)
{
    char where[EDO__WHERE_SIZE];
    for (size_t i = 0; i < count; i++)
        edo__say(t, "  %s", edo__describe_line(&lines[i], where));
    if (more) edo__say(t, "  ... and %zu more", more);
}

static long long milliseconds_since(const edo__reporter *t, int64_t moment)
{
    int64_t passed = edo__runtime_now(t->runtime) - moment;
    return passed > 0 ? passed / edo_ms(1) : 0;
}

/* ---- workers and running tasks ---- */

static bool is_reported(const edo__reporter *t, uint64_t id)
{
    for (size_t i = 0; i < t->seen_count; i++)
        if (t->seen[i] == id) return true;
    return false;
}

static void say_stack(edo__reporter *t)
{
    char where[EDO__WHERE_SIZE];
    edo__say(t, "  its thread is in");
    for (size_t i = 0; i < t->snapshot.stack_count; i++) {
        edo__sys_describe_code(t->snapshot.stack[i], where, sizeof where);
        edo__say(t, "    %s", where);
    }
}

static void say_running(edo__reporter *t, const edo__worker *worker)
{
    const edo__snapshot *s = &t->snapshot;
    if (t->seen_count < EDO__REPORTER_SEEN) t->seen[t->seen_count++] = s->id;
    edo__say(t, "worker %u runs task '%s' #%llu, since %lld ms, spawned by %s at %s:%u",
             worker->index, s->name, (unsigned long long)s->id,
             milliseconds_since(t, s->poll_start), s->site->function, s->site->file, s->site->line);
    say_trace(t, s->lines, s->line_count, s->more_lines);
    say_stack(t);
}

static bool is_among(uint64_t id, edo_task *const *tasks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (tasks[i]->id == id) return true;
    return false;
}

void edo__report_workers(edo__reporter *t, edo_task *const *tasks, size_t count)
{
    const edo__snapshot *s = &t->snapshot;
    for (uint32_t i = 0; i < edo__worker_total(t->runtime); i++) {
        edo__worker *worker = t->runtime->workers[i];
        if (edo_load_relaxed(&worker->beat) % 2 == 0) continue; // not polling
        if (edo__snapshot_take(&t->snapshot, worker) < 0)
            edo__say(t, "worker %u runs a task; its thread does not report which", i);
        else if (s->is_polling && !is_reported(t, s->id) &&
                 (!tasks || is_among(s->id, tasks, count)))
            say_running(t, worker);
    }
}

void edo__report_runtime(edo__reporter *t)
{
    const edo_runtime *runtime = t->runtime;
    unsigned workers = edo__worker_total(runtime), asleep = 0;
    for (uint32_t i = 0; i < workers; i++)
        asleep += edo_load_relaxed(&runtime->workers[i]->park) == EDO__PARKED;
    edo__say(t, "runtime '%s' on %s: %zu tasks; %u %s, %u of them asleep, %u stuck",
             runtime->config.name, runtime->driver_ops->name, edo_runtime_task_count(runtime),
             workers, runtime->has_threads ? "workers" : "thread", asleep,
             (unsigned)edo_load_relaxed(&runtime->stuck_count));
}

/* ---- one task that is not running ---- */

/* Allocates room for more lines than the last inspection had. Returns: false if out of memory. */
static bool make_room(edo__reporter *t)
{
    size_t capacity = 2 * t->line_count; // twice as many, because the backtrace may have grown
    edo_trace_line *lines = edo__alloc(capacity * sizeof *lines);
    if (!lines) {
        t->rc = -ENOMEM;
        return false;
    }
    drop_lines(t);
    t->lines = lines;
    t->line_capacity = capacity;
    return true;
}

typedef struct inspection {
    edo__reporter *reporter;
    const edo_task *task;
} inspection;

/* Notes one line of a backtrace. Called during the inspection of the task. */
static void note(void *context, const edo_trace_line *line)
{
    inspection *l = context;
    edo__reporter *t = l->reporter;
    if (t->line_count == 0) {
        t->state = edo_load_relaxed(&l->task->state);
        t->poll_start = edo_load_relaxed(&l->task->poll_start);
        snprintf(t->name, sizeof t->name, "%s", edo_task_name(l->task));
    }
    if (t->line_count < t->line_capacity) t->lines[t->line_count] = *line;
    t->line_count++;
}

/* Inspects a task. If the backtrace has more lines than there is room for, makes more room and
 * inspects the task again. If memory is short, the further lines are lost. Returns: as
 * edo_task_trace(). */
static int inspect(edo__reporter *t, edo_task *task)
{
    inspection l = { .reporter = t, .task = task };
    for (;;) {
        t->line_count = 0;
        int rc = edo_task_trace(task, note, &l);
        if (rc < 0) return rc;
        if (t->line_count <= t->line_capacity || !make_room(t)) return 0;
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

static void say_task(edo__reporter *t, const edo_task *task)
{
    char when[64] = "not polled yet";
    if (t->poll_start)
        snprintf(when, sizeof when, "last polled %lld ms ago",
                 milliseconds_since(t, t->poll_start));
    edo__say(t, "task '%s' #%llu %s%s, %s, spawned by %s at %s:%u", t->name,
             (unsigned long long)task->id, state_text(t->state), fate_text(t->state), when,
             task->site->function, task->site->file, task->site->line);
    size_t kept = t->line_count < t->line_capacity ? t->line_count : t->line_capacity;
    say_trace(t, t->lines, kept, t->line_count - kept);
}

/* Clears WANTED, and drops the reference to a task that was not inspected. */
static void leave(edo_task *task)
{
    edo__state_unwant(&task->state);
    edo__task_unref(task);
}

bool edo__report_task(edo__reporter *t, edo_task *task)
{
    if (is_reported(t, task->id)) {
        leave(task);
        return true;
    }
    int rc = inspect(t, task);
    if (rc == -EBUSY) return false;
    if (rc == 0) say_task(t, task);
    edo__task_unref(task);
    return true;
}

/* Names a task by its function. The task's own name may no longer be valid. */
void edo__report_restless(edo__reporter *t, edo_task *task)
{
    if (!is_reported(t, task->id) && !(edo_load_relaxed(&task->state) & EDO__COMPLETE))
        edo__say(t, "task %s #%llu runs at each inspection, spawned by %s at %s:%u",
                 task->site->ops->name, (unsigned long long)task->id, task->site->function,
                 task->site->file, task->site->line);
    leave(task);
}
