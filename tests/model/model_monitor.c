/* The monitor and the workers: sleeping, stuck workers, help. Figures that the monitor reads are
 * steps here.
 *
 * model-sources: @runtime runtime/schedule/in_place.c time/sleep.c
 * model-flags: -DEDO_MODEL_FIGURES
 */
#include <string.h>

#include "model/fake_sys.h"

#define edo__threads_start real_threads_start
#define edo__threads_stop  real_threads_stop
#include "runtime/schedule/help.c"
#include "runtime/schedule/monitor.c"
#include "runtime/schedule/monitor.h"
#include "runtime/schedule/threads.c"
#include "runtime/schedule/threads.h"
#include "runtime/schedule/turn.h"
#include "runtime/schedule/wait.h"
#include "runtime/schedule/watch.h"
#include "runtime/schedule/worker.h"
#undef edo__threads_start
#undef edo__threads_stop

enum { SAMPLES = 10000 };

static struct {
    edo_runtime *runtime;
    edo__worker *worker;
    edo__monitor *monitor;
    bool has_threads; // the runtime has threads; else the model plays the workers
    model_event met;
    unsigned ends;
} * s;

int edo__threads_start(edo_runtime *runtime)
{
    return s->has_threads ? real_threads_start(runtime) : 0;
}

bool edo__threads_stop(edo_runtime *runtime, int64_t deadline)
{
    return s->has_threads ? real_threads_stop(runtime, deadline) : true;
}

static void set_up(const edo_config *config, bool has_threads)
{
    s = model_alloc_static(sizeof *s);
    memset(s, 0, sizeof *s);
    s->has_threads = has_threads;
    s->runtime = fake_runtime_with(config);
    s->worker = s->runtime->workers[0];
}

static const edo_config one = { .workers = 1, .max_spare = 1 };
static const edo_config two = { .workers = 2, .max_spare = 1 };

/* Workers and a monitor, all played by the model. */
static void set_up_played_with(const edo_config *config)
{
    set_up(config, false);
    s->monitor = edo__alloc_zeroed(size_of(s->runtime));
    s->monitor->runtime = s->runtime;
    s->runtime->monitor = s->monitor;
}

static void set_up_played(void)
{
    set_up_played_with(&one);
}

static void destroy(void)
{
    model_assert(edo_runtime_destroy(s->runtime) == 0);
}

/* ---- asleep, awake ---- */

THREAD(fall_asleep)
{
    uint32_t word = edo_load_acquire(&s->monitor->word);
    if (do_all_sleep(s->runtime)) sleep_deeply(s->monitor, word);
}

MODEL(monitor_wakes_with_worker, "the monitor does not sleep on while a worker is awake")
{
    set_up_played();
    edo_store_relaxed(&s->worker->park, EDO__PARKED);
    int monitor = model_start(fall_asleep, NULL);
    edo_swap_acquire(&s->worker->park, EDO__AWAKE);
    edo__monitor_note_awake(s->runtime);
    model_join(monitor); // else a deadlock
    destroy();
}

MODEL(monitor_wakes_with_turn,
      "the same when a thread begins to turn it that a foreign loop had asleep")
{
    set_up_played();
    edo_store_relaxed(&s->worker->park, EDO__PARKED);
    int monitor = model_start(fall_asleep, NULL);
    edo__worker_begin(s->worker);
    model_join(monitor);
    destroy();
}

THREAD(notify_worker)
{
    edo__worker_notify(s->worker);
}

MODEL(monitor_wakes_after_sleep, "the same when a worker comes back from its sleep")
{
    set_up_played();
    int monitor = model_start(fall_asleep, NULL), waker = model_start(notify_worker, NULL);
    edo__worker_park(s->worker);
    model_join(waker);
    model_join(monitor);
    destroy();
}

THREAD(wake_too)
{
    edo_swap_acquire(&s->runtime->workers[1]->park, EDO__AWAKE);
    edo__monitor_note_awake(s->runtime);
}

MODEL(monitor_woken_by_two, "the same when two workers wake at once")
{
    set_up_played_with(&two);
    for (int i = 0; i < 2; i++)
        edo_store_relaxed(&s->runtime->workers[i]->park, EDO__PARKED);
    int monitor = model_start(fall_asleep, NULL), other = model_start(wake_too, NULL);
    edo_swap_acquire(&s->worker->park, EDO__AWAKE);
    edo__monitor_note_awake(s->runtime);
    model_join(other);
    model_join(monitor);
    destroy();
}

