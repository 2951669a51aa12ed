/* The state word of a task, and its transitions. Thread: any, unless a function says otherwise.
 *
 *     IDLE --------- prepare: sets NOTIFIED, owns the queue entry --> QUEUED
 *     QUEUED ------- start: the poller that popped the entry -------> RUNNING
 *     RUNNING ------ pause: pending, not woken meanwhile -----------> IDLE
 *     RUNNING ------ pause: woken meanwhile; or requeue ------------> QUEUED (the poller pushes)
 *     RUNNING ------ keep: the task yields, is not WANTED ----------> KEPT (the poller pushes)
 *     KEPT --------- start -----------------------------------------> RUNNING
 *     RUNNING ------ complete: the function has ended --------------> COMPLETE, for good
 *     IDLE, QUEUED - inspect .. release: inspected, not run meanwhile
 *
 * KEPT is RUNNING with an entry in the queue, so a yield does not change the state word. A task
 * that yields repeatedly needs no read-modify-write, which would be half the cost of a yield. Other
 * threads see a KEPT task as running.
 *
 * An inspection of a KEPT task fails and sets WANTED. While WANTED is set, each yield requeues the
 * task as QUEUED, so that an inspection can succeed while the task waits in the queue. These
 * requeues begin at the latest with the task's second yield after WANTED was set. They end when an
 * inspection succeeds and clears WANTED. A single requeue would not suffice, because an inspector
 * on the same processor may not run again for many rounds of the queue. An inspector that gives up
 * clears WANTED. If WANTED remained set, each yield would cost as much as without KEPT.
 *
 * NOTIFIED means that the task is to be polled. A task has at most one queue entry. For a task that
 * is neither KEPT nor OVER, the entry exists, or is about to be pushed, exactly while three
 * conditions hold: NOTIFIED is set, RUNNING is clear, and the task is not in an inspection that
 * began before the wake. A wake of a running or inspected task only sets NOTIFIED, and the poller
 * or the inspector pushes the entry later.
 *
 * Memory orders. `prepare` releases what the waking thread did before the wake, and `start`
 * acquires this work. A wake that finds NOTIFIED set must still be a read-modify-write, so that the
 * wake joins the release sequence from which `start` reads. `pause`, `requeue` and `complete`
 * release the work of the poll. `start` (on another thread), `inspect` and a join acquire this
 * work. `ask` releases the work of its caller, and `start` acquires this work. `release` releases
 * the inspector's accesses to the frames, and the next `start` acquires them. A step is relaxed if
 * it only clears a bit that its own thread has set. A step is also relaxed if it only learns that
 * the task is over, because await_poller (join.c) then acquires the end. WANTED is a request
 * without data, and is accessed with relaxed steps. */
#pragma once

#include "base/atomic.h"

enum {
    EDO__RUNNING = 1,
    EDO__NOTIFIED = 2,
    EDO__COMPLETE = 4,
    EDO__CANCELLED = 8, // the task was cancelled, or its deadline passed; never cleared
    EDO__ABORTED = 16,
    EDO__INSPECTED = 32,
    EDO__JOIN_INTEREST = 64, // a handle exists
    EDO__JOIN_WAKER = 128,   // join_waker is set; the thread that clears the bit owns join_waker
    EDO__WANTED = 256,       // an inspection failed while the task ran
    EDO__GIVEN_UP = 512,     // the runtime has ended, but the task could not be ended
    EDO__IGNORES = 1024,     // the log has reported that the task ignores its cancellation
    EDO__OVER = EDO__COMPLETE | EDO__GIVEN_UP, // a join is ready
    EDO__REF = 1 << 16,                        // the rest of the word counts references
};

/* First step of a wake.
 * Returns: true if the caller owns a queue entry and must push the entry; the task cannot end
 * before that push. If false, the caller must not touch the task again. */
static inline bool edo__state_prepare(edo_atomic(uint64_t) *state)
{
    uint64_t old = edo_or_acq_rel(state, EDO__NOTIFIED);
    return !(old & (EDO__NOTIFIED | EDO__RUNNING | EDO__OVER | EDO__INSPECTED));
}

/* QUEUED or KEPT -> RUNNING, by the poller that popped the entry. The relaxed load may miss a wake
 * of a KEPT task. That wake finds the task RUNNING, and only sets NOTIFIED. If the step sees
 * CANCELLED or ABORTED, it acquires what the asking thread wrote, even if that thread's wake has
 * not arrived yet. This step needs no release, because the poller has done nothing to the task yet.
 * As a read-modify-write, the step continues the release sequence of the wakers.
 * Returns: the state before. If that state contains EDO__INSPECTED, nothing has changed, and the
 * poller still owns the entry. */
static inline uint64_t edo__state_start(edo_atomic(uint64_t) *state)
{
    uint64_t old = edo_load_relaxed(state);
    const uint64_t news = EDO__NOTIFIED | EDO__CANCELLED | EDO__ABORTED;
    if ((old & (EDO__RUNNING | news)) == EDO__RUNNING) return old; // KEPT, and not woken
    while (!(old & EDO__INSPECTED))
        if (edo_cas_acquire(state, &old, (old & ~(uint64_t)EDO__NOTIFIED) | EDO__RUNNING)) break;
    return old;
}

