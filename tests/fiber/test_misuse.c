/* edo-test: once
 * Misuse that ends the process with a line: waits and blocks in the wrong place. */
#include "support/fibers.h"

#include "task/cx.h"

#include <setjmp.h>
#include <signal.h>
#include <unistd.h>

static edo_runtime *make_runtime(void)
{
    edo_runtime *runtime;
    assert_int_equal(edo_runtime_create(NULL, &runtime), 0);
    return runtime;
}

/* Runs the fiber in a child. The function is defined right before it. */
#define aborts(fn)                                                                                 \
    static void run_##fn(void *arg)                                                                \
    {                                                                                              \
        edo_fiber_block_on(make_runtime(), fn, arg);                                               \
    }

#define expect_fiber_abort(fn, pattern) expect_abort(run_##fn, NULL, (pattern))

/* ---- waits in async functions that a fiber calls ---- */

struct waits {
    edo_frame();
    edo_args();
};

edo_async(waits)
{
    edo_body {
        edo_return(edo_wait(edo_yield()));
    }
}

static int64_t calls_one_that_waits(void *arg)
{
    (void)arg;
    return edo_wait_call(waits);
}

aborts(calls_one_that_waits)

    test(a_wait_in_an_async_function_aborts_also_when_a_fiber_calls_it)
{
    expect_fiber_abort(calls_one_that_waits,
                       "^edo: edo_wait: .*instead \\[task 'calls_one_that_waits'");
}

/* ---- an async function may not hand out its stack, in a fiber either ---- */

struct lends_local {
    edo_frame();
    edo_args(edo_future *unused;);
};

edo_async(lends_local)
{
    edo_body {
        int64_t rc;
        edo_op local = edo_sleep(0);
        // edo-lint: allow(edo-local-address) what is refused when it runs
        edo_await_on(rc, &local.base);
        edo_return(rc);
    }
}

static int64_t calls_one_that_lends(void *arg)
{
    (void)arg;
    return edo_wait_call(lends_local);
}

aborts(calls_one_that_lends)

    test(memory_on_the_stack_of_a_called_async_function_is_refused)
{
    expect_fiber_abort(calls_one_that_lends, "lies on the stack of the poll in progress");
}

/* ---- ends with something open ---- */

static int64_t keeps_and_returns(void *arg)
{
    edo_op slow = edo_sleep(edo_s(1000)), fast = edo_sleep(0);
    (void)arg;
    edo_wait_any(&slow.base, &fast.base);
    return 0;
}

aborts(keeps_and_returns)

    test(a_fiber_that_returns_with_an_operation_of_its_own_aborts)
{
    expect_fiber_abort(keeps_and_returns, "^edo: keeps_and_returns: it returned while");
}

static __attribute__((noinline)) void keep_in_callee(void)
{
    edo_op slow = edo_sleep(edo_s(1000)), fast = edo_sleep(0);
    edo_wait_any(&slow.base, &fast.base);
}

static int64_t waits_after_callee(void *arg)
{
    (void)arg;
    keep_in_callee();
    return edo_wait(edo_sleep(edo_s(1)));
}

aborts(waits_after_callee)

    test(a_function_that_returns_with_an_operation_of_its_own_aborts)
{
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
    skip(); // the one finds that before; the other has frames between that hide it
#endif
    expect_fiber_abort(waits_after_callee, "^edo: .*EDO_ENDS|rebuilt while");
}

static int64_t sleeps(void *arg)
{
    (void)arg;
    return edo_wait(edo_sleep(edo_s(1000)));
}

static int64_t leaves_scope(void *arg)
{
    edo_fiber_scope(scope, 0);
    return edo_fiber_scope_spawn(&scope, NULL, sleeps, arg);
}

aborts(leaves_scope)

    test(a_block_that_is_left_with_members_of_its_scope_aborts)
{
    expect_fiber_abort(leaves_scope,
                       "^edo: leaves_scope: returned while its scope had 1 live members: 'sleeps'");
}

/* ---- other stacks ---- */

static void wait_in_handler(int number)
{
    (void)number;
    (void)!edo_wait(edo_yield());
}

static int64_t raises(void *arg)
{
    static char stack[64 << 10];
    (void)arg;
    sigaltstack(&(stack_t){ .ss_sp = stack, .ss_size = sizeof stack }, NULL);
    struct sigaction action = { .sa_handler = wait_in_handler, .sa_flags = SA_ONSTACK };
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    return 0;
}

aborts(raises)

    test(a_wait_in_a_signal_handler_aborts)
{
    expect_fiber_abort(raises, "^edo: edo_wait: .*waits on another stack than its fiber's");
}

static jmp_buf place;

static int64_t sets_place(void *arg)
{
    (void)arg;
    if (setjmp(place)) return edo_wait(edo_yield());
    return edo_wait(edo_sleep(edo_s(1000)));
}

static int64_t jumps(void *arg)
{
    (void)arg;
    if (edo_fiber_go(sets_place, NULL) < 0) return -ENOMEM;
    if (edo_wait(edo_sleep(edo_s(0))) < 0 || edo_wait(edo_yield()) < 0) return -EPROTO;
    longjmp(place, 1);
}

aborts(jumps)

    test(a_jump_between_fibers_aborts_at_the_next_wait)
{
#ifdef __SANITIZE_THREAD__
    skip(); // it refuses the jump itself
#endif
    expect_fiber_abort(jumps, "^edo: edo_wait: .*behind longjmp");
}

/* ---- stacks that are too small ---- */