/* ---- stuck, in place ---- */

THREAD(look_twice)
{
    inspect(s->monitor, s->worker, &s->monitor->seen[0], 0);
    inspect(s->monitor, s->worker, &s->monitor->seen[0], 0);
}

MODEL(stuck_is_counted_once, "a worker that comes and goes while it is looked at is counted right")
{
    set_up_played();
    edo_store_figure(&s->worker->beat, 1); // in a poll
    int monitor = model_start(look_twice, NULL);
    edo__monitor_hand_over(s->worker);
    edo__monitor_take_back(s->worker);
    model_join(monitor);
    bool stuck = edo_load_relaxed(&s->worker->stuck);
    model_assert(edo_load_relaxed(&s->runtime->stuck_count) == stuck);
    edo_store_figure(&s->worker->beat, 2); // poll and turn have ended
    edo_store_figure(&s->worker->turns, 1);
    inspect(s->monitor, s->worker, &s->monitor->seen[0], 0);
    model_assert(edo_load_relaxed(&s->runtime->stuck_count) == 0);
    destroy();
}

THREAD(look_once)
{
    inspect(s->monitor, s->worker, &s->monitor->seen[0], 0);
}

MODEL(hand_over_is_not_undone, "a look that was under way before does not take a hand-over back")
{
    set_up_played();
    int monitor = model_start(look_once, NULL);
    edo__monitor_hand_over(s->worker);
    model_join(monitor);
    model_assert(edo_load_relaxed(&s->runtime->stuck_count) == 1);
    edo__monitor_take_back(s->worker);
    model_assert(edo_load_relaxed(&s->runtime->stuck_count) == 0);
    destroy();
}

MODEL(take_back_is_at_once, "a worker is healthy from the end of its blocking work on")
{
    set_up_played();
    edo__monitor_hand_over(s->worker);
    model_assert(edo_load_relaxed(&s->runtime->stuck_count) == 1);
    edo__monitor_take_back(s->worker);
    model_assert(edo_load_relaxed(&s->runtime->stuck_count) == 0);
    model_assert(!edo_load_relaxed(&s->worker->stuck));
    destroy();
}

/* ---- how long it was stuck ---- */

static void look_at_worker(int64_t now)
{
    inspect(s->monitor, s->worker, &s->monitor->seen[0], now);
    s->monitor->inspected_at = now;
}

MODEL(in_place_is_not_counted, "time in blocking work is none that a poll keeps its worker")
{
    set_up_played();
    const seen *found = &s->monitor->seen[0];
    edo_store_figure(&s->worker->beat, 1); // in a poll, until the end
    look_at_worker(0);
    edo__monitor_hand_over(s->worker);
    for (int64_t now = PERIOD; now <= 100 * PERIOD; now += PERIOD)
        look_at_worker(now);
    edo__monitor_take_back(s->worker);
    model_assert(found->held == 0);
    look_at_worker(101 * PERIOD);
    look_at_worker(102 * PERIOD);
    model_assert(found->held == 2 * PERIOD);
    edo_store_figure(&s->worker->beat, 2);
    look_at_worker(103 * PERIOD);
    model_assert(found->held == 0);
    destroy();
}

MODEL(stopped_is_not_counted, "nor is the time in which the whole process was stopped")
{
    set_up_played();
    edo_store_figure(&s->worker->beat, 1);
    look_at_worker(0);
    look_at_worker(edo_s(2));
    model_assert(s->monitor->seen[0].held <= 4 * PERIOD);
    edo_store_figure(&s->worker->beat, 2);
    look_at_worker(edo_s(2));
    destroy();
}

/* ---- the watcher ---- */

THREAD(end_turn)
{
    edo_store_figure(&s->worker->turns, s->worker->turns + 1);
    edo__monitor_unmark_long(s->worker);
}

static void set_up_watched(void)
{
    set_up_played_with(&two);
    edo_store_figure(&s->worker->thread_id, 1);
}

