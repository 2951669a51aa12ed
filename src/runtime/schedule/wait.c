/* Turns of the driver, and the sleep of a worker without ready tasks. */
#include "runtime/schedule/wait.h"
#include "base/duration.h"
#include "runtime/hooks.h"
#include "runtime/schedule/idle.h"
#include "runtime/schedule/monitor.h"
#include "runtime/schedule/pack.h"
#include "runtime/schedule/watch.h"
#include "runtime/schedule/work.h"
#include "runtime/time/clock.h"
#include "runtime/time/timers.h"

/* Timers are dense if more than DENSE of them fire per GATHER_TIME. A sleep before each of these
 * timers would cost more than the firing of the timer. So dense timers are delayed by at most
 * GATHER_TIME, and several of them fire together. */
#define GATHER_TIME edo_us(250)
enum { DENSE = 32 };

int edo__turn_driver(edo__worker *worker, int64_t timeout)
{
    edo_store_figure(&worker->turned_at, worker->awake_since);
    edo_store_figure(&worker->turns, worker->turns + 1);
    edo_store_figure(&worker->is_hurried, false);
    if (!worker->is_shared) return worker->driver->ops->turn(worker->driver, timeout);
    edo__lock_take(&worker->turn_lock);
    if (edo_load_relaxed(&worker->park) == EDO__NOTIFIED_PARK) timeout = 0;
    int count = worker->driver->ops->turn(worker->driver, timeout);
    edo__lock_give(&worker->turn_lock);
    return count;
}

/* Whether timers have been dense since the last sleep. Usually at most DENSE timers have fired. The
 * answer is then false, and the clock is not read. */
static bool gathers(const edo__worker *worker)
{
    if (edo__likely(worker->fired <= DENSE)) return false;
    int64_t awake = edo__sys_now() - edo_load_figure(&worker->woke_at);
    return worker->fired > DENSE * (1 + (uint64_t)(awake / GATHER_TIME));
}

/* Shortest sleep for a timer: edo_config.timer_slack, if set. Otherwise GATHER_TIME if timers are
 * dense, and 0 if they are not. */
static int64_t slack_of(const edo__worker *worker)
{
    int64_t slack = worker->runtime->config.timer_slack;
    return slack || !gathers(worker) ? slack : GATHER_TIME;
}

/* Time until the next timer, at most `limit`. While the clock is paused, a sleep does not end at a
 * timer of the future. But another worker may have advanced the clock past a timer of this worker.
 * The time is then 0. */
static int64_t until_next_timer(edo__worker *worker, int64_t limit)
{
    int64_t next = edo__timers_next(worker), now = edo__runtime_now(worker->runtime);
    if (next <= now) return 0;
    if (next == EDO_NEVER || edo__clock_is_paused(worker->runtime)) return limit;
    int64_t slack = slack_of(worker);
    int64_t timeout = next - now < slack ? slack : next - now;
    return timeout < limit ? timeout : limit;
}

void edo__worker_note_busy(edo__worker *worker, int64_t now)
{
    edo_add_counter(&worker->counters.busy, (uint64_t)(now - worker->awake_since));
    worker->awake_since = now;
}

/* Notes that a sleep begins. In a current-thread runtime, also counts the busy time. In a runtime
 * with threads, the worker's turn has already counted it. */
static void note_sleep(edo__worker *worker)
{
    edo__counters *counters = &worker->counters;
    bool slept = edo_load_figure(&counters->parks);
    if (slept && worker->parked_polls == worker->cx.polls) edo_add_counter(&counters->noops, 1);
    worker->parked_polls = worker->cx.polls;
    if (!worker->is_shared) edo__worker_note_busy(worker, edo__sys_now());
    edo_add_counter(&counters->parks, 1);
}

static void note_awake(edo__worker *worker)
{
    worker->awake_since = edo__sys_now();
    edo_store_figure(&worker->woke_at, worker->awake_since);
    worker->fired = 0;
    edo_store_figure(&worker->turned_at, worker->awake_since);
    edo_add_counter(&worker->counters.parks, 1);
}

/* Whether the sleep continues. */
static bool sleeps_on(const edo__worker *worker, int64_t now)
{
    return edo_load_relaxed(&worker->park) == EDO__PARKED &&
           !edo_load_relaxed(&worker->runtime->stuck_count) &&
           edo__watch_is_close(worker->runtime, now);
}

