/* The baton of workers under a test clock: one at a time, no lost wake, and no deadline passed over.
 * The models play the workers' threads; model_monitor.c has whole runtimes with a test clock.
 *
 * model-sources: @runtime
 */
#include <string.h>

#include "model/fake_sys.h"

#include "runtime/schedule/baton.h"
#include "runtime/schedule/idle.h"
#include "runtime/schedule/turn.h"
#include "runtime/schedule/work.h"
#include "runtime/time/clock.h"
#include "runtime/time/timers.h"

enum {
    SAMPLES = 10000,
    SOON = 1000, // deadlines
    LATER = 2000,
};

static struct {
    edo_runtime *runtime;
    edo__worker *workers[2];
    edo_task tasks[2]; // nobody polls them
    unsigned polls;    // plain: the checker finds two at a time
} * s;

static void set_up(int workers)
{
    s = model_alloc_static(sizeof *s);
    memset(s, 0, sizeof *s);
    s->runtime = fake_runtime_with(
        &(edo_config){ .workers = workers, .max_spare = -1, .test_clock = true, .seed = 1 });
    for (int i = 0; i < workers; i++) {
        s->workers[i] = s->runtime->workers[i];
        s->tasks[i].runtime = s->runtime;
    }
    edo_store_relaxed(&s->runtime->clock.frozen, 0);
    edo_store_relaxed(&s->runtime->clock.target, 0);
}

static void tear_down(void)
{
    edo__self = (struct edo__thread){ 0 };
    for (int i = 0; i < 2 && s->workers[i]; i++)
        edo__timer_cancel(&s->tasks[i]);
    model_assert(edo_runtime_destroy(s->runtime) == 0);
}

static edo__worker *be(unsigned index)
{
    edo__self = (struct edo__thread){ .runtime = s->runtime, .worker = s->workers[index] };
    return s->workers[index];
}

/* From now on no worker waits for a turn. */
static void stop(void)
{
    edo_store_relaxed(&s->runtime->is_stopping, true);
    edo__baton_stop(s->runtime);
}

static void poll_one(void)
{
    edo_plain_write(&s->polls);
    s->polls++;
}

/* ---- one at a time ---- */

static void take_turns(unsigned index, int count)
{
    edo__worker *worker = be(index);
    for (int i = 0; i < count; i++) {
        model_assert(edo__baton_take(worker));
        model_assert(edo__baton_is_held(worker));
        poll_one();
        model_assert(edo__baton_pass(worker, EDO__WORK_TASKS));
    }
}

static void take_turns_each(void (*second)(void *), int count)
{
    set_up(2);
    int other = model_start(second, NULL);
    take_turns(0, count);
    model_join(other);
    model_assert(s->polls == 2 * (unsigned)count);
    tear_down();
}

THREAD(second_takes_turn)
{
    take_turns(1, 1);
}

MODEL(baton_one_at_a_time, "one worker at a time has a turn, and each has its turn")
{
    take_turns_each(second_takes_turn, 1);
}

THREAD(second_takes_two_turns)
{
    take_turns(1, 2);
}

MODEL_SAMPLED(baton_two_laps, "the same in the lap after that", SAMPLES)
{
    take_turns_each(second_takes_two_turns, 2);
}

static void find_no_searcher(unsigned index)
{
    edo__worker *worker = be(index);
    model_assert(edo__baton_take(worker));
    model_assert(edo_load_relaxed(&s->runtime->idle.searching) == 0);
    edo__baton_pass(worker, EDO__WORK_TASKS);
}

THREAD(first_finds_no_searcher)
{
    find_no_searcher(0);
}

THREAD(second_finds_no_searcher)
{
    find_no_searcher(1);
}

/* A worker that still counted would keep the other one from searching, or not, by their speed. The
 * seed gives the first worker the first turn. */
static void turn_beside(void (*other)(void *), unsigned index, bool searches)
{
    set_up(2);
    edo__worker *worker = be(index);
    if (searches) model_assert(edo__idle_begin_search(worker));
    int thread = model_start(other, NULL);
    edo__worker_turn(worker);
    model_join(thread);
    tear_down();
}

