/* Runtimes, on which tasks run.
 *
 * A current-thread runtime (the default) polls its tasks on the thread that turns the runtime.
 * edo_block_on() turns the runtime until a function has ended. edo_turn() turns the runtime once,
 * for a foreign event loop. Tasks of one such runtime never run at the same time, so they may share
 * data without locks.
 *
 * A runtime with workers (edo_config.workers) has threads of its own, which steal tasks from each
 * other. So tasks run at the same time, and after every await a task may resume on another thread.
 * edo_block_on() only waits. If a task computes for a long time, other workers or spare threads
 * begin within about 10 ms to serve the sockets, timers and queued tasks of its worker. Only tasks
 * that are pinned to this worker are delayed longer.
 *
 * Several runtimes may live in one process. Tasks may be woken, and spawned with edo_spawn_with(),
 * from any thread.
 *
 * "The owner", below, is the thread that turns a current-thread runtime. The owner may change
 * between two turns, but there is only one owner at a time. All that one owner has done must be
 * visible to the next owner (by a lock or a join, for example). With io_uring the thread of the
 * first turn remains the owner.
 *
 * Most programs need one call:  int main(void) { return edo_run(serve, .address = ":8080"); }
 *
 * After fork() the child must not use a runtime of its parent: calls answer -ESTALE, and
 * edo_runtime_destroy() only closes inherited descriptors. The child may create its own runtimes.
 */
#pragma once

#include <edo/async.h>

EDO_BEGIN_DECLS

/* Report of a task that has occupied its worker for a long time. Valid during the hook `stall`. */
typedef struct edo_stall {
    const char *runtime;
    unsigned worker;
    int64_t duration; // nanoseconds of the poll so far
    const char *task_name;
    uint64_t task_id;
    const edo_site *task_site;
    const edo_trace_line *lines; // async backtrace of the task
    size_t line_count;
    void *const *stack; // return addresses on the task's thread
    size_t stack_count;
    void *reserved[4];
} edo_stall;

/* Functions called at events of a runtime; each may be NULL. A hook must be brief. Hooks are called
 * outside of polls: edo_current_task() is NULL there, except in `spawn` when a task spawns. With
 * workers, hooks are called on several threads at a time. Several lists may be chained; all of them
 * must outlive the runtime.
 *
 * - thread_start, thread_stop: on the thread of each worker, including spare workers, before the
 *   worker's first work and after its last work. Not called on the threads of pools and of the
 *   monitor.
 * - park, unpark: on a worker that has nothing to run, before and after it polls its driver and
 *   perhaps sleeps; `park` may spawn and wake. Not called by a current-thread runtime.
 * - spawn: on the thread that spawns, before the task may run.
 * - before_poll, after_poll: around each poll.
 * - end: after the last poll, when the function has ended, before waiters for the task are woken.
 * - stall: when a poll exceeds stall_limit, once for that poll. Called on the runtime's monitor,
 *   which does nothing else during the call. If the task's thread does not report its stack, the
 *   hook is not called; the log says so, and the thread is asked again later. Time in
 *   edo_block_in_place() is not counted. Time in which the process was stopped is counted as some
 *   milliseconds at most.
 * A hook must not keep the pointer to a task beyond its call. */
typedef struct edo_hooks {
    void *user;
    void (*thread_start)(void *user, const char *runtime);
    void (*thread_stop)(void *user, const char *runtime);
    void (*park)(void *user, unsigned worker);
    void (*unpark)(void *user, unsigned worker);
    void (*spawn)(void *user, const edo_task *task);
    void (*before_poll)(void *user, const edo_task *task);
    void (*after_poll)(void *user, const edo_task *task);
    void (*end)(void *user, const edo_task *task);
    void (*stall)(void *user, const edo_stall *stall);
    const struct edo_hooks *next;
    void *reserved[4];
} edo_hooks;

enum { EDO_WORKERS_AUTO = -1 };

