/* The pools of a runtime, and operations that run on a pool. */
#include "runtime/pool/blocking.h"

#include <string.h>

#include "runtime/pool/pool.h"
#include "runtime/runtime.h"
#include "task/op.h"

/* ---- a runtime's pools ---- */

enum { FILES_MAX_THREADS = 64, DNS_MAX_THREADS = 32 };

/* Pools that a runtime makes at their first use. "files" has more threads than a disk can use. Its
 * number of threads is still limited: if the server of a network file system hangs, all of these
 * threads may block, and each thread needs memory. "dns" has few threads, because a program makes
 * few look-ups at a time. */
enum { USER, FILES, DNS };

static const edo_pool_config usual_pools[] = {
    [USER] = { .name = "user" },
    [FILES] = { .name = "files", .max_threads = FILES_MAX_THREADS },
    [DNS] = { .name = "dns", .max_threads = DNS_MAX_THREADS },
};

static const edo_pool_config *find_usual(const char *name)
{
    for (size_t i = 0; i < sizeof usual_pools / sizeof *usual_pools; i++)
        if (!strcmp(usual_pools[i].name, name)) return &usual_pools[i];
    return NULL;
}

/* Finds an existing pool by its name. Called under the lock. */
static edo_pool *find_made(const edo__blocking *blocking, const char *name)
{
    edo_pool *pool = blocking->first;
    while (pool && strcmp(pool->config.name, name) != 0)
        pool = pool->next;
    return pool;
}

/* Finds the member of `blocking` that points to the pool `name`. Returns: NULL if that pool has no
 * such member. */
static edo_atomic(edo_pool *) *known_pool(edo__blocking *blocking, const char *name)
{
    if (!strcmp(name, usual_pools[USER].name)) return &blocking->user;
    return !strcmp(name, usual_pools[FILES].name) ? &blocking->files : NULL;
}

/* Makes a pool and adds it to the runtime's list. Called under the lock. */
static int make(edo_runtime *runtime, const edo_pool_config *config, edo_pool **ret_pool)
{
    edo__blocking *blocking = &runtime->blocking;
    int rc = edo__pool_create(config, runtime, ret_pool);
    if (rc < 0) return rc;
    (*ret_pool)->next = blocking->first;
    blocking->first = *ret_pool;
    edo_atomic(edo_pool *) *known = known_pool(blocking, config->name);
    if (known) edo_store_release(known, *ret_pool); // partner: the load in usual_pool
    return 0;
}

int edo_runtime_pool(edo_runtime *runtime, const char *name, edo_pool **ret_pool)
{
    if (edo__runtime_is_stale(runtime)) return -ESTALE;
    edo__blocking *blocking = &runtime->blocking;
    int rc = 0;
    edo__lock_take(&blocking->lock);
    edo_pool *pool = find_made(blocking, name);
    const edo_pool_config *usual = find_usual(name);
    if (blocking->closed)
        rc = -ESHUTDOWN;
    else if (!pool)
        rc = usual ? make(runtime, usual, &pool) : -ENOENT;
    edo__lock_give(&blocking->lock);
    if (rc == 0) *ret_pool = pool;
    return rc;
}

int edo_runtime_add_pool(edo_runtime *runtime, const edo_pool_config *config)
{
    if (!config || !config->name) return -EINVAL;
    if (edo__runtime_is_stale(runtime)) return -ESTALE;
    edo__blocking *blocking = &runtime->blocking;
    edo_pool *pool;
    int rc;
    edo__lock_take(&blocking->lock);
    if (blocking->closed)
        rc = -ESHUTDOWN;
    else if (find_made(blocking, config->name))
        rc = -EEXIST;
    else
        rc = make(runtime, config, &pool);
    edo__lock_give(&blocking->lock);
    return rc;
}

/* Sums up the statistics of all pools. After edo__blocking_close() has begun, the sums are 0. No
 * pool is freed during the loop: edo__blocking_close() sets `closed` under the lock before it frees
 * a pool, and this function has found `closed` clear and still holds the lock. */
