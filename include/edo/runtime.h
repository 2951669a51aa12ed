/* Runtimes, on which tasks run.
 *
 * A current-thread runtime (the default) polls its tasks on the thread that turns it:
 * edo_block_on() turns it until a function has ended, edo_turn() turns it once for a foreign event
 * loop. Tasks of one such runtime never run at the same time, so they may share data as they like.
 *
 * A runtime with workers (edo_config.workers) has threads of its own, which take tasks from each
 * other: a task may go on on another thread after every await, and tasks run at the same time.
 * edo_block_on() only waits. A task that computes for long delays only tasks that are pinned to the
 * same worker: within some 10 ms other workers, or spare threads, serve the sockets, timers and
 * queued tasks of that worker.
 *
 * Several runtimes may live in one process. Tasks may be woken, and spawned with edo_spawn_with(),
 * from any thread.
 *
 * "The owner", below, is the thread that turns a current-thread runtime. It may be another one
 * after each turn, but one at a time, and the work of one must be visible to the next (as by a lock
 * or a join). With io_uring the owner stays the thread of the first turn.
 *
 * Most programs need one call:  int main(void) { return edo_run(serve, .address = ":8080"); }
 *
 * After fork() the child must not use a runtime of its parent (calls answer -ESTALE there, and
 * edo_runtime_destroy() only closes inherited descriptors); it may create its own.
 */
#pragma once

#include <edo/async.h>

EDO_BEGIN_DECLS

/* A task that has kept its worker for long. Valid during the hook. */
typedef struct edo_stall {
    const char *runtime;
    unsigned worker;
    int64_t duration; // nanoseconds, until now
    const char *task_name;
    uint64_t task_id;
    const edo_site *task_site;
    const edo_trace_line *lines; // its async backtrace
    size_t line_count;
    void *const *stack; // return addresses on its thread
    size_t stack_count;
    void *reserved[4];
} edo_stall;

/* Events of a runtime that a program may see; each hook may be NULL. Hooks are called outside of
 * polls (edo_current_task() is NULL there, except for spawn in a task that spawns), with workers on
 * several threads at a time, and must be brief. Several lists may be chained; all of them must
 * outlive the runtime.
 *
 * thread_start, thread_stop: on the thread of each worker, and of each spare one, before its first
 * and after its last work. (The threads of pools and the monitor do not call.)
 * park, unpark: on a worker that has nothing to run, before and after it polls its driver and
 * perhaps sleeps; park may spawn and wake. A current-thread runtime does not call them.
 * spawn: on the thread that spawns, before the task may run. before_poll, after_poll: around each
 * poll. end: behind the last of them, when the function has ended, before waiters for the task are
 * woken. All four must not keep the task's handle.
 * stall: when a poll passes stall_limit, once for that poll, if its thread reports its task (else
 * the log says so, and the thread is asked again later). Time in edo_block_in_place() is not
 * counted, nor more than some milliseconds of the time in which the process was stopped. On the
 * runtime's monitor, which does nothing else meanwhile. */
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

