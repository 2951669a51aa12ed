/* Channels: mpsc of either kind with one producer or four. */
#include "bench.h"

typedef edo_sender(uint64_t) word_sender;
typedef edo_receiver(uint64_t) word_receiver;

enum { MESSAGES = 10000000, CAPACITY = 128, MAX_PRODUCERS = 4 };

/* ---- mpsc ---- */

struct bounded_producer {
    edo_frame();
    edo_args(word_sender out; uint64_t count;);
    uint64_t i;
};

edo_async(bounded_producer)
{
    edo_body {
        int rc;
        for (self->i = 0; self->i < self->count; self->i++) {
            edo_await_send(rc, &self->out, &self->i);
            bench_require(rc, "send");
        }
        edo_sender_close(&self->out);
        edo_return(0);
    }
}

struct unbounded_producer {
    edo_frame();
    edo_args(word_sender out; uint64_t count;);
};

edo_async(unbounded_producer)
{
    edo_body {
        for (uint64_t i = 0; i < self->count; i++)
            bench_require(edo_try_send(&self->out, &i), "send");
        edo_sender_close(&self->out);
        edo_return(0);
    }
}

struct consumer {
    edo_frame();
    edo_args(word_receiver in;);
    uint64_t value, count, sum;
};

edo_async(consumer)
{
    edo_body {
        int rc;
        self->count = self->sum = 0;
        for (;;) {
            edo_await_recv(rc, &self->in, &self->value);
            if (rc != 1) break;
            self->count++;
            self->sum += self->value;
        }
        bench_require(rc, "receive");
        edo_receiver_close(&self->in);
        edo_return((int64_t)self->count);
    }
}

struct mpsc {
    edo_frame();
    edo_args(uint64_t producers; size_t capacity;);
    edo_task *tasks[MAX_PRODUCERS], *consumer;
    uint64_t i;
};

static int make_channel(size_t capacity, word_sender *ret_in, word_receiver *ret_out)
{
    return capacity ? edo_mpsc_create(ret_in, ret_out, capacity)
                    : edo_mpsc_create_unbounded(ret_in, ret_out);
}

static int spawn_producer(const struct mpsc *self, word_sender *in, edo_task **ret_task)
{
    uint64_t count = MESSAGES / self->producers;
    word_sender out = edo_sender_clone(in);
    return self->capacity ? edo_spawn(ret_task, bounded_producer, .out = out, .count = count)
                          : edo_spawn(ret_task, unbounded_producer, .out = out, .count = count);
}

static void spawn_all(struct mpsc *self)
{
    word_sender in = { NULL };
    word_receiver out = { NULL };
    bench_require(make_channel(self->capacity, &in, &out), "channel");
    bench_require(edo_spawn(&self->consumer, consumer, .in = out), "spawn");
    for (uint64_t i = 0; i < self->producers; i++)
        bench_require(spawn_producer(self, &in, &self->tasks[i]), "spawn");
    edo_sender_close(&in);
}

edo_async(mpsc)
{
    edo_body {
        int64_t rc;
        spawn_all(self);
        for (self->i = 0; self->i < self->producers; self->i++) {
            edo_await(rc, edo_join(self->tasks[self->i]));
            bench_require(rc, "join");
        }
        edo_await(rc, edo_join(self->consumer));
        bench_require(rc == MESSAGES ? 0 : -EIO, "the number of messages");
        edo_return(0);
    }
}

static void run_mpsc(edo_runtime *runtime, uint64_t producers, size_t capacity, double *ret_value)
{
    int64_t start = bench_now();
    bench_require(edo_block_on(runtime, mpsc, .producers = producers, .capacity = capacity),
                  "mpsc");
    *ret_value = (double)(bench_now() - start) / MESSAGES;
}

static void bounded_1p(edo_runtime *runtime, double *ret_value)
{
    run_mpsc(runtime, 1, CAPACITY, ret_value);
}

static void bounded_4p(edo_runtime *runtime, double *ret_value)
{
    run_mpsc(runtime, MAX_PRODUCERS, CAPACITY, ret_value);
}

static void unbounded_1p(edo_runtime *runtime, double *ret_value)
{
    run_mpsc(runtime, 1, 0, ret_value);
}

static void unbounded_4p(edo_runtime *runtime, double *ret_value)
{
    run_mpsc(runtime, MAX_PRODUCERS, 0, ret_value);
}

/* ---- the workloads ---- */

#define WORKLOAD(workload, once, unit)                                                             \
    int bench_##workload(edo_runtime *runtime, int argc, char **argv)                              \
    {                                                                                              \
        (void)argc;                                                                                \
        (void)argv;                                                                                \
        bench_repeat(runtime, once, &(bench_line){ #workload, unit }, 1);                          \
        return 0;                                                                                  \
    }

WORKLOAD(mpsc_bounded_1p, bounded_1p, "ns/msg")
WORKLOAD(mpsc_bounded_4p, bounded_4p, "ns/msg")
WORKLOAD(mpsc_unbounded_1p, unbounded_1p, "ns/msg")
WORKLOAD(mpsc_unbounded_4p, unbounded_4p, "ns/msg")
