/* Semaphores. The two lowest bits of the word are flags, and the bits above them count permits.
 * queue.h has the argument that no wake is lost.
 *
 * A release adds its permits to the word, and sees in the same word whether there are waiters. If
 * there are waiters, the releasing thread takes the lock to settle its permits and serve the queue.
 * Until then these permits are unsettled, and are granted to no request. While WAITERS is set, only
 * settled permits are granted, under the lock. WAITERS is cleared only when all permits are
 * settled.
 *
 * So no request gets a permit before the thread that released the permit has settled it, or has
 * found no waiters. A request without the lock gets the permit only after WAITERS is cleared. The
 * clear is the last step of a thread that serves the queue, except the release of the lock. So when
 * a request has got a permit, the thread that released the permit accesses the semaphore at most
 * once more, to release the lock. edo_semaphore_deinit() waits for that access.
 *
 * Orders. A thread that releases a permit publishes its writes by a release of the word. The
 * request that gets a permit acquires these writes, from the word or through the lock. */
#include <edo/locks.h>

#include "base/base.h"
#include "sync/queue.h"

static uint64_t wanted(const edo_op *op)
{
    return op->length * EDO__SEMAPHORE_PERMIT;
}

static uint64_t permits_of(uint64_t word)
{
    return word / EDO__SEMAPHORE_PERMIT;
}

/* Clears WAITERS if no permit is unsettled. Otherwise the thread that settles the last permit
 * clears WAITERS later. Called under the lock, when no request waits. */
static void note_no_waiters(edo_semaphore *semaphore)
{
    uint64_t word = edo_load_relaxed(&semaphore->word);
    while ((word & EDO__SEMAPHORE_WAITERS) && permits_of(word) == semaphore->settled)
        if (edo_cas_relaxed(&semaphore->word, &word, word - EDO__SEMAPHORE_WAITERS)) return;
}

/* Takes settled permits. Called under the lock, while WAITERS is set. Returns: false: too few
 * permits are settled.
 * The subtraction may be relaxed. Each settled permit was released before this thread took the
 * lock, in one of two ways:
 * - The releasing thread has settled the permit under the lock.
 * - The permit was already in the word when a request set WAITERS under the lock. The request
 *   changed the word with acquire, and so saw the writes before the release of the permit. */
static bool take_settled(edo_semaphore *semaphore, uint64_t permits)
{
    edo_plain_write(&semaphore->settled);
    if (semaphore->settled < permits) return false;
    semaphore->settled -= (uint32_t)permits;
    edo_sub_relaxed(&semaphore->word, permits * EDO__SEMAPHORE_PERMIT);
    return true;
}

/* Grants requests in the order of the queue. The first request that cannot be granted blocks the
 * later ones. */
static void serve(void *object, edo__wakes *wakes)
{
    edo_semaphore *semaphore = object;
    edo__wait_list *waiters = edo__waiters_of(&semaphore->waiters);
    edo_op *op;
    while ((op = edo__wait_first(waiters)) && take_settled(semaphore, op->length)) {
        op->base.result = 0;
        edo__wait_wake(waiters, op, wakes);
    }
    if (!op) note_no_waiters(semaphore);
}

/* Begins a request while WAITERS is set. WAITERS means that other requests wait, or that permits
 * are unsettled. */
static int64_t begin_behind(edo_semaphore *semaphore, const edo_op *op)
{
    bool is_first = edo__wait_list_is_empty(edo__waiters_of(&semaphore->waiters));
    return is_first && take_settled(semaphore, op->length) ? 0 : -EAGAIN;
}

static int64_t begin(void *object, edo_op *op, edo__wakes *wakes)
{
    edo_semaphore *semaphore = object;
    uint64_t word = edo_load_relaxed(&semaphore->word);
    (void)wakes;
    if (op->length > EDO_SEMAPHORE_MAX) return -EINVAL;
    for (;;) {
        if (word & EDO__SEMAPHORE_CLOSED) return -EPIPE;
        if (word & EDO__SEMAPHORE_WAITERS) return begin_behind(semaphore, op);
        bool served = word >= wanted(op);
        uint64_t next = served ? word - wanted(op) : word | EDO__SEMAPHORE_WAITERS;
        if (!edo_cas_acquire(&semaphore->word, &word, next)) continue;
        semaphore->settled = (uint32_t)permits_of(word);
        return served ? 0 : -EAGAIN;
    }
}

static void give_back(void *object, edo_op *op)
{
    edo_semaphore *semaphore = object;
    semaphore->settled += (uint32_t)op->length;
    edo_add_relaxed(&semaphore->word, wanted(op)); // continues the release sequence
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

void edo__semaphore_overflow(const edo_semaphore *semaphore)
{
    (void)semaphore;
    edo__misuse("edo_semaphore_release", "the count would exceed EDO_SEMAPHORE_MAX permits");
}

void edo__semaphore_release_slow(edo_semaphore *semaphore, uint32_t permits)
{
    edo__wakes wakes = { NULL, NULL };
    edo__brief_take(&semaphore->lock);
    edo_plain_write(&semaphore->settled);
    semaphore->settled += permits;
    serve(semaphore, &wakes);
    edo__brief_give(&semaphore->lock);
    edo__wakes_commit(&wakes);
}

static uint64_t at_most(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Takes at most `permits` free permits out of the word. Returns: false: there are waiters. */
static bool forget_free(edo_semaphore *semaphore, uint32_t permits, uint64_t *ret_taken)
{
    uint64_t word = edo_load_relaxed(&semaphore->word);
    do {
        if (word & EDO__SEMAPHORE_WAITERS) return false;
        *ret_taken = at_most(permits_of(word), permits);
    } while (!edo_cas_relaxed(&semaphore->word, &word, word - *ret_taken * EDO__SEMAPHORE_PERMIT));
    return true;
}

uint32_t edo_semaphore_forget(edo_semaphore *semaphore, uint32_t permits)
{
    uint64_t taken;
    if (forget_free(semaphore, permits, &taken)) return (uint32_t)taken;
    edo__brief_take(&semaphore->lock);
    if (!forget_free(semaphore, permits, &taken)) {
        taken = at_most(semaphore->settled, permits);
        take_settled(semaphore, taken);
    }
    edo__brief_give(&semaphore->lock);
    return (uint32_t)taken;
}

void edo_semaphore_close(edo_semaphore *semaphore)
{
    edo__wait_list *waiters = edo__waiters_of(&semaphore->waiters);
    edo__wakes wakes = { NULL, NULL };
    edo__brief_take(&semaphore->lock);
    edo_or_release(&semaphore->word, EDO__SEMAPHORE_CLOSED); // partner: edo_semaphore_is_closed()
    for (edo_op *op; (op = edo__wait_first(waiters));) {
        op->base.result = -EPIPE;
        edo__wait_wake(waiters, op, &wakes);
    }
    note_no_waiters(semaphore);
    edo__brief_give(&semaphore->lock);
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
