/* Runtimes: what tasks run on.
 *
 * A current-thread runtime polls its tasks on the thread that turns it: edo_block_on() turns it
 * until a function has ended, edo_turn() turns it once for a foreign event loop. Several runtimes
 * may live in one process, each on its thread. Tasks may be woken, and spawned with
 * edo_spawn_with(), from any thread.
 *
 * Most programs need one call:  int main(void) { return edo_run(serve, .address = ":8080"); }
 *
 * After fork() the child must not use a runtime of its parent (calls answer -ESTALE there, and
 * edo_runtime_destroy() only closes what it inherited); it may create its own.
 */
#pragma once

#include <edo/async.h>

EDO_BEGIN_DECLS

struct edo_driver_ops;

/* Zeroed is the default. */
typedef struct edo_config {
    const char *name;                        // shown in the log; not copied. NULL: "edo"
    const char *driver;                      // "io_uring" or "epoll"; NULL: EDO_DRIVER, else epoll
    const struct edo_driver_ops *driver_ops; // a driver of one's own, see docs/internals/sys.md
    bool test_clock;                         // starts with its clock paused
    bool ignore_signals;                     // edo_run(): leave SIGINT and SIGTERM alone
    uint32_t event_interval;                 // polls between two looks at the driver; 0: 61
    uint32_t budget;                         // operations per poll of a task; 0: 128
    int64_t time_slice;                      // nanoseconds per poll, kept by operations; 0: 10 ms
    int64_t drain_limit;                     // nanoseconds until tasks are aborted; 0: 10 s
    int64_t abort_limit;                     // ... and until they are given up; 0: 1 s
    uint64_t seed;                           // of edo_select()'s choices; 0: random
    int32_t workers; // 0: current-thread; n: worker threads; EDO_WORKERS_AUTO
    void *reserved[8];
} edo_config;

/* Returns: 0; -ENOMEM; -EINVAL for a driver that does not exist; -EMFILE, -ENFILE and other errors
 * of the driver. A driver that the kernel refuses is replaced by epoll, with a line in the log.
 * Thread: any; the thread that turns it first owns it. */
EDO_API int edo_runtime_create(const edo_config *config, edo_runtime **ret_runtime);

/* Ends a runtime: no more spawns (-ESHUTDOWN), cancels all tasks, waits drain_limit, aborts them,
 * waits abort_limit. NULL is ignored.
 * Returns: 0 when all tasks have ended and all memory is given back; -ETIMEDOUT when some could not
 * be ended: they are named in the log and leaked, with what they use; joins of them answer
 * -ESHUTDOWN; memory given to their operations stays untouchable until the process ends. -EBUSY
 * inside of one of its own tasks: nothing was done.
 * Thread: the owner. The handle is gone, except for references (edo_runtime_ref). */
EDO_API int edo_runtime_destroy(edo_runtime *runtime);

/* A counted reference, for other threads that spawn: spawning answers -ESHUTDOWN after the end. */
EDO_API edo_runtime *edo_runtime_ref(edo_runtime *runtime);
EDO_API void edo_runtime_unref(edo_runtime *runtime); // NULL is ignored

/* The runtime that runs on this thread, or NULL. */
EDO_API edo_runtime *edo_current_runtime(void);

/* "epoll", "io_uring", or the name of a driver of one's own. */
EDO_API const char *edo_runtime_driver(const edo_runtime *runtime);

/* Tasks that have not ended. Thread: any; a snapshot. */
EDO_API size_t edo_runtime_task_count(const edo_runtime *runtime);

/* ---- turning it ---- */

EDO_API int64_t edo__block_on(edo_runtime *runtime, const edo_site *site, const void *args);

/* Runs an async function on the runtime and turns it until the function has ended; other tasks stay
 * where they are until the next turn.
 * Returns: the function's result; -ENOMEM, -ESHUTDOWN, or -ESTALE after fork() if it was not run.
 * Thread: the owner, outside of tasks. */
#define edo_block_on(runtime, fn, ...)                                                             \
    edo__block_on((runtime), edo__site_of(fn), edo__args_of(fn, __VA_ARGS__))

/* One turn: runs ready tasks (at most one event interval of them), looks at the driver, fires
 * timers.
 * timeout: nanoseconds to wait if nothing is ready; 0 or less: none; EDO_NEVER: until something is.
 * A turn in which a task has ended does not wait, so that a loop around it can look.
 * Returns: 1 when more is ready now, 0 when the runtime waits, or -ESTALE, -EBUSY (inside a task).
 * Thread: the owner. */
EDO_API int edo_turn(edo_runtime *runtime, int64_t timeout);

/* A descriptor for a foreign loop: it is readable when edo_turn(runtime, 0) has something to do,
 * which includes due timers and wakes from other threads. Level-triggered; turn while it is
 * readable.
 * Returns: the descriptor, which stays the runtime's; -EMFILE, -ENFILE, -ENOMEM; -EOPNOTSUPP for a
 * driver without one.
 * Thread: the owner. */
EDO_API int edo_runtime_fd(edo_runtime *runtime);

/* ---- whole programs ---- */

EDO_API int edo__run(const edo_config *config, const edo_site *site, const void *args);

/* Runs an async function on a runtime of its own, as a program: cancels it on SIGINT and SIGTERM (a
 * second one kills), then ends the runtime.
 * Returns: a program's exit status: 0 for a result >= 0 or that cancellation, else 1 with one line
 * on stderr. Ends the process with _exit(1) when tasks could not be ended.
 * Thread: one at a time in the process, when signals are not ignored. */
#define edo_run(fn, ...) edo__run(NULL, edo__site_of(fn), edo__args_of(fn, __VA_ARGS__))
#define edo_run_with(config, fn, ...)                                                              \
    edo__run((config), edo__site_of(fn), edo__args_of(fn, __VA_ARGS__))

/* main() as an async function: edo_main(serve, .address = ":8080") */
#define edo_main(fn, ...)                                                                          \
    int main(void)                                                                                 \
    {                                                                                              \
        return edo_run(fn, __VA_ARGS__);                                                           \
    }

EDO_END_DECLS
