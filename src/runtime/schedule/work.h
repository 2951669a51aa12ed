/* Choice of a worker's next task. */
#pragma once

#include "runtime/runtime.h"

/* Cost of waking a worker. No worker is woken for less work than this cost. */
#define EDO__WAKE_COST edo_us(20)

/* Queues a task. Thread: the owner. */
void edo__worker_push(edo__worker *worker, edo_task *task);

/* Queues a task that only this worker runs. Thread: the owner. */
static inline void edo__worker_push_local(edo__worker *worker, edo_task *task)
{
    task->queue_next = NULL;
    *worker->local.end = task;
    worker->local.end = &task->queue_next;
    worker->local.count++;
}

/* Queues a task where other workers can take it. Thread: the owner. */
void edo__worker_push_shared(edo__worker *worker, edo_task *task);

/* Requeues a task that is ready again after a long poll. Other tasks that are woken later may run
 * before it (edo__worker_take_yielded). Thread: the owner. */
void edo__worker_push_yielded(edo__worker *worker, edo_task *task);

/* Queues a task behind the worker's other tasks. Thread: the owner. */
static inline void edo__worker_push_back(edo__worker *worker, edo_task *task)
{
    if (!worker->is_shared || edo__task_home(task))
        edo__worker_push_local(worker, task);
    else
        edo__worker_push_shared(worker, task);
}

/* Pops a task of the local list. Also prefetches the next task, because calls on sockets evict much
 * of the cache during a poll. The caller subtracts the popped tasks from `local.count`. In a
 * current-thread runtime, it does so once per turn, otherwise at once. */
static inline edo_task *edo__worker_pop_local(edo__worker *worker)
{
    edo_task *task = worker->local.first;
    if (!task) return NULL;
    worker->local.first = task->queue_next;
    if (worker->local.first)
        edo__task_prefetch(worker->local.first);
    else
        worker->local.end = &worker->local.first;
    return task;
}

edo_task *edo__worker_pop_shared(edo__worker *worker);

/* Pops the worker's next task, or returns NULL if the worker has no tasks. Thread: the owner. */
static inline edo_task *edo__worker_pop(edo__worker *worker)
{
    return worker->is_shared ? edo__worker_pop_shared(worker) : edo__worker_pop_local(worker);
}

/* Whether the worker has tasks of its own. Thread: the owner. */
bool edo__worker_has_tasks(const edo__worker *worker);

/* Moves tasks from the queues of one other worker. Thread: the owner. Returns: whether there were
 * tasks. */
bool edo__worker_steal(edo__worker *worker);

/* Unless enough workers search: searches other workers' queues and the inject queue, and moves
 * found tasks to the worker's queues. Thread: the owner. Returns: whether the worker has tasks
 * after the search. */
bool edo__worker_search(edo__worker *worker);

/* Wakes another worker if the waiting tasks of this worker are worth the cost of a wake. Thread:
 * the owner. */
void edo__worker_consider_waking(edo__worker *worker);

/* Moves one task from the list `yielded` to the ring, if the ring is empty, or if the list was
 * passed over in several turns. Thread: the owner. */
void edo__worker_take_yielded(edo__worker *worker);

/* Takes a share of the overflow list. `now` is the time of edo__sys_now(). Thread: the owner. */
void edo__worker_take_overflow(edo__worker *worker, int64_t now);

/* Takes a share of the runtime's inject queue. Thread: the owner. */
void edo__worker_take_injected(edo__worker *worker);

/* Takes tasks from the queues of a stuck worker. Skips a queue if the corresponding queue of
 * `worker` is not empty. Thread: the owner of `worker`. */
void edo__worker_rob(edo__worker *worker, edo__worker *victim);

/* Takes the tasks of the worker's inject stack. Thread: the owner. */
void edo__worker_drain_inject(edo__worker *worker);

/* Hands a task to a worker. Thread: any. Async-signal-safe. */
void edo__worker_push_foreign(edo__worker *worker, edo_task *task);
