/* The mutex of four bytes for plain threads (Drepper, "Futexes Are Tricky", mutex 3, with
 * spinning).
 *
 *     FREE ------- lock, inline: CAS --------------------> LOCKED
 *     LOCKED ----- unlock, inline: swap -----------------> FREE
 *     LOCKED ----- a thread about to sleep: swap --------> CONTENDED
 *     CONTENDED -- unlock: swap, then one wake ----------> FREE
 *     FREE ------- a thread that has slept: swap --------> CONTENDED, locked by that thread
 *
 * CONTENDED means that threads may sleep. No sleeper is forgotten. A thread sleeps only while the
 * word is CONTENDED, so the unlock that ends this state wakes a sleeper. The woken thread sets the
 * word to CONTENDED, whether it gets the lock or not, because it does not know whether others
 * sleep. So the next unlock wakes the next sleeper. A thread whose time limit has passed sets
 * CONTENDED too, because it swaps before it reads the clock. If CONTENDED is set although no thread
 * sleeps, the cost is one superfluous wake by an unlock.
 *
 * Orders. Every unlock releases, and every lock acquires, by a read-modify-write of the word. */
#include "base/base.h"
#include "sync/thread_lock.h"

/* Spins for the mutex. Returns: whether the caller has locked the mutex. */
static bool spin(edo_thread_mutex *mutex)
{
    edo__thread_spin rounds = edo__thread_spin_begin();
    bool locked = false;
    while (!locked && edo__thread_spins(&rounds)) {
        uint32_t word = edo_load_relaxed(&mutex->word);
        if (word == EDO__THREAD_CONTENDED) break; // others sleep, and must not starve
        locked = word == EDO__THREAD_FREE && edo__thread_mutex_try(mutex);
    }
    edo__thread_spin_end(locked);
    return locked;
}

static bool wait_for(void *lock, int64_t deadline)
{
    edo_thread_mutex *mutex = lock;
    if (spin(mutex)) return true;
    while (edo_swap_acquire(&mutex->word, EDO__THREAD_CONTENDED) != EDO__THREAD_FREE)
        if (!edo__thread_sleep(&mutex->word, EDO__THREAD_CONTENDED, deadline)) return false;
    return true;
}

static bool try_now(void *lock)
{
    return edo__thread_mutex_try(lock);
}

static const edo__thread_lock_ops mutex_ops = { try_now, wait_for };

static edo__thread_hold hold_of(edo_thread_mutex *mutex, const edo_thread_place *place)
{
    return (edo__thread_hold){ mutex, place, EDO__THREAD_MUTEX };
}

int edo__thread_mutex_lock_slow(edo_thread_mutex *mutex, int64_t deadline,
                                const edo_thread_place *place)
{
    if (edo__thread_are_checked()) {
        edo__thread_hold hold = hold_of(mutex, place);
        return edo__thread_lock_checked(&hold, mutex, deadline, &mutex_ops);
    }
    return edo__thread_mutex_try(mutex) || wait_for(mutex, deadline) ? 0 : -ETIMEDOUT;
}

int edo__thread_mutex_try_checked(edo_thread_mutex *mutex, const edo_thread_place *place)
{
    edo__thread_hold hold = hold_of(mutex, place);
    if (!edo__thread_mutex_try(mutex)) return -EAGAIN;
    if (edo__thread_are_checked()) edo__thread_note_locked(&hold);
    return 0;
}

void edo__thread_mutex_unlock_slow(edo_thread_mutex *mutex, uint32_t before,
                                   const edo_thread_place *place)
{
    if (before == EDO__THREAD_FREE)
        edo__misuse(place->call, "the mutex is not locked (%s:%u)", place->file, place->line);
    edo__sys_futex_wake(&mutex->word);
}
