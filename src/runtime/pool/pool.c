/* The queue of a pool, and the stages of jobs from their submission to their end. */
#include "runtime/pool/pool.h"

#include <stdio.h>

#include "runtime/pool/pool_thread.h"
#include "task/op.h"

enum { DEFAULT_MAX_THREADS = 512, DEFAULT_MAX_QUEUE = 1024 };

#define DEFAULT_KEEP_ALIVE edo_s(10)

/* ---- making ---- */

static void set_defaults(edo_pool_config *config)
{
    if (!config->name) config->name = "pool";
    if (!config->max_threads) config->max_threads = DEFAULT_MAX_THREADS;
    if (!config->max_queue) config->max_queue = DEFAULT_MAX_QUEUE;
    if (!config->keep_alive) config->keep_alive = DEFAULT_KEEP_ALIVE;
}

int edo__pool_create(const edo_pool_config *config, edo_runtime *runtime, edo_pool **ret_pool)
{
    if (config && config->keep_alive < 0) return -EINVAL;
    uint32_t fork_generation = edo__sys_fork_generation();
    edo_pool *pool = fork_generation ? edo__alloc_zeroed(sizeof *pool) : NULL;
    if (!pool) return -ENOMEM;
    if (config) pool->config = *config;
    set_defaults(&pool->config);
    snprintf(pool->thread_name, sizeof pool->thread_name, "%s%s", runtime ? "edo/" : "",
             pool->config.name);
    pool->runtime = runtime;
    pool->fork_generation = fork_generation;
    pool->refs = 1;
    edo__list_init(&pool->threads);
    edo__list_init(&pool->idle);
    *ret_pool = pool;
    return 0;
}

void edo__pool_ref(edo_pool *pool)
{
    edo_add_relaxed(&pool->refs, 1);
}

void edo__pool_unref(edo_pool *pool)
{
    if (edo_sub_acq_rel(&pool->refs, 1) == 1) edo__free(pool, sizeof *pool);
}

/* ---- jobs in the lists; called under the lock ---- */

static uint32_t stage_of(const edo_op *job)
{
    return job->detail & EDO__JOB_STAGE;
}

/* Changes the stage of a job. The store is atomic, because a poll of the job's operation may read
 * the other bytes of `detail` at the same time, without the lock. The store needs no memory order,
 * because the stage itself is only read under the lock. */
static void set_stage(edo_op *job, uint32_t stage)
{
    edo_store_figure(&job->detail, (job->detail & ~(uint32_t)EDO__JOB_STAGE) | stage);
}

static void enqueue(edo_pool *pool, edo_op *job)
{
    edo__wait_append(&pool->queue, job);
    pool->queued++;
    set_stage(job, EDO__JOB_QUEUED);
}

static void enqueue_waiting(edo_pool *pool, edo_op *job)
{
    edo__wait_append(&pool->waiting, job);
    pool->waiters++;
    set_stage(job, EDO__JOB_WAITING);
}

/* Removes a job that has not begun from its list. */
static void unlink_job(edo_pool *pool, edo_op *job)
{
    bool queued = stage_of(job) == EDO__JOB_QUEUED;
    edo__wait_unlink(queued ? &pool->queue : &pool->waiting, job);
    if (queued)
        pool->queued--;
    else
        pool->waiters--;
}

/* Ends a job. After the last store, the poll of the job's operation may see EDO__OP_WOKEN, and the
 * operation may end. So the pool no longer uses the job. The store is a release. Its partner is the
 * load in edo__pool_poll. */
static void end_job(edo_op *job, int64_t result, edo__wakes *wakes)
{
    edo_plain_write(&job->base.result);
    job->base.result = result;
    set_stage(job, EDO__JOB_ENDED);
    edo__wakes_add(wakes, edo__wake_prepare(job->waker));
    edo_store_release(&job->word, EDO__OP_WOKEN);
}

static bool has_place(const edo_pool *pool)
{
    return pool->queued < pool->config.max_queue;
}

