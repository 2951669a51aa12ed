/* Locks for plain threads: mutex, condition variable, readers-writer lock, once.
 *
 * The locks block the calling thread, so hold them only for a few instructions without an await. To
 * hold a lock across awaits, use the locks of edo/locks.h. The locks are plain structs. An all-zero
 * struct (EDO_THREAD_MUTEX_INIT, ...) is a free lock. Nothing is allocated, and no call is needed
 * at the end. In every build a mutex and a once have 4 bytes, and the other locks have 8.
 *
 *     edo_thread_mutex_lock(&table->mutex);
 *     ...
 *     edo_thread_mutex_unlock(&table->mutex);
 *
 * An uncontended lock costs one atomic operation, inline. On a contended lock a thread first spins,
 * then sleeps. How long it spins adapts to how often spinning has succeeded.
 *
 * Order of service. There is no queue. The first thread that tries to take a free lock gets it,
 * even a thread that has just arrived. In the readers-writer lock writers have priority: a reader
 * waits while a writer waits. So a thread that holds the lock for reading must not lock it for
 * reading again: it could wait for a writer that waits for this thread.
 *
 * Limits. The _until variants wait at most until a deadline: a time of the monotonic clock in
 * nanoseconds, as edo_now() returns outside of runtimes. EDO_NEVER means no limit. A free lock is
 * taken even if the deadline has passed.
 *
 * Checks. In a debug build of the library, or with EDO_LOCK_TRACE=1 in the environment at the first
 * call, each lock's holder and the place of the lock call are recorded. (The record is outside of
 * the lock, which keeps its size.) These mistakes then end the process, with one line that names
 * the places:
 *   - a thread locks a lock that it holds already,
 *   - a thread unlocks, or waits with, a lock that it does not hold,
 *   - threads wait for each other in a circle, without time limits (each of them gets a line),
 *   - a thread ends while it holds a lock,
 *   - a poll of a task returns while its thread holds a lock that was locked in that poll (only in
 *     debug builds).
 * An unlock of a free lock ends the process in every build.
 *
 * Forks. A child has only the forking thread, which can unlock its own locks there. Locks that
 * other threads of the parent held stay locked in the child for ever. A once that another thread
 * was running is never done in the child. Suppose that a program forks while it has threads, and
 * that the child does not exec. Then the forking thread must, during the fork, hold the locks that
 * the child needs (pthread_atfork()). Locks cannot be shared between processes.
 *
 * All functions: any thread; never in a signal handler.
 */
#pragma once

#include <edo/locks.h>
#include <edo/time.h>

#ifdef EDO_MODEL
#define edo__swap_unlock(p, value) edo_swap_release((p), (value))
#define edo__sub_unlock(p, value)  edo_sub_release((p), (value))
#else
#define edo__swap_unlock(p, value) __atomic_exchange_n((p), (value), __ATOMIC_RELEASE)
#define edo__sub_unlock(p, value)  __atomic_fetch_sub((p), (value), __ATOMIC_RELEASE)
#endif

EDO_BEGIN_DECLS

/* All members are private. */
typedef struct edo_thread_mutex {
    uint32_t word; // atomic: EDO__THREAD_FREE, ...
} edo_thread_mutex;

typedef struct edo_thread_cond {
    uint32_t sequence; // atomic: number of notifications that found a waiter
    uint32_t waiters;  // atomic
} edo_thread_cond;

typedef struct edo_thread_rwlock {
    uint32_t word;     // atomic: EDO__THREAD_READER, ...
    uint32_t sequence; // atomic: number of wakes of writers
} edo_thread_rwlock;

typedef struct edo_thread_once {
    uint32_t word; // atomic: EDO__THREAD_ONCE_NEW, ...
} edo_thread_once;

#define EDO_THREAD_MUTEX_INIT                                                                      \
    {                                                                                              \
        0                                                                                          \
    }
#define EDO_THREAD_COND_INIT                                                                       \
    {                                                                                              \
        0, 0                                                                                       \
    }
#define EDO_THREAD_RWLOCK_INIT                                                                     \
    {                                                                                              \
        0, 0                                                                                       \
    }
#define EDO_THREAD_ONCE_INIT                                                                       \
    {                                                                                              \
        0                                                                                          \
    }

enum { EDO__THREAD_FREE, EDO__THREAD_LOCKED, EDO__THREAD_CONTENDED };

#define EDO__THREAD_READER          UINT32_C(1)
#define EDO__THREAD_WRITER          ((UINT32_C(1) << 30) - 1) // instead of the number of readers
#define EDO__THREAD_READERS_WAITING (UINT32_C(1) << 30)
#define EDO__THREAD_WRITERS_WAITING (UINT32_C(1) << 31)

