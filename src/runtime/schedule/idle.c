#include "runtime/schedule/idle.h"

#include "runtime/runtime.h"
#include "runtime/time/clock.h"

/* ---- sleepers; under the lock ---- */

static void list(edo__idle *idle, edo__worker *worker)
{
    worker->prev_sleeper = NULL;
    worker->next_sleeper = idle->sleepers;
    if (idle->sleepers) idle->sleepers->prev_sleeper = worker;
    idle->sleepers = worker;
    worker->is_listed = true;
    edo_store_relaxed(&idle->sleeping, idle->sleeping + 1);
}

static void delist(edo__idle *idle, edo__worker *worker)
{
    if (worker->prev_sleeper)
        worker->prev_sleeper->next_sleeper = worker->next_sleeper;
    else
        idle->sleepers = worker->next_sleeper;
    if (worker->next_sleeper) worker->next_sleeper->prev_sleeper = worker->prev_sleeper;
    worker->is_listed = false;
    edo_store_relaxed(&idle->sleeping, idle->sleeping - 1);
}

/* The sleeper wakes as a searcher, so that no other is woken meanwhile. */
static edo__worker *take_sleeper(edo__idle *idle)
{
    edo__worker *worker = idle->sleepers;
    if (!worker || edo_load_relaxed(&idle->searching)) return NULL;
    delist(idle, worker);
    worker->is_searching = true;
    edo_add_relaxed(&idle->searching, 1);
    return worker;
}

/* Relaxed: a stale value costs time, but loses no wake; see edo__idle_enter. */
void edo__idle_wake_one(edo_runtime *runtime)
{
    edo__idle *idle = &runtime->idle;
    if (!edo_load_relaxed(&idle->sleeping) || edo_load_relaxed(&idle->searching)) return;
    if (edo__unlikely(edo__runtime_is_stale(runtime))) return; // in the child of a fork
    edo__lock_take(&idle->lock);
    edo__worker *worker = take_sleeper(idle);
    edo__lock_give(&idle->lock);
    if (worker) edo__worker_notify(worker);
}

bool edo__idle_wake_any(edo_runtime *runtime)
{
    edo__idle *idle = &runtime->idle;
    edo__lock_take(&idle->lock);
    edo__worker *worker = idle->sleepers;
    if (worker) delist(idle, worker);
    edo__lock_give(&idle->lock);
    if (worker) edo__worker_notify(worker);
    return worker;
}

/* ---- the inject queue ---- */

void edo__inject_push(edo_runtime *runtime, edo_task *first, edo_task *last, size_t count)
{
    edo__idle *idle = &runtime->idle;
    edo__lock_take(&idle->lock);
    edo__backlog_append(&idle->injected, first, last, count);
    edo__worker *worker = take_sleeper(idle);
    edo__lock_give(&idle->lock);
    if (worker) edo__worker_notify(worker);
}

size_t edo__inject_take(edo__worker *worker, size_t most)
{
    edo__idle *idle = &worker->runtime->idle;
    edo__lock_take(&idle->lock);
    size_t taken = edo__backlog_take(&idle->injected, &worker->queue, most);
    edo__lock_give(&idle->lock);
    return taken;
}

/* ---- rounds: see edo__idle_skip_clock; under the lock ---- */

/* Begins a round, when a worker that has polled tasks goes to sleep. Those tasks may have caused
 * events for drivers of other workers, which must turn their drivers once more. This worker has
 * turned its own driver since. */
static void enter_round(edo__idle *idle, edo__worker *worker)
{
    if (worker->idle_polls == worker->cx.polls) return;
    worker->idle_polls = worker->cx.polls;
    if (worker->idle_round == idle->round) worker->idle_round++;
    idle->round++;
}

void edo__idle_begin_look(edo__worker *worker)
{
    edo__idle *idle = &worker->runtime->idle;
    edo__lock_take(&idle->lock);
    worker->idle_round = idle->round;
    edo__lock_give(&idle->lock);
}

/* ---- going to sleep ---- */

static bool is_work_elsewhere(const edo__worker *worker)
{
    const edo_runtime *runtime = worker->runtime;
    uint32_t count = edo__worker_total(runtime);
    for (uint32_t i = 0; i < count; i++) {
        const edo__worker *other = runtime->workers[i];
        if (other != worker && edo__worker_is_worth_stealing(other)) return true;
    }
    return false;
}

static bool enter_list(edo__worker *worker)
{
    edo__idle *idle = &worker->runtime->idle;
    edo__lock_take(&idle->lock);
    bool enters = !idle->injected.first && !edo_load_relaxed(&worker->runtime->is_stopping);
    if (enters) {
        enter_round(idle, worker);
        list(idle, worker);
        if (worker->is_searching) edo_sub_relaxed(&idle->searching, 1);
        worker->is_searching = false;
    }
    edo__lock_give(&idle->lock);
    return enters;
}

/* Marks a spare worker as resting; spare workers are in no list. Only a test clock reads
 * `rests`. */
static bool enter_rest(edo__worker *worker)
{
    edo__idle *idle = &worker->runtime->idle;
    edo__lock_take(&idle->lock);
    enter_round(idle, worker);
    worker->rests = true;
    edo__lock_give(&idle->lock);
    return true;
}