MODEL(watcher_finds, "a worker that is awake, and has not turned its driver for a while, is found")
{
    set_up_watched();
    edo__worker *watcher = s->runtime->workers[1];
    edo__watch_inspect(watcher, edo_us(10));
    model_assert(!watcher->owes_help);
    edo__watch_inspect(watcher, edo_ms(1));
    model_assert(watcher->owes_help);
    model_assert(edo__worker_is_stuck(s->worker));
    model_assert(edo_load_figure(&s->worker->is_hurried));
    watcher->owes_help = false;
    edo__watch_inspect(watcher, edo_ms(2));
    model_assert(!watcher->owes_help); // already noted
    model_assert(edo_load_relaxed(&s->runtime->stuck_count) == 1);
    model_join(model_start(end_turn, NULL));
    model_assert(!edo__worker_is_stuck(s->worker));
    model_assert(edo_load_relaxed(&s->runtime->stuck_count) == 0);
    edo_store_relaxed(&s->worker->park, EDO__PARKED);
    edo__watch_inspect(watcher, edo_ms(3));
    model_assert(!watcher->owes_help);
    destroy();
}

MODEL(watcher_backs_off, "inspections in vain become rare; a poll or a timer's deadline ends that")
{
    set_up_watched();
    edo__worker *watcher = s->runtime->workers[1];
    watcher->cx.polls++;
    int64_t first = edo__watch_period(watcher), last = first;
    for (int i = 0; i < 8; i++) {
        int64_t next = edo__watch_period(watcher);
        model_assert(next >= last);
        last = next;
    }
    model_assert(last >= 10 * first);
    static edo__timer timer;
    edo__wheel_arm(&s->worker->wheel, &timer, edo__runtime_now(s->runtime) + 2 * first);
    model_assert(edo__watch_period(watcher) <= 2 * first); // period of the other worker
    edo_store_relaxed(&s->worker->park, EDO__PARKED);
    model_assert(edo__watch_period(watcher) == last); // this worker wakes by itself
    edo_store_relaxed(&s->worker->park, EDO__AWAKE);
    edo__wheel_disarm(&s->worker->wheel, &timer);
    watcher->cx.polls++;
    model_assert(edo__watch_period(watcher) == first);
    destroy();
}

MODEL(watcher_against_end, "a mark that comes too late is taken off, and counted right")
{
    set_up_watched();
    int owner = model_start(end_turn, NULL);
    edo__watch_inspect(s->runtime->workers[1], edo_ms(1));
    model_join(owner);
    edo__monitor_unmark_long(s->worker); // the worker begins its next turn
    model_assert(edo_load_relaxed(&s->runtime->stuck_count) == 0);
    destroy();
}

MODEL(turn_takes_mark_off, "a worker that was found stuck is healthy from its next turn on")
{
    set_up_watched();
    edo__watch_inspect(s->runtime->workers[1], edo_ms(1));
    model_assert(edo_load_relaxed(&s->runtime->stuck_count) == 1);
    edo__worker_notify(s->worker); // for a turn without a sleep
    edo__worker_turn(s->worker);
    model_assert(!edo_load_relaxed(&s->worker->stuck));
    model_assert(edo_load_relaxed(&s->runtime->stuck_count) == 0);
    destroy();
}

MODEL(mark_of_sleeper, "a worker that fell asleep as it was marked does not stay marked")
{
    set_up_watched();
    edo__watch_inspect(s->runtime->workers[1], edo_ms(1));
    edo_store_relaxed(&s->worker->park, EDO__PARKED);
    look_at_worker(0);
    look_at_worker(PERIOD);
    model_assert(edo_load_relaxed(&s->runtime->stuck_count) == 0);
    destroy();
}

MODEL(watches_after_long_turns, "one at a time watches, and only after long turns")
{
    set_up_watched();
    edo__worker *first = s->worker, *second = s->runtime->workers[1];
    model_assert(!edo__watch_begin(first, 0));
    edo__watch_note_turn(first, edo_us(500), 0);
    model_assert(!edo__watch_begin(first, 0));
    edo__watch_note_turn(first, edo_ms(3), 0);
    model_assert(edo__watch_begin(first, 0) && !edo__watch_begin(second, 0));
    edo__watch_end(first);
    model_assert(edo__watch_begin(second, 0));
    edo__watch_end(second);
    model_assert(!edo__watch_begin(second, edo_s(1))); // the long turn is too long ago
    destroy();
}

