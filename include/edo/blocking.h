/* Blocking work: functions that may block or compute for long run on threads of a pool.
 *
 *     static int64_t digest(void *arg) { ... }              // an ordinary function
 *     ...
 *     edo_await(rc, edo_blocking(digest, &self->file));     // other tasks run meanwhile
 *
 * A job is an operation. While the job waits for a thread, the operation itself lies in the pool's
 * queue, so waiting allocates nothing. A job can be cancelled before a thread begins to run it.
 * After that, the job runs to its end, and a cancelled operation waits for that end.
 *
 * A pool has a bounded queue, and at most max_threads threads. A thread is started when a job needs
 * a thread. A thread ends when it has had no job for keep_alive. Jobs start in the order of their
 * arrival. When the queue holds max_queue jobs, further jobs wait for a place in the queue, in the
 * same order. A task that makes jobs by edo_spawn_blocking() does not wait for each job. Such a
 * task should await edo_pool_room() before each call, so that the number of waiting jobs stays
 * bounded.
 *
 * Each runtime has pools of its own, so that slow work of one kind does not delay another kind:
 * "user" (edo_blocking), "files", "dns", and those added by edo_runtime_add_pool(). A pool is made
 * at its first use and ends with its runtime. When the runtime ends, a job that has not begun ends
 * with its task. For a job that has begun, the runtime waits as long as it waits for tasks
 * (edo_config.drain_limit, abort_limit).
 *
 * While a job of a runtime waits or runs, the runtime's test clock does not advance by itself.
 */
#pragma once

#include <edo/runtime.h>

EDO_BEGIN_DECLS

/* Function of a job; runs on a thread of the pool. Returns: the operation's result. */
typedef int64_t (*edo_blocking_fn)(void *arg);

typedef struct edo_pool edo_pool;

EDO_API edo_poll edo__blocking_poll(edo_future *future, edo_cx *cx);

/* Runs fn(arg) on the runtime's pool "user" and waits for its end. Until fn has ended, arg belongs
 * to fn.
 * Result: the result of fn. If fn was not run: -ECANCELED; -EINVAL for no fn; -ENOMEM; -EAGAIN when
 * the pool has no thread and none can be started; -ESHUTDOWN when the pool was destroyed; -ESTALE
 * for a pool made before fork(). edo_op_progress() is 1 if fn was run.
 * Cancel: prompt before a thread begins to run fn. After that, the operation waits for fn's end,
 * and answers fn's result. */
EDO_API EDO_MUST_USE edo_op edo_blocking(edo_blocking_fn fn, void *arg);

/* As edo_blocking(), but on a given pool. pool: NULL for the runtime's pool "user". */
EDO_API EDO_MUST_USE edo_op edo_blocking_on(edo_pool *pool, edo_blocking_fn fn, void *arg);

EDO_API EDO_MUST_USE int edo__spawn_blocking(edo_task **ret_task, const edo_spawn_options *options,
                                             const edo_site *site, edo_pool *pool,
                                             edo_blocking_fn fn, void *arg);

/* Runs fn(arg) on the runtime's pool "user" as a task with the name "fn". The task is joined or
 * detached like any other task. It can be cancelled before a thread begins to run fn.
 * ret_task: NULL for a detached task.
 * Returns: 0, or as edo_spawn(). The task's result is that of edo_blocking().
 * Thread: as edo_spawn(). */
#define edo_spawn_blocking(ret_task, fn, arg)                                                      \
    edo_spawn_blocking_with((ret_task), NULL, NULL, fn, (arg))

/* As edo_spawn_blocking(), but with options and on a given pool. options: a pointer to
 * edo_spawn_options, or NULL. pool: NULL for the runtime's pool "user".
 * Thread: any, when the options name a runtime. */
