/* The threads of a pool. A thread is started on demand, and ends after it has been idle for
 * keep_alive. Each thread that ends joins the one that ended before it. */
#include "runtime/pool/pool.h"

#include "runtime/pool/pool_thread.h"
#include "base/base.h"
#include "task/task.h"

/* ---- one step: ends a job and takes the next job ---- */

typedef enum step { RUN, AGAIN, SLEEP, END } step;

/* Notes that a called or new thread has taken the lock. Called under the lock. */
static void arrive(edo__pool_thread *self)
{
    if (!edo_load_relaxed(&self->called)) return;
    edo_store_relaxed(&self->called, 0);
    self->pool->coming--;
}

/* Decides the next step of a thread to which edo__pool_take() has given no job. Called under the
 * lock. There may still be work: edo__pool_take() ends at most one edo_pool_room(), and jobs may
 * wait behind that edo_pool_room(). Returns: AGAIN if there is work; END if the pool is closed;
 * SLEEP otherwise. */
static step without_job(edo__pool_thread *self)
{
    edo_pool *pool = self->pool;
    if (edo__pool_has_work(pool)) return AGAIN;
    if (pool->closed) return END;
    edo__list_push(pool->idle.next, &self->idle_link); // at the front, so that it is called first
    pool->idle_count++;
    return SLEEP;
}

/* Returns: the runtime of the task that waits for a job. */
static const edo_runtime *served_by(const edo_pool *pool, const edo_op *job)
{
    if (job->detail & EDO__JOB_OPERATION) return pool->runtime;
    return (const edo_runtime *)(intptr_t)job->base.result;
}

/* Makes one step. On entry, *job is NULL or the job whose function has returned `result`. On
 * return, *job is the next job to run, or NULL. Returns: the next step. */
static step take_step(edo__pool_thread *self, edo_op **job, int64_t result)
{
    edo_pool *pool = self->pool;
    edo__after after = { 0 };
    edo__lock_take(&pool->lock);
    arrive(self);
    if (*job) edo__pool_finish(pool, *job, result, &after);
    *job = edo__pool_take(pool, &after);
    if (*job) edo__self.serves = served_by(pool, *job);
    self->busy = *job != NULL;
    step next = *job ? RUN : without_job(self);
    edo__lock_give(&pool->lock);
    edo__pool_after(pool, &after);
    return next;
}

/* ---- sleeping ---- */

/* Frees a thread's struct as soon as no caller uses the struct. A caller uses it only for the wake
 * of one futex, so the wait is short. The partner of the acquire is the release in
 * edo__pool_after. */
static void free_thread(edo__pool_thread *thread)
{
    uint32_t tries = 0;
    while (edo_load_acquire(&thread->callers))
        edo__sys_wait_briefly(&tries);
    edo__free(thread, sizeof *thread);
}

static void join_thread(edo__pool_thread *thread)
{
    if (!thread) return;
    edo__sys_thread_join(thread->handle);
    free_thread(thread);
}

/* Ends an idle thread after keep_alive, unless there is work. Called under the lock. *ret_before is
 * the thread that ended before this thread, or NULL. The caller must join that thread. Returns:
 * END; AGAIN if there is work. */
static step retire(edo__pool_thread *self, edo__pool_thread **ret_before)
{
    edo_pool *pool = self->pool;
    edo__list_remove(&self->idle_link);
    pool->idle_count--;
    if (edo__pool_has_work(pool)) return AGAIN;
    edo__list_remove(&self->link);
    pool->thread_count--;
    *ret_before = pool->ended;
    pool->ended = self;
    return END;
}

/* Decides the next step of an idle thread that has woken up, perhaps spuriously. The lock orders a
 * call and the end of keep_alive. If the call comes first, this function finds `called` set. If the
 * end comes first, the thread is no longer in the list of idle threads, so it cannot be called. */
static step look(edo__pool_thread *self, int64_t until)
{
    edo__pool_thread *before = NULL;
    step next = SLEEP;
    edo__lock_take(&self->pool->lock);
    if (edo_load_relaxed(&self->called))
        next = AGAIN;
    else if (until != EDO_NEVER && edo__sys_now() >= until)
        next = retire(self, &before);
    edo__lock_give(&self->pool->lock);
    join_thread(before);
    return next;
}

static step sleep_until_called(edo__pool_thread *self)
{
    int64_t until;
    step next = SLEEP;
    if (__builtin_add_overflow(edo__sys_now(), self->pool->config.keep_alive, &until))
        until = EDO_NEVER;
    while (next == SLEEP) {
        edo__sys_futex_wait_until(&self->called, 0, until);
        next = edo_load_relaxed(&self->called) ? AGAIN : look(self, until);
    }
    return next;
}

/* ---- a thread's life ---- */

/* Adds the new thread to the pool's list. If another thread is ending the pool, wakes that thread,
 * because it may be waiting for the new thread. */
