/* The workloads of Tokio's benches/rt_multi_threaded.rs: spawns, yields and messages of short
 * tasks. The root of each is a task, as edo_block_on() runs it, and awaits where Tokio's file
 * blocks a thread. */
#include "bench.h"

typedef edo_sender(char) done_sender;
typedef edo_receiver(char) done_receiver;
typedef edo_oneshot_sender(char) ping_sender;
typedef edo_oneshot_receiver(char) ping_receiver;

enum {
    DONE_CAPACITY = 1000,
    SPAWNS = 10000,
    SPAWN_ITERATIONS = 100,
    YIELDERS = 200,
    YIELDS = 1000,
    YIELD_ITERATIONS = 20,
    PINGS = 1000,
    PING_ITERATIONS = 100,
    CHAIN = 1000,
    CHAIN_ITERATIONS = 500,
};

static struct {
    done_sender done;
    done_receiver all_done;
    uint64_t left; // atomic
} world;

static void open_world(void)
{
    bench_require(edo_mpsc_create(&world.done, &world.all_done, DONE_CAPACITY), "channel");
}

static void close_world(void)
{
    edo_sender_close(&world.done);
    edo_receiver_close(&world.all_done);
}

/* The last task to end reports it. */
static void count_down(void)
{
    static const char done;
    if (__atomic_sub_fetch(&world.left, 1, __ATOMIC_ACQ_REL) == 0)
        bench_require(edo_try_send(&world.done, &done), "send");
}

/* ---- rt_spawn_many_local ---- */

struct counter {
    edo_frame();
    edo_args();
};

edo_async(counter)
{
    edo_body {
        count_down();
        edo_return(0);
    }
}

static void spawn_counters(void)
{
    world.left = SPAWNS;
    for (int i = 0; i < SPAWNS; i++)
        bench_require(edo_go(counter), "spawn");
}

struct spawn_many {
    edo_frame();
    edo_args();
    char done;
    int i;
};

edo_async(spawn_many)
{
    edo_body {
        int rc;
        for (self->i = 0; self->i < SPAWN_ITERATIONS; self->i++) {
            spawn_counters();
            edo_await_recv(rc, &world.all_done, &self->done);
            bench_require(rc == 1 ? 0 : -EIO, "receive");
        }
        edo_return(0);
    }
}

static void spawn_many_once(edo_runtime *runtime, double *ret_value)
{
    open_world();
    int64_t start = bench_now();
    bench_require(edo_block_on(runtime, spawn_many), "spawn_many");
    *ret_value = (double)(bench_now() - start) / SPAWN_ITERATIONS;
    close_world();
}

/* ---- rt_yield_many ---- */

struct yields {
    edo_frame();
    edo_args();
    int i;
};

edo_async(yields)
{
    edo_body {
        int rc;
        static const char done;
        for (self->i = 0; self->i < YIELDS; self->i++)
            edo_await(rc, edo_yield());
        edo_await_send(rc, &world.done, &done);
        edo_return(rc);
    }
}

struct yield_many {
    edo_frame();
    edo_args();
    char done;
    int i, got;
};

edo_async(yield_many)
{
    edo_body {
        int rc;
        for (self->i = 0; self->i < YIELD_ITERATIONS; self->i++) {
            for (int task = 0; task < YIELDERS; task++)
                bench_require(edo_go(yields), "spawn");
            for (self->got = 0; self->got < YIELDERS; self->got++) {
                edo_await_recv(rc, &world.all_done, &self->done);
                bench_require(rc == 1 ? 0 : -EIO, "receive");
            }
        }
        edo_return(0);
    }
}

static void yield_many_once(edo_runtime *runtime, double *ret_value)
{
    open_world();
    int64_t start = bench_now();
    bench_require(edo_block_on(runtime, yield_many), "yield_many");
    *ret_value = (double)(bench_now() - start) / YIELD_ITERATIONS;
    close_world();
}

/* ---- rt_ping_pong ---- */

struct peer {
    edo_frame();
    edo_args(ping_receiver ping; ping_sender pong;);
    char value;
};