/* Reaction of the runtime to a failed task. A task has failed if its result is negative, except for
 * the -ECANCELED of a cancelled task. The reaction applies to tasks that have no handle at their
 * end, because nobody takes their results. For members of scopes, flags of the scope choose the
 * reaction instead (EDO_SCOPE_IGNORE, EDO_SCOPE_LOG, EDO_SCOPE_FAIL_FAST,
 * EDO_SCOPE_END_RUNTIME). */
typedef enum edo_on_failure {
    EDO_FAILURE_IGNORE, // the result is dropped
    EDO_FAILURE_LOG,    // the log names the task, its place and the error
    EDO_FAILURE_END,    // as EDO_FAILURE_LOG, and the runtime ends: see edo_runtime_failure()
} edo_on_failure;

/* A zeroed struct is the default. */
typedef struct edo_config {
    const char *name;          // shown in the log; not copied. NULL: "edo"
    const char *driver;        // "io_uring" or "epoll"; copied. NULL: EDO_DRIVER, else epoll
    bool test_clock;           // the runtime starts with a paused test clock
    bool ignore_signals;       // edo_run() does not handle SIGINT and SIGTERM
    bool dump_on_quit;         // SIGQUIT dumps all tasks to the log, see edo/dump.h
    bool report_leaks;         // edo_runtime_destroy() logs leaked objects of its tasks: task
                               // handles, streams, listeners; always on in debug builds of edo
    int32_t workers;           // threads, at most 10,000; 0: current-thread; EDO_WORKERS_AUTO:
                               // the number in the environment's EDO_WORKER_THREADS, else
                               // one per processor that the process may use
    int32_t max_spare;         // spare threads to help stuck workers, at most 10,000; 0: as
                               // many as workers, at least 4; -1: none
    edo_on_failure on_failure; // reaction to a failed task that has no handle
    size_t stack_size;         // bytes, of each worker's thread; 0: the system's default
    const int *cpus;           // worker i runs on cpus[i % cpu_count] only, spare threads
                               // anywhere; not copied
    uint32_t cpu_count;        // 0: the system chooses
    const edo_hooks *hooks;    // not copied
    int64_t stall_limit;       // nanoseconds of one poll until a stall is reported; 0: 100 ms
                               // with workers, never without workers; EDO_NEVER: never
    uint32_t event_interval;   // greatest number of polls between two turns of the driver; 0: 61
    uint32_t budget;           // operations per poll of a task; 0: 128
    int64_t time_slice;        // nanoseconds per poll of a task, checked by operations; 0: 10 ms
    int64_t timer_slack;       // nanoseconds; least length of a sleep for a timer, so that timers
                               // close together fire at once; 0: 250 us while more than 32 timers
                               // fire in 250 us, else almost none; 1: almost none
    int64_t drain_limit;       // nanoseconds from the cancellation until tasks are aborted; 0: 10 s
    int64_t abort_limit;       // nanoseconds from the abort until tasks are given up; 0: 1 s
    uint64_t seed;             // seeds edo_select()'s choices, and the order of workers under a
                               // test clock; 0: random
    const struct edo_metrics_config *metrics; // measurements in addition to the counters,
                                              // see edo/metrics.h; NULL: none
    void *reserved[6];
} edo_config;

/* Makes a runtime, and starts the threads of its workers.
 * Returns: 0; -ENOMEM; -EINVAL for an invalid option, see below; -EAGAIN when a thread cannot be
 * started (each worker, the monitor and dump_on_quit need one); -EMFILE, -ENFILE and other errors
 * of the driver.
 * Thread: any; another thread may turn the runtime.
 *
 * Invalid options are: a driver that does not exist; `workers` below EDO_WORKERS_AUTO or above
 * 10,000; `max_spare` below -1 or above 10,000; a limit, a time slice or a slack below 0; a
 * cpu_count without cpus; an unknown on_failure; impossible metrics (edo/metrics.h); an
 * EDO_WORKER_THREADS that is not a number of threads (the log says so).
 *
 * If the kernel refuses the driver, epoll is used instead, and the log says so. The drivers of
 * helpers are of the same kind as the first driver. One driver for a helper is opened in advance;
 * any further helper waits until its driver can be opened. The program must not close the runtime's
 * descriptors, because a driver whose wait fails ends the process.
 *
 * The call reads the environment (EDO_DRIVER, EDO_LOG, EDO_WORKER_THREADS, EDO_DUMP_ON_ABORT).
 * Later, only the system's name look-ups read the environment. */