/* The fence is the partner of the one in work.c (consider_waking). Either this worker sees the
 * pushed task, or the pusher sees this worker among the sleepers, and no searcher. */
bool edo__idle_enter(edo__worker *worker)
{
    if (worker->is_spare) return enter_rest(worker);
    if (!enter_list(worker)) return false;
    edo_fence_seq_cst();
    if (!is_work_elsewhere(worker)) return true;
    edo__idle_leave(worker);
    return false;
}

void edo__idle_arrive(edo__worker *worker)
{
    edo__idle *idle = &worker->runtime->idle;
    edo__lock_take(&idle->lock);
    worker->is_started = true;
    worker->rests = false;
    edo__lock_give(&idle->lock);
}

void edo__idle_leave(edo__worker *worker)
{
    edo__idle *idle = &worker->runtime->idle;
    edo__lock_take(&idle->lock);
    if (worker->is_listed) delist(idle, worker);
    worker->rests = false;
    edo__lock_give(&idle->lock);
}

/* ---- a test clock ---- */

static edo__worker *spare_behind(edo_runtime *runtime)
{
    for (uint32_t i = runtime->base.worker_count; i < edo__worker_total(runtime); i++) {
        edo__worker *spare = runtime->workers[i];
        if (spare->is_started && spare->idle_round != runtime->idle.round) return spare;
    }
    return NULL;
}

static edo__worker *take_behind(edo_runtime *runtime)
{
    edo__idle *idle = &runtime->idle;
    edo__worker *worker = idle->sleepers;
    while (worker && worker->idle_round == idle->round)
        worker = worker->next_sleeper;
    if (worker)
        delist(idle, worker);
    else
        worker = spare_behind(runtime);
    return worker;
}

static bool do_spares_rest(const edo_runtime *runtime)
{
    for (uint32_t i = runtime->base.worker_count; i < edo__worker_total(runtime); i++)
        if (!runtime->workers[i]->rests) return false;
    return true;
}

/* Whether a pinned task waits for its worker, which stays in the list of sleepers until it is
 * awake. */
static bool is_anything_handed_over(const edo_runtime *runtime)
{
    for (uint32_t i = 0; i < edo__worker_total(runtime); i++)
        if (edo_load_relaxed(&runtime->workers[i]->inject)) return true;
    return false;
}

/* A worker that asks again in place of `of`; a spare worker leaves this to a worker. */
static edo__worker *take_successor(edo__idle *idle, const edo__worker *of)
{
    edo__worker *worker = of->is_spare ? idle->sleepers : NULL;
    if (worker) delist(idle, worker);
    return worker;
}

/* All workers have turned their drivers; now all do so again. The kernel completes an operation on
 * the thread that submitted it, also for the ring of another worker: so one worker's turn may cause
 * an event for a driver that was turned before. */
static bool begin_second_look(edo__idle *idle)
{
    if (idle->second_look == idle->round) return false;
    idle->second_look = ++idle->round;
    return true;
}

/* The clock's target is set under the same lock. Two workers in the list may both find that all are
 * idle. Until one of them leaves the list no task is polled and no timer armed, so the second only
 * sets the same deadline again. Without the lock the first might already be polling tasks at that
 * deadline, and the clock would advance to a timer that they have just armed. */
bool edo__idle_skip_clock(edo__worker *worker)
{
    edo_runtime *runtime = worker->runtime;
    edo__idle *idle = &runtime->idle;
    edo__worker *other = NULL;
    edo__lock_take(&idle->lock);
    bool all = idle->sleeping == runtime->base.worker_count && do_spares_rest(runtime) &&
               !is_anything_handed_over(runtime);
    if (all) other = take_behind(runtime);
    if (all && !other && begin_second_look(idle)) other = take_behind(runtime);
    if (all && !other) other = take_successor(idle, worker);
    bool goes_on = all && !other && edo__clock_skip(runtime);
    edo__lock_give(&idle->lock);
    if (other) edo__worker_notify(other);
    return goes_on;
}

/* ---- searching ---- */

/* At most half of the workers search; one always may. */
bool edo__idle_begin_search(edo__worker *worker)
{
    edo_runtime *runtime = worker->runtime;
    if (worker->is_searching) return true;
    uint32_t searching = edo_load_relaxed(&runtime->idle.searching);
    if (searching && 2 * (searching + 1) > runtime->base.worker_count) return false;
    edo_add_relaxed(&runtime->idle.searching, 1);
    worker->is_searching = true;
    return true;
}

/* Pushes to the inject queue woke no worker during this search, so its end wakes one for the
 * remaining tasks. Under the lock, as going to sleep is: an earlier push is seen here, and a later
 * push finds no searcher. */
void edo__idle_end_search(edo__worker *worker)
{
    if (!worker->is_searching) return;
    edo__idle *idle = &worker->runtime->idle;
    edo__lock_take(&idle->lock);
    edo_sub_relaxed(&idle->searching, 1);
    worker->is_searching = false;
    edo__worker *other = idle->injected.first ? take_sleeper(idle) : NULL;
    edo__lock_give(&idle->lock);
    if (other) edo__worker_notify(other);
}
