/* Blocking work: functions that may block or compute for long, on threads made for it.
 *
 *     static int64_t digest(void *arg) { ... }              // an ordinary function
 *     ...
 *     edo_await(rc, edo_blocking(digest, &self->file));     // here, and others run meanwhile
 *
 * A job is an operation, so that waiting for a thread allocates nothing: the operation itself lies
 * in the pool's queue. It starts its life cancellable; once a thread has begun with it, it runs to
 * its end, and a cancelled operation waits for that.
 *
 * A pool is a bounded queue and threads that are started on need, at most max_threads, and end when
 * they had nothing to do for keep_alive. Jobs start in the order of their coming. Beyond max_queue
 * they wait for a place in the queue, in the same order. A task that makes jobs without awaiting
 * them one by one (edo_spawn_blocking) awaits edo_pool_room() between them.
 *
 * Each runtime has pools of its own, made when they are first asked for, so that slow work of one
 * kind does not keep another kind waiting: "user" (edo_blocking), "files" and "dns", and those
 * added by edo_runtime_add_pool(). They end with their runtime: jobs that have not begun end with
 * the tasks that wait for them; those that have begun are waited for, as long as their tasks are
 * (edo_config.drain_limit, abort_limit).
 *
 * While a job of a runtime waits or runs, its test clock does not go on by itself.
 */
#pragma once

#include <edo/runtime.h>

EDO_BEGIN_DECLS

/* The function of a job, on a thread of the pool. Returns: the operation's result. */
typedef int64_t (*edo_blocking_fn)(void *arg);

typedef struct edo_pool edo_pool;

EDO_API edo_poll edo__blocking_poll(edo_future *future, edo_cx *cx);

/* Runs fn(arg) on the runtime's pool "user" and waits for its end. arg belongs to fn until then.
 * Result: fn's. Without having run it: -ECANCELED; -EINVAL for no fn; -ENOMEM; -EAGAIN when not a
 * single thread can be had (with one or more, the job waits for those); -ESHUTDOWN when the pool
 * was destroyed; -ESTALE for a pool made before fork(). edo_op_progress() is 1 if fn was run.
 * Cancel: prompt until a thread has begun with it; then it waits, and answers fn's result. */
EDO_API EDO_MUST_USE edo_op edo_blocking(edo_blocking_fn fn, void *arg);

/* The same on a pool; NULL: the runtime's "user". */
EDO_API EDO_MUST_USE edo_op edo_blocking_on(edo_pool *pool, edo_blocking_fn fn, void *arg);

EDO_API EDO_MUST_USE int edo__spawn_blocking(edo_task **ret_task, const edo_spawn_options *options,
                                             const edo_site *site, edo_pool *pool,
                                             edo_blocking_fn fn, void *arg);

/* Runs fn(arg) on the runtime's pool "user" as a task, which is called fn: to be joined, detached
 * or, until a thread has begun with it, cancelled.
 * ret_task: NULL for a detached one.
 * Returns: 0, or as edo_spawn(). The task's result is that of edo_blocking().
 * Thread: as edo_spawn(). */
#define edo_spawn_blocking(ret_task, fn, arg)                                                      \
    edo_spawn_blocking_with((ret_task), NULL, NULL, fn, (arg))

/* The same with options (a pointer to edo_spawn_options, or NULL) and on a pool (or NULL).
 * Thread: any, when the options name a runtime. */
#define edo_spawn_blocking_with(ret_task, options, pool, fn, arg)                                  \
    edo__spawn_blocking((ret_task), (options), edo__blocking_site(#fn), (pool), (fn), (arg))

#define edo__blocking_site(name)                                                                   \
    (__extension__({                                                                               \
        static const edo_future_ops edo_ops_ = EDO__BLOCKING_TASK(name);                           \
        static const edo_site edo_site_ = { &edo_ops_, __func__, __FILE__, __LINE__, 0 };          \
        &edo_site_;                                                                                \
    }))

/* The task's frame is the operation itself; its arguments are all that lies behind the future. */
#define EDO__BLOCKING_TASK(name)                                                                   \
    {                                                                                              \
        name, NULL, edo__blocking_poll, EDO_KIND_LEAF, sizeof(edo_op), offsetof(edo_op, object),   \
            sizeof(edo_op) - offsetof(edo_op, object),                                             \
        {                                                                                          \
            NULL, NULL                                                                             \
        }                                                                                          \
    }

/* ---- pools ---- */

/* Zeroed is the default. */
typedef struct edo_pool_config {
    const char *name;     // of its threads too; not copied. NULL: "pool"
    uint32_t max_threads; // 0: 512 (of "files" 64, of "dns" 32)
    uint32_t max_queue; // jobs that wait in the queue, beyond which they wait for a place; 0: 1024
    int64_t keep_alive; // nanoseconds that a thread waits for a job before it ends; 0: 10 s
    size_t stack_size;  // of each thread, in bytes; 0: the system's default
    void *reserved[4];
} edo_pool_config;

/* Makes a pool that belongs to no runtime; tasks of all runtimes may use it. It has no thread until
 * a job comes.
 * config: NULL for the default.
 * Returns: 0; -EINVAL for a keep_alive below 0; -ENOMEM. Thread: any. */
EDO_API EDO_MUST_USE int edo_pool_create(const edo_pool_config *config, edo_pool **ret_pool);

/* Ends a pool of edo_pool_create(): jobs that have not begun answer -ESHUTDOWN; waits for the end
 * of those that have, and of all threads. No new operation may name the pool; those that wait on it
 * end as usual. NULL is ignored. In the child of a fork it does nothing.
 * Aborts for a pool of a runtime's, which ends it.
 * Thread: any but the pool's own (aborts there); it blocks. */
EDO_API void edo_pool_destroy(edo_pool *pool);

EDO_API extern const edo_future_ops edo__pool_room_ops;

/* Waits until the queue of a pool has a free place, behind earlier waiters: back-pressure for tasks
 * that spawn jobs. The place is not held: the next job to come has it.
 * Result: 0; -EINVAL for NULL; else without a place as edo_blocking(). Cancel: prompt. */
static inline EDO_MUST_USE edo_op edo_pool_room(edo_pool *pool)
{
    return edo__op(&edo__pool_room_ops, pool, NULL, 0, 0);
}

typedef struct edo_pool_stats {
    uint32_t threads; // that exist, or are being started
    uint32_t idle;    // of them, those that wait for a job
    uint32_t running; // jobs that a thread has begun with
    uint32_t queued;  // jobs in the queue
    uint32_t waiting; // jobs, and edo_pool_room()s, that wait for a place in it
} edo_pool_stats;

/* A snapshot; all 0 in the child of a fork. Thread: any. */
EDO_API void edo_pool_read(edo_pool *pool, edo_pool_stats *ret_stats);

/* A pool of a runtime's own: "user", "files", "dns", or one that was added.
 * Returns: 0; *ret_pool is valid until the runtime's end, and not to be destroyed. -ENOENT: no such
 * name; -ENOMEM; -ESHUTDOWN; -ESTALE after fork(). Thread: any. */
EDO_API int edo_runtime_pool(edo_runtime *runtime, const char *name, edo_pool **ret_pool);

/* Gives a runtime one more pool; or one of the usual names with limits of one's own, before its
 * first use.
 * Returns: 0; -EINVAL without a name, or for a keep_alive below 0; -EEXIST if it has one of that name; -ENOMEM; -ESHUTDOWN;
 * -ESTALE after fork(). Thread: any. */
EDO_API int edo_runtime_add_pool(edo_runtime *runtime, const edo_pool_config *config);

EDO_END_DECLS
