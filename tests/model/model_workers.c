/* Workers that share a runtime: migration of tasks between workers, and wakes of workers. The
 * models call the parts of a turn one by one; model_threads.c has whole turns.
 *
 * model-sources: @runtime
 */
#include <string.h>

#include "model/fake_sys.h"

/* Includes threads.c for its help; models do not start its threads. */
#define edo__threads_start threads_start
#define edo__threads_stop  threads_stop
#include "runtime/registry.h"
#include "runtime/run.h"
#include "runtime/runtime.h"
#include "runtime/schedule/help.c"
#include "runtime/schedule/help.h"
#include "runtime/schedule/idle.h"
#include "runtime/schedule/threads.c"
#include "runtime/schedule/threads.h"
#include "runtime/schedule/pack.h"
#include "runtime/schedule/poll.h"
#include "runtime/schedule/turn.h"
#include "runtime/schedule/wait.h"
#include "runtime/schedule/watch.h"
#include "runtime/schedule/work.h"
#include "runtime/schedule/worker.h"
#include "runtime/schedule/workers.h"
#include "runtime/time/clock.h"
#include "runtime/time/timers.h"
#undef edo__threads_start
#undef edo__threads_stop

enum {
    TASKS = 6,
    WORKERS = 3,
    SOON = 1000, // deadlines under a test clock
    LATER = 2000,
};

static struct {
    edo_runtime *runtime;
    edo__worker *workers[WORKERS];
    edo_task tasks[TASKS]; // never polled; they only pass through queues
    unsigned taken[TASKS];
    bool sleeps[WORKERS];
    edo_task *task; // a task that is polled
    unsigned polls, ends;
    int64_t later; // the limit, if set
    edo__waiter waiter;
    int worker, rc;
} * s;

/* A worker played by a thread of the model. */
bool edo__threads_stop(edo_runtime *runtime, int64_t deadline)
{
    (void)runtime;
    (void)deadline;
    if (s->worker) model_join(s->worker);
    return true;
}

static void be(unsigned index)
{
    edo__self = (struct edo__thread){ .runtime = s->runtime, .worker = s->workers[index] };
}

static void set_up(int workers)
{
    s = model_alloc_static(sizeof *s);
    memset(s, 0, sizeof *s);
    s->runtime = fake_runtime_with(&(edo_config){ .workers = workers });
    for (int i = 0; i < workers; i++)
        s->workers[i] = s->runtime->workers[i];
    for (int i = 0; i < TASKS; i++)
        s->tasks[i].runtime = s->runtime;
}

static void tear_down(void)
{
    edo__self = (struct edo__thread){ 0 };
    model_assert(edo_runtime_destroy(s->runtime) == 0);
}

static edo_task *task(unsigned i)
{
    edo_plain_write(&s->tasks[i].id); // visible to the taker
    s->tasks[i].id++;
    return &s->tasks[i];
}

static unsigned take_all(unsigned index)
{
    unsigned count = 0;
    edo__worker *worker = s->workers[index];
    for (edo_task *t; (t = edo__worker_pop(worker)); count++) {
        edo_plain_write(&t->id);
        s->taken[t - s->tasks]++;
    }
    return count;
}

static void check_taken(unsigned count)
{
    for (unsigned i = 0; i < TASKS; i++)
        model_assert(s->taken[i] == (i < count));
}

static bool is_notified(unsigned index)
{
    return edo_load_relaxed(&s->workers[index]->park) == EDO__NOTIFIED_PARK;
}

/* ---- going to sleep, against work that comes ---- */

static void search_from_the_start(unsigned index)
{
    model_assert(edo__idle_begin_search(s->workers[index]));
}

static void fall_asleep(unsigned index)
{
    be(index);
    s->sleeps[index] = edo__idle_enter(s->workers[index]);
}

THREAD(first_sleeps)
{
    fall_asleep(1);
}

static void check_sleeper(int sleeper)
{
    model_join(sleeper);
    model_assert(!s->sleeps[1] || is_notified(1));
    take_all(0);
}

MODEL(sleep_against_push, "who goes to sleep finds what is pushed meanwhile, or is woken for it")
{
    set_up(2);
    int sleeper = model_start(first_sleeps, NULL);
    be(0);
    edo__worker_push_back(s->workers[0], task(0));
    check_sleeper(sleeper);
    edo__idle_leave(s->workers[1]);
    tear_down();
}

static void push_from_task(unsigned index, edo_task *pushed)
{
    edo__self.cx = &s->workers[index]->cx; // as inside of a poll
    edo__worker_push(s->workers[index], pushed);
    edo__self.cx = NULL;
}

MODEL(no_sleep_beside_work, "who finds work elsewhere is none of those who sleep")
{
    set_up(2);
    be(0);
    edo__worker_push_back(s->workers[0], task(0));
    fall_asleep(1);
    model_assert(!s->sleeps[1] && !s->workers[1]->is_listed);
    model_assert(edo_load_relaxed(&s->runtime->idle.sleeping) == 0);
    take_all(0);
    tear_down();
}

MODEL(sleep_against_slot, "the same for what is pushed out of the next-task slot")
{
    set_up(2);
    be(0);
    push_from_task(0, task(0));
    int sleeper = model_start(first_sleeps, NULL);
    push_from_task(0, task(1));
    check_sleeper(sleeper);
    tear_down();
}

MODEL(searcher_sleeps_against_push,
      "the same for one that searched: pushers rely on it until it is in the list")
{
    set_up(2);
    be(1);
    search_from_the_start(1);
    int sleeper = model_start(first_sleeps, NULL);
    be(0);
    edo__worker_push_back(s->workers[0], task(0));
    check_sleeper(sleeper);
    tear_down();
}

