/* Locks for tasks: mutex, readers-writer lock, semaphore.
 *
 * The locks are plain structs in the user's memory. An all-zero struct (EDO_MUTEX_INIT, ...) is a
 * free lock; nothing is allocated. A lock may be held across awaits. A lock is unlocked by the task
 * or plain thread that locked it. Any task or thread may release permits of a semaphore. A task
 * that waits for a lock is queued, and its worker runs other tasks. For a lock that is held only
 * for a few instructions without an await, the locks of edo/thread_locks.h are cheaper.
 *
 * In an async function the macros edo_lock(), edo_read_lock(), edo_write_lock() and
 * edo_acquire() cost one atomic operation while the lock is not contended. The operations behind
 * these macros (edo_mutex_lock(), ...) are for limits, combinators and plain threads:
 *
 *     edo_lock(rc, &self->room->mutex);
 *     if (rc < 0) edo_return(rc);                       // cancelled: not locked
 *     ...
 *     edo_mutex_unlock(&self->room->mutex);
 *
 *     edo_await_for(rc, edo_s(1), edo_mutex_lock(&self->room->mutex));
 *
 * A plain thread waits by edo_wait(edo_mutex_lock(&mutex)); this call aborts inside a task.
 *
 * The end. Call _deinit() before the memory of a lock is freed. _deinit() aborts if the lock is
 * held or waited for. When a lock call returns, the unlock that has admitted the caller may still
 * be running on another thread, and may still use the lock. _deinit() waits until that unlock has
 * ended. So the last user may unlock the lock, call _deinit() and free the memory. Without
 * _deinit(), make sure that all calls on the lock have returned before the memory is freed.
 *
 * Order of service. A semaphore and a readers-writer lock serve requests first in, first out. No
 * request is overtaken, not even a request for many permits. Adjacent readers in the queue are
 * admitted together. A reader behind a waiting writer waits. The mutex lets a running task overtake
 * a waiter that would first have to be scheduled. This happens only once per waiter, because the
 * next unlock hands the mutex to that waiter. So no request starves.
 *
 * Deadlocks. The holders and waiters of every lock can be recorded, with the line at which each of
 * them called. The records are on in a debug build of the library, or if EDO_LOCK_TRACE=1 is in the
 * environment when the first runtime is made. (With ThreadSanitizer the records are off by default.
 * EDO_LOCK_TRACE=0 always turns them off.) edo_dump() shows the records. Four mistakes are found:
 * - A cycle of waiting tasks, or of plain threads in edo_wait(). The cycle is found only if each of
 *   its tasks waits for nothing but its lock. The request that closes the cycle logs the cycle,
 *   with backtraces.
 * - A task that ends while it holds a mutex or a readers-writer lock. This is logged.
 * - A waiter that was woken, but was not polled for one second. This is logged. If EDO_LOCK_TRACE
 *   is a number above 1, the time is that number of milliseconds instead.
 * - An unlock of a mutex or a write lock by a task other than its holder. This aborts.
 * While the records are off, each lock and each unlock pays a load and a branch for them.
 *
 * Cancellation. A cancelled request leaves the queue, and holds nothing. If the request was granted
 * at the same moment, the grant passes to the next request. */
#pragma once

#include <edo/task.h>

#ifdef EDO_MODEL
#include "base/atomic.h"
#define edo__load_lock(p)              edo_load_relaxed(p)
#define edo__load_seen(p)              edo_load_acquire(p)
#define edo__cas_lock(p, old, value)   edo_cas_acquire((p), (old), (value))
#define edo__cas_unlock(p, old, value) edo_cas_release((p), (old), (value))
#define edo__add_unlock(p, value)      edo_add_release((p), (value))
#else
#define edo__load_lock(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define edo__load_seen(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define edo__cas_lock(p, old, value)                                                               \
    __atomic_compare_exchange_n((p), (old), (value), false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)
#define edo__cas_unlock(p, old, value)                                                             \
    __atomic_compare_exchange_n((p), (old), (value), false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)