/* RUNNING -> IDLE or QUEUED, by the poller.
 * Returns: whether the poller must push an entry. */
static inline bool edo__state_pause(edo_atomic(uint64_t) *state)
{
    return edo_sub_release(state, EDO__RUNNING) & EDO__NOTIFIED;
}

/* RUNNING -> KEPT, by the poller, which must push an entry.
 * Returns: false if the task is WANTED; the poller must then requeue the task instead. */
static inline bool edo__state_keep(const edo_atomic(uint64_t) *state)
{
    return !(edo_load_relaxed(state) & EDO__WANTED);
}

/* RUNNING or KEPT -> QUEUED, by the poller, which must push an entry unless the task was KEPT.
 * WANTED is not cleared, because no inspection has succeeded yet. */
static inline void edo__state_requeue(edo_atomic(uint64_t) *state)
{
    uint64_t old = edo_load_relaxed(state);
    while (!edo_cas_release(state, &old, (old & ~(uint64_t)EDO__RUNNING) | EDO__NOTIFIED))
        continue;
}

/* RUNNING -> COMPLETE, by the poller.
 * Returns: whether the poller owns join_waker now. If so, the poller prepares the wake, calls
 * edo__state_joiner_woken, and commits the wake, in this order. */
static inline bool edo__state_complete(edo_atomic(uint64_t) *state)
{
    uint64_t old = edo_add_acq_rel(state, EDO__COMPLETE - EDO__RUNNING);
    return (old & EDO__JOIN_WAKER) && !(old & EDO__GIVEN_UP);
}

/* Marks a task as given up. The runtime then ends without waiting for the task. The task may be
 * running now, and may continue to run. Joins answer at once, and the task is never queued again.
 * Returns: whether the caller owns join_waker, as for edo__state_complete. If give_up and complete
 * are both called, only the first caller owns join_waker. */
static inline bool edo__state_give_up(edo_atomic(uint64_t) *state)
{
    uint64_t old = edo_or_acq_rel(state, EDO__GIVEN_UP);
    return (old & EDO__JOIN_WAKER) && !(old & EDO__COMPLETE);
}

static inline void edo__state_joiner_woken(edo_atomic(uint64_t) *state)
{
    edo_and_release(state, ~(uint64_t)EDO__JOIN_WAKER);
}

/* Publishes join_waker, which the joiner has written.
 * Returns: false if the task is over; the joiner will then not be woken. */
static inline bool edo__state_set_joiner(edo_atomic(uint64_t) *state)
{
    uint64_t old = edo_load_relaxed(state);
    do {
        if (old & EDO__OVER) return false;
    } while (!edo_cas_release(state, &old, old | EDO__JOIN_WAKER));
    return true;
}

/* Takes join_waker back.
 * Returns: false if the task is over. Another thread may then be waking the joiner at this
 * moment. */
static inline bool edo__state_unset_joiner(edo_atomic(uint64_t) *state)
{
    uint64_t old = edo_load_relaxed(state);
    do {
        if (old & EDO__OVER) return false;
    } while (!edo_cas_relaxed(state, &old, old & ~(uint64_t)EDO__JOIN_WAKER));
    return true;
}

/* Begins an inspection of the task's frames, unless the task is running, complete or being
 * inspected. Clears WANTED. If another inspector still needs WANTED, its next failed inspection
 * sets WANTED again.
 * Returns: the state before. The inspection has begun if that state contains none of RUNNING,
 * COMPLETE, INSPECTED. */
static inline uint64_t edo__state_inspect(edo_atomic(uint64_t) *state)
{
    uint64_t old = edo_load_relaxed(state);
    while (!(old & (EDO__RUNNING | EDO__COMPLETE | EDO__INSPECTED)))
        if (edo_cas_acquire(state, &old, (old & ~(uint64_t)EDO__WANTED) | EDO__INSPECTED)) break;
    return old;
}

/* Makes the poller requeue a RUNNING or KEPT task when it yields, until the task is inspected. */
static inline void edo__state_want(edo_atomic(uint64_t) *state)
{
    edo_or_relaxed(state, EDO__WANTED);
}

/* Clears WANTED, for an inspector that gives up. */
static inline void edo__state_unwant(edo_atomic(uint64_t) *state)
{
    edo_and_relaxed(state, ~(uint64_t)EDO__WANTED);
}

/* Ends an inspection. `before` is the value that edo__state_inspect() has returned.
 * Returns: whether the caller owns a queue entry, because the task had no entry before and was
 * woken during the inspection. */
static inline bool edo__state_release(edo_atomic(uint64_t) *state, uint64_t before)
{
    uint64_t old = edo_sub_release(state, EDO__INSPECTED);
    return (old & EDO__NOTIFIED) && !(before & EDO__NOTIFIED);
}

/* Asks the task to end, with a fate. Returns: true for the first request with this fate, unless the
 * task is COMPLETE. */
static inline bool edo__state_ask(edo_atomic(uint64_t) *state, uint64_t fate)
{
    return !(edo_or_release(state, fate) & (fate | EDO__COMPLETE));
}
