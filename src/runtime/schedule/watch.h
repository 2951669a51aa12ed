/* The watcher: a worker that sleeps, and inspects those that are awake. */
#pragma once

#include "runtime/runtime.h"

/* Whether long polls were seen lately. now: of edo__sys_now(). */
static inline bool edo__watch_is_close(const edo_runtime *runtime, int64_t now)
{
    return edo_load_figure(&runtime->watch_until) > now;
}

/* A turn of a worker among others has taken so long; it ended now. */
void edo__watch_note_turn(edo__worker *worker, int64_t duration, int64_t now);

/* The worker is to sleep. Returns: whether it is the watcher from now on, until edo__watch_end. Its
 * thread. */
bool edo__watch_begin(edo__worker *worker, int64_t now);
void edo__watch_end(edo__worker *worker);

/* How long the watcher may sleep until its next look. */
int64_t edo__watch_period(edo__worker *worker);

/* A look at the others: worker->owes_help is set if it finds one that is stuck. Its thread. */
void edo__watch_inspect(edo__worker *worker, int64_t now);
