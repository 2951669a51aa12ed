/* Only the thread that polls a task may look at its frames, and at its own stack. So it is
 * interrupted by a signal, whose handler writes down what it sees; the monitor tells it. */
#include "runtime/stall.h"

#include <stdio.h>
#include <string.h>

#include "runtime/hooks.h"

enum {
    MAX_LINES = 32,
    MAX_STACK = 48,
    MAX_NAME = 64,
    MAX_TEXT = 8192,
    OWN_FRAMES = 2, // of the handler, on top of the stack
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

static EDO_PRINTF(3, 4) size_t append(char *text, size_t used, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text + used, MAX_TEXT - used, format, args);
    va_end(args);
    size_t sum = used + (n > 0 ? (size_t)n : 0);
    return sum < MAX_TEXT ? sum : MAX_TEXT - 1;
}

static size_t append_lines(char *text, size_t used, const snapshot *s)
{
    for (size_t i = 0; i < s->line_count; i++) {
        const edo_trace_line *line = &s->lines[i];
        used = append(text, used, "\n  %*s%s", 2 * line->depth, "", line->name);
        if (line->file) used = append(text, used, " (%s:%u)", line->file, line->line);
    }
    return used;
}

static size_t append_stack(char *text, size_t used, const snapshot *s)
{
    char where[256];
    used = append(text, used, "\n  on its thread's stack:");
    for (size_t i = OWN_FRAMES; i < s->stack_count; i++) {
        edo__sys_describe_code(s->stack[i], where, sizeof where);
        used = append(text, used, "\n    %s", where);
    }
    return used;
}

static void log_stall(const snapshot *s, int64_t duration)
{
    char text[MAX_TEXT];
    const edo__worker *worker = s->worker;
    size_t used = append(text, 0, "%s: task '%s' #%llu, spawned at %s:%u, has kept worker %u for %lld ms",
                         worker->runtime->config.name, s->name, (unsigned long long)s->id,
                         s->site->file, s->site->line, worker->index,
                         (long long)(duration / edo_ms(1)));
    used = append_lines(text, used, s);
    append_stack(text, used, s);
    edo__log(EDO_LOG_WARN, "%s", text);
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
    int rc = edo__sys_interrupt(worker->thread, capture, &s, edo__sys_now() + PATIENCE);
    if (rc < 0)
        edo__log(EDO_LOG_WARN, "%s: a task has kept worker %u for %lld ms; its thread does not say which",
                 worker->runtime->config.name, worker->index, (long long)(duration / edo_ms(1)));
    else if (s.is_polling) {
        log_stall(&s, duration);
        call_hooks(&s, duration);
    }
    edo__lock_give(&lock);
}
