#include "runtime/schedule/idle.h"

#include "runtime/runtime.h"

/* ---- sleepers; called under the lock ---- */

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

/* Takes a sleeper out of the list, unless a worker is searching. The sleeper counts as a searcher
 * from now on. So no other worker is woken until the sleeper's search ends. */
static edo__worker *take_sleeper(edo__idle *idle)
{
    edo__worker *worker = idle->sleepers;
    if (!worker || edo_load_relaxed(&idle->searching)) return NULL;
    delist(idle, worker);
    worker->is_searching = true;
    edo_add_relaxed(&idle->searching, 1);
    return worker;
}

/* Wakes a sleeping worker, unless a worker is searching. The loads may be relaxed. A stale value
 * costs time, but no wake for a pushed task is lost, because the pusher makes a fence before this
 * call (see edo__idle_enter). */
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

/* ---- before a sleep ---- */

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
        list(idle, worker);
        if (worker->is_searching) edo_sub_relaxed(&idle->searching, 1);
        worker->is_searching = false;
    }
    edo__lock_give(&idle->lock);
    return enters;
}

/* Enters the worker into the list of sleepers, unless there is work. The partner of the fence is
 * the fence in edo__worker_consider_waking (work.c). So either this worker sees the pushed task, or
 * the pusher sees that this worker is asleep and does not search. */
bool edo__idle_enter(edo__worker *worker)
{
    if (worker->is_spare) return !edo_load_relaxed(&worker->runtime->is_stopping); // never listed
    if (!enter_list(worker)) return false;
    edo_fence_seq_cst();
    if (!is_work_elsewhere(worker)) return true;
    edo__idle_leave(worker);
    return false;
}

void edo__idle_leave(edo__worker *worker)
{
    edo__idle *idle = &worker->runtime->idle;
    edo__lock_take(&idle->lock);
    if (worker->is_listed) delist(idle, worker);
    edo__lock_give(&idle->lock);
}

/* ---- searching ---- */

/* At most half of the workers may search at a time, but always at least one worker. */
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

/* Ends a search. During a search, a push to the inject queue wakes no worker. So the end of the
 * search wakes a worker if the queue still has tasks. The lock orders this function and a push. If
 * the push comes first, this function sees its task. If the push comes later, it no longer counts
 * this worker as a searcher, and wakes a worker itself. */
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