/* A worker that goes on searching may find the task as well. */
MODEL(last_searcher_sleeps, "while one searches nobody is woken, but the last one looks once more")
{
    set_up(3);
    be(1);
    search_from_the_start(1);
    fall_asleep(2);
    int sleeper = model_start(first_sleeps, NULL);
    be(0);
    edo__worker_push_back(s->workers[0], task(0));
    model_join(sleeper);
    model_assert(!s->sleeps[1] || is_notified(1) || is_notified(2));
    take_all(0);
    tear_down();
}

/* One worker searches, and another one has a task. */
static void set_up_beside_a_searcher(void)
{
    set_up(3);
    be(1);
    search_from_the_start(1); // was woken, and has no processor yet
    be(0);
    edo__worker_push_back(s->workers[0], task(0));
    be(2);
}

MODEL(steals_beside_a_searcher, "a worker that may not search steals, and does not spin")
{
    set_up_beside_a_searcher();
    edo__wait_among_others(s->workers[2]);
    model_assert(take_all(2) == 1);
    check_taken(1);
    tear_down();
}

MODEL(steals_in_its_lap, "under a test clock only a worker that holds the baton steals")
{
    set_up_beside_a_searcher();
    edo_store_relaxed(&s->runtime->clock.paused, true);
    edo__worker_park(s->workers[2]);
    edo_store_relaxed(&s->runtime->clock.paused, false);
    model_assert(take_all(2) == 0);
    take_all(0);
    check_taken(1);
    tear_down();
}

THREAD(inject)
{
    edo_task *first = task(0);
    edo__inject_push(s->runtime, first, first, 1);
}

static void take_injected(unsigned index)
{
    be(index);
    model_assert(edo__inject_take(s->workers[index], TASKS) == 1);
    model_assert(take_all(index) == 1);
    check_taken(1);
}

MODEL(sleep_against_inject,
      "who goes to sleep finds what is injected meanwhile, or is woken for it")
{
    set_up(1);
    int pusher = model_start(inject, NULL);
    be(0);
    bool sleeps = edo__idle_enter(s->workers[0]);
    model_join(pusher);
    model_assert(!sleeps || (is_notified(0) && s->workers[0]->is_searching));
    take_injected(0);
    tear_down();
}

MODEL(searchers_sleep_against_inject,
      "of two that search and go to sleep one runs what is injected")
{
    set_up(2);
    be(0);
    search_from_the_start(0);
    int other = model_start(first_sleeps, NULL);
    int pusher = model_start(inject, NULL);
    fall_asleep(0);
    model_join(pusher);
    model_join(other);
    bool all_sleep = s->sleeps[0] && s->sleeps[1];
    model_assert(!all_sleep || is_notified(0) || is_notified(1));
    take_injected(0);
    tear_down();
}

MODEL(park_against_inject, "a worker that sleeps in its driver, or is about to, wakes for a push")
{
    set_up(1);
    int pusher = model_start(inject, NULL);
    be(0);
    bool sleeps = edo__idle_enter(s->workers[0]);
    uint32_t park = EDO__AWAKE;
    if (sleeps && edo_cas_relaxed(&s->workers[0]->park, &park, EDO__PARKED))
        s->workers[0]->driver->ops->turn(s->workers[0]->driver, EDO_NEVER);
    edo_swap_acquire(&s->workers[0]->park, EDO__AWAKE);
    edo__idle_leave(s->workers[0]);
    model_assert(edo__inject_take(s->workers[0], TASKS) == 1);
    model_join(pusher);
    take_all(0);
    check_taken(1);
    tear_down();
}

THREAD(second_leaves)
{
    be(1);
    edo__idle_leave(s->workers[1]);
    s->rc = s->workers[1]->is_searching;
    edo__idle_end_search(s->workers[1]);
}

MODEL(wake_against_leave, "a sleeper that wakes by itself while it is woken is counted once")
{
    set_up(2);
    fall_asleep(1);
    int other = model_start(second_leaves, NULL);
    be(0);
    edo__idle_wake_one(s->runtime);
    model_join(other);
    model_assert(edo_load_relaxed(&s->runtime->idle.searching) == 0);
    model_assert(edo_load_relaxed(&s->runtime->idle.sleeping) == 0);
    model_assert(s->rc == is_notified(1));
    tear_down();
}

THREAD(second_searches)
{
    be(1);
    if (edo__worker_search(s->workers[1]))
        take_all(1);
    else
        fall_asleep(1);
    edo__idle_end_search(s->workers[1]);
}

MODEL(search_against_inject, "what is injected while one searches is found, or another is woken")
{
    set_up(2);
    fall_asleep(0);
    int searcher = model_start(second_searches, NULL);
    inject(NULL);
    model_join(searcher);
    bool waits = edo_load_relaxed(&s->runtime->idle.injected.count);
    model_assert(!waits || !s->sleeps[1] || is_notified(0) || is_notified(1));
    if (waits) take_injected(0);
    check_taken(1);
    tear_down();
}

/* ---- wakes of workers, step by step ---- */

MODEL(woken_is_taken_out, "who is woken is no sleeper any more, and searches")
{
    set_up(2);
    fall_asleep(1);
    be(0);
    edo__idle_wake_one(s->runtime);
    model_assert(is_notified(1) && s->workers[1]->is_searching);
    model_assert(edo_load_relaxed(&s->runtime->idle.sleeping) == 0);
    tear_down();
}

/* Both workers sleep, and tasks are queued without a wake, because one worker was searching. */
static void search_while_one_sleeps(void)
{
    set_up(3);
    fall_asleep(2);
    be(1);
    search_from_the_start(1);
}

MODEL(search_passes_on, "who has found tasks has another one look for the rest")
{
    search_while_one_sleeps();
    be(0);
    for (unsigned i = 0; i < 3; i++)
        edo__worker_push_back(s->workers[0], task(i));
    model_assert(!is_notified(2));
    be(1);
    model_assert(edo__worker_search(s->workers[1]));
    model_assert(is_notified(2));
    take_all(1);
    take_all(0);
    check_taken(3);
    tear_down();
}

