#include "runtime/schedule/baton.h"

#include "base/duration.h"
#include "runtime/time/clock.h"

/* Number of quiet laps in a row that prove that all workers are idle; see baton.h. */
enum { QUIET_LAPS = 2 };

/* Length of a poll, in real time, after which the worker loses the baton. The length is large,
 * because even a short poll takes long if its thread has to wait for a processor. Such a wait must
 * not change the order of the turns. */
#define PATIENCE edo_s(1)

/* ---- the gate; called under the lock ---- */

static uint32_t gate_of(const edo__worker *worker)
{
    return edo_load_relaxed(&worker->gate);
}

/* Changes a worker's place at the gate. The release publishes the earlier turns. Its partner is the
 * acquire in edo__baton_take. */
static void set_gate(edo__worker *worker, uint32_t state)
{
    edo_store_release(&worker->gate, state);
    edo__sys_futex_wake(&worker->gate);
}

/* Whether no worker is outside the gate. If `without_stuck` is true, stuck workers do not count. */
static bool are_all_here(const edo_runtime *runtime, bool without_stuck)
{
    for (uint32_t i = 0; i < edo__worker_total(runtime); i++) {
        const edo__worker *worker = runtime->workers[i];
        if (gate_of(worker) != EDO__GATE_OUTSIDE) continue;
        if (!without_stuck || !edo__worker_is_stuck(worker)) return false;
    }
    return true;
}

/* Opens the gate. All waiting workers leave the gate, to sleep or to run without a baton. */
static void disperse(edo_runtime *runtime)
{
    for (uint32_t i = 0; i < edo__worker_total(runtime); i++)
        if (gate_of(runtime->workers[i]) == EDO__GATE_WAITS)
            set_gate(runtime->workers[i], EDO__GATE_OUTSIDE);
    runtime->baton.quiet = 0;
}

/* ---- laps; called under the lock ---- */

/* splitmix64 */
static uint64_t draw(edo__baton *baton)
{
    uint64_t mixed = baton->random += 0x9e3779b97f4a7c15;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return mixed ^ (mixed >> 31);
}

/* Draws a worker that has not had its turn in this lap. Returns: NULL at the end of the lap. */
static edo__worker *draw_next(edo_runtime *runtime)
{
    edo__baton *baton = &runtime->baton;
    edo__worker *drawn = NULL;
    uint64_t count = 0;
    for (uint32_t i = 0; i < edo__worker_total(runtime); i++) {
        edo__worker *worker = runtime->workers[i];
        if (gate_of(worker) != EDO__GATE_WAITS || worker->lap == baton->lap) continue;
        if (draw(baton) % ++count == 0) drawn = worker;
    }
    return drawn;
}

/* Gives the baton to a worker, and seeds the worker's random numbers. The worker uses these numbers
 * when it steals, and its tasks also draw from them. */
static void give_to(edo__worker *worker)
{
    edo__baton *baton = &worker->runtime->baton;
    baton->holder = worker;
    worker->lap = baton->lap;
    worker->cx.random = draw(baton) | 1;
    set_gate(worker, EDO__GATE_HOLDS);
}

static void begin_lap(edo_runtime *runtime)
{
    edo__baton *baton = &runtime->baton;
    if (baton->holder || !are_all_here(runtime, true)) return;
    baton->lap++;
    baton->lap_random = baton->random;
    baton->work = EDO__WORK_NONE;
    edo_store_relaxed(&baton->has_admitted, false);
    edo__worker *first = draw_next(runtime);
    if (first) give_to(first);
}

/* Decides whether another lap follows. Returns: false if all workers are idle, and the clock cannot
 * advance. */
static bool does_go_on(edo_runtime *runtime)
{
    edo__baton *baton = &runtime->baton;
    if (edo__clock_is_moving(runtime) || baton->quiet < QUIET_LAPS) return true;
    return edo_load_relaxed(&runtime->clock.auto_advance) && are_all_here(runtime, false) &&
           edo__clock_skip(runtime);
}

static void end_lap(edo_runtime *runtime)
{
    edo__baton *baton = &runtime->baton;
    if (baton->work != EDO__WORK_TASKS) baton->random = baton->lap_random;
    baton->quiet = baton->work ? 0 : baton->quiet + 1;
    if (!does_go_on(runtime)) {
        disperse(runtime);
        return;
    }
    edo__clock_step(runtime);
    begin_lap(runtime);
}

static void hand_on(edo_runtime *runtime)
{
    edo__worker *next = NULL;
    runtime->baton.holder = NULL;
    bool is_over = !edo__clock_is_paused(runtime);
    if (!is_over) next = draw_next(runtime);
    if (next)
        give_to(next);
    else if (is_over)
        disperse(runtime);
    else
        end_lap(runtime);
}

/* ---- turns ---- */

