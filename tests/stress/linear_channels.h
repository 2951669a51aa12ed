/* The channels as subjects of stress_linear. */
#pragma once

#include "stress/linear.h"

#include <edo/broadcast.h>
#include <edo/channels.h>
#include <edo/oneshot.h>
#include <edo/watch.h>

enum { CAPACITY = 2, MOST_VALUES = 40 };

static struct {
    edo_sender(int64_t) tx;
    edo_receiver(int64_t) rx;
    edo_oneshot_sender(int64_t) once_tx;
    edo_oneshot_receiver(int64_t) once_rx;
    edo_watch_sender(int64_t) watch_tx;
    edo_watch_receiver(int64_t) watch_rx[ACTORS];
    edo_broadcast_sender(int64_t) cast_tx;
    edo_broadcast_receiver(int64_t) cast_rx[ACTORS];
} channels;

/* A value that no other call of the round has. */
static int64_t fresh_value(const linear_call *call, const linear_call *last)
{
    int64_t number = last ? last->argument % 10 + 1 : 1;
    return 10 * (call->actor + 1) + number;
}

/* ---- mpsc, mpmc ---- */

enum { SEND, TRY_SEND, RECV, TRY_RECV, SHUTDOWN, DEPOSIT };

static const char *const channel_kinds[] = { "send",     "try_send", "recv",
                                             "try_recv", "shutdown", "deposit" };

struct channel_state {
    uint8_t count, places, closed, capacity, values[MOST_VALUES]; // places: reserved
};

static void unbounded_init(void *state)
{
    ((struct channel_state *)state)->capacity = MOST_VALUES;
}

static void bounded_init(void *state)
{
    ((struct channel_state *)state)->capacity = CAPACITY;
}

static void mpsc_set_up(test_random *random)
{
    (void)random;
    insist(edo_mpsc_create(&channels.tx, &channels.rx, CAPACITY) == 0);
}

static void mpsc_unbounded_set_up(test_random *random)
{
    (void)random;
    insist(edo_mpsc_create_unbounded(&channels.tx, &channels.rx) == 0);
}

static void mpmc_set_up(test_random *random)
{
    (void)random;
    insist(edo_mpmc_create(&channels.tx, &channels.rx, CAPACITY) == 0);
}

static void channel_tear_down(void)
{
    edo_sender_close(&channels.tx);
    edo_receiver_close(&channels.rx);
}

/* Waits have limits, so threads, which have none, try. */
static bool channel_plan(test_random *random, const round_rules *rules, const linear_call *last,
                         linear_call *ret_call, bool receives)
{
    bool waits = rules->waits && !is_thread(ret_call->actor) && !one_in(random, 3);
    ret_call->argument = fresh_value(ret_call, last);
    ret_call->limited = waits;
    if (one_in(random, 60))
        ret_call->kind = SHUTDOWN;
    else if (receives)
        ret_call->kind = waits ? RECV : TRY_RECV;
    else
        ret_call->kind = waits ? SEND : TRY_SEND;
    return !rules->is_last;
}

static bool mpsc_plan(test_random *random, const round_rules *rules, const linear_call *last,
                      linear_call *ret_call)
{
    return channel_plan(random, rules, last, ret_call, ret_call->actor == 0);
}

static bool mpmc_plan(test_random *random, const round_rules *rules, const linear_call *last,
                      linear_call *ret_call)
{
    return channel_plan(random, rules, last, ret_call, one_in(random, 2));
}

static edo_op channel_begin(linear_call *call)
{
    if (call->kind == SEND) return edo_send(&channels.tx, &call->argument);
    return call->kind == RECV ? edo_recv(&channels.rx, &call->value) : (edo_op){ 0 };
}

static int64_t channel_now(linear_call *call)
{
    switch (call->kind) {
    case TRY_SEND: return edo_try_send(&channels.tx, &call->argument);
    case TRY_RECV: return edo_try_recv(&channels.rx, &call->value);
    default: edo_sender_shutdown(&channels.tx); return 0;
    }
}

