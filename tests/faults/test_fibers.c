/* Fibers, with each request failing. */
#include "faults/sweep.h"

enum { MANY = 40 };

static int64_t waits(void *arg)
{
    (void)arg;
    return edo_wait(edo_yield());
}

static int64_t spawns_and_joins(void *arg)
{
    edo_task *tasks[MANY];
    int64_t result = 0;
    int count = 0;
    (void)arg;
    while (count < MANY && result == 0) {
        int64_t rc = edo_fiber_spawn(&tasks[count], NULL, waits, NULL);
        if (rc == 0)
            count++;
        else
            result = rc;
    }
    while (count)
        result = first_failure(result, edo_wait(edo_join(tasks[--count])));
    return result;
}

/* Returns: what the fiber answers, or why it did not run. */
static int64_t run(int64_t (*fn)(void *arg))
{
    edo_runtime *runtime;
    int64_t result = edo_runtime_create(&(edo_config){ .test_clock = true }, &runtime);
    if (result < 0) return result;
    result = edo_fiber_block_on(runtime, fn, NULL);
    result = first_failure(result, edo_runtime_destroy(runtime));
    edo_fiber_drop_stacks();
    return result;
}

static int64_t spawn_and_join_fibers(void)
{
    return run(spawns_and_joins);
}
fault_test(spawn_and_join_fibers)

static int64_t leaves_scope(void *arg)
{
    int64_t result = 0;
    edo_fiber_options large = { .stack_size = 16 << 20 }, open = { .flags = EDO_FIBER_UNGUARDED };
    edo_fiber_scope(scope, 0);
    for (int i = 0; i < MANY && result == 0; i++)
        result = edo_fiber_scope_spawn(&scope, i % 2 ? &large : &open, waits, arg);
    return first_failure(result, edo_wait(edo_scope_join(&scope)));
}

static int64_t fibers_in_scope(void)
{
    return run(leaves_scope);
}
fault_test(fibers_in_scope)
