/* Fibers: the switch, spawning and joining, yielding, messages, memory. */
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
        edo__sys_context_switch(&contexts.there, contexts.here, 0);
}

static void fiber_switch_once(edo_runtime *runtime, double *ret_nanoseconds)
{
    (void)runtime;
    char *stack = malloc(STACK_SIZE);
    bench_require(stack ? 0 : -ENOMEM, "stack");
    contexts.there = edo__sys_context_make(stack + STACK_SIZE, switch_back, NULL);
    int64_t start = bench_now();
    for (int i = 0; i < PAIRS; i++)
        edo__sys_context_switch(&contexts.here, contexts.there, 0);
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

/* ---- fiber_spawn_join: batches of empty fibers, joined in the order of their spawns ---- */

enum { BATCHES = 1000, BATCH = 1000 };

static int64_t empty(void *arg)
{
    (void)arg;
    return 0;
}

static int64_t spawn_join(void *arg)
{
    edo_task **tasks = arg;
    for (int batch = 0; batch < BATCHES; batch++) {
        for (int i = 0; i < BATCH; i++)
            bench_require(edo_fiber_spawn(&tasks[i], NULL, empty, NULL), "spawn");
        for (int i = 0; i < BATCH; i++)
            bench_require(edo_wait(edo_join(tasks[i])), "join");
    }
    return 0;
}

static void spawn_join_once(edo_runtime *runtime, double *ret_nanoseconds)
{
    static edo_task *tasks[BATCH];
    int64_t start = bench_now();
    bench_require(edo_fiber_block_on(runtime, spawn_join, tasks), "fiber_spawn_join");
    *ret_nanoseconds = (double)(bench_now() - start) / ((double)BATCHES * BATCH);
}

int bench_fiber_spawn_join(edo_runtime *runtime, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    bench_repeat(runtime, spawn_join_once, &(bench_line){ "fiber_spawn_join", "ns/fiber" }, 1);
    return 0;
}

/* ---- fiber_yield_1000: ten million yields in all ---- */

enum { YIELDS = 10000000, YIELDERS = 1000 };

static int64_t yielder(void *arg)
{
    int64_t left = *(int64_t *)arg;
    while (left-- > 0)
        bench_require(edo_wait(edo_yield()), "yield");
    return 0;
}

static int64_t yielders(void *arg)
{
    static edo_task *tasks[YIELDERS];
    for (int i = 0; i < YIELDERS; i++)
        bench_require(edo_fiber_spawn(&tasks[i], NULL, yielder, arg), "spawn");
    for (int i = 0; i < YIELDERS; i++)
        bench_require(edo_wait(edo_join(tasks[i])), "join");
    return 0;
}

static void fiber_yield_1000_once(edo_runtime *runtime, double *ret_nanoseconds)
{
    int64_t each = YIELDS / YIELDERS, start = bench_now();
    bench_require(edo_fiber_block_on(runtime, yielders, &each), "fiber_yield_1000");
    *ret_nanoseconds = (double)(bench_now() - start) / YIELDS;
}

int bench_fiber_yield_1000(edo_runtime *runtime, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    bench_repeat(runtime, fiber_yield_1000_once, &(bench_line){ "fiber_yield_1000", "ns/yield" },
                 1);
    return 0;
}

/* ---- fiber_oneshot_pingpong: as oneshot_pingpong, between two fibers ---- */

enum { HOPS = 1000000 };

/* A message, with the sender of its reply, which is a message too. */
struct message {
    edo_oneshot_sender(struct message) reply;
    uint64_t number;
};

struct pong {
    edo_oneshot_receiver(struct message) in;
    uint64_t begins;
};

edo_fiber(pong)
{
    struct message got;
    for (uint64_t i = 0; i < HOPS; i++) {
        int64_t rc = edo_wait(edo_oneshot_recv(&self->in, &got));
        bench_require(rc == 1 && got.number == 2 * i + self->begins ? 0 : -EIO, "receive");
        if (got.number + 1 == 2 * HOPS) break;
        struct message next = { .number = got.number + 1 };
        bench_require(edo_oneshot_create(&next.reply, &self->in), "oneshot");
        bench_require(edo_oneshot_send(&got.reply, &next), "send");
    }
    return 0;
}

static int64_t pingpong(void *arg)
{
    struct message start = { .number = 0 };
    edo_oneshot_sender(struct message) first = { NULL };
    struct pong pongs[2] = { { .begins = 0 }, { .begins = 1 } };
    edo_task *tasks[2];
    (void)arg;
    bench_require(edo_oneshot_create(&first, &pongs[0].in), "oneshot");
    bench_require(edo_oneshot_create(&start.reply, &pongs[1].in), "oneshot");
    bench_require(edo_oneshot_send(&first, &start), "send");
    for (int i = 0; i < 2; i++)
        bench_require(edo_fiber_spawn_args(&tasks[i], NULL, pong, .in = pongs[i].in,
                                           .begins = pongs[i].begins),
                      "spawn");
    for (int i = 0; i < 2; i++)
        bench_require(edo_wait(edo_join(tasks[i])), "join");
    return 0;
}

static void pingpong_once(edo_runtime *runtime, double *ret_nanoseconds)
{
    int64_t start = bench_now();
    bench_require(edo_fiber_block_on(runtime, pingpong, NULL), "fiber_oneshot_pingpong");
    *ret_nanoseconds = (double)(bench_now() - start) / (2.0 * HOPS);
}

int bench_fiber_oneshot_pingpong(edo_runtime *runtime, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    bench_repeat(runtime, pingpong_once, &(bench_line){ "fiber_oneshot_pingpong", "ns/hop" }, 1);
    return 0;
}

/* ---- mem_fiber: resident memory per parked fiber ---- */

enum { PARKED = 100000 };

static int64_t parks(void *arg)
{
    __atomic_add_fetch((int *)arg, 1, __ATOMIC_RELAXED);
    return edo_wait(edo_sleep(edo_minutes(60)));
}

static int64_t park_many(void *arg)
{
    int *started = arg;
    for (int i = 0; i < PARKED; i++)
        bench_require(edo_fiber_go(parks, started), "spawn");
    while (__atomic_load_n(started, __ATOMIC_RELAXED) < PARKED)
        bench_require(edo_wait(edo_yield()), "yield");
    return edo_wait(edo_sleep(edo_ms(300)));
}

int bench_mem_fiber(edo_runtime *runtime, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    static int started;
    double before = bench_resident_bytes();
    bench_require(edo_fiber_block_on(runtime, park_many, &started), "mem_fiber");
    bench_print("mem_fiber", (bench_resident_bytes() - before) / PARKED, "bytes/fiber");
    return 0;
}
