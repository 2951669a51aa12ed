/* edo-test: once. The state word of a task: a table of all transitions, and all of them against
 * each other on several threads. */
#include "support/support.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "task/state.h"

/* ---- the table ---- */

enum {
    IDLE = 0,
    QUEUED = EDO__NOTIFIED,
    RUNNING = EDO__RUNNING,
    WOKEN = EDO__RUNNING | EDO__NOTIFIED, // while it runs
    COMPLETE = EDO__COMPLETE,
    LOOKED_AT = EDO__INSPECTED,
    KEPT = EDO__JOIN_INTEREST | 3 * EDO__REF, // bits that no transition may change
};

static uint64_t prepare(uint64_t *state)
{
    return edo__state_prepare(state);
}

static uint64_t start(uint64_t *state)
{
    return edo__state_start(state);
}

static uint64_t pause_(uint64_t *state)
{
    return edo__state_pause(state);
}

static uint64_t requeue(uint64_t *state)
{
    edo__state_requeue(state);
    return 0;
}

static uint64_t keep(uint64_t *state)
{
    return edo__state_keep(state);
}

static uint64_t want(uint64_t *state)
{
    edo__state_want(state);
    return 0;
}

static uint64_t unwant(uint64_t *state)
{
    edo__state_unwant(state);
    return 0;
}

static uint64_t complete(uint64_t *state)
{
    return edo__state_complete(state);
}

static uint64_t joiner_told(uint64_t *state)
{
    edo__state_joiner_woken(state);
    return 0;
}

static uint64_t set_joiner(uint64_t *state)
{
    return edo__state_set_joiner(state);
}

static uint64_t unset_joiner(uint64_t *state)
{
    return edo__state_unset_joiner(state);
}

static uint64_t inspect(uint64_t *state)
{
    return edo__state_inspect(state);
}

static uint64_t release_idle(uint64_t *state) // idle before the inspection
{
    return edo__state_release(state, IDLE);
}

static uint64_t release_queued(uint64_t *state) // queued before the inspection
{
    return edo__state_release(state, QUEUED);
}

static uint64_t cancel(uint64_t *state)
{
    return edo__state_ask(state, EDO__CANCELLED);
}

static uint64_t abort_(uint64_t *state)
{
    return edo__state_ask(state, EDO__ABORTED);
}