#define edo__add_unlock(p, value) __atomic_fetch_add((p), (value), __ATOMIC_RELEASE)
#endif

EDO_BEGIN_DECLS

/* ---- records of holders: only if they are on, see above ---- */

enum { EDO__HELD_MUTEX, EDO__HELD_READ, EDO__HELD_WRITE, EDO__HELD_PERMITS };

EDO_API extern uint32_t edo__locks_traced; // atomic
EDO_API void edo__note_taken_slow(const void *object, uint32_t kind, uint32_t count);
EDO_API void edo__note_given_slow(const void *object, uint32_t kind, uint32_t count,
                                  const char *call);
EDO_API void edo__note_passed_slow(const void *semaphore, uint32_t count);

#ifdef EDO_MODEL
#define edo__note_taken(object, kind, count)       ((void)0)
#define edo__note_given(object, kind, count, call) ((void)0)
#define edo__note_passed(semaphore, count)         ((void)0)
#else
static inline void edo__note_taken(const void *object, uint32_t kind, uint32_t count)
{
    if (__builtin_expect(edo__load_lock(&edo__locks_traced), 0))
        edo__note_taken_slow(object, kind, count);
}
static inline void edo__note_given(const void *object, uint32_t kind, uint32_t count,
                                   const char *call)
{
    if (__builtin_expect(edo__load_lock(&edo__locks_traced), 0))
        edo__note_given_slow(object, kind, count, call);
}
static inline void edo__note_passed(const void *semaphore, uint32_t count)
{
    if (__builtin_expect(edo__load_lock(&edo__locks_traced), 0))
        edo__note_passed_slow(semaphore, count);
}
#endif

/* ---- mutex ---- */

/* All members are private. */
typedef struct edo_mutex {
    uint32_t word; // atomic: EDO__MUTEX_*
    uint32_t lock; // guards the list of waiters
    void *waiters;
} edo_mutex;

#define EDO_MUTEX_INIT                                                                             \
    {                                                                                              \
        0, 0, NULL                                                                                 \
    }

enum {
    EDO__MUTEX_LOCKED = 1,
    EDO__MUTEX_WAITERS = 2, // the list of waiters is not empty
    EDO__MUTEX_WOKEN = 4,   // a waiter was woken, and was not polled since
};

EDO_API extern const edo_future_ops edo__mutex_lock_ops;
EDO_API void edo__mutex_unlock_slow(edo_mutex *mutex);

/* Locks the mutex if it is free.
 * Returns: 0, or -EAGAIN. Thread: any. */
static inline int edo_mutex_try_lock(edo_mutex *mutex)
{
    uint32_t word = edo__load_lock(&mutex->word);
    do {
        if (word & EDO__MUTEX_LOCKED) return -EAGAIN;
    } while (!edo__cas_lock(&mutex->word, &word, word | EDO__MUTEX_LOCKED));
    edo__note_taken(mutex, EDO__HELD_MUTEX, 1);
    return 0;
}

/* Locks the mutex.
 * Result: 0. Cancel: prompt; the mutex is not locked. */
static inline edo_op edo_mutex_lock(edo_mutex *mutex)
{
    return edo__op(&edo__mutex_lock_ops, mutex, NULL, 0, 0);
}

/* Unlocks the mutex; aborts if it is not locked.
 * Thread: that of the task that locked the mutex, or the plain thread that locked it. */
static inline void edo_mutex_unlock(edo_mutex *mutex)
{
    uint32_t locked = EDO__MUTEX_LOCKED;
    edo__note_given(mutex, EDO__HELD_MUTEX, 1, "edo_mutex_unlock");
    if (!edo__cas_unlock(&mutex->word, &locked, 0)) edo__mutex_unlock_slow(mutex);
}

/* Call this before the memory is freed; aborts if the mutex is locked or waited for. Thread: the
 * last user's. */
EDO_API void edo_mutex_deinit(edo_mutex *mutex);

/* ---- semaphore ---- */

#define EDO_SEMAPHORE_MAX (UINT32_MAX >> 1) // permits