/* Zeroed is the default. */
typedef struct edo_config {
    const char *name;        // shown in the log; not copied. NULL: "edo"
    const char *driver;      // "io_uring" or "epoll"; copied. NULL: EDO_DRIVER, else epoll
    bool test_clock;         // starts with its clock paused
    bool ignore_signals;     // edo_run(): leave SIGINT and SIGTERM alone
    bool dump_on_quit;       // SIGQUIT dumps all tasks to the log, see edo/dump.h
    bool report_leaks;       // edo_runtime_destroy() logs what its tasks made and
                             // nobody ended by then: handles of tasks, streams,
                             // listeners; in debug builds of edo it always does
    int32_t workers;         // threads, at most 10,000; 0: current-thread; EDO_WORKERS_AUTO:
                             // as many as the environment's EDO_WORKER_THREADS says, else
                             // one per processor that the process may use
    int32_t max_spare;       // more threads to help stuck ones, at most 10,000; 0: as
                             // many as workers, at least 4; -1: none
    size_t stack_size;       // bytes, of each worker's thread; 0: the system's default
    const int *cpus;         // worker i runs on cpus[i % cpu_count] only, spare ones
                             // anywhere; not copied
    uint32_t cpu_count;      // 0: wherever the system likes
    const edo_hooks *hooks;  // not copied
    int64_t stall_limit;     // nanoseconds of one poll until it is reported; 0: 100 ms
                             // with workers, never without; EDO_NEVER: never
    uint32_t event_interval; // polls between two turns of the driver, at most; 0: 61
    uint32_t budget;         // operations per poll of a task; 0: 128
    int64_t time_slice;      // nanoseconds per poll, kept by operations; 0: 10 ms
    int64_t timer_slack;     // nanoseconds that a sleep for a timer lasts at least, so that
                             // timers close together fire at once; 0: 50 us; 1: as good as none
    int64_t drain_limit;     // nanoseconds until tasks are aborted; 0: 10 s
    int64_t abort_limit;     // ... and until they are given up; 0: 1 s
    uint64_t seed;           // of edo_select()'s choices, and of the order of workers under a
                             // test clock; 0: random
    const struct edo_metrics_config *metrics; // measurements beside the counters, see
                                              // edo/metrics.h; NULL: nothing
    void *reserved[6];
} edo_config;

/* Makes a runtime; with workers, their threads wait for tasks from then on.
 * Returns: 0; -ENOMEM; -EINVAL for a driver that does not exist, a number of workers below
 * EDO_WORKERS_AUTO or above 10,000, of spare ones below -1 or above 10,000, a limit, a time slice
 * or a slack below 0, a cpu_count without cpus, an EDO_WORKER_THREADS that is no number (the log says so), or
 * metrics that cannot be (edo/metrics.h); -EAGAIN without a thread for each worker, for the monitor
 * or for dump_on_quit; -EMFILE, -ENFILE and other errors of the driver. A driver that the kernel
 * refuses is replaced by epoll, with a line in the log; later helpers have the same kind, or wait
 * until they can. The descriptors of one helper are reserved. The environment (EDO_DRIVER, EDO_LOG,
 * EDO_WORKER_THREADS, EDO_DUMP_ON_ABORT) is read here, and by the system's name look-ups, not
 * later. The runtime's descriptors must stay open: a wait that fails ends the process.
 * Thread: any; it need not be the one that turns it. */
EDO_API EDO_MUST_USE int edo_runtime_create(const edo_config *config, edo_runtime **ret_runtime);

/* Ends a runtime: no more spawns (-ESHUTDOWN), cancels all tasks, waits drain_limit, aborts them,
 * waits abort_limit. NULL is ignored.
 * Returns: 0 when all tasks have ended and all memory is given back, except memory of a cancelled
 * look-up, until its thread is through; -ETIMEDOUT when some tasks could not be ended: the log
 * names them, and they are leaked with all they use; joins of them answer -ESHUTDOWN; memory given
 * to their operations stays untouchable until the process ends. -EBUSY, and nothing was done,
 * inside of any task, of a turn, on one of its workers, and inside of a job, an
 * edo_block_in_place() or a hook that the runtime waits for.
 * Thread: the owner; with workers, any but them. The handle is gone, except for references
 * (edo_runtime_ref). */
EDO_API int edo_runtime_destroy(edo_runtime *runtime);

/* A counted reference, for other threads that spawn: spawning answers -ESHUTDOWN after the end.
 * Thread: any. */
EDO_API edo_runtime *edo_runtime_ref(edo_runtime *runtime);
EDO_API void edo_runtime_unref(edo_runtime *runtime); // NULL is ignored

/* The runtime that runs on this thread, or that it has entered; or NULL. */
EDO_API edo_runtime *edo_current_runtime(void);

/* From now on spawns of this plain thread go to the runtime, as if it ran here, until
 * edo_runtime_leave(), which ends the last enter.
 * Returns: the argument of edo_runtime_leave(): the runtime entered before, or NULL.
 * Thread: any that polls no task (aborts there). */
