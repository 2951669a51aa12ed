/* Mutexes.
 *
 *     0 ------------------- try, inline: CAS ----------------------------> LOCKED
 *     LOCKED -------------- unlock, inline: CAS --------------------------> 0
 *     LOCKED -------------- a request that must wait: CAS ----------------> LOCKED, WAITERS
 *     LOCKED, WAITERS ----- unlock, under the lock of the queue:
 *                           an overtaken first waiter: hand-over ---------> LOCKED
 *                           another first waiter: woken to try, and the
 *                           mutex is free --------------------------------> WOKEN [WAITERS]
 *     WOKEN --------------- a running task overtakes: CAS ----------------> LOCKED, WOKEN
 *     WOKEN --------------- the woken waiter locks, under the lock -------> LOCKED
 *     LOCKED, WOKEN ------- the woken waiter requeues at the front -------> LOCKED, WAITERS
 *
 * After a hand-over, the mutex is locked but idle until the new holder is scheduled. Every task
 * that requests the mutex in that time must wait too (a convoy). So an unlock at first only wakes
 * the waiter. A waiter that was overtaken gets a hand-over at the next unlock. A waiter can be
 * overtaken only between its first wake and the poll after that wake.
 *
 * A request does not retry in a loop before it waits. With two workers, such a loop made the
 * hold-and-yield benchmark slower by a third, and made no benchmark faster.
 *
 * WOKEN means that one waiter was woken to try and has not been polled yet. While WOKEN is set, an
 * unlock wakes no other waiter. The next poll of the woken waiter clears the bit, under the lock.
 * This poll also takes the mutex or requeues the waiter. If the waiter is cancelled, the poll
 * passes the wake on instead. While LOCKED or WOKEN is set, bits are cleared only under the lock of
 * the queue. The only exception is the CAS of an inline unlock, which succeeds only if LOCKED is
 * the only bit.
 *
 * No wake is lost. A request sets WAITERS by a CAS on a word that is LOCKED, under the lock of the
 * queue. If the holder's inline unlock precedes that CAS, the CAS fails, and the request reads the
 * word again. If the inline unlock follows that CAS, the inline unlock fails. The holder then takes
 * the lock of the queue, and finds the request there.
 *
 * Orders. Each unlock releases and each lock acquires, directly or through the lock of the
 * queue. */
#include <edo/locks.h>

#include "base/base.h"
#include "sync/queue.h"

enum { GRANTED = 0, TRY_AGAIN = 1 }; // base.result of a woken request
enum { OVERTAKEN = 1 };              // edo_op.detail

static edo__wait_list *waiters_of(edo_mutex *mutex)
{
    return edo__waiters_of(&mutex->waiters);
}

/* Locks the mutex, or sets WAITERS if the mutex is locked. Called under the lock of the queue.
 * Returns: whether the caller has locked the mutex. */
static bool take(edo_mutex *mutex)
{
    uint32_t word = edo_load_relaxed(&mutex->word), next;
    do {
        next = word | (word & EDO__MUTEX_LOCKED ? EDO__MUTEX_WAITERS : EDO__MUTEX_LOCKED);
    } while (!edo_cas_acquire(&mutex->word, &word, next));
    return !(word & EDO__MUTEX_LOCKED);
}

/* Locks the mutex for a hand-over. Called under the lock of the queue, while WAITERS is set. The
 * CAS may be relaxed: while WAITERS is set, every unlock takes the lock of the queue, and that lock
 * orders the last unlock before this call. */
static bool take_for_another(edo_mutex *mutex)
{
    uint32_t word = edo_load_relaxed(&mutex->word);
    while (!(word & EDO__MUTEX_LOCKED))
        if (edo_cas_relaxed(&mutex->word, &word, word | EDO__MUTEX_LOCKED)) return true;
    return false;
}

/* Returns: the WAITERS bit of the next word. Called under the lock of the queue. Caller: the
 * holder, or a cancelled request that has left the queue. */
static uint32_t waiters_bit(edo_mutex *mutex)
{
    return edo__wait_list_is_empty(waiters_of(mutex)) ? 0 : EDO__MUTEX_WAITERS;
}

/* Unlocks the mutex and serves the first waiter. Called under the lock of the queue. Caller: the
 * holder. */