EDO_API EDO_MUST_USE int edo_runtime_create(const edo_config *config, edo_runtime **ret_runtime);

/* The result of the failed task that has ended the runtime (EDO_FAILURE_END,
 * EDO_SCOPE_END_RUNTIME); 0 if no task has ended the runtime. After such a failure spawns answer
 * -ESHUTDOWN, and all tasks are cancelled, including the function of edo_run() or edo_block_on().
 * edo_run() then prints the error and returns 1. Further calls of edo_block_on() answer -ESHUTDOWN.
 * Thread: any. */
EDO_API int64_t edo_runtime_failure(const edo_runtime *runtime);

/* Ends a runtime. Refuses further spawns (-ESHUTDOWN), cancels all tasks, waits for at most
 * drain_limit, aborts the remaining tasks, and waits for at most abort_limit. NULL is ignored.
 * Returns: one of
 * - 0: all tasks have ended, and all memory is released. (A cancelled look-up keeps its memory
 *   until its thread has finished.)
 * - -ETIMEDOUT: some tasks could not be ended. The log names these tasks, and they are leaked with
 *   all that they use. A join of such a task answers -ESHUTDOWN. Memory given to the operations of
 *   such tasks must not be touched until the process ends.
 * - -EBUSY, with no effect: the call is made inside any task or turn, on a worker of the runtime,
 *   or in a job, an edo_block_in_place() or a hook of the runtime.
 * Thread: the owner; with workers, any except the workers. The handle is invalid afterwards;
 * references (edo_runtime_ref) stay valid. */
EDO_API int edo_runtime_destroy(edo_runtime *runtime);

/* Takes a counted reference, for other threads that spawn. After the runtime's end, a spawn through
 * the reference answers -ESHUTDOWN.
 * Thread: any. */
EDO_API edo_runtime *edo_runtime_ref(edo_runtime *runtime);
EDO_API void edo_runtime_unref(edo_runtime *runtime); // NULL is ignored

/* The runtime that runs on this thread, or that this thread has entered; NULL if there is none. */
EDO_API edo_runtime *edo_current_runtime(void);

/* Makes a runtime the current one of the calling plain thread, until edo_runtime_leave(). Spawns by
 * this thread use that runtime. Calls may be nested: each leave ends the last enter.
 * Returns: the argument for edo_runtime_leave(): the runtime entered before, or NULL.
 * Thread: any that is not polling a task (aborts there). */
EDO_API edo_runtime *edo_runtime_enter(edo_runtime *runtime);
EDO_API void edo_runtime_leave(edo_runtime *before);

/* Number of workers, without spare workers; 0 for a current-thread runtime. Thread: any. */
EDO_API unsigned edo_runtime_workers(const edo_runtime *runtime);

/* Number of the worker that runs on this thread, from 0. Spare workers have the numbers after those
 * of the other workers. 0 inside a turn of a current-thread runtime; -1 on a plain thread and
 * inside edo_block_in_place(). A task may see another number after each await. */
EDO_API int edo_worker_index(void);

/* Calls fn(arg) at once and on this thread; fn may block or compute for long. Before the call,
 * other workers take over the queued tasks, sockets and timers of this worker, but not the tasks
 * that are pinned to it. During the call the calling task waits as a whole, with all futures of its
 * selects, and cannot be cancelled. Inside fn the thread counts as a plain thread that has entered
 * the runtime: fn may spawn, and may use edo_wait(). In a current-thread runtime, and outside of
 * tasks, this is a plain call of fn.
 * Returns: the result of fn.
 * Thread: any. */
