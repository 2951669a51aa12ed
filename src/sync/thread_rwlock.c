/* The readers-writer lock for plain threads (the algorithm of Rust's standard library, with time
 * limits added).
 *
 * The word has the number of readers, or WRITER in place of that number. The word also has two
 * bits, which are set while threads may sleep. Readers sleep on the word, and writers sleep on the
 * sequence. So a wake reaches one writer, or all readers.
 *
 *     no bit ---------------- read, inline: CAS -----> one reader more
 *     0 --------------------- write, inline: CAS ----> WRITER
 *     readers, or WRITER ---- a writer waits: CAS ---> the same with WRITERS_WAITING
 *     WRITER, or WRITERS_WAITING -- a reader waits --> the same with READERS_WAITING
 *     an unlock by the writer or the last reader serves the two bits in this order:
 *         WRITERS_WAITING -- cleared by CAS, then one writer is woken
 *         READERS_WAITING -- if no writer was asleep: cleared by CAS, then all readers are woken
 *     a writer's time limit passes: both bits are cleared, and all sleepers are woken, which then
 *                                   set the bits again
 *
 * Writers have priority. A reader is admitted only while no bit is set, but a writer takes any free
 * lock.
 *
 * No sleeper is forgotten. A thread sleeps only after it has seen its bit in the word. A writer
 * sleeps only if the lock was held in this word. A reader also sleeps if the lock is free, but a
 * writer waits for the lock or was woken to take it. Each step that clears the bit is followed by a
 * wake by the same thread. A sleeper that entered the kernel's queue before the bit was cleared is
 * in reach of that wake. A thread that reaches the kernel later does not sleep, because its futex
 * value has changed. For a reader that value is the word. For a writer it is the sequence, which
 * the writer reads before it checks the bit. The addition to the sequence releases, and the
 * writer's read of the sequence acquires. So a writer that reads the new sequence also sees the
 * cleared word.
 *
 * A woken writer does not know whether others sleep. So it sets WRITERS_WAITING when it takes the
 * lock, and also before it sleeps again. A writer may be woken just as its time limit passes. If
 * the lock is held, this writer also sets the bit again, and then gives up: it clears both bits and
 * wakes all sleepers. A reader whose time limit passes leaves READERS_WAITING to the next unlock.
 *
 * While fewer than MOST_READERS readers hold the lock, a reader sets READERS_WAITING only if
 * WRITERS_WAITING is set. So a reader does not sleep because of other readers, but because of a
 * writer. This writer holds the lock, waits for the lock, or was woken to take the lock. A waiting
 * writer that gives up clears both bits.
 *
 * Orders. Each unlock releases, and each lock acquires, by read-modify-writes of the word. All
 * other writes of the word are read-modify-writes too, which continue the release sequence. */
#include "base/base.h"
#include "sync/thread_lock.h"

#define READERS_WAITING EDO__THREAD_READERS_WAITING
#define WRITERS_WAITING EDO__THREAD_WRITERS_WAITING
#define WAITING         (READERS_WAITING | WRITERS_WAITING)
#define WRITER          EDO__THREAD_WRITER // all bits of the number of readers are set
#define READER          EDO__THREAD_READER
#define MOST_READERS    (WRITER - 1)

static bool is_free(uint32_t word)
{
    return (word & WRITER) == 0;
}

/* ---- unlocking ---- */

static bool wake_writer(edo_thread_rwlock *rwlock)
{
    edo_add_release(&rwlock->sequence, 1); // partner: the load in write_slowly
    return edo__sys_futex_wake(&rwlock->sequence);
}

/* Wakes sleepers after an unlock that has left the lock free. word: the value that the unlock has
 * left. If another thread has locked meanwhile, a CAS fails, and that thread serves the sleepers at
 * its unlock. The first CAS is repeated if it fails because one more thread waits. */
static void serve(edo_thread_rwlock *rwlock, uint32_t word)
{
    while (is_free(word) && (word & WRITERS_WAITING)) {
        if (!edo_cas_relaxed(&rwlock->word, &word, word & ~WRITERS_WAITING)) continue;
        if (wake_writer(rwlock)) return;
        word &= ~WRITERS_WAITING;
        break;
    }
    if (word == READERS_WAITING && edo_cas_relaxed(&rwlock->word, &word, 0))
        edo__sys_futex_wake_all(&rwlock->word);
}

static void check_held(uint32_t before, bool write, const edo_thread_place *place)
{
    uint32_t holders = before & WRITER;
    if (write ? holders != WRITER : !holders || holders == WRITER)
        edo__misuse(place->call, "the lock is not held for %s (%s:%u)",
                    write ? "writing" : "reading", place->file, place->line);
}

void edo__thread_rwlock_unlocked(edo_thread_rwlock *rwlock, uint32_t before, bool write,
                                 const edo_thread_place *place)
{
    check_held(before, write, place);
    uint32_t word = before - (write ? WRITER : READER);
    if (is_free(word) && (word & WAITING)) serve(rwlock, word);
}

/* Turns the writer's lock into a reader's. Wakes the waiting readers if no writer waits. If a
 * writer waits, readers are not admitted, so none is woken. */
