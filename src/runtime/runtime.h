/* The struct of a runtime: its workers (worker.h), and the state that they share. Functions are
 * declared in the header of their source file. */
#pragma once

#include <edo/runtime.h>

#include "runtime/pool/pools.h"
#include "runtime/inspect/histogram.h"
#include "runtime/schedule/worker.h"
#include "sys/sys.h"
#include "task/executor.h"
#include "task/task.h"

/* The clock of a runtime. A paused clock stands at `frozen`, and moves to `target` from deadline to
 * deadline. The lock guards changes; any thread reads. */
typedef struct edo__clock {
    edo__lock lock;
    edo_atomic(bool) paused, auto_advance;
    edo_atomic(int64_t) offset; // ns from the monotonic clock, while the clock runs
    edo_atomic(int64_t) frozen, target;
} edo__clock;

/* State shared by the workers of a runtime, see schedule/idle.h. */
typedef struct edo__idle {
    edo__lock lock;
    edo__backlog injected;         // the inject queue; the lock
    edo__worker *sleepers;         // the last to sleep comes first, with warm caches; the lock
    edo_atomic(uint32_t) sleeping; // number of sleepers; changed under the lock
    edo_atomic(uint32_t) searching;
} edo__idle;

/* Work of a turn; of several turns the greatest counts. EDO__WORK_EVENTS: the driver had events,
 * and no task is ready. */
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
    const edo_driver_ops *driver_ops;  // kind of all workers' drivers, see drivers.c
    char *driver_argument;             // argument of its open(), or NULL
    edo_driver *kept_driver;           // of the first helper, until that is made
    const char *driver_refusal;        // reason of the last refusal; the maker of workers
    uint32_t worker_limit;             // most workers, including spare ones
    edo_atomic(uint32_t) worker_total; // workers made; release, after workers[] was written
    edo__worker **workers;
    bool has_threads; // false: a current-thread runtime
    bool turning;     // a turn is in progress
    int timer_fd;     // -1 until edo_runtime_fd
    uint32_t fork_generation;
    edo__monitor *monitor; // or NULL
    bool is_on_quit;       // counted among the users of quit.c
    bool is_root_lost;     // edo_run() has waited for its function until the limits passed
    uint64_t serial;       // number in the order of creation, see runtimes.h
    edo__node all;         // the lock of the runtimes

    /* any thread */
    edo__clock clock;
    edo__blocking blocking; // pools of the runtime
    edo__idle idle;
    edo__baton baton;
    edo_atomic(bool) is_closed;    // takes no more tasks
    edo_atomic(bool) is_stopping;  // the workers must end
    edo_atomic(uint32_t) visitors; // threads inside a push from outside
    edo_atomic(uint32_t) refs;
    edo_atomic(uint32_t) end_count;      // ended tasks since the close; futex of the drain
    edo_atomic(uint32_t) stuck_count;    // stuck workers
    edo_atomic(uint32_t) has_watcher;    // a sleeping worker is the watcher
    edo_atomic(int64_t) watch_until;     // ns of edo__sys_now(); see watch.c
    edo_atomic(uint64_t) foreign_pushes; // pushes to the inject queue by threads without a worker
    edo__lock driver_lock;               // held to end a driver, and to read its counters
    edo__scale scales[EDO__HISTOGRAMS];  // constant
};

static inline uint32_t edo__worker_total(const edo_runtime *runtime)
{
    return edo_load_acquire(&runtime->worker_total);
}
