/* Fibers: the switch, spawning and joining, yielding, memory. */
#include "bench.h"

#include <stdlib.h>

#include "sys/fiber.h"

/* ---- fiber_switch: there and back, between two contexts ---- */

enum { PAIRS = 20000000, STACK_SIZE = 64 << 10 };

static struct {
    void *here, *there;
} contexts;

static void switch_back(void *arg)
{
    (void)arg;
    for (;;)
        edo__sys_context_switch(&contexts.there, contexts.here);
}

static void fiber_switch_once(edo_runtime *runtime, double *ret_nanoseconds)
{
    (void)runtime;
    char *stack = malloc(STACK_SIZE);
    bench_require(stack ? 0 : -ENOMEM, "stack");
    contexts.there = edo__sys_context_make(stack + STACK_SIZE, switch_back, NULL);
    int64_t start = bench_now();
    for (int i = 0; i < PAIRS; i++)
        edo__sys_context_switch(&contexts.here, contexts.there);
    *ret_nanoseconds = (double)(bench_now() - start) / PAIRS;
    free(stack);
}

int bench_fiber_switch(edo_runtime *runtime, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    bench_repeat(runtime, fiber_switch_once, &(bench_line){ "fiber_switch", "ns/pair" }, 1);
    return 0;
}
