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

/* Grants a request if the word admits it. Called under the lock. Returns: whether the request was
 * granted. */
static bool take(edo_rwlock *rwlock, const edo_op *op)
{
    uint64_t word = edo_load_relaxed(&rwlock->word);
    do {
        if (!admits(word, op)) return false;
    } while (!edo_cas_acquire(&rwlock->word, &word, word + op->length));
    return true;
}

/* Grants requests in the order of the queue. Adjacent readers are granted together. */
static void serve(void *object, edo__wakes *wakes)
{
    edo_rwlock *rwlock = object;
    edo__wait_list *waiters = edo__waiters_of(&rwlock->waiters);
    edo_op *op;
    while ((op = edo__wait_first(waiters)) && take(rwlock, op)) {
        op->base.result = 0;
        edo__wait_wake(waiters, op, wakes);
    }
    if (edo__wait_list_is_empty(waiters))
        edo_and_relaxed(&rwlock->word, ~(uint64_t)EDO__RWLOCK_WAITERS);
}

static int64_t begin(void *object, edo_op *op, edo__wakes *wakes)
{
    (void)wakes;
    edo_rwlock *rwlock = object;
    uint64_t word = edo_load_relaxed(&rwlock->word);
    for (;;) {
        bool served = !(word & EDO__RWLOCK_WAITERS) && admits(word, op);
        uint64_t next = served ? word + op->length : word | EDO__RWLOCK_WAITERS;
        if (edo_cas_acquire(&rwlock->word, &word, next)) return served ? 0 : -EAGAIN;
    }
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
    edo_sub_release(&rwlock->word, EDO__RWLOCK_READER);
    serve(rwlock, &wakes);
    edo__brief_give(&rwlock->lock);
    edo__wakes_commit(&wakes);
}

void edo__rwlock_unlock_write_slow(edo_rwlock *rwlock)
{
    edo__wakes wakes = { NULL, NULL };
    edo__brief_take(&rwlock->lock);
    if (!(edo_load_relaxed(&rwlock->word) & EDO__RWLOCK_WRITER))
        edo__misuse("edo_rwlock_unlock_write", "the lock is not held for writing");
    edo_sub_release(&rwlock->word, EDO__RWLOCK_WRITER);
    serve(rwlock, &wakes);
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
    edo_add_release(&rwlock->word, EDO__RWLOCK_READER - EDO__RWLOCK_WRITER);
    serve(rwlock, &wakes);
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
