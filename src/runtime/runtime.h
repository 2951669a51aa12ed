/* The structure of a runtime: its workers (worker.h), and what they share. The functions are declared
 * beside their sources. */
#pragma once

#include <edo/runtime.h>

#include "runtime/pool/pools.h"
#include "runtime/inspect/histogram.h"
#include "runtime/schedule/worker.h"
#include "sys/sys.h"
#include "task/executor.h"
#include "task/task.h"

/* While it is paused a test clock stands at `frozen`, and goes to `target` from deadline to deadline.
 * The lock guards changes; any thread reads. */
typedef struct edo__clock {
    edo__lock lock;
    edo_atomic(bool) paused, auto_advance;
    edo_atomic(int64_t) offset; // to the monotonic clock, while it runs
    edo_atomic(int64_t) frozen, target;
} edo__clock;

/* State shared by the workers of a runtime, see schedule/idle.h. */
typedef struct edo__idle {
    edo__lock lock;
    edo__backlog injected;         // the inject queue; the lock
    edo__worker *sleepers;         // the last to sleep first: its caches are warm; the lock
    edo_atomic(uint32_t) sleeping; // their number; changed under the lock
    edo_atomic(uint32_t) searching;
} edo__idle;

/* Work of a turn; of several turns the greatest counts. Events: of the driver, and no task is ready. */
typedef enum { EDO__WORK_NONE, EDO__WORK_EVENTS, EDO__WORK_TASKS } edo__work;

/* Turns of workers under a test clock, see schedule/baton.h. Guarded by the lock. */
typedef struct edo__baton {
    edo__lock lock;
    edo__worker *holder;           // NULL: workers are waited for, or all sleep
    uint64_t lap;                  // number
    uint64_t random, lap_random;   // state of the generator, now and when the lap began
    uint32_t quiet;                // number of quiet laps in a row
    edo__work work;                // of this lap
    edo_atomic(bool) has_admitted; // in this lap; the holder
} edo__baton;

typedef struct edo__monitor edo__monitor;

struct edo_runtime {
    edo__executor base;
    edo_config config;
    const edo_driver_ops *driver_ops;  // of all workers: see drivers.c
    char *driver_argument;             // to open one, or NULL
    edo_driver *kept_driver;           // for the first helper, until it is made
    const char *driver_refusal;        // reason of the last refusal; the maker of workers
    uint32_t worker_limit;             // with the spare ones
    edo_atomic(uint32_t) worker_total; // with those; release, after the worker was written
    edo__worker **workers;
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
    edo__baton baton;
    edo_atomic(bool) is_closed;    // no more tasks
    edo_atomic(bool) is_stopping;  // the workers are to leave
    edo_atomic(uint32_t) visitors; // threads between a foreign push and their last touch
    edo_atomic(uint32_t) refs;
    edo_atomic(uint32_t) end_count;      // of tasks, once it is closed: a futex of the drain
    edo_atomic(uint32_t) stuck_count;    // workers that are stuck
    edo_atomic(uint32_t) has_watcher;    // one that sleeps watches the others
    edo_atomic(int64_t) watch_until;     // ns of edo__sys_now(); see watch.c
    edo_atomic(uint64_t) foreign_pushes; // to the inject queue, by threads without a worker
    edo__lock driver_lock;               // ends of drivers against readers of their counters
    edo__scale scales[EDO__HISTOGRAMS];  // fixed
};

static inline uint32_t edo__worker_total(const edo_runtime *runtime)
{
    return edo_load_acquire(&runtime->worker_total);
}
