/* A runtime: its seats (worker.h), and what they share. */
#pragma once

#include <edo/runtime.h>

#include "runtime/pool/blocking.h"
#include "runtime/inspect/histogram.h"
#include "runtime/schedule/idle.h"
#include "runtime/schedule/worker.h"
#include "sys/sys.h"
#include "task/task.h"

/* While it is paused a test clock stands at `frozen`, and goes to `target` from deadline to deadline.
 * The lock guards changes; any thread reads. */
typedef struct edo__clock {
    edo__lock lock;
    edo_atomic(bool) paused, auto_advance;
    edo_atomic(int64_t) offset; // to the monotonic clock, while it runs
    edo_atomic(int64_t) frozen, target;
} edo__clock;

typedef struct edo__monitor edo__monitor;

struct edo_runtime {
    edo_config config;
    const edo_driver_ops *driver_ops; // of all seats: see drivers.c
    char *driver_argument;            // to open one, or NULL
    edo_driver *kept_driver;          // for the first helper, until it is made
    const char *driver_refusal;       // why the last one was not to be had; of who makes seats
    uint32_t worker_count;            // seats that take part; 1 without threads
    uint32_t seat_limit;              // with the spare ones
    edo_atomic(uint32_t) seat_count;  // seats that are there: release, after the seat was written
    edo__worker **seats;
    bool has_threads; // else it is the thread's that turns it
    bool turning;     // edo_turn is on the stack
    int timer_fd;     // -1 until edo_runtime_fd
    uint32_t fork_generation;
    edo__monitor *monitor; // or NULL
    bool is_on_quit;       // among those of quit.c
    bool is_root_lost;     // the program's function has been waited for as long as the limits say
    uint64_t serial;       // see runtimes.h
    edo__node all;         // the lock of the runtimes

    /* any thread */
    edo__clock clock;
    edo__blocking blocking; // its pools
    edo__idle idle;
    edo_atomic(bool) is_closed;    // no more tasks
    edo_atomic(bool) is_stopping;  // the workers are to leave
    edo_atomic(uint32_t) visitors; // threads between a foreign push and their last touch
    edo_atomic(uint32_t) refs;
    edo_atomic(uint32_t) end_count;      // of tasks, once it is closed: a futex of the drain
    edo_atomic(uint32_t) stuck_count;    // seats whose worker is stuck
    edo_atomic(uint32_t) has_watcher;    // one that sleeps watches the others
    edo_atomic(int64_t) watch_until;     // ns of edo__sys_now(); see watch.c
    edo_atomic(uint64_t) foreign_pushes; // to the inject queue, by threads without a seat
    edo__lock driver_lock;               // the ends of drivers, and who reads their counters
    edo__scale scales[EDO__HISTOGRAMS];  // fixed
    bool counts_tasks;                   // each has an edo__task_counts; fixed
};

static inline uint32_t edo__seat_count(const edo_runtime *runtime)
{
    return edo_load_acquire(&runtime->seat_count);
}

/* ---- drivers.c ---- */

/* Chooses the kind of driver. wanted: what the environment names, if the config does not; or NULL.
 * Returns: 0, -EINVAL, -ENOMEM. */
int edo__drivers_choose(edo_runtime *runtime, const char *wanted);

/* A seat could not be made. Returns: whether all are to be made anew, with the fallback; false if
 * it was not for the driver, or there is none. Without seats, before create has ended. */
bool edo__drivers_fall_back(edo_runtime *runtime);

/* Opens a driver for a seat. Who makes seats. Returns: 0 or a negative errno. */
int edo__drivers_open(edo_runtime *runtime, edo_driver **ret_driver);

/* Opens the one for the first helper ahead, if there may be helpers. */
int edo__drivers_keep_one(edo_runtime *runtime);

/* Closes what is kept, and later frees the rest. */
void edo__drivers_close(edo_runtime *runtime);
void edo__drivers_free(edo_runtime *runtime);

/* ---- registry.c ---- */

/* Enters a new task and queues it. Returns: 0, -ESHUTDOWN or -ESTALE; then it is still the
 * caller's. Any thread. */
int edo__runtime_adopt(edo_runtime *runtime, edo_task *task);

/* A task has ended: takes it out. */
void edo__runtime_dismiss(edo_task *task);

/* An id for a task. Any thread. */
uint64_t edo__runtime_new_id(edo_runtime *runtime);

/* Cancels or aborts every task. */
void edo__runtime_ask_all(edo_runtime *runtime, uint64_t fate);

/* Adds a seat behind the others. One thread at a time. */
void edo__runtime_add_seat(edo_runtime *runtime, edo__worker *seat);

/* Refuses all further tasks. */
void edo__runtime_close(edo_runtime *runtime);

/* Whether no task is left. */
bool edo__runtime_is_empty(edo_runtime *runtime);

/* Gives up what is left. Returns: how many. */
int64_t edo__runtime_give_up(edo_runtime *runtime);

/* ---- for tasks ---- */

/* Commits a wake. Any thread. */
void edo__runtime_push(edo_runtime *runtime, edo_task *task);

/* The same, async-signal-safe. */
void edo__runtime_push_foreign(edo_runtime *runtime, edo_task *task);

/* ---- clock.c ---- */

int64_t edo__runtime_now(const edo_runtime *runtime);

/* moment + duration; saturates. */
static inline int64_t edo__later(int64_t moment, int64_t duration)
{
    int64_t later;
    if (!__builtin_add_overflow(moment, duration, &later)) return later;
    return duration < 0 ? INT64_MIN : INT64_MAX;
}

