/* Locks for plain threads: mutex, condition variable, readers-writer lock, once.
 *
 * They block the calling thread, so they are for a few instructions without an await in between;
 * what is held across awaits is a lock for tasks (edo/locks.h). They are plain structs: all zero
 * (EDO_THREAD_MUTEX_INIT and its like) is a free one, nothing is allocated, and nothing need be done
 * at the end. A mutex and a once have 4 bytes, the others 8, in every build.
 *
 *     edo_thread_mutex_lock(&table->mutex);
 *     ...
 *     edo_thread_mutex_unlock(&table->mutex);
 *
 * While nobody else is in the way each of them is one atomic operation, inline. A thread that meets a
 * holder spins for a while, the longer the more often that has helped it lately, then it sleeps.
 *
 * Who is served. There is no queue: a lock goes to the thread that comes first once it is free, be it
 * one that has just arrived. Of the readers-writer lock, writers come before readers: a reader that
 * comes while a writer waits, waits too. So a thread that reads must not ask to read again.
 *
 * Limits. The _until variants wait at most until a moment of the monotonic clock in nanoseconds,
 * which is edo_now() of a thread outside of runtimes; EDO_NEVER is no limit, and a moment that has
 * passed still takes what is free.
 *
 * Checks. In a debug build of the library, or with EDO_LOCK_TRACE=1 in the environment of the first
 * call, each lock knows which thread holds it and where it was locked (beside the lock, which keeps
 * its size). Then these end the process, with one line that names the places:
 *   - a thread locks again what it holds,
 *   - a thread unlocks, or waits with, what it does not hold,
 *   - threads wait for each other in a circle, without limits: a line for each of them,
 *   - a thread ends while it holds a lock,
 *   - a task waits (its poll returns) while its thread holds a lock that the poll took (debug builds).
 * Unlocking what nobody holds ends the process in every build.
 *
 * Forks. A child has the forking thread alone. What that thread held is its own to unlock; what other
 * threads of the parent held stays locked in the child for ever, and a once that they were running
 * stays so. A program that forks while it has threads, and does not exec, must hold the locks that
 * the child needs at the fork (pthread_atfork() does that). To share a lock between processes is not
 * supported.
 *
 * All are for any thread; none may be called in a signal handler.
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

/* All private. */
typedef struct edo_thread_mutex {
    uint32_t word; // atomic: EDO__THREAD_FREE and its like
} edo_thread_mutex;

typedef struct edo_thread_cond {
    uint32_t sequence; // atomic: number of notifications that met a waiter
    uint32_t waiters;  // atomic
} edo_thread_cond;

typedef struct edo_thread_rwlock {
    uint32_t word;     // atomic: EDO__THREAD_READER and its like
    uint32_t sequence; // atomic: number of wakes of writers
} edo_thread_rwlock;