/* Sleeps for short periods, and inspects the other workers before each period. */
static void sleep_watching(edo__worker *worker, int64_t timeout)
{
    int64_t now = worker->awake_since, end = edo__later(now, timeout), period;
    int count = 0;
    do {
        edo__watch_inspect(worker, now);
        if (worker->owes_help) return;
        period = edo__watch_period(worker);
        count = edo__turn_driver(worker, period < end - now ? period : end - now);
        now = edo__sys_now();
    } while (count == 0 && now < end && sleeps_on(worker, now));
}

/* Returns: whether the worker has slept. */
static bool sleep_in_driver(edo__worker *worker, int64_t timeout, bool watches)
{
    uint32_t park = EDO__AWAKE;
    if (!edo_cas_relaxed(&worker->park, &park, EDO__PARKED) && park == EDO__NOTIFIED_PARK)
        timeout = 0; // there was a push; the swap below acquires the pusher's work
    if (timeout) note_sleep(worker);
    if (timeout && watches)
        sleep_watching(worker, timeout);
    else
        edo__turn_driver(worker, timeout);
    if (timeout) note_awake(worker);
    edo_swap_acquire(&worker->park, EDO__AWAKE);
    edo__monitor_note_awake(worker->runtime);
    return timeout != 0;
}

/* ---- waiting, alone or among others ---- */

bool edo__worker_has_work(const edo__worker *worker)
{
    return edo__worker_has_tasks(worker) || edo__clock_is_moving(worker->runtime);
}

/* Whether the clock skips to the next deadline when the runtime is idle. If so, an idle worker
 * calls edo__clock_skip() before a sleep, and sleeps only if the call returns false. */
static bool does_clock_skip(const edo_runtime *runtime)
{
    return edo__clock_is_paused(runtime) && edo_load_relaxed(&runtime->clock.auto_advance);
}

static bool finds_event_or_skips(edo__worker *worker)
{
    return edo__turn_driver(worker, 0) > 0 ||
           (!edo__worker_has_tasks(worker) && edo__clock_skip(worker->runtime));
}

void edo__wait_alone(edo__worker *worker, int64_t limit)
{
    if (edo__worker_has_work(worker) || limit == 0) {
        edo__turn_driver(worker, 0);
        return;
    }
    if (does_clock_skip(worker->runtime) && finds_event_or_skips(worker)) return;
    int64_t timeout = until_next_timer(worker, limit);
    if (timeout == 0)
        edo__turn_driver(worker, 0);
    else
        sleep_in_driver(worker, timeout, false);
}

static bool sleep_among_others(edo__worker *worker, int64_t timeout)
{
    bool watches = !edo__clock_is_paused(worker->runtime) &&
                   edo__watch_begin(worker, worker->awake_since);
    bool slept = sleep_in_driver(worker, timeout, watches);
    if (watches) edo__watch_end(worker);
    return slept;
}

/* Continues without a sleep, because other workers have tasks. This worker may not search if
 * another worker counts as searching. But that worker may have been woken just now, and may have no
 * processor for some milliseconds. This worker would then spin, so it steals without a search. */
static void stay_awake(edo__worker *worker)
{
    bool may_steal = !worker->is_spare && !edo__clock_is_paused(worker->runtime);
    if (may_steal && edo__worker_steal(worker)) edo__worker_consider_waking(worker);
    edo__turn_driver(worker, 0);
}

void edo__worker_park(edo__worker *worker)
{
    edo__hooks_park(worker, true);
    if (edo__worker_has_tasks(worker)) {
        edo__turn_driver(worker, 0);
    } else if (!edo__idle_enter(worker)) {
        stay_awake(worker);
    } else {
        bool slept = sleep_among_others(worker, until_next_timer(worker, EDO_NEVER));
        edo__idle_leave(worker);
        if (slept && worker->driver->ops->waits_with_poller) edo__pack(worker);
    }
    edo__hooks_park(worker, false);
}

bool edo__worker_try_search(edo__worker *worker)
{
    if (!worker->is_spare) return edo__worker_search(worker);
    if (!edo_load_relaxed(&worker->runtime->stuck_count)) return false;
    bool found = edo__worker_search(worker);
    edo__idle_end_search(worker);
    return found;
}

void edo__wait_among_others(edo__worker *worker)
{
    if (edo__worker_has_tasks(worker) || edo__worker_try_search(worker))
        edo__turn_driver(worker, 0);
    else
        edo__worker_park(worker);
}
