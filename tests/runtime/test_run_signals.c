// edo-test: once
/* A signal on another thread, while edo_run() ends. */
#include "support/support.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <edo/edo.h>

#include "base/atomic.h"

enum { ROUNDS = 2000, SPINS = 20000, SECONDS = 10 };

#define OVER UINT32_MAX // instead of the number of a round

struct root {
    edo_frame();
    edo_args();
};

edo_async(root)
{
    edo_body {
        int rc;
        edo_await(rc, edo_yield());
        edo_return(rc == -ECANCELED ? 0 : rc);
    }
}

static edo_atomic(uint32_t) round_begun, round_ended;

static void ignore(int number)
{
    (void)number;
}

static void spin(uint64_t times)
{
    for (uint64_t i = 0; i < times; i++)
        edo_load_acquire(&round_begun);
}

/* A round takes two changes of threads, which are slow on a busy machine. So there are fewer rounds
 * when the time is up. */
static void run_rounds(void)
{
    int64_t end = rounds_end(SECONDS);
    for (uint32_t i = 1; i <= ROUNDS && !is_late(end); i++) {
        edo_store_release(&round_begun, i);
        if (edo_run(root) != 0) abort();
        while (edo_load_acquire(&round_ended) != i)
            sched_yield();
    }
    edo_store_release(&round_begun, OVER);
}

static void raise_in_rounds(void)
{
    test_random random = test_random_make(1);
    for (uint32_t i = 1;; i++) {
        uint32_t begun;
        while ((begun = edo_load_acquire(&round_begun)) == i - 1)
            sched_yield();
        if (begun == OVER) return;
        spin(test_random_below(&random, SPINS));
        raise(SIGINT); // the handler runs on this thread
        edo_store_release(&round_ended, i);
    }
}

static void run_or_raise(unsigned index, void *arg)
{
    (void)arg;
    if (index == 0)
        run_rounds();
    else
        raise_in_rounds();
}

test(handler_against_the_end)
{
    struct sigaction action = { .sa_handler = ignore }, old;
    assert_int_equal(sigaction(SIGINT, &action, &old), 0);
    run_threads(2, run_or_raise, NULL);
    assert_int_equal(sigaction(SIGINT, &old, NULL), 0);
}
