/* Functions that queue tasks, from any thread. */
#include "runtime/push.h"
#include "runtime/schedule/idle.h"
#include "runtime/schedule/work.h"

/* Pushes a task from a thread without a worker, or to another worker. In the child of a fork, a
 * push to a runtime with threads is dropped, because the child does not have these threads. */
static __attribute__((noinline)) void push_from_afar(edo_runtime *runtime, edo_task *task)
{
    uint32_t home = edo__task_home(task);
    if (runtime->has_threads && edo__runtime_is_stale(runtime)) return;
    edo_add_relaxed(&runtime->visitors, 1);
    if (!runtime->has_threads || home) {
        edo__worker_push_foreign(runtime->workers[home ? home - 1 : 0], task);
    } else {
        edo_add_figure(&runtime->foreign_pushes, 1);
        edo__inject_push(runtime, task, task, 1);
    }
    edo_sub_release(&runtime->visitors, 1); // partner: wait_for_visitors
}

void edo__runtime_push(edo_runtime *runtime, edo_task *task)
{
    edo__worker *worker = edo__worker_in(runtime);
    uint32_t home = edo__task_home(task);
    if (edo__likely(worker && (!home || home == worker->index + 1)))
        edo__worker_push(worker, task);
    else
        push_from_afar(runtime, task);
}

/* Pushes a task from a signal handler. A signal handler must not take the lock of the inject queue.
 * So the task goes to the inject stack of a worker: the worker to which the task is pinned, or else
 * the first worker. `visitors` keeps the runtime in memory until the last access of this push. */
void edo__runtime_push_foreign(edo_runtime *runtime, edo_task *task)
{
    uint32_t home = edo__task_home(task);
    edo_add_relaxed(&runtime->visitors, 1);
    edo__worker_push_foreign(runtime->workers[home ? home - 1 : 0], task);
    edo_sub_release(&runtime->visitors, 1); // partner: wait_for_visitors
}
