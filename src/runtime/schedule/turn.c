/* Turns of a worker: ready tasks, the driver, timers, sleep. */
#include "runtime/schedule/turn.h"
#include "base/duration.h"
#include "runtime/hooks.h"
#include "runtime/inspect/observe.h"
#include "runtime/registry.h"
#include "runtime/schedule/baton.h"
#include "runtime/schedule/help.h"
#include "runtime/schedule/idle.h"
#include "runtime/schedule/monitor.h"
#include "runtime/schedule/watch.h"
#include "runtime/schedule/work.h"
#include "runtime/time/clock.h"
#include "runtime/time/timers.h"
#include "task/end.h"
#include "task/future.h"
#include "task/op.h"

/* Target length of a turn, so that sockets and timers are served in time. */
#define TURN_TARGET edo_us(500)

/* Cost of waking a worker. No worker is woken for less work than this cost. */
#define WAKE_COST edo_us(20)

/* Least work per task for which a move to another core pays. It is twice the cost of the cache
 * misses on the other core. */
#define MOVE_WORTH edo_us(1)

/* Longest time by which timers are delayed to fire together. If more than DENSE timers fire per
 * GATHER_TIME, a sleep before each timer would cost more than the timer's firing. */
#define GATHER_TIME edo_us(250)
enum { DENSE = 32 };

/* A value greater than the length of any queue. */
#define NO_LENGTH UINT64_MAX

/* Poll time over which the mean length of a poll is computed. */
#define RECENT edo_ms(2)

/* ---- one poll ---- */

/* The functions of a poll are inlined into their loop, for two reasons. First, a poll without
 * observation then costs only one more test. Second, after a fiber has run, the processor
 * mispredicts each return up to the loop (docs/internals/fiber.md). */

/* Applies a cancellation or abort of the task, and the deadline of the task's context. */
static edo__always_inline void bring_fate(edo_task *task, uint64_t state, edo_cx *cx)
{
    edo_future *frame = edo__task_frame(task);
    if (edo__unlikely(state & EDO__ABORTED))
        edo__raise_fate(frame, EDO_ABORTED);
    else if (edo__unlikely(state & EDO__CANCELLED))
        edo__raise_fate(frame, EDO_CANCELLED);
    int64_t deadline = task->context ? edo_context_values_of(task->context)->deadline : 0;
    if (edo__likely(!deadline)) return;
    if (deadline <= cx->now)
        edo__raise_fate(frame, EDO_CANCELLED);
    else
        edo_cx_deadline(cx, deadline);
}

static edo__always_inline void begin_poll(edo__worker *worker, edo_task *task)
{
    edo_cx *cx = &worker->cx;
    cx->asked = 0;
    cx->requeue = false;
    cx->budget = (int32_t)cx->runtime->config.budget;
    cx->slice_end = 0;
    cx->next_deadline = EDO_NEVER;
    cx->task = task;
    cx->waker = &task->head;
    edo_store_figure(&task->poll_start, cx->now);
    edo_store_figure(&worker->beat, 2 * cx->polls + 1); // odd, for the monitor
}

/* Aborts if the thread still holds a lock of edo that it took during the poll. Such a lock would be
 * released later, possibly by another thread. */
static inline void check_locks(uint32_t held_before)
{
    if (edo__thread_locks_held > held_before) edo_load_relaxed (&edo__at_kept_lock)();
}

static edo__always_inline edo_poll poll_frame(edo__worker *worker, edo_task *task, uint64_t state)
{
    edo_cx *cx = &worker->cx;
    begin_poll(worker, task);
    bring_fate(task, state, cx);
    edo_fence_signal(); // a signal handler that sees cx sees its task
    edo__self.cx = cx;
    edo__self.stack = (uintptr_t)__builtin_frame_address(0);
    uint32_t locks = EDO_DEBUG ? edo__thread_locks_held : 0;
    edo_poll poll = edo__poll_root(edo__task_frame(task), cx);
    if (EDO_DEBUG) check_locks(locks);
    edo__self.cx = NULL;
    edo__self.stack = 0;
    edo_fence_signal();
    edo_store_figure(&worker->beat, 2 * cx->polls + 2);
    return poll;
}

static edo__always_inline void end_task(edo__worker *worker, edo_task *task)
{
    worker->ended++;
    edo__timer_cancel(task);
    edo__hooks_end(worker->runtime, task);
    worker->in_hand = NULL;
    edo__runtime_dismiss(task);
    edo__task_finish(task);
}