MODEL(last_search_passes_on, "the last one that stops searching has another one look")
{
    search_while_one_sleeps();
    inject(NULL);
    model_assert(!is_notified(2));
    edo__idle_end_search(s->workers[1]);
    model_assert(is_notified(2));
    take_injected(1);
    tear_down();
}

/* The clock is paused; a worker waits for a deadline ahead. */
static void set_up_paused(void)
{
    set_up(2);
    edo__clock *clock = &s->runtime->clock;
    edo_store_relaxed(&clock->paused, true);
    edo_store_relaxed(&clock->frozen, 0);
    edo_store_relaxed(&clock->target, 0);
    edo__timer_set(s->workers[0], &s->tasks[0], SOON);
}

static void tear_down_paused(void)
{
    for (unsigned i = 0; i < TASKS; i++)
        edo__timer_cancel(&s->tasks[i]);
    edo_store_relaxed(&s->runtime->clock.paused, false);
    tear_down();
}

THREAD(pauses)
{
    be(0);
    model_assert(edo_clock_pause() == 0);
}

MODEL(pause_against_now, "who sees that a test clock stands still sees where")
{
    set_up(1);
    fake_now = LATER;
    int pauser = model_start(pauses, NULL);
    model_assert(edo__runtime_now(s->runtime) == LATER);
    model_join(pauser);
    be(0);
    model_assert(edo_clock_resume() == 0);
    tear_down();
}

THREAD(resumes)
{
    be(0);
    model_assert(edo_clock_resume() == 0);
}

MODEL(resume_against_now, "who sees that it goes on again sees from where")
{
    set_up(1);
    fake_now = LATER;
    be(0);
    model_assert(edo_clock_pause() == 0);
    fake_now = 0;
    int resumer = model_start(resumes, NULL);
    model_assert(edo__runtime_now(s->runtime) == LATER);
    model_join(resumer);
    tear_down();
}

MODEL(resume_wakes, "workers that sleep without regard to their timers are told that it goes on")
{
    set_up_paused();
    be(0);
    model_assert(edo_clock_resume() == 0);
    model_assert(is_notified(0) && is_notified(1));
    tear_down_paused();
}

THREAD(second_advances)
{
    be(1);
    model_assert(edo_clock_advance(SOON) == 0);
}

MODEL(two_advance, "of two that advance it at once neither is lost")
{
    set_up_paused();
    int second = model_start(second_advances, NULL);
    be(0);
    model_assert(edo_clock_advance(LATER) == 0);
    model_join(second);
    model_assert(edo_load_relaxed(&s->runtime->clock.target) == SOON + LATER);
    tear_down_paused();
}

MODEL(stack_is_work, "a worker that was handed a task has work")
{
    set_up(1);
    edo__worker_push_foreign(s->workers[0], task(0));
    be(0);
    model_assert(edo__worker_has_tasks(s->workers[0]));
    edo__worker_drain_inject(s->workers[0]);
    take_all(0);
    tear_down();
}

MODEL(help_takes_injected, "who helps also takes what was injected")
{
    set_up(2);
    inject(NULL);
    be(1);
    edo__worker_help(s->workers[1]);
    model_assert(take_all(1) == 1);
    check_taken(1);
    tear_down();
}

/* ---- the next-task slot ---- */

static void take_overflow(unsigned index)
{
    be(index);
    for (edo__worker_take_overflow(s->workers[index], INT64_MAX); take_all(index);)
        edo__worker_take_overflow(s->workers[index], INT64_MAX);
}

THREAD(rob_first)
{
    be(1);
    edo__worker_rob(s->workers[1], s->workers[0]);
    take_all(1);
    take_overflow(1);
}

MODEL(slot_against_thief, "what lies in the next-task slot is run once, by its owner or by a thief")
{
    set_up(2);
    int thief = model_start(rob_first, NULL);
    be(0);
    push_from_task(0, task(0));
    push_from_task(0, task(1));
    take_all(0);
    push_from_task(0, task(2));
    take_all(0);
    model_join(thief);
    check_taken(3);
    tear_down();
}

MODEL(slot_pushes_out, "who is pushed out of the slot goes into the ring, unless a thief has it")
{
    set_up(2);
    be(0);
    push_from_task(0, task(0));
    int thief = model_start(rob_first, NULL);
    push_from_task(0, task(1));
    model_join(thief);
    be(0);
    take_all(0);
    check_taken(2);
    tear_down();
}

MODEL(slot_lets_others, "after three tasks in a row from the slot the ring is next")
{
    set_up(2);
    be(0);
    edo__worker_push_back(s->workers[0], task(0));
    for (int i = 1; i <= 3; i++) {
        push_from_task(0, task((unsigned)i));
        model_assert(edo__worker_pop(s->workers[0]) == &s->tasks[i]);
    }
    push_from_task(0, task(4));
    model_assert(edo__worker_pop(s->workers[0]) == &s->tasks[0]);
    model_assert(edo__worker_pop(s->workers[0]) == &s->tasks[4]);
    tear_down();
}

/* ---- the stack of a worker ---- */

THREAD(push_foreign)
{
    edo__worker_push_foreign(s->workers[0], task(0));
}

THREAD(push_pinned)
{
    s->tasks[1].head.private_[EDO__WORKER_HOME] = 1;
    edo__worker_push_foreign(s->workers[0], task(1));
}

MODEL(stack_against_robber,
      "what is handed to a worker is run once, by its owner or by who helps it")
{
    set_up(2);
    int pusher = model_start(push_foreign, NULL), thief = model_start(rob_first, NULL);
    be(0);
    edo__worker_drain_inject(s->workers[0]);
    take_all(0);
    model_join(pusher);
    model_join(thief);
    edo__worker_drain_inject(s->workers[0]);
    take_all(0);
    check_taken(1);
    model_assert(is_notified(0));
    tear_down();
}

