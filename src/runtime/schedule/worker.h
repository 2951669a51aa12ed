/* A seat: what one thread needs to run tasks. A current-thread runtime has one, of the thread that
 * turns it; a runtime with workers one per worker, and spare ones for helpers (monitor.c).
 *
 * The seat's thread owns all of it, except for the members under "any thread". */
#pragma once

#include <edo/runtime.h>

#include "base/heap.h"
#include "base/lock.h"
#include "driver/driver.h"
#include "runtime/inspect/histogram.h"
#include "runtime/schedule/queue.h"
#include "runtime/time/wheel.h"
#include "sys/sys.h"

/* State of the owner, for wakes from other threads.
 *
 *     AWAKE --- the owner is about to sleep: CAS --> PARKED
 *     any ----- a foreign push: swap --------------> NOTIFIED (unparks if it was PARKED)
 *     any ----- the owner is back: swap -----------> AWAKE (then it empties the inject stack)
 *
 * No wake is lost: the pusher pushes, then swaps (release); the owner CASes before it sleeps.
 * Either the CAS finds NOTIFIED, and the owner does not sleep; or it comes first, and the swap
 * finds PARKED. */
enum { EDO__AWAKE, EDO__PARKED, EDO__NOTIFIED_PARK };

/* The tasks that were spawned into a seat, until they end. Guarded by the lock. */
typedef struct edo__shard {
    edo__lock lock;
    bool closed; // refuses tasks
    edo__node tasks;
    edo_atomic(uint64_t) spawned, ended; // changed under the lock
} edo__shard;

/* Number of tasks in it; exact under the lock. Any thread. */
static inline size_t edo__shard_count(const edo__shard *shard)
{
    uint64_t ended = edo_load_figure(&shard->ended), spawned = edo_load_figure(&shard->spawned);
    return spawned > ended ? (size_t)(spawned - ended) : 0;
}

/* Counters for metrics.c, written by the owner. Those of the first line change with almost every poll,
 * so the owner counts them in plain words and publishes them once per turn. */
typedef struct edo__counters {
    edo_atomic(uint64_t) polls, local_pushes, local_depth;
    edo_atomic(uint64_t) steals, stolen, overflows, budget_yields, noops;
    edo_atomic(uint64_t) parks; // entries into sleep and returns: odd while it sleeps
    edo_atomic(uint64_t) busy;  // nanoseconds awake
    edo_atomic(int64_t) mean_poll;
} edo__counters;

/* Reasons for which a worker does not serve its seat. */
enum {
    EDO__STUCK_LONG = 1,     // its turn `stuck_turn` takes long; any thread sets it
    EDO__STUCK_IN_PLACE = 2, // in edo_block_in_place; the owner writes
};

/* Bits of edo__worker.observed: reasons for the slow way of polls. The first may be a task's own. */
enum {
    EDO__POLL_COUNTED = EDO__TASK_COUNTED, // for hooks or histograms
    EDO__POLL_TIMED = 8,                   // long polls were seen lately; fixed for a turn
    EDO__POLL_OBSERVED = EDO__POLL_COUNTED | EDO__POLL_TIMED,
};

/* Sums over the last turns of a worker among others. */
typedef struct edo__recent {
    int64_t busy; // nanoseconds
    int64_t polls, ended;
} edo__recent;

