/* Channels: mpsc of both kinds with one producer or four; oneshots, broadcasts, watches. */
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

/* A message, with the sender of its reply, which is a message too. */
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

/* ---- broadcast ---- */

typedef edo_broadcast_sender(uint64_t) word_broadcaster;
typedef edo_broadcast_receiver(uint64_t) word_listener;

enum { RECEIVERS = 4, BURST = 512, BURSTS = 1953, KEPT = 1024 };

struct listener {
    edo_frame();
    edo_args(word_listener in; uint64_t *acks; edo_notify *all;);
    uint64_t value, count;
};

edo_async(listener)
{
    edo_body {
        int rc;
        for (self->count = 0; self->count < (uint64_t)BURST * BURSTS; self->count++) {
            edo_await_broadcast(rc, &self->in, &self->value);
            bench_require(rc == 1 && self->value == self->count ? 0 : -EIO, "receive");
            if ((self->count + 1) % BURST) continue;
            if (__atomic_add_fetch(self->acks, 1, __ATOMIC_ACQ_REL) % RECEIVERS == 0)
                edo_notify_one(self->all);
        }
        edo_broadcast_receiver_close(&self->in);
        edo_return(0);
    }
}

struct broadcast_4rx {
    edo_frame();
    edo_args();
    word_broadcaster out;
    edo_task *tasks[RECEIVERS];
    edo_notify all;
    uint64_t acks, sent;
    int i;
};

static void start_listeners(struct broadcast_4rx *self)
{
    word_listener in = { NULL };
    self->all = (edo_notify)EDO_NOTIFY_INIT;
    self->acks = self->sent = 0;
    bench_require(edo_broadcast_create(&self->out, &in, KEPT), "broadcast");
    for (int i = 0; i < RECEIVERS; i++) {
        word_listener next = in;
        if (i) edo_broadcast_subscribe(&self->out, &next);
        bench_require(
            edo_spawn(&self->tasks[i], listener, .in = next, .acks = &self->acks, &self->all),
            "spawn");
    }
}

edo_async(broadcast_4rx)
{
    edo_body {
        int rc;
        start_listeners(self);
        while (self->sent < (uint64_t)BURST * BURSTS) {
            for (int i = 0; i < BURST; i++, self->sent++)
                edo_broadcast_send(&self->out, &self->sent);
            edo_await_notified(rc, &self->all);
            bench_require(rc, "notified");
        }
        for (self->i = 0; self->i < RECEIVERS; self->i++) {
            edo_await(rc, edo_join(self->tasks[self->i]));
            bench_require(rc, "join");
        }
        edo_broadcast_sender_close(&self->out);
        edo_return(0);
    }
}

static void broadcast_once(edo_runtime *runtime, double *ret_value)
{
    int64_t start = bench_now();
    bench_require(edo_block_on(runtime, broadcast_4rx), "broadcast_4rx");
    *ret_value = (double)(bench_now() - start) / ((double)BURST * BURSTS);
}

/* ---- watch ---- */

typedef edo_watch_sender(uint64_t) word_watched;
typedef edo_watch_receiver(uint64_t) word_watcher;

enum { VALUES = 1000000, VALUES_PER_YIELD = 64, ROUNDTRIPS = 500000 };

struct watcher {
    edo_frame();
    edo_args(word_watcher in;);
    uint64_t value;
};

edo_async(watcher)
{
    edo_body {
        int rc;
        for (self->value = 0; self->value != VALUES;) {
            edo_await_watch(rc, &self->in, &self->value);
            bench_require(rc == 1 ? 0 : -EIO, "receive");
        }
        edo_watch_receiver_close(&self->in);
        edo_return(0);
    }
}

struct watch_4rx {
    edo_frame();
    edo_args();
    word_watched out;
    edo_task *tasks[RECEIVERS];
    uint64_t value;
    int i;
};

static void start_watchers(struct watch_4rx *self)
{
    word_watcher in = { NULL };
    self->value = 0;
    bench_require(edo_watch_create(&self->out, &in, &self->value), "watch");
    for (int i = 0; i < RECEIVERS; i++) {
        word_watcher next = in;
        if (i) edo_watch_subscribe(&self->out, &next);
        bench_require(edo_spawn(&self->tasks[i], watcher, .in = next), "spawn");
    }
}

edo_async(watch_4rx)
{
    edo_body {
        int rc;
        start_watchers(self);
        for (self->value = 1; self->value <= VALUES; self->value++) {
            edo_watch_send(&self->out, &self->value);
            if (self->value % VALUES_PER_YIELD == 0) edo_await_void(edo_yield());
        }
        for (self->i = 0; self->i < RECEIVERS; self->i++) {
            edo_await(rc, edo_join(self->tasks[self->i]));
            bench_require(rc, "join");
        }
        edo_watch_sender_close(&self->out);
        edo_return(0);
    }
}

static void watch_once(edo_runtime *runtime, double *ret_value)
{
    int64_t start = bench_now();
    bench_require(edo_block_on(runtime, watch_4rx), "watch_4rx");
    *ret_value = (double)(bench_now() - start) / VALUES;
}

struct watch_pong {
    edo_frame();
    edo_args(word_watched out; word_watcher in; bool begins;);
    uint64_t i, value;
};

edo_async(watch_pong)
{
    edo_body {
        int rc;
        for (self->i = 1; self->i <= ROUNDTRIPS; self->i++) {
            if (self->begins) edo_watch_send(&self->out, &self->i);
            edo_await_watch(rc, &self->in, &self->value);
            bench_require(rc == 1 && self->value == self->i ? 0 : -EIO, "receive");
            if (!self->begins) edo_watch_send(&self->out, &self->i);
        }
        edo_watch_sender_close(&self->out);
        edo_watch_receiver_close(&self->in);
        edo_return(0);
    }
}

struct watch_pingpong {
    edo_frame();
    edo_args();
    edo_task *tasks[2];
    int i;
};

static void start_watch_pongs(edo_task **ret_tasks)
{
    word_watched there = { NULL }, back = { NULL };
    word_watcher in_there = { NULL }, in_back = { NULL };
    uint64_t zero = 0;
    bench_require(edo_watch_create(&there, &in_there, &zero), "watch");
    bench_require(edo_watch_create(&back, &in_back, &zero), "watch");
    bench_require(edo_spawn(&ret_tasks[0], watch_pong, there, in_back, true), "spawn");
    bench_require(edo_spawn(&ret_tasks[1], watch_pong, back, in_there, false), "spawn");
}

edo_async(watch_pingpong)
{
    edo_body {
        int rc;
        start_watch_pongs(self->tasks);
        for (self->i = 0; self->i < 2; self->i++) {
            edo_await(rc, edo_join(self->tasks[self->i]));
            bench_require(rc, "join");
        }
        edo_return(0);
    }
}

static void watch_pingpong_once(edo_runtime *runtime, double *ret_value)
{
    int64_t start = bench_now();
    bench_require(edo_block_on(runtime, watch_pingpong), "watch_pingpong");
    *ret_value = (double)(bench_now() - start) / ROUNDTRIPS;
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
WORKLOAD(broadcast_4rx, broadcast_once, "ns/send")
WORKLOAD(watch_4rx, watch_once, "ns/send")
WORKLOAD(watch_pingpong, watch_pingpong_once, "ns/roundtrip")