static edo__always_inline void requeue(edo__worker *worker, edo_task *task,
                                       void (*push)(edo__worker *, edo_task *))
{
    if (worker->cx.budget <= 0) edo_add_counter(&worker->counters.budget_yields, 1);
    if (!worker->keeps_yielded || !edo__state_keep(&task->state)) edo__state_requeue(&task->state);
    push(worker, task);
}

/* Requeues a task that was woken during its poll. */
static edo__always_inline void push_again(edo__worker *worker, edo_task *task,
                                          void (*push)(edo__worker *, edo_task *))
{
    edo__task_note_queued(task);
    push(worker, task);
}

/* Ends, requeues or parks a task after its poll. `push` queues a task that is ready again. */
static edo__always_inline void settle(edo__worker *worker, edo_task *task, edo_poll poll,
                                      void (*push)(edo__worker *, edo_task *))
{
    if (poll == EDO_READY) {
        end_task(worker, task);
        return;
    }
    edo__timer_set(worker, task, worker->cx.next_deadline);
    if (worker->cx.requeue)
        requeue(worker, task, push);
    else if (edo__state_pause(&task->state))
        push_again(worker, task, push);
}

/* Measures the time of a poll. Does so only after recent long polls, because a read of the clock
 * costs as much as a short poll.
 * Returns: whether the poll was long, which ends the turn. */
static bool was_long(edo__worker *worker)
{
    if (!(worker->observed & EDO__POLL_TIMED)) return false;
    int64_t now = edo__sys_now();
    bool is_long = now - worker->polled_at >= TURN_TARGET / 2;
    worker->polled_at = now;
    if (is_long) edo_store_figure(&worker->is_hurried, true);
    return is_long;
}

/* Polls a task that is observed or timed. A task that is ready again right after a long poll is
 * queued behind the tasks that events and timers are about to make ready. Otherwise each of the
 * latter tasks would wait for one poll of every task with long polls. */
static __attribute__((noinline, cold)) void poll_observed(edo__worker *worker, edo_task *task,
                                                          uint64_t state)
{
    worker->in_hand = task;
    int64_t start = edo__observe_begin(worker, task);
    edo_poll poll = poll_frame(worker, task, state);
    edo__observe_end(worker, task, start);
    if (poll != EDO_READY) worker->in_hand = NULL;
    settle(worker, task, poll, was_long(worker) ? edo__worker_push_yielded : edo__worker_push_back);
}

static edo__always_inline void poll_task(edo__worker *worker, edo_task *task)
{
    uint64_t state = edo__state_start(&task->state);
    if (edo__unlikely(state & EDO__INSPECTED)) {
        uint32_t tries = EDO__BRIEF_TRIES;   // makes the wait sleep at once
        edo__worker_push_back(worker, task); // an inspection is short
        edo__sys_wait_briefly(&tries);
        return;
    }
    worker->cx.polls++;
    if (edo__unlikely((worker->observed | task->head.flags) & EDO__POLL_OBSERVED))
        poll_observed(worker, task, state);
    else
        settle(worker, task, poll_frame(worker, task, state), edo__worker_push_back);
}

void edo__poll_task(edo__worker *worker, edo_task *task)
{
    poll_task(worker, task);
}

/* Publishes the counters. `popped` is the number of tasks popped in this turn. */
static void publish(edo__worker *worker, uint32_t popped)
{
    edo__counters *counters = &worker->counters;
    if (!worker->is_shared) worker->local.count -= popped;
    edo_store_figure(&counters->polls, worker->cx.polls);
    edo_store_figure(&counters->local_schedules, worker->local_pushes);
    edo_store_figure(&counters->local_depth, worker->local.count);
}

/* Polls at most `interval` tasks. Stops early after a poll that has used up its time slice, because
 * the driver and the timers have waited during that poll. Returns: whether a task has ended. The
 * caller of the turn may be waiting for the end of a task. */
static bool run_ready(edo__worker *worker)
{
    uint64_t ended = worker->ended;
    uint32_t popped = 0;
    while (popped < worker->interval) {
        edo_task *task = edo__worker_pop(worker);
        if (!task) break;
        popped++;
        poll_task(worker, task);
        if (edo__unlikely(worker->cx.slice_end == EDO__SLICE_SPENT)) break;
        if (edo__unlikely(edo_load_figure(&worker->is_hurried))) break;
    }
    publish(worker, popped);
    return worker->ended != ended;
}

/* ---- the driver ---- */

/* Turns the driver. While a helper turns the driver, the owner waits for the lock. The helper may
 * consume the event of an unpark that was meant to end the owner's sleep. The owner notices such an
 * unpark, because it reads `park` under the lock. */
static int turn_driver(edo__worker *worker, int64_t timeout)
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

/* Whether timers have been dense since the last sleep. Usually only a few timers have fired, and
 * the clock is not read. */
