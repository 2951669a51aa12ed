/* Internals of a blocking pool: the queue (pool.c) and the threads (pool_thread.c).
 *
 * One lock guards the whole pool. No thread blocks under it; system calls are made after its
 * release, except at the pool's end. A job is an edo_op, with these stages:
 *
 *     NEW --- submit: a place is free -> QUEUED      else -> WAITING
 *     WAITING promote: a place became free --------> QUEUED (an edo_pool_room: ENDED)
 *     QUEUED  take: a thread begins to run it -----> RUNNING
 *     RUNNING finish ------------------------------> ENDED
 *     WAITING, QUEUED  cancelled (NEW) or failed (ENDED)
 *
 * Until a job has ended, its result holds the runtime of the waiting task.
 *
 * Threads and the queue. A thread that finds the queue empty becomes idle, under the lock. `coming`
 * counts the threads that were called, or are being started, and have not taken the lock since. A
 * submit or take that leaves work in the queue calls one thread, unless one is coming: the idle
 * thread that fell asleep last, else a new one. So
 *
 *     there is work  =>  a thread is coming, or all threads are busy and there are max_threads
 *                        (or the system refuses more)
 *
 * A busy thread takes the next job in the same step that ends its last one, so no job is forgotten
 * when all threads are busy. There is no thundering herd: one thread comes at a time, and calls the
 * next. A call sets the thread's own word, under the lock: no other thread can take the call. No
 * call is lost to a thread whose wait ends at that moment, because the thread checks its word under
 * the lock before it ends.
 */
#pragma once

#include "base/list.h"
#include "runtime/pool/blocking.h"
#include "sys/sys.h"
#include "task/op.h"
#include "task/wait_list.h"

/* Bits of edo_op.detail of a job. The pool's lock guards the stage. */
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

/* A job. progress is 1 once fn was run. Until the job has ended, base.result holds the runtime of
 * the waiting task. */
typedef struct EDO__OVERLAY edo__job_op {
    edo_future base;
    edo_pool *pool; // NULL: the runtime's "user", until the job is submitted
    void *arg;
    edo_blocking_fn fn;
    uint64_t progress;
    void *link[2]; // in the queue, or among jobs that wait for a place
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
    edo__node link, idle_link; // in pool->threads, pool->idle
    edo__sys_thread handle;
    edo_atomic(uint32_t) called;  // futex of the thread's sleep; written under the lock
    edo_atomic(uint32_t) callers; // threads between the lock and their last access to this one
    bool busy;                    // running a job
    bool is_detached;             // at the pool's end: frees itself
    bool ends;
} edo__pool_thread;

/* A pool. refs: of the owner, of operations of other runtimes, and of detached threads. */
struct edo_pool {
    edo_pool_config config;
    char thread_name[16];
    edo_runtime *runtime; // owner, which outlives the pool; or NULL
    edo_pool *next;       // in the runtime's list
    uint32_t fork_generation;
    edo_atomic(uint32_t) refs;
    edo__lock lock; // guards the members below
    bool closed;
    bool refused;  // the last attempt to start a thread failed
    bool starting; // a thread is being started
    uint32_t coming;
    edo__wait_list queue, waiting;
    uint32_t queued, waiters, running;
    edo__node threads, idle;
    uint32_t thread_count, idle_count;
    edo__pool_thread *ended;       // last thread that ended for lack of work; not joined yet
    edo_atomic(uint32_t) arrivals; // futex of the pool's end
};

/* Work left to do after the lock is released. */
typedef struct edo__after {
    edo__wakes wakes;
    edo__detached *abandoned;
    edo__pool_thread *called;
    bool start;
} edo__after;

/* Makes a pool. runtime: its owner, or NULL. Returns: 0, -EINVAL or -ENOMEM. */
int edo__pool_create(const edo_pool_config *config, edo_runtime *runtime, edo_pool **ret_pool);

/* Ends all jobs that have not begun, and all threads. wait: waits for threads that are running a
 * job; else these are detached. */
void edo__pool_close(edo_pool *pool, bool wait);

void edo__pool_ref(edo_pool *pool);
void edo__pool_unref(edo_pool *pool);

/* Submits a new job, inside a poll. Returns: 0, or -ESHUTDOWN. */
int edo__pool_submit(edo_pool *pool, edo_op *job, edo_wakeable *waker);

/* Polls a submitted job, inside a poll. Returns: EDO_READY with base.result. When cancelled:
 * EDO_READY with -ECANCELED for a job that has not begun, and for a detached job, which then frees
 * itself (*ret_gone). */
edo_poll edo__pool_poll(edo_pool *pool, edo_op *job, edo_cx *cx, bool *ret_gone);

/* ---- under the lock ---- */

static inline bool edo__pool_has_work(const edo_pool *pool)
{
    return pool->queued || pool->waiters;
}

/* Takes the oldest job, which the caller then runs, or NULL. Calls another thread if work is
 * left. */
edo_op *edo__pool_take(edo_pool *pool, edo__after *after);

/* Ends a job that was run. */
void edo__pool_finish(edo_pool *pool, edo_op *job, int64_t result, edo__after *after);

/* Calls a thread if there is work and no thread is coming. */
void edo__pool_call(edo_pool *pool, edo__after *after);

/* ---- without the lock ---- */

void edo__pool_after(edo_pool *pool, edo__after *after);

/* Ends all jobs that have not begun, in a pool that is closed or has no thread. */
void edo__pool_fail_jobs(edo_pool *pool, int64_t error);
