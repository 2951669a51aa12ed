/* The monitor: one thread per runtime with workers. The monitor finds workers that are stuck in a
 * poll, and finds helpers for these workers.
 *
 * The monitor inspects each worker once per period. The period is short while long polls are
 * frequent and no worker watches (watch.c). Each worker maintains two counters for the monitor:
 *
 *     beat    odd while the worker polls a task
 *     turns   number of turns of the worker's driver
 *
 * A worker is stuck if its `beat` is odd and has not changed since the last inspection. A poll of
 * more than two periods contains at least two inspections, so it is always found. A worker that
 * polls many tasks without a turn of its driver is not stuck. For such a worker, the monitor only
 * sets is_hurried.
 *
 * The monitor finds helpers in this order:
 * - Workers that are awake help in their next turn (edo__worker_help).
 * - If no other worker is awake, the monitor wakes a sleeping worker.
 * - If no worker sleeps, the monitor wakes a spare worker, or makes a new spare worker.
 *
 * After some inspections without any change, if all workers sleep, the monitor sleeps until a
 * worker wakes up. The monitor writes `asleep`, and then reads the workers' `park`. A worker writes
 * `park`, and then reads `asleep`. Both have a seq_cst fence between the write and the read. So
 * either the monitor sees that the worker is awake, or the worker sees that the monitor is asleep,
 * and wakes the monitor (edo__monitor_note_awake).
 */
#include <string.h>

#include "runtime/schedule/monitor.h"
#include "runtime/hooks.h"
#include "runtime/inspect/stall.h"
#include "runtime/registry.h"
#include "runtime/schedule/baton.h"
#include "runtime/schedule/idle.h"
#include "runtime/schedule/threads.h"
#include "runtime/schedule/watch.h"
#include "runtime/schedule/workers.h"
#include "task/holders.h"

enum {
#ifdef EDO_MODEL
    IDLE_ROUNDS = 1,
#else
    IDLE_ROUNDS = 10, // number of inspections without any change before the monitor sleeps
#endif
};

/* Time between two inspections. */
#define PERIOD edo_ms(3)

/* Time between two inspections while long polls are recent, but no worker watches because all
 * workers have work. */
#define CLOSE_PERIOD edo_us(500)

/* Longest time that counts as the time between two inspections; see elapsed(). */
#define MOST_COUNTED (4 * PERIOD)

typedef struct seen {
    uint64_t beat, turns;
    int64_t held;         // ns; observed length of this poll
    bool turned;          // the driver had a turn between the last two inspections
    int64_t report_after; // ns; length of this poll at its next stall report
} seen;

struct edo__monitor {
    edo_runtime *runtime;
    edo__sys_thread thread;
    edo_atomic(uint32_t) word; // a futex; incremented by each kick
    edo_atomic(bool) asleep;
    edo_atomic(bool) stops;
    uint32_t idle_rounds;
    int64_t inspected_at; // ns of edo__sys_now(); time of the last inspection
    seen seen[];          // one per worker
};

/* ---- marks ---- */

/* Marks a worker as stuck. The thread that sets the first bit of `stuck` counts the worker, so each
 * stuck worker is counted once. The writes may be relaxed, because the wake of a helper orders
 * them. */
static void mark(edo__worker *worker, uint32_t why)
{
    if (!edo_or_relaxed(&worker->stuck, why)) edo_add_relaxed(&worker->runtime->stuck_count, 1);
}

static void unmark(edo__worker *worker, uint32_t why)
{
    if (edo_and_relaxed(&worker->stuck, ~why) == why)
        edo_sub_relaxed(&worker->runtime->stuck_count, 1);
}

static void kick(edo__monitor *monitor)
{
    edo_add_release(&monitor->word, 1); // publishes the mark, or `stops`
    edo__sys_futex_wake(&monitor->word);
}

/* Marks a worker as stuck in a turn. A helper may read the new mark, but still an older stuck_turn.
 * The worker then does not look stuck, and the helper helps later, when it reads stuck_turn
 * again. */
bool edo__monitor_mark_long(edo__worker *worker, uint64_t turns)
{
    bool known = edo_load_figure(&worker->stuck_turn) == turns &&
                 (edo_load_relaxed(&worker->stuck) & EDO__STUCK_LONG);
    if (known) return false;
    edo_store_figure(&worker->stuck_turn, turns);
    edo_store_figure(&worker->is_hurried, true);
    mark(worker, EDO__STUCK_LONG);
    return true;
}

void edo__monitor_unmark_long(edo__worker *worker)
{
    if (edo_load_relaxed(&worker->stuck) & EDO__STUCK_LONG) unmark(worker, EDO__STUCK_LONG);
}