void edo__blocking_read(edo_runtime *runtime, edo_pool_stats *ret_stats)
{
    edo__blocking *blocking = &runtime->blocking;
    edo_pool_stats sum = { 0 }, stats;
    edo__lock_take(&blocking->lock);
    for (edo_pool *pool = blocking->closed ? NULL : blocking->first; pool; pool = pool->next) {
        edo_pool_read(pool, &stats);
        sum.threads += stats.threads;
        sum.idle += stats.idle;
        sum.running += stats.running;
        sum.queued += stats.queued;
        sum.waiting += stats.waiting;
    }
    edo__lock_give(&blocking->lock);
    *ret_stats = sum;
}

static void free_pools(edo__blocking *blocking)
{
    edo_store_relaxed(&blocking->user, NULL);
    edo_store_relaxed(&blocking->files, NULL);
    for (edo_pool *pool = blocking->first, *next; pool; pool = next) {
        next = pool->next;
        edo__pool_unref(pool);
    }
    blocking->first = NULL;
}

void edo__blocking_close(edo_runtime *runtime, bool keeps)
{
    edo__blocking *blocking = &runtime->blocking;
    edo__lock_take(&blocking->lock);
    blocking->closed = true;
    edo__lock_give(&blocking->lock);
    for (edo_pool *pool = blocking->first; pool; pool = pool->next)
        edo__pool_close(pool, false);
    if (!keeps && !edo__blocking_is_busy(blocking)) free_pools(blocking);
}

static int usual_pool(edo_runtime *runtime, int which, edo_pool **ret_pool)
{
    edo__blocking *blocking = &runtime->blocking;
    *ret_pool = edo_load_acquire(which == USER ? &blocking->user : &blocking->files);
    return *ret_pool ? 0 : edo_runtime_pool(runtime, usual_pools[which].name, ret_pool);
}

/* ---- submitting a job, and leaving the pool ---- */

/* Takes a reference to the pool, unless the pool belongs to the runtime of the operation. The
 * operation then needs no reference, because the pools of a runtime outlive its operations. */
static int hold_pool(edo_op *job, edo_pool *pool, const edo_cx *cx)
{
    if (pool->runtime == cx->runtime) return 0;
    if (pool->fork_generation != edo__sys_fork_generation()) return -ESTALE;
    edo__pool_ref(pool);
    job->detail |= EDO__JOB_COUNTED;
    return 0;
}

static void leave(edo_op *job, edo_pool *pool, edo_cx *cx)
{
    edo_sub_relaxed(&cx->runtime->blocking.jobs, 1);
    edo_store_relaxed(&job->word, EDO__OP_IDLE);
    if (job->detail & EDO__JOB_COUNTED) edo__pool_unref(pool);
}

static int bring(edo_op *job, edo_pool *pool, edo_cx *cx)
{
    int rc = hold_pool(job, pool, cx);
    if (rc < 0) return rc;
    edo_add_relaxed(&cx->runtime->blocking.jobs, 1);
    if (!(job->detail & (EDO__JOB_ROOM | EDO__JOB_OPERATION)))
        job->base.result = (intptr_t)cx->runtime; // see edo__job_op
    rc = edo__pool_submit(pool, job, cx->waker);
    if (rc < 0) leave(job, pool, cx);
    return rc;
}

/* ---- operations ---- */

static bool is_new(const edo_op *op)
{
    return edo_load_relaxed(&op->word) == EDO__OP_IDLE;
}

static edo_poll end_if_ended(edo_op *op, edo_cx *cx)
{
    bool gone;
    edo_pool *pool = edo__job_of(op)->pool;
    if (edo__pool_poll(pool, op, cx, &gone) == EDO_PENDING) return EDO_PENDING;
    leave(op, pool, cx);
    return edo__op_finish(op, cx, op->base.result);
}

/* Begins an operation. Returns: 0, or the error with which the operation ends. */
static int begin(edo_op *op, edo_cx *cx)
{
    edo_pool *pool = edo__job_of(op)->pool;
    if (cx->fate != EDO_LIVE) return -ECANCELED;
    if (!edo__job_of(op)->fn) return -EINVAL;
    int rc = pool ? 0 : usual_pool(cx->runtime, USER, &pool);
    if (rc < 0) return rc;
    edo__job_of(op)->pool = pool;
    return bring(op, pool, cx);
}

edo_poll edo__blocking_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!is_new(op)) return end_if_ended(op, cx);
    int rc = begin(op, cx);
    return rc < 0 ? edo__op_finish(op, cx, rc) : EDO_PENDING;
}