MODEL(stack_of_pinned, "what is pinned to a stuck worker stays with it, whoever helps")
{
    set_up(2);
    int pusher = model_start(push_pinned, NULL), other = model_start(push_foreign, NULL);
    be(1);
    edo__worker_rob(s->workers[1], s->workers[0]);
    take_all(1);
    model_assert(s->taken[1] == 0);
    model_join(pusher);
    model_join(other);
    be(0);
    edo__worker_drain_inject(s->workers[0]);
    take_all(0);
    check_taken(2);
    tear_down();
}

MODEL(inject_takes_share, "what is taken from the inject queue is taken once, and in its order")
{
    set_up(2);
    for (unsigned i = 0; i < 3; i++) {
        edo_task *next = task(i);
        edo__inject_push(s->runtime, next, next, 1);
    }
    int other = model_start(second_searches, NULL);
    be(0);
    edo__worker_take_injected(s->workers[0]);
    take_all(0);
    model_join(other);
    be(0);
    while (edo__inject_take(s->workers[0], 1))
        take_all(0);
    check_taken(3);
    tear_down();
}

/* ---- a queued task is polled within a bounded number of polls of its worker ---- */

static void be_stuck(unsigned index)
{
    edo_store_figure(&s->workers[index]->stuck_turn, s->workers[index]->turns);
    edo_store_relaxed(&s->workers[index]->stuck, EDO__STUCK_LONG);
}

/* A worker returns from a long poll, still marked as stuck. It polls one task, and is stuck in it.
 * Returns: the task. */
static unsigned come_back(unsigned index)
{
    edo__worker *worker = s->workers[index];
    be(index);
    edo_store_figure(&worker->turns, worker->turns + 1);
    edo__worker_help(worker);
    edo__worker_take_overflow(worker, 0);
    edo__worker_take_yielded(worker);
    edo_task *polled = edo__worker_pop(worker);
    if (!polled) return TASKS;
    edo_plain_write(&polled->id);
    unsigned i = (unsigned)(polled - s->tasks);
    s->taken[i]++;
    be_stuck(index);
    return i;
}

THREAD(first_comes_back)
{
    come_back(1);
}

MODEL(loot_is_polled, "whoever robs a task polls it before another one can rob it of it")
{
    set_up(3);
    edo__worker_push_yielded(s->workers[1], task(1)); // the task of the long poll
    edo__worker_push_yielded(s->workers[2], task(2));
    edo__worker_push_back(s->workers[0], task(0));
    for (unsigned i = 0; i < 3; i++)
        be_stuck(i);
    int other = model_start(first_comes_back, NULL);
    come_back(2);
    model_join(other);
    model_assert(s->taken[0] == 1);
    for (unsigned i = 0; i < 3; i++)
        take_all(i), edo__worker_take_yielded(s->workers[i]), take_all(i);
    check_taken(3);
    tear_down();
}

/* The last two tasks yield after a long poll, as all polls here are; the first three are ready. */
static unsigned polls_until(unsigned wanted)
{
    unsigned polls = 0, polled;
    do {
        unsigned worker = 1 + polls++ % 2;
        polled = come_back(worker);
        if (polled == 3 || polled == 4) edo__worker_push_yielded(s->workers[worker], task(polled));
    } while (polled != wanted && polls < 100);
    return polls;
}

static void robbed_in_turns(unsigned wanted)
{
    set_up(3);
    for (unsigned i = 0; i < 3; i++)
        edo__worker_push_back(s->workers[0], task(i));
    edo__worker_push_back(s->workers[1], task(3));
    edo__worker_push_back(s->workers[2], task(4));
    for (unsigned i = 0; i < 3; i++)
        be_stuck(i);
    model_assert(polls_until(wanted) <=
                 2 * (wanted + 2)); // of two workers, and the tasks before it
    for (unsigned i = 0; i < 3; i++)
        for (take_all(i); edo__worker_has_tasks(s->workers[i]); take_all(i))
            edo__worker_take_yielded(s->workers[i]);
    tear_down();
}

MODEL(robbed_in_turns, "a task that is robbed again and again never gets further behind")
{
    robbed_in_turns(2);
}

MODEL(robbed_at_once, "nor does the first of a ring")
{
    robbed_in_turns(0);
}

/* ---- after long polls ---- */

MODEL(woken_before_yielded,
      "what is woken goes before what yields after a long poll, but not for ever")
{
    set_up(2);
    edo__worker *worker = s->workers[0];
    be(0);
    edo__worker_push_yielded(worker, task(0));
    edo__worker_push_yielded(worker, task(1));
    edo__worker_push_back(worker, task(2));
    unsigned turns = 0;
    while (!s->taken[0] && turns++ < 100) {
        edo__worker_take_yielded(worker);
        edo_task *first = edo__worker_pop(worker);
        model_assert(turns > 1 || first == &s->tasks[2]);
        if (first == &s->tasks[2])
            edo__worker_push_back(worker, first); // always ready again
        else
            s->taken[first - s->tasks]++;
    }
    model_assert(turns < 20);
    edo__worker_take_yielded(worker);
    take_all(0);
    edo__worker_take_yielded(worker);
    take_all(0);
    check_taken(3);
    tear_down();
}

THREAD(steals_first)
{
    be(1);
    edo__worker_search(s->workers[1]);
    edo__idle_end_search(s->workers[1]);
}

MODEL(yielded_against_thief, "what yields after a long poll can be stolen, and nothing is lost")
{
    set_up(2);
    be(0);
    for (unsigned i = 0; i < 2; i++)
        edo__worker_push_yielded(s->workers[0], task(i));
    int thief = model_start(steals_first, NULL);
    edo__worker_take_yielded(s->workers[0]);
    take_all(0);
    model_join(thief);
    for (unsigned i = 0; i < 2; i++)
        for (take_all(i); edo__worker_has_tasks(s->workers[i]); take_all(i))
            edo__worker_take_yielded(s->workers[i]);
    check_taken(2);
    tear_down();
}

