/* SIGQUIT: a thread, one for the process, dumps the runtimes that asked for it. The handler only
 * wakes it. */
#include "runtime/quit.h"
#include "runtime/runtimes.h"

#include <edo/dump.h>

/* The lock of the runtimes guards what no comment excepts. */
static struct {
    uint32_t generation; // of the process that began
    uint32_t users;      // runtimes
    bool is_ending;      // the last user waits for the thread
    edo__sys_thread thread;
    edo_atomic(uint32_t) requests; // any thread; a futex, which grows
    edo_atomic(bool) stops;        // the thread is to end
} quit;

/* In a signal handler. */
static void ask(void)
{
    edo_add_acq_rel(&quit.requests, 1); // release, for the stop: a reader of this sees it
    edo__sys_futex_wake(&quit.requests);
}

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
    int rc = edo__sys_thread_start(run, seen, 0, &quit.thread);
    if (rc == 0) edo__sys_take_quit(ask);
    return rc;
}

/* In the child of a fork the thread, and its users, are the parent's. */
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

/* The thread takes the lock, so it is waited for without. */
void edo__quit_leave(void)
{
    edo__runtimes_lock();
    quit.is_ending = --quit.users == 0;
    bool last = quit.is_ending;
    edo__runtimes_unlock();
    if (!last) return;
    edo__sys_release_quit();
    edo_store_relaxed(&quit.stops, true);
    ask();
    edo__sys_thread_join(quit.thread);
    edo__runtimes_lock();
    quit.is_ending = false;
    edo__runtimes_unlock();
}
