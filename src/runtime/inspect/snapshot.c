#include "runtime/inspect/snapshot.h"

#include <stdio.h>
#include <string.h>

#include "sys/sys.h"
#include "task/trace.h"

enum {
    OWN_FRAMES = 2,   // number of frames of capture() and its callee, at the top of the stack
    HANDLER = 2,      // number of frames after those: the handler and its return trampoline
    SHOWN_DEPTH = 40, // greatest depth that is indented; deeper lines are indented equally
};

#define PATIENCE edo_ms(100) // longest wait for the thread, which may be in a system call

static void note_line(void *context, const edo_trace_line *line)
{
    edo__snapshot *s = context;
    if (s->line_count < EDO__SNAPSHOT_LINES)
        s->lines[s->line_count++] = *line;
    else
        s->more_lines++;
}

/* Finds the task that this thread is polling. During edo_block_in_place(), the thread has no worker
 * in edo__self, so the task is read from the worker's cx. */
static const edo_task *task_here(const edo__worker *worker)
{
    if (edo_load_relaxed(&worker->stuck) & EDO__STUCK_IN_PLACE) return worker->cx.task;
    return edo__self.worker == worker ? edo__current_task() : NULL;
}

static void drop_own_frames(edo__snapshot *s)
{
    bool is_handler = edo_load_relaxed(&s->worker->thread_id) != s->asker;
    size_t own = is_handler ? OWN_FRAMES + HANDLER : OWN_FRAMES;
    if (own > s->stack_count) own = s->stack_count;
    s->stack_count -= own;
    memmove(s->stack, s->stack + own, s->stack_count * sizeof *s->stack);
}

/* Fills the snapshot. Called on the worker's thread. If another thread takes the snapshot, called
 * in a signal handler. */
static void capture(void *context)
{
    edo__snapshot *s = context;
    const edo_task *task = task_here(s->worker);
    s->stack_count = edo__sys_backtrace(s->stack, EDO__SNAPSHOT_STACK);
    drop_own_frames(s);
    if (!task) return;
    s->is_polling = true;
    strncpy(s->name, edo_task_name(task), sizeof s->name - 1);
    s->id = task->id;
    s->site = task->site;
    s->poll_start = edo_load_relaxed(&task->poll_start);
    edo__trace_future(edo__task_frame(task), 0, note_line, s);
}

int edo__snapshot_take(edo__snapshot *snapshot, edo__worker *worker)
{
    memset(snapshot, 0, sizeof *snapshot);
    snapshot->worker = worker;
    snapshot->asker = edo__sys_thread_id();
    uint32_t thread = edo_load_relaxed(&worker->thread_id);
    if (thread == 0) return -ESRCH;
    if (thread == snapshot->asker) {
        capture(snapshot);
        return 0;
    }
    return edo__sys_interrupt(thread, capture, snapshot, edo__sys_now() + PATIENCE);
}

const char *edo__describe_line(const edo_trace_line *line, char text[EDO__WHERE_SIZE])
{
    int indent = 2 * (line->depth < SHOWN_DEPTH ? line->depth : SHOWN_DEPTH);
    if (line->file && line->line)
        snprintf(text, EDO__WHERE_SIZE, "%*s%s (%s:%u)", indent, "", line->name, line->file,
                 line->line);
    else if (line->file)
        snprintf(text, EDO__WHERE_SIZE, "%*s%s (%s)", indent, "", line->name, line->file);
    else
        snprintf(text, EDO__WHERE_SIZE, "%*s%s", indent, "", line->name);
    return text;
}