MODEL(baton_search_ends, "a search that found nothing ends before the next worker's turn")
{
    turn_beside(second_finds_no_searcher, 0, false);
}

MODEL(baton_wake_begins_no_search,
      "nor does one count as searching that a wake brought to the gate")
{
    turn_beside(first_finds_no_searcher, 1, true);
}

/* ---- a worker that is stuck ---- */

/* The poll that is stuck touches nothing here; the next one of the same turn may. */
static void be_stuck(unsigned index)
{
    edo__worker *worker = be(index);
    model_assert(edo__baton_take(worker));
    edo_store_figure(&worker->beat, 1);
    edo_store_figure(&worker->beat, 2);
    if (edo__baton_is_held(worker)) poll_one();
    edo__baton_pass(worker, EDO__WORK_TASKS);
}

THREAD(second_takes_one)
{
    edo__worker *worker = be(1);
    model_assert(edo__baton_take(worker));
    poll_one();
    edo__baton_pass(worker, EDO__WORK_TASKS);
}

/* Plays the monitor: revokes the baton of a worker in its first poll. */
static void revoke(unsigned index)
{
    edo__worker *worker = s->workers[index];
    if (edo_load_figure(&worker->beat) != 1) return;
    edo_or_relaxed(&worker->stuck, EDO__STUCK_LONG);
    edo__baton_revoke(worker, 1);
}

THREAD(revokes)
{
    revoke(0);
}

MODEL(baton_revoked, "a worker that lost the baton in a poll begins no other one without it")
{
    set_up(2);
    int second = model_start(second_takes_one, NULL), monitor = model_start(revokes, NULL);
    be_stuck(0);
    model_join(second);
    model_join(monitor);
    model_assert(s->polls >= 1);
    tear_down();
}

THREAD(revokes_second)
{
    revoke(1);
}

MODEL(baton_absent_at_pause,
      "a worker is not waited for that was stuck before the clock was paused, without the baton")
{
    set_up(2);
    edo_store_figure(&s->workers[1]->beat, 1);
    int monitor = model_start(revokes_second, NULL);
    model_assert(edo__baton_take(be(0))); // else a deadlock
    model_join(monitor);
    tear_down();
}

/* ---- the clock ---- */

static void arm(edo__worker *worker, int64_t when)
{
    edo__timer_set(worker, &s->tasks[worker->index], when);
}

/* Each arms a timer, and another when it has fired. */
static void meet_deadlines(unsigned index)
{
    edo__worker *worker = be(index);
    for (int64_t when = SOON; when <= LATER; when += SOON) {
        do {
            model_assert(edo__baton_take(worker));
            int64_t now = edo__runtime_now(s->runtime);
            model_assert(now <= when);
            if (now == when) break;
            bool is_armed = edo__timer_is_armed(&s->tasks[index].timer);
            if (!is_armed) arm(worker, when);
            model_assert(edo__baton_pass(worker, is_armed ? EDO__WORK_NONE : EDO__WORK_TASKS));
        } while (true);
        edo__timer_cancel(&s->tasks[index]);
        if (when < LATER) arm(worker, when + SOON);
        model_assert(edo__baton_pass(worker, EDO__WORK_TASKS));
    }
}

THREAD(second_meets_deadlines)
{
    meet_deadlines(1);
}

MODEL_SAMPLED(baton_clock, "the clock never moves past a deadline that has been armed", SAMPLES)
{
    set_up(2);
    int second = model_start(second_meets_deadlines, NULL);
    meet_deadlines(0);
    model_join(second);
    model_assert(edo__runtime_now(s->runtime) == LATER);
    tear_down();
}

/* Both deadlines have passed in one step of the clock. */
static void fire_both(int64_t first, int64_t second)
{
    set_up(1);
    edo__worker *worker = be(0);
    s->tasks[1].runtime = s->runtime;
    s->tasks[1].id = 1;
    edo__timer_set(worker, &s->tasks[0], first);
    edo__timer_set(worker, &s->tasks[1], second);
    edo_store_relaxed(&s->runtime->clock.frozen, LATER);
    edo__fire_timers(worker, worker);
    model_assert(edo__worker_pop(worker) == &s->tasks[second < first]);
    model_assert(edo__worker_pop(worker) == &s->tasks[second >= first]);
    tear_down();
}