MODEL(sleep_against_yielded, "who goes to sleep finds what yields meanwhile, or is woken for it")
{
    set_up(2);
    int sleeper = model_start(first_sleeps, NULL);
    be(0);
    edo__worker_push_yielded(s->workers[0], task(0));
    check_sleeper(sleeper);
    edo__worker_take_yielded(s->workers[0]);
    take_all(0);
    edo__idle_leave(s->workers[1]);
    tear_down();
}

/* ---- a ring that is full ---- */

static void overflow_first(void)
{
    set_up(2);
    be(0);
    for (unsigned i = 0; i < TASKS; i++)
        edo__worker_push_back(s->workers[0], task(i));
}

MODEL(overflow_against_thief, "what does not fit into a ring waits behind it, and nothing is lost")
{
    overflow_first();
    int thief = model_start(rob_first, NULL);
    be(0);
    take_all(0);
    take_overflow(0);
    model_join(thief);
    check_taken(TASKS);
    tear_down();
}

MODEL(overflow_against_rob, "the same while the ring overflows")
{
    set_up(2);
    int thief = model_start(rob_first, NULL);
    be(0);
    for (unsigned i = 0; i < TASKS; i++)
        edo__worker_push_back(s->workers[0], task(i));
    take_all(0);
    take_overflow(0);
    model_join(thief);
    check_taken(TASKS);
    tear_down();
}

MODEL(overflow_after_help, "a ring overflows again when a helper has taken all")
{
    overflow_first();
    be(1);
    edo__worker_rob(s->workers[1], s->workers[0]);
    take_all(1);
    take_overflow(1);
    be(0);
    take_all(0);
    check_taken(TASKS);
    for (unsigned i = 0; i < TASKS; i++)
        edo__worker_push_back(s->workers[0], task(i));
    take_all(0);
    take_overflow(0);
    for (unsigned i = 0; i < TASKS; i++)
        model_assert(s->taken[i] == 2);
    tear_down();
}

MODEL(overflow_of_full_ring, "what waits behind a ring that stays full gets in")
{
    overflow_first(); // three in the ring, three in the overflow list
    edo__worker *worker = s->workers[0];
    edo__worker_take_overflow(worker, 0);
    model_assert(edo__queue_room(&worker->queue) == 0);
    uint64_t behind = edo_load_relaxed(&worker->overflow.count);
    edo_task *next = worker->overflow.first;
    edo__worker_take_overflow(worker, INT64_MAX); // no task of the ring was polled
    model_assert(worker->overflow.first == next);
    worker->cx.polls += EDO__QUEUE_SLOTS;
    edo__worker_take_overflow(worker, 0); // nor this soon
    model_assert(worker->overflow.first == next);
    edo__worker_take_overflow(worker, INT64_MAX);
    model_assert(worker->overflow.first != next);
    model_assert(edo_load_relaxed(&worker->overflow.count) == behind);
    take_all(0);
    take_overflow(0);
    check_taken(TASKS);
    tear_down();
}

static void empty_ring(unsigned index)
{
    for (edo_task *next; (next = edo__queue_pop(&s->workers[index]->queue));)
        s->taken[next - s->tasks]++;
}

MODEL(overflow_is_seen, "who goes to sleep, or searches, sees what waits behind a ring")
{
    overflow_first();
    empty_ring(0);
    model_assert(edo__worker_has_tasks(s->workers[0]));
    be(1);
    model_assert(!edo__idle_enter(s->workers[1]));
    model_assert(edo__worker_search(s->workers[1]));
    take_all(1);
    take_overflow(0);
    check_taken(TASKS);
    tear_down();
}

/* ---- tasks that are worth a wake only in large numbers, or never ---- */

MODEL(sleep_against_many, "who goes to sleep meanwhile finds them, or is woken")
{
    set_up(2);
    s->workers[0]->notify_at = 2;
    int sleeper = model_start(first_sleeps, NULL);
    be(0);
    edo__worker_push_back(s->workers[0], task(0));
    edo__worker_push_back(s->workers[0], task(1));
    check_sleeper(sleeper);
    tear_down();
}

MODEL(short_ones_are_kept,
      "tasks that end soon are not stolen, and wake nobody; a helper takes them")
{
    set_up(2);
    s->workers[0]->notify_at = UINT64_MAX;
    edo_store_relaxed(&s->workers[0]->keeps_ready, true);
    fall_asleep(1);
    be(0);
    edo__worker_push_back(s->workers[0], task(0));
    model_assert(!is_notified(1));
    be(1);
    model_assert(!edo__worker_search(s->workers[1]));
    edo__worker_rob(s->workers[1], s->workers[0]);
    take_all(1);
    check_taken(1);
    tear_down();
}

MODEL(help_while_turns_are_full,
      "who helps turns the driver until a turn is not full, 8 times at most")
{
    set_up(2);
    edo_store_relaxed(&s->workers[0]->stuck, EDO__STUCK_LONG);
    be(1);
    fake_events = 3 * EDO__FULL_TURN + 1;
    edo__worker_help(s->workers[1]);
    model_assert(fake_events == 0);
    fake_events = 9 * EDO__FULL_TURN;
    edo__worker_help(s->workers[1]);
    model_assert(fake_events == EDO__FULL_TURN);
    fake_events = 0;
    tear_down();
}

MODEL(help_is_owed_for_a_turn, "a watcher whose stuck worker has returned sleeps again")
{
    set_up(2);
    be(1);
    s->workers[1]->owes_help = true;
    edo__worker_notify(s->workers[1]); // the turn does not wait
    edo__worker_turn(s->workers[1]);
    model_assert(!s->workers[1]->owes_help);
    tear_down();
}

