/* Blocking work for other parts of the library: the pools of a runtime, and detached jobs. */
#pragma once

#include <edo/blocking.h>

#include "runtime/pool/pools.h"

/* Sums up the statistics of the runtime's pools. Thread: any, even during and after the end of the
 * pools. */
void edo__blocking_read(edo_runtime *runtime, edo_pool_stats *ret_stats);

/* Ends the pools of a runtime. Called after all tasks of the runtime have ended or were given up.
 * Joins the pools' threads, except threads that are running a job. A thread that is running a job
 * is detached, and ends after the job. `keeps` says whether tasks that were given up may still run.
 * If so, the pools are not freed, and refuse jobs with -ESHUTDOWN. */
void edo__blocking_close(edo_runtime *runtime, bool keeps);

/* ---- operations as jobs ----
 *
 * An operation that has no room for the members of a job can still be a job. A thread of the pool
 * "files" then calls a function of the operation, with the operation as its argument. That function
 * and the polls of the operation may use the members `object`, `data`, `length` and `progress`, and
 * the lower half of `detail`. The pool uses the link, the waker, the word and `base.result`. */

typedef int64_t edo__files_fn(edo_op *op);

/* Submits an operation whose word is EDO__OP_IDLE, inside a poll. edo__files_poll() then polls the
 * operation. Returns: 0, or a negative errno with which the operation ends. */
int edo__files_run(edo_op *op, edo__files_fn *run, edo_cx *cx);

/* Polls a submitted operation. If the operation is cancelled before its function has begun, the
 * function does not run, and the result is -ECANCELED. If `insists` is true, a cancellation is
 * ignored, and the function always runs. Returns: EDO_PENDING, or EDO_READY with the result in
 * base.result. After EDO_READY the word is EDO__OP_IDLE again. */
edo_poll edo__files_poll(edo_op *op, edo_cx *cx, bool insists);

/* The function of a submitted operation. Thread: the pool's. */
static inline edo__files_fn *edo__files_function(const edo_op *op)
{
    return (edo__files_fn *)(intptr_t)op->base.result; // NOLINT: `result` holds a pointer
}

/* ---- detached jobs ----
 *
 * A detached job does long work without outside effects, such as a look-up of a name. The job is on
 * the heap and owns all memory that it reads and writes. So a cancelled operation can abandon its
 * job and answer -ECANCELED at once, and a time limit ends the operation promptly.
 *
 *     struct lookup { edo__detached head; char name[...]; ... };
 *
 *     static int64_t run_lookup(void *arg);              // arg: the struct lookup
 *     static void free_lookup(edo__detached *job);       // frees the job and all that it owns
 *
 *     static edo_poll lookup_poll(edo_future *future, edo_cx *cx)
 *     {
 *         edo_op *op = edo__op_of(future);
 *         if (!edo__has_budget(cx)) return EDO_PENDING;
 *         if (lookup_of(op)->job is NULL) {
 *             if (cx->fate != EDO_LIVE) return edo__op_finish(op, cx, -ECANCELED);
 *             lookup_of(op)->job = make the job, edo__detached_init(&job->head, ...);
 *         }
 *         int64_t result;
 *         edo__detached *job = lookup_of(op)->job;
 *         if (edo__detached_poll(&job, pool, cx, &result) == EDO_PENDING) return EDO_PENDING;
 *         if (job) { take its result; free_lookup(job); }
 *         return edo__op_finish(op, cx, result);
 *     }
 */
typedef struct edo__detached {
    edo_op op; // operation that is submitted to the pool, with this struct as `arg`
    void (*release)(struct edo__detached *);
    uint8_t is_abandoned, reserved[7]; // guarded by the pool's lock
} edo__detached;

/* Initialises a job. run(job) computes the result, and must use only memory that the job owns. If
 * the job is abandoned, the pool calls release(job), which frees the job. release() is called on a
 * thread of the pool or on the polling thread, without locks held. */
void edo__detached_init(edo__detached *job, edo_blocking_fn run,
                        void (*release)(edo__detached *job));

/* Polls a job, and submits it in the first poll. The operation that made the job calls this
 * function in each of its polls. The call uses no budget. `pool` is a pool of the runtime, and must
 * be the same in all polls.
 * Returns: EDO_PENDING; or EDO_READY with the result in *ret_result. After EDO_READY the caller
 * frees *job, unless *job is NULL. *job is NULL if the operation was cancelled before the job's
 * end. The result is then -ECANCELED, and the pool releases the job. */
edo_poll edo__detached_poll(edo__detached **job, edo_pool *pool, edo_cx *cx, int64_t *ret_result);