MODEL(baton_fires_in_order,
      "timers that fire together fire by their deadlines, then by their tasks")
{
    fire_both(SOON, SOON + 1);
}

MODEL(baton_fires_later_first_armed, "also when the later one was armed first")
{
    fire_both(SOON + 1, SOON);
}

MODEL(baton_fires_by_id, "also with equal deadlines")
{
    fire_both(SOON, SOON);
}

THREAD(second_is_away)
{
    edo__worker *worker = be(1);
    model_assert(edo__baton_take(worker));
    edo_store_figure(&worker->beat, 1);
    edo_or_relaxed(&worker->stuck, EDO__STUCK_IN_PLACE);
    edo__baton_revoke(worker, 1);
    model_assert(edo__runtime_now(s->runtime) == 0); // what it runs meanwhile
    edo_and_relaxed(&worker->stuck, ~(uint32_t)EDO__STUCK_IN_PLACE);
    bool has_turn = edo__baton_take(worker); // else the first worker has stopped the runtime
    model_assert(edo__runtime_now(s->runtime) == 0);
    if (has_turn) edo__baton_pass(worker, EDO__WORK_TASKS);
    stop();
}

/* Its sleep is left out: it comes back at once. */
MODEL_SAMPLED(baton_clock_waits, "while a worker is away the clock does not go on by itself",
              SAMPLES)
{
    set_up(2);
    arm(s->workers[0], SOON);
    int second = model_start(second_is_away, NULL);
    edo__worker *worker = be(0);
    for (int i = 0; i < 4; i++) {
        if (!edo__baton_take(worker)) continue;
        edo__baton_pass(worker, EDO__WORK_NONE);
    }
    stop();
    model_join(second);
    tear_down();
}

/* ---- sleep and wake ---- */

static void turn_until_the_end(unsigned index)
{
    edo__worker *worker = be(index);
    while (!edo_load_relaxed(&s->runtime->is_stopping))
        edo__worker_turn(worker);
}

struct ender {
    edo_frame();
    edo_args(int unused;);
};

/* Ends the loops of the workers. */
static edo_poll ender_poll(edo_future *future, edo_cx *cx)
{
    (void)cx;
    poll_one();
    future->result = 0;
    edo_store_relaxed(&s->runtime->is_stopping, true);
    for (unsigned i = 0; i < s->runtime->base.worker_count; i++)
        edo__worker_notify(s->workers[i]);
    edo__baton_stop(s->runtime);
    return EDO_READY;
}

POLLED(ender);

THREAD(first_turns)
{
    turn_until_the_end(0);
}

THREAD(second_turns)
{
    turn_until_the_end(1);
}

static void spawn_against_sleep(int workers, uint32_t pinned)
{
    set_up(workers);
    int first = model_start(first_turns, NULL);
    int second = workers > 1 ? model_start(second_turns, NULL) : 0;
    edo_spawn_options here = { .runtime = s->runtime, .pinned = pinned };
    model_assert(edo_spawn_with(NULL, &here, ender, .unused = 0) == 0);
    model_join(first);
    if (second) model_join(second);
    model_assert(s->polls == 1);
    edo_store_relaxed(&s->runtime->is_stopping, false);
    tear_down();
}

MODEL_SAMPLED(baton_sleeps, "a task that comes while all go to sleep is polled", SAMPLES)
{
    spawn_against_sleep(1, 0);
}

MODEL_SAMPLED(baton_two_sleep, "the same with two workers: one wakes, and the other comes too",
              SAMPLES)
{
    spawn_against_sleep(2, 0);
}

MODEL_SAMPLED(baton_two_sleep_pinned, "the same for one that is pinned to one of them", SAMPLES)
{
    spawn_against_sleep(2, 2);
}

/* ---- one turn, and the sleep ---- */

struct counted {
    edo_frame();
    edo_args(int unused;);
};