MODEL(long_turn_wakes_watcher, "after a long turn a sleeper is woken to watch, unless one watches")
{
    set_up_watched();
    edo__worker *sleeper = s->runtime->workers[1];
    model_assert(edo__idle_enter(sleeper));
    edo_store_relaxed(&s->runtime->has_watcher, 1);
    edo__watch_note_turn(s->worker, edo_ms(3), 0);
    model_assert(edo_load_relaxed(&sleeper->park) == EDO__AWAKE);
    edo__watch_end(s->worker);
    edo__watch_note_turn(s->worker, edo_ms(3), 0);
    model_assert(edo_load_relaxed(&sleeper->park) == EDO__NOTIFIED_PARK);
    destroy();
}

MODEL(monitor_stands_in, "while long polls are frequent and no worker watches, the monitor does")
{
    set_up_watched();
    edo__worker *watcher = s->runtime->workers[1];
    model_assert(next_inspection(s->monitor, 0) == PERIOD);
    edo__watch_note_turn(s->worker, edo_ms(3), 0);
    model_assert(next_inspection(s->monitor, 0) == CLOSE_PERIOD);
    model_assert(edo__watch_begin(watcher, 0));
    model_assert(next_inspection(s->monitor, 0) == PERIOD);
    edo__watch_end(watcher);
    model_assert(next_inspection(s->monitor, edo_s(1)) == edo_s(1) + PERIOD);
    edo_store_figure(&s->worker->beat, 1);
    look_at_worker(0);
    model_assert(!edo__worker_is_stuck(s->worker));
    look_at_worker(CLOSE_PERIOD);
    model_assert(edo__worker_is_stuck(s->worker)); // found within two inspections
    edo_store_figure(&s->worker->beat, 2);
    look_at_worker(PERIOD);
    destroy();
}

MODEL(help_only_where_needed,
      "no spare one is made while nobody is stuck, or somebody looks after it")
{
    set_up_played();
    ensure_help(s->monitor);
    model_assert(edo__worker_total(s->runtime) == 1);
    mark(s->worker, EDO__STUCK_LONG);
    edo_store_relaxed(&s->runtime->has_watcher, 1);
    ensure_help(s->monitor);
    model_assert(edo__worker_total(s->runtime) == 1);
    unmark(s->worker, EDO__STUCK_LONG);
    destroy();
}

MODEL(help_not_by_stuck, "the turn that a stuck worker made before is no help")
{
    set_up_played();
    mark(s->worker, EDO__STUCK_LONG);
    s->monitor->seen[0].turned = true;
    fake_no_threads = true;
    ensure_help(s->monitor);
    fake_no_threads = false;
    model_assert(edo__worker_total(s->runtime) == 2);
    unmark(s->worker, EDO__STUCK_LONG);
    destroy();
}

MODEL(help_of_notified, "nor while a worker turns that was told of something meanwhile")
{
    set_up_played_with(&two);
    mark(s->worker, EDO__STUCK_LONG);
    s->monitor->seen[1].turned = true;
    edo__worker_notify(s->runtime->workers[1]);
    ensure_help(s->monitor);
    model_assert(edo__worker_total(s->runtime) == 2);
    unmark(s->worker, EDO__STUCK_LONG);
    destroy();
}

MODEL(spare_without_thread,
      "a spare one without a thread is no reason for another, nor to stay awake")
{
    set_up_played_with(&(edo_config){ .workers = 1, .max_spare = 2 });
    mark(s->worker, EDO__STUCK_LONG);
    fake_no_threads = true;
    for (int i = 0; i < 2; i++) {
        ensure_help(s->monitor);
        model_assert(edo__worker_total(s->runtime) == 2);
    }
    fake_no_threads = false;
    unmark(s->worker, EDO__STUCK_LONG);
    edo_store_relaxed(&s->worker->park, EDO__PARKED);
    model_assert(do_all_sleep(s->runtime));
    destroy();
}

MODEL(hurried, "a worker that polls, but does not look at its driver, is told to")
{
    set_up_played();
    inspect(s->monitor, s->worker, &s->monitor->seen[0], 0);
    edo_store_figure(&s->worker->beat, 2);
    inspect(s->monitor, s->worker, &s->monitor->seen[0], 0);
    model_assert(edo_load_figure(&s->worker->is_hurried));
    destroy();
}