/* ---- packing ---- */

/* Tasks of the second worker that arrive at the first one when the second one packs. */
static unsigned pack(void)
{
    be(1);
    edo__worker_push_back(s->workers[1], task(0));
    edo__pack(s->workers[1]);
    be(0);
    edo__worker_drain_inject(s->workers[0]);
    unsigned moved = take_all(0);
    model_assert(moved + take_all(1) == 1);
    return moved;
}

MODEL(pack_hands_over,
      "a woken worker hands its tasks to a lower one that was awake lately, and wakes it")
{
    set_up(2);
    edo_store_relaxed(&s->workers[0]->park, EDO__PARKED);
    model_assert(pack() == 1);
    model_assert(is_notified(0));
    tear_down();
}

MODEL(pack_needs_time, "not to a worker that has not slept lately, is late, or is stuck")
{
    set_up(2);
    edo__worker *target = s->workers[0];
    edo_store_figure(&s->workers[1]->woke_at, edo_us(999));
    edo_store_figure(&target->turned_at, edo_us(900));
    model_assert(pack() == 1);
    edo_store_relaxed(&target->park, EDO__AWAKE);
    edo_store_figure(&target->turned_at, edo_us(899)); // perhaps in a long poll
    model_assert(pack() == 0);
    edo_store_relaxed(&target->park, EDO__PARKED); // a sleeper is never late
    model_assert(pack() == 1);
    edo_store_relaxed(&target->park, EDO__AWAKE);
    edo_store_figure(&target->turned_at, edo_us(900));
    be_stuck(0);
    model_assert(pack() == 0);
    edo_store_relaxed(&target->stuck, 0);
    model_assert(pack() == 1);
    edo_store_relaxed(&target->park, EDO__PARKED);
    edo_store_figure(&s->workers[1]->woke_at, edo_us(1000));
    model_assert(pack() == 0);
    tear_down();
}

MODEL(pack_moves_little, "a burst stays where it is")
{
    set_up(2);
    s->workers[1]->mean_poll = edo_us(100);
    model_assert(pack() == 0);
    s->workers[1]->mean_poll = edo_us(50);
    be(1);
    edo__worker_push_back(s->workers[1], task(1));
    edo__worker_push_back(s->workers[1], task(2));
    edo__pack(s->workers[1]);
    model_assert(take_all(1) == 2);
    model_assert(pack() == 1);
    tear_down();
}

MODEL(pack_counts_others, "not to a worker that other workers have just handed much")
{
    set_up(2);
    edo__worker *target = s->workers[0];
    edo_store_relaxed(&target->park, EDO__PARKED);
    s->workers[1]->mean_poll = edo_us(40);
    edo__worker_push_foreign(target, task(1));
    be(1);
    edo__worker_push_back(s->workers[1], task(0));
    edo__pack(s->workers[1]);
    model_assert(take_all(1) == 0);
    edo_store_relaxed(&target->park, EDO__PARKED);
    edo__worker_push_back(s->workers[1], task(2));
    edo__pack(s->workers[1]);
    model_assert(take_all(1) == 1);
    be(0);
    edo__worker_drain_inject(target);
    model_assert(take_all(0) == 2);
    edo_store_relaxed(&target->park, EDO__PARKED);
    model_assert(pack() == 1);
    tear_down();
}

MODEL(pack_keeps_bound,
      "not after an event whose task must wait here again, but after the next one")
{
    set_up(2);
    edo_store_relaxed(&s->workers[0]->park, EDO__PARKED);
    edo_store_figure(&s->workers[1]->driver->binds, true);
    model_assert(pack() == 0);
    model_assert(pack() == 1);
    tear_down();
}

MODEL(pack_goes_down, "not to a higher worker, and not under a paused clock")
{
    set_up(2);
    edo_store_relaxed(&s->workers[1]->park, EDO__PARKED);
    be(0);
    edo__worker_push_back(s->workers[0], task(0));
    edo__pack(s->workers[0]);
    model_assert(take_all(0) == 1);
    edo_store_relaxed(&s->workers[0]->park, EDO__PARKED);
    edo_store_relaxed(&s->workers[1]->park, EDO__AWAKE);
    edo_store_relaxed(&s->runtime->clock.paused, true);
    model_assert(pack() == 0);
    edo_store_relaxed(&s->runtime->clock.paused, false);
    tear_down();
}

/* ---- help against an owner that returns ---- */

THREAD(help_first)
{
    be(1);
    edo__worker_help(s->workers[1]);
    take_all(1);
}

MODEL(help_against_return, "a helper turns the driver only while the owner does not, and both end")
{
    set_up(2);
    be(0);
    push_from_task(0, task(0));
    edo_store_relaxed(&s->workers[0]->stuck, EDO__STUCK_LONG);
    int helper = model_start(help_first, NULL);
    take_all(0);
    edo__worker *mine = s->workers[0];
    edo__lock_take(&mine->turn_lock);
    mine->driver->ops->turn(mine->driver, 0);
    edo__lock_give(&mine->turn_lock);
    model_join(helper);
    take_all(0);
    check_taken(1);
    tear_down();
}

THREAD(notify_first)
{
    edo__worker_notify(s->workers[0]);
}

MODEL(help_against_sleep, "the unpark of a worker that sleeps again is not taken by a late helper")
{
    set_up(2);
    edo_store_relaxed(&s->workers[0]->stuck, EDO__STUCK_LONG);
    int helper = model_start(help_first, NULL), waker = model_start(notify_first, NULL);
    be(0);
    edo__worker_turn(s->workers[0]); // ends; otherwise a deadlock
    model_join(helper);
    model_join(waker);
    tear_down();
}