/* Moves waiting jobs into the queue, while the queue has places. An edo_pool_room() is not moved,
 * but ended. This function then stops, because the task of the edo_pool_room() will probably use
 * the place. The next call of this function continues with the remaining jobs. */
static void promote(edo_pool *pool, edo__wakes *wakes)
{
    bool found_room = false;
    while (!found_room && pool->waiters && has_place(pool)) {
        edo_op *job = edo__wait_first(&pool->waiting);
        unlink_job(pool, job);
        found_room = job->detail & EDO__JOB_ROOM;
        if (found_room)
            end_job(job, 0, wakes);
        else
            enqueue(pool, job);
    }
}

/* ---- jobs and threads; called under the lock ---- */

void edo__pool_call(edo_pool *pool, edo__after *after)
{
    if (!edo__pool_has_work(pool) || pool->coming) return;
    if (!edo__list_is_empty(&pool->idle)) {
        edo__pool_thread *thread = edo__container(pool->idle.next, edo__pool_thread, idle_link);
        edo__list_remove(&thread->idle_link);
        pool->idle_count--;
        edo_add_relaxed(&thread->callers, 1);
        edo_store_relaxed(&thread->called, 1); // relaxed, because the lock orders the store
        after->called = thread;
    } else if (pool->thread_count < pool->config.max_threads && !pool->refused) {
        pool->thread_count++;
        pool->starting = true;
        after->start = true;
    } else {
        return;
    }
    pool->coming++;
}

edo_op *edo__pool_take(edo_pool *pool, edo__after *after)
{
    edo_op *job = NULL;
    if (pool->queued) {
        job = edo__wait_first(&pool->queue);
        unlink_job(pool, job);
        set_stage(job, EDO__JOB_RUNNING);
        pool->running++;
    }
    promote(pool, &after->wakes);
    if (job) edo__pool_call(pool, after);
    return job;
}

static edo__detached *detached_of(edo_op *job)
{
    return edo__container(job, edo__detached, op);
}

void edo__pool_finish(edo_pool *pool, edo_op *job, int64_t result, edo__after *after)
{
    pool->running--;
    if (!(job->detail & EDO__JOB_OPERATION)) edo__job_of(job)->progress = 1; // fn has run
    if ((job->detail & EDO__JOB_DETACHED) && detached_of(job)->is_abandoned)
        after->abandoned = detached_of(job);
    else
        end_job(job, result, &after->wakes);
}

/* ---- called without the lock ---- */

void edo__pool_after(edo_pool *pool, edo__after *after)
{
    edo__wakes_commit(&after->wakes);
    if (after->called) {
        edo__sys_futex_wake(&after->called->called);
        edo_plain_read(&after->called->pool);        // tells the checker about the last access
        edo_sub_release(&after->called->callers, 1); // partner: the load in free_thread
    }
    if (after->start) edo__pool_start_thread(pool);
    if (after->abandoned) after->abandoned->release(after->abandoned);
}

void edo__pool_fail_jobs(edo_pool *pool, int64_t error)
{
    edo__wakes wakes = { NULL, NULL };
    edo__lock_take(&pool->lock);
    while (edo__pool_has_work(pool) && (pool->closed || !pool->thread_count)) {
        edo_op *job = edo__wait_first(pool->queued ? &pool->queue : &pool->waiting);
        unlink_job(pool, job);
        end_job(job, error, &wakes);
    }
    edo__lock_give(&pool->lock);
    edo__wakes_commit(&wakes);
}

/* ---- jobs and polls ---- */

/* Adds a new job to the queue, or to the list of jobs that wait for a place. If the queue has a
 * place and no job waits for it, an edo_pool_room() ends at once, in the poll that submits it. */
static void enter(edo_pool *pool, edo_op *job)
{
    bool at_once = has_place(pool) && !pool->waiters;
    if (at_once && (job->detail & EDO__JOB_ROOM))
        edo_store_relaxed(&job->word, EDO__OP_WOKEN);
    else if (at_once)
        enqueue(pool, job);
    else
        enqueue_waiting(pool, job);
}

