/* Condition variables. A wait is one operation with two parts. The first part waits in the queue of
 * the condition variable. The second part waits in the queue of the mutex, as edo_mutex_lock()
 * does.
 *
 *     first poll:  enters the queue, then unlocks the mutex; a later signal finds the waiter
 *     woken or cancelled:  becomes a request for the mutex, which no cancellation ends
 *     locked:      returns the outcome of the first part
 *
 * The word is 1 while the queue is not empty. A signal that reads 0 does nothing. No wake is lost.
 * A waiter writes the word before it unlocks the mutex. A task that then changes the condition
 * locks the mutex after that unlock. So the task's signal, which follows the change, reads what the
 * waiter wrote. */
#include <edo/condvar.h>

#include "base/base.h"
#include "sync/queue.h"

/* Parts of a wait. In the first part `object` is the condition variable and `data` the mutex. In
 * the second part the two are swapped. */
enum { WAITS, LOCKS, LOCKS_CANCELLED }; // edo_op.length
enum { BY_ALL, BY_ONE };                // base.result between wake and poll

static edo__wait_list *waiters_of(edo_condvar *condvar)
{
    return edo__waiters_of(&condvar->waiters);
}

/* Sets the word to 1 if operations wait, otherwise to 0. Called under the lock. */
static void note_waiters(edo_condvar *condvar)
{
    edo_store_relaxed(&condvar->word, !edo__wait_list_is_empty(waiters_of(condvar)));
}

/* Wakes the first waiter. Called under the lock. */
static void signal_one(edo_condvar *condvar, edo__wakes *wakes)
{
    edo_op *op = edo__wait_first(waiters_of(condvar));
    if (op) {
        op->base.result = BY_ONE;
        edo__wait_wake(waiters_of(condvar), op, wakes);
    }
    note_waiters(condvar);
}

static int64_t cancel(edo_condvar *condvar, edo_op *op, edo__wakes *wakes)
{
    if (edo__wait_leave(waiters_of(condvar), op))
        note_waiters(condvar);
    else if (op->base.result == BY_ONE)
        signal_one(condvar, wakes);
    return -ECANCELED;
}

static int64_t step(edo_condvar *condvar, edo_op *op, edo_cx *cx, edo__wakes *wakes)
{
    if (edo_load_relaxed(&op->word) == EDO__OP_IDLE) {
        edo__wait_enqueue(waiters_of(condvar), op, cx->waker);
        note_waiters(condvar);
        return -EAGAIN;
    }
    if (cx->fate != EDO_LIVE) return cancel(condvar, op, wakes);
    return edo__wait_goes_on(op, cx->waker) ? -EAGAIN : 0;
}

/* Performs the first part of a wait. Returns: 0 or -ECANCELED if the first part is over; -EAGAIN if
 * the operation waits. */
static int64_t poll_wait(edo_op *op, edo_cx *cx)
{
    edo_condvar *condvar = op->object;
    edo__wakes wakes = { NULL, NULL };
    bool is_new = edo_load_relaxed(&op->word) == EDO__OP_IDLE;
    edo__brief_take(&condvar->lock);
    int64_t result = step(condvar, op, cx, &wakes);
    edo__brief_give(&condvar->lock);
    edo__wakes_commit(&wakes);
    if (is_new) edo_mutex_unlock(op->data);
    return result;
}

static void turn_to_mutex(edo_op *op, int64_t result)
{
    edo_mutex *mutex = op->data;
    op->data = op->object;
    op->object = mutex;
    op->length = result < 0 ? LOCKS_CANCELLED : LOCKS;
}

static edo_poll poll_lock(edo_op *op, edo_cx *cx)
{
    uint8_t fate = cx->fate;
    cx->fate = EDO_LIVE;
    edo_poll poll = edo__mutex_lock_ops.poll(&op->base, cx);
    cx->fate = fate;
    if (poll == EDO_READY) op->base.result = op->length == LOCKS ? 0 : -ECANCELED;
    return poll;
}

static edo_poll wait_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (op->length == WAITS) {
        bool is_new = edo_load_relaxed(&op->word) == EDO__OP_IDLE;
        if (is_new && cx->fate != EDO_LIVE) return edo__op_finish(op, cx, -ECANCELED); // locked
        int64_t result = poll_wait(op, cx);
        if (result == -EAGAIN) return EDO_PENDING;
        turn_to_mutex(op, result);
    }
    return poll_lock(op, cx);
}

const edo_future_ops edo__condvar_wait_ops = { .name = "edo_condvar_wait", .poll = wait_poll };

void edo_condvar_signal(edo_condvar *condvar)
{
    edo__wakes wakes = { NULL, NULL };
    if (!edo_load_relaxed(&condvar->word)) return;
    edo__brief_take(&condvar->lock);
    signal_one(condvar, &wakes);
    edo__brief_give(&condvar->lock);
    edo__wakes_commit(&wakes);
}

void edo_condvar_broadcast(edo_condvar *condvar)
{
    edo__wakes wakes = { NULL, NULL };
    if (!edo_load_relaxed(&condvar->word)) return;
    edo__brief_take(&condvar->lock);
    edo__wait_wake_all(waiters_of(condvar), &wakes); // base.result is BY_ALL already
    note_waiters(condvar);
    edo__brief_give(&condvar->lock);
    edo__wakes_commit(&wakes);
}

_Static_assert(sizeof(edo_condvar) <= 16, "public layouts are fixed");

void edo_condvar_deinit(edo_condvar *condvar)
{
    edo__queue_end(&condvar->lock, waiters_of(condvar), false, "edo_condvar_deinit");
}