static const struct transition {
    const char *what;
    uint64_t (*move)(uint64_t *state);
    uint64_t from, to, answer;
} transitions[] = {
    /* the first wake owns the queue entry */
    { "wake an idle one", prepare, IDLE, QUEUED, true },
    { "wake a queued one", prepare, QUEUED, QUEUED, false },
    { "wake a running one", prepare, RUNNING, WOKEN, false },
    { "wake a running one again", prepare, WOKEN, WOKEN, false },
    { "wake one that has ended", prepare, COMPLETE, COMPLETE | EDO__NOTIFIED, false },
    { "wake one that is looked at", prepare, LOOKED_AT, LOOKED_AT | QUEUED, false },
    { "wake a queued one that is looked at", prepare, LOOKED_AT | QUEUED, LOOKED_AT | QUEUED,
      false },
    { "wake a cancelled one", prepare, EDO__CANCELLED, EDO__CANCELLED | QUEUED, true },
    { "wake one with a joiner", prepare, EDO__JOIN_WAKER, EDO__JOIN_WAKER | QUEUED, true },

    /* the poller */
    { "start", start, QUEUED, RUNNING, QUEUED | KEPT },
    { "start a cancelled one", start, QUEUED | EDO__CANCELLED, RUNNING | EDO__CANCELLED,
      QUEUED | EDO__CANCELLED | KEPT },
    { "start one that is looked at", start, LOOKED_AT | QUEUED, LOOKED_AT | QUEUED,
      LOOKED_AT | QUEUED | KEPT },
    { "start a kept one", start, RUNNING, RUNNING, RUNNING | KEPT },
    { "start a kept one that was woken", start, WOKEN, RUNNING, WOKEN | KEPT },
    { "start a wanted one", start, QUEUED | EDO__WANTED, RUNNING | EDO__WANTED,
      QUEUED | EDO__WANTED | KEPT },
    { "pause", pause_, RUNNING, IDLE, false },
    { "pause a woken one", pause_, WOKEN, QUEUED, true },
    { "requeue", requeue, RUNNING, QUEUED, 0 },
    { "requeue a woken one", requeue, WOKEN, QUEUED, 0 },
    { "requeue a wanted one", requeue, RUNNING | EDO__WANTED, QUEUED | EDO__WANTED, 0 },
    { "keep", keep, RUNNING, RUNNING, true },
    { "keep a woken one", keep, WOKEN, WOKEN, true },
    { "keep a wanted one", keep, RUNNING | EDO__WANTED, RUNNING | EDO__WANTED, false },
    { "complete", complete, RUNNING, COMPLETE, 0 },
    { "complete a woken one", complete, WOKEN, COMPLETE | EDO__NOTIFIED, 0 },
    { "complete with a joiner", complete, RUNNING | EDO__JOIN_WAKER, COMPLETE | EDO__JOIN_WAKER,
      true },
    { "tell the joiner", joiner_told, COMPLETE | EDO__JOIN_WAKER, COMPLETE, 0 },

    /* the joiner */
    { "join an idle one", set_joiner, IDLE, EDO__JOIN_WAKER, true },
    { "join a running one", set_joiner, RUNNING, RUNNING | EDO__JOIN_WAKER, true },
    { "join one that has ended", set_joiner, COMPLETE, COMPLETE, false },
    { "leave a join", unset_joiner, QUEUED | EDO__JOIN_WAKER, QUEUED, true },
    { "leave the join of one that has ended", unset_joiner, COMPLETE | EDO__JOIN_WAKER,
      COMPLETE | EDO__JOIN_WAKER, false },

    /* the inspector */
    { "look at an idle one", inspect, IDLE, LOOKED_AT, IDLE | KEPT },
    { "look at a queued one", inspect, QUEUED, LOOKED_AT | QUEUED, QUEUED | KEPT },
    { "look at a running one", inspect, RUNNING, RUNNING, RUNNING | KEPT },
    { "look at a wanted one", inspect, QUEUED | EDO__WANTED, LOOKED_AT | QUEUED,
      QUEUED | EDO__WANTED | KEPT },
    { "look at a wanted one that runs", inspect, RUNNING | EDO__WANTED, RUNNING | EDO__WANTED,
      RUNNING | EDO__WANTED | KEPT },
    { "want a running one", want, RUNNING, RUNNING | EDO__WANTED, 0 },
    { "want one no longer", unwant, RUNNING | EDO__WANTED, RUNNING, 0 },
    { "look at one that has ended", inspect, COMPLETE, COMPLETE, COMPLETE | KEPT },
    { "look at one that is looked at", inspect, LOOKED_AT, LOOKED_AT, LOOKED_AT | KEPT },
    { "look away", release_idle, LOOKED_AT, IDLE, false },
    { "look away from one woken meanwhile", release_idle, LOOKED_AT | QUEUED, QUEUED, true },
    { "look away from a queued one", release_queued, LOOKED_AT | QUEUED, QUEUED, false },

    /* requests to end: new or not */
    { "cancel", cancel, IDLE, EDO__CANCELLED, true },
    { "cancel again", cancel, EDO__CANCELLED, EDO__CANCELLED, false },
    { "cancel a running one", cancel, RUNNING, RUNNING | EDO__CANCELLED, true },
    { "cancel one that has ended", cancel, COMPLETE, COMPLETE | EDO__CANCELLED, false },
    { "abort", abort_, IDLE, EDO__ABORTED, true },
    { "abort a cancelled one", abort_, EDO__CANCELLED, EDO__CANCELLED | EDO__ABORTED, true },
    { "abort again", abort_, EDO__ABORTED, EDO__ABORTED, false },
};

test(each_transition_does_what_its_table_says)
{
    for (size_t i = 0; i < ARRAY_LENGTH(transitions); i++) {
        const struct transition *t = &transitions[i];
        uint64_t word = t->from | KEPT;
        uint64_t answer = t->move(&word);
        if (word != (t->to | KEPT) || answer != t->answer)
            fail_msg("%s: state %#jx, answer %#jx; expected %#jx, %#jx", t->what, (uintmax_t)word,
                     (uintmax_t)answer, (uintmax_t)(t->to | KEPT), (uintmax_t)t->answer);
    }
}