/* A helper that found the worker stuck before its sleep. */
THREAD(turn_late)
{
    edo__worker *victim = s->workers[0];
    if (!edo__lock_try(&victim->turn_lock)) return;
    victim->driver->ops->turn(victim->driver, 0);
    edo__lock_give(&victim->turn_lock);
}

MODEL(helper_against_park, "the same between the announcement of the sleep and the sleep itself")
{
    set_up(2);
    int helper = model_start(turn_late, NULL), waker = model_start(notify_first, NULL);
    be(0);
    edo__worker_park(s->workers[0]); // ends; otherwise a deadlock
    model_join(helper);
    model_join(waker);
    tear_down();
}

/* ---- timers ---- */

enum { LIMIT = 1000000000 };

struct limited {
    edo_frame();
    edo_args(int polls;); // number of waits for the limit
};

static edo_poll limited_poll(edo_future *future, edo_cx *cx)
{
    struct limited *self = (struct limited *)(void *)future;
    edo_plain_write(&self->polls);
    s->polls++;
    future->result = 0;
    if (self->polls-- == 0) {
        s->ends++;
        return EDO_READY;
    }
    edo_cx_deadline(cx, s->later ? s->later : LIMIT + self->polls); // each time a little earlier
    return EDO_PENDING;
}

POLLED(limited);

static void poll_all(unsigned index)
{
    be(index);
    edo__worker *worker = s->workers[index];
    edo__worker_drain_inject(worker);
    for (edo_task *t; (t = edo__worker_pop(worker));)
        edo__poll_task(worker, t);
}

static void spawn_limited(edo_task **ret_task, uint32_t pinned, int polls)
{
    edo_spawn_options options = { .runtime = s->runtime, .pinned = pinned };
    model_assert(edo_spawn_with(ret_task, &options, limited, .polls = polls) == 0);
}

/* Arms the task's timer in the wheel of the first worker. */
static void arm(int workers, int polls)
{
    set_up(workers);
    be(0);
    spawn_limited(&s->task, 0, polls);
    poll_all(0);
    fake_now = 2 * (int64_t)LIMIT;
}

static void fire_first(unsigned by)
{
    be(by);
    edo__fire_timers(s->workers[by], s->workers[0]);
    poll_all(by);
}

THREAD(second_fires_first)
{
    fire_first(1);
}

THREAD(third_fires_first)
{
    fire_first(2);
}

/* A wake has the second worker poll the task, which moves the timer or leaves it. */
THREAD(second_polls)
{
    be(1);
    edo_wake(&s->task->head);
    edo_detach(s->task);
    poll_all(1);
}

static void check_ended(void)
{
    poll_all(0);
    model_assert(s->ends == 1);
    model_assert(edo_runtime_task_count(s->runtime) == 0);
    tear_down();
}

MODEL(timer_fired_by_two, "the owner and a helper fire one timer once; its task is polled once")
{
    arm(2, 1);
    int helper = model_start(second_fires_first, NULL);
    fire_first(0);
    model_join(helper);
    model_assert(s->polls == 2);
    edo_detach(s->task);
    check_ended();
}

MODEL(timer_fired_against_end, "a task that ends elsewhere is not touched by its timer any more")
{
    arm(2, 1);
    int poller = model_start(second_polls, NULL);
    fire_first(0);
    model_join(poller);
    check_ended();
}

MODEL(timer_fired_by_helper_against_end, "the same when a helper fires, beside the owner")
{
    arm(3, 1);
    int poller = model_start(second_polls, NULL), helper = model_start(third_fires_first, NULL);
    fire_first(0);
    model_join(poller);
    model_join(helper);
    check_ended();
}

MODEL(timer_again, "a timer that has fired is armed anew, also for later")
{
    arm(2, 2);
    s->later = 4 * (int64_t)LIMIT;
    fire_first(0); // the task waits again
    model_assert(s->polls == 2);
    fake_now = s->later;
    int helper = model_start(second_fires_first, NULL);
    fire_first(0);
    model_join(helper);
    edo_detach(s->task);
    check_ended();
}

MODEL(timer_ends_sleep, "a worker that wakes by itself is none of those who sleep any more")
{
    arm(1, 1);
    edo__worker_turn(s->workers[0]);
    model_assert(edo_load_relaxed(&s->runtime->idle.sleeping) == 0);
    edo_detach(s->task);
    check_ended();
}

MODEL(timer_moves, "a task that another worker polls takes an earlier timer to its own wheel")
{
    arm(2, 2);
    int poller = model_start(second_polls, NULL);
    fire_first(0);
    model_join(poller);
    be(1);
    edo__fire_timers(s->workers[1], s->workers[1]);
    poll_all(1);
    fire_first(0);
    check_ended();
}

/* ---- wakes of a pinned task, by others ---- */

MODEL(pinned_wake, "a wake of a pinned task reaches its worker, which alone polls it")
{
    set_up(2);
    be(0);
    spawn_limited(&s->task, 1, 1);
    poll_all(0);
    int waker = model_start(second_polls, NULL);
    while (!s->ends) {
        poll_all(0);
        if (s->ends) break;
        model_yield(MODEL_HERE);
    }
    model_join(waker);
    check_ended();
}

MODEL(turn_takes_handed, "a turn runs what was handed to its worker")
{
    set_up(2);
    be(0);
    spawn_limited(NULL, 2, 0);
    be(1);
    edo__worker_turn(s->workers[1]);
    model_assert(s->ends == 1);
    tear_down();
}

/* ---- the mean poll ---- */

struct slow {
    edo_frame();
    edo_args(uint64_t preemptions;); // during the poll
};

static edo_poll slow_poll(edo_future *future, edo_cx *cx)
{
    (void)cx;
    fake_now += EDO__LONG_TURN;
    fake_preemptions += ((struct slow *)(void *)future)->preemptions;
    future->result = 0;
    return EDO_READY;
}

POLLED(slow);

