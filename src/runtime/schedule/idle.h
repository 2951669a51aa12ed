/* The inject queue of a runtime, and the list of its sleeping workers.
 *
 * One lock guards both, so no wake is lost. Before its sleep a worker inspects the queue and
 * enters the list under the lock. A pusher appends to the queue and takes a sleeper out of the
 * list under the lock. Either the worker finds the task, or the pusher finds the worker. Pushes
 * from foreign threads take the lock. Workers take the lock when they take a share of the queue,
 * wake another worker, go to sleep or have slept. Spawns, wakes and polls among workers do not
 * take the lock.
 *
 * Tasks in a worker's own queues need no wake of other workers, because a worker does not sleep
 * before these tasks have run. Wakes for them only improve speed (work.c).
 *
 * No worker is woken while another one searches. After a failed search a worker takes the lock
 * to go to sleep, and then inspects all queues once more. So a task that was pushed during the
 * search is found by this inspection, or the push wakes this worker. */
#pragma once

#include "runtime/runtime.h"

/* Appends tasks, linked through queue_next, and wakes a worker for them. Thread: any. */
void edo__inject_push(edo_runtime *runtime, edo_task *first, edo_task *last, size_t count);

/* Moves at most `most` tasks into the worker's ring, which has room for them. Thread: the owner.
 * Returns: number of tasks. */
size_t edo__inject_take(edo__worker *worker, size_t most);

/* Wakes a sleeping worker, unless a worker is searching. Thread: any. */
void edo__idle_wake_one(edo_runtime *runtime);

/* Wakes a sleeping worker, even while others search. Thread: any. Returns: whether a worker
 * slept. */
bool edo__idle_wake_any(edo_runtime *runtime);

/* Enters the worker into the list of sleepers; a spare worker is never in the list. Thread: the
 * owner.
 * Returns: false if there is work; the worker is not in the list then. */
bool edo__idle_enter(edo__worker *worker);

/* Takes an awake worker out of the list, unless its waker has done so. Thread: the owner. */
void edo__idle_leave(edo__worker *worker);

/* Begins a search, unless too many workers search. Thread: the owner. Returns: whether the worker
 * searches. */
bool edo__idle_begin_search(edo__worker *worker);

/* Ends a search that has found tasks, or that is not followed by sleep. Thread: the owner. */
void edo__idle_end_search(edo__worker *worker);
