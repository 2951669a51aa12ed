/* Turns of a worker: polls of ready tasks, then a wait, then timers. */
#include "runtime/schedule/turn.h"
#include "base/duration.h"
#include "runtime/schedule/baton.h"
#include "runtime/schedule/help.h"
#include "runtime/schedule/idle.h"
#include "runtime/schedule/monitor.h"
#include "runtime/schedule/poll.h"
#include "runtime/schedule/wait.h"
#include "runtime/schedule/watch.h"
#include "runtime/schedule/work.h"
#include "runtime/time/clock.h"
#include "runtime/time/timers.h"

/* Least work per task for which a move to another core pays. The value is twice the cost of the
 * cache misses on the other core. */
#define MOVE_WORTH edo_us(1)

/* A value greater than the length of any queue. */
#define NO_LENGTH UINT64_MAX

/* Poll time over which the mean length of a poll is computed. */
#define RECENT edo_ms(2)

static void note_recent(edo__worker *worker, int64_t busy, uint64_t polls, uint64_t ended)
{
    edo__recent *recent = &worker->recent;
    recent->busy += busy;
    recent->polls += (int64_t)polls;
    recent->ended += (int64_t)ended;
    worker->mean_poll = recent->busy / (recent->polls + 1) + 1;
    if (recent->busy < RECENT) return;
    recent->busy /= 2;
    recent->polls /= 2;
    recent->ended /= 2;
}

/* Decides whether the worker shares its tasks with other workers. The worker shares them if its
 * recently ended tasks had a mean work of at least MOVE_WORTH. The measured work of tasks that were
 * moved includes the cost of the moves. So the measured work may be too large, but it is never too
 * small. If it is below MOVE_WORTH, the real work is also below MOVE_WORTH, and a move does not
 * pay. */
static void tune_sharing(edo__worker *worker)
{
    const edo__recent *recent = &worker->recent;
    bool shares = recent->busy >= MOVE_WORTH * recent->ended;
    worker->notify_at = shares ? (uint64_t)(EDO__WAKE_COST / worker->mean_poll) : NO_LENGTH;
    edo_store_figure(&worker->keeps_ready, !shares);
}

static void tune(edo__worker *worker, int64_t busy, uint64_t polls, uint64_t ended)
{
    const edo_config *config = &worker->runtime->config;
    note_recent(worker, busy, polls, ended);
    worker->interval = (uint32_t)edo__clamp(TURN_TARGET / worker->mean_poll, 1,
                                            config->event_interval);
    tune_sharing(worker);
    edo_store_figure(&worker->counters.mean_poll, worker->mean_poll);
}

/* Whether the thread may have had no processor during a part of the turn. The length of such a turn
 * says nothing about the worker's tasks. If it counted, a few of these turns would make the mean
 * poll many times too long, and other workers would be woken for every task. Only long turns are
 * checked, because the check is a system call. So the loss may also have been in an earlier turn.
 * Of two such turns in a row, the second one counts. So if all polls are long, the mean poll
 * becomes long even on a busy machine. */
static bool is_interrupted(edo__worker *worker, int64_t duration)
{
    bool was_interrupted = worker->is_interrupted;
    worker->is_interrupted = false;
    if (edo__likely(duration < EDO__LONG_TURN)) return false;
    uint64_t before = worker->preemptions;
    worker->preemptions = edo__sys_preemptions();
    worker->is_interrupted = worker->preemptions != before && !was_interrupted;
    return worker->is_interrupted;
}

static void begin_shared(edo__worker *worker, int64_t now)
{
    if (edo__unlikely(edo_load_relaxed(&worker->stuck))) edo__monitor_unmark_long(worker);
    edo__worker_drain_inject(worker);
    if (edo__unlikely(edo_load_relaxed(&worker->runtime->stuck_count))) edo__worker_help(worker);
    worker->owes_help = false; // also if the stuck worker has returned meanwhile
    edo__worker_take_overflow(worker, now);
    edo__worker_take_yielded(worker);
    if (!worker->is_spare) edo__worker_take_injected(worker);
    if (edo__worker_has_tasks(worker)) edo__idle_end_search(worker);
}

static void time_polls(edo__worker *worker, int64_t now)
{
    uint8_t rest = worker->observed & (uint8_t)~EDO__POLL_TIMED;
    worker->observed = edo__watch_is_close(worker->runtime, now) ? rest | EDO__POLL_TIMED : rest;
    worker->polled_at = now;
}

