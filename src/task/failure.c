/* Failed tasks: reports, and the reactions that edo_config.on_failure and scopes ask for. */
#include "task/failure.h"

#include "base/base.h"
#include "task/executor.h"

void edo__failure_report(edo_task *task, int64_t result, bool ends)
{
    edo__log(EDO_LOG_ERROR, "%s: task '%s' #%llu, spawned at %s:%u, has failed: %s%s",
             edo__executor_of(task->runtime)->name, edo__task_name(task),
             (unsigned long long)task->id, task->site->file, task->site->line, edo_strerror(result),
             ends ? "; the runtime ends" : "");
    if (ends) edo__runtime_fail(task->runtime, result);
}

/* Handles the failure of a task that has neither a handle nor a scope. Called for a negative
 * result, while the task is RUNNING. If another thread is detaching the task's handle at this
 * moment, the task may still be treated as one with a handle. */
void edo__failure_note(edo_task *task, int64_t result)
{
    uint64_t state = edo_load_relaxed(&task->state);
    edo__task_extra *extra = edo__task_extra_of(task);
    bool was_cancelled = state & (EDO__CANCELLED | EDO__ABORTED);
    edo_on_failure policy = edo__executor_of(task->runtime)->on_failure;
    if (policy == EDO_FAILURE_IGNORE || (state & EDO__JOIN_INTEREST) || (extra && extra->scope))
        return;
    if (result != -ECANCELED || !was_cancelled)
        edo__failure_report(task, result, policy == EDO_FAILURE_END);
}