static bool gathers(const edo__worker *worker)
{
    if (edo__likely(worker->fired <= DENSE)) return false;
    int64_t awake = edo__sys_now() - worker->woke_at;
    return worker->fired > DENSE * (1 + (uint64_t)(awake / GATHER_TIME));
}

/* Shortest sleep for a timer. The time is edo_config.timer_slack, if set. Otherwise the time
 * depends on the density of timers. */
static int64_t slack_of(const edo__worker *worker)
{
    int64_t slack = worker->runtime->config.timer_slack;
    return slack || !gathers(worker) ? slack : GATHER_TIME;
}

/* Time until the next timer, at most `limit`. The timers of a paused clock end no sleep, so the
 * time is then `limit`. There is one exception. Another worker may have advanced the clock past a
 * timer that this worker armed after its last firing of timers. In this case the time is 0. */
static int64_t until_next_timer(edo__worker *worker, int64_t limit)
{
    int64_t next = edo__timers_next(worker), now = edo__runtime_now(worker->runtime);
    if (next <= now) return 0;
    if (next == EDO_NEVER || edo__clock_is_paused(worker->runtime)) return limit;
    int64_t slack = slack_of(worker);
    int64_t timeout = next - now < slack ? slack : next - now;
    return timeout < limit ? timeout : limit;
}

static void note_busy(edo__worker *worker, int64_t now)
{
    edo_add_counter(&worker->counters.busy, (uint64_t)(now - worker->awake_since));
    worker->awake_since = now;
}

/* Notes the begin of a sleep. A worker of a runtime with threads has read the clock just before, in
 * its turn. */
static void note_sleep(edo__worker *worker)
{
    edo__counters *counters = &worker->counters;
    bool slept = edo_load_figure(&counters->parks);
    if (slept && worker->parked_polls == worker->cx.polls) edo_add_counter(&counters->noops, 1);
    worker->parked_polls = worker->cx.polls;
    if (!worker->is_shared) note_busy(worker, edo__sys_now());
    edo_add_counter(&counters->parks, 1);
}

static void note_awake(edo__worker *worker)
{
    worker->awake_since = worker->woke_at = edo__sys_now();
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
        count = turn_driver(worker, period < end - now ? period : end - now);
        now = edo__sys_now();
    } while (count == 0 && now < end && sleeps_on(worker, now));
}

static void sleep_in_driver(edo__worker *worker, int64_t timeout, bool watches)
{
    uint32_t park = EDO__AWAKE;
    if (!edo_cas_relaxed(&worker->park, &park, EDO__PARKED) && park == EDO__NOTIFIED_PARK)
        timeout = 0; // there was a push; the swap below acquires the pusher's work
    if (timeout) note_sleep(worker);
    if (timeout && watches)
        sleep_watching(worker, timeout);
    else
        turn_driver(worker, timeout);
    if (timeout) note_awake(worker);
    edo_swap_acquire(&worker->park, EDO__AWAKE);
    edo__monitor_note_awake(worker->runtime);
}

/* ---- waiting, alone or among others ---- */

static bool is_anything_ready(const edo__worker *worker)
{
    return edo__worker_has_tasks(worker) || edo__clock_is_moving(worker->runtime);
}

/* Whether, when all workers are idle, the clock skips to the next deadline instead of a sleep. */
static bool does_clock_skip(const edo_runtime *runtime)
{
    return edo__clock_is_paused(runtime) && edo_load_relaxed(&runtime->clock.auto_advance);
}

static bool finds_event_or_skips(edo__worker *worker)
{
    return turn_driver(worker, 0) > 0 ||
           (!edo__worker_has_tasks(worker) && edo__clock_skip(worker->runtime));
}

static void wait_alone(edo__worker *worker, int64_t limit)
{
    if (is_anything_ready(worker) || limit == 0) {
        turn_driver(worker, 0);
        return;
    }
    if (does_clock_skip(worker->runtime) && finds_event_or_skips(worker)) return;
    int64_t timeout = until_next_timer(worker, limit);
    if (timeout == 0)
        turn_driver(worker, 0);
    else
        sleep_in_driver(worker, timeout, false);
}

static void sleep_among_others(edo__worker *worker, int64_t timeout)
{
    bool watches = !edo__clock_is_paused(worker->runtime) &&
                   edo__watch_begin(worker, worker->awake_since);
    sleep_in_driver(worker, timeout, watches);
    if (watches) edo__watch_end(worker);
}

