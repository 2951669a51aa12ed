// edo-stress: short 2
/* Consumers that merge many channels, with cancelled pulls and streams that come and go, beside
 * senders on other workers: each number is received once, in the order of its channel. */
#include <stdio.h>
#include <string.h>

#include <edo/edo.h>

#include "sequence/cut.h"
#include "stress/options.h"

enum { CHANNELS = 12, NUMBERS = 2000, CONSUMERS = 4, WORKERS = 4, GRACE = 60 };

typedef edo_sender(uint64_t) number_sender;
typedef edo_receiver(uint64_t) number_receiver;

static uint64_t received; // of all consumers; atomic

static void insist(bool is_so, const char *what)
{
    if (is_so) return;
    fprintf(stderr, "stress_sequence: %s\n", what);
    abort();
}

/* ---- senders ---- */

struct send {
    edo_frame();
    edo_args(number_sender tx; uint64_t channel, seed;);
    uint64_t i, number;
    test_random random;
};

/* A number is the channel and a count. */
edo_async(send)
{
    edo_body {
        int rc = 0;
        self->random = test_random_make(self->seed);
        for (self->i = 0; self->i < NUMBERS && rc == 0; self->i++) {
            self->number = self->channel << 32 | self->i;
            edo_await(rc, edo_send(&self->tx, &self->number));
            if (rc == 0 && one_in(&self->random, 50)) edo_await(rc, edo_yield());
        }
        insist(self->i == NUMBERS, "a send was refused");
        edo_sender_close(&self->tx);
        edo_return(0);
    }
}

/* ---- consumers ---- */

struct channel {
    number_receiver rx;
    edo_op_source_of(uint64_t) stream;
    edo_step_of(uint64_t) filter; // one more part, so that an item passes several
    edo_stream_entry_of(uint64_t) entry;
    uint64_t next;
    bool is_in, has_ended;
};

struct consume {
    edo_frame();
    edo_args(uint64_t seed;);
    edo_stream_map_of(uint64_t) map;
    struct channel channels[CHANNELS];
    number_sender tx;
    edo_scope senders;
    test_random random;
    uint64_t i, item, open;
    cut cut;
};

static int64_t all(void *context, const void *item)
{
    (void)context;
    (void)item;
    return 1;
}

static void insert(struct consume *self, struct channel *channel)
{
    edo_stream_map_insert(&self->map, &channel->entry, &channel->filter,
                          (uint64_t)(channel - self->channels));
    channel->is_in = true;
}

static void take(struct consume *self, uint64_t number)
{
    struct channel *channel = &self->channels[number >> 32];
    insist((uint32_t)number == channel->next, "a number is missing, or came twice");
    channel->next++;
    __atomic_add_fetch(&received, 1, __ATOMIC_RELAXED);
}

/* Notes the streams that have ended. Returns: number of streams that have not. */
static uint64_t note_ended(struct consume *self)
{
    uint64_t open = 0;
    for (int i = 0; i < CHANNELS; i++) {
        struct channel *channel = &self->channels[i];
        if (channel->is_in && !edo_stream_map_has(&self->map, (uint64_t)i)) {
            channel->is_in = false;
            channel->has_ended = true;
        }
        open += !channel->has_ended;
    }
    return open;
}

edo_async(consume)
{
    edo_body {
        int64_t rc;
        self->random = test_random_make(self->seed);
        edo_scope_open(&self->senders, 0);
        edo_stream_map_init(&self->map, false);
        memset(self->channels, 0, sizeof self->channels);
        for (self->i = 0; self->i < CHANNELS; self->i++) {
            struct channel *channel = &self->channels[self->i];
            insist(edo_mpsc_create(&self->tx, &channel->rx, 1 + below(&self->random, 8)) == 0,
                   "channel");
            edo_receiver_stream(&channel->stream, &channel->rx);
            edo_filter_init(&channel->filter, &channel->stream, all, NULL);
            insert(self, channel);
            rc = edo_scope_spawn(&self->senders, send, .tx = self->tx, .channel = self->i,
                                 .seed = self->seed + self->i + 1);
            insist(rc == 0, "spawn");
        }
        while ((self->open = note_ended(self)) > 0) {
            /* one stream leaves or enters */
            self->i = below(&self->random, CHANNELS);
            if (!self->channels[self->i].is_in && !self->channels[self->i].has_ended) {
                insert(self, &self->channels[self->i]);
            } else if (self->channels[self->i].is_in && one_in(&self->random, 4)) {
                edo_await(rc, edo_stream_map_remove(&self->map, &self->channels[self->i].entry,
                                                    &self->item));
                self->channels[self->i].is_in = false;
                if (rc == -ENOENT) self->channels[self->i].has_ended = true;
                if (rc == 1) take(self, self->item);
            }
            for (self->i = below(&self->random, 40); self->i-- > 0;) {
                cut_init(&self->cut, edo_next(&self->map, &self->item), below(&self->random, 3));
                edo_await_on(rc, &self->cut.base);
                if (rc == 1) take(self, self->item);
                insist(rc >= 0 || rc == -ECANCELED, "an answer that no channel gives");
            }
        }
        for (int i = 0; i < CHANNELS; i++) {
            insist(self->channels[i].next == NUMBERS, "the last numbers are missing");
            edo_receiver_close(&self->channels[i].rx);
        }
        edo_await(rc, edo_scope_join(&self->senders));
        edo_return(rc);
    }
}

struct root {
    edo_frame();
    edo_args(uint64_t seed;);
    edo_scope consumers;
    int i;
};

edo_async(root)
{
    edo_body {
        int rc = 0;
        edo_scope_open(&self->consumers, EDO_SCOPE_FAIL_FAST);
        for (self->i = 0; self->i < CONSUMERS && rc == 0; self->i++)
            rc = edo_scope_spawn(&self->consumers, consume,
                                 .seed = self->seed + (uint64_t)self->i * 100);
        edo_await(rc, edo_scope_join(&self->consumers));
        edo_return(rc);
    }
}

int main(int argc, char **argv)
{
    unsigned seconds = read_options(argc, argv, NULL, NULL);
    int64_t end = edo_now() + edo_s(seconds);
    uint64_t rounds = 0;
    test_seed(); // prints it
    expect_end_within(seconds + GRACE);
    for (; edo_now() < end; rounds++) {
        edo_runtime *runtime;
        edo_config config = { .workers = rounds % 4 ? WORKERS : 0, .stall_limit = EDO_NEVER };
        insist(edo_runtime_create(&config, &runtime) == 0, "runtime");
        insist(edo_block_on(runtime, root, .seed = rounds * 1000) == 0, "a consumer failed");
        insist(edo_runtime_destroy(runtime) == 0, "destroy");
    }
    printf("%llu rounds, %llu numbers\n", (unsigned long long)rounds, (unsigned long long)received);
    return received == rounds * CONSUMERS * CHANNELS * NUMBERS ? EXIT_SUCCESS : EXIT_FAILURE;
}
