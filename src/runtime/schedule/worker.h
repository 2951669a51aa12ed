/* A worker is the state that one thread needs to run tasks. A current-thread runtime has one
 * worker, and the thread that turns the runtime uses it. A runtime with workers has one worker per
 * thread. It may also have spare workers, which are helpers (monitor.c).
 *
 * The worker's thread owns all members except those under "any thread". */
#pragma once

#include <edo/runtime.h>

#include "base/heap.h"
#include "base/lock.h"
#include "driver/driver.h"
#include "runtime/inspect/histogram.h"
#include "runtime/schedule/queue.h"
#include "runtime/time/wheel.h"
#include "sys/sys.h"

/* Values of edo__worker.park, the word by which other threads wake the owner.
 *
 *     AWAKE --- the owner is about to sleep: CAS --> PARKED
 *     any ----- a foreign push: swap --------------> NOTIFIED (unparks if it was PARKED)
 *     any ----- the owner returns: swap -----------> AWAKE (then it empties the inject stack)
 *
 * No wake is lost. The pusher pushes, and then makes the swap (release). The owner makes the CAS
 * before it sleeps. If the swap precedes the CAS, the CAS finds NOTIFIED, and the owner does not
 * sleep. If the CAS precedes the swap, the swap finds PARKED, and the pusher unparks the owner. */
enum { EDO__AWAKE, EDO__PARKED, EDO__NOTIFIED_PARK };

/* Place of a worker under a test clock, see baton.h. The place of a spare worker is EDO__GATE_NONE
 * until its thread runs. */
enum { EDO__GATE_NONE, EDO__GATE_OUTSIDE, EDO__GATE_WAITS, EDO__GATE_HOLDS };

/* The tasks that are registered with a worker, until they end. Guarded by the lock. */
typedef struct edo__shard {
    edo__lock lock;
    bool closed; // refuses new tasks
    edo__node tasks;
    edo_atomic(uint64_t) spawned, ended; // changed under the lock
} edo__shard;

/* Number of tasks in the shard; exact under the lock. Thread: any. */
static inline size_t edo__shard_count(const edo__shard *shard)
{
    uint64_t ended = edo_load_figure(&shard->ended), spawned = edo_load_figure(&shard->spawned);
    return spawned > ended ? (size_t)(spawned - ended) : 0;
}

/* Counts of a worker. edo_worker_metrics has members of the same names, and edo_metrics has the
 * sums over all workers. `polls` and `local_schedules` change with almost every poll. So the owner
 * counts these two in plain words, and publishes the values once per turn. */
#define EDO__COUNTS(_)                                                                             \
    _(polls) _(local_schedules) _(steals) _(stolen) _(overflows) _(budget_yields) _(noops) _(busy)

#define EDO__DECLARE_COUNT(name) edo_atomic(uint64_t) name;

/* Counters for metrics.c, written by the owner. `busy` is the time awake, in ns. */
typedef struct edo__counters {
    EDO__COUNTS(EDO__DECLARE_COUNT)
    edo_atomic(uint64_t) local_depth; // published together with polls
    edo_atomic(uint64_t) parks;       // count of sleeps begun and ended; odd during a sleep
    edo_atomic(int64_t) mean_poll;    // ns
} edo__counters;

/* Reasons for which a thread does not serve its worker. */
enum {
    EDO__STUCK_LONG = 1,     // turn number `stuck_turn` takes too long; set by any thread
    EDO__STUCK_IN_PLACE = 2, // in edo_block_in_place; set by the owner
};

/* Bits of edo__worker.observed. Each bit is a reason for the slow path of polls. The flags of a
 * single task may also contain EDO__POLL_COUNTED. */
enum {
    EDO__POLL_COUNTED = EDO__TASK_COUNTED, // for hooks or histograms
    EDO__POLL_TIMED = 8,                   // long polls were seen lately; fixed for a turn
    EDO__POLL_OBSERVED = EDO__POLL_COUNTED | EDO__POLL_TIMED,
};

/* Sums over recent turns of a worker of a runtime with threads. */
typedef struct edo__recent {
    int64_t busy; // nanoseconds
    int64_t polls, ended;
} edo__recent;