void edo__monitor_hand_over(edo__worker *worker)
{
    mark(worker, EDO__STUCK_IN_PLACE);
    if (!edo__idle_wake_any(worker->runtime)) kick(worker->runtime->monitor);
}

void edo__monitor_take_back(edo__worker *worker)
{
    unmark(worker, EDO__STUCK_IN_PLACE);
}

void edo__monitor_note_awake(edo_runtime *runtime)
{
    edo__monitor *monitor = runtime->monitor;
    if (!monitor) return;
    edo_fence_seq_cst();
    if (edo__likely(!edo_load_relaxed(&monitor->asleep))) return;
    if (edo_swap_relaxed(&monitor->asleep, false)) kick(monitor); // only one thread kicks
}

/* ---- helpers ---- */

static bool is_healthy(const edo__worker *worker)
{
    return !edo_load_relaxed(&worker->stuck);
}

/* Whether stuck workers get help without a wake by the monitor. The help comes from the watcher, or
 * from a worker that takes turns. */
static bool is_help_under_way(edo__monitor *monitor)
{
    edo_runtime *runtime = monitor->runtime;
    if (edo_load_relaxed(&runtime->has_watcher)) return true;
    for (uint32_t i = 0; i < edo__worker_total(runtime); i++) {
        const edo__worker *worker = runtime->workers[i];
        if (!is_healthy(worker) || edo_load_relaxed(&worker->park) == EDO__PARKED) continue;
        if (monitor->seen[i].turned || edo__baton_is_at_gate(worker)) return true;
    }
    return false;
}

/* Wakes a spare worker. Starts the worker's thread if an earlier start failed. Returns: whether
 * there is a spare worker that is not stuck. */
static bool wake_spare(edo_runtime *runtime)
{
    bool any = false;
    for (uint32_t i = runtime->base.worker_count; i < edo__worker_total(runtime); i++) {
        edo__worker *spare = runtime->workers[i];
        if (!is_healthy(spare)) continue;
        any = true;
        if (!spare->has_thread && edo__worker_start(spare) < 0) continue;
        edo__worker_notify(spare);
        break;
    }
    return any;
}

static void make_spare(edo_runtime *runtime)
{
    uint32_t index = edo__worker_total(runtime);
    edo__worker *spare;
    if (index == runtime->worker_limit) return;
    if (edo__worker_create(runtime, index, &spare) < 0) return;
    edo__runtime_add_worker(runtime, spare);
    if (edo__worker_start(spare) < 0)
        edo__log(EDO_LOG_WARN, "%s: no thread for a helper", runtime->config.name);
}

/* Finds or makes a helper. If memory or descriptors are short, the next inspection tries again. */
static void ensure_help(edo__monitor *monitor)
{
    edo_runtime *runtime = monitor->runtime;
    if (!edo_load_relaxed(&runtime->stuck_count) || is_help_under_way(monitor)) return;
    if (!edo__idle_wake_any(runtime) && !wake_spare(runtime)) make_spare(runtime);
}

/* ---- inspections ---- */

static void report(edo__worker *worker, seen *before)
{
    if (before->held < before->report_after) return;
    if (edo_load_relaxed(&worker->stuck) & EDO__STUCK_IN_PLACE) return;
    before->report_after = edo__stall_report(worker, before->held);
}

/* Updates the mark for long polls. If the poll is not long, clears a mark that is out of date. The
 * watcher may have set such a mark just after the end of the turn, or while the worker fell
 * asleep. */
static void note_long(edo__worker *worker, uint64_t turns, bool is_long)
{
    if (is_long)
        edo__monitor_mark_long(worker, turns);
    else if (edo_load_figure(&worker->stuck_turn) != turns ||
             edo_load_relaxed(&worker->park) == EDO__PARKED)
        edo__monitor_unmark_long(worker);
}

/* Time since the last inspection, but at most MOST_COUNTED. The limit is needed because the whole
 * process may have been stopped, and that time is no part of a poll. If only the monitor had no
 * processor, the limit makes the report of a stall come later. */
static int64_t elapsed(const edo__monitor *monitor, int64_t now)
{
    int64_t since = now - monitor->inspected_at;
    return since < MOST_COUNTED ? since : MOST_COUNTED;
}

/* Inspects one worker. Returns: whether a counter of the worker has changed, or the worker is
 * stuck. */
