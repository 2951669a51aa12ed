/* Only the thread that polls a task may look at its frames, and at its own stack. So it is
 * interrupted by a signal, whose handler writes down what it sees; the monitor tells it. */
#include "runtime/stall.h"

#include <string.h>

#include "runtime/hooks.h"

enum {
    MAX_LINES = 32,
    MAX_STACK = 48,
    MAX_NAME = 64,
    MAX_WHERE = 256,
    OWN_FRAMES = 4, // of the handler and its call, on top of the stack
};

#define PATIENCE edo_ms(100) // for a thread that may be in a system call

/* Written by the handler. */
typedef struct snapshot {
    edo__worker *worker;
    bool is_polling;
    char name[MAX_NAME];
    uint64_t id;
    const edo_site *site;
    edo_trace_line lines[MAX_LINES];
    size_t line_count;
    void *stack[MAX_STACK];
    size_t stack_count;
} snapshot;

static void note_line(void *context, const edo_trace_line *line)
{
    snapshot *s = context;
    if (s->line_count < MAX_LINES) s->lines[s->line_count++] = *line;
}

/* In a signal handler of the worker's thread. */
static void capture(void *context)
{
    snapshot *s = context;
    const edo_task *task = edo__self.worker == s->worker ? edo__current_task() : NULL;
    s->stack_count = edo__sys_backtrace(s->stack, MAX_STACK);
    if (!task) return;
    s->is_polling = true;
    strncpy(s->name, edo_task_name(task), sizeof s->name - 1);
    s->id = task->id;
    s->site = task->site;
    edo__trace_future(edo__task_frame(task), 0, note_line, s);
}

/* ---- telling ---- */

static void log_line(const edo_trace_line *line)
{
    if (line->file)
        edo__log(EDO_LOG_WARN, "  %*s%s (%s:%u)", 2 * line->depth, "", line->name, line->file,
                 line->line);
    else
        edo__log(EDO_LOG_WARN, "  %*s%s", 2 * line->depth, "", line->name);
}

static void log_stall(const snapshot *s, int64_t duration)
{
    char where[MAX_WHERE];
    const edo__worker *worker = s->worker;
    edo__log(EDO_LOG_WARN,
             "%s: task '%s' #%llu, spawned at %s:%u, has kept worker %u for %lld ms; it is in",
             worker->runtime->config.name, s->name, (unsigned long long)s->id, s->site->file,
             s->site->line, worker->index, (long long)(duration / edo_ms(1)));
    for (size_t i = 0; i < s->line_count; i++)
        log_line(&s->lines[i]);
    edo__log(EDO_LOG_WARN, "and its thread in");
    for (size_t i = OWN_FRAMES; i < s->stack_count; i++) {
        edo__sys_describe_code(s->stack[i], where, sizeof where);
        edo__log(EDO_LOG_WARN, "  %s", where);
    }
}

static void call_hooks(const snapshot *s, int64_t duration)
{
    const edo_runtime *runtime = s->worker->runtime;
    edo_stall stall = { .runtime = runtime->config.name,
                        .worker = s->worker->index,
                        .duration = duration,
                        .task_name = s->name,
                        .task_id = s->id,
                        .task_site = s->site,
                        .lines = s->lines,
                        .line_count = s->line_count,
                        .stack = s->stack,
                        .stack_count = s->stack_count };
    edo__hooks_each(runtime, stall, &stall);
}

void edo__stall_report(edo__worker *worker, int64_t duration)
{
    static snapshot s; // the handler may come late, but not once this has returned
    static edo__lock lock;
    edo__lock_take(&lock);
    memset(&s, 0, sizeof s);
    s.worker = worker;
    int rc = edo__sys_interrupt(edo_load_relaxed(&worker->thread), capture, &s,
                                edo__sys_now() + PATIENCE);
    if (rc < 0)
        edo__log(EDO_LOG_WARN,
                 "%s: a task has kept worker %u for %lld ms; its thread does not say which",
                 worker->runtime->config.name, worker->index, (long long)(duration / edo_ms(1)));
    else if (s.is_polling) {
        log_stall(&s, duration);
        call_hooks(&s, duration);
    }
    edo__lock_give(&lock);
}