/* A send takes a place, then it deposits the value; a shutdown between the two does not refuse it. One
 * whose limit passes may have had a place for a while. */
static bool channel_sends(struct channel_state *state, const linear_call *call, unsigned variant)
{
    bool fits = state->count + state->places < state->capacity;
    switch (call->result) {
    case -EPIPE: return state->closed;
    case -EAGAIN: return !state->closed && (!fits || call->lenient);
    case -ETIMEDOUT:
        if (variant == 0) return call->limited;
    }
    state->places++;
    return !state->closed && fits;
}

static bool channel_deposits(struct channel_state *state, const linear_call *call, unsigned variant)
{
    if (call->result == -ETIMEDOUT && variant == 0) return true;
    if (state->places-- == 0) return false;
    if (call->result == 0) state->values[state->count++] = (uint8_t)call->argument;
    return true;
}

static bool channel_receives(struct channel_state *state, const linear_call *call)
{
    bool drained = state->closed && !state->count && !state->places;
    switch (call->result) {
    case 0: return drained;
    case -ETIMEDOUT: return call->limited;
    case -EAGAIN: return !state->count && !drained;
    }
    if (!state->count || state->values[0] != call->value) return false;
    memmove(state->values, state->values + 1, --state->count);
    state->values[state->count] = 0;
    return call->result == 1;
}

static bool channel_apply(void *state_, const linear_call *call, unsigned variant)
{
    struct channel_state *state = state_;
    switch (call->kind) {
    case SEND:
    case TRY_SEND: return channel_sends(state, call, variant);
    case DEPOSIT: return channel_deposits(state, call, variant);
    case SHUTDOWN: state->closed = true; return true;
    default: return channel_receives(state, call);
    }
}

static bool channel_second(const linear_call *call, linear_call *ret_second)
{
    *ret_second = *call;
    ret_second->kind = DEPOSIT;
    return call->kind <= TRY_SEND && (call->result == 0 || call->result == -ETIMEDOUT);
}

static bool channel_end(unsigned number, const linear_call *last, linear_call *ret_call)
{
    ret_call->kind = TRY_RECV;
    return number == 0 || last->result == 1;
}

/* ---- oneshot: a thread sends, a task receives ---- */

enum { ONCE_SEND, ONCE_CLOSE, ONCE_RECV, ONCE_TRY_RECV, ONCE_SHUTDOWN };

static const char *const oneshot_kinds[] = { "send", "sender_close", "recv", "try_recv",
                                             "receiver_shutdown" };

struct oneshot_state {
    bool sent, gone, shut, taken;
    int64_t value;
};

static void oneshot_set_up(test_random *random)
{
    (void)random;
    insist(edo_oneshot_create(&channels.once_tx, &channels.once_rx) == 0);
}

static void oneshot_tear_down(void)
{
    if (channels.once_tx.edo_core) edo_oneshot_sender_close(&channels.once_tx);
    if (channels.once_rx.edo_core) edo_oneshot_receiver_close(&channels.once_rx);
}

static bool oneshot_plan(test_random *random, const round_rules *rules, const linear_call *last,
                         linear_call *ret_call)
{
    ret_call->argument = fresh_value(ret_call, last);
    if (ret_call->actor == TASKS) {
        ret_call->kind = one_in(random, 4) ? ONCE_CLOSE : ONCE_SEND;
        return !last;
    }
    bool is_over = last && last->kind != ONCE_SHUTDOWN && last->result >= 0;
    if (ret_call->actor != 0 || is_over || rules->is_last) return false;
    ret_call->limited = rules->waits && one_in(random, 2);
    if (one_in(random, 6))
        ret_call->kind = ONCE_SHUTDOWN;
    else
        ret_call->kind = ret_call->limited ? ONCE_RECV : ONCE_TRY_RECV;
    return true;
}

