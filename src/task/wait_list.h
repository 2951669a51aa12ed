/* Wait lists: operations that wait for state guarded by a lock. Joins of scopes, pools, listeners,
 * streams, channels and locks all wait here.
 *
 * List and lock belong to one owner. The list is a single pointer; NULL is an empty list. The
 * operation itself is the node: it lies in the frame of the function that waits, and leaves the
 * list before that frame ends.
 *
 *     IDLE ---- enqueue, by the poll of the operation, under the lock -------> PARKED
 *     PARKED -- leave, by the poll: cancelled, or tries again ---------------> IDLE
 *     PARKED -- wake, by any thread, under the lock: unlinks ----------------> WOKEN
 *     WOKEN --- the poll sees it: it has been served, or may try again ------> IDLE
 *
 * Of leave and wake, the first under the lock decides. So a cancelled operation knows whether it
 * was served. If it was, and cannot use what it was given, it hands that on under the same lock.
 *
 * A hand-over. The waker writes what it hands over into the operation (its result, its output)
 * before edo__wait_wake(), under the lock; the poll reads it after edo__wait_goes_on() answered
 * false.
 *
 * The owner may end as soon as its last waiter has seen the wake, while the waker still holds the
 * owner's lock. So a woken poll first makes sure that the waker has left: it takes the lock once, or
 * reads its word as free (edo__wait_is_over). That read cannot miss the waker's lock: it was taken
 * before WOKEN was stored, and WOKEN was acquired. The waker accesses nothing of the owner after it
 * has released the lock.
 *
 * Wakes have two steps (task.h). The first is made under the lock. The resulting queue entries are
 * chained through the tasks: so one critical section wakes any number of waiters, and all tasks are
 * pushed after it.
 */
#pragma once

#include "base/lock.h"
#include "task/op.h"

typedef struct edo__wait_list {
    edo_op *first; // ring of operations through link.node; NULL: empty; the lock
} edo__wait_list;

/* Tasks to be pushed once the lock is released, in the order of their wakes. */
typedef struct edo__wakes {
    edo_task *first, *last;
} edo__wakes;

static inline bool edo__wait_list_is_empty(const edo__wait_list *list)
{
    return !list->first;
}

/* Appends an operation; waker: of this poll. Under the lock, inside a poll. */
void edo__wait_enqueue(edo__wait_list *list, edo_op *op, edo_wakeable *waker);

/* Takes an operation out again. Returns: false when it was woken, and so served, before; the caller
 * then uses what it was given, or hands it on. Under the lock, inside a poll. */
bool edo__wait_leave(edo__wait_list *list, edo_op *op);

/* Whether an operation still waits. If so, its waker is replaced by the one of this poll. Under the
 * lock, inside a poll. */
bool edo__wait_goes_on(edo_op *op, edo_wakeable *waker);

/* Whether an operation was woken, and its waker has left; then it is IDLE. Without the lock, inside a
 * poll; false says nothing. */
static inline bool edo__wait_is_over(edo__lock *lock, edo_op *op)
{
    if (edo_load_acquire(&op->word) != EDO__OP_WOKEN || !edo__lock_is_free(lock)) return false;
    edo_store_relaxed(&op->word, EDO__OP_IDLE);
    return true;
}

/* Wakes one operation: unlinks it and adds its task to the tasks to push. Under the lock. */
void edo__wait_wake(edo__wait_list *list, edo_op *op, edo__wakes *wakes);

/* Wakes all operations. Under the lock. */
void edo__wait_wake_all(edo__wait_list *list, edo__wakes *wakes);

/* Wakes the tasks of all operations, to poll them again; the operations stay in the list. Under the
 * lock. */
void edo__wait_repoll_all(edo__wait_list *list, edo__wakes *wakes);

/* The operation that has waited longest; NULL: none. Under the lock. */
static inline edo_op *edo__wait_first(const edo__wait_list *list)
{
    return list->first;
}

/* The operation that was appended last; NULL: none. Under the lock. */
static inline edo_op *edo__wait_last(const edo__wait_list *list)
{
    return list->first ? list->first->link.node.prev : NULL;
}

/* The operation behind `op`; NULL: op is the last. Under the lock. */
static inline edo_op *edo__wait_next(const edo__wait_list *list, const edo_op *op)
{
    edo_op *next = op->link.node.next;
    return next == list->first ? NULL : next;
}

/* Link and unlink without a change of the word, which stays PARKED: for operations that leave the
 * list before their wait is over, as a job does when a thread begins to run it. Under the lock. */
void edo__wait_append(edo__wait_list *list, edo_op *op);
void edo__wait_unlink(edo__wait_list *list, edo_op *op);

/* Adds a prepared wake to the tasks to push; NULL is ignored. */
void edo__wakes_add(edo__wakes *wakes, edo_wakeable *prepared);

/* Pushes the tasks. Without the lock. */
void edo__wakes_commit(edo__wakes *wakes);
