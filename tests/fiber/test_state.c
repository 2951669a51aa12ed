/* State that a fiber keeps across its waits, independent of other tasks and of its thread. */
#include "support/fibers.h"

#include <errno.h>
#include <fenv.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FIBERS = 16, ROUNDS = 200 };

/* Runs a fiber FIBERS times at once, with its number, and expects 0 of each. */
static void run_many(int64_t (*fn)(void *arg))
{
    edo_task *tasks[FIBERS];
    for (intptr_t i = 0; i < FIBERS; i++)
        assert_int_equal(edo_fiber_spawn(&tasks[i], NULL, fn, (void *)i), 0);
    for (int i = 0; i < FIBERS; i++)
        assert_int_equal(edo_wait(edo_join(tasks[i])), 0);
}

/* Not inlined: the compiler takes the place of errno for constant. */
static __attribute__((noinline)) void set_errno(int error)
{
    __asm__ volatile("");
    errno = error;
}

static __attribute__((noinline)) int get_errno(void)
{
    __asm__ volatile("");
    return errno;
}

static int64_t keeps_errno(void *arg)
{
    int mine = 100 + (int)(intptr_t)arg;
    for (int i = 0; i < ROUNDS; i++) {
        set_errno(mine);
        if (edo_wait(edo_yield()) < 0) return -EIO;
        if (get_errno() != mine) return -EPROTO;
    }
    return 0;
}

fiber_test(errno_stays_with_the_fiber)
{
    run_many(keeps_errno);
}

static const int modes[] = { FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO };

static int64_t keeps_rounding(void *arg)
{
    int mine = modes[(intptr_t)arg % 4];
    fesetround(mine);
    for (int i = 0; i < ROUNDS; i++) {
        if (edo_wait(edo_yield()) < 0) return -EIO;
        if (fegetround() != mine) return -EPROTO;
    }
    return 0;
}

fiber_test(rounding_stays_with_the_fiber)
{
    run_many(keeps_rounding);
    assert_int_equal(fegetround(), FE_TONEAREST);
}

/* ---- the worker: the same function asks on several threads ---- */

enum { WORKERS = 16 };

static uint32_t thread_of_worker[WORKERS]; // 0: not seen yet

/* The worker's thread is known, or is noted. Returns: whether it is this one. */
static bool is_thread_of(int worker, uint32_t thread)
{
    uint32_t none = 0;
    return __atomic_compare_exchange_n(&thread_of_worker[worker], &none, thread, false,
                                       __ATOMIC_RELAXED, __ATOMIC_RELAXED) ||
           none == thread;
}

static int64_t asks_for_worker(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        int worker = edo_worker_index();
        if (worker >= 0 && !is_thread_of(worker, (uint32_t)syscall(SYS_gettid))) return -EPROTO;
        if (edo_wait(edo_yield()) < 0) return -EIO;
        if (edo_worker_index() >= 0 &&
            !is_thread_of(edo_worker_index(), (uint32_t)syscall(SYS_gettid)))
            return -EPROTO;
    }
    return 0;
}

fiber_test(the_worker_is_that_of_the_thread_after_each_wait)
{
    memset(thread_of_worker, 0, sizeof thread_of_worker);
    run_many(asks_for_worker);
}

static uint32_t key, other_key;

static int64_t keeps_values(void *arg)
{
    if (edo_fiber_get(key)) return -EEXIST;
    edo_fiber_set(key, arg);
    edo_fiber_set(other_key, &key);
    for (int i = 0; i < ROUNDS; i++) {
        if (edo_wait(edo_yield()) < 0) return -EIO;
        if (edo_fiber_get(key) != arg || edo_fiber_get(other_key) != &key) return -EPROTO;
    }
    return 0;
}

fiber_test(values_stay_with_the_fiber)
{
    if (!key && !other_key) {
        assert_int_equal(edo_fiber_key_create(&key), 0);
        assert_int_equal(edo_fiber_key_create(&other_key), 0);
    }
    run_many(keeps_values);
}

/* ---- malloc and what else keeps things by thread ---- */

static int64_t allocates(void *arg)
{
    char *blocks[8] = { NULL };
    unsigned seed = (unsigned)(intptr_t)arg;
    for (int i = 0; i < ROUNDS; i++) {
        char **block = &blocks[(seed + (unsigned)i) % 8];
        if (*block && *block[0] != (char)seed) return -EPROTO;
        free(*block);
        *block = malloc(100 + (size_t)i);
        memset(*block, (int)seed, 100 + (size_t)i);
        if (edo_wait(edo_yield()) < 0) return -EIO;
    }
    for (int i = 0; i < 8; i++)
        free(blocks[i]);
    return 0;
}

fiber_test(memory_may_be_given_back_on_another_thread)
{
    run_many(allocates);
}
