/* Requests that wait for a lock, a permit or a place: what their polls have in common.
 *
 * The object has a word that fast paths change without a lock, and a queue, which its lock guards. A
 * request is enqueued under the lock only after the word was found to refuse it and to say, from the
 * same read-modify-write on, that there are waiters. So either a release comes before that step, and
 * the step fails and tries again; or it comes after it, sees the bit, and takes the lock to serve
 * the queue.
 */
#pragma once

#include "runtime/runtime.h"
#include "runtime/schedule/worker.h"
#include "task/holders.h"
#include "task/wait_list.h"

/* What an object does under its lock; all but begin may be NULL. */
typedef struct edo__queue_ops {
    /* A new request: takes what it asks for, or says that there are waiters (in the word).
     * Returns: its result, or -EAGAIN, and then it is enqueued. */
    int64_t (*begin)(void *object, edo_op *op, edo__wakes *wakes);

    /* A request that was cancelled has left the queue. */
    void (*left)(void *object, edo_op *op);

    /* A request that was granted is cancelled: gives back what it holds. NULL: what was granted stays
     * so, and is the answer. */
    void (*give_back)(void *object, edo_op *op);

    /* Serves those that now can be, and says in the word whether any are left. */
    void (*serve)(void *object, edo__wakes *wakes);
} edo__queue_ops;

void edo__queue_note_slow(edo_op *op, edo_poll poll, uint32_t kind, uint32_t count);

/* Polls a request. lock and waiters: those of the object. */
edo_poll edo__queue_poll(const edo__queue_ops *ops, edo__lock *lock, edo__wait_list *waiters,
                         edo_op *op, edo_cx *cx);

/* Notes, if that is wanted, how a poll has ended of an operation that takes so many of a kind.
 * Returns: poll. */
static inline edo_poll edo__queue_note(edo_op *op, edo_poll poll, uint32_t kind, uint32_t count)
{
#ifdef EDO_MODEL
    (void)op;
    (void)kind;
    (void)count;
#else
    if (edo__holders_are_wanted()) edo__queue_note_slow(op, poll, kind, count);
#endif
    return poll;
}

/* The waiters of an object, whose public struct holds the list as a pointer. */
static inline edo__wait_list *edo__waiters_of(void **waiters)
{
    _Static_assert(sizeof(edo__wait_list) == sizeof(void *), "a list is one pointer");
    return (edo__wait_list *)(void *)waiters;
}

/* The object ends. Waits until no other thread is inside of a call that has served somebody. Everything
 * such a call changes it changes under the lock, also the word: so one that made the caller the last
 * user is seen here. Aborts, in the name of the call, if there are waiters or it is in use. */
void edo__queue_end(edo__lock *lock, edo__wait_list *waiters, bool in_use, const char *call);
