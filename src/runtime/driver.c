/* What drivers ask of their runtime. */
#include "runtime/runtime.h"

int32_t edo__runtime_workers(const edo_runtime *runtime)
{
    return runtime->config.workers;
}