/* Polls ready tasks like edo__run_ready(), but in an order that does not depend on the speed of the
 * machine. In each lap, a worker polls at most its equal part of event_interval. So all workers
 * together make about event_interval polls between two steps of the clock, as in a current-thread
 * runtime. */
static void run_repeatably(edo__worker *worker)
{
    const edo_runtime *runtime = worker->runtime;
    uint32_t most = runtime->config.event_interval / runtime->base.worker_count + 1, popped = 0;
    while (popped < most && edo__baton_is_held(worker)) {
        edo_task *task = edo__worker_pop(worker);
        if (!task) break;
        popped++;
        edo__poll_task(worker, task);
        if (worker->cx.slice_end == EDO__SLICE_SPENT) break;
    }
    edo__publish_polls(worker, popped);
}

static edo__work run_with_baton(edo__worker *worker)
{
    uint64_t polls = worker->cx.polls;
    edo_swap_acquire(&worker->park, EDO__AWAKE); // acquires earlier wakes and their pushes
    worker->awake_since = edo__sys_now();
    worker->observed &= (uint8_t)~EDO__POLL_TIMED;
    begin_shared(worker, worker->awake_since);
    int events = edo__turn_driver(worker, 0);
    edo__fire_timers(worker, worker);
    if (!edo__worker_has_tasks(worker)) edo__worker_try_search(worker);
    edo__idle_end_search(worker);
    run_repeatably(worker);
    edo__worker_note_busy(worker, edo__sys_now());
    if (worker->cx.polls != polls || edo__worker_has_tasks(worker)) return EDO__WORK_TASKS;
    return events > 0 ? EDO__WORK_EVENTS : EDO__WORK_NONE;
}

static void turn_with_baton(edo__worker *worker)
{
    edo__idle_end_search(worker); // a wake may have begun a search
    bool goes_on = edo__baton_take(worker) && edo__baton_pass(worker, run_with_baton(worker));
    if (!goes_on && edo__clock_is_paused(worker->runtime)) edo__worker_park(worker);
}

static void turn_shared(edo__worker *worker)
{
    if (edo__clock_is_paused(worker->runtime)) {
        turn_with_baton(worker);
        return;
    }
    int64_t start = edo__sys_now();
    uint64_t polls = worker->cx.polls, ended = worker->ended;
    edo_store_figure(&worker->turned_at, start);
    begin_shared(worker, start);
    time_polls(worker, start);
    edo__run_ready(worker);
    int64_t end = edo__sys_now();
    edo__worker_note_busy(worker, end);
    edo__watch_note_turn(worker, end - start, end);
    if (!is_interrupted(worker, end - start))
        tune(worker, end - start, worker->cx.polls - polls, worker->ended - ended);
    edo__worker_consider_waking(worker); // the waiting tasks may now be worth a wake
    edo__wait_among_others(worker);
    edo__fire_timers(worker, worker);
}

static void turn_alone(edo__worker *worker, int64_t timeout)
{
    edo__worker_drain_inject(worker);
    bool ended = edo__run_ready(worker);
    edo__wait_alone(worker, ended ? 0 : timeout);
    edo__clock_step(worker->runtime);
    edo__fire_timers(worker, worker);
}

static bool turn_worker(edo__worker *worker, int64_t timeout)
{
    if (worker->is_shared)
        turn_shared(worker);
    else
        turn_alone(worker, timeout);
    return edo__worker_has_work(worker);
}

void edo__worker_begin(edo__worker *worker)
{
    edo_swap_acquire(&worker->park, EDO__AWAKE); // a foreign loop may have slept in place of the
                                                 // worker; acquires the pushes made meanwhile
    edo__monitor_note_awake(worker->runtime);
    worker->awake_since = edo__sys_now();
}

void edo__worker_pause(edo__worker *worker)
{
    edo__worker_note_busy(worker, edo__sys_now());
}

int edo__turn(edo__worker *worker, int64_t timeout)
{
    struct edo__thread outer = edo__self;
    edo__self.runtime = worker->runtime;
    edo__self.worker = worker;
    edo_store_relaxed(&worker->thread_id, edo__sys_thread_id());
    worker->runtime->turning = true;
    bool more = turn_worker(worker, timeout);
    worker->runtime->turning = false;
    edo__self.runtime = outer.runtime;
    edo__self.worker = outer.worker;
    return more;
}

void edo__worker_turn(edo__worker *worker)
{
    turn_worker(worker, EDO_NEVER);
}
