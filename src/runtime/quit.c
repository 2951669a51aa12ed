/* Dumps of tasks at SIGQUIT. One thread of the process dumps all runtimes that have dump_on_quit.
 * The signal handler only wakes that thread. */
#include "runtime/quit.h"
#include "runtime/runtimes.h"
#include "sys/signals.h"

#include <edo/dump.h>

/* Guarded by the lock of the runtimes, unless a comment says otherwise. */
static struct {
    uint32_t generation; // fork generation of the process that started the thread
    uint32_t users;      // number of runtimes with dump_on_quit
    bool is_ending;      // whether the last user is waiting for the thread's end
    edo__sys_thread thread;
    edo_atomic(uint32_t) requests; // number of requests; a futex; used without the lock
    edo_atomic(bool) stops;        // whether the thread must end; used without the lock
} quit;

/* Requests a dump. Called in a signal handler. edo__quit_leave() also calls this function, to wake
 * the thread so that it ends. */
static void request(void)
{
    edo_add_acq_rel(&quit.requests, 1); // publishes `stops`; partner: the load in run
    edo__sys_futex_wake(&quit.requests);
}

static edo__signal_answer ask(void *context, const edo_signal_event *event)
{
    (void)context;
    (void)event;
    request();
    return EDO__SIGNAL_TAKEN;
}

static edo__signal_subscriber subscriber = { .signal = EDO__SIGNAL_QUIT, .notify = ask };

static void dump_those_that_want(void)
{
    uint64_t serial = 0;
    for (edo_runtime *runtime; (runtime = edo__runtimes_next(&serial));) {
        if (runtime->config.dump_on_quit) edo_dump(runtime, NULL, NULL);
        edo_runtime_unref(runtime);
    }
}

static void *run(void *argument)
{
    uint32_t seen = (uint32_t)(uintptr_t)argument;
    edo__sys_thread_name("edo-quit");
    for (;;) {
        uint32_t requests = edo_load_acquire(&quit.requests);
        if (edo_load_relaxed(&quit.stops)) return NULL;
        if (requests == seen)
            edo__sys_futex_wait(&quit.requests, requests);
        else
            dump_those_that_want();
        seen = requests;
    }
}

static int start(void)
{
    void *seen = (void *)(uintptr_t)edo_load_relaxed(&quit.requests);
    edo_store_relaxed(&quit.stops, false);
    int rc = edo__signal_subscribe(&subscriber);
    if (rc < 0) return rc;
    rc = edo__sys_thread_start(run, seen, 0, &quit.thread);
    if (rc < 0) edo__signal_unsubscribe(&subscriber);
    return rc;
}

/* In the child of a fork, forgets the thread and its users, which belong to the parent. */
static void forget_parent(void)
{
    uint32_t mine = edo__sys_fork_generation();
    if (quit.generation == mine) return;
    quit.generation = mine;
    quit.users = 0;
    quit.is_ending = false;
}

int edo__quit_enter(void)
{
    int rc = 0;
    uint32_t tries = 0;
    for (;;) {
        edo__runtimes_lock();
        forget_parent();
        if (!quit.is_ending) break;
        edo__runtimes_unlock();
        edo__sys_wait_briefly(&tries);
    }
    if (quit.users == 0) rc = start();
    if (rc == 0) quit.users++;
    edo__runtimes_unlock();
    return rc;
}

/* Removes a user. After the removal of the last user, ends the thread and joins it. The lock is not
 * held during the join, because the thread also takes the lock. */
void edo__quit_leave(void)
{
    edo__runtimes_lock();
    quit.is_ending = --quit.users == 0;
    bool last = quit.is_ending;
    edo__runtimes_unlock();
    if (!last) return;
    edo__signal_unsubscribe(&subscriber);
    edo_store_relaxed(&quit.stops, true);
    request();
    edo__sys_thread_join(quit.thread);
    edo__runtimes_lock();
    quit.is_ending = false;
    edo__runtimes_unlock();
}