/* Whether the mean poll counts a turn with one long poll. */
static bool does_slow_count(uint64_t preemptions)
{
    edo_spawn_options options = { .runtime = s->runtime, .pinned = 2 };
    const edo__worker *worker = s->workers[1];
    be(1);
    int64_t before = worker->mean_poll;
    model_assert(edo_spawn_with(NULL, &options, slow, .preemptions = preemptions) == 0);
    edo__worker_notify(s->workers[1]); // the turn does not wait
    edo__worker_turn(s->workers[1]);
    return worker->mean_poll != before;
}

MODEL(long_turn_counts, "the length of a long turn counts")
{
    set_up(2);
    model_assert(does_slow_count(0));
    tear_down();
}

MODEL(interrupted_turn_does_not_count, "not if the thread may have lost its processor")
{
    set_up(2);
    model_assert(!does_slow_count(1));
    model_assert(s->workers[1]->is_interrupted);
    tear_down();
}

MODEL(second_interrupted_turn_counts, "of two such turns in a row the second one counts")
{
    set_up(2);
    s->workers[1]->is_interrupted = true;
    model_assert(does_slow_count(1));
    model_assert(!s->workers[1]->is_interrupted);
    tear_down();
}

/* ---- the registry ---- */

THREAD(spawn_there)
{
    be(1);
    edo_spawn_options here = { .runtime = s->runtime };
    s->rc = edo_spawn_with(NULL, &here, limited, .polls = 0);
    poll_all(1);
}

MODEL(close_against_spawn, "a spawn is refused, or the drain finds its task, in every shard")
{
    set_up(2);
    s->worker = model_start(spawn_there, NULL);
    tear_down();
    model_assert(s->rc == 0 || s->rc == -ESHUTDOWN);
    model_assert(s->ends == (s->rc == 0));
}

THREAD(close_runtime)
{
    edo__runtime_close(s->runtime);
}

MODEL(close_against_new_worker, "a worker that is added while the runtime closes is closed too")
{
    set_up(1);
    edo__worker *spare;
    model_assert(edo__worker_create(s->runtime, 1, &spare) == 0);
    s->workers[1] = spare;
    int closer = model_start(close_runtime, NULL);
    edo__runtime_add_worker(s->runtime, spare);
    model_join(closer);
    spawn_there(NULL);
    model_assert(s->rc == -ESHUTDOWN);
    tear_down();
}

THREAD(end_task_there)
{
    poll_all(1);
}

MODEL(drain_against_end, "the drain that waits is told of the last end, wherever it comes")
{
    set_up(2);
    be(0);
    for (int i = 0; i < 2; i++)
        spawn_limited(NULL, 2, 0);
    s->worker = model_start(end_task_there, NULL);
    tear_down();
    model_assert(s->ends == 2);
}

/* ---- giving up ---- */

THREAD(give_up)
{
    edo__runtime_give_up(s->runtime);
}

MODEL_SAMPLED(give_up_against_end, "of giving up and the end one tells who waits; both may be late",
              100000)
{
    set_up(2);
    be(0);
    spawn_limited(&s->task, 2, 0);
    int worker = model_start(end_task_there, NULL);
    int ender = model_start(give_up, NULL);
    edo__self = (struct edo__thread){ 0 };
    edo__run_until(s->runtime, s->task, &(edo__waiter){ 0 });
    int64_t result = edo__task_result(s->task);
    model_assert(result == 0 || result == -ESHUTDOWN);
    model_join(worker);
    model_join(ender);
    edo_detach(s->task);
    tear_down();
}

MODEL(give_up_wakes, "who waits for a task that is given up is told, although it does not end")
{
    set_up(2);
    be(0);
    spawn_limited(&s->task, 2, 0);
    int ender = model_start(give_up, NULL);
    edo__self = (struct edo__thread){ 0 };
    edo__run_until(s->runtime, s->task, &(edo__waiter){ 0 });
    model_assert(edo__task_result(s->task) == -ESHUTDOWN);
    model_join(ender);
    edo_detach(s->task);
    poll_all(1); // the worker returns to the task after all
    model_assert(s->ends == 1);
    tear_down();
}

/* ---- a wait that is interrupted ---- */

THREAD(interrupt)
{
    edo__waiter_interrupt(&s->waiter);
}

static int wait_interrupted(int64_t drain_limit, int64_t abort_limit)
{
    s->runtime->config.drain_limit = drain_limit;
    s->runtime->config.abort_limit = abort_limit;
    edo__self = (struct edo__thread){ 0 };
    return edo__run_until(s->runtime, s->task, &s->waiter);
}

static void end_wait(void)
{
    poll_all(1);
    model_assert(s->ends == 1 && edo_task_is_done(s->task));
    edo_detach(s->task);
    tear_down();
}

MODEL(interrupt_gives_up, "a wait that is interrupted ends after its two limits, in sleep")
{
    set_up(2);
    be(0);
    spawn_limited(&s->task, 2, 0); // nobody polls it
    int other = model_start(interrupt, NULL);
    model_assert(wait_interrupted(SOON, LATER) == -ETIMEDOUT);
    model_assert(fake_now == SOON + LATER);
    model_assert(edo_load_relaxed(&s->task->state) & EDO__ABORTED);
    model_join(other);
    end_wait();
}

MODEL(interrupt_against_end,
      "the same beside the end of the task, which then does not use the waiter")
{
    set_up(2);
    be(0);
    spawn_limited(&s->task, 2, 0);
    int worker = model_start(end_task_there, NULL);
    edo__waiter_interrupt(&s->waiter);
    int rc = wait_interrupted(0, 0);
    edo_plain_write(&s->waiter); // its caller returns
    model_assert(rc == 0 || rc == -ETIMEDOUT);
    if (rc == 0) model_assert(edo__task_result(s->task) == 0);
    model_join(worker);
    end_wait();
}
