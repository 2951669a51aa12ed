/* The state word of a task, and its transitions. Any thread, unless a function says otherwise.
 *
 *     IDLE --------- prepare: sets NOTIFIED, owns the queue entry --> QUEUED
 *     QUEUED ------- start: the poller that popped the entry -------> RUNNING
 *     RUNNING ------ pause: pending, nobody woke it ----------------> IDLE
 *     RUNNING ------ pause: woken meanwhile; or requeue ------------> QUEUED (the poller pushes)
 *     RUNNING ------ keep: it yields, and is not WANTED ------------> KEPT (the poller pushes)
 *     KEPT --------- start -----------------------------------------> RUNNING
 *     RUNNING ------ complete: the function has ended --------------> COMPLETE, for good
 *     IDLE, QUEUED - inspect .. release: inspected, not run meanwhile
 *
 * KEPT is RUNNING with an entry in the queue: a task that yields again and again needs no
 * read-modify-write, which would be half of what a yield costs. To all others it runs. An
 * inspector of a KEPT task fails and sets WANTED. From one of its next two yields on, each yield
 * requeues the task as QUEUED for a round of the queue, until an inspection succeeds and clears
 * WANTED. One round alone would not do: on the same processor it may pass many times before the
 * inspector runs again. An inspector that gives up clears WANTED; otherwise each yield would cost as
 * much as without KEPT.
 *
 * NOTIFIED means: to be polled. At most one queue entry exists, and it exists, or is about to be
 * pushed, exactly while NOTIFIED is set and neither RUNNING nor, from before the wake on,
 * INSPECTED. A wake of a running or inspected task only sets NOTIFIED: the poller, or the
 * inspector, pushes.
 *
 * Orders. prepare releases what the waker did before it; start acquires it. A wake that finds
 * NOTIFIED set must still be a read-modify-write, so that it joins the release sequence that start
 * reads from. pause, requeue and complete release what the poll did; start (on another thread),
 * inspect and join acquire it. ask releases what the asker did; start acquires it. release gives
 * the frames back to the next start. Where a step only takes its own back, or only learns of an end
 * that await_poller (join.c) acquires, it orders nothing.
 */
#pragma once

#include "base/atomic.h"

enum {
    EDO__RUNNING = 1,
    EDO__NOTIFIED = 2,
    EDO__COMPLETE = 4,
    EDO__CANCELLED = 8, // asked of the task; only ever set
    EDO__ABORTED = 16,
    EDO__INSPECTED = 32,
    EDO__JOIN_INTEREST = 64, // a handle exists
    EDO__JOIN_WAKER = 128,   // join_waker is set; the clearer of the bit owns the field
    EDO__WANTED = 256,       // an inspection failed while it ran
    EDO__GIVEN_UP = 512,     // its runtime ended, and it could not be ended
    EDO__IGNORES = 1024,     // the log has named it: it goes on in spite of its cancellation
    EDO__OVER = EDO__COMPLETE | EDO__GIVEN_UP, // a join answers
    EDO__REF = 1 << 16,                        // the rest of the word counts references
};

/* First step of a wake.
 * Returns: whether the caller owns a queue entry, which it must push; the task cannot end before.
 * Otherwise the task is not to be touched again. */
static inline bool edo__state_prepare(edo_atomic(uint64_t) *state)
{
    uint64_t old = edo_or_acq_rel(state, EDO__NOTIFIED);
    return !(old & (EDO__NOTIFIED | EDO__RUNNING | EDO__OVER | EDO__INSPECTED));
}

/* QUEUED or KEPT -> RUNNING, by the poller that popped the entry. A wake that comes too late for
 * this load of a kept task finds it running. A fate must be acquired when it is seen, also before
 * the wake that follows it.
 * Returns: the state before; with EDO__INSPECTED in it nothing has changed, and the poller still
 * owns the entry. Nothing to release: the poller has done nothing to the task yet, and what wakers
 * released stays in the release sequence that this read-modify-write goes on with. */
