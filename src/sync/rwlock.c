/* Readers-writer locks. The word has a bit for a writer, a bit for waiters, and the number of
 * readers. queue.h has the argument that no wake is lost. While there are waiters, the word is
 * changed only by holders of the rwlock and by threads that hold the lock of the queue. */
#include <edo/locks.h>

#include "base/base.h"
#include "sync/queue.h"

static bool is_writer(const edo_op *op)
{
    return op->length == EDO__RWLOCK_WRITER;
}

static bool admits(uint64_t word, const edo_op *op)
{
    word &= ~(uint64_t)EDO__RWLOCK_WAITERS;
    return is_writer(op) ? word == 0 : !(word & EDO__RWLOCK_WRITER);
}

/* Computes the next word. Starts with `word`, and admits requests from the front of the queue until
 * one must wait. Clears WAITERS if no request remains. Called under the lock. *ret_count: number of
 * admitted requests. */
static uint64_t admit(const edo__wait_list *waiters, uint64_t word, uint32_t *ret_count)
{
    edo_op *op = edo__wait_first(waiters);
    for (*ret_count = 0; op && admits(word, op); ++*ret_count) {
        word += op->length;
        op = edo__wait_next(waiters, op);
    }
    return op ? word : word & ~(uint64_t)EDO__RWLOCK_WAITERS;
}

/* Subtracts `released` from the word, and grants requests in the order of the queue, by one
 * read-modify-write. Called under the lock of the queue.
 *
 * Orders of this read-modify-write:
 * - release: a later fast path takes the rwlock without the lock of the queue, acquires the word,
 *   and sees what the unlocking holder wrote.
 * - acquire: this thread sees what the readers wrote that unlocked earlier.
 *
 * A request that is granted here needs no order of its own. Through the lock of the queue, it sees
 * what the unlocking holder and these readers wrote. */
static void release_and_serve(edo_rwlock *rwlock, uint64_t released, edo__wakes *wakes)
{
    edo__wait_list *waiters = edo__waiters_of(&rwlock->waiters);
    uint64_t word = edo_load_relaxed(&rwlock->word), next;
    uint32_t count;
    do {
        next = admit(waiters, word - released, &count);
    } while (!edo_cas_acq_rel(&rwlock->word, &word, next));
    for (; count; count--) {
        edo_op *op = edo__wait_first(waiters);
        op->base.result = 0;
        edo__wait_wake(waiters, op, wakes);
    }
}

static void serve(void *object, edo__wakes *wakes)
{
    release_and_serve(object, 0, wakes);
}

/* Begins a request. If WAITERS is set, the request is enqueued without a read-modify-write. This
 * loses no wake: under the lock, WAITERS is set exactly while requests wait. While WAITERS is set,
 * a release that could admit a request takes the lock first, and then finds this request in the
 * queue. */
static int64_t begin(void *object, edo_op *op, edo__wakes *wakes)
{
    (void)wakes;
    edo_rwlock *rwlock = object;
    uint64_t word = edo_load_relaxed(&rwlock->word);
    while (!(word & EDO__RWLOCK_WAITERS)) {
        bool served = admits(word, op);
        uint64_t next = served ? word + op->length : word | EDO__RWLOCK_WAITERS;
        if (edo_cas_acquire(&rwlock->word, &word, next)) return served ? 0 : -EAGAIN;
    }
    return -EAGAIN;
}

static void give_back(void *object, edo_op *op)
{
    edo_rwlock *rwlock = object;
    edo_sub_relaxed(&rwlock->word, op->length); // continues the release sequence
}

static const edo__queue_ops queue_ops = { .begin = begin, .give_back = give_back, .serve = serve };

static edo_poll lock_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_rwlock *rwlock = op->object;
    uint32_t kind = is_writer(op) ? EDO__HELD_WRITE : EDO__HELD_READ;
    edo_poll poll = edo__queue_poll(&queue_ops, &rwlock->lock, edo__waiters_of(&rwlock->waiters),
                                    op, cx);
    return edo__queue_note(op, poll, kind, 1);
}

const edo_future_ops edo__rwlock_read_ops = { .name = "edo_rwlock_read", .poll = lock_poll };
const edo_future_ops edo__rwlock_write_ops = { .name = "edo_rwlock_write", .poll = lock_poll };

/* Unlocks for the last reader, while other requests wait. Aborts if there is no reader. */
void edo__rwlock_unlock_read_slow(edo_rwlock *rwlock)
{
    edo__wakes wakes = { NULL, NULL };
    edo__brief_take(&rwlock->lock);
    if (edo_load_relaxed(&rwlock->word) < EDO__RWLOCK_READER)
        edo__misuse("edo_rwlock_unlock_read", "the lock is not held for reading");
    release_and_serve(rwlock, EDO__RWLOCK_READER, &wakes);
    edo__brief_give(&rwlock->lock);
    edo__wakes_commit(&wakes);
}

void edo__rwlock_unlock_write_slow(edo_rwlock *rwlock)
{
    edo__wakes wakes = { NULL, NULL };
    edo__brief_take(&rwlock->lock);
    if (!(edo_load_relaxed(&rwlock->word) & EDO__RWLOCK_WRITER))
        edo__misuse("edo_rwlock_unlock_write", "the lock is not held for writing");
    release_and_serve(rwlock, EDO__RWLOCK_WRITER, &wakes);
    edo__brief_give(&rwlock->lock);
    edo__wakes_commit(&wakes);
}

void edo_rwlock_downgrade(edo_rwlock *rwlock)
{
    edo__wakes wakes = { NULL, NULL };
    edo__note_given(rwlock, EDO__HELD_WRITE, 1, "edo_rwlock_downgrade");
    edo__brief_take(&rwlock->lock);
    if (!(edo_load_relaxed(&rwlock->word) & EDO__RWLOCK_WRITER))
        edo__misuse("edo_rwlock_downgrade", "the lock is not held for writing");
    release_and_serve(rwlock, (uint64_t)EDO__RWLOCK_WRITER - EDO__RWLOCK_READER, &wakes);
    edo__brief_give(&rwlock->lock);
    edo__wakes_commit(&wakes);
    edo__note_taken(rwlock, EDO__HELD_READ, 1);
}

_Static_assert(sizeof(edo_rwlock) <= 24, "public layouts are fixed");

void edo_rwlock_deinit(edo_rwlock *rwlock)
{
    edo__holders_forget(rwlock);
    edo__queue_end(&rwlock->lock, edo__waiters_of(&rwlock->waiters),
                   edo_load_relaxed(&rwlock->word) != 0, "edo_rwlock_deinit");
}
