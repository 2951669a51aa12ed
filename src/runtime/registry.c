/* The registry of a runtime's tasks. The registry has one shard per worker, each with its own
 * lock. */
#include "runtime/registry.h"
#include "runtime/hooks.h"
#include "task/end.h"
#include "task/trace.h"

enum { ID_BLOCK = 1024 }; // number of task ids that a worker reserves at a time

static edo_atomic(uint64_t) id_blocks = 1;

uint64_t edo__runtime_new_id(edo_runtime *runtime)
{
    edo__worker *worker = edo__worker_in(runtime);
    if (!worker) return edo_add_relaxed(&id_blocks, ID_BLOCK);
    if (worker->next_id == worker->last_id) {
        worker->next_id = edo_add_relaxed(&id_blocks, ID_BLOCK);
        worker->last_id = worker->next_id + ID_BLOCK;
    }
    return worker->next_id++;
}

static edo__shard *shard_of(const edo_task *task)
{
    return &task->runtime->workers[task->head.private_[EDO__WORKER_SHARD]]->shard;
}

/* ---- entering and leaving ---- */

/* Adds a task to a worker's shard. After the close of the shard, the task is refused. If the task
 * is added before the close, the drain finds the task, so the runtime cannot end before the task.
 * This function may also be called after the runtime's end. The lock can still be taken then,
 * because the caller's reference to the runtime keeps the worker's memory. */
static int enlist(edo__worker *worker, edo_task *task)
{
    edo__shard *shard = &worker->shard;
    task->head.private_[EDO__WORKER_SHARD] = (uint16_t)worker->index;
    edo__lock_take(&shard->lock);
    bool closed = shard->closed;
    if (!closed) {
        edo__list_push(&shard->tasks, &task->registry);
        edo_add_counter(&shard->spawned, 1);
    }
    edo__lock_give(&shard->lock);
    return closed ? -ESHUTDOWN : 0;
}

int edo__runtime_adopt(edo_runtime *runtime, edo_task *task)
{
    if (edo__unlikely(edo__runtime_is_stale(runtime))) return -ESTALE;
    edo__worker *worker = edo__worker_in(runtime);
    if (!worker) worker = runtime->workers[task->id / ID_BLOCK % runtime->base.worker_count];
    int rc = enlist(worker, task);
    if (rc < 0) return rc;
    edo__hooks_spawn(runtime, task);
    edo__runtime_push(runtime, task);
    return 0;
}

/* Removes an ended task. Under the lock of the shard, this function removes the task, and then
 * reads `closed`. The drain looks for tasks only after `closed` was set under the same lock. If
 * this function comes before the close, the drain does not find the task. If it comes after the
 * close, it finds `closed` set, and wakes the drain. */
void edo__runtime_dismiss(edo_task *task)
{
    edo_runtime *runtime = task->runtime;
    edo__shard *shard = shard_of(task);
    edo__lock_take(&shard->lock);
    edo__list_remove(&task->registry);
    edo_add_counter(&shard->ended, 1);
    bool closed = shard->closed;
    edo__lock_give(&shard->lock);
    if (edo__likely(!closed)) return;
    edo_add_relaxed(&runtime->end_count, 1);
    edo__sys_futex_wake(&runtime->end_count);
}

size_t edo_runtime_task_count(const edo_runtime *runtime)
{
    size_t count = 0;
    for (uint32_t i = 0, workers = edo__worker_total(runtime); i < workers; i++)
        count += edo__shard_count(&runtime->workers[i]->shard);
    return count;
}

/* ---- all tasks ---- */

static edo_task *ask_shard(edo__shard *shard, uint64_t fate, edo_task *chain)
{
    edo__lock_take(&shard->lock);
    edo__list_each(&shard->tasks, node)
        chain = edo__task_ask_chained(edo__container(node, edo_task, registry), fate, chain);
    edo__lock_give(&shard->lock);
    return chain;
}