static inline uint64_t edo__state_start(edo_atomic(uint64_t) *state)
{
    uint64_t old = edo_load_relaxed(state);
    const uint64_t news = EDO__NOTIFIED | EDO__CANCELLED | EDO__ABORTED;
    if ((old & (EDO__RUNNING | news)) == EDO__RUNNING) return old; // kept, and nobody woke it
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
 * Returns: false when it is WANTED: then it is to be requeued instead. */
static inline bool edo__state_keep(const edo_atomic(uint64_t) *state)
{
    return !(edo_load_relaxed(state) & EDO__WANTED);
}

/* RUNNING or KEPT -> QUEUED, by the poller, which must push an entry unless it was kept. WANTED
 * stays: no inspection has succeeded yet. */
static inline void edo__state_requeue(edo_atomic(uint64_t) *state)
{
    uint64_t old = edo_load_relaxed(state);
    while (!edo_cas_release(state, &old, (old & ~(uint64_t)EDO__RUNNING) | EDO__NOTIFIED))
        continue;
}

/* RUNNING -> COMPLETE, by the poller.
 * Returns: whether the poller owns join_waker now: it prepares the wake, then calls
 * edo__state_joiner_woken, then commits. */
static inline bool edo__state_complete(edo_atomic(uint64_t) *state)
{
    uint64_t old = edo_add_acq_rel(state, EDO__COMPLETE - EDO__RUNNING);
    return (old & EDO__JOIN_WAKER) && !(old & EDO__GIVEN_UP);
}

/* The runtime ends without the task, which may even be running, and go on: joins answer at once,
 * and nobody queues it again.
 * Returns: whether the caller owns join_waker, as above: of this and complete, the first does. */
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
 * Returns: false when the task has completed: nobody will wake the joiner. */
static inline bool edo__state_set_joiner(edo_atomic(uint64_t) *state)
{
    uint64_t old = edo_load_relaxed(state);
    do {
        if (old & EDO__OVER) return false;
    } while (!edo_cas_release(state, &old, old | EDO__JOIN_WAKER));
    return true;
}

/* Takes join_waker back.
 * Returns: false when the task has completed, and the poller may be waking the joiner right now. */
static inline bool edo__state_unset_joiner(edo_atomic(uint64_t) *state)
{
    uint64_t old = edo_load_relaxed(state);
    do {
        if (old & EDO__OVER) return false;
    } while (!edo_cas_relaxed(state, &old, old & ~(uint64_t)EDO__JOIN_WAKER));
    return true;
}

/* Takes the task to inspect its frames, unless it is running, ended or taken. Clears WANTED: other
 * inspectors set it again when they fail again.
 * Returns: the state before; the caller has the task if none of RUNNING, COMPLETE, INSPECTED is in
 * it. */
static inline uint64_t edo__state_inspect(edo_atomic(uint64_t) *state)
{
    uint64_t old = edo_load_relaxed(state);
    while (!(old & (EDO__RUNNING | EDO__COMPLETE | EDO__INSPECTED)))
        if (edo_cas_acquire(state, &old, (old & ~(uint64_t)EDO__WANTED) | EDO__INSPECTED)) break;
    return old;
}

/* The task runs, or is kept: its next yields requeue it, until it is inspected. */
static inline void edo__state_want(edo_atomic(uint64_t) *state)
{
    edo_or_relaxed(state, EDO__WANTED);
}

/* Takes a failed inspection's WANTED back. */
static inline void edo__state_unwant(edo_atomic(uint64_t) *state)
{
    edo_and_relaxed(state, ~(uint64_t)EDO__WANTED);
}

/* Gives it back. before: what edo__state_inspect answered.
 * Returns: whether the caller owns a queue entry: it was woken meanwhile, and had no entry. */
static inline bool edo__state_release(edo_atomic(uint64_t) *state, uint64_t before)
{
    uint64_t old = edo_sub_release(state, EDO__INSPECTED);
    return (old & EDO__NOTIFIED) && !(before & EDO__NOTIFIED);
}

/* Asks the task to end. Returns: whether that is new. */
static inline bool edo__state_ask(edo_atomic(uint64_t) *state, uint64_t fate)
{
    return !(edo_or_release(state, fate) & (fate | EDO__COMPLETE));
}
