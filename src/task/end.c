/* The end of a task: notes a failure, wakes the joiner, leaves the scope, checks the handle. */
#include "task/end.h"

#include "task/failure.h"
#include "task/handle.h"
#include "task/holders.h"
#include "task/scope.h"

/* Prepares the wake of the joiner, then clears EDO__JOIN_WAKER. Once the bit is clear, the joiner's
 * task may end, because its poll finds that this task is over. So the wake is prepared before. A
 * prepared wake owns a queue entry, which keeps the joiner's task alive until the caller commits
 * the wake. */
static edo_wakeable *prepare_joiner(edo_task *task)
{
    edo_plain_read(&task->join_waker);
    edo_wakeable *wake = edo__wake_prepare(task->join_waker);
    edo__state_joiner_woken(&task->state);
    return wake;
}

static void complete(edo_task *task)
{
    if (edo__state_complete(&task->state)) edo__wake_commit(prepare_joiner(task));
}

static __attribute__((noinline)) void end_context(edo_task *task)
{
    edo_context_unref(edo__task_context(task));
    edo__task_set_context(task, NULL);
}

void edo__task_finish(edo_task *task)
{
    if (edo__unlikely(edo__task_context(task) != NULL)) end_context(task);
    edo__task_extra *extra = edo__task_extra_of(task);
    edo_scope *scope = extra ? extra->scope : NULL;
    edo_plain_write(&edo__task_frame(task)->result);
    int64_t result = edo__task_frame(task)->result;
    if (edo__unlikely(result < 0)) edo__failure_note(task, result);
    edo__holders_task_ended(task);
    bool tracked = task->head.flags & EDO__TASK_TRACKED;
    if (edo__unlikely(tracked)) {
        edo_plain_write(&task->registry);
        task->registry = (edo__node){ NULL, NULL };
    }
    complete(task);
    if (edo__unlikely(tracked)) edo__handle_task_ended(task);
    if (scope) edo__scope_member_ended(task);
    edo__task_unref(task);
}

void edo__task_give_up(edo_task *task)
{
    if (edo__state_give_up(&task->state)) edo__wake_commit(prepare_joiner(task));
}