static bool is_nobody_here(const edo_runtime *runtime)
{
    for (uint32_t i = 0; i < edo__worker_total(runtime); i++)
        if (edo__baton_is_at_gate(runtime->workers[i])) return false;
    return true;
}

/* Enters the gate. The first worker at the gate wakes the other workers. Another worker
 * may still be about to sleep. The wake is then stored in its `park` word, and keeps it awake. */
static void arrive(edo__worker *worker)
{
    edo_runtime *runtime = worker->runtime;
    if (is_nobody_here(runtime)) {
        for (uint32_t i = 0; i < edo__worker_total(runtime); i++)
            if (runtime->workers[i] != worker) edo__worker_notify(runtime->workers[i]);
    }
    edo_store_relaxed(&worker->gate, EDO__GATE_WAITS);
    begin_lap(runtime);
}

bool edo__baton_take(edo__worker *worker)
{
    edo_runtime *runtime = worker->runtime;
    uint32_t state;
    edo__lock_take(&runtime->baton.lock);
    bool has_one = edo__clock_is_paused(runtime) && !edo_load_relaxed(&runtime->is_stopping);
    if (has_one && !edo__baton_is_at_gate(worker)) arrive(worker);
    edo__lock_give(&runtime->baton.lock);
    if (!has_one) return false;
    while ((state = edo_load_acquire(&worker->gate)) == EDO__GATE_WAITS)
        edo__sys_futex_wait(&worker->gate, EDO__GATE_WAITS);
    return state == EDO__GATE_HOLDS;
}

bool edo__baton_pass(edo__worker *worker, edo__work work)
{
    edo__baton *baton = &worker->runtime->baton;
    edo__lock_take(&baton->lock);
    bool held = baton->holder == worker;
    if (work > baton->work) baton->work = work;
    if (held) {
        edo_store_relaxed(&worker->gate, EDO__GATE_WAITS);
        hand_on(worker->runtime);
    }
    bool goes_on = !held || edo__baton_is_at_gate(worker);
    edo__lock_give(&baton->lock);
    return goes_on;
}

bool edo__baton_is_held(edo__worker *worker)
{
    edo__baton *baton = &worker->runtime->baton;
    edo__lock_take(&baton->lock);
    bool held = baton->holder == worker;
    edo__lock_give(&baton->lock);
    return held;
}

bool edo__baton_admits(edo__worker *worker)
{
    edo_runtime *runtime = worker->runtime;
    if (edo__likely(!edo__clock_is_paused(runtime))) return true;
    bool is_first = !edo_load_relaxed(&runtime->baton.has_admitted);
    edo_store_relaxed(&runtime->baton.has_admitted, true);
    return is_first;
}

/* ---- absent workers ---- */

static void send_outside(edo__worker *worker)
{
    edo_runtime *runtime = worker->runtime;
    edo_store_relaxed(&worker->gate, EDO__GATE_OUTSIDE);
    if (runtime->baton.holder == worker)
        hand_on(runtime);
    else
        begin_lap(runtime); // the other workers may have waited for this worker
}

/* Takes the baton from a stuck worker. If the poll `beat` has already ended, the worker keeps the
 * baton. Before each poll, a worker checks under the baton's lock that it holds the baton
 * (edo__baton_is_held). So a worker that has lost the baton begins no further poll in its turn. */
void edo__baton_revoke(edo__worker *worker, uint64_t beat)
{
    edo_runtime *runtime = worker->runtime;
    if (!edo__clock_is_paused(runtime)) return;
    edo__lock_take(&runtime->baton.lock);
    if (edo_load_figure(&worker->beat) == beat && gate_of(worker) != EDO__GATE_WAITS)
        send_outside(worker);
    edo__lock_give(&runtime->baton.lock);
}

void edo__baton_end(edo_runtime *runtime)
{
    edo__lock_take(&runtime->baton.lock);
    if (!runtime->baton.holder) disperse(runtime); // else the holder calls disperse()
    edo__lock_give(&runtime->baton.lock);
}

/* The caller has set `is_stopping`. The lock orders this function and edo__baton_take(). If a
 * worker enters the gate before this function takes the lock, this function lets the worker leave
 * the gate. If a worker comes later, it finds `is_stopping` set, and does not enter the gate. So no
 * worker waits after this function, except the holder between two of its own turns. A worker may
 * therefore end its thread without a change of its `gate`. */
void edo__baton_stop(edo_runtime *runtime)
{
    edo__lock_take(&runtime->baton.lock);
    disperse(runtime);
    edo__lock_give(&runtime->baton.lock);
}

int64_t edo__baton_patience(const edo__worker *worker)
{
    if (!edo__clock_is_paused(worker->runtime)) return 0;
    return gate_of(worker) == EDO__GATE_WAITS ? EDO_NEVER : PATIENCE;
}
