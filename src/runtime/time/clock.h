/* The clock of a runtime. edo__runtime_now() is declared in task/executor.h. */
#pragma once

#include "runtime/runtime.h"

static inline bool edo__clock_is_paused(const edo_runtime *runtime)
{
    return edo__unlikely(edo_load_acquire(&runtime->clock.paused)); // with what it stands at
}

/* Whether a paused clock has been advanced, and has not arrived yet. */
bool edo__clock_is_moving(const edo_runtime *runtime);

/* One step towards where it is to go: so deadlines are met in their order. */
void edo__clock_step(edo_runtime *runtime);

/* All is idle: a paused clock is to go on to the next deadline. Returns: whether there is one. */
bool edo__clock_skip(edo_runtime *runtime);

/* Has the clock of a runtime without threads, which runs, go on from this thread's edo_now(). Its
 * owner, outside of turns. */
void edo__clock_follow(edo_runtime *runtime);
