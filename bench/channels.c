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

/* ---- oneshot ---- */

typedef edo_oneshot_sender(uint64_t) word_reply;
typedef edo_oneshot_receiver(uint64_t) word_answer;

enum { ONESHOTS = 5000000, HOPS = 1000000 };

struct oneshot_same {
    edo_frame();
    edo_args();
    word_answer answer;
    uint64_t i, value;
};

edo_async(oneshot_same)
{
    edo_body {
        int rc;
        for (self->i = 0; self->i < ONESHOTS; self->i++) {
            word_reply reply = { NULL };
            bench_require(edo_oneshot_create(&reply, &self->answer), "oneshot");
            bench_require(edo_oneshot_send(&reply, &self->i), "send");
            edo_await_oneshot(rc, &self->answer, &self->value);
            bench_require(rc == 1 && self->value == self->i ? 0 : -EIO, "receive");
        }
        edo_return(0);
    }
}

static void oneshot_same_once(edo_runtime *runtime, double *ret_value)
{
    int64_t start = bench_now();
    bench_require(edo_block_on(runtime, oneshot_same), "oneshot_same");
    *ret_value = (double)(bench_now() - start) / ONESHOTS;
}

/* A message, and where the reply goes to, which is another. */
struct message {
    edo_oneshot_sender(struct message) reply;
    uint64_t number;
};

typedef edo_oneshot_receiver(struct message) message_receiver;

struct pong {
    edo_frame();
    edo_args(message_receiver in; uint64_t begins;);
    struct message got;
    uint64_t i;
};

static void answer(struct pong *self)
{
    struct message next = { .number = self->got.number + 1 };
    bench_require(edo_oneshot_create(&next.reply, &self->in), "oneshot");
    bench_require(edo_oneshot_send(&self->got.reply, &next), "send");
}

edo_async(pong)
{
    edo_body {
        int rc;
        for (self->i = 0; self->i < HOPS; self->i++) {
            edo_await_oneshot(rc, &self->in, &self->got);
            bench_require(rc == 1 && self->got.number == 2 * self->i + self->begins ? 0 : -EIO,
                          "receive");
            if (self->got.number + 1 < 2 * HOPS) answer(self);
        }
        edo_return(0);
    }
}

struct pingpong {
    edo_frame();
    edo_args();
    edo_task *tasks[2];
    int i;
};

static void start_pingpong(struct pingpong *self)
{
    struct message start = { .number = 0 };
    edo_oneshot_sender(struct message) first = { NULL };
    message_receiver in_first = { NULL }, in_second = { NULL };
    bench_require(edo_oneshot_create(&first, &in_first), "oneshot");
    bench_require(edo_oneshot_create(&start.reply, &in_second), "oneshot");
    bench_require(edo_oneshot_send(&first, &start), "send");
    bench_require(edo_spawn(&self->tasks[0], pong, .in = in_first, .begins = 0), "spawn");
    bench_require(edo_spawn(&self->tasks[1], pong, .in = in_second, .begins = 1), "spawn");
}

edo_async(pingpong)
{
    edo_body {
        int rc;
        start_pingpong(self);
        for (self->i = 0; self->i < 2; self->i++) {
            edo_await(rc, edo_join(self->tasks[self->i]));
            bench_require(rc, "join");
        }
        edo_return(0);
    }
}

static void oneshot_pingpong_once(edo_runtime *runtime, double *ret_value)
{
    int64_t start = bench_now();
    bench_require(edo_block_on(runtime, pingpong), "oneshot_pingpong");
    *ret_value = (double)(bench_now() - start) / (2.0 * HOPS);
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
WORKLOAD(oneshot_same, oneshot_same_once, "ns/op")
WORKLOAD(oneshot_pingpong, oneshot_pingpong_once, "ns/hop")