enum {
    EDO__THREAD_ONCE_NEW,
    EDO__THREAD_ONCE_RUNS,
    EDO__THREAD_ONCE_AWAITED,
    EDO__THREAD_ONCE_DONE
};

/* State of the checks, decided by the first call. */
enum { EDO__CHECKS_OFF, EDO__CHECKS_UNDECIDED, EDO__CHECKS_ON };
EDO_API extern uint32_t edo__thread_checks; // atomic

#ifdef EDO_MODEL
#define edo__thread_unchecked() true
#else
#define edo__thread_unchecked()                                                                    \
    __builtin_expect(edo__load_lock(&edo__thread_checks) == EDO__CHECKS_OFF, 1)
#endif

/* A call in the program: name, file, line. */
typedef struct edo_thread_place {
    const char *call, *file;
    uint32_t line;
} edo_thread_place;

#define EDO__THREAD_PLACE(call)                                                                    \
    (__extension__({                                                                               \
        static const edo_thread_place edo__place = { (call), __FILE__, __LINE__ };                 \
        &edo__place;                                                                               \
    }))

EDO_API int edo__thread_mutex_lock_slow(edo_thread_mutex *mutex, int64_t deadline,
                                        const edo_thread_place *place);
EDO_API int edo__thread_mutex_try_checked(edo_thread_mutex *mutex, const edo_thread_place *place);
EDO_API void edo__thread_note_unlock(const void *lock, const edo_thread_place *place);
EDO_API void edo__thread_mutex_unlock_slow(edo_thread_mutex *mutex, uint32_t before,
                                           const edo_thread_place *place);
EDO_API int edo__thread_cond_wait(edo_thread_cond *cond, edo_thread_mutex *mutex, int64_t deadline,
                                  const edo_thread_place *place);
EDO_API void edo__thread_cond_notify(edo_thread_cond *cond, bool all);
EDO_API int edo__thread_rwlock_read_slow(edo_thread_rwlock *rwlock, int64_t deadline,
                                         const edo_thread_place *place);
EDO_API int edo__thread_rwlock_write_slow(edo_thread_rwlock *rwlock, int64_t deadline,
                                          const edo_thread_place *place);
EDO_API int edo__thread_rwlock_try_checked(edo_thread_rwlock *rwlock, bool write,
                                           const edo_thread_place *place);
EDO_API void edo__thread_rwlock_unlocked(edo_thread_rwlock *rwlock, uint32_t before, bool write,
                                         const edo_thread_place *place);
EDO_API void edo__thread_rwlock_downgrade(edo_thread_rwlock *rwlock, const edo_thread_place *place);
EDO_API int edo__thread_once_slow(edo_thread_once *once, int (*init)(void *context), void *context,
                                  const edo_thread_place *place);

/* ---- the uncontended paths ---- */

static inline bool edo__thread_mutex_try(edo_thread_mutex *mutex)
{
    uint32_t expected = EDO__THREAD_FREE;
    return edo__cas_lock(&mutex->word, &expected, EDO__THREAD_LOCKED);
}

static inline void edo__thread_mutex_lock(edo_thread_mutex *mutex, const edo_thread_place *place)
{
    if (!edo__thread_unchecked() || !edo__thread_mutex_try(mutex))
        edo__thread_mutex_lock_slow(mutex, EDO_NEVER, place);
}

static inline int edo__thread_mutex_lock_until(edo_thread_mutex *mutex, int64_t deadline,
                                               const edo_thread_place *place)
{
    if (edo__thread_unchecked() && edo__thread_mutex_try(mutex)) return 0;
    return edo__thread_mutex_lock_slow(mutex, deadline, place);
}

static inline int edo__thread_mutex_try_lock(edo_thread_mutex *mutex, const edo_thread_place *place)
{
    if (!edo__thread_unchecked()) return edo__thread_mutex_try_checked(mutex, place);
    return edo__thread_mutex_try(mutex) ? 0 : -EAGAIN;
}

static inline void edo__thread_mutex_unlock(edo_thread_mutex *mutex, const edo_thread_place *place)
{
    if (!edo__thread_unchecked()) edo__thread_note_unlock(mutex, place);
    uint32_t before = edo__swap_unlock(&mutex->word, EDO__THREAD_FREE);
    if (__builtin_expect(before != EDO__THREAD_LOCKED, 0))
        edo__thread_mutex_unlock_slow(mutex, before, place);
}

static inline bool edo__thread_rwlock_try_read_now(edo_thread_rwlock *rwlock)
{
    uint32_t word = edo__load_lock(&rwlock->word);
    while (word < EDO__THREAD_WRITER - 1) // no writer, no waiter, count not at its maximum
        if (edo__cas_lock(&rwlock->word, &word, word + EDO__THREAD_READER)) return true;
    return false;
}

