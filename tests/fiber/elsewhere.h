/* A function that waits, in another file than the fibers that call it. */
#pragma once

#include <edo/edo.h>

static __attribute__((noinline)) int64_t wait_elsewhere(int *line)
{
    *line = __LINE__ + 1;
    return edo_wait(edo_sleep(edo_s(1000)));
}