static edo_poll counted_poll(edo_future *future, edo_cx *cx)
{
    (void)cx;
    poll_one();
    future->result = 0;
    return EDO_READY;
}

POLLED(counted);

THREAD(spawns_pinned)
{
    edo_spawn_options here = { .runtime = s->runtime, .pinned = 1 };
    model_assert(edo_spawn_with(NULL, &here, counted, .unused = 0) == 0);
}

MODEL(baton_turn_sees_wake, "a turn that clears a notification finds what was pushed before it")
{
    set_up(1);
    int other = model_start(spawns_pinned, NULL);
    edo__worker *worker = be(0);
    edo__worker_turn(worker);
    bool was_polled = s->polls;
    model_join(other);
    model_assert(was_polled || edo_load_relaxed(&worker->park) == EDO__NOTIFIED_PARK);
    edo__worker_turn(worker);
    model_assert(s->polls == 1);
    tear_down();
}

static void wait_until(int64_t when)
{
    model_event never = { 0 };
    if (!model_wait_until(&never, when) && fake_now < when) fake_now = when;
}

/* Time passes only when the worker waits, too. */
THREAD(ends_later)
{
    wait_until(LATER);
    model_assert(edo_load_figure(&s->workers[0]->counters.parks) == 1); // its first sleep
    edo_store_relaxed(&s->runtime->is_stopping, true);
    edo__worker_notify(s->workers[0]);
}

MODEL(baton_sleep_ignores_timers,
      "with a clock that stands still a worker sleeps until it is woken")
{
    set_up(1);
    edo_store_relaxed(&s->runtime->clock.auto_advance, false);
    arm(s->workers[0], SOON);
    int other = model_start(ends_later, NULL);
    turn_until_the_end(0);
    model_join(other);
    edo_store_relaxed(&s->runtime->is_stopping, false);
    tear_down();
}

/* ---- the end of the pause ---- */

THREAD(resumes)
{
    edo__self = (struct edo__thread){ .runtime = s->runtime };
    model_assert(edo_clock_resume() == 0);
}

MODEL(baton_ends, "nobody waits for a turn when the clock runs again")
{
    set_up(2);
    int other = model_start(resumes, NULL);
    model_assert(!edo__baton_take(be(0))); // the second worker never comes
    model_join(other);
    tear_down();
}

/* On the first worker, when the other waits for its turn. */
static bool resume_in_turn(void)
{
    edo__worker *worker = be(0);
    model_assert(edo__baton_take(worker));
    model_assert(edo_clock_resume() == 0);
    return edo__baton_pass(worker, EDO__WORK_TASKS);
}

THREAD(second_may_have_a_turn)
{
    edo__worker *worker = be(1);
    if (edo__baton_take(worker)) edo__baton_pass(worker, EDO__WORK_TASKS);
}

MODEL(baton_ends_in_turn, "the same when a task of the holder lets the clock run")
{
    set_up(2);
    int second = model_start(second_may_have_a_turn, NULL);
    model_assert(!resume_in_turn());
    model_join(second);
    tear_down();
}

static void stop_under_holder(int second)
{
    edo__worker *worker = be(0);
    model_assert(edo__baton_take(worker));
    stop();
    model_join(second); // while this worker is in its poll
    edo__baton_pass(worker, EDO__WORK_TASKS);
    edo_store_relaxed(&s->runtime->is_stopping, false);
    tear_down();
}

THREAD(second_turns_until_the_stop)
{
    edo__worker *worker = be(1);
    while (edo__baton_take(worker))
        edo__baton_pass(worker, EDO__WORK_TASKS);
}

MODEL(baton_stops, "nobody waits for a turn when the runtime stops, although one keeps the baton")
{
    set_up(2);
    stop_under_holder(model_start(second_turns_until_the_stop, NULL));
}

MODEL(baton_stops_for_absent, "the same for one that comes back to the gate meanwhile")
{
    set_up(2);
    edo_or_relaxed(&s->workers[1]->stuck, EDO__STUCK_LONG);
    stop_under_holder(model_start(second_turns_until_the_stop, NULL));
}
