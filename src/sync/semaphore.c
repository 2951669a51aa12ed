/* Semaphores: word counts permits, above two bits; see queue.h for how nobody is missed.
 *
 * Orders. A release of the word makes what its holder did visible to the acquire of the one who takes
 * a permit, directly or through the lock.
 */
#include <edo/locks.h>

#include "base/base.h"
#include "sync/queue.h"

static uint64_t wanted(const edo_op *op)
{
    return op->length * EDO__SEMAPHORE_PERMIT;
}

static void note_no_waiters(edo_semaphore *semaphore)
{
    if (edo__wait_list_is_empty(edo__waiters_of(&semaphore->waiters)))
        edo_and_relaxed(&semaphore->word, ~(uint64_t)EDO__SEMAPHORE_WAITERS);
}

/* Under the lock. Returns: whether so many were there. Relaxed: releases come here by the lock while
 * there are waiters, and what came before was acquired by the request, when it said that it waits. */
static bool take(edo_semaphore *semaphore, uint64_t permits)
{
    uint64_t word = edo_load_relaxed(&semaphore->word);
    do {
        if (word < permits) return false;
    } while (!edo_cas_relaxed(&semaphore->word, &word, word - permits));
    return true;
}

/* In the order of the queue: the first that cannot be served holds up the rest. */
static void serve(void *object, edo__wakes *wakes)
{
    edo_semaphore *semaphore = object;
    edo__wait_list *waiters = edo__waiters_of(&semaphore->waiters);
    edo_op *op;
    while ((op = edo__wait_first(waiters)) && take(semaphore, wanted(op))) {
        op->base.result = 0;
        edo__wait_wake(waiters, op, wakes);
    }
    note_no_waiters(semaphore);
}

static int64_t begin(void *object, edo_op *op, edo__wakes *wakes)
{
    (void)wakes;
    edo_semaphore *semaphore = object;
    uint64_t word = edo_load_relaxed(&semaphore->word);
    if (op->length > EDO_SEMAPHORE_MAX) return -EINVAL;
    for (;;) {
        if (word & EDO__SEMAPHORE_CLOSED) return -EPIPE;
        bool served = !(word & EDO__SEMAPHORE_WAITERS) && word >= wanted(op);
        uint64_t next = served ? word - wanted(op) : word | EDO__SEMAPHORE_WAITERS;
        if (edo_cas_acquire(&semaphore->word, &word, next)) return served ? 0 : -EAGAIN;
    }
}

static void give_back(void *object, edo_op *op)
{
    edo_semaphore *semaphore = object;
    edo_add_relaxed(&semaphore->word, wanted(op)); // goes on with the sequence of its release
}

static const edo__queue_ops queue_ops = { .begin = begin, .give_back = give_back, .serve = serve };

static edo_poll acquire_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_semaphore *semaphore = op->object;
    edo_poll poll = edo__queue_poll(&queue_ops, &semaphore->lock,
                                    edo__waiters_of(&semaphore->waiters), op, cx);
    return edo__queue_note(op, poll, EDO__HELD_PERMITS, (uint32_t)op->length);
}

const edo_future_ops edo__semaphore_acquire_ops = { .name = "edo_semaphore_acquire",
                                                    .poll = acquire_poll };

static void check_room(uint64_t word, uint64_t given)
{
    if (word + given >= EDO__SEMAPHORE_END)
        edo__misuse("edo_semaphore_release", "more than EDO_SEMAPHORE_MAX permits");
}

/* There are waiters, or were; or there would be too many permits. Only under the lock are permits
 * added while there are waiters: so that the one who gets them knows, by the lock, when the releaser
 * no longer touches the semaphore. */
void edo__semaphore_release_slow(edo_semaphore *semaphore, uint32_t permits)
{
    uint64_t given = (uint64_t)permits * EDO__SEMAPHORE_PERMIT;
    edo__wakes wakes = { NULL, NULL };
    edo__lock_take(&semaphore->lock);
    uint64_t word = edo_load_relaxed(&semaphore->word);
    do {
        check_room(word, given);
    } while (!edo_cas_release(&semaphore->word, &word, word + given));
    serve(semaphore, &wakes);
    edo__lock_give(&semaphore->lock);
    edo__wakes_commit(&wakes);
}

uint32_t edo_semaphore_forget(edo_semaphore *semaphore, uint32_t permits)
{
    uint64_t word = edo_load_relaxed(&semaphore->word), most, taken;
    do {
        most = word / EDO__SEMAPHORE_PERMIT;
        taken = most < permits ? most : permits;
    } while (!edo_cas_relaxed(&semaphore->word, &word, word - taken * EDO__SEMAPHORE_PERMIT));
    return (uint32_t)taken;
}

void edo_semaphore_close(edo_semaphore *semaphore)
{
    edo__wait_list *waiters = edo__waiters_of(&semaphore->waiters);
    edo__wakes wakes = { NULL, NULL };
    edo__lock_take(&semaphore->lock);
    edo_or_release(&semaphore->word, EDO__SEMAPHORE_CLOSED); // partner: edo_semaphore_is_closed()
    for (edo_op *op; (op = edo__wait_first(waiters));) {
        op->base.result = -EPIPE;
        edo__wait_wake(waiters, op, &wakes);
    }
    note_no_waiters(semaphore);
    edo__lock_give(&semaphore->lock);
    edo__wakes_commit(&wakes);
}

bool edo_semaphore_is_closed(const edo_semaphore *semaphore)
{
    return edo_load_acquire(&semaphore->word) & EDO__SEMAPHORE_CLOSED;
}

uint32_t edo_semaphore_available(const edo_semaphore *semaphore)
{
    return (uint32_t)(edo_load_relaxed(&semaphore->word) / EDO__SEMAPHORE_PERMIT);
}

_Static_assert(sizeof(edo_semaphore) <= 24, "public layouts are fixed");

void edo_semaphore_deinit(edo_semaphore *semaphore)
{
    edo__holders_forget(semaphore);
    edo__queue_end(&semaphore->lock, edo__waiters_of(&semaphore->waiters), false,
                   "edo_semaphore_deinit");
}
