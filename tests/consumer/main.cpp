/* The installed library, used from C++17: calls, runs and spawns what is written in C. */
#include <cstdio>

#include "worker.h"

static int failed(const char *what, int64_t result)
{
    std::fprintf(stderr, "%s: %s\n", what, edo_strerror(result));
    return 1;
}

int main()
{
    if (edo_version() != EDO_VERSION) return failed("edo_version", -EPROTO);

    edo_runtime *runtime;
    int rc = edo_runtime_create(nullptr, &runtime);
    if (rc < 0) return failed("edo_runtime_create", rc);

    edo_spawn_options options = {};
    options.runtime = runtime;
    edo_task *task;
    rc = edo_spawn_with(&task, &options, sum_to, .n = 3);
    if (rc < 0) return failed("edo_spawn_with", rc);

    int64_t sum = edo_block_on(runtime, sum_to, .n = 4);
    if (sum != 10) return failed("edo_block_on", sum);

    while (!edo_task_is_done(task)) {
        rc = edo_turn(runtime, EDO_NEVER);
        if (rc < 0) return failed("edo_turn", rc);
    }
    edo_detach(task);

    rc = edo_runtime_destroy(runtime);
    return rc < 0 ? failed("edo_runtime_destroy", rc) : 0;
}