static void park(edo__worker *worker)
{
    edo__hooks_park(worker, true);
    if (edo__worker_has_tasks(worker) || !edo__idle_enter(worker)) {
        turn_driver(worker, 0);
    } else {
        sleep_among_others(worker, until_next_timer(worker, EDO_NEVER));
        edo__idle_leave(worker);
    }
    edo__hooks_park(worker, false);
}

/* Searches for tasks. A spare worker searches only while a worker is stuck. */
static bool search(edo__worker *worker)
{
    if (!worker->is_spare) return edo__worker_search(worker);
    if (!edo_load_relaxed(&worker->runtime->stuck_count)) return false;
    bool found = edo__worker_search(worker);
    edo__idle_end_search(worker);
    return found;
}

/* Turns the driver, or sleeps. Before a sleep, searches the queues of the other workers. */
static void wait_among_others(edo__worker *worker)
{
    if (edo__worker_has_tasks(worker) || search(worker))
        turn_driver(worker, 0);
    else
        park(worker);
}

/* ---- the turn ---- */

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

/* Decides whether the worker shares its tasks with other workers. Tasks with less work than
 * MOVE_WORTH are not shared. If two workers share such tasks, each task takes more time, up to the
 * cost of its moves. A task that costs less than MOVE_WORTH while it is shared costs even less
 * without sharing. So the test is valid for figures measured with and without sharing, and a wrong
 * decision is corrected later. */
static void tune_sharing(edo__worker *worker)
{
    const edo__recent *recent = &worker->recent;
    bool shares = recent->busy >= MOVE_WORTH * recent->ended;
    worker->notify_at = shares ? (uint64_t)(WAKE_COST / worker->mean_poll) : NO_LENGTH;
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

static void begin_shared(edo__worker *worker, int64_t now)
{
    if (edo__unlikely(edo_load_relaxed(&worker->stuck))) edo__monitor_unmark_long(worker);
    edo__worker_drain_inject(worker);
    if (edo__unlikely(edo_load_relaxed(&worker->runtime->stuck_count))) edo__worker_help(worker);
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

/* Does the same as run_ready, but in an order that does not depend on the speed of the machine.
 * Each worker polls at most an equal part of event_interval. So a step of the clock waits for about
 * event_interval polls, as in a current-thread runtime. */
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
    publish(worker, popped);
}

static edo__work run_with_baton(edo__worker *worker)
{
    uint64_t polls = worker->cx.polls;
    edo_swap_acquire(&worker->park, EDO__AWAKE); // acquires earlier wakes and their pushes
    worker->awake_since = edo__sys_now();
    worker->observed &= (uint8_t)~EDO__POLL_TIMED;
    begin_shared(worker, worker->awake_since);
    int events = turn_driver(worker, 0);
    edo__fire_timers(worker, worker);
    if (!edo__worker_has_tasks(worker)) search(worker);
    edo__idle_end_search(worker);
    run_repeatably(worker);
    note_busy(worker, edo__sys_now());
    if (worker->cx.polls != polls || edo__worker_has_tasks(worker)) return EDO__WORK_TASKS;
    return events > 0 ? EDO__WORK_EVENTS : EDO__WORK_NONE;
}

static void turn_with_baton(edo__worker *worker)
{
    edo__idle_end_search(worker); // a wake may have begun a search
    bool goes_on = edo__baton_take(worker) && edo__baton_pass(worker, run_with_baton(worker));
    if (!goes_on && edo__clock_is_paused(worker->runtime)) park(worker);
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
    run_ready(worker);
    int64_t end = edo__sys_now();
    note_busy(worker, end);
    edo__watch_note_turn(worker, end - start, end);
    tune(worker, end - start, worker->cx.polls - polls, worker->ended - ended);
    edo__worker_consider_waking(worker); // the waiting tasks may now be worth a wake
    wait_among_others(worker);
    edo__fire_timers(worker, worker);
}

static void turn_alone(edo__worker *worker, int64_t timeout)
{
    edo__worker_drain_inject(worker);
    bool ended = run_ready(worker);
    wait_alone(worker, ended ? 0 : timeout);
    edo__clock_step(worker->runtime);
    edo__fire_timers(worker, worker);
}

static bool turn_worker(edo__worker *worker, int64_t timeout)
{
    if (worker->is_shared)
        turn_shared(worker);
    else
        turn_alone(worker, timeout);
    return is_anything_ready(worker);
}

void edo__worker_begin(edo__worker *worker)
{
    edo_swap_acquire(&worker->park, EDO__AWAKE); // a foreign loop may have slept in place of the
                                                 // worker; the next turn takes its pushed tasks
    edo__monitor_note_awake(worker->runtime);
    worker->awake_since = edo__sys_now();
}

void edo__worker_pause(edo__worker *worker)
{
    note_busy(worker, edo__sys_now());
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
