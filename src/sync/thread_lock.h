/* Shared parts of the locks for plain threads: spins, sleeps, and checks.
 *
 * Checks. A lock operation calls the checks if edo__thread_are_checked() returns true. The answer
 * is the same for all locks, and never changes in a process. */
#pragma once

#include <edo/thread_locks.h>

#include "base/atomic.h"
#include "sys/sys.h"

/* ---- waiting ---- */

/* Sleeps while *word == value, at most until the deadline. Returns: false: the deadline had passed
 * before the sleep. */
static inline bool edo__thread_sleep(uint32_t *word, uint32_t value, int64_t deadline)
{
    if (deadline == EDO_NEVER) {
        edo__sys_futex_wait(word, value);
        return true;
    }
    if (edo__sys_now() >= deadline) return false;
    edo__sys_futex_wait_until(word, value, deadline);
    return true;
}

/* State of a spin loop, which reads a word until a holder on another processor has unlocked. The
 * limit of the loop is adaptive. Each thread has a limit of its own, which grows with each
 * successful spin and halves with each failed one. Spins on locks with long holds fail, so they
 * soon become short. */
typedef struct edo__thread_spin {
    uint32_t spent, limit; // pauses
} edo__thread_spin;

#ifdef EDO_MODEL

enum { EDO__THREAD_MODEL_SPINS = 1 };

static inline edo__thread_spin edo__thread_spin_begin(void)
{
    return (edo__thread_spin){ 0, EDO__THREAD_MODEL_SPINS };
}
static inline bool edo__thread_spins(edo__thread_spin *spin)
{
    return spin->spent++ < spin->limit;
}
static inline void edo__thread_spin_end(bool success)
{
    (void)success;
}

#else

edo__thread_spin edo__thread_spin_begin(void);

/* Pauses, within the limit. Returns: whether to read the word once more. */
bool edo__thread_spins(edo__thread_spin *spin);

/* Raises the thread's limit after a successful spin, and lowers it after a failed one. */
void edo__thread_spin_end(bool success);

#endif

/* ---- checks ---- */

typedef enum edo__thread_lock_kind {
    EDO__THREAD_MUTEX,
    EDO__THREAD_READ,
    EDO__THREAD_WRITE,
    EDO__THREAD_ONCE,
} edo__thread_lock_kind;

/* A lock that a thread holds, or waits for. */
typedef struct edo__thread_hold {
    const void *lock;
    const edo_thread_place *place;
    edo__thread_lock_kind kind;
} edo__thread_hold;

#ifdef EDO_MODEL

#define edo__thread_are_checked() false

#else

bool edo__thread_decide_checks(void);

static inline bool edo__thread_are_checked(void)
{
    uint32_t checks = edo_load_relaxed(&edo__thread_checks);
    return checks == EDO__CHECKS_UNDECIDED ? edo__thread_decide_checks() : checks == EDO__CHECKS_ON;
}

#endif

/* Functions that take a lock. wait: spins and sleeps; returns false if the deadline has passed. */
typedef struct edo__thread_lock_ops {
    bool (*try_now)(void *lock);
    bool (*wait)(void *lock, int64_t deadline);
} edo__thread_lock_ops;

/* Locks with all checks. Returns: 0; -ETIMEDOUT. */
int edo__thread_lock_checked(const edo__thread_hold *hold, void *lock, int64_t deadline,
                             const edo__thread_lock_ops *ops);

/* Aborts if this thread holds the lock. Called before each lock operation. */
void edo__thread_check_lock(const edo__thread_hold *hold);

/* Records a hold of this thread. Called after each operation that has taken a lock. */
void edo__thread_note_locked(const edo__thread_hold *hold);

/* These two functions record the beginning and the end of a sleep without a time limit. The first
 * function aborts if the sleep would complete a circle of threads that wait for each other. */
void edo__thread_note_waits(const edo__thread_hold *hold);
void edo__thread_note_waits_no_more(void);