static bool inspect(edo__monitor *monitor, edo__worker *worker, seen *before, int64_t now)
{
    uint64_t beat = edo_load_figure(&worker->beat), turns = edo_load_figure(&worker->turns);
    bool moved = beat != before->beat || turns != before->turns;
    bool polls = beat % 2;
    if (beat != before->beat) before->report_after = monitor->runtime->config.stall_limit;
    if (beat != before->beat) before->held = 0;
    bool in_place = edo_load_relaxed(&worker->stuck) & EDO__STUCK_IN_PLACE;
    bool is_long = !in_place && polls && beat == before->beat, stuck = in_place || is_long;
    if (is_long) before->held += elapsed(monitor, now);
    bool is_stuck = is_long && before->held >= edo__baton_patience(worker);
    if (worker->is_shared) note_long(worker, turns, is_stuck);
    if (is_stuck) edo__baton_revoke(worker, beat);
    if (!stuck && turns == before->turns && edo_load_relaxed(&worker->park) != EDO__PARKED)
        edo_store_figure(&worker->is_hurried, true);
    if (is_long) report(worker, before);
    before->turned = turns != before->turns;
    before->beat = beat;
    before->turns = turns;
    return moved || stuck;
}

static void inspect_all(edo__monitor *monitor)
{
    edo_runtime *runtime = monitor->runtime;
    int64_t now = edo__sys_now();
    bool moved = false;
    for (uint32_t i = 0; i < edo__worker_total(runtime); i++)
        if (inspect(monitor, runtime->workers[i], &monitor->seen[i], now)) moved = true;
    monitor->inspected_at = now;
    monitor->idle_rounds = moved ? 0 : monitor->idle_rounds + 1;
    ensure_help(monitor);
#ifndef EDO_MODEL
    edo__holders_check();
#endif
}

/* ---- the thread ---- */

/* Whether a worker sleeps. A spare worker whose thread could not be started counts as asleep. */
static bool sleeps(const edo__worker *worker)
{
    return (worker->is_spare && !worker->has_thread) ||
           edo_load_relaxed(&worker->park) == EDO__PARKED;
}

static bool do_all_sleep(const edo_runtime *runtime)
{
    for (uint32_t i = 0; i < edo__worker_total(runtime); i++)
        if (!sleeps(runtime->workers[i])) return false;
    return true;
}

static void sleep_deeply(edo__monitor *monitor, uint32_t word)
{
    edo_store_relaxed(&monitor->asleep, true);
    edo_fence_seq_cst();
    if (do_all_sleep(monitor->runtime)) edo__sys_futex_wait_until(&monitor->word, word, INT64_MAX);
    edo_store_relaxed(&monitor->asleep, false);
    monitor->idle_rounds = 0;
}

static int64_t next_inspection(const edo__monitor *monitor, int64_t now)
{
    const edo_runtime *runtime = monitor->runtime;
    bool is_close = edo__watch_is_close(runtime, now) && !edo_load_relaxed(&runtime->has_watcher);
    return now + (is_close ? CLOSE_PERIOD : PERIOD);
}

static void *run_monitor(void *argument)
{
    edo__monitor *monitor = argument;
    edo__sys_thread_name("edo-monitor");
    edo__self.serves = monitor->runtime; // for hooks called by the monitor
    for (;;) {
        uint32_t word = edo_load_acquire(
            &monitor->word); // read before the inspection, so no kick is lost
        if (edo_load_relaxed(&monitor->stops)) return NULL;
        inspect_all(monitor);
        if (monitor->idle_rounds >= IDLE_ROUNDS && do_all_sleep(monitor->runtime))
            sleep_deeply(monitor, word);
        else
            edo__sys_futex_wait_until(&monitor->word, word,
                                      next_inspection(monitor, edo__sys_now()));
    }
}

static size_t size_of(const edo_runtime *runtime)
{
    return sizeof(edo__monitor) + runtime->worker_limit * sizeof(seen);
}

/* Starts the monitor, if the runtime needs a monitor. A current-thread runtime has a monitor only
 * if stall reports are configured. */
int edo__monitor_start(edo_runtime *runtime)
{
    if (!runtime->has_threads && runtime->config.stall_limit == EDO_NEVER) return 0;
    edo__monitor *monitor = edo__alloc_zeroed(size_of(runtime));
    if (!monitor) return -ENOMEM;
    monitor->runtime = runtime;
    runtime->monitor = monitor;
    int rc = edo__sys_thread_start(run_monitor, monitor, 0, &monitor->thread);
    if (rc == 0) return 0;
    edo__free(monitor, size_of(runtime));
    runtime->monitor = NULL;
    return rc;
}

void edo__monitor_stop(edo_runtime *runtime)
{
    edo__monitor *monitor = runtime->monitor;
    if (!monitor) return;
    edo_store_relaxed(&monitor->stops, true);
    kick(monitor);
    edo__sys_thread_join(monitor->thread);
}

void edo__monitor_free(edo_runtime *runtime)
{
    if (runtime->monitor) edo__free(runtime->monitor, size_of(runtime));
}