void edo__thread_rwlock_downgrade(edo_thread_rwlock *rwlock, const edo_thread_place *place)
{
    if (edo__thread_are_checked()) {
        edo__thread_note_unlock(rwlock, place);
        edo__thread_note_locked(&(edo__thread_hold){ rwlock, place, EDO__THREAD_READ });
    }
    uint32_t before = edo_sub_release(&rwlock->word, WRITER - READER);
    check_held(before, true, place);
    if ((before & WAITING) != READERS_WAITING) return;
    edo_and_relaxed(&rwlock->word, ~READERS_WAITING);
    edo__sys_futex_wake_all(&rwlock->word);
}

/* ---- locking ---- */

static bool is_open(uint32_t word, bool write)
{
    return write ? is_free(word) : word < MOST_READERS;
}

/* Spins until the lock is open, until other threads sleep, or until the spin limit is reached.
 * Returns: the word. */
static uint32_t spin(edo_thread_rwlock *rwlock, bool write)
{
    edo__thread_spin rounds = edo__thread_spin_begin();
    uint32_t word = edo_load_relaxed(&rwlock->word);
    uint32_t stop = write ? WRITERS_WAITING : WAITING;
    while (!is_open(word, write) && !(word & stop) && edo__thread_spins(&rounds))
        word = edo_load_relaxed(&rwlock->word);
    edo__thread_spin_end(is_open(word, write));
    return word;
}

static bool read_slowly(void *lock, int64_t deadline)
{
    edo_thread_rwlock *rwlock = lock;
    for (uint32_t word = spin(rwlock, false);;) {
        if (word < MOST_READERS) {
            if (edo_cas_acquire(&rwlock->word, &word, word + READER)) return true;
            continue;
        }
        if (!(word & READERS_WAITING)) {
            if (!edo_cas_relaxed(&rwlock->word, &word, word | READERS_WAITING)) continue;
            word |= READERS_WAITING;
        }
        if (!edo__thread_sleep(&rwlock->word, word, deadline)) return false;
        word = edo_load_relaxed(&rwlock->word);
    }
}

/* Ends a writer's wait when its time limit has passed. Returns: true: the writer has given up;
 * false: the lock is free, and the writer tries again. */
static bool give_up(edo_thread_rwlock *rwlock)
{
    uint32_t word = edo_load_relaxed(&rwlock->word);
    do {
        if (is_free(word)) return false;
    } while (!edo_cas_relaxed(&rwlock->word, &word, word & ~WAITING));
    edo_add_release(&rwlock->sequence, 1);
    edo__sys_futex_wake_all(&rwlock->sequence);
    edo__sys_futex_wake_all(&rwlock->word);
    return true;
}

static bool write_slowly(void *lock, int64_t deadline)
{
    edo_thread_rwlock *rwlock = lock;
    uint32_t others = 0; // WRITERS_WAITING if more writers may sleep
    for (uint32_t word = spin(rwlock, true);;) {
        if (is_free(word)) {
            if (edo_cas_acquire(&rwlock->word, &word, word | WRITER | others)) return true;
            continue;
        }
        if (!(word & WRITERS_WAITING) &&
            !edo_cas_relaxed(&rwlock->word, &word, word | WRITERS_WAITING))
            continue;
        others = WRITERS_WAITING;
        uint32_t sequence = edo_load_acquire(&rwlock->sequence);
        word = edo_load_relaxed(&rwlock->word);
        if (is_free(word) || !(word & WRITERS_WAITING)) continue;
        if (!edo__thread_sleep(&rwlock->sequence, sequence, deadline) && give_up(rwlock))
            return false;
        word = edo_load_relaxed(&rwlock->word);
    }
}

static bool try_read(void *lock)
{
    return edo__thread_rwlock_try_read_now(lock);
}

static bool try_write(void *lock)
{
    return edo__thread_rwlock_try_write_now(lock);
}

static const edo__thread_lock_ops read_ops = { try_read, read_slowly };
static const edo__thread_lock_ops write_ops = { try_write, write_slowly };

static int lock(edo_thread_rwlock *rwlock, bool write, int64_t deadline,
                const edo_thread_place *place)
{
    const edo__thread_lock_ops *ops = write ? &write_ops : &read_ops;
    edo__thread_hold hold = { rwlock, place, write ? EDO__THREAD_WRITE : EDO__THREAD_READ };
    if (edo__thread_are_checked()) return edo__thread_lock_checked(&hold, rwlock, deadline, ops);
    return ops->try_now(rwlock) || ops->wait(rwlock, deadline) ? 0 : -ETIMEDOUT;
}

int edo__thread_rwlock_read_slow(edo_thread_rwlock *rwlock, int64_t deadline,
                                 const edo_thread_place *place)
{
    return lock(rwlock, false, deadline, place);
}

int edo__thread_rwlock_write_slow(edo_thread_rwlock *rwlock, int64_t deadline,
                                  const edo_thread_place *place)
{
    return lock(rwlock, true, deadline, place);
}

int edo__thread_rwlock_try_checked(edo_thread_rwlock *rwlock, bool write,
                                   const edo_thread_place *place)
{
    edo__thread_hold hold = { rwlock, place, write ? EDO__THREAD_WRITE : EDO__THREAD_READ };
    if (!(write ? try_write(rwlock) : try_read(rwlock))) return -EAGAIN;
    if (edo__thread_are_checked()) edo__thread_note_locked(&hold);
    return 0;
}