static inline int64_t edo__clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

static inline bool edo__clock_is_paused(const edo_runtime *runtime)
{
    return edo__unlikely(edo_load_acquire(&runtime->clock.paused)); // with what it stands at
}

/* Whether a paused clock has been advanced, and has not arrived yet. */
bool edo__clock_is_moving(const edo_runtime *runtime);

/* One step towards where it is to go: so deadlines are met in their order. */
void edo__clock_step(edo_runtime *runtime);

/* All is idle: a paused clock is to go on to the next deadline. Returns: whether there is one. */
bool edo__clock_skip(edo_runtime *runtime);

/* Has the clock of a runtime without threads, which runs, go on from this thread's edo_now(). Its
 * owner, outside of turns. */
void edo__clock_follow(edo_runtime *runtime);

/* ---- timers.c ---- */

void edo__timer_set_slow(edo__worker *worker, edo_task *task, int64_t deadline);

/* Makes the task's timer fire at the deadline, or before. The poller. */
static inline void edo__timer_set(edo__worker *worker, edo_task *task, int64_t deadline)
{
    if (deadline != EDO_NEVER) edo__timer_set_slow(worker, task, deadline);
}

void edo__timer_cancel_slow(edo_task *task);

/* The task has ended. The poller. */
static inline void edo__timer_cancel(edo_task *task)
{
    if (edo__timer_is_armed(&task->timer)) edo__timer_cancel_slow(task);
}

/* The clock of a seat without threads has jumped: each timer fires, and its task arms it anew.
 * Owner. */
void edo__timers_restart(edo__worker *of);

/* The next look that a seat's wheel needs; INT64_MAX: none. */
int64_t edo__timers_next(edo__worker *of);

/* ---- runtime.c ---- */

/* Whether the fork that this process came from was after the runtime's making. */
bool edo__runtime_is_stale(const edo_runtime *runtime);

/* Whether this thread polls a task. The child of a fork that a task made does not: it only has the
 * memory of it. */
static inline bool edo__in_task(void)
{
    return edo__self.cx && !edo__runtime_is_stale(edo__self.cx->runtime);
}

/* ---- run.c ---- */

/* Whether this thread may turn or end the runtime. Returns: 0, -EBUSY or -ESTALE. */
int edo__runtime_check_owner(const edo_runtime *runtime);

/* A turn of the seat of a runtime without threads, from outside. Returns: whether more is ready. */
int edo__turn_once(edo__worker *seat, int64_t timeout);

/* A plain thread that waits for a task. A signal handler interrupts the wait of a program for its
 * function: that is aborted a drain limit later, and given up an abort limit after that. */
typedef struct edo__waiter {
    edo_user_wakeable base;
    edo_atomic(uint32_t) word; // EDO__WAITER_*; a futex
    int64_t deadline;          // ns of edo__sys_now(), the next of the two; the waiter's thread
    bool has_aborted;          // the waiter's thread
} edo__waiter;

enum { EDO__WAITER_WOKEN = 1, EDO__WAITER_INTERRUPTED = 2 };

/* Any thread, also in a signal handler. */
void edo__waiter_interrupt(edo__waiter *waiter);

/* Runs until a task has ended; its handle is the caller's. waiter: zeroed.
 * Returns: whether more is ready; -ETIMEDOUT when it was interrupted and its limits have passed. */
int edo__run_until(edo_runtime *runtime, edo_task *task, edo__waiter *waiter);

/* ---- threads.c ---- */

/* Starts workers and monitor, or stops them: false when some are stuck, and were left alone. */
int edo__threads_start(edo_runtime *runtime);
bool edo__threads_stop(edo_runtime *runtime, int64_t deadline);

/* ---- watch.c ---- */

/* Whether long polls were seen lately. now: of edo__sys_now(). */
static inline bool edo__watch_is_close(const edo_runtime *runtime, int64_t now)
{
    return edo_load_figure(&runtime->watch_until) > now;
}

/* A turn of a worker among others has taken so long; it ended now. */
void edo__watch_note_turn(edo__worker *worker, int64_t duration, int64_t now);

/* The worker is to sleep. Returns: whether it is the watcher from now on, until edo__watch_end. Its
 * thread. */
bool edo__watch_begin(edo__worker *worker, int64_t now);
void edo__watch_end(edo__worker *worker);

/* Time that the watcher may sleep until its next inspection. */
int64_t edo__watch_period(edo__worker *worker);

/* Inspects the others: sets worker->owes_help if one is stuck. Its thread. */
void edo__watch_inspect(edo__worker *worker, int64_t now);

/* ---- monitor.c ---- */

int edo__monitor_start(edo_runtime *runtime);
void edo__monitor_stop(edo_runtime *runtime);
void edo__monitor_free(edo_runtime *runtime);

/* A worker is awake again: so must the monitor be. */
void edo__monitor_note_awake(edo_runtime *runtime);

/* The worker was found in one turn for too long: the one in which `turns` had that value. Any thread.
 * Returns: whether nobody had found it before. */
bool edo__monitor_mark_long(edo__worker *worker, uint64_t turns);

/* That turn has ended. Its thread, or the monitor. */
void edo__monitor_unmark_long(edo__worker *worker);

/* The worker is stuck from now on, as its own word has it; and no longer. Its thread. */
void edo__monitor_hand_over(edo__worker *worker);
void edo__monitor_take_back(edo__worker *worker);
