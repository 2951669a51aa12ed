/* A blocking pool inside: the queue (pool.c) and the threads (pool_thread.c).
 *
 * One lock guards it all; nobody blocks under it, and only its end calls the system. A job is an
 * edo_op. It goes
 *
 *     NEW --- submit: a place is free -> QUEUED      else -> WAITING
 *     WAITING promote: a place became free --------> QUEUED (an edo_pool_room: ENDED)
 *     QUEUED  take: a thread begins with it -------> RUNNING
 *     RUNNING finish ------------------------------> ENDED
 *     WAITING, QUEUED  cancelled (NEW) or failed (ENDED)
 *
 * Until it has ended its result is the runtime of the task that waits.
 *
 * Who serves the queue. A thread that finds it empty goes idle, under the lock. `coming` counts the
 * threads that were called or are being started and have not taken the lock since. Whoever leaves
 * work behind (a submit, a take) calls one thread unless one is coming: an idle one, the last that
 * fell asleep, or a new one. So
 *
 *     there is work  =>  a thread is coming, or all threads are busy and there are max_threads
 *                        (or the system refuses more)
 *
 * and a busy thread takes the next job in the step that ends its last: no job is left behind at the
 * limit. There is no herd, for one thread comes at a time and calls the next. A thread is called by
 * its own word, set under the lock, so nobody else can take that call and none is lost to a thread
 * that stops waiting at that moment: it looks at the word under the lock before it ends.
 */
#pragma once

#include "base/list.h"
#include "runtime/pool/blocking.h"
#include "sys/sys.h"
#include "task/op.h"
#include "task/wait_list.h"

/* edo_op.detail of a job. The stages are the pool's lock's. */
enum {
    EDO__JOB_NEW,
    EDO__JOB_WAITING,
    EDO__JOB_QUEUED,
    EDO__JOB_RUNNING,
    EDO__JOB_ENDED,
    EDO__JOB_STAGE = 7,
    EDO__JOB_ROOM = 8,      // an edo_pool_room()
    EDO__JOB_DETACHED = 16, // part of an edo__detached
    EDO__JOB_COUNTED = 32,  // holds a reference to the pool
};

/* A job. progress is 1 once it was run; until it has ended, base.result is the runtime of the task
 * that waits. */
typedef struct EDO__OVERLAY edo__job_op {
    edo_future base;
    edo_pool *pool; // NULL: the runtime's for users, until it has begun
    void *arg;
    edo_blocking_fn fn;
    uint64_t progress;
    void *link[2]; // of the queue, or of the jobs that wait for a place
    edo__op_state state;
} edo__job_op;

EDO__OVERLAY_FITS(edo__job_op);
_Static_assert(offsetof(edo__job_op, link) == offsetof(edo_op, link),
               "jobs wait in lists of operations");

static inline edo__job_op *edo__job_of(const edo_op *op)
{
    return (edo__job_op *)(uintptr_t)op;
}

typedef struct edo__pool_thread {
    edo_pool *pool;
    edo__node link, idle_link; // of pool->threads, pool->idle
    edo__sys_thread handle;
    edo_atomic(uint32_t) called;  // what it sleeps on; written under the lock
    edo_atomic(uint32_t) callers; // others between the lock and their last touch of it
    bool busy;                    // inside of a job
    bool is_detached;             // nobody joins it
    bool ends;
} edo__pool_thread;

/* refs: the owner's, those of operations of other runtimes, those of threads that were let go. */
struct edo_pool {
    edo_pool_config config;
    char thread_name[16];
    edo_runtime *runtime; // whose own it is, or NULL; outlived by it
    edo_pool *next;       // of its runtime's
    uint32_t fork_generation;
    edo_atomic(uint32_t) refs;
    edo__lock lock; // of all that follows
    bool closed;
    bool refused;  // the system had no more threads, when one was last wanted
    bool starting; // a thread has been asked for and has not come
    uint32_t coming;
    edo__wait_list queue, waiting;
    uint32_t queued, waiters, running;
    edo__node threads, idle;
    uint32_t thread_count, idle_count;
    edo__pool_thread *ended;       // the last that ended for want of work: to be joined
    edo_atomic(uint32_t) arrivals; // what the end sleeps on
};

/* What is left to do when the lock is gone. */
typedef struct edo__after {
    edo__wakes wakes;
    edo__detached *abandoned;
    edo__pool_thread *called;
    bool start;
} edo__after;

/* Returns: 0, -EINVAL or -ENOMEM. runtime: whose own it is, or NULL. */
int edo__pool_create(const edo_pool_config *config, edo_runtime *runtime, edo_pool **ret_pool);

/* Ends all jobs that have not begun, and all threads. wait: also those inside of a job; else these
 * are let go. */
void edo__pool_close(edo_pool *pool, bool wait);

void edo__pool_ref(edo_pool *pool);
void edo__pool_unref(edo_pool *pool);

/* Brings a new job, inside a poll. Returns: 0, or -ESHUTDOWN. */
int edo__pool_submit(edo_pool *pool, edo_op *job, edo_wakeable *waker);

/* Looks at a job that was brought, inside a poll. Returns: EDO_READY with base.result; when
 * cancelled, also with -ECANCELED if it has not begun, or if it is a detached one, which is gone
 * then (*ret_gone). */
edo_poll edo__pool_poll(edo_pool *pool, edo_op *job, edo_cx *cx, bool *ret_gone);

/* ---- under the lock ---- */

static inline bool edo__pool_has_work(const edo_pool *pool)
{
    return pool->queued || pool->waiters;
}

/* The oldest job, which the caller runs now, or NULL; calls help for what is left. */
edo_op *edo__pool_take(edo_pool *pool, edo__after *after);

/* The end of a job that ran. */
void edo__pool_finish(edo_pool *pool, edo_op *job, int64_t result, edo__after *after);

/* Calls a thread if there is work and none is coming. */
void edo__pool_call(edo_pool *pool, edo__after *after);

/* ---- without the lock ---- */

void edo__pool_after(edo_pool *pool, edo__after *after);

/* Ends all jobs that have not begun, in a pool that is closed or has no thread. */
void edo__pool_fail_jobs(edo_pool *pool, int64_t error);