static edo_op oneshot_begin(linear_call *call)
{
    if (call->kind != ONCE_RECV) return (edo_op){ 0 };
    return edo_oneshot_recv(&channels.once_rx, &call->value);
}

static int64_t oneshot_now(linear_call *call)
{
    switch (call->kind) {
    case ONCE_SEND: return edo_oneshot_send(&channels.once_tx, &call->argument);
    case ONCE_CLOSE: edo_oneshot_sender_close(&channels.once_tx); return 0;
    case ONCE_SHUTDOWN: edo_oneshot_receiver_shutdown(&channels.once_rx); return 0;
    default: return edo_oneshot_try_recv(&channels.once_rx, &call->value);
    }
}

static bool oneshot_received(struct oneshot_state *state, const linear_call *call)
{
    bool there = state->sent && !state->taken;
    switch (call->result) {
    case 1: state->taken = true; return there && call->value == state->value;
    case 0: return !there && (state->gone || state->shut || state->taken);
    case -ETIMEDOUT: return call->limited;
    default: return !there && !state->gone && !state->shut;
    }
}

static bool oneshot_apply(void *state_, const linear_call *call, unsigned variant)
{
    struct oneshot_state *state = state_;
    (void)variant;
    switch (call->kind) {
    case ONCE_CLOSE: state->gone = true; return true;
    case ONCE_SHUTDOWN: state->shut = true; return true;
    case ONCE_SEND:
        state->gone = true;
        if (call->result == -EPIPE) return state->shut;
        state->sent = true;
        state->value = call->argument;
        return call->result == 0 && !state->shut;
    default: return oneshot_received(state, call);
    }
}

/* ---- watch, broadcast: each actor has a receiver ---- */

enum { HUB_SEND, HUB_RECV, HUB_TRY_RECV };

static const char *const hub_kinds[] = { "send", "recv", "try_recv" };

static bool hub_plan(test_random *random, const round_rules *rules, const linear_call *last,
                     linear_call *ret_call)
{
    bool waits = rules->waits && !is_thread(ret_call->actor) && !one_in(random, 3);
    ret_call->argument = fresh_value(ret_call, last);
    ret_call->limited = waits;
    ret_call->kind = one_in(random, 2) ? HUB_SEND : waits ? HUB_RECV : HUB_TRY_RECV;
    if (ret_call->kind == HUB_SEND) ret_call->limited = false;
    return !rules->is_last;
}

struct watch_state {
    uint8_t value, version, seen[ACTORS];
};

static void watch_set_up(test_random *random)
{
    int64_t zero = 0;
    (void)random;
    insist(edo_watch_create(&channels.watch_tx, &channels.watch_rx[0], &zero) == 0);
    for (int i = 1; i < ACTORS; i++)
        edo_watch_subscribe(&channels.watch_tx, &channels.watch_rx[i]);
}

static void watch_tear_down(void)
{
    edo_watch_sender_close(&channels.watch_tx);
    for (int i = 0; i < ACTORS; i++)
        edo_watch_receiver_close(&channels.watch_rx[i]);
}

static edo_op watch_begin(linear_call *call)
{
    if (call->kind != HUB_RECV) return (edo_op){ 0 };
    return edo_watch_recv(&channels.watch_rx[call->actor], &call->value);
}

static int64_t watch_now(linear_call *call)
{
    if (call->kind == HUB_TRY_RECV)
        return edo_watch_try_recv(&channels.watch_rx[call->actor], &call->value);
    edo_watch_send(&channels.watch_tx, &call->argument);
    return 0;
}