test(a_wanted_one_is_let_go_until_it_is_looked_at)
{
    uint64_t word = RUNNING;
    edo__state_want(&word);
    for (int round = 0; round < 3; round++) {
        assert_false(edo__state_keep(&word));
        edo__state_requeue(&word);
        edo__state_start(&word);
    }
    edo__state_requeue(&word);
    assert_false(edo__state_release(&word, edo__state_inspect(&word)));
    edo__state_start(&word);
    assert_true(edo__state_keep(&word));
}

/* ---- all against each other ---- */

enum {
    ROUNDS = 1000,
    POLLERS = 2, // like workers that steal
    WAKERS = 2,
    INSPECTORS = 1,
    JOINERS = 1,
    CANCELLERS = 1,
    THREADS = POLLERS + WAKERS + INSPECTORS + JOINERS + CANCELLERS,
    WAKES = 200, // per round and waker
};

/* A task without a future. It ends when it has seen every wake and the cancellation. */
struct cell {
    uint64_t state;
    uint64_t entries; // in its queue: 0 or 1
    uint64_t wakes;   // that were announced
    uint64_t frame;   // plain: only the holder of the task may touch it
    int join_waker;   // plain: see EDO__JOIN_WAKER
    int64_t result;   // plain: of the poller, then of the joiner
    unsigned ended;   // threads that push, and are done with the round
    unsigned begun;   // turns of the pollers
    unsigned over;    // those of them that are over
    unsigned polls, looks, requeues, keeps;
    bool kept; // plain: by the poller that pushed the entry
    char padding[64];
};

static struct cell cells[ROUNDS];

static void check(bool condition, const char *rule)
{
    if (condition) return;
    fprintf(stderr, "test_state: %s\n", rule);
    abort();
}

static void push(struct cell *cell)
{
    check(edo_add_acq_rel(&cell->entries, 1) == 0, "a second queue entry");
}

static bool pop(struct cell *cell)
{
    uint64_t one = 1;
    return edo_cas_acq_rel(&cell->entries, &one, 0);
}

static void wake(struct cell *cell)
{
    if (edo__state_prepare(&cell->state)) push(cell);
}

static bool is_complete(struct cell *cell)
{
    return edo_load_acquire(&cell->state) & EDO__COMPLETE;
}

static void wake_often(struct cell *cell)
{
    for (int i = 0; i < WAKES; i++) {
        edo_add_relaxed(&cell->wakes, 1); // what the wake announces
        wake(cell);
    }
}

static void finish(struct cell *cell)
{
    cell->result = 42;
    if (edo__state_complete(&cell->state)) {
        check(cell->join_waker == 1, "the poller reads another waker");
        edo__state_joiner_woken(&cell->state);
    }
}

/* Sometimes the task yields instead of going to sleep, like a task without budget. */
static void go_to_sleep(struct cell *cell)
{
    if (cell->frame % 7 == 0) {
        cell->requeues++;
        edo__state_requeue(&cell->state);
        push(cell);
    } else if (cell->frame % 5 == 0 && edo__state_keep(&cell->state)) {
        cell->keeps++;
        cell->kept = true;
        push(cell);
    } else if (edo__state_pause(&cell->state)) {
        push(cell);
    }
}

static void poll_once(struct cell *cell)
{
    uint64_t old = edo__state_start(&cell->state);
    check(cell->kept || (old & EDO__NOTIFIED), "an entry without a wake");
    check(cell->kept == (bool)(old & EDO__RUNNING), "started while it runs");
    check(!(old & EDO__COMPLETE), "started after its end");
    if (old & EDO__INSPECTED) {
        push(cell);
        sched_yield();
        return;
    }
    cell->kept = false;
    cell->frame++;
    cell->polls++;
    bool all = edo_load_relaxed(&cell->wakes) == (uint64_t)WAKERS * WAKES;
    if (all && (old & EDO__CANCELLED))
        finish(cell);
    else
        go_to_sleep(cell);
}

