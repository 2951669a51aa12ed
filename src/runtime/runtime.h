/* The struct of a runtime. The struct has the workers (worker.h) and the state that workers share.
 * The functions of each source file are declared in the header of the same name. */
#pragma once

#include <edo/runtime.h>

#include "runtime/pool/pools.h"
#include "runtime/inspect/histogram.h"
#include "runtime/schedule/worker.h"
#include "sys/sys.h"
#include "task/executor.h"
#include "task/task.h"

/* The clock of a runtime. A paused clock shows the time `frozen`. This time advances from deadline
 * to deadline until it reaches `target`. `paused`, `frozen` and `target` change only under the
 * lock. Any thread may read all members without the lock. */
typedef struct edo__clock {
    edo__lock lock;
    edo_atomic(bool) paused, auto_advance;
    edo_atomic(int64_t) offset; // ns ahead of the monotonic clock, while the clock is not paused
    edo_atomic(int64_t) frozen, target;
} edo__clock;

/* State shared by the workers of a runtime, see schedule/idle.h. */
typedef struct edo__idle {
    edo__lock lock;
    edo__backlog injected;         // the inject queue; guarded by the lock
    edo__worker *sleepers;         // list; last sleeper first for warm caches; guarded by the lock
    edo_atomic(uint32_t) sleeping; // number of sleepers; changed under the lock
    edo_atomic(uint32_t) searching;
} edo__idle;

/* Kind of work that a turn has found. EDO__WORK_EVENTS means that the driver had events, but no
 * task is ready. The work of several turns is the greatest of their values. */
typedef enum { EDO__WORK_NONE, EDO__WORK_EVENTS, EDO__WORK_TASKS } edo__work;

/* Turns of workers under a test clock, see schedule/baton.h. The lock guards all members, unless a
 * comment says otherwise. */
typedef struct edo__baton {
    edo__lock lock;
    edo__worker *holder;           // worker that may turn; NULL: no lap is in progress
    uint64_t lap;                  // number of the lap
    uint64_t random, lap_random;   // state of the generator, now and when the lap began
    uint32_t quiet;                // number of quiet laps in a row
    edo__work work;                // kind of work found in this lap so far
    edo_atomic(bool) has_admitted; // set by the holder in the lap's first edo__baton_admits()
} edo__baton;

typedef struct edo__monitor edo__monitor;

struct edo_runtime {
    edo__executor base;
    edo_config config;
    const edo_driver_ops *driver_ops;  // kind of the drivers of all workers, see drivers.c
    char *driver_argument;             // argument of driver_ops->open(), or NULL
    edo_driver *kept_driver;           // driver for the first helper; NULL once a helper uses it
    const char *driver_refusal;        // reason of the last refusal; guard: see drivers.c
    uint32_t worker_limit;             // greatest number of workers, including spare workers
    edo_atomic(uint32_t) worker_total; // size of workers[]; stored with release after each entry
    edo__worker **workers;
    bool has_threads;      // false: a current-thread runtime
    bool turning;          // whether a turn is in progress
    int timer_fd;          // -1 until the first edo_runtime_fd()
    edo__monitor *monitor; // or NULL
    bool is_on_quit;       // whether the runtime is a user of quit.c
    bool is_root_lost;     // whether edo_run() has given up its function
    uint64_t serial;       // number in the order of creation, see runtimes.h
    edo__node all;         // link in the list of all runtimes; guarded by the lock of that list

    /* any thread */
    edo__clock clock;
    edo__blocking blocking; // pools of the runtime
    edo__idle idle;
    edo__baton baton;
    edo_atomic(bool) is_closed;    // whether new tasks are refused
    edo_atomic(bool) is_stopping;  // whether the workers must end
    edo_atomic(uint32_t) visitors; // number of threads inside a push from outside
    edo_atomic(uint32_t) refs;
    edo_atomic(int64_t) failure;      // result of the failed task that has ended the runtime, or 0
    edo_atomic(uint32_t) end_count;   // tasks that ended since the close; a futex for the drain
    edo_atomic(uint32_t) stuck_count; // number of stuck workers
    edo_atomic(uint32_t) has_watcher; // whether a sleeping worker is the watcher
    edo_atomic(int64_t) watch_until;  // ns of edo__sys_now(); end of the time to watch, see watch.c
    edo_atomic(uint64_t) foreign_pushes; // number of pushes from outside to the inject queue
    edo__lock driver_lock;               // guards the end of a driver, and reads of its counters
    edo__scale scales[EDO__HISTOGRAMS];  // scales of the histograms; constant
};

static inline uint32_t edo__worker_total(const edo_runtime *runtime)
{
    return edo_load_acquire(&runtime->worker_total);
}