EDO_API edo_runtime *edo_runtime_enter(edo_runtime *runtime);
EDO_API void edo_runtime_leave(edo_runtime *before);

/* How many workers it has, without spare ones: 0 for a current-thread runtime. Thread: any. */
EDO_API unsigned edo_runtime_workers(const edo_runtime *runtime);

/* The worker that this thread is, from 0; spare ones come after the others. 0 inside of a turn of a
 * current-thread runtime. -1: none, as on plain threads and inside of edo_block_in_place(). In a
 * task it may be another one after each await. */
EDO_API int edo_worker_index(void);

/* Calls fn(arg), which may block or compute for long, at once and on this thread. Other workers get
 * the queued tasks, sockets and timers of this one at once, except tasks that are pinned to it. All
 * of the calling task waits, with every branch of a select or limit in it, and cannot be cancelled
 * meanwhile. To fn this is a plain thread that has entered the runtime: it may spawn there, and use
 * edo_wait(). In a current-thread runtime, and outside of tasks, it is a plain call.
 * Returns: the result of fn. Thread: any. */
EDO_API int64_t edo_block_in_place(int64_t (*fn)(void *arg), void *arg);

/* "epoll", "io_uring", or the name of a driver of one's own. */
EDO_API const char *edo_runtime_driver(const edo_runtime *runtime);

/* Tasks that have not ended. Thread: any; a snapshot. */
EDO_API size_t edo_runtime_task_count(const edo_runtime *runtime);

/* ---- turning it ---- */

EDO_API int64_t edo__block_on(edo_runtime *runtime, const edo_site *site, const void *args);

/* Runs an async function on the runtime and turns it until the function has ended; other tasks run
 * meanwhile, and then stay where they are until the next turn. With workers: only waits until it
 * has ended.
 * Returns: the function's result; if it was not run -ENOMEM, -ESHUTDOWN, -EBUSY inside of a task or
 * on a worker, or -ESTALE after fork().
 * Thread: the owner, outside of tasks; with workers, any but them, outside of tasks. */
#define edo_block_on(runtime, ...)                                                                 \
    edo__block_on((runtime), edo__site_of(__VA_ARGS__, ), edo__args_of(__VA_ARGS__, ))

/* One turn: runs ready tasks (at most one event interval of them), turns the driver, fires timers.
 * timeout: nanoseconds to wait if nothing is ready; 0 or less: none; EDO_NEVER: until something is.
 * A turn in which a task has ended does not wait, so that a loop around it can check.
 * Returns: 1 when more is ready now, 0 when the runtime waits, or -ESTALE, -EBUSY (inside a task),
 * -EOPNOTSUPP with workers, which turn it themselves.
 * Thread: the owner. */
EDO_API int edo_turn(edo_runtime *runtime, int64_t timeout);

/* A descriptor for a foreign loop: it is readable when edo_turn(runtime, 0) has something to do,
 * which includes due timers and wakes from other threads. Level-triggered; turn while it is
 * readable.
 * Returns: the descriptor, which stays the runtime's; -EMFILE, -ENFILE, -ENOMEM, -ESTALE;
 * -EOPNOTSUPP for a driver without one, and with workers.
 * Thread: the owner. */
EDO_API edo_fd edo_runtime_fd(edo_runtime *runtime);

/* ---- whole programs ---- */

EDO_API int edo__run(const edo_config *config, const edo_site *site, const void *args);

/* Runs an async function on a runtime of its own, as a program: cancels it on SIGINT and SIGTERM (a
 * second one kills; one that the process ignores stays ignored), then ends the runtime. After such
 * a signal the function has drain_limit until it is aborted, then abort_limit until it is given up.
 * edo_run() has the default, a current-thread runtime; edo_run_with() takes a pointer to an
 * edo_config.
 * Returns: a program's exit status: 0 for a result >= 0 or that cancellation, else 1 with one line
 * on stderr. Ends the process with _exit(1) when tasks could not be ended.
 * Thread: one at a time in the process, when signals are not ignored; outside of tasks (else it
 * aborts). */
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