THREAD(see_hand_over)
{
    for (;;) {
        uint32_t word = edo_load_acquire(&s->monitor->word);
        if (edo_load_relaxed(&s->runtime->stuck_count)) return;
        edo__sys_futex_wait(&s->monitor->word, word);
    }
}

MODEL(hand_over_is_seen, "the monitor that sleeps is told of a worker that goes into blocking work")
{
    set_up_played();
    int monitor = model_start(see_hand_over, NULL);
    edo__monitor_hand_over(s->worker);
    model_join(monitor);
    edo__monitor_take_back(s->worker);
    destroy();
}

THREAD(hand_over)
{
    edo__monitor_hand_over(s->worker);
    edo__monitor_take_back(s->worker);
}

MODEL_SAMPLED(monitor_stops, "the monitor ends when it is told, whatever it is doing", SAMPLES)
{
    set_up(&(edo_config){ .workers = 1, .max_spare = -1 }, false);
    edo_store_relaxed(&s->worker->park, EDO__PARKED);
    model_assert(edo__monitor_start(s->runtime) == 0);
    int worker = model_start(hand_over, NULL);
    model_join(worker);
    edo__monitor_stop(s->runtime);
    destroy();
}

/* ---- the stop ---- */

THREAD(second_works)
{
    run_worker(s->runtime->workers[1]);
}

MODEL(stop_opens_gate, "a worker at the gate leaves at the stop, although one keeps the baton")
{
    set_up(&(edo_config){ .workers = 2, .max_spare = -1, .test_clock = true }, false);
    int second = model_start(second_works, NULL);
    edo__self = (struct edo__thread){ .runtime = s->runtime, .worker = s->worker };
    model_assert(edo__baton_take(s->worker));
    ask_to_leave(s->runtime);
    model_join(second); // during the turn of the first worker
    edo__baton_pass(s->worker, EDO__WORK_TASKS);
    edo__self = (struct edo__thread){ 0 };
    destroy();
}

MODEL(stop_gives_up, "a worker that is stuck in a poll at the deadline is not waited for")
{
    set_up_played();
    edo_store_figure(&s->worker->beat, 1);
    model_assert(!has_left_by(s->worker, edo_ms(3)));
    model_assert(fake_now == edo_ms(3));
    edo_store_figure(&s->worker->beat, 2);
    destroy();
}

/* ---- runtimes with all their threads ---- */

struct ender {
    edo_frame();
    edo_args(int64_t after;);
};

/* Ends the stuck poll. */
edo_async(ender)
{
    edo_body {
        int rc;
        if (self->after) edo_await(rc, edo_sleep(self->after));
        edo_plain_write(&s->ends);
        s->ends++;
        model_post(&s->met);
        edo_return(0);
    }
}

static int64_t wait_in_place(void *arg)
{
    (void)arg;
    model_wait(&s->met);
    return 3;
}

struct blocker {
    edo_frame();
    edo_args(bool in_place; int64_t after;);
};

/* Spawns a task, and blocks its worker until that task has ended. */
static edo_poll blocker_poll(edo_future *future, edo_cx *cx)
{
    struct blocker *self = (struct blocker *)(void *)future;
    (void)cx;
    future->result = edo_spawn(NULL, ender, .after = self->after);
    if (future->result < 0) model_post(&s->met); // the runtime ends
    if (self->in_place)
        future->result = edo_block_in_place(wait_in_place, NULL);
    else
        wait_in_place(NULL);
    return EDO_READY;
}

POLLED(blocker);

static void run_blocker(const edo_config *config, bool in_place, int64_t after)
{
    set_up(config, true);
    int64_t result = edo_block_on(s->runtime, blocker, .in_place = in_place, .after = after);
    model_assert(result == (in_place ? 3 : 0));
    destroy();
    model_assert(s->ends == 1);
}

MODEL_SAMPLED(in_place_with_spare,
              "what a worker in blocking work leaves behind is run by a spare one", SAMPLES)
{
    run_blocker(&one, true, 0);
}

/* Each on its own stack: the checker would take two variables at one address for the same. */
THREAD(block_on_ender)
{
    model_assert(edo_block_on(s->runtime, ender, .after = 0) == 0);
    model_wait(&s->met);
}

THREAD(block_on_blocker)
{
    model_assert(edo_block_on(s->runtime, blocker, .in_place = true) == 3);
}

