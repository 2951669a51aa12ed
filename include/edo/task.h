/* Tasks.
 *
 * A task is a future that a runtime polls: one allocation that holds a header and the frame.
 * edo_spawn() returns a handle, which the caller must give back by edo_join() or edo_detach(). A
 * task is polled by one thread at a time. In a runtime with workers, the thread may differ from
 * poll to poll. All effects of one poll are visible to the next poll.
 */
#pragma once

#include <edo/future.h>

EDO_BEGIN_DECLS

/* ---- tasks ---- */

/* Place of a spawn in the source. Static data, made by edo_spawn() and its variants. */
typedef struct edo_site {
    const edo_future_ops *ops;
    const char *function, *file;
    uint32_t line, reserved;
} edo_site;

/* Options of a spawn, in addition to the function and its arguments. A zeroed struct is the
 * default. */
typedef struct edo_spawn_options {
    const char *name;     // shown instead of the function's name; not copied
    void *user;           // returned by edo_task_user()
    edo_context *context; // the task takes a reference; NULL: the spawning task's context
    edo_runtime *runtime; // NULL: edo_current_runtime()
    uint32_t pinned;      // 1 + number of the worker of edo_spawn_on(); 0: not pinned
    bool metrics;         // the task counts its polls and times: edo_task_metrics_read()
    void *reserved[4];
} edo_spawn_options;

EDO_API extern const edo_future_ops edo__join_ops, edo__yield_ops;

/* Waits for a task's end and gives the handle back.
 * Result: the task's result, after the task's function has ended and the frame is no longer in use.
 * -ESHUTDOWN if the task could not be ended with its runtime; -EINVAL for NULL; -EDEADLK for a task
 * that joins itself. edo_op_progress() is 1 if the handle was given back, and 0 otherwise. So
 * edo_op_progress() shows what -ECANCELED means: 1: it is the result of the task; 0: the join was
 * cancelled.
 * Cancel: prompt; the task continues, and the handle still belongs to the caller. */
static inline EDO_MUST_USE edo_op edo_join(edo_task *task)
{
    return edo__op(&edo__join_ops, task, NULL, 0, 0);
}

/* Gives the handle back. The task continues. NULL is ignored.
 * Thread: any. */
EDO_API void edo_detach(edo_task *task);

/* Asks a task to end: the task's function sees -ECANCELED at its next await. A second call, or a
 * call after the task's end, does nothing.
 * Thread: any that holds the handle. */
EDO_API void edo_task_cancel(edo_task *task);

/* Aborts a task: a stronger request to end than edo_task_cancel(), because no shield holds it off.
 * Thread: any that holds the handle. */
EDO_API void edo_task_abort(edo_task *task);

/* Whether the task has ended, so that edo_join() would not wait.
 * Thread: any that holds the handle. */
EDO_API bool edo_task_is_done(const edo_task *task);

/* Takes a counted reference to the waker of a task. The task's memory remains until
 * edo_waker_unref() gives the reference back.
 * Thread: any that holds the handle. */
EDO_API edo_wakeable *edo_task_waker(edo_task *task);

/* These calls return constants of a task. The id is unique in the process, and never used again.
 * The name is that of edo_spawn_options, or the function's name. The site is the place of the
 * task's spawn. The user pointer is that of edo_spawn_options.
 * Thread: any that holds the handle. */
EDO_API uint64_t edo_task_id(const edo_task *task);
EDO_API const char *edo_task_name(const edo_task *task);
EDO_API const edo_site *edo_task_site(const edo_task *task);
EDO_API void *edo_task_user(const edo_task *task);

/* The task that this thread is polling, or NULL. Valid during this poll; not a handle. */
EDO_API edo_task *edo_current_task(void);

/* Queues the task again, behind all other ready tasks.
 * Result: 0. Cancel: prompt. */
static inline EDO_MUST_USE edo_op edo_yield(void)
{
    return edo__op(&edo__yield_ops, NULL, NULL, 0, 0);
}

/* ---- inherited by spawned tasks ---- */

/* Values of a context. A context is immutable and reference-counted, so any thread may hold a
 * reference. If a task spawns another task, the new task inherits the context of the spawning task,
 * unless the options name another context. */
typedef struct edo_context_values {
    int64_t deadline; // time of edo_now()'s clock at which the task is cancelled; 0: none
    uint64_t trace[2];
    int32_t priority;
    void *user;
} edo_context_values;

/* Returns: 0, or -ENOMEM. Thread: any. */
EDO_API EDO_MUST_USE int edo_context_create(const edo_context_values *values,
                                            edo_context **ret_context);
EDO_API edo_context *edo_context_ref(edo_context *context);
EDO_API void edo_context_unref(edo_context *context); // NULL is ignored
EDO_API const edo_context_values *edo_context_values_of(const edo_context *context);

/* The current task's context, or NULL. */
EDO_API edo_context *edo_current_context(void);

/* Sets the context of the current task, and of tasks that it spawns from now on. The task takes a
 * reference. context: NULL for none.
 * Thread: inside a task. */
EDO_API void edo_set_context(edo_context *context);

/* ---- backtraces ---- */

/* Calls `visit` for every frame and operation in which the task waits, outermost first.
 * Returns: 0; -ESRCH if the task has ended; -EBUSY while the task is being polled or inspected: try
 * again. If a task yields all the time, the first calls answer -EBUSY, except on the owner of a
 * current-thread runtime.
 * Thread: any that holds the handle. The task cannot run meanwhile, so `visit` must be brief. */
EDO_API int edo_task_trace(edo_task *task, void (*visit)(void *context, const edo_trace_line *),
                           void *context);

/* ---- called by the macros ---- */

EDO_API EDO_MUST_USE int edo__spawn(edo_task **ret_task, const edo_spawn_options *options,
                                    const edo_site *site, const void *args);
EDO_API EDO_MUST_USE int edo__spawn_on(edo_task **ret_task, unsigned worker, const edo_site *site,
                                       const void *args);

EDO_END_DECLS
