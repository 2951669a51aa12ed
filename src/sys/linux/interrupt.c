/* Makes another thread run a call in a signal handler. This file also contains backtraces, names of
 * code addresses, and pinning. */
#include <dlfcn.h>
#include <execinfo.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "base/atomic.h"
#include "base/base.h"
#include "base/lock.h"
#include "sys/signals.h"
#include "sys/sys.h"

/* The signal is SIGURG. It is ignored by default, few programs use it, and debuggers pass it on.
 * (Go uses SIGURG for the same reasons.) */

enum { FREE, ASKED, RUNNING, DONE, STEPS };

/* The request. There is one per process, and the lock serializes its users. Its steps are FREE ->
 * ASKED -> RUNNING (by the handler) -> DONE, or ASKED -> FREE at the deadline. The two steps from
 * ASKED are compare-and-swaps. So only one of them succeeds, and a handler that runs after the
 * deadline makes no call. `state` is thread * STEPS + step, where `thread` is the number of the
 * thread that must make the call. So a late handler makes no call if the request is meanwhile for
 * another thread. The value fits into 32 bits, because Linux has no thread numbers above 2^22. */
static struct {
    edo__lock lock;
    edo_atomic(uint32_t) state; // or FREE
    void (*call)(void *);
    void *context;
    uint32_t generation; // fork generation of the subscription, or 0; guarded by the lock
} request;

static edo__signal_answer on_signal(void *context, const edo_signal_event *event)
{
    (void)context;
    (void)event;
    uint32_t mine = edo__sys_thread_id() * STEPS, asked = mine + ASKED;
    if (!edo_cas_acquire(&request.state, &asked, mine + RUNNING)) return EDO__SIGNAL_PASSED;
    request.call(request.context);
    edo_store_release(&request.state, mine + DONE);
    edo__sys_futex_wake(&request.state);
    return EDO__SIGNAL_TAKEN;
}

void edo__sys_forget_interrupt(void)
{
    edo_store_relaxed(&request.state, FREE);
}

/* The subscriber is in the first group, and answers TAKEN to the signals of requests. So the
 * program's own subscribers, which are in a later group, are not notified of these signals. */
static edo__signal_subscriber subscriber = { .signal = EDO__SIGNAL_URGENT,
                                             .flags = EDO__SIGNAL_FIRST,
                                             .notify = on_signal };

/* Subscribes, once per process. Also calls backtrace(), because the first call of backtrace() loads
 * a library, and a signal handler must not do that. Called under the lock. */
static int set_up(void)
{
    void *stack[1];
    uint32_t generation = edo__sys_fork_generation();
    if (request.generation == generation) return generation ? 0 : -ENOMEM;
    backtrace(stack, 1);
    int rc = edo__signal_subscribe(&subscriber);
    if (rc == 0) request.generation = generation;
    return rc;
}

static int await(uint32_t thread, int64_t deadline)
{
    uint32_t state, asked = thread * STEPS + ASKED;
    while ((state = edo_load_acquire(&request.state)) != thread * STEPS + DONE) {
        uint32_t expected = asked;
        if (state == asked && edo__sys_now() >= deadline &&
            edo_cas_relaxed(&request.state, &expected, FREE))
            return -ETIMEDOUT;
        edo__sys_futex_wait_until(&request.state, state, state == asked ? deadline : INT64_MAX);
    }
    return 0;
}

/* Warns if the program has set a handler of its own, because that handler perhaps does not call the
 * dispatcher's handler. After a warning, does not warn again until a call has found the
 * dispatcher's handler installed. */
static void note_other_handler(void)
{
    static edo_atomic(bool) said;
    bool is_other = !edo__signal_is_caught(EDO__SIGNAL_URGENT);
    if (edo_swap_relaxed(&said, is_other) || !is_other) return;
    edo__log(EDO_LOG_WARN,
             "SIGURG: the program has set a handler that does not call the one before "
             "it; dumps and stall reports cannot show what running tasks do");
}

/* Makes the request, and waits for the end of the call. If the call has not begun at the deadline,
 * stops waiting. Called under the lock. */
static int ask(uint32_t thread, void (*call)(void *context), void *context, int64_t deadline)
{
    request.call = call;
    request.context = context;
    edo_store_release(&request.state, thread * STEPS + ASKED);
    int rc = edo__signal_send(EDO__SIGNAL_URGENT, thread);
    if (rc == 0) rc = await(thread, deadline);
    edo_store_relaxed(&request.state, FREE);
    return rc;
}

int edo__sys_interrupt(uint32_t thread, void (*call)(void *context), void *context,
                       int64_t deadline)
{
    edo__lock_take(&request.lock);
    int rc = set_up();
    if (rc == 0) rc = ask(thread, call, context, deadline);
    edo__lock_give(&request.lock);
    if (rc == -ETIMEDOUT) note_other_handler();
    return rc;
}

size_t edo__sys_backtrace(void **stack, size_t max)
{
    int count = backtrace(stack, (int)max);
    return count > 0 ? (size_t)count : 0;
}

void edo__sys_describe_code(const void *address, char *text, size_t size)
{
    Dl_info info = { 0 };
    if (!dladdr(address, &info) || !info.dli_fname)
        snprintf(text, size, "%p", address);
    else if (info.dli_sname)
        snprintf(text, size, "%s+%#tx (%s)", info.dli_sname,
                 (const char *)address - (const char *)info.dli_saddr, info.dli_fname);
    else
        snprintf(text, size, "%s+%#tx", info.dli_fname,
                 (const char *)address - (const char *)info.dli_fbase);
}

void edo__sys_thread_pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (cpu >= 0 && cpu < CPU_SETSIZE) CPU_SET((size_t)cpu, &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set); // on failure the thread is not pinned
}

uint32_t edo__sys_cpu_count(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) < 0) return 1;
    int count = CPU_COUNT(&set);
    return count > 0 ? (uint32_t)count : 1;
}