MODEL_SAMPLED(in_place_again,
              "a spare one that has helped keeps nobody from being woken, and helps again", SAMPLES)
{
    set_up(&one, true);
    model_assert(edo_block_on(s->runtime, blocker, .in_place = true) == 3);
    model_join(model_start(block_on_ender, NULL));
    model_join(model_start(block_on_blocker, NULL));
    destroy();
    model_assert(s->ends == 3);
}

MODEL_SAMPLED(in_place_with_other, "or by another worker", SAMPLES)
{
    run_blocker(&two, true, 0);
}

MODEL_SAMPLED(stuck_with_spare,
              "what a stuck worker has in its next-task slot is run by a spare one", SAMPLES)
{
    run_blocker(&one, false, 0);
}

MODEL_SAMPLED(stuck_with_other, "or by another worker", SAMPLES)
{
    run_blocker(&two, false, 0);
}

static edo_poll stuck_poll(edo_future *future, edo_cx *cx)
{
    (void)cx;
    future->result = 0;
    model_wait(&s->met);
    return EDO_READY;
}

struct stuck {
    edo_frame();
    edo_args(int unused;);
};

POLLED(stuck);

MODEL_SAMPLED(stuck_with_timer, "a due timer of a stuck worker is fired by who helps", SAMPLES)
{
    set_up(&one, true);
    edo_spawn_options here = { .runtime = s->runtime };
    model_assert(edo_spawn_with(NULL, &here, ender, .after = edo_ms(1)) == 0);
    model_assert(edo_block_on(s->runtime, stuck, .unused = 0) == 0);
    destroy();
    model_assert(s->ends == 1);
}

MODEL_SAMPLED(stuck_with_foreigner, "a task from outside is run although the only worker is stuck",
              SAMPLES)
{
    set_up(&one, true);
    edo_spawn_options here = { .runtime = s->runtime };
    model_assert(edo_spawn_with(NULL, &here, stuck, .unused = 0) == 0);
    model_assert(edo_block_on(s->runtime, ender, .after = 0) == 0);
    destroy();
    model_assert(s->ends == 1);
}

MODEL_SAMPLED(stuck_at_the_end, "a worker in blocking work while the runtime ends is waited for",
              SAMPLES)
{
    set_up(&one, true);
    edo_spawn_options here = { .runtime = s->runtime };
    model_assert(edo_spawn_with(NULL, &here, blocker, .in_place = true) == 0);
    destroy();
}

/* ---- a test clock ---- */

struct sleeper {
    edo_frame();
    edo_args(int64_t duration;);
};

edo_async(sleeper)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(self->duration));
        edo_return(edo_now() >= self->duration);
    }
}

MODEL_SAMPLED(test_clock_goes_on, "with all workers asleep a test clock goes to the next deadline",
              SAMPLES)
{
    set_up(&(edo_config){ .workers = 2, .max_spare = -1, .test_clock = true }, true);
    model_assert(edo_block_on(s->runtime, sleeper, .duration = edo_s(1)) == 1);
    destroy();
}

/* Lets the root go on, and lives a little longer. */
struct lingerer {
    edo_frame();
    edo_args(int64_t now;);
};

static edo_poll lingerer_poll(edo_future *future, edo_cx *cx)
{
    struct lingerer *self = (struct lingerer *)(void *)future;
    (void)cx;
    model_post(&s->met);
    for (int i = 0; i < 4; i++)
        model_yield(MODEL_HERE);
    model_assert(edo_now() == self->now);
    edo_plain_write(&s->ends); // not while the root polls
    future->result = 0;
    return EDO_READY;
}

POLLED(lingerer);

struct helped {
    edo_frame();
    edo_args(int unused;);
};

edo_async(helped)
{
    edo_body {
        int rc = edo_spawn(NULL, lingerer, .now = edo_now());
        model_assert(rc == 0);
        edo_block_in_place(wait_in_place, NULL);
        edo_plain_write(&s->ends);
        edo_await(rc, edo_sleep(edo_s(1)));
        edo_return(3);
    }
}

MODEL_SAMPLED(test_clock_waits_for_spare,
              "a test clock stands still while a spare one polls, and so does who was in place",
              SAMPLES)
{
    set_up(&(edo_config){ .workers = 1, .max_spare = 1, .test_clock = true }, true);
    model_assert(edo_block_on(s->runtime, helped, .unused = 0) == 3);
    destroy();
}
