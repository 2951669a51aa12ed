/* The watcher: a sleeping worker that inspects workers that are awake. */
#pragma once

#include "base/duration.h"
#include "runtime/runtime.h"

/* Shortest turn that is taken to contain a long poll. It is twice the target length of turns. */
#define EDO__LONG_TURN edo_ms(1)

/* Whether long polls were seen recently. `now` is the time of edo__sys_now(). */
static inline bool edo__watch_is_close(const edo_runtime *runtime, int64_t now)
{
    return edo_load_figure(&runtime->watch_until) > now;
}

/* Notes the duration of a turn that ended at `now`. Thread: the worker's. */
void edo__watch_note_turn(edo__worker *worker, int64_t duration, int64_t now);

/* Makes the worker the watcher, if the runtime needs a watcher and has none. Called before a sleep,
 * on the worker's thread. Returns: whether the worker is the watcher until edo__watch_end(). */
bool edo__watch_begin(edo__worker *worker, int64_t now);
void edo__watch_end(edo__worker *worker);

/* Time for which the watcher may sleep before its next inspection. Thread: the worker's. */
int64_t edo__watch_period(edo__worker *worker);

/* Inspects the other workers. Sets worker->owes_help if a worker is stuck. Thread: the worker's. */
void edo__watch_inspect(edo__worker *worker, int64_t now);