/* Polls an edo_pool_room(), which is ready in its first poll if the queue has a place. */
static edo_poll room_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (is_new(op)) {
        int rc = cx->fate != EDO_LIVE ? -ECANCELED : -EINVAL;
        op->detail = EDO__JOB_ROOM;
        edo_pool *pool = edo__job_of(op)->pool;
        if (cx->fate == EDO_LIVE && pool) rc = bring(op, pool, cx);
        if (rc < 0) return edo__op_finish(op, cx, rc);
    }
    return end_if_ended(op, cx);
}

const edo_future_ops edo__pool_room_ops = { .name = "edo_pool_room", .poll = room_poll };

/* The members `object`, `data` and `length` of an edo_op become the members `pool`, `arg` and `fn`
 * of an edo__job_op. */
static const edo_future_ops blocking_ops = { .name = "edo_blocking", .poll = edo__blocking_poll };

edo_op edo_blocking_on(edo_pool *pool, edo_blocking_fn fn, void *arg)
{
    edo__check_memory("edo_blocking", arg, "argument");
    return edo__op(&blocking_ops, pool, arg, (uintptr_t)fn, EDO__JOB_NEW);
}

edo_op edo_blocking(edo_blocking_fn fn, void *arg)
{
    edo__check_memory("edo_blocking", arg, "argument");
    return edo__op(&blocking_ops, NULL, arg, (uintptr_t)fn, EDO__JOB_NEW);
}

int edo__spawn_blocking(edo_task **ret_task, const edo_spawn_options *options, const edo_site *site,
                        edo_pool *pool, edo_blocking_fn fn, void *arg)
{
    edo__check_memory("edo_spawn_blocking", arg, "argument");
    edo_op op = edo__op(&blocking_ops, pool, arg, (uintptr_t)fn, EDO__JOB_NEW);
    return edo__spawn(ret_task, options, site, &op.object);
}

/* ---- operations as jobs ---- */

enum { POOL_BITS = 0xff << 16 }; // bits of edo_op.detail

/* Submits an operation to the pool "files" of the operation's runtime. The operation needs no
 * reference to this pool, because the pools of a runtime outlive its operations. */
int edo__files_run(edo_op *op, edo__files_fn *run, edo_cx *cx)
{
    edo_pool *pool;
    int rc = usual_pool(cx->runtime, FILES, &pool);
    if (rc < 0) return rc;
    op->detail = (op->detail & ~(uint32_t)POOL_BITS) | EDO__JOB_OPERATION;
    op->base.result = (intptr_t)run;
    return bring(op, pool, cx);
}

edo_poll edo__files_poll(edo_op *op, edo_cx *cx, bool insists)
{
    bool gone;
    edo_pool *pool = edo_load_relaxed(&cx->runtime->blocking.files); // acquired by edo__files_run
    uint8_t fate = cx->fate;
    if (insists) cx->fate = EDO_LIVE;
    edo_poll poll = edo__pool_poll(pool, op, cx, &gone);
    cx->fate = fate;
    if (poll == EDO_PENDING) return EDO_PENDING;
    leave(op, pool, cx);
    return EDO_READY;
}

/* ---- detached jobs ---- */

void edo__detached_init(edo__detached *job, edo_blocking_fn run, void (*release)(edo__detached *))
{
    *job = (edo__detached){ .release = release };
    job->op = edo__op(NULL, NULL, job, (uintptr_t)run, EDO__JOB_DETACHED);
}

edo_poll edo__detached_poll(edo__detached **job, edo_pool *pool, edo_cx *cx, int64_t *ret_result)
{
    edo_op *op = &(*job)->op;
    if (is_new(op)) {
        int rc = bring(op, pool, cx);
        if (rc == 0) return EDO_PENDING;
        *ret_result = rc;
        return EDO_READY;
    }
    bool gone;
    if (edo__pool_poll(pool, op, cx, &gone) == EDO_PENDING) return EDO_PENDING;
    *ret_result = gone ? -ECANCELED : op->base.result;
    if (gone) {
        edo_sub_relaxed(&cx->runtime->blocking.jobs, 1);
        *job = NULL;
    } else {
        leave(op, pool, cx);
    }
    return EDO_READY;
}