EDO_API int64_t edo_block_in_place(int64_t (*fn)(void *arg), void *arg);

/* Name of the runtime's driver: "epoll", "io_uring", or that of the program's own driver. */
EDO_API const char *edo_runtime_driver(const edo_runtime *runtime);

/* Number of tasks that have not ended. Thread: any; a snapshot. */
EDO_API size_t edo_runtime_task_count(const edo_runtime *runtime);

/* ---- turning a runtime ---- */

EDO_API int64_t edo__block_on(edo_runtime *runtime, const edo_site *site, const void *args);

/* Runs an async function on the runtime, and turns the runtime until the function has ended. Other
 * tasks run in the same turns. After the call they run only when the runtime is turned again. With
 * workers, the call turns nothing, and only waits for the function's end.
 * Returns: the function's result. If the function was not run: -ENOMEM; -ESHUTDOWN; -EBUSY inside a
 * task or on a worker; -ESTALE after fork().
 * Thread: the owner, outside of tasks; with workers, any except the workers, outside of tasks. */
#define edo_block_on(runtime, ...)                                                                 \
    edo__block_on((runtime), edo__site_of(__VA_ARGS__, ), edo__args_of(__VA_ARGS__, ))

/* Makes one turn: runs ready tasks (at most one event interval of them), turns the driver, and
 * fires timers.
 * timeout: nanoseconds to wait if no task is ready. 0 or less: the turn does not wait. EDO_NEVER:
 * the turn waits until a task is ready. A turn in which a task has ended never waits, so that the
 * calling loop can check for that end.
 * Returns: 1 when more tasks are ready now; 0 when all tasks wait; -ESTALE; -EBUSY inside a task;
 * -EOPNOTSUPP for a runtime with workers.
 * Thread: the owner. */
EDO_API int edo_turn(edo_runtime *runtime, int64_t timeout);

/* Gives a descriptor for a foreign loop. The descriptor is readable when edo_turn(runtime, 0) has
 * work to do, including due timers and wakes from other threads. The descriptor is level-triggered:
 * turn the runtime while the descriptor is readable.
 * Returns: the descriptor, which belongs to the runtime; -EMFILE, -ENFILE, -ENOMEM, -ESTALE;
 * -EOPNOTSUPP for a driver without a descriptor, and with workers.
 * Thread: the owner. */
EDO_API edo_fd edo_runtime_fd(edo_runtime *runtime);

/* ---- whole programs ---- */

EDO_API int edo__run(const edo_config *config, const edo_site *site, const void *args);

/* Runs an async function as a program, on a runtime of its own, then ends the runtime. edo_run()
 * uses the default, a current-thread runtime; edo_run_with() takes a pointer to an edo_config.
 * SIGINT and SIGTERM cancel the function, and a second signal kills the process. After the first
 * signal the function has drain_limit until it is aborted, then abort_limit until it is given up. A
 * signal that the process ignores is still ignored. If the program has a stream of a signal
 * (edo/signal.h), that signal is left to the program.
 * Returns: an exit status: 0 for a result >= 0 or a cancellation by a signal, else 1 with one line
 * on stderr. Ends the process with _exit(1) when tasks could not be ended.
 * Thread: any, outside of tasks (aborts inside a task). Only one call at a time in the process,
 * except with ignore_signals. */
#define edo_run(...) edo__run(NULL, edo__site_of(__VA_ARGS__, ), edo__args_of(__VA_ARGS__, ))
#define edo_run_with(config, ...)                                                                  \
    edo__run((config), edo__site_of(__VA_ARGS__, ), edo__args_of(__VA_ARGS__, ))

/* main() as an async function: edo_main(serve, .address = ":8080") */
#define edo_main(...)                                                                              \
    int main(void)                                                                                 \
    {                                                                                              \
        return edo_run(__VA_ARGS__);                                                               \
    }

EDO_END_DECLS