/* All members are private. */
typedef struct edo_semaphore {
    uint64_t word;    // atomic: permits, and EDO__SEMAPHORE_*
    uint32_t lock;    // guards the list of waiters
    uint32_t settled; // permits that may be granted while there are waiters; guarded by `lock`
    void *waiters;
} edo_semaphore;

enum {
    EDO__SEMAPHORE_WAITERS = 1, // the list of waiters is not empty
    EDO__SEMAPHORE_CLOSED = 2,
    EDO__SEMAPHORE_PERMIT = 4, // one permit; this bit and the bits above are the number of permits
};

#define EDO__SEMAPHORE_END (((uint64_t)EDO_SEMAPHORE_MAX + 1) * EDO__SEMAPHORE_PERMIT)

#define EDO_SEMAPHORE_INIT(permits)                                                                \
    {                                                                                              \
        (uint64_t)(permits) * EDO__SEMAPHORE_PERMIT, 0, 0, NULL                                    \
    }

EDO_API extern const edo_future_ops edo__semaphore_acquire_ops;
EDO_API void edo__semaphore_overflow(const edo_semaphore *semaphore);
EDO_API void edo__semaphore_release_slow(edo_semaphore *semaphore, uint32_t permits);

/* Initialises a semaphore.
 * Returns: 0, or -EINVAL for more than EDO_SEMAPHORE_MAX permits. Thread: any, before the first
 * other use. */
static inline int edo_semaphore_init(edo_semaphore *semaphore, uint32_t permits)
{
    if (permits > EDO_SEMAPHORE_MAX) return -EINVAL;
    semaphore->word = (uint64_t)permits * EDO__SEMAPHORE_PERMIT;
    semaphore->lock = semaphore->settled = 0;
    semaphore->waiters = NULL;
    return 0;
}

/* Takes permits without waiting: all of them, or none.
 * Returns: 0; -EAGAIN: too few permits, or other requests wait; -EPIPE: the semaphore was
 * closed.
 * Thread: any. */
static inline int edo_semaphore_try_acquire(edo_semaphore *semaphore, uint32_t permits)
{
    uint64_t word = edo__load_lock(&semaphore->word);
    uint64_t taken = (uint64_t)permits * EDO__SEMAPHORE_PERMIT;
    do {
        if (word & EDO__SEMAPHORE_CLOSED) return -EPIPE;
        if ((word & EDO__SEMAPHORE_WAITERS) || word < taken) return -EAGAIN;
    } while (!edo__cas_lock(&semaphore->word, &word, word - taken));
    edo__note_taken(semaphore, EDO__HELD_PERMITS, permits);
    return 0;
}

/* Takes permits, all at the same moment. A request for 0 permits takes none, and only waits for its
 * turn in the queue.
 * Result: 0; -EPIPE: the semaphore was closed; -EINVAL for more than EDO_SEMAPHORE_MAX.
 * Cancel: prompt; no permit is held. */
static inline edo_op edo_semaphore_acquire(edo_semaphore *semaphore, uint32_t permits)
{
    return edo__op(&edo__semaphore_acquire_ops, semaphore, NULL, permits, 0);
}

/* Releases permits, or adds new ones. Aborts if the semaphore would then have more than
 * EDO_SEMAPHORE_MAX permits.
 * Thread: any. */
static inline void edo_semaphore_release(edo_semaphore *semaphore, uint32_t permits)
{
    edo__note_given(semaphore, EDO__HELD_PERMITS, permits, "edo_semaphore_release");
    uint64_t given = (uint64_t)permits * EDO__SEMAPHORE_PERMIT;
    if (!permits) return;
    uint64_t before = edo__add_unlock(&semaphore->word, given);
    if (__builtin_expect(before + given >= EDO__SEMAPHORE_END, 0))
        edo__semaphore_overflow(semaphore);
    if (__builtin_expect(before & EDO__SEMAPHORE_WAITERS, 0))
        edo__semaphore_release_slow(semaphore, permits);
}

