/* Backtraces of tasks. */
#include "runtime/runtime.h"
#include "task/handle.h"
#include "task/trace.h"

/* Causes a KEPT task to be requeued, so that the task can be inspected. The thread that turns the
 * task's current-thread runtime requeues the task at once. Any other thread marks the task as
 * WANTED, and the task's next yields requeue it.
 *
 * A running task is not KEPT if this thread is polling it, or calls a hook for it (`in_hand`). Such
 * a task is not requeued. */
static void requeue_if_kept(edo_task *task)
{
    if (!(edo_load_relaxed(&task->state) & EDO__RUNNING)) return;
    const edo__worker *worker = edo__worker_in(task->runtime);
    if (!worker || worker->is_shared)
        edo__state_want(&task->state);
    else if (edo__current_task() != task && worker->in_hand != task)
        edo__state_requeue(&task->state);
}

int edo_task_trace(edo_task *task, void (*visit)(void *, const edo_trace_line *), void *context)
{
    edo__check_task("edo_task_trace", task);
    requeue_if_kept(task);
    uint64_t before = edo__state_inspect(&task->state);
    if (before & EDO__COMPLETE) return -ESRCH;
    if (before & (EDO__RUNNING | EDO__INSPECTED)) return -EBUSY;
    edo__trace_future(edo__task_frame(task), 0, visit, context);
    if (edo__state_release(&task->state, before)) edo__runtime_push(task->runtime, task);
    return 0;
}