static inline bool edo__thread_rwlock_try_write_now(edo_thread_rwlock *rwlock)
{
    uint32_t expected = 0;
    return edo__cas_lock(&rwlock->word, &expected, EDO__THREAD_WRITER);
}

static inline void edo__thread_rwlock_unlock_read(edo_thread_rwlock *rwlock,
                                                  const edo_thread_place *place)
{
    if (!edo__thread_unchecked()) edo__thread_note_unlock(rwlock, place);
    uint32_t before = edo__sub_unlock(&rwlock->word, EDO__THREAD_READER);
    if (__builtin_expect(before - 1 >= EDO__THREAD_WRITER - 1, 0))
        edo__thread_rwlock_unlocked(rwlock, before, false, place);
}

static inline void edo__thread_rwlock_unlock_write(edo_thread_rwlock *rwlock,
                                                   const edo_thread_place *place)
{
    if (!edo__thread_unchecked()) edo__thread_note_unlock(rwlock, place);
    uint32_t before = edo__sub_unlock(&rwlock->word, EDO__THREAD_WRITER);
    if (__builtin_expect(before != EDO__THREAD_WRITER, 0))
        edo__thread_rwlock_unlocked(rwlock, before, true, place);
}

static inline int edo__thread_rwlock_read(edo_thread_rwlock *rwlock, int64_t deadline,
                                          const edo_thread_place *place)
{
    if (edo__thread_unchecked() && edo__thread_rwlock_try_read_now(rwlock)) return 0;
    return edo__thread_rwlock_read_slow(rwlock, deadline, place);
}

static inline int edo__thread_rwlock_write(edo_thread_rwlock *rwlock, int64_t deadline,
                                           const edo_thread_place *place)
{
    if (edo__thread_unchecked() && edo__thread_rwlock_try_write_now(rwlock)) return 0;
    return edo__thread_rwlock_write_slow(rwlock, deadline, place);
}

static inline int edo__thread_rwlock_try_read(edo_thread_rwlock *rwlock,
                                              const edo_thread_place *place)
{
    if (!edo__thread_unchecked()) return edo__thread_rwlock_try_checked(rwlock, false, place);
    return edo__thread_rwlock_try_read_now(rwlock) ? 0 : -EAGAIN;
}

static inline int edo__thread_rwlock_try_write(edo_thread_rwlock *rwlock,
                                               const edo_thread_place *place)
{
    if (!edo__thread_unchecked()) return edo__thread_rwlock_try_checked(rwlock, true, place);
    return edo__thread_rwlock_try_write_now(rwlock) ? 0 : -EAGAIN;
}

static inline void edo__thread_cond_notify_fast(edo_thread_cond *cond, bool all)
{
    if (edo__load_lock(&cond->waiters)) edo__thread_cond_notify(cond, all);
}

static inline int edo__thread_once_run(edo_thread_once *once, int (*init)(void *context),
                                       void *context, const edo_thread_place *place)
{
    if (__builtin_expect(edo__load_seen(&once->word) == EDO__THREAD_ONCE_DONE, 1)) return 0;
    return edo__thread_once_slow(once, init, context, place);
}

EDO_END_DECLS

/* ---- mutex ---- */

/* Locks the mutex. No result. Thread: any, except the holder. */
#define edo_thread_mutex_lock(mutex)                                                               \
    edo__thread_mutex_lock((mutex), EDO__THREAD_PLACE("edo_thread_mutex_lock"))

/* As edo_thread_mutex_lock(), but with a time limit.
 * Returns: 0; -ETIMEDOUT: not locked. */
#define edo_thread_mutex_lock_until(mutex, deadline)                                               \
    edo__thread_mutex_lock_until((mutex), (deadline),                                              \
                                 EDO__THREAD_PLACE("edo_thread_mutex_lock_until"))

/* Locks the mutex if it is free.
 * Returns: 0; -EAGAIN: a thread holds the mutex. */
#define edo_thread_mutex_try_lock(mutex)                                                           \
    edo__thread_mutex_try_lock((mutex), EDO__THREAD_PLACE("edo_thread_mutex_try_lock"))

/* Unlocks the mutex. Thread: the holder. */
#define edo_thread_mutex_unlock(mutex)                                                             \
    edo__thread_mutex_unlock((mutex), EDO__THREAD_PLACE("edo_thread_mutex_unlock"))

/* ---- condition variable ---- */

