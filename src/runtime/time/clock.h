/* The clock of a runtime. edo__runtime_now() is declared in task/executor.h. */
#pragma once

#include "runtime/runtime.h"

static inline bool edo__clock_is_paused(const edo_runtime *runtime)
{
    return edo__unlikely(edo_load_acquire(&runtime->clock.paused)); // partner: pause_clock
}

/* Whether a paused clock was advanced and has not reached its target yet. */
bool edo__clock_is_moving(const edo_runtime *runtime);

/* Advances a paused clock one step towards its target. A step never passes the next deadline, so
 * that timers fire in order. */
void edo__clock_step(edo_runtime *runtime);

/* Sets the target of a paused clock to the next deadline. Called when the runtime is idle. Returns:
 * false if there is no deadline, or if a task waits for a job of a pool. */
bool edo__clock_skip(edo_runtime *runtime);

/* Makes the running clock of a runtime without threads show the time that edo_now() shows on the
 * calling thread. Only the owner may call this function, and only outside of turns. */
void edo__clock_follow(edo_runtime *runtime);