typedef struct edo__worker {
    edo_cx cx;
    edo_runtime *runtime;
    edo_driver *driver;
    edo__heap *heap;
    size_t heap_max; // bytes; largest block that comes from the heap
    uint32_t index;
    bool is_shared;     // one of several workers
    bool is_spare;      // works only while another worker is stuck
    bool is_searching;  // counted in idle.searching; while it is listed: the idle lock
    bool is_listed;     // among the sleepers; the idle lock
    bool rests;         // a spare worker sleeps, or has no thread yet; the idle lock
    bool keeps_yielded; // tasks that yield are kept; see task/state.h
    bool owes_help;     // found a stuck worker, and has not helped since
    uint8_t observed;   // EDO__POLL_OBSERVED
    uint32_t streak;    // tasks taken from the slot in a row
    uint32_t interval;  // polls per turn, tuned
    uint64_t notify_at; // length of its queue from which a wake of another worker pays
    int64_t mean_poll;  // nanoseconds
    edo__recent recent;
    const edo_task *in_hand; // of an observed poll, while hooks are called for it
    uint64_t ended;          // tasks, in all
    struct {
        uint64_t polls;
        int64_t at;
    } exchanged;               // the last exchange of ring and overflow
    uint32_t passed_over;      // turns since a task of `yielded` was last taken
    int64_t polled_at;         // ns of edo__sys_now(); end of the last timed poll
    uint64_t next_id, last_id; // task ids in hand
    struct {
        edo_task *first, **end; // all tasks of a current-thread runtime; else pinned ones
        size_t count;
    } local;
    uint64_t local_pushes;  // wakes and spawns by its own thread
    int64_t awake_since;    // ns; start of the time that is not in counters.busy
    int64_t watch_period;   // ns; time between two inspections of others
    uint64_t watched_polls; // polls at the last inspection
    uint64_t parked_polls;  // polls at the last sleep
    struct edo__worker *next_sleeper, *prev_sleeper; // the idle lock
    uint64_t idle_round, idle_polls;                 // see edo__idle_skip_clock; the idle lock
    bool is_started;                                 // its thread runs; the idle lock
    edo__counters counters;
    edo_atomic(uint64_t) *histograms[EDO__HISTOGRAMS]; // counts per bucket; NULL: off
    edo__sys_thread thread;                            // joined if has_thread
    bool has_thread;

    /* any thread */
    edo_atomic(uint32_t) thread_id; // of the last owner; 0: none yet
    edo__shard shard;
    edo__lock wheel_lock; // guards wheel, if is_shared
    edo__wheel wheel;
    edo__lock turn_lock;           // held during turns of the driver, if is_shared
    edo_atomic(edo_task *) inject; // stack of tasks that others woke for this seat
    edo_atomic(uint64_t) handed;   // tasks pushed there, and taken from there
    edo_atomic(uint64_t) taken;
    edo__io_counters past_io; // of its closed driver; the runtime's driver_lock
    edo_atomic(uint32_t) park;
    edo_atomic(edo_task *) next;     // the next-task slot; filled by the owner
    edo_atomic(uint64_t) beat;       // odd while it polls a task; the owner writes
    edo_atomic(uint64_t) turns;      // of its driver; the owner writes
    edo_atomic(int64_t) turned_at;   // ns of edo__sys_now(); last moment between two turns
    edo_atomic(bool) is_hurried;     // the driver has waited too long; the monitor writes
    edo_atomic(uint32_t) stuck;      // EDO__STUCK_*
    edo_atomic(uint64_t) stuck_turn; // the value of `turns` for which EDO__STUCK_LONG was set
    edo_atomic(uint32_t) has_left;   // its thread ends; a futex
    edo_atomic(bool) keeps_ready;    // its tasks end too soon to be worth a thief; the owner writes
    edo__lock overflow_lock;
    edo__backlog overflow; // tasks without room in the ring
    edo__backlog yielded;  // tasks that were ready again right after a long poll; the same lock
    edo__queue queue;
} edo__worker;

/* Number of tasks in ring and overflow. Any thread. */
static inline uint64_t edo__worker_length(const edo__worker *worker)
{
    return edo__queue_length(&worker->queue) + edo_load_relaxed(&worker->overflow.count);
}

/* Whether it is stuck now. The mark alone is not enough, for it is cleared some time after the end of
 * the turn. Any thread. */
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

/* The calling thread's seat in the runtime, or NULL. */
static inline edo__worker *edo__seat_in(const edo_runtime *runtime)
{
    edo__worker *worker = edo__self.worker;
    return worker && worker->runtime == runtime ? worker : NULL;
}

/* ---- worker.c ---- */

/* Makes one, with its driver and heap. Returns: as edo_runtime_create(). */
int edo__worker_create(edo_runtime *runtime, uint32_t index, edo__worker **ret_worker);

/* Closes driver and heap. The rest of the seat stays until the last reference to the runtime is
 * released. */
void edo__worker_close(edo__worker *worker);
void edo__worker_free(edo__worker *worker);