static __attribute__((noinline)) int64_t waits_deep(int64_t depth)
{
    char frame[1024];
    frame[0] = (char)depth;
    __asm__ volatile("" : : "r"(frame) : "memory"); // compilers keep all of it
    return depth ? waits_deep(depth - 1) + frame[0] : edo_wait(edo_yield());
}

static int64_t outgrown(void *arg)
{
    (void)arg;
    return waits_deep(36); // kilobytes
}

static int64_t outgrows(void *arg)
{
    static char memory[64 << 10] __attribute__((aligned(64)));
    edo_task *task;
    (void)arg;
    edo_fiber_options options = { .stack = memory + (32 << 10), .stack_size = 32 << 10 };
    int rc = edo_fiber_spawn(&task, &options, outgrown, NULL);
    return rc < 0 ? rc : edo_wait(edo_join(task));
}

aborts(outgrows)

    test(a_wait_beyond_a_stack_without_a_guard_aborts)
{
#ifdef __SANITIZE_ADDRESS__
    skip(); // it has more room than frames: locals lie elsewhere
#endif
    expect_fiber_abort(outgrows, "^edo: edo_wait: .*below an unguarded stack that has overflowed");
}

static int64_t asks_for_much(void *arg)
{
    (void)arg;
    edo_fiber_probe(16 << 10);
    edo_fiber_probe(1 << 20);
    return 0;
}

aborts(asks_for_much)

    test(a_probe_for_more_than_the_stack_aborts)
{
    edo_fiber_probe(1 << 20); // no fiber: nothing happens
    expect_fiber_abort(asks_for_much, "^edo: edo_fiber_probe: fiber 'asks_for_much' needs 1048576 "
                                      "bytes of stack and has 4[0-9]+ left");
}

/* ---- under a lock of edo: where a user's wakeable is woken ---- */

static void wait_in_wake(edo_user_wakeable *wakeable)
{
    (void)wakeable;
    (void)!edo_wait(edo_yield());
}

/* A future that has its operation wake a wakeable of its own. */
struct wakes {
    edo_future base;
    edo_user_wakeable wakeable;
    edo_op read;
};

static edo_poll wakes_poll(edo_future *future, edo_cx *cx)
{
    struct wakes *self = (struct wakes *)(void *)future;
    edo_wakeable *waker = cx->waker;
    cx->waker = &self->wakeable.head;
    edo_poll poll = edo_poll_future(&self->read.base, cx);
    cx->waker = waker;
    return poll;
}

static const edo_future_ops wakes_ops = { .name = "wakes",
                                          .poll = wakes_poll,
                                          .kind = EDO_KIND_OWNER };

static int64_t wakes_under_lock(void *arg)
{
    char byte;
    int ends[2];
    edo_io *io;
    (void)arg;
    if (pipe(ends) < 0 || edo_io_from_fd(ends[0], &io) < 0) return -EIO;
    struct wakes it = { .base.ops = &wakes_ops, .read = edo_read(io, &byte, 1) };
    edo_op first = edo_sleep(0);
    edo_user_wakeable_init(&it.wakeable, wait_in_wake);
    if (edo_wait_any(&it.base, &first.base) != 1) return -EPROTO;
    edo_close(io);
    return 0;
}

aborts(wakes_under_lock)

    test(a_wait_in_a_wake_function_aborts)
{
    if (!EDO_DEBUG) skip(); // a check of debug builds
    expect_fiber_abort(wakes_under_lock, "^edo: edo_wait: .*with a lock of edo held");
}

static edo_thread_mutex kept_lock = EDO_THREAD_MUTEX_INIT;

static int64_t waits_with_lock(void *arg)
{
    (void)arg;
    edo_thread_mutex_lock(&kept_lock);
    int64_t rc = edo_wait(edo_sleep(1));
    edo_thread_mutex_unlock(&kept_lock);
    return rc;
}

aborts(waits_with_lock)

    test(a_wait_with_a_lock_of_the_thread_aborts)
{
    if (!EDO_DEBUG) skip(); // a check of debug builds
    expect_fiber_abort(waits_with_lock,
                       "^edo: edo_thread_mutex_lock: a poll ended while its thread "
                       "held the mutex that it had locked at .*test_misuse.c:");
}

static int64_t waits_twice(void *arg)
{
    edo_op sleep = edo_sleep(edo_s(1)), yield = edo_yield();
    (void)arg;
    return edo_wait_all(&sleep.base, &yield.base, &sleep.base);
}

aborts(waits_twice)

    test(a_wait_that_names_an_operation_twice_aborts)
{
    if (!EDO_DEBUG) skip(); // a check of debug builds
    expect_fiber_abort(waits_twice, "^edo: edo_sleep: awaited twice: .*'waits_twice' at ");
}

/* ---- outside of fibers ---- */

static void shield_outside(void *arg)
{
    (void)arg;
    edo_fiber_shield();
}

static void get_outside(void *arg)
{
    (void)arg;
    edo_fiber_get(0);
}

static int64_t gets_no_key(void *arg)
{
    (void)arg;
    return (int64_t)(intptr_t)edo_fiber_get(EDO_FIBER_KEYS - 1);
}

aborts(gets_no_key)

    test(calls_for_the_inside_abort_outside)
{
    expect_abort(shield_outside, NULL, "^edo: edo_fiber_shield: it is for the inside of a fiber");
    expect_abort(get_outside, NULL, "^edo: edo_fiber_get: it is for the inside of a fiber");
    expect_fiber_abort(gets_no_key, "^edo: edo_fiber_get: 7 is no key");
}