static void enter_thread(edo__pool_thread *self)
{
    edo_pool *pool = self->pool;
    edo__sys_thread_name(pool->thread_name);
    edo__lock_take(&pool->lock);
    self->handle = edo__sys_thread_self();
    edo__list_push(&pool->threads, &self->link);
    pool->starting = false;
    edo_add_relaxed(&pool->arrivals, 1);
    bool closed = pool->closed;
    edo__lock_give(&pool->lock);
    if (closed) edo__sys_futex_wake(&pool->arrivals);
}

/* Makes the last step of a thread. A thread that is not detached is joined, and the joiner frees
 * the thread's struct. A detached thread frees its own struct here. */
static void leave_thread(edo__pool_thread *self)
{
    edo_pool *pool = self->pool;
    edo__lock_take(&pool->lock);
    bool is_detached = self->is_detached;
    edo__lock_give(&pool->lock);
    if (!is_detached) return;
    free_thread(self);
    edo__pool_unref(pool);
}

/* Runs the function of a job. The flag EDO__JOB_OPERATION can be read without the lock, because the
 * flag is constant while the job is in the pool. */
static int64_t run_job(edo_op *job)
{
    if (job->detail & EDO__JOB_OPERATION) return edo__files_function(job)(job);
    return edo__job_of(job)->fn(edo__job_of(job)->arg);
}

static void *run_thread(void *arg)
{
    edo__pool_thread *self = arg;
    edo_op *job = NULL;
    int64_t result = 0;
    enter_thread(self);
    for (step next = AGAIN; next != END;) {
        next = take_step(self, &job, result);
        if (next == RUN) result = run_job(job);
        if (next == SLEEP) next = sleep_until_called(self);
    }
    leave_thread(self);
    return NULL;
}

/* ---- starting ---- */

/* Notes that a thread could not be started. If the pool has no other thread, the jobs fail.
 *
 * Otherwise this function calls an idle thread if there is work. The call is needed because a
 * thread may have become idle during the start, and a job may have been submitted after that. The
 * submit has called no thread, because `coming` was not 0. This function starts no thread, because
 * `refused` is set. */
static void fail_start(edo_pool *pool, int error)
{
    edo__after after = { 0 };
    edo__lock_take(&pool->lock);
    pool->coming--;
    pool->starting = false;
    pool->refused = true;
    bool none = --pool->thread_count == 0;
    edo__pool_call(pool, &after);
    edo_add_relaxed(&pool->arrivals, 1);
    bool closed = pool->closed;
    edo__lock_give(&pool->lock);
    edo__pool_after(pool, &after);
    if (closed) edo__sys_futex_wake(&pool->arrivals);
    if (none) edo__pool_fail_jobs(pool, error);
}

void edo__pool_start_thread(edo_pool *pool)
{
    int rc = -ENOMEM;
    edo__sys_thread handle;
    edo__pool_thread *thread = edo__alloc_zeroed(sizeof *thread);
    if (thread) {
        thread->pool = pool;
        thread->called = 1;
        rc = edo__sys_thread_start(run_thread, thread, pool->config.stack_size, &handle);
    }
    if (rc == 0) return;
    edo__free(thread, sizeof *thread);
    fail_start(pool, rc);
}

/* ---- the pool's end ---- */

static void call_idle_threads(edo_pool *pool)
{
    while (!edo__list_is_empty(&pool->idle)) {
        edo__pool_thread *thread = edo__container(pool->idle.next, edo__pool_thread, idle_link);
        edo__list_remove(&thread->idle_link);
        pool->idle_count--;
        pool->coming++;
        edo_store_relaxed(&thread->called, 1);
        edo__sys_futex_wake(&thread->called);
    }
}

/* Waits for a thread that is being started and is not yet in a list. Called under the lock. The
 * lock is released during the wait. */
static void wait_for_starting(edo_pool *pool)
{
    while (pool->starting) {
        uint32_t arrivals = edo_load_relaxed(&pool->arrivals);
        edo__lock_give(&pool->lock);
        edo__sys_futex_wait(&pool->arrivals, arrivals);
        edo__lock_take(&pool->lock);
    }
}

/* Removes the first thread from the pool's list. If the thread is running a job and `wait` is
 * false, detaches the thread. Returns: the thread, which the caller must join; NULL if the thread
 * was detached. */
static edo__pool_thread *dismiss_first(edo_pool *pool, bool wait)
{
    edo__pool_thread *thread = edo__container(pool->threads.next, edo__pool_thread, link);
    edo__list_remove(&thread->link);
    pool->thread_count--;
    if (wait || !thread->busy) return thread;
    thread->is_detached = true;
    edo__pool_ref(pool);
    edo__sys_thread_detach(thread->handle);
    return NULL;
}

void edo__pool_end_threads(edo_pool *pool, bool wait)
{
    edo__lock_take(&pool->lock);
    wait_for_starting(pool);
    call_idle_threads(pool);
    while (!edo__list_is_empty(&pool->threads)) {
        edo__pool_thread *thread = dismiss_first(pool, wait);
        edo__lock_give(&pool->lock);
        join_thread(thread);
        edo__lock_take(&pool->lock);
    }
    edo__pool_thread *ended = pool->ended;
    pool->ended = NULL;
    edo__lock_give(&pool->lock);
    join_thread(ended);
}