/* ---- work.c: the queues ---- */

/* Queues a task. Owner. */
void edo__worker_push(edo__worker *worker, edo_task *task);

/* Queues a task that only this seat runs. Owner. */
static inline void edo__worker_push_local(edo__worker *worker, edo_task *task)
{
    task->queue_next = NULL;
    *worker->local.end = task;
    worker->local.end = &task->queue_next;
    worker->local.count++;
}

/* Queues a task where thieves find it. Owner. */
void edo__worker_push_shared(edo__worker *worker, edo_task *task);

/* Queues a task that is ready again right after a long poll, behind the tasks that are woken until its
 * turn. Owner. */
void edo__worker_push_yielded(edo__worker *worker, edo_task *task);

/* Queues a task behind the others. Owner. */
static inline void edo__worker_push_back(edo__worker *worker, edo_task *task)
{
    if (!worker->is_shared || edo__task_home(task))
        edo__worker_push_local(worker, task);
    else
        edo__worker_push_shared(worker, task);
}

/* The caller decrements the count; a current-thread runtime once per turn. */
static inline edo_task *edo__worker_pop_local(edo__worker *worker)
{
    edo_task *task = worker->local.first;
    if (!task) return NULL;
    worker->local.first = task->queue_next;
    if (!worker->local.first) worker->local.end = &worker->local.first;
    return task;
}

edo_task *edo__worker_pop_shared(edo__worker *worker);

/* Pops the next task of the seat, or NULL. Owner. */
static inline edo_task *edo__worker_pop(edo__worker *worker)
{
    return worker->is_shared ? edo__worker_pop_shared(worker) : edo__worker_pop_local(worker);
}

/* Whether it has tasks of its own. Owner. */
bool edo__worker_has_tasks(const edo__worker *worker);

/* Steals from the other workers, or takes from the inject queue. Owner. Returns: whether it has tasks
 * now. */
bool edo__worker_search(edo__worker *worker);

/* Wakes another worker if the tasks that wait here are worth it. Owner. */
void edo__worker_consider_waking(edo__worker *worker);

/* Moves a task that yielded after a long poll into the ring. Owner. */
void edo__worker_take_yielded(edo__worker *worker);

/* Moves a share of the overflow into the ring. now: ns of edo__sys_now(). Owner. */
void edo__worker_take_overflow(edo__worker *worker, int64_t now);

/* Moves a share of the runtime's inject queue into the ring. Owner. */
void edo__worker_take_injected(edo__worker *worker);

/* Takes the tasks of a stuck worker, except for pinned ones, into queues that are empty. Owner of
 * `worker`. */
void edo__worker_rob(edo__worker *worker, edo__worker *victim);

/* Queues the tasks of the seat's inject stack. Owner. */
void edo__worker_drain_inject(edo__worker *worker);

/* Pushes a task onto the inject stack of a seat. Any thread; async-signal-safe. */
void edo__worker_push_foreign(edo__worker *worker, edo_task *task);

/* Ends the current sleep, or the next. Any thread; async-signal-safe. */
void edo__worker_notify(edo__worker *worker);

/* ---- turn.c ---- */

/* Polls a task whose queue entry was popped. Owner. */
void edo__poll_task(edo__worker *worker, edo_task *task);

/* The calling thread becomes the owner of the seat, and ceases to be it. Its busy time is counted in
 * between. */
void edo__worker_begin(edo__worker *worker);
void edo__worker_pause(edo__worker *worker);

/* Runs a turn of the seat of a current-thread runtime. Returns: whether more is ready. */
int edo__turn(edo__worker *worker, int64_t timeout);

/* Runs a turn of a worker among others, on its thread. */
void edo__worker_turn(edo__worker *worker);

/* Fires the due timers of a seat's wheel, and queues their tasks with `worker`. Owner of `worker`. */
void edo__fire_timers(edo__worker *worker, edo__worker *of);

/* ---- threads.c ---- */

/* Starts the thread of a seat. Returns: 0, or a negative errno. */
int edo__worker_start(edo__worker *worker);

/* Serves the seats that are stuck, except for those that another helper serves. Owner of `worker`. */
void edo__worker_help(edo__worker *worker);
