/* Blocking work, as the rest of the library sees it: the pools of a runtime, and jobs that detach. */
#pragma once

#include <edo/blocking.h>

#include "runtime/pool/pools.h"

/* What the runtime's pools do, in all. Any thread, also while they end, or have ended. */
void edo__blocking_read(edo_runtime *runtime, edo_pool_stats *ret_stats);

/* Ends the pools of a runtime: all its tasks have ended, or were given up. Joins their threads, but
 * for those that are inside of a job: these end by themselves. */
void edo__blocking_close(edo_runtime *runtime);

/* ---- jobs that detach ----
 *
 * For work without outside effect that may take long, such as looking up a name. The job owns all
 * that it reads and writes, on the heap. An operation that is cancelled leaves it to itself and
 * answers -ECANCELED at once, so a time limit on it holds.
 *
 *     struct lookup { edo__detached head; char name[...]; ... };
 *
 *     static int64_t run_lookup(void *arg);              // arg: the struct lookup
 *     static void free_lookup(edo__detached *job);       // frees it, and what it owns
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
 *         if (job) { take what it found; free_lookup(job); }
 *         return edo__op_finish(op, cx, result);
 *     }
 */
typedef struct edo__detached {
    edo_op op; // with the pool; data: this
    void (*release)(struct edo__detached *);
    uint8_t is_abandoned, reserved[7]; // the pool's lock
} edo__detached;

/* run(job) makes the result; its work must touch nothing but the job. release(job) frees an
 * abandoned one, on a thread of the pool or on that of the poll, without locks held. */
void edo__detached_init(edo__detached *job, edo_blocking_fn run,
                        void (*release)(edo__detached *job));

/* Polls the job for the operation that made it: inside its poll, each time; uses no budget.
 * pool: one of the runtime's own, always the same.
 * Returns: EDO_READY with *ret_result. *job is untouched, and is the caller's to free; or it is set
 * to NULL: the poll was cancelled (-ECANCELED) before the job's end, which frees itself. */
edo_poll edo__detached_poll(edo__detached **job, edo_pool *pool, edo_cx *cx, int64_t *ret_result);
