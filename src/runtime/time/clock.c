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

/* ---- for users ---- */

static int pause_clock(edo_runtime *runtime, edo__clock *clock)
{
    if (clock->paused) return -EALREADY;
    int64_t now = edo__runtime_now(runtime);
    edo_store_relaxed(&clock->frozen, now);
    edo_store_relaxed(&clock->target, now);
    edo_store_release(&clock->paused, true); // partner: edo__clock_is_paused
    return 0;
}

static int resume_clock(edo_runtime *runtime, edo__clock *clock)
{
    (void)runtime;
    if (!clock->paused) return -EALREADY;
    edo_store_relaxed(&clock->frozen, clock->target);
    edo_store_relaxed(&clock->offset, clock->frozen - edo__sys_now());
    edo_store_release(&clock->paused, false);
    return 0;
}

static int change(int (*how)(edo_runtime *, edo__clock *))
{
    edo_runtime *runtime = edo__self.runtime;
    if (!runtime) return -EINVAL;
    edo__lock_take(&runtime->clock.lock);
    int rc = how(runtime, &runtime->clock);
    edo__lock_give(&runtime->clock.lock);
    return rc;
}

/* Wakes all workers after a change of the clock. A paused clock may have to skip at once, because
 * the runtime is idle or the clock was advanced. After a resume, sleepers have to regard timers
 * again, which they ignored while the clock was paused. */
static void wake_all(edo_runtime *runtime)
{
    for (uint32_t i = 0; i < edo__worker_total(runtime); i++)
        edo__worker_notify(runtime->workers[i]);
}

int edo_clock_pause(void)
{
    int rc = change(pause_clock);
    if (rc == 0) wake_all(edo__self.runtime);
    return rc;
}

int edo_clock_resume(void)
{
    int rc = change(resume_clock);
    if (rc == 0) wake_all(edo__self.runtime);
    return rc;
}

int edo_clock_advance(int64_t duration)
{
    edo_runtime *runtime = edo__self.runtime;
    if (!runtime || duration < 0) return -EINVAL;
    edo__clock *clock = &runtime->clock;
    edo__lock_take(&clock->lock);
    bool paused = clock->paused;
    if (paused) edo_store_relaxed(&clock->target, edo__later(clock->target, duration));
    edo__lock_give(&clock->lock);
    if (paused && !edo__worker_in(runtime)) wake_all(runtime);
    return paused ? 0 : -EINVAL;
}

int edo_clock_auto_advance(bool on)
{
    edo_runtime *runtime = edo__self.runtime;
    if (!runtime) return -EINVAL;
    edo_store_relaxed(&runtime->clock.auto_advance, on);
    if (on) wake_all(runtime);
    return 0;
}