typedef struct edo__worker {
    edo_cx cx;
    edo_runtime *runtime;
    edo_driver *driver;
    uint32_t index;
    bool is_shared;      // the runtime has threads, and possibly other workers
    bool is_spare;       // spare worker: runs tasks only while another worker is stuck
    bool is_searching;   // counted in idle.searching; guarded by the idle lock while is_listed
    bool is_listed;      // in the list of sleepers; guarded by the idle lock
    bool keeps_yielded;  // yielding tasks are KEPT, see task/state.h
    bool is_interrupted; // the last turn does not count for the mean poll
    bool owes_help;      // the worker has found a stuck worker, and has not helped since
    uint8_t observed;    // EDO__POLL_OBSERVED
    uint32_t streak;     // number of tasks taken from the slot in a row
    uint32_t interval;   // greatest number of polls per turn; tuned
    uint64_t notify_at;  // least queue length for which another worker is woken
    int64_t mean_poll;   // ns
    edo__recent recent;
    uint64_t preemptions;    // of the thread, at the end of the last long turn
    const edo_task *in_hand; // task of an observed poll, while the poll's hooks are called
    uint64_t ended;          // count of ended tasks
    struct {
        uint64_t polls;
        int64_t at;
    } exchanged;               // last exchange between the ring and the overflow list
    uint32_t passed_over;      // turns since the last task taken from `yielded`
    int64_t polled_at;         // ns of edo__sys_now(); end of the last timed poll
    uint64_t next_id, last_id; // reserved task ids: the next one, and the end of their range
    struct {
        edo_task *first, **end; // all tasks in a current-thread runtime, else the pinned tasks
        size_t count;
    } local;
    uint64_t local_pushes;  // number of wakes and spawns by the worker's thread
    int64_t awake_since;    // ns; start of the time not yet counted in counters.busy
    uint64_t fired;         // number of timers fired since woke_at
    int64_t watch_period;   // ns; time between two inspections of the other workers
    uint64_t watched_polls; // cx.polls at the last inspection of the other workers
    uint64_t parked_polls;  // cx.polls at the last sleep
    struct edo__worker *next_sleeper, *prev_sleeper; // guarded by the idle lock
    uint64_t lap; // last lap with a turn of the worker; guarded by the baton's lock
    edo__counters counters;
    edo_atomic(uint64_t) *histograms[EDO__HISTOGRAMS]; // counts per bucket; NULL: off
    edo__sys_thread thread;                            // joined if has_thread
    bool has_thread;

    /* any thread */
    edo_atomic(uint32_t) thread_id; // id of the thread that used the worker last; 0: none yet
    edo__shard shard;
    edo__lock wheel_lock; // guards `wheel`, if is_shared
    edo__wheel wheel;
    edo__lock turn_lock;           // held during a turn of the driver, if is_shared
    edo_atomic(edo_task *) inject; // stack of tasks that other threads have pushed for this worker
    edo_atomic(uint64_t) handed;   // numbers of tasks pushed to `inject`, and taken from it
    edo_atomic(uint64_t) taken;
    edo__io_counters past_io; // counters of the closed driver; guarded by the runtime's driver_lock
    edo_atomic(uint32_t) park;
    edo_atomic(int64_t) woke_at;     // ns of edo__sys_now(); end of the last sleep; owner-written
    edo_atomic(uint32_t) gate;       // EDO__GATE_*; a futex; changed under the baton's lock
    edo_atomic(edo_task *) next;     // the next-task slot; filled by the owner
    edo_atomic(uint64_t) beat;       // odd while the worker polls a task; written by the owner
    edo_atomic(uint64_t) turns;      // number of turns of the driver; written by the owner
    edo_atomic(int64_t) turned_at;   // ns of edo__sys_now(); rough time of the driver's last turn
    edo_atomic(bool) is_hurried;     // the driver needs a turn; written by monitor and owner
    edo_atomic(uint32_t) stuck;      // EDO__STUCK_*
    edo_atomic(uint64_t) stuck_turn; // the value of `turns` for which EDO__STUCK_LONG was set
    edo_atomic(uint32_t) has_left;   // set when the thread ends; a futex
    edo_atomic(bool) keeps_ready;    // the tasks are too short to be stolen; written by the owner
    edo__lock overflow_lock;
    edo__backlog overflow; // tasks without room in the ring
    edo__backlog yielded;  // tasks ready again right after a long poll; guarded by overflow_lock
    edo__queue queue;
} edo__worker;

_Static_assert(offsetof(edo__worker, cx) == 0, "edo__worker_cx()");

/* Number of tasks in the ring and the overflow list, as a snapshot. Thread: any. */
static inline uint64_t edo__worker_length(const edo__worker *worker)
{
    return edo__queue_length(&worker->queue) + edo_load_relaxed(&worker->overflow.count);
}

/* Number of tasks that were pushed to the worker's inject stack and not yet taken. The loads of the
 * two counts are not ordered, so `taken` may be greater than `handed`. The result is then 0.
 * Thread: any. */
static inline uint64_t edo__worker_untaken(const edo__worker *worker)
{
    uint64_t taken = edo_load_figure(&worker->taken), handed = edo_load_figure(&worker->handed);
    return handed > taken ? handed - taken : 0;
}

/* Whether the worker is stuck now. A mark for a long turn does not suffice, because the mark is
 * cleared some time after the end of that turn. The worker is stuck only if the marked turn is the
 * present turn. Thread: any. */
static inline bool edo__worker_is_stuck(const edo__worker *worker)
{
    uint32_t marks = edo_load_relaxed(&worker->stuck);
    if (edo__likely(!marks)) return false;
    return (marks & EDO__STUCK_IN_PLACE) ||
           edo_load_figure(&worker->stuck_turn) == edo_load_figure(&worker->turns);
}

static inline bool edo__worker_is_worth_stealing(const edo__worker *worker)
{
    if (edo_load_relaxed(&worker->yielded.count)) return true;
    return !edo_load_figure(&worker->keeps_ready) && edo__worker_length(worker);
}

/* The calling thread's worker in the runtime, or NULL. */
static inline edo__worker *edo__worker_in(const edo_runtime *runtime)
{
    edo__worker *worker = edo__self.worker;
    return worker && worker->runtime == runtime ? worker : NULL;
}

/* Ends the worker's present sleep, or prevents the worker's next sleep. Thread: any.
 * Async-signal-safe. */
static inline void edo__worker_notify(edo__worker *worker)
{
    if (edo_swap_release(&worker->park, EDO__NOTIFIED_PARK) == EDO__PARKED)
        worker->driver->ops->unpark(worker->driver);
}
