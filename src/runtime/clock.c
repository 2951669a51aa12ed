/* The clock of a runtime: the monotonic one, or a test clock that stands still. */
#include "runtime/runtime.h"
#include "sys/sys.h"

int64_t edo__runtime_now(const edo_runtime *runtime)
{
    const edo__clock *clock = &runtime->clock;
    return edo__unlikely(clock->paused) ? clock->frozen : edo__sys_now() + clock->offset;
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

int edo_clock_pause(void)
{
    edo_runtime *runtime = edo__self.runtime;
    if (!runtime) return -EINVAL;
    if (runtime->clock.paused) return -EALREADY;
    runtime->clock.frozen = runtime->clock.target = edo__runtime_now(runtime);
    runtime->clock.paused = true;
    return 0;
}

int edo_clock_resume(void)
{
    edo_runtime *runtime = edo__self.runtime;
    if (!runtime) return -EINVAL;
    edo__clock *clock = &runtime->clock;
    if (!clock->paused) return -EALREADY;
    clock->frozen = clock->target;
    clock->offset = clock->frozen - edo__sys_now();
    clock->paused = false;
    return 0;
}

int edo_clock_advance(int64_t duration)
{
    edo_runtime *runtime = edo__self.runtime;
    if (!runtime || !runtime->clock.paused || duration < 0) return -EINVAL;
    runtime->clock.target = edo__later(runtime->clock.target, duration);
    return 0;
}

int edo_clock_auto_advance(bool on)
{
    if (!edo__self.runtime) return -EINVAL;
    edo__self.runtime->clock.auto_advance = on;
    return 0;
}
