/* The user's calls for a test clock: pause, advance, resume. */
#include "base/duration.h"
#include "runtime/runtime.h"
#include "runtime/schedule/baton.h"
#include "runtime/time/clock.h"

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

/* Wakes all workers after a change of the clock. After a pause or an advance, a worker may have to
 * advance the clock in a turn. While the clock was paused, sleeping workers ignored their timers.
 * After a resume, they must heed their timers again. */
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
    if (rc == 0) edo__baton_end(edo__self.runtime);
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