edo_async(peer)
{
    edo_body {
        int rc;
        edo_await_oneshot(rc, &self->ping, &self->value);
        bench_require(rc == 1 ? 0 : -EIO, "ping");
        bench_require(edo_oneshot_send(&self->pong, &self->value), "pong");
        edo_return(0);
    }
}

struct pinger {
    edo_frame();
    edo_args();
    ping_receiver pong;
    char value;
};

static void ping(struct pinger *self)
{
    ping_sender out = { NULL }, back = { NULL };
    ping_receiver in = { NULL };
    self->value = 1;
    bench_require(edo_oneshot_create(&out, &in), "oneshot");
    bench_require(edo_oneshot_create(&back, &self->pong), "oneshot");
    bench_require(edo_go(peer, .ping = in, .pong = back), "spawn");
    bench_require(edo_oneshot_send(&out, &self->value), "ping");
}

edo_async(pinger)
{
    edo_body {
        int rc;
        ping(self);
        edo_await_oneshot(rc, &self->pong, &self->value);
        bench_require(rc == 1 ? 0 : -EIO, "pong");
        count_down();
        edo_return(0);
    }
}

struct spawns_pingers {
    edo_frame();
    edo_args();
};

edo_async(spawns_pingers)
{
    edo_body {
        for (int i = 0; i < PINGS; i++)
            bench_require(edo_go(pinger), "spawn");
        edo_return(0);
    }
}

struct ping_pong {
    edo_frame();
    edo_args();
    char done;
    int i;
};

edo_async(ping_pong)
{
    edo_body {
        int rc;
        for (self->i = 0; self->i < PING_ITERATIONS; self->i++) {
            world.left = PINGS;
            bench_require(edo_go(spawns_pingers), "spawn");
            edo_await_recv(rc, &world.all_done, &self->done);
            bench_require(rc == 1 ? 0 : -EIO, "receive");
        }
        edo_return(0);
    }
}

static void ping_pong_once(edo_runtime *runtime, double *ret_value)
{
    open_world();
    int64_t start = bench_now();
    bench_require(edo_block_on(runtime, ping_pong), "ping_pong");
    *ret_value = (double)(bench_now() - start) / PING_ITERATIONS;
    close_world();
}

/* ---- rt_chained_spawn ---- */

struct chain_link {
    edo_frame();
    edo_args(int left;);
};

edo_async(chain_link)
{
    edo_body {
        static const char done;
        if (self->left)
            bench_require(edo_go(chain_link, .left = self->left - 1), "spawn");
        else
            bench_require(edo_try_send(&world.done, &done), "send");
        edo_return(0);
    }
}

struct chained {
    edo_frame();
    edo_args();
    char done;
    int i;
};

edo_async(chained)
{
    edo_body {
        int rc;
        for (self->i = 0; self->i < CHAIN_ITERATIONS; self->i++) {
            bench_require(edo_go(chain_link, .left = CHAIN), "spawn");
            edo_await_recv(rc, &world.all_done, &self->done);
            bench_require(rc == 1 ? 0 : -EIO, "receive");
        }
        edo_return(0);
    }
}

static void chained_once(edo_runtime *runtime, double *ret_value)
{
    open_world();
    int64_t start = bench_now();
    bench_require(edo_block_on(runtime, chained), "chained");
    *ret_value = (double)(bench_now() - start) / CHAIN_ITERATIONS;
    close_world();
}

/* ---- the workloads ---- */

#define WORKLOAD(workload, once)                                                                   \
    int bench_##workload(edo_runtime *runtime, int argc, char **argv)                              \
    {                                                                                              \
        (void)argc;                                                                                \
        (void)argv;                                                                                \
        bench_repeat(runtime, once, &(bench_line){ #workload, "ns/iter" }, 1);                     \
        return 0;                                                                                  \
    }

WORKLOAD(rt_spawn_many_local, spawn_many_once)
WORKLOAD(rt_yield_many, yield_many_once)
WORKLOAD(rt_ping_pong, ping_pong_once)
WORKLOAD(rt_chained_spawn, chained_once)
