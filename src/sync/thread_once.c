/* The once for plain threads.
 *
 *     NEW ------ the first thread: CAS ------------> RUNS, that thread calls init
 *     RUNS ----- a thread about to sleep: CAS -----> AWAITED
 *     RUNS, AWAITED -- init has succeeded: swap ---> DONE, the final state
 *     RUNS, AWAITED -- init has failed: swap ------> NEW
 *
 * If the swap finds AWAITED, a wake of all sleepers follows. The kernel lets a thread sleep only
 * while the word is AWAITED. A thread that sleeps before the swap is reached by the wake. A thread
 * that comes to the kernel after the swap does not sleep.
 *
 * Orders. The swap releases the writes of init, even if init has failed. Loads that find DONE, and
 * the CAS of the next try, acquire.
 */
#include "base/base.h"
#include "sync/thread_lock.h"

static int run(edo_thread_once *once, int (*init)(void *context), void *context,
               const edo_thread_place *place)
{
    edo__thread_hold hold = { once, place, EDO__THREAD_ONCE };
    bool checked = edo__thread_are_checked();
    if (checked) edo__thread_note_locked(&hold);
    int rc = init(context);
    if (checked) edo__thread_note_unlock(once, place);
    uint32_t before = edo_swap_release(&once->word,
                                       rc < 0 ? EDO__THREAD_ONCE_NEW : EDO__THREAD_ONCE_DONE);
    if (before == EDO__THREAD_ONCE_AWAITED) edo__sys_futex_wake_all(&once->word);
    return rc < 0 ? rc : 0;
}

/* Waits until no thread runs init. */
static void wait_for(edo_thread_once *once, const edo_thread_place *place)
{
    edo__thread_hold hold = { once, place, EDO__THREAD_ONCE };
    uint32_t word = EDO__THREAD_ONCE_RUNS;
    bool checked = edo__thread_are_checked();
    if (checked) edo__thread_check_lock(&hold);
    if (checked) edo__thread_note_waits(&hold);
    if (edo_cas_relaxed(&once->word, &word, EDO__THREAD_ONCE_AWAITED))
        word = EDO__THREAD_ONCE_AWAITED;
    while (word == EDO__THREAD_ONCE_AWAITED) {
        edo__sys_futex_wait(&once->word, EDO__THREAD_ONCE_AWAITED);
        word = edo_load_relaxed(&once->word);
    }
    if (checked) edo__thread_note_waits_no_more();
}

int edo__thread_once_slow(edo_thread_once *once, int (*init)(void *context), void *context,
                          const edo_thread_place *place)
{
    for (;;) {
        uint32_t word = EDO__THREAD_ONCE_NEW;
        if (edo_cas_acquire(&once->word, &word, EDO__THREAD_ONCE_RUNS))
            return run(once, init, context, place);
        if (edo_load_acquire(&once->word) == EDO__THREAD_ONCE_DONE) return 0;
        wait_for(once, place);
    }
}
