/* The clock of a runtime. edo__runtime_now() is declared in task/executor.h. */
#pragma once

#include "runtime/runtime.h"

static inline bool edo__clock_is_paused(const edo_runtime *runtime)
{
    return edo__unlikely(edo_load_acquire(&runtime->clock.paused)); // acquires `frozen`
}

/* Whether a paused clock was advanced and has not reached its target yet. */
bool edo__clock_is_moving(const edo_runtime *runtime);

/* Moves a paused clock one step towards its target, at most to the next deadline: so timers fire in
 * order. */
void edo__clock_step(edo_runtime *runtime);

/* Sets the target of a paused clock to the next deadline, when the runtime is idle. Returns:
 * whether there is a deadline. */
bool edo__clock_skip(edo_runtime *runtime);

/* Sets the running clock of a runtime without threads to this thread's edo_now(). The owner,
 * outside of turns. */
void edo__clock_follow(edo_runtime *runtime);