static void hand_on(edo_mutex *mutex, edo__wakes *wakes)
{
    uint32_t woken = edo_load_relaxed(&mutex->word) & EDO__MUTEX_WOKEN;
    edo_op *op = edo__wait_first(waiters_of(mutex));
    uint32_t locked = op && op->detail == OVERTAKEN ? EDO__MUTEX_LOCKED : 0;
    if (op && (locked || !woken)) {
        op->base.result = locked ? GRANTED : TRY_AGAIN;
        edo__wait_wake(waiters_of(mutex), op, wakes);
        if (!locked) woken = EDO__MUTEX_WOKEN;
    }
    edo_store_release(&mutex->word, locked | woken | waiters_bit(mutex));
}

/* Passes the wake of a cancelled waiter on to the next waiter, if the mutex is free. Called under
 * the lock of the queue. */
static void pass_wake_on(edo_mutex *mutex, edo__wakes *wakes)
{
    uint32_t word = edo_and_relaxed(&mutex->word, ~(uint32_t)EDO__MUTEX_WOKEN);
    if ((word & EDO__MUTEX_WAITERS) && take_for_another(mutex)) hand_on(mutex, wakes);
}

static int64_t cancel(edo_mutex *mutex, edo_op *op, edo__wakes *wakes)
{
    if (edo__wait_leave(waiters_of(mutex), op)) {
        if (waiters_bit(mutex) == 0) edo_and_relaxed(&mutex->word, ~(uint32_t)EDO__MUTEX_WAITERS);
    } else if (op->base.result == GRANTED) {
        hand_on(mutex, wakes);
    } else {
        pass_wake_on(mutex, wakes);
    }
    return -ECANCELED;
}

/* Locks the mutex or enqueues the request. Called under the lock of the queue. Returns: 0: locked;
 * -EAGAIN: the request waits. */
static int64_t take_or_wait(edo_mutex *mutex, edo_op *op, edo_cx *cx)
{
    bool again = op->detail == OVERTAKEN;
    if (take(mutex)) return 0;
    edo__wait_enqueue(waiters_of(mutex), op, cx->waker);
    if (again) waiters_of(mutex)->first = op; // moves to the front: the list is a ring
    return -EAGAIN;
}

static int64_t go_on(edo_mutex *mutex, edo_op *op, edo_cx *cx)
{
    if (edo__wait_goes_on(op, cx->waker)) return -EAGAIN;
    if (op->base.result == GRANTED) return 0;
    edo_and_relaxed(&mutex->word, ~(uint32_t)EDO__MUTEX_WOKEN);
    op->detail = OVERTAKEN;
    return take_or_wait(mutex, op, cx);
}

static int64_t step(edo_mutex *mutex, edo_op *op, edo_cx *cx, edo__wakes *wakes)
{
    if (edo_load_relaxed(&op->word) == EDO__OP_IDLE)
        return cx->fate == EDO_LIVE ? take_or_wait(mutex, op, cx) : -ECANCELED;
    return cx->fate == EDO_LIVE ? go_on(mutex, op, cx) : cancel(mutex, op, wakes);
}

static edo_poll poll_lock(edo_op *op, edo_cx *cx)
{
    edo_mutex *mutex = op->object;
    edo__wakes wakes = { NULL, NULL };
    if (!edo__has_budget(cx)) return EDO_PENDING;
    edo__brief_take(&mutex->lock);
    int64_t result = step(mutex, op, cx, &wakes);
    edo__brief_give(&mutex->lock);
    edo__wakes_commit(&wakes);
    return result == -EAGAIN ? EDO_PENDING : edo__op_finish(op, cx, result);
}

static edo_poll lock_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    return edo__queue_note(op, poll_lock(op, cx), EDO__HELD_MUTEX, 1);
}

const edo_future_ops edo__mutex_lock_ops = { .name = "edo_mutex_lock", .poll = lock_poll };

void edo__mutex_unlock_slow(edo_mutex *mutex)
{
    edo__wakes wakes = { NULL, NULL };
    edo__brief_take(&mutex->lock);
    if (!(edo_load_relaxed(&mutex->word) & EDO__MUTEX_LOCKED))
        edo__misuse("edo_mutex_unlock", "the mutex is not locked");
    hand_on(mutex, &wakes);
    edo__brief_give(&mutex->lock);
    edo__wakes_commit(&wakes);
}

_Static_assert(sizeof(edo_mutex) <= 16, "public layouts are fixed");

void edo_mutex_deinit(edo_mutex *mutex)
{
    edo__holders_forget(mutex);
    edo__queue_end(&mutex->lock, edo__waiters_of(&mutex->waiters),
                   edo_load_relaxed(&mutex->word) != 0, "edo_mutex_deinit");
}