/* Unlocks the mutex, waits for a notification, and locks the mutex again. Wakes may be spurious,
 * so test the condition in a loop:
 *
 *     while (!queue->count) edo_thread_cond_wait(&queue->filled, &queue->mutex);
 *
 * If the condition changes only under the mutex, no notification between the test and the wait is
 * lost.
 * Thread: the holder of the mutex. */
#define edo_thread_cond_wait(cond, mutex)                                                          \
    ((void)edo__thread_cond_wait((cond), (mutex), EDO_NEVER,                                       \
                                 EDO__THREAD_PLACE("edo_thread_cond_wait")))

/* As edo_thread_cond_wait(), but with a time limit. The limit applies to the wait for the
 * notification only. Afterwards the mutex is locked again, which may take longer.
 * Returns: 0; -ETIMEDOUT: no notification before the deadline. The mutex is locked in both
 * cases. */
#define edo_thread_cond_wait_until(cond, mutex, deadline)                                          \
    edo__thread_cond_wait((cond), (mutex), (deadline),                                             \
                          EDO__THREAD_PLACE("edo_thread_cond_wait_until"))

/* These calls notify one waiting thread, or all waiting threads. If no thread waits, the cost is
 * one load. The caller need not hold the mutex. */
#define edo_thread_cond_notify_one(cond) edo__thread_cond_notify_fast((cond), false)
#define edo_thread_cond_notify_all(cond) edo__thread_cond_notify_fast((cond), true)

/* ---- readers-writer lock ---- */

/* edo_thread_rwlock_read() locks for reading: several readers may hold the lock at a time.
 * edo_thread_rwlock_write() locks for writing: the writer holds the lock alone. No result.
 * Thread: any, except a holder. */
#define edo_thread_rwlock_read(rwlock)                                                             \
    ((void)edo__thread_rwlock_read((rwlock), EDO_NEVER,                                            \
                                   EDO__THREAD_PLACE("edo_thread_rwlock_read")))
#define edo_thread_rwlock_write(rwlock)                                                            \
    ((void)edo__thread_rwlock_write((rwlock), EDO_NEVER,                                           \
                                    EDO__THREAD_PLACE("edo_thread_rwlock_write")))

/* These calls lock with a time limit.
 * Return: 0; -ETIMEDOUT: not locked. A writer that timed out blocks no reader. */
#define edo_thread_rwlock_read_until(rwlock, deadline)                                             \
    edo__thread_rwlock_read((rwlock), (deadline), EDO__THREAD_PLACE("edo_thread_rwlock_read_until"))
#define edo_thread_rwlock_write_until(rwlock, deadline)                                            \
    edo__thread_rwlock_write((rwlock), (deadline),                                                 \
                             EDO__THREAD_PLACE("edo_thread_rwlock_write_until"))

/* These calls lock without waiting.
 * Return: 0; -EAGAIN for reading: a writer holds the lock or waits; -EAGAIN for writing: a thread
 * holds the lock. */
#define edo_thread_rwlock_try_read(rwlock)                                                         \
    edo__thread_rwlock_try_read((rwlock), EDO__THREAD_PLACE("edo_thread_rwlock_try_read"))
#define edo_thread_rwlock_try_write(rwlock)                                                        \
    edo__thread_rwlock_try_write((rwlock), EDO__THREAD_PLACE("edo_thread_rwlock_try_write"))

/* Thread: a reader, or the writer. */
#define edo_thread_rwlock_unlock_read(rwlock)                                                      \
    edo__thread_rwlock_unlock_read((rwlock), EDO__THREAD_PLACE("edo_thread_rwlock_unlock_read"))
#define edo_thread_rwlock_unlock_write(rwlock)                                                     \
    edo__thread_rwlock_unlock_write((rwlock), EDO__THREAD_PLACE("edo_thread_rwlock_unlock_write"))

/* Turns the writer's lock into a reader's lock. No other writer gets the lock in between. Thread:
 * the writer. */
#define edo_thread_rwlock_downgrade(rwlock)                                                        \
    edo__thread_rwlock_downgrade((rwlock), EDO__THREAD_PLACE("edo_thread_rwlock_downgrade"))

/* ---- once ---- */

/* Calls init(context), unless an earlier call on any thread has succeeded. Other threads wait until
 * init has returned, and then see the writes of init. If init fails with a negative errno, init is
 * run again by the next call, or by a thread that has waited.
 * init has returned, and then see the writes of init. If init fails with a negative errno, init is
 * run again by the next call, or by a thread that has waited.
 * init: int (*)(void *), which must not call edo_thread_once_run() with this once.
 * Returns: 0, or the error of init in this call. After a success a call costs one load. */
#define edo_thread_once_run(once, init, context)                                                   \
    edo__thread_once_run((once), (init), (context), EDO__THREAD_PLACE("edo_thread_once_run"))