#define edo_spawn_blocking_with(ret_task, options, pool, fn, arg)                                  \
    edo__spawn_blocking((ret_task), (options), edo__blocking_site(#fn), (pool), (fn), (arg))

#define edo__blocking_site(name)                                                                   \
    (__extension__({                                                                               \
        static const edo_future_ops edo_ops_ = EDO__BLOCKING_TASK(name);                           \
        static const edo_site edo_site_ = { &edo_ops_, __func__, __FILE__, __LINE__, 0 };          \
        &edo_site_;                                                                                \
    }))

/* The operation itself is the frame of the task. The arguments of the task are the members of
 * edo_op from `object` on. */
#define EDO__BLOCKING_TASK(name)                                                                   \
    {                                                                                              \
        name, NULL, edo__blocking_poll, EDO_KIND_LEAF, sizeof(edo_op), offsetof(edo_op, object),   \
            sizeof(edo_op) - offsetof(edo_op, object),                                             \
        {                                                                                          \
            NULL, NULL                                                                             \
        }                                                                                          \
    }

/* ---- pools ---- */

/* A zeroed struct is the default. */
typedef struct edo_pool_config {
    const char *name;     // name of the pool and its threads; not copied. NULL: "pool"
    uint32_t max_threads; // 0: 512; 64 for "files", 32 for "dns"
    uint32_t max_queue;   // jobs in the queue; further jobs wait for a place; 0: 1024
    int64_t keep_alive;   // nanoseconds without a job until a thread ends; 0: 10 s
    size_t stack_size;    // bytes, of each thread; 0: the system's default
    void *reserved[4];
} edo_pool_config;

/* Makes a pool that belongs to no runtime. Tasks of all runtimes may use it. The first job starts
 * the first thread.
 * config: NULL for the default.
 * Returns: 0; -EINVAL for a keep_alive below 0; -ENOMEM. Thread: any. */
EDO_API EDO_MUST_USE int edo_pool_create(const edo_pool_config *config, edo_pool **ret_pool);

/* Destroys a pool made by edo_pool_create(). Jobs that have not begun answer -ESHUTDOWN. The call
 * waits until all jobs that have begun, and all threads, have ended. No new operation may name the
 * pool. Operations that already wait on the pool end as usual. NULL is ignored. In the child of a
 * fork the call does nothing. The call aborts for a pool that belongs to a runtime.
 * Thread: any except threads of the pool (aborts there). Blocks. */
EDO_API void edo_pool_destroy(edo_pool *pool);

EDO_API extern const edo_future_ops edo__pool_room_ops;

/* Waits until the queue of a pool has a free place. Earlier waiters are served first. The wait
 * slows down tasks that spawn more jobs than the pool can run. The place is not reserved for the
 * caller: the next job to arrive takes the place.
 * Result: 0; -EINVAL for NULL; other errors as edo_blocking(). Cancel: prompt. */
static inline EDO_MUST_USE edo_op edo_pool_room(edo_pool *pool)
{
    return edo__op(&edo__pool_room_ops, pool, NULL, 0, 0);
}

typedef struct edo_pool_stats {
    uint32_t threads; // threads that run, or are being started
    uint32_t idle;    // threads that wait for a job
    uint32_t running; // jobs that have begun
    uint32_t queued;  // jobs in the queue
    uint32_t waiting; // jobs and edo_pool_room() operations that wait for a place in the queue
} edo_pool_stats;

/* Reads the numbers of a pool, as a snapshot. In the child of a fork all numbers are 0. Thread:
 * any. */
EDO_API void edo_pool_read(edo_pool *pool, edo_pool_stats *ret_stats);

/* Finds a pool of the runtime by its name: "user", "files", "dns", or an added pool.
 * Returns: 0 with *ret_pool, which is valid until the runtime's end and must not be destroyed;
 * -ENOENT: no such name; -ENOMEM; -ESHUTDOWN; -ESTALE after fork(). Thread: any. */
EDO_API int edo_runtime_pool(edo_runtime *runtime, const char *name, edo_pool **ret_pool);

/* Adds a pool to a runtime. To set the limits of "user", "files" or "dns", add a pool of that name
 * before the first use of the pool.
 * Returns: 0; -EINVAL without a name, or for a keep_alive below 0; -EEXIST if the runtime has a
 * pool of that name; -ENOMEM; -ESHUTDOWN; -ESTALE after fork(). Thread: any. */
EDO_API int edo_runtime_add_pool(edo_runtime *runtime, const edo_pool_config *config);

EDO_END_DECLS
