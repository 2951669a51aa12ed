/* The quarantine of ended tasks, and the list of ended tasks whose handles were not returned. */
#include "task/handle.h"

#include <string.h>

#include "task/executor.h"

/* ---- stale handles ---- */

void edo__check_handle_slow(const char *call, const edo_task *task)
{
    uint64_t state = edo_load_relaxed(&task->state);
    if (state >= EDO__REF && ((state & EDO__JOIN_INTEREST) || task == edo__current_task())) return;
    edo__misuse(
        call, "the handle of task '%s' #%llu, spawned at %s:%u, was already joined or detached",
        edo__task_name(task), (unsigned long long)task->id, task->site->file, task->site->line);
}

/* ---- the state of this file, which edo__runtimes_lock() guards ---- */

/* The quarantine: a ring of ended tasks. */
enum {
    QUARANTINE_TASKS = 512,
    QUARANTINE_LARGEST = 16 * 1024, // bytes of a frame; larger tasks are freed at once
    ENDED_BYTE = 0xdd,              // fills the frame of an ended task
};
static edo_task *quarantine[QUARANTINE_TASKS]; // a ring; NULL: free
static uint32_t quarantine_next;

/* Ended TRACKED tasks whose handle was not returned, linked through task->registry. */
static edo__node leaks = { &leaks, &leaks };

static uint32_t generation; // fork generation of the process that filled the ring and the list

/* Takes the lock. In the child of a fork, the first call empties the ring and the list, because the
 * fork may have copied them, and the tasks in them, during a change. Returns: whether a runtime
 * exists. */
static bool lock_ended(void)
{
    bool is_any = edo__runtimes_lock();
    uint32_t mine = edo__sys_fork_generation();
    if (generation == mine) return is_any;
    edo__list_init(&leaks);
    memset(quarantine, 0, sizeof quarantine);
    generation = mine;
    return is_any;
}

/* ---- the quarantine ---- */

/* Keeps the task only while a runtime exists, because the end of the last runtime empties the
 * quarantine. */
edo_task *edo__quarantine_put(edo_task *task)
{
    uint32_t size = task->site->ops->size;
    if (size > QUARANTINE_LARGEST) return task;
    memset(edo__task_frame(task), ENDED_BYTE, size);
    if (lock_ended()) {
        edo_task **place = &quarantine[quarantine_next++ % QUARANTINE_TASKS];
        edo_task *oldest = *place;
        *place = task;
        task = oldest;
    }
    edo__runtimes_unlock();
    return task;
}

static edo_task *take_quarantined(uint32_t i)
{
    lock_ended();
    edo_task *task = quarantine[i];
    quarantine[i] = NULL;
    edo__runtimes_unlock();
    return task;
}

void edo__quarantine_empty(void)
{
    for (uint32_t i = 0; EDO__QUARANTINE && i < QUARANTINE_TASKS; i++) {
        edo_task *task = take_quarantined(i);
        if (task) edo__task_free(task);
    }
}

/* ---- leaked handles ---- */

enum { NAMED_LEAKS = 16 }; // largest number of leaked tasks that are logged, in a line each

static edo_task *task_at(edo__node *node)
{
    return edo__container(node, edo_task, registry);
}

static void unlink_leak(edo_task *task)
{
    edo__list_remove(&task->registry);
    task->registry = (edo__node){ NULL, NULL };
}

/* The node task->registry is free for the list, because the poller took the task out of the
 * registry and cleared the node before the task became COMPLETE. In the child of a fork, a task of
 * the parent's runtime is in no list, and is not added to the list. Its node may still have links
 * of the parent's list, which are not used. */
void edo__handle_task_ended(edo_task *task)
{
    lock_ended();
    bool is_leak = edo_load_relaxed(&task->state) & EDO__JOIN_INTEREST;
    if (is_leak && !edo__runtime_is_stale(task->runtime)) edo__list_push(&leaks, &task->registry);
    edo__runtimes_unlock();
}

/* The lock orders this function with edo__handle_task_ended(). If this function is first,
 * edo__handle_task_ended() finds JOIN_INTEREST clear, and does not add the task to the list. If
 * this function is second, it finds the task in the list. The read-modify-write acquires, because
 * the node belongs to the poller until edo__state_complete() sets COMPLETE with release. */
void edo__handle_returned(edo_task *task)
{
    lock_ended();
    uint64_t old = edo_and_acq_rel(&task->state, ~(uint64_t)EDO__JOIN_INTEREST);
    if (old & EDO__COMPLETE) edo_plain_read(&task->registry);
    bool is_leak = (old & EDO__COMPLETE) && task->registry.next;
    if (is_leak && !edo__runtime_is_stale(task->runtime)) unlink_leak(task);
    edo__runtimes_unlock();
}

/* Takes a task out of the list. Also takes a reference to the task, because the handle may be
 * returned before the caller has finished with the task. */
static edo_task *take_leak(const edo_runtime *runtime)
{
    edo_task *found = NULL;
    lock_ended();
    edo__list_each(&leaks, node) {
        if (task_at(node)->runtime != runtime) continue;
        found = task_at(node);
        edo_waker_ref(&found->head);
        unlink_leak(found);
        break;
    }
    edo__runtimes_unlock();
    return found;
}

static void name_leak(const edo_runtime *runtime, const edo_task *task)
{
    edo__log(EDO_LOG_WARN,
             "%s: the handle of task '%s' #%llu, spawned at %s:%u, was neither joined nor detached",
             edo__executor_of(runtime)->name, edo__task_name(task), (unsigned long long)task->id,
             task->site->file, task->site->line);
}

void edo__handles_report(const edo_runtime *runtime)
{
    uint32_t count = 0;
    for (edo_task *task; (task = take_leak(runtime)); count++) {
        if (count < NAMED_LEAKS) name_leak(runtime, task);
        edo__task_unref(task);
    }
    if (count > NAMED_LEAKS)
        edo__log(EDO_LOG_WARN, "%s: %u more handles were neither joined nor detached",
                 edo__executor_of(runtime)->name, count - NAMED_LEAKS);
}