/* Declares that another task will release permits that the caller has taken. For instance, an
 * accept loop takes a permit for each connection, and the connection's task releases the permit.
 * Only the records of holders change, not the permits: the records no longer name the caller as a
 * holder. So the caller's wait for the next permit is not reported as a deadlock. Call this before
 * the other task can release the permits.
 * Thread: the one that took the permits, in the same task. */
static inline void edo_semaphore_pass_on(edo_semaphore *semaphore, uint32_t permits)
{
    (void)semaphore, (void)permits; // without records
    edo__note_passed(semaphore, permits);
}

/* Removes available permits for good, at most `permits`.
 * Returns: the number removed. Thread: any. */
EDO_API uint32_t edo_semaphore_forget(edo_semaphore *semaphore, uint32_t permits);

/* Closes the semaphore: present and later requests end with -EPIPE. Permits may still be released.
 * Thread: any. */
EDO_API void edo_semaphore_close(edo_semaphore *semaphore);
EDO_API bool edo_semaphore_is_closed(const edo_semaphore *semaphore);

/* Number of permits available; a snapshot. Thread: any. */
EDO_API uint32_t edo_semaphore_available(const edo_semaphore *semaphore);

/* Call this before the memory is freed; aborts if the semaphore is waited for. Thread: the last
 * user's. */
EDO_API void edo_semaphore_deinit(edo_semaphore *semaphore);

/* ---- readers-writer lock ---- */

/* All members are private. */
typedef struct edo_rwlock {
    uint64_t word; // atomic: EDO__RWLOCK_*
    uint32_t lock; // guards the list of waiters
    uint32_t reserved;
    void *waiters;
} edo_rwlock;

#define EDO_RWLOCK_INIT                                                                            \
    {                                                                                              \
        0, 0, 0, NULL                                                                              \
    }

enum {
    EDO__RWLOCK_WRITER = 1,
    EDO__RWLOCK_WAITERS = 2, // the list of waiters is not empty
    EDO__RWLOCK_READER = 4,  // one reader; this bit and the bits above are the number of readers
};

EDO_API extern const edo_future_ops edo__rwlock_read_ops, edo__rwlock_write_ops;
EDO_API void edo__rwlock_unlock_read_slow(edo_rwlock *rwlock);
EDO_API void edo__rwlock_unlock_write_slow(edo_rwlock *rwlock);

/* Whether an unlock for reading needs the slow path. word: the word before the unlock. The slow
 * path is needed in two cases:
 * - The last reader unlocks while requests wait.
 * - The lock is not held for reading. The slow path reports this misuse. */
static inline bool edo__rwlock_is_last_of_readers(uint64_t word)
{
    if (word < EDO__RWLOCK_READER) return true;
    return (word & EDO__RWLOCK_WAITERS) && word < 2 * EDO__RWLOCK_READER;
}

/* Locks for reading if no writer holds the lock or waits for it.
 * Returns: 0, or -EAGAIN. Thread: any. */
static inline int edo_rwlock_try_read(edo_rwlock *rwlock)
{
    uint64_t word = edo__load_lock(&rwlock->word);
    do {
        if (word & (EDO__RWLOCK_WRITER | EDO__RWLOCK_WAITERS)) return -EAGAIN;
    } while (!edo__cas_lock(&rwlock->word, &word, word + EDO__RWLOCK_READER));
    edo__note_taken(rwlock, EDO__HELD_READ, 1);
    return 0;
}

/* Locks for writing if the lock is free.
 * Returns: 0, or -EAGAIN. Thread: any. */
static inline int edo_rwlock_try_write(edo_rwlock *rwlock)
{
    uint64_t none = 0;
    if (!edo__cas_lock(&rwlock->word, &none, EDO__RWLOCK_WRITER)) return -EAGAIN;
    edo__note_taken(rwlock, EDO__HELD_WRITE, 1);
    return 0;
}

