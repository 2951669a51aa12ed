/* Internals of a blocking pool: the queue (pool.c) and the threads (pool_thread.c).
 *
 * One lock guards the whole pool. No thread blocks while it holds the lock. Threads make system
 * calls after they have released the lock, except at the pool's end. A job is an edo_op with these
 * stages:
 *
 *     NEW     --- submit, the queue has a place ------> QUEUED
 *     NEW     --- submit, the queue is full ----------> WAITING
 *     WAITING --- promote, the queue has a place -----> QUEUED (an edo_pool_room: ENDED)
 *     QUEUED  --- take, a thread runs the job --------> RUNNING
 *     RUNNING --- finish -----------------------------> ENDED
 *     WAITING or QUEUED --- cancelled ----------------> NEW
 *     WAITING or QUEUED --- failed -------------------> ENDED
 *
 * A thread that finds the queue empty becomes idle, under the lock. A submit or take that leaves
 * work in the queue calls a thread: the idle thread that began to sleep last, or a new thread if no
 * thread is idle. `coming` is the number of called threads that have not taken the lock since the
 * call. While `coming` is above 0, no further thread is called. So the following holds:
 *
 *     there is work  =>  a thread is coming, or all threads are busy and there are max_threads
 *                        (or the system refuses more)
 *
 * A busy thread takes the next job in the step that ends its previous job. So jobs in the queue are
 * taken even when all threads are busy and no thread is called. There is no thundering herd,
 * because only one thread is called at a time, and that thread calls the next thread.
 *
 * A call sets the word `called` of the idle thread, under the lock. So no other thread can take the
 * call. The thread's keep_alive may end at the same time. The call is still not lost, because the
 * thread checks `called` under the lock before it ends.
 */
#pragma once

#include "base/list.h"
#include "runtime/pool/blocking.h"
#include "sys/sys.h"
#include "task/op.h"
#include "task/wait_list.h"

/* The stage and flags of a job. They are in the third byte of edo_op.detail. The pool's lock guards
 * this byte while the job is in the pool. */
enum {
    EDO__JOB_NEW,
    EDO__JOB_WAITING = 1 << 16,
    EDO__JOB_QUEUED = 2 << 16,
    EDO__JOB_RUNNING = 3 << 16,
    EDO__JOB_ENDED = 4 << 16,
    EDO__JOB_STAGE = 7 << 16,
    EDO__JOB_ROOM = 1 << 19,     // the job is an edo_pool_room()
    EDO__JOB_DETACHED = 1 << 20, // the job is part of an edo__detached
    EDO__JOB_COUNTED = 1 << 21,  // the job holds a reference to the pool
    EDO__JOB_OPERATION = 1 << 22 // the job is an operation of edo__files_run()
};

/* A job. `progress` is 1 after `fn` has run. If the job has an `fn`, base.result holds the runtime
 * of the waiting task until the job ends.
 *
 * A job with the flag EDO__JOB_OPERATION is an operation of another type. Only its members `link`
 * and `state` match this type. Its base.result holds the function until the job ends. */
typedef struct EDO__OVERLAY edo__job_op {
    edo_future base;
    edo_pool *pool; // NULL: the runtime's pool "user", which the first poll stores here
    void *arg;
    edo_blocking_fn fn;
    uint64_t progress;
    void *link[2]; // link in the queue, or in the list of jobs that wait for a place
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
    edo__node link, idle_link; // links in pool->threads and pool->idle; guarded by the pool's lock
    edo__sys_thread handle;
    edo_atomic(uint32_t) called;  // 1 after a call; a futex; written under the lock
    edo_atomic(uint32_t) callers; // number of callers that still use this struct without the lock
    bool busy;                    // whether the thread runs a job
    bool is_detached;             // set at the pool's end; the thread then frees this struct
    bool ends;
} edo__pool_thread;

/* A pool. The owner, operations of other runtimes, and detached threads hold references to the
 * pool. */
struct edo_pool {
    edo_pool_config config;
    char thread_name[16];
    edo_runtime *runtime; // the pool's owner, which outlives the pool; or NULL
    edo_pool *next;       // next pool in the runtime's list
    uint32_t fork_generation;
    edo_atomic(uint32_t) refs;
    edo__lock lock; // guards the members below
    bool closed;
    bool refused;  // whether a start of a thread has failed since the last submit
    bool starting; // whether a thread is being started
    uint32_t coming;
    edo__wait_list queue, waiting;
    uint32_t queued, waiters, running;
    edo__node threads, idle;
    uint32_t thread_count, idle_count;
    edo__pool_thread *ended;       // last thread that ended after keep_alive; not yet joined
    edo_atomic(uint32_t) arrivals; // number of starts, even failed ones; a futex for the pool's end
};

/* Actions to take after the lock is released. */
typedef struct edo__after {
    edo__wakes wakes;
    edo__detached *abandoned;
    edo__pool_thread *called;
    bool start;
} edo__after;

/* Makes a pool. `runtime` is the pool's owner, or NULL. Returns: 0, -EINVAL or -ENOMEM. */
int edo__pool_create(const edo_pool_config *config, edo_runtime *runtime, edo_pool **ret_pool);

/* Ends all jobs that have not begun, and all threads. If `wait` is true, waits for threads that are
 * running a job. Otherwise such threads are detached. */
void edo__pool_close(edo_pool *pool, bool wait);

void edo__pool_ref(edo_pool *pool);
void edo__pool_unref(edo_pool *pool);

/* Submits a new job, inside a poll. Returns: 0, or -ESHUTDOWN. */
int edo__pool_submit(edo_pool *pool, edo_op *job, edo_wakeable *waker);

/* Polls a submitted job, inside a poll. A cancelled job that has not begun is ready at once. A
 * cancelled detached job is ready at once even if it has begun. For a detached job that is
 * cancelled this way, *ret_gone is true: the result is -ECANCELED, the pool releases the job, and
 * the caller must not use the job.
 * Returns: EDO_PENDING; or EDO_READY with the result in base.result. */
edo_poll edo__pool_poll(edo_pool *pool, edo_op *job, edo_cx *cx, bool *ret_gone);

/* ---- called under the lock ---- */

static inline bool edo__pool_has_work(const edo_pool *pool)
{
    return pool->queued || pool->waiters;
}

/* Calls a thread if there is work and `coming` is 0. Calls an idle thread, else starts a thread. */
void edo__pool_call(edo_pool *pool, edo__after *after);

/* Takes the oldest job out of the queue. Calls another thread if there is more work. Returns: the
 * job, which the caller then runs, or NULL. */
edo_op *edo__pool_take(edo_pool *pool, edo__after *after);

/* Ends a job that has run. */
void edo__pool_finish(edo_pool *pool, edo_op *job, int64_t result, edo__after *after);

/* ---- called without the lock ---- */

/* Takes the actions that had to wait until the lock was released. */
void edo__pool_after(edo_pool *pool, edo__after *after);

/* Ends all jobs that have not begun, if the pool is closed or has no threads. */
void edo__pool_fail_jobs(edo_pool *pool, int64_t error);
