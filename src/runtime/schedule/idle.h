/* The inject queue of a runtime, and the list of its sleeping workers.
 *
 * One lock guards the queue and the list, so no wake is lost. Before a sleep, a worker inspects the
 * queue and enters the list under the lock. A pusher appends to the queue and takes a sleeper out
 * of the list under the lock. So either the worker finds the task, or the pusher finds the worker.
 * Pushes from foreign threads take the lock. A worker takes the lock only to take a share of the
 * queue, to wake another worker, to enter or leave the list, or to end a search.
 *
 * Tasks in a worker's own queues need no wake of another worker, because a worker does not sleep
 * before these tasks have run. Wakes for these tasks only improve speed (work.c).
 *
 * While a worker searches, a push wakes no other worker, and relies on the searcher to find the
 * task. After a failed search, the searcher enters the list under the lock, and no longer counts as
 * a searcher. It then inspects all queues once more. If a task was pushed before the searcher
 * entered the list, this inspection finds the task. If a task is pushed later, the push finds this
 * worker in the list, and can wake it. */
#pragma once

#include "runtime/runtime.h"

/* Appends tasks, linked through queue_next, and wakes a worker for them. Thread: any. */
void edo__inject_push(edo_runtime *runtime, edo_task *first, edo_task *last, size_t count);

/* Moves at most `most` tasks into the worker's ring, which must have room for these tasks. Thread:
 * the owner. Returns: the number of moved tasks. */
size_t edo__inject_take(edo__worker *worker, size_t most);

/* Wakes a sleeping worker, unless a worker is searching. Thread: any. */
void edo__idle_wake_one(edo_runtime *runtime);

/* Wakes a sleeping worker, even while another worker searches. Thread: any. Returns: whether a
 * worker slept. */
bool edo__idle_wake_any(edo_runtime *runtime);

/* Enters the worker into the list of sleepers. A spare worker is never in the list. Thread: the
 * owner.
 * Returns: whether the worker may sleep. If false, the worker is not in the list. */
bool edo__idle_enter(edo__worker *worker);

/* Takes the worker out of the list of sleepers after its sleep. Does nothing if the thread that
 * woke the worker has already taken it out. Thread: the owner. */
void edo__idle_leave(edo__worker *worker);

/* Begins a search, unless too many workers search. Thread: the owner. Returns: whether the worker
 * searches. */
bool edo__idle_begin_search(edo__worker *worker);

/* Ends a search that has found tasks, or that is not followed by sleep. Thread: the owner. */
void edo__idle_end_search(edo__worker *worker);
