/* What the locks for plain threads share: spinning, sleeping, and the checks.
 *
 * The checks: a lock operation calls them when edo__thread_are_checked() says so, and then all of its
 * lock's operations do, from the first one of the process on. */
#pragma once

#include <edo/thread_locks.h>

#include "base/atomic.h"
#include "sys/sys.h"

/* ---- waiting ---- */

/* Sleeps while *word == value, at most until the moment. Returns: false if it has passed. */
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

/* A loop that inspects a word until a holder on another processor is gone. Adaptive: each thread has a
 * limit of its own, which grows while its spins succeed, and halves when one fails, so that locks that
 * are held for long cost little. */
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

/* Pauses. Returns: whether to look once more. */
bool edo__thread_spins(edo__thread_spin *spin);

/* Adapts the limit of the thread. */
void edo__thread_spin_end(bool success);

#endif

/* ---- checks ---- */

typedef enum edo__thread_lock_kind {
    EDO__THREAD_MUTEX,
    EDO__THREAD_READ,
    EDO__THREAD_WRITE,
    EDO__THREAD_ONCE,
} edo__thread_lock_kind;

/* What a thread holds, or waits for. */
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

/* How a lock is taken. wait: with spinning and sleeping; false: the moment has come. */
typedef struct edo__thread_lock_ops {
    bool (*try_now)(void *lock);
    bool (*wait)(void *lock, int64_t deadline);
} edo__thread_lock_ops;

/* Locks with all checks. Returns: 0; -ETIMEDOUT. */
int edo__thread_lock_checked(const edo__thread_hold *hold, void *lock, int64_t deadline,
                             const edo__thread_lock_ops *ops);

/* Before a lock: aborts if this thread holds it. */
void edo__thread_check_lock(const edo__thread_hold *hold);

/* After it. */
void edo__thread_note_locked(const edo__thread_hold *hold);

/* Around the sleep of a lock without a limit. Aborts if it closes a circle. */
void edo__thread_note_waits(const edo__thread_hold *hold);
void edo__thread_note_waits_no_more(void);