int edo__pool_submit(edo_pool *pool, edo_op *job, edo_wakeable *waker)
{
    edo__after after = { 0 };
    job->waker = waker;
    edo_store_relaxed(&job->word, EDO__OP_PARKED);
    edo__lock_take(&pool->lock);
    if (pool->closed) {
        edo__lock_give(&pool->lock);
        return -ESHUTDOWN;
    }
    enter(pool, job);
    pool->refused = false; // the system may now allow another thread
    edo__pool_call(pool, &after);
    edo__lock_give(&pool->lock);
    edo__pool_after(pool, &after);
    return 0;
}

/* Cancels a job. Called under the lock. Returns: true if the operation ends now; false if a thread
 * is running the job, and the operation must wait for the job's end. */
static bool give_up(edo_pool *pool, edo_op *job, edo__after *after, bool *ret_gone)
{
    if (stage_of(job) != EDO__JOB_RUNNING) {
        unlink_job(pool, job);
        set_stage(job, EDO__JOB_NEW);
        job->base.result = -ECANCELED;
        promote(pool, &after->wakes);
        if (job->detail & EDO__JOB_DETACHED) after->abandoned = detached_of(job);
    } else if (job->detail & EDO__JOB_DETACHED) {
        detached_of(job)->is_abandoned = true;
    } else {
        return false;
    }
    *ret_gone = job->detail & EDO__JOB_DETACHED;
    return true;
}

edo_poll edo__pool_poll(edo_pool *pool, edo_op *job, edo_cx *cx, bool *ret_gone)
{
    *ret_gone = false;
    if (edo_load_acquire(&job->word) == EDO__OP_WOKEN) {
        edo_plain_read(&job->base.result);
        return EDO_READY;
    }
    edo__after after = { 0 };
    edo__lock_take(&pool->lock);
    bool ends = edo_load_relaxed(&job->word) == EDO__OP_WOKEN;
    if (!ends && cx->fate != EDO_LIVE && give_up(pool, job, &after, ret_gone)) {
        edo__lock_give(&pool->lock);
        edo__pool_after(pool, &after);
        return EDO_READY;
    }
    job->waker = cx->waker;
    edo__lock_give(&pool->lock);
    return ends ? EDO_READY : EDO_PENDING;
}

/* ---- the end, statistics ---- */

static void check_not_mine(edo_pool *pool)
{
    bool mine = false;
    edo__lock_take(&pool->lock);
    edo__list_each(&pool->threads, node)
        mine |= edo__container(node, edo__pool_thread, link)->handle == edo__sys_thread_self();
    edo__lock_give(&pool->lock);
    if (mine) edo__misuse("edo_pool_destroy", "a job cannot end the pool that it runs on");
}

void edo__pool_close(edo_pool *pool, bool wait)
{
    edo__lock_take(&pool->lock);
    pool->closed = true;
    edo__lock_give(&pool->lock);
    edo__pool_fail_jobs(pool, -ESHUTDOWN);
    edo__pool_end_threads(pool, wait);
}

int edo_pool_create(const edo_pool_config *config, edo_pool **ret_pool)
{
    return edo__pool_create(config, NULL, ret_pool);
}

void edo_pool_destroy(edo_pool *pool)
{
    if (!pool || pool->fork_generation != edo__sys_fork_generation()) return;
    if (pool->runtime)
        edo__misuse("edo_pool_destroy", "the pool belongs to a runtime, which ends it");
    check_not_mine(pool);
    edo__pool_close(pool, true);
    edo__pool_unref(pool);
}

void edo_pool_read(edo_pool *pool, edo_pool_stats *ret_stats)
{
    *ret_stats = (edo_pool_stats){ 0 };
    if (pool->fork_generation != edo__sys_fork_generation()) return;
    edo__lock_take(&pool->lock);
    *ret_stats = (edo_pool_stats){ .threads = pool->thread_count,
                                   .idle = pool->idle_count,
                                   .running = pool->running,
                                   .queued = pool->queued,
                                   .waiting = pool->waiters };
    edo__lock_give(&pool->lock);
}