static bool watch_apply(void *state_, const linear_call *call, unsigned variant)
{
    struct watch_state *state = state_;
    (void)variant;
    if (call->kind == HUB_SEND) {
        state->value = (uint8_t)call->argument;
        state->version++;
        return true;
    }
    if (call->result == -ETIMEDOUT) return call->limited;
    bool news = state->seen[call->actor] != state->version;
    if (call->result == -EAGAIN) return !news;
    state->seen[call->actor] = state->version;
    return call->result == 1 && news && call->value == state->value;
}

struct broadcast_state {
    uint8_t sent, next[ACTORS], values[MOST_VALUES];
};

static void broadcast_set_up(test_random *random)
{
    (void)random;
    insist(edo_broadcast_create(&channels.cast_tx, &channels.cast_rx[0], CAPACITY) == 0);
    insist(edo_broadcast_capacity(&channels.cast_tx) == CAPACITY);
    for (int i = 1; i < ACTORS; i++)
        edo_broadcast_subscribe(&channels.cast_tx, &channels.cast_rx[i]);
}

static void broadcast_tear_down(void)
{
    edo_broadcast_sender_close(&channels.cast_tx);
    for (int i = 0; i < ACTORS; i++)
        edo_broadcast_receiver_close(&channels.cast_rx[i]);
}

static edo_op broadcast_begin(linear_call *call)
{
    if (call->kind != HUB_RECV) return (edo_op){ 0 };
    return edo_broadcast_recv(&channels.cast_rx[call->actor], &call->value);
}

static int64_t broadcast_now(linear_call *call)
{
    if (call->kind == HUB_TRY_RECV)
        return edo_broadcast_try_recv(&channels.cast_rx[call->actor], &call->value);
    edo_broadcast_send(&channels.cast_tx, &call->argument);
    return 0;
}

static bool broadcast_apply(void *state_, const linear_call *call, unsigned variant)
{
    struct broadcast_state *state = state_;
    uint8_t *next = &state->next[call->actor];
    (void)variant;
    if (call->kind == HUB_SEND) {
        state->values[state->sent++] = (uint8_t)call->argument;
        return true;
    }
    bool lagged = *next + CAPACITY < state->sent;
    switch (call->result) {
    case -ETIMEDOUT: return call->limited;
    case -EAGAIN: return *next == state->sent;
    case EDO_LAGGED: *next = (uint8_t)(state->sent - CAPACITY); return lagged;
    default: return !lagged && *next < state->sent && state->values[(*next)++] == call->value;
    }
}

#define of_channel                                                                                 \
    .tear_down = channel_tear_down, .begin = channel_begin, .now = channel_now,                    \
    .second = channel_second, .end = channel_end

static const subject channel_subjects[] = {
    { .spec = { "mpsc", channel_kinds, bounded_init, channel_apply, 2 },
      .set_up = mpsc_set_up,
      .plan = mpsc_plan,
      of_channel },
    { .spec = { "mpsc, unbounded", channel_kinds, unbounded_init, channel_apply, 2 },
      .set_up = mpsc_unbounded_set_up,
      .plan = mpsc_plan,
      of_channel },
    { .spec = { "mpmc", channel_kinds, bounded_init, channel_apply, 2 },
      .set_up = mpmc_set_up,
      .plan = mpmc_plan,
      of_channel },
    { .spec = { "oneshot", oneshot_kinds, NULL, oneshot_apply, 0 },
      .set_up = oneshot_set_up,
      .tear_down = oneshot_tear_down,
      .plan = oneshot_plan,
      .begin = oneshot_begin,
      .now = oneshot_now },
    { .spec = { "watch", hub_kinds, NULL, watch_apply, 0 },
      .set_up = watch_set_up,
      .tear_down = watch_tear_down,
      .plan = hub_plan,
      .begin = watch_begin,
      .now = watch_now },
    { .spec = { "broadcast", hub_kinds, NULL, broadcast_apply, 0 },
      .set_up = broadcast_set_up,
      .tear_down = broadcast_tear_down,
      .plan = hub_plan,
      .begin = broadcast_begin,
      .now = broadcast_now },
};