/* edo_rwlock_read() locks for reading: several readers may hold the lock at a time.
 * edo_rwlock_write() locks for writing: the writer holds the lock alone.
 * Result: 0. Cancel: prompt; not locked.
 * A task that holds the lock for reading must not request it for reading again. If a writer waits,
 * the new request waits behind the writer, and the writer waits for the task: a deadlock. */
static inline edo_op edo_rwlock_read(edo_rwlock *rwlock)
{
    return edo__op(&edo__rwlock_read_ops, rwlock, NULL, EDO__RWLOCK_READER, 0);
}
static inline edo_op edo_rwlock_write(edo_rwlock *rwlock)
{
    return edo__op(&edo__rwlock_write_ops, rwlock, NULL, EDO__RWLOCK_WRITER, 0);
}

/* edo_rwlock_unlock_read() aborts if the lock is not held for reading, and
 * edo_rwlock_unlock_write() if it is not held for writing.
 * Thread: that of the task that locked the lock, or the plain thread that locked it. */
static inline void edo_rwlock_unlock_read(edo_rwlock *rwlock)
{
    edo__note_given(rwlock, EDO__HELD_READ, 1, "edo_rwlock_unlock_read");
    uint64_t word = edo__load_lock(&rwlock->word);
    do {
        if (__builtin_expect(edo__rwlock_is_last_of_readers(word), 0)) {
            edo__rwlock_unlock_read_slow(rwlock);
            return;
        }
    } while (!edo__cas_unlock(&rwlock->word, &word, word - EDO__RWLOCK_READER));
}
static inline void edo_rwlock_unlock_write(edo_rwlock *rwlock)
{
    uint64_t writer = EDO__RWLOCK_WRITER;
    edo__note_given(rwlock, EDO__HELD_WRITE, 1, "edo_rwlock_unlock_write");
    if (!edo__cas_unlock(&rwlock->word, &writer, 0)) edo__rwlock_unlock_write_slow(rwlock);
}

/* Turns the writer's lock into a reader's lock. No other writer gets the lock in between. Readers
 * at the head of the queue are admitted.
 * Thread: the writer's. */
EDO_API void edo_rwlock_downgrade(edo_rwlock *rwlock);

/* Call this before the memory is freed; aborts if the lock is held or waited for. Thread: the last
 * user's. */
EDO_API void edo_rwlock_deinit(edo_rwlock *rwlock);

EDO_END_DECLS

/* ---- inside async functions: one atomic operation on an uncontended lock ----
 *
 * The attempt to lock uses no budget, because it costs no more than a computation. */

/* `attempt` is an expression that tries to lock. The macro awaits the operation only if the
 * expression is -EAGAIN. If the function was asked to end, or runs under a limit or a shield, the
 * expression is not evaluated, because only the operation applies the rules for these cases. */
#define edo__attempt_or_await(lhs, attempt, ...)                                                   \
    do {                                                                                           \
        edo__note_line();                                                                          \
        lhs = (__typeof__(lhs))((self->base.fate | self->base.flags) ? -EAGAIN : (attempt));       \
        if (lhs == -EAGAIN) edo_await(lhs, __VA_ARGS__);                                           \
    } while (0)

/* These macros lock a mutex, or lock a readers-writer lock for reading or for writing.
 * rc: 0; -ECANCELED: not locked. */
#define edo_lock(rc, mutex)                                                                        \
    edo__attempt_or_await(rc, edo_mutex_try_lock(mutex), edo_mutex_lock(mutex))
#define edo_read_lock(rc, rwlock)                                                                  \
    edo__attempt_or_await(rc, edo_rwlock_try_read(rwlock), edo_rwlock_read(rwlock))
#define edo_write_lock(rc, rwlock)                                                                 \
    edo__attempt_or_await(rc, edo_rwlock_try_write(rwlock), edo_rwlock_write(rwlock))

/* Takes permits of a semaphore. rc: 0, or as edo_semaphore_acquire(). */
#define edo_acquire(rc, semaphore, permits)                                                        \
    edo__attempt_or_await(rc, edo_semaphore_try_acquire((semaphore), (permits)),                   \
                          edo_semaphore_acquire((semaphore), (permits)))
