/* Spins of the locks for plain threads, and locking with checks. */
#include "sync/thread_lock.h"

#include "base/base.h"

/* Limits of spins, in pauses of the processor. A pause takes about 40 ns. A long spin reads the
 * word more rarely, because each read takes the word's cache line away from the holder. */
enum {
    MAX_SPINS = 64, // greatest limit; takes about as long as a sleep and a wake
    MIN_SPINS = 4,  // not halved at or below this: enough to detect that spins succeed again
    FIRST_PAUSES = 4,
    MAX_PAUSES = 32, // between two reads
};

static _Thread_local uint32_t spin_limit __attribute__((tls_model("initial-exec")));

/* Initial limit of a thread. The limit is 0 on a machine with one processor, because the holder
 * cannot run during a spin there. */
static uint32_t first_limit(void)
{
    static edo_atomic(uint32_t) processors;
    uint32_t count = edo_load_relaxed(&processors);
    if (!count) edo_store_relaxed(&processors, count = edo__sys_cpu_count());
    return count > 1 ? MAX_SPINS : 0;
}

edo__thread_spin edo__thread_spin_begin(void)
{
    if (!spin_limit) spin_limit = first_limit();
    return (edo__thread_spin){ 0, spin_limit };
}

bool edo__thread_spins(edo__thread_spin *spin)
{
    if (spin->spent >= spin->limit) return false;
    uint32_t pauses = FIRST_PAUSES + spin->spent;
    if (pauses > MAX_PAUSES) pauses = MAX_PAUSES;
    for (uint32_t i = 0; i < pauses; i++)
        edo__relax();
    spin->spent += pauses;
    return true;
}

void edo__thread_spin_end(bool success)
{
    if (!spin_limit) return;
    if (success)
        spin_limit += (MAX_SPINS - spin_limit + 7) / 8;
    else if (spin_limit > MIN_SPINS)
        spin_limit /= 2;
}

int edo__thread_lock_checked(const edo__thread_hold *hold, void *lock, int64_t deadline,
                             const edo__thread_lock_ops *ops)
{
    edo__thread_check_lock(hold);
    if (!ops->try_now(lock)) {
        bool announced = deadline == EDO_NEVER;
        if (announced) edo__thread_note_waits(hold);
        bool locked = ops->wait(lock, deadline);
        if (announced) edo__thread_note_waits_no_more();
        if (!locked) return -ETIMEDOUT;
    }
    edo__thread_note_locked(hold);
    return 0;
}
