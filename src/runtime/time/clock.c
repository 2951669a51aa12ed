/* The clock of a runtime: the monotonic clock, or a test clock that can be paused. */
#include "runtime/time/clock.h"
#include "base/duration.h"
#include "runtime/runtime.h"
#include "runtime/time/timers.h"

int64_t edo__runtime_now(const edo_runtime *runtime)
{
    const edo__clock *clock = &runtime->clock;
    return edo__clock_is_paused(runtime) ? edo_load_relaxed(&clock->frozen)
                                         : edo__sys_now() + edo_load_relaxed(&clock->offset);
}

int64_t edo_now(void)
{
    const edo_runtime *runtime = edo__self.runtime;
    return runtime ? edo__runtime_now(runtime) : edo__sys_now();
}

int64_t edo__deadline_after(int64_t duration)
{
    int64_t when = edo__later(edo_now(), duration);
    return when < 0 ? 0 : when;
}

/* ---- steps of a paused clock ---- */

bool edo__clock_is_moving(const edo_runtime *runtime)
{
    const edo__clock *clock = &runtime->clock;
    return edo__clock_is_paused(runtime) &&
           edo_load_relaxed(&clock->frozen) < edo_load_relaxed(&clock->target);
}

static int64_t next_deadline(edo_runtime *runtime)
{
    int64_t next = EDO_NEVER;
    for (uint32_t i = 0; i < edo__worker_total(runtime); i++) {
        int64_t when = edo__timers_next(runtime->workers[i]);
        if (when < next) next = when;
    }
    return next;
}

void edo__clock_step(edo_runtime *runtime)
{
    edo__clock *clock = &runtime->clock;
    if (!edo__clock_is_moving(runtime)) return;
    int64_t next = next_deadline(runtime);
    edo__lock_take(&clock->lock);
    int64_t target = edo_load_relaxed(&clock->target);
    if (next > target) next = target;
    if (clock->paused && next > clock->frozen) edo_store_relaxed(&clock->frozen, next);
    edo__lock_give(&clock->lock);
}

bool edo__clock_skip(edo_runtime *runtime)
{
    edo__clock *clock = &runtime->clock;
    if (edo__blocking_is_busy(&runtime->blocking)) return false;
    int64_t next = next_deadline(runtime);
    if (next == EDO_NEVER) return false;
    edo__lock_take(&clock->lock);
    if (next > clock->target) edo_store_relaxed(&clock->target, next);
    edo__lock_give(&clock->lock);
    return true;
}

/* ---- following another clock ---- */

/* Offset of this thread's edo_now() from the monotonic clock. */
static int64_t offset_of_thread(void)
{
    const edo_runtime *runtime = edo__self.runtime;
    if (!runtime) return 0;
    if (!edo__clock_is_paused(runtime)) return edo_load_relaxed(&runtime->clock.offset);
    return edo_load_relaxed(&runtime->clock.frozen) - edo__sys_now();
}

void edo__clock_follow(edo_runtime *runtime)
{
    int64_t offset = offset_of_thread();
    if (edo__likely(offset == edo_load_relaxed(&runtime->clock.offset))) return;
    edo_store_relaxed(&runtime->clock.offset, offset);
    edo__timers_restart(runtime->workers[0]);
}
