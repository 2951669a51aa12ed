/* The common poll of requests for a lock, a permit or an event. Requests are served first in, first
 * out.
 *
 * The object has a word and a queue. Fast paths change the word without a lock. The object's lock,
 * which is a brief lock (brief.h), guards the queue. A request that the word refuses sets the bit
 * for waiters by a CAS, and then enters the queue. Both steps are made under the lock. If a release
 * precedes the CAS, the CAS fails, and the request reads the word again. If the release follows the
 * CAS, the release sees the bit, and takes the lock to serve the queue. */
#pragma once

#include "runtime/runtime.h"
#include "runtime/schedule/worker.h"
#include "sync/brief.h"
#include "task/holders.h"
#include "task/wait_list.h"

/* Functions of an object. They are called under the object's lock. All except `begin` may be
 * NULL. */
typedef struct edo__queue_ops {
    /* Begins a new request: grants it, or sets the bit for waiters in the word. Returns: the
     * result; -EAGAIN: the request is to be enqueued. */
    int64_t (*begin)(void *object, edo_op *op, edo__wakes *wakes);

    /* Adapts the object after a cancelled request has left the queue. */
    void (*left)(void *object, edo_op *op);

    /* Releases the grant of a cancelled request. NULL: the cancelled request keeps its grant, and
     * ends with the result of the grant. */
    void (*give_back)(void *object, edo_op *op);

    /* Grants the requests that can be granted now, and clears the bit if no waiters remain. */
    void (*serve)(void *object, edo__wakes *wakes);
} edo__queue_ops;

void edo__queue_note_slow(edo_op *op, edo_poll poll, uint32_t kind, uint32_t count);

/* Performs one step of a request, under the lock. Returns: the result; -EAGAIN: the request
 * waits. */
int64_t edo__queue_step(const edo__queue_ops *ops, edo__wait_list *waiters, edo_op *op, edo_cx *cx,
                        edo__wakes *wakes);

/* Polls a request. lock, waiters: the object's lock and queue. */
edo_poll edo__queue_poll(const edo__queue_ops *ops, edo__lock *lock, edo__wait_list *waiters,
                         edo_op *op, edo_cx *cx);

/* Records the outcome of a poll if holder records are enabled. kind: kind of the lock that the
 * request asks for; count: number of permits, or 1. Returns: `poll`, unchanged. */
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

/* Finds the list of an object's waiters. The public struct of the object declares the list as a
 * pointer. */
static inline edo__wait_list *edo__waiters_of(void **waiters)
{
    _Static_assert(sizeof(edo__wait_list) == sizeof(void *), "a list is one pointer");
    return (edo__wait_list *)(void *)waiters;
}

/* Ends the object. The request of the caller may just have been served. The thread that served it
 * may still hold the lock. So this function takes the lock once. After that, the serving thread
 * does not access the object any more. Aborts, in the name of `call`, if there are waiters or the
 * object is in use. */
void edo__queue_end(edo__lock *lock, edo__wait_list *waiters, bool in_use, const char *call);
