/* Wait lists: operations that wait for something which a lock guards. Joins of scopes, pools,
 * listeners, streams, channels and locks all wait here.
 *
 * The list belongs to its owner, and so does the lock; it is one pointer, and all zero is an empty
 * one. The operation itself is the node: it lies in the frame of the function that waits, and leaves
 * the list before that frame ends.
 *
 *     IDLE ---- enqueue, by the poll of the operation, under the lock -------> PARKED
 *     PARKED -- leave, by the poll: cancelled, or tries again ---------------> IDLE
 *     PARKED -- wake, by any thread, under the lock: unlinks ----------------> WOKEN
 *     WOKEN --- the poll sees it: it has been served, or may try again ------> IDLE
 *
 * Of leave and wake, the first under the lock decides. So a cancelled operation knows whether it
 * was served: one that was served and does not want it hands it on, under the same lock.
 *
 * A hand-over. The waker writes what it hands over into the operation (its result, its output)
 * before edo__wait_wake(), under the lock; the poll reads it after edo__wait_goes_on() answered
 * false.
 *
 * The owner may end as soon as its last waiter has seen the wake, while the waker still holds the
 * owner's lock. So a poll that was woken first sees that the waker has left: it takes the lock once,
 * or reads its word as free (edo__wait_is_over). The word cannot be read as it was before the waker
 * took the lock: that came before WOKEN, which was acquired. The waker touches nothing of the owner
 * after it has given the lock.
 *
 * Wakes have two steps (task.h). The first is made under the lock; the queue entries that it yields
 * are chained through the tasks, so that any number of waiters is woken in one critical section, and
 * all are pushed after it.
 */
#pragma once

#include "base/lock.h"
#include "task/op.h"

typedef struct edo__wait_list {
    edo_op *first; // of a ring of operations through link.node; NULL: empty; the lock
} edo__wait_list;

/* Tasks to be pushed once the lock is given, in the order of their wakes. */
typedef struct edo__wakes {
    edo_task *first, *last;
} edo__wakes;

static inline bool edo__wait_list_is_empty(const edo__wait_list *list)
{
    return !list->first;
}

/* Appends an operation; waker is the one of this poll. Under the lock, inside a poll. */
void edo__wait_enqueue(edo__wait_list *list, edo_op *op, edo_wakeable *waker);

/* Takes an operation out again. Returns: false when it was woken, and so served, before; then it is
 * the caller's to use or to hand on. Under the lock, inside a poll. */
bool edo__wait_leave(edo__wait_list *list, edo_op *op);

/* Whether an operation still waits; then waker, the one of this poll, is woken from now on.
 * Under the lock, inside a poll. */
bool edo__wait_goes_on(edo_op *op, edo_wakeable *waker);

/* Whether an operation was woken, and its waker has left; then it is IDLE. Without the lock, inside a
 * poll; false says nothing. */
static inline bool edo__wait_is_over(edo__lock *lock, edo_op *op)
{
    if (edo_load_acquire(&op->word) != EDO__OP_WOKEN || !edo__lock_is_free(lock)) return false;
    edo_store_relaxed(&op->word, EDO__OP_IDLE);
    return true;
}

/* Wakes one of the list: unlinks it and adds it to the tasks to push. Under the lock. */
void edo__wait_wake(edo__wait_list *list, edo_op *op, edo__wakes *wakes);

/* Wakes all. Under the lock. */
void edo__wait_wake_all(edo__wait_list *list, edo__wakes *wakes);

/* Has the tasks of all polled again; the operations stay in the list. Under the lock. */
void edo__wait_repoll_all(edo__wait_list *list, edo__wakes *wakes);

/* The one that waits longest; NULL: none. Under the lock. */
static inline edo_op *edo__wait_first(const edo__wait_list *list)
{
    return list->first;
}

/* The one that came last; NULL: none. Under the lock. */
static inline edo_op *edo__wait_last(const edo__wait_list *list)
{
    return list->first ? list->first->link.node.prev : NULL;
}

/* The one behind it; NULL: it is the last. Under the lock. */
static inline edo_op *edo__wait_next(const edo__wait_list *list, const edo_op *op)
{
    edo_op *next = op->link.node.next;
    return next == list->first ? NULL : next;
}

/* The links alone, for owners whose operations leave the list before their wait is over, as jobs do
 * that a thread runs: the word stays PARKED. Under the lock. */
void edo__wait_append(edo__wait_list *list, edo_op *op);
void edo__wait_unlink(edo__wait_list *list, edo_op *op);

/* Adds a prepared wake to the tasks to push; NULL is ignored. */
void edo__wakes_add(edo__wakes *wakes, edo_wakeable *prepared);

/* Pushes the tasks. Without the lock. */
void edo__wakes_commit(edo__wakes *wakes);
