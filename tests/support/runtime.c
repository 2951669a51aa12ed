/* Runtimes of tests, with the number of workers that the environment requests. */
#include "support/support.h"

#include <sched.h>
#include <stdlib.h>

#include "runtime/runtime.h"

unsigned test_workers(void)
{
    const char *text = getenv("EDO_TEST_WORKERS");
    return text ? (unsigned)atoi(text) : 0;
}

int create_runtime(const edo_config *config, edo_runtime **ret_runtime)
{
    edo_config changed = config ? *config : (edo_config){ 0 };
    if (changed.workers == 0) {
        changed.workers = (int32_t)test_workers();
        if (!changed.max_spare) changed.max_spare = -1;
        if (changed.workers && !changed.stall_limit) changed.stall_limit = EDO_NEVER;
    }
    return edo_runtime_create(&changed, ret_runtime);
}

int turn_runtime(edo_runtime *runtime, int64_t timeout)
{
    if (!edo_runtime_workers(runtime)) return edo_turn(runtime, timeout);
    sched_yield();
    edo__lock_take(&runtime->idle.lock);
    bool wait = runtime->idle.sleeping == runtime->base.worker_count &&
                !runtime->idle.injected.first;
    edo__lock_give(&runtime->idle.lock);
    return !wait;
}