typedef struct edo_thread_once {
    uint32_t word; // atomic: EDO__THREAD_ONCE_NEW and its like
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
#define EDO__THREAD_WRITER          ((UINT32_C(1) << 30) - 1) // in place of the number of readers
#define EDO__THREAD_READERS_WAITING (UINT32_C(1) << 30)
#define EDO__THREAD_WRITERS_WAITING (UINT32_C(1) << 31)

enum {
    EDO__THREAD_ONCE_NEW,
    EDO__THREAD_ONCE_RUNS,
    EDO__THREAD_ONCE_AWAITED,
    EDO__THREAD_ONCE_DONE
};

/* Whether locks are checked: decided by the first call. */
enum { EDO__CHECKS_OFF, EDO__CHECKS_UNDECIDED, EDO__CHECKS_ON };
EDO_API extern uint32_t edo__thread_checks; // atomic

#ifdef EDO_MODEL
#define edo__thread_unchecked() true
#else
#define edo__thread_unchecked()                                                                    \
    __builtin_expect(edo__load_lock(&edo__thread_checks) == EDO__CHECKS_OFF, 1)
#endif

/* A line of the program, and the call there. */
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
    while (word < EDO__THREAD_WRITER - 1) // no writer, nobody waits, room for one more
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

/* Locks the mutex. Returns nothing. Thread: any that does not hold the mutex. */
#define edo_thread_mutex_lock(mutex)                                                               \
    edo__thread_mutex_lock((mutex), EDO__THREAD_PLACE("edo_thread_mutex_lock"))

/* The same with a limit.
 * Returns: 0; -ETIMEDOUT: the mutex was not locked. */
#define edo_thread_mutex_lock_until(mutex, deadline)                                               \
    edo__thread_mutex_lock_until((mutex), (deadline),                                              \
                                 EDO__THREAD_PLACE("edo_thread_mutex_lock_until"))

/* Locks the mutex if it is free.
 * Returns: 0; -EAGAIN: a thread holds it. */
#define edo_thread_mutex_try_lock(mutex)                                                           \
    edo__thread_mutex_try_lock((mutex), EDO__THREAD_PLACE("edo_thread_mutex_try_lock"))

/* Unlocks the mutex. Thread: the one that holds it. */
#define edo_thread_mutex_unlock(mutex)                                                             \
    edo__thread_mutex_unlock((mutex), EDO__THREAD_PLACE("edo_thread_mutex_unlock"))

/* ---- condition variable ---- */

/* Unlocks the mutex, waits for a notification, and locks the mutex again. The call may also return
 * without a notification, so it belongs in a loop that checks the condition:
 *
 *     while (!queue->count) edo_thread_cond_wait(&queue->filled, &queue->mutex);
 *
 * No notification is lost between the check and the wait if the condition changes under the mutex
 * only. Thread: the one that holds the mutex. */
#define edo_thread_cond_wait(cond, mutex)                                                          \
    ((void)edo__thread_cond_wait((cond), (mutex), EDO_NEVER,                                       \
                                 EDO__THREAD_PLACE("edo_thread_cond_wait")))

/* The same with a limit, which does not include the time to lock the mutex again.
 * Returns: 0; -ETIMEDOUT: the limit passed without a notification. The mutex is locked in both
 * cases. */
#define edo_thread_cond_wait_until(cond, mutex, deadline)                                          \
    edo__thread_cond_wait((cond), (mutex), (deadline),                                             \
                          EDO__THREAD_PLACE("edo_thread_cond_wait_until"))

/* Notify one of the waiting threads, or all of them. With no waiter a call costs one load. The
 * caller may hold the mutex or not. */
#define edo_thread_cond_notify_one(cond) edo__thread_cond_notify_fast((cond), false)
#define edo_thread_cond_notify_all(cond) edo__thread_cond_notify_fast((cond), true)

/* ---- readers-writer lock ---- */

/* Take the lock: for reading, shared with other readers; for writing, alone. Return nothing.
 * Thread: any that does not hold the lock. */
#define edo_thread_rwlock_read(rwlock)                                                             \
    ((void)edo__thread_rwlock_read((rwlock), EDO_NEVER,                                            \
                                   EDO__THREAD_PLACE("edo_thread_rwlock_read")))
#define edo_thread_rwlock_write(rwlock)                                                            \
    ((void)edo__thread_rwlock_write((rwlock), EDO_NEVER,                                           \
                                    EDO__THREAD_PLACE("edo_thread_rwlock_write")))

/* The same with a limit.
 * Return: 0; -ETIMEDOUT: the lock was not taken. Readers do not wait for a writer that timed
 * out. */
#define edo_thread_rwlock_read_until(rwlock, deadline)                                             \
    edo__thread_rwlock_read((rwlock), (deadline), EDO__THREAD_PLACE("edo_thread_rwlock_read_until"))
#define edo_thread_rwlock_write_until(rwlock, deadline)                                            \
    edo__thread_rwlock_write((rwlock), (deadline),                                                 \
                             EDO__THREAD_PLACE("edo_thread_rwlock_write_until"))

/* Take the lock if that needs no wait.
 * Return: 0; -EAGAIN. For reading: a writer holds the lock or waits for it. For writing: any thread
 * holds it. */
#define edo_thread_rwlock_try_read(rwlock)                                                         \
    edo__thread_rwlock_try_read((rwlock), EDO__THREAD_PLACE("edo_thread_rwlock_try_read"))
#define edo_thread_rwlock_try_write(rwlock)                                                        \
    edo__thread_rwlock_try_write((rwlock), EDO__THREAD_PLACE("edo_thread_rwlock_try_write"))

/* Release the lock. Thread: one that holds it in that mode. */
#define edo_thread_rwlock_unlock_read(rwlock)                                                      \
    edo__thread_rwlock_unlock_read((rwlock), EDO__THREAD_PLACE("edo_thread_rwlock_unlock_read"))
#define edo_thread_rwlock_unlock_write(rwlock)                                                     \
    edo__thread_rwlock_unlock_write((rwlock), EDO__THREAD_PLACE("edo_thread_rwlock_unlock_write"))

/* Turns the writer into a reader, with no other writer in between. Thread: the writer. */
#define edo_thread_rwlock_downgrade(rwlock)                                                        \
    edo__thread_rwlock_downgrade((rwlock), EDO__THREAD_PLACE("edo_thread_rwlock_downgrade"))

/* ---- once ---- */

/* Calls init(context), unless a call by any thread has succeeded before. While init
 * runs, other callers wait for its end, and see its effects. If init returns a negative errno, it
 * is called again by a waiting caller or by the next one.
 * init: int (*)(void *); must not use the same once.
 * Returns: 0, or the failure of this thread's own call of init. After a success a call costs one
 * load. */
#define edo_thread_once_run(once, init, context)                                                   \
    edo__thread_once_run((once), (init), (context), EDO__THREAD_PLACE("edo_thread_once_run"))