void edo__runtime_ask_all(edo_runtime *runtime, uint64_t fate)
{
    edo_task *chain = NULL;
    for (uint32_t i = 0; i < edo__worker_total(runtime); i++)
        chain = ask_shard(&runtime->workers[i]->shard, fate, chain);
    edo__task_push_chain(chain);
}

/* Records a failure, closes the registry and cancels all tasks. Does nothing if an earlier failure
 * is recorded. */
void edo__runtime_fail(edo_runtime *runtime, int64_t result)
{
    int64_t none = 0;
    if (!edo_cas_relaxed(&runtime->failure, &none, result)) return;
    edo__runtime_close(runtime);
    edo__runtime_ask_all(runtime, EDO__CANCELLED);
}

int64_t edo_runtime_failure(const edo_runtime *runtime)
{
    return edo_load_relaxed(&runtime->failure);
}

static void close_shard(edo__shard *shard)
{
    edo__lock_take(&shard->lock);
    shard->closed = true;
    edo__lock_give(&shard->lock);
}

/* Closes the shards of all workers, even of a worker that is added meanwhile. This function writes
 * `is_closed`, and then reads `worker_total`. edo__runtime_add_worker() writes `worker_total`, and
 * then reads `is_closed`. Both have a seq_cst fence between the write and the read. So at least one
 * of them sees the write of the other, and closes the new worker's shard. */
void edo__runtime_close(edo_runtime *runtime)
{
    edo_store_relaxed(&runtime->is_closed, true);
    edo_fence_seq_cst();
    for (uint32_t i = 0; i < edo__worker_total(runtime); i++)
        close_shard(&runtime->workers[i]->shard);
}

void edo__runtime_add_worker(edo_runtime *runtime, edo__worker *worker)
{
    runtime->workers[worker->index] = worker;
    edo_store_release(&runtime->worker_total, worker->index + 1);
    edo_fence_seq_cst();
    if (edo_load_relaxed(&runtime->is_closed)) close_shard(&worker->shard);
}

bool edo__runtime_is_empty(edo_runtime *runtime)
{
    bool empty = true;
    for (uint32_t i = 0; i < edo__worker_total(runtime) && empty; i++) {
        edo__shard *shard = &runtime->workers[i]->shard;
        edo__lock_take(&shard->lock);
        empty = edo__list_is_empty(&shard->tasks);
        edo__lock_give(&shard->lock);
    }
    return empty;
}

/* Logs a task that cannot be ended. The message has the task's place, unless the task is
 * running. */
static void name_lost(edo_task *task)
{
    char place[EDO__PLACE_SIZE] = "";
    uint64_t before = edo__state_inspect(&task->state);
    if (!(before & (EDO__RUNNING | EDO__COMPLETE | EDO__INSPECTED))) {
        edo__describe_place(task, place);
        if (edo__state_release(&task->state, before)) edo__runtime_push(task->runtime, task);
    }
    edo__log(EDO_LOG_ERROR,
             "%s: task '%s' #%llu, spawned at %s:%u%s, cannot be ended and is leaked",
             task->runtime->config.name, edo_task_name(task), (unsigned long long)task->id,
             task->site->file, task->site->line, place);
}

/* Gives up the tasks of a shard. The tasks remain in the registry, and the runtime is not freed,
 * because a worker that is stuck in a task may later run that task to its end. */
static int64_t give_up_shard(edo__shard *shard)
{
    int64_t count = 0;
    edo__lock_take(&shard->lock);
    edo__list_each(&shard->tasks, node) {
        edo_task *task = edo__container(node, edo_task, registry);
        name_lost(task);
        edo__task_give_up(task);
        count++;
    }
    edo__lock_give(&shard->lock);
    return count;
}

int64_t edo__runtime_give_up(edo_runtime *runtime)
{
    int64_t count = 0;
    for (uint32_t i = 0; i < edo__worker_total(runtime); i++)
        count += give_up_shard(&runtime->workers[i]->shard);
    return count;
}
