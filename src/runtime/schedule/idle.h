/* What the workers of a runtime share: the inject queue, and who sleeps.
 *
 * One lock guards both, so that no wake is lost: a worker that is about to sleep looks at the queue
 * and enters the list of sleepers under it; who pushes a task takes a sleeper out under it. Either
 * the worker finds the task, or the pusher finds the worker. It is taken by pushes from foreign
 * threads, by workers that take a share of the queue, wake another one, go to sleep or have slept:
 * not by spawns, wakes and polls among workers.
 *
 * Tasks in a worker's own queue need no wake of others to be run: their worker does not sleep
 * before. To wake others for them is a matter of speed (work.c), and of nothing else.
 *
 * While a worker searches nobody wakes another one. A worker that stops searching without having
 * found anything goes to sleep by way of the lock, and then looks at all queues once more: so what
 * was pushed while it searched is found by it, or wakes it. */
#pragma once

#include "runtime/runtime.h"

/* Appends tasks, linked through queue_next, and wakes a worker for them. Any thread. */
void edo__inject_push(edo_runtime *runtime, edo_task *first, edo_task *last, size_t count);

/* Moves at most `most` tasks into the worker's queue, which has room. Owner. Returns: how many. */
size_t edo__inject_take(edo__worker *worker, size_t most);

/* Wakes a worker, unless one searches already or none sleeps. Any thread. */
void edo__idle_wake_one(edo_runtime *runtime);

/* Wakes a worker that sleeps, whether or not others search. Returns: whether one does. */
bool edo__idle_wake_any(edo_runtime *runtime);

/* Enters the worker into the list of sleepers; a spare one only says that it rests.
 * Returns: false when there is work: then it is not in it. Owner. */
bool edo__idle_enter(edo__worker *worker);

/* A spare one's thread begins. Owner. */
void edo__idle_arrive(edo__worker *worker);

/* The worker is awake: takes it out, unless who woke it has. Owner. */
void edo__idle_leave(edo__worker *worker);

/* Before a look at its driver under a paused test clock. Owner. */
void edo__idle_begin_look(edo__worker *worker);

/* A paused test clock goes on to the next deadline (edo__clock_skip), on behalf of a worker that has
 * entered: if all workers sleep, spare ones rest, no pinned task waits to be taken, and each has
 * looked at its driver since any of them last polled a task, and once more since all of them had.
 * Otherwise one who has not is woken to do so; the last of them asks again. A spare one does not move
 * it, but wakes a worker that does. Owner. Returns: whether it goes on. */
bool edo__idle_skip_clock(edo__worker *worker);

/* Enters the search, if not too many search. Owner. */
bool edo__idle_begin_search(edo__worker *worker);

/* It has found something, or will not go to sleep by way of the list. Owner. */
void edo__idle_end_search(edo__worker *worker);
