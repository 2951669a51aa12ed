/* The inject queue of a runtime, and the list of its sleeping workers.
 *
 * One lock guards both, so that no wake is lost. A worker that is about to sleep inspects the queue
 * and enters the list under the lock; a pusher takes a sleeper out under it. Either the worker
 * finds the task, or the pusher finds the worker. Pushes from foreign threads take the lock, and
 * workers that take a share of the queue, wake another one, go to sleep or have slept. Spawns,
 * wakes and polls among workers do not.
 *
 * Tasks in a worker's own queue need no wake of others, because their worker does not sleep before
 * it has run them. Wakes for them only improve speed (work.c).
 *
 * No worker is woken while another one searches. A worker whose search has failed goes to sleep by
 * way of the lock, and then inspects all queues once more. So a task that was pushed during the
 * search is found, or its push wakes this worker. */
#pragma once

#include "runtime/runtime.h"

/* Appends tasks, linked through queue_next, and wakes a worker for them. Any thread. */
void edo__inject_push(edo_runtime *runtime, edo_task *first, edo_task *last, size_t count);

/* Moves at most `most` tasks into the worker's queue, which has room. Owner. Returns: their
 * number. */
size_t edo__inject_take(edo__worker *worker, size_t most);

/* Wakes a worker, unless one is searching or none sleeps. Any thread. */
void edo__idle_wake_one(edo_runtime *runtime);

/* Wakes a sleeping worker, even while others search. Returns: whether there was one. */
bool edo__idle_wake_any(edo_runtime *runtime);

/* Enters the worker into the list of sleepers; a spare worker enters none.
 * Returns: false when there is work; the worker is not in the list then. Owner. */
bool edo__idle_enter(edo__worker *worker);

/* The worker is awake: takes it out of the list, unless its waker has done so. Owner. */
void edo__idle_leave(edo__worker *worker);

/* Enters the search, if not too many search. Owner. */
bool edo__idle_begin_search(edo__worker *worker);

/* Ends the search: with a find, or without entering the list of sleepers. Owner. */
void edo__idle_end_search(edo__worker *worker);
