/* Wait lists: operations that wait for state guarded by a lock. Joins, scopes, pools, listeners,
 * streams, channels and locks all use them.
 *
 * The list and the lock belong to one owner. The list is a single pointer, which is NULL if the
 * list is empty. The operation itself is the node. The operation is in the frame of the function
 * that waits, and leaves the list before that frame ends.
 *
 *     IDLE ---- enqueue, by the poll of the operation, under the lock -------> PARKED
 *     PARKED -- leave, by the poll: cancelled, or tries again ---------------> IDLE
 *     PARKED -- wake, by any thread, under the lock: unlinks ----------------> WOKEN
 *     WOKEN --- the poll sees it: served, or may try again ------------------> IDLE
 *
 * If `leave` and `wake` compete, the thread that takes the lock first wins. So a cancelled
 * operation knows whether it was served. A served operation that cannot use its grant passes the
 * grant on under the same lock.
 *
 * A grant is handed over under the lock. The waking thread writes the grant (the result, the
 * output) into the operation before edo__wait_wake(). The poll reads the grant after
 * edo__wait_goes_on() has returned false.
 *
 * The owner may end as soon as its last waiter has seen the wake, while the waking thread still
 * holds the owner's lock. So a woken poll first waits until the waking thread has released the
 * lock. To do so, the poll takes the lock once, or reads the lock's word and finds the lock free
 * (edo__wait_is_over). The read cannot return a value from before the waking thread took the lock,
 * because the waking thread took the lock before it stored WOKEN, and the poll has acquired WOKEN.
 * After its release of the lock, the waking thread accesses nothing of the owner.
 *
 * A wake has two steps (task.h). The first step is made under the lock. The resulting queue entries
 * are chained through the tasks. So one critical section can wake any number of waiters. All tasks
 * are pushed after the section.
 */
#pragma once

#include "base/lock.h"
#include "task/op.h"

typedef struct edo__wait_list {
    edo_op *first; // first operation of a ring through link.node; NULL: empty; guarded by the lock
} edo__wait_list;

/* Tasks to be pushed once the lock is released, in the order of their wakes. */
typedef struct edo__wakes {
    edo_task *first, *last;
} edo__wakes;

static inline bool edo__wait_list_is_empty(const edo__wait_list *list)
{
    return !list->first;
}

/* Appends an operation. `waker` is the waker of this poll. Called under the lock, inside a poll. */
void edo__wait_enqueue(edo__wait_list *list, edo_op *op, edo_wakeable *waker);

/* Moves the last operation to the front. Called under the lock. */
static inline void edo__wait_put_first(edo__wait_list *list, edo_op *last)
{
    list->first = last;
}

/* Takes an operation out of the list. Returns: false if the operation was already woken, and thus
 * served. The caller then uses the grant, or passes the grant on. Called under the lock, inside a
 * poll. */
bool edo__wait_leave(edo__wait_list *list, edo_op *op);

/* Whether an operation still waits. If so, replaces the operation's waker by the waker of this
 * poll. Called under the lock, inside a poll. */
bool edo__wait_goes_on(edo_op *op, edo_wakeable *waker);

/* Whether an operation was woken, and the waking thread has released the lock. If true, the
 * operation is now IDLE. If false, the caller must take the lock to learn whether the operation was
 * woken. Called without the lock, inside a poll. */
static inline bool edo__wait_is_over(edo__lock *lock, edo_op *op)
{
    if (edo_load_acquire(&op->word) != EDO__OP_WOKEN || !edo__lock_is_free(lock)) return false;
    edo_store_relaxed(&op->word, EDO__OP_IDLE);
    return true;
}

/* Wakes one operation: unlinks the operation, and adds its task to the tasks to push. Called under
 * the lock. */
void edo__wait_wake(edo__wait_list *list, edo_op *op, edo__wakes *wakes);

/* Wakes all operations. Called under the lock. */
void edo__wait_wake_all(edo__wait_list *list, edo__wakes *wakes);

/* Wakes the tasks of all operations, but leaves the operations in the list. Called under the
 * lock. */
void edo__wait_repoll_all(edo__wait_list *list, edo__wakes *wakes);

/* The first operation, which has waited longest; NULL: the list is empty. Called under the lock. */
static inline edo_op *edo__wait_first(const edo__wait_list *list)
{
    return list->first;
}

/* The last operation; NULL: the list is empty. Called under the lock. */
static inline edo_op *edo__wait_last(const edo__wait_list *list)
{
    return list->first ? list->first->link.node.prev : NULL;
}

/* The operation after `op`; NULL: `op` is the last operation. Called under the lock. */
static inline edo_op *edo__wait_next(const edo__wait_list *list, const edo_op *op)
{
    edo_op *next = op->link.node.next;
    return next == list->first ? NULL : next;
}

/* Link and unlink an operation without a change of its word, which remains PARKED. Used for
 * operations that leave the list before their wait is over, such as a job that a thread begins to
 * run. Called under the lock. */
void edo__wait_append(edo__wait_list *list, edo_op *op);
void edo__wait_unlink(edo__wait_list *list, edo_op *op);

/* Adds a prepared wake to the tasks to push; NULL is ignored. */
void edo__wakes_add(edo__wakes *wakes, edo_wakeable *prepared);

/* Pushes the tasks. Called without the lock. */
void edo__wakes_commit(edo__wakes *wakes);