static bool is_queued(struct cell *cell)
{
    return edo_load_acquire(&cell->entries) > 0;
}

/* Whether the task was lost, for a poller that found no entry: all threads that push have ended,
 * and no other poller is active, so no entry will come. All turns but this one were over when `over`
 * was read. Then the other poller has begun no turn, so it has not taken an entry meanwhile. */
static bool is_forgotten(struct cell *cell)
{
    unsigned begun = edo_load_acquire(&cell->begun);
    if (edo_load_acquire(&cell->ended) < WAKERS + CANCELLERS + INSPECTORS) return false;
    if (edo_load_acquire(&cell->over) < begun - 1) return false;
    if (is_queued(cell) || is_complete(cell)) return false;
    return edo_load_acquire(&cell->begun) == begun;
}

static void poll_to_the_end(struct cell *cell)
{
    while (!is_complete(cell)) {
        edo_add_acq_rel(&cell->begun, 1);
        if (pop(cell))
            poll_once(cell);
        else
            check(!is_forgotten(cell), "a wake was lost");
        edo_add_acq_rel(&cell->over, 1);
    }
}

static void look_often(struct cell *cell)
{
    for (int i = 0; i < WAKES; i++) {
        uint64_t before = edo__state_inspect(&cell->state);
        if (before & EDO__RUNNING) edo__state_want(&cell->state);
        if (before & (EDO__RUNNING | EDO__COMPLETE | EDO__INSPECTED)) continue;
        cell->frame++;
        cell->looks++;
        if (edo__state_release(&cell->state, before)) push(cell);
    }
}

/* Joins, leaves the join and joins again; then waits for the end. */
static void join(struct cell *cell)
{
    for (int i = 0; i < WAKES; i++) {
        cell->join_waker = 1;
        if (!edo__state_set_joiner(&cell->state)) break;
        if (i == WAKES - 1) break; // this time the waker stays set
        if (!edo__state_unset_joiner(&cell->state)) break;
        cell->join_waker = 0; // the joiner's again
    }
    while ((edo_load_acquire(&cell->state) & (EDO__COMPLETE | EDO__JOIN_WAKER)) != EDO__COMPLETE)
        sched_yield();
    check(cell->result == 42, "the joiner sees no result");
    cell->join_waker = 2; // the poller no longer uses it: the joiner may free the task
}

static void cancel_often(struct cell *cell)
{
    bool first = true;
    for (int i = 0; i < WAKES; i++) {
        bool is_new = edo__state_ask(&cell->state, EDO__CANCELLED);
        check(is_new == first, "only the first cancellation is new");
        if (is_new) wake(cell);
        first = false;
    }
}

static void play(unsigned index, struct cell *cell)
{
    if (index < POLLERS) {
        poll_to_the_end(cell);
        return;
    }
    index -= POLLERS;
    if (index < JOINERS) {
        join(cell);
        return;
    }
    index -= JOINERS;
    if (index < WAKERS)
        wake_often(cell);
    else if (index < WAKERS + INSPECTORS)
        look_often(cell);
    else
        cancel_often(cell);
    edo_add_acq_rel(&cell->ended, 1);
}

static void play_all_rounds(unsigned index, void *arg)
{
    (void)arg;
    for (int round = 0; round < ROUNDS; round++)
        play(index, &cells[round]);
}

test(no_wake_is_lost_and_one_holds_the_task_at_a_time)
{
    unsigned polls = 0;
    for (int round = 0; round < ROUNDS; round++)
        cells[round].state = EDO__REF;
    run_threads(THREADS, play_all_rounds, NULL);
    for (int round = 0; round < ROUNDS; round++) {
        struct cell *cell = &cells[round];
        assert_int_equal(cell->frame, cell->polls + cell->looks);
        uint64_t left_over = EDO__NOTIFIED | EDO__WANTED; // bits set by late threads
        assert_int_equal(cell->state & ~left_over, EDO__COMPLETE | EDO__CANCELLED | EDO__REF);
        polls += cell->polls;
    }
    assert_true(polls >= ROUNDS);
}
