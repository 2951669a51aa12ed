/* The locks for tasks as subjects of stress_linear. */
#pragma once

#include "stress/linear.h"

static struct {
    edo_mutex mutex;
    edo_semaphore semaphore;
    edo_rwlock rwlock;
    edo_notify notify;
} locks;

static void no_tear_down(void) {}

/* ---- mutex ---- */

enum { MUTEX_LOCK, MUTEX_TRY, MUTEX_UNLOCK };

static const char *const mutex_kinds[] = { "lock", "try_lock", "unlock" };

static void mutex_set_up(test_random *random)
{
    (void)random;
    locks.mutex = (edo_mutex)EDO_MUTEX_INIT;
}

static bool mutex_plan(test_random *random, const round_rules *rules, const linear_call *last,
                       linear_call *ret_call)
{
    bool holds = last && last->kind != MUTEX_UNLOCK && last->result == 0;
    bool waits = rules->waits && !one_in(random, 4);
    ret_call->kind = holds ? MUTEX_UNLOCK : waits ? MUTEX_LOCK : MUTEX_TRY;
    return holds || !rules->is_last;
}

static edo_op mutex_begin(linear_call *call)
{
    return call->kind == MUTEX_LOCK ? edo_mutex_lock(&locks.mutex) : (edo_op){ 0 };
}

static int64_t mutex_now(linear_call *call)
{
    if (call->kind == MUTEX_TRY) return edo_mutex_try_lock(&locks.mutex);
    edo_mutex_unlock(&locks.mutex);
    return 0;
}

static bool mutex_apply(void *state, const linear_call *call, unsigned variant)
{
    bool *locked = state, was = *locked;
    (void)variant;
    if (call->kind == MUTEX_LOCK && call->result == -ETIMEDOUT) return call->limited;
    if (call->kind == MUTEX_TRY && call->result == -EAGAIN) return was || call->lenient;
    *locked = call->kind != MUTEX_UNLOCK;
    return call->result == 0 && was != *locked;
}

static bool mutex_end(unsigned number, const linear_call *last, linear_call *ret_call)
{
    (void)last;
    ret_call->kind = MUTEX_TRY;
    return number == 0;
}

/* ---- semaphore ---- */

enum { SEMAPHORE_ACQUIRE, SEMAPHORE_TRY, SEMAPHORE_RELEASE, SEMAPHORE_CLOSE, SEMAPHORE_COUNT };

enum { PERMITS = 3 };

static const char *const semaphore_kinds[] = { "acquire", "try_acquire", "release", "close",
                                               "available" };

struct semaphore_state {
    uint32_t permits;
    bool closed;
};

static void semaphore_set_up(test_random *random)
{
    (void)random;
    assert_int_equal(edo_semaphore_init(&locks.semaphore, PERMITS), 0);
}

static void semaphore_init(void *state)
{
    ((struct semaphore_state *)state)->permits = PERMITS;
}

static bool semaphore_plan(test_random *random, const round_rules *rules, const linear_call *last,
                           linear_call *ret_call)
{
    bool holds = last && last->kind <= SEMAPHORE_TRY && last->result == 0;
    ret_call->argument = holds ? last->argument : 1 + below(random, PERMITS);
    if (holds)
        ret_call->kind = SEMAPHORE_RELEASE;
    else if (one_in(random, 60))
        ret_call->kind = SEMAPHORE_CLOSE;
    else
        ret_call->kind = rules->waits && !one_in(random, 4) ? SEMAPHORE_ACQUIRE : SEMAPHORE_TRY;
    return holds || !rules->is_last;
}

static edo_op semaphore_begin(linear_call *call)
{
    if (call->kind != SEMAPHORE_ACQUIRE) return (edo_op){ 0 };
    return edo_semaphore_acquire(&locks.semaphore, (uint32_t)call->argument);
}

static int64_t semaphore_now(linear_call *call)
{
    uint32_t permits = (uint32_t)call->argument;
    switch (call->kind) {
    case SEMAPHORE_TRY: return edo_semaphore_try_acquire(&locks.semaphore, permits);
    case SEMAPHORE_RELEASE: edo_semaphore_release(&locks.semaphore, permits); return 0;
    case SEMAPHORE_CLOSE: edo_semaphore_close(&locks.semaphore); return 0;
    default: return edo_semaphore_available(&locks.semaphore);
    }
}

static bool acquires(struct semaphore_state *state, const linear_call *call)
{
    bool fits = state->permits >= call->argument;
    switch (call->result) {
    case -EPIPE: return state->closed;
    case -ETIMEDOUT: return call->limited;
    case -EAGAIN: return !state->closed && (!fits || call->lenient);
    }
    if (state->closed || !fits) return false;
    state->permits -= (uint32_t)call->argument;
    return call->result == 0;
}

static bool semaphore_apply(void *state_, const linear_call *call, unsigned variant)
{
    struct semaphore_state *state = state_;
    (void)variant;
    switch (call->kind) {
    case SEMAPHORE_RELEASE: state->permits += (uint32_t)call->argument; return true;
    case SEMAPHORE_CLOSE: state->closed = true; return true;
    case SEMAPHORE_COUNT: return call->result == state->permits;
    default: return acquires(state, call);
    }
}

static bool semaphore_end(unsigned number, const linear_call *last, linear_call *ret_call)
{
    (void)last;
    ret_call->kind = SEMAPHORE_COUNT;
    return number == 0;
}

/* ---- readers-writer lock ---- */

enum { READ, WRITE, TRY_READ, TRY_WRITE, UNLOCK_READ, UNLOCK_WRITE, DOWNGRADE };

static const char *const rwlock_kinds[] = { "read",        "write",        "try_read", "try_write",
                                            "unlock_read", "unlock_write", "downgrade" };

struct rwlock_state {
    uint32_t readers;
    bool writer;
};

static void rwlock_set_up(test_random *random)
{
    (void)random;
    locks.rwlock = (edo_rwlock)EDO_RWLOCK_INIT;
}

static bool rwlock_plan(test_random *random, const round_rules *rules, const linear_call *last,
                        linear_call *ret_call)
{
    bool done = last && last->result == 0;
    bool reads = done && (last->kind == READ || last->kind == TRY_READ || last->kind == DOWNGRADE);
    bool writes = done && (last->kind == WRITE || last->kind == TRY_WRITE);
    bool waits = rules->waits && !one_in(random, 4);
    if (reads)
        ret_call->kind = UNLOCK_READ;
    else if (writes)
        ret_call->kind = rules->is_last || one_in(random, 2) ? UNLOCK_WRITE : DOWNGRADE;
    else if (one_in(random, 2))
        ret_call->kind = waits ? READ : TRY_READ;
    else
        ret_call->kind = waits ? WRITE : TRY_WRITE;
    return reads || writes || !rules->is_last;
}

static edo_op rwlock_begin(linear_call *call)
{
    if (call->kind == READ) return edo_rwlock_read(&locks.rwlock);
    return call->kind == WRITE ? edo_rwlock_write(&locks.rwlock) : (edo_op){ 0 };
}

static int64_t rwlock_now(linear_call *call)
{
    switch (call->kind) {
    case TRY_READ: return edo_rwlock_try_read(&locks.rwlock);
    case TRY_WRITE: return edo_rwlock_try_write(&locks.rwlock);
    case UNLOCK_READ: edo_rwlock_unlock_read(&locks.rwlock); return 0;
    case UNLOCK_WRITE: edo_rwlock_unlock_write(&locks.rwlock); return 0;
    default: edo_rwlock_downgrade(&locks.rwlock); return 0;
    }
}

static bool rwlock_takes(struct rwlock_state *state, const linear_call *call)
{
    bool write = call->kind == WRITE || call->kind == TRY_WRITE;
    bool is_free = !state->writer && (!write || !state->readers);
    if (call->result == -ETIMEDOUT) return call->limited;
    if (call->result == -EAGAIN) return !is_free || call->lenient;
    state->writer = write;
    state->readers += !write;
    return is_free && call->result == 0;
}

static bool rwlock_apply(void *state_, const linear_call *call, unsigned variant)
{
    struct rwlock_state *state = state_;
    bool writer = state->writer;
    (void)variant;
    switch (call->kind) {
    case UNLOCK_READ: return state->readers-- > 0;
    case DOWNGRADE: state->readers++; // fall through
    case UNLOCK_WRITE: state->writer = false; return writer;
    default: return rwlock_takes(state, call);
    }
}

static bool rwlock_end(unsigned number, const linear_call *last, linear_call *ret_call)
{
    (void)last;
    ret_call->kind = TRY_WRITE;
    return number == 0;
}

/* ---- notify ---- */

enum { NOTIFIED, TRY_NOTIFIED, NOTIFY_ONE, NOTIFY_LAST, NOTIFY_WAITERS, PASS_ON };

static const char *const notify_kinds[] = { "notified",    "try_notified",   "notify_one",
                                            "notify_last", "notify_waiters", "pass_on" };

struct notify_state {
    uint64_t all_end; // of the latest notify_waiters
    uint8_t held;     // notifications that waiters got whose limits passed
    bool permit;
};

static void notify_set_up(test_random *random)
{
    (void)random;
    locks.notify = (edo_notify)EDO_NOTIFY_INIT;
}

/* A wait without a limit might have no end: none by threads, which have no limits. */
static bool notify_plan(test_random *random, const round_rules *rules, const linear_call *last,
                        linear_call *ret_call)
{
    (void)last;
    bool waits = rules->waits && !is_thread(ret_call->actor) && one_in(random, 2);
    ret_call->limited = waits;
    if (waits)
        ret_call->kind = NOTIFIED;
    else
        ret_call->kind = one_in(random, 8) ? NOTIFY_WAITERS : TRY_NOTIFIED + below(random, 3);
    return !rules->is_last;
}

static edo_op notify_begin(linear_call *call)
{
    return call->kind == NOTIFIED ? edo_notified(&locks.notify) : (edo_op){ 0 };
}

static int64_t notify_now(linear_call *call)
{
    switch (call->kind) {
    case TRY_NOTIFIED: return edo_try_notified(&locks.notify);
    case NOTIFY_ONE: edo_notify_one(&locks.notify); return 0;
    case NOTIFY_LAST: edo_notify_last(&locks.notify); return 0;
    default: edo_notify_waiters(&locks.notify); return 0;
    }
}

/* A wait ends by the permit, or by a notify_waiters that had not ended when it began. One whose limit
 * passes may have got the permit, and passes it on: two steps. */
static bool notify_waited(struct notify_state *state, const linear_call *call, unsigned variant)
{
    bool permit = state->permit;
    bool timed_out = call->result == -ETIMEDOUT;
    if (timed_out && variant == 0) return call->limited;
    if (!timed_out && variant == 1) return state->all_end > call->begin;
    state->permit = false;
    state->held += timed_out;
    return permit;
}

static bool notify_tried(struct notify_state *state, const linear_call *call)
{
    bool permit = state->permit;
    if (call->actor == FINAL && state->held) return false;
    if (call->result == -EAGAIN) return !permit || call->lenient;
    state->permit = false;
    return permit;
}

static bool notify_apply(void *state_, const linear_call *call, unsigned variant)
{
    struct notify_state *state = state_;
    switch (call->kind) {
    case NOTIFIED: return notify_waited(state, call, variant);
    case TRY_NOTIFIED: return notify_tried(state, call);
    case NOTIFY_WAITERS:
        if (call->end > state->all_end) state->all_end = call->end;
        return true;
    case PASS_ON:
        if (!state->held) return true;
        state->held--; // fall through
    default: state->permit = true; return true;
    }
}

static bool notify_second(const linear_call *call, linear_call *ret_second)
{
    *ret_second = *call;
    ret_second->kind = PASS_ON;
    return call->kind == NOTIFIED && call->result == -ETIMEDOUT;
}

static bool notify_end(unsigned number, const linear_call *last, linear_call *ret_call)
{
    (void)last;
    ret_call->kind = TRY_NOTIFIED;
    return number < 2;
}

static const subject lock_subjects[] = {
    { .spec = { "mutex", mutex_kinds, NULL, mutex_apply, 0 },
      .set_up = mutex_set_up,
      .tear_down = no_tear_down,
      .plan = mutex_plan,
      .begin = mutex_begin,
      .now = mutex_now,
      .end = mutex_end },
    { .spec = { "semaphore", semaphore_kinds, semaphore_init, semaphore_apply, 0 },
      .set_up = semaphore_set_up,
      .tear_down = no_tear_down,
      .plan = semaphore_plan,
      .begin = semaphore_begin,
      .now = semaphore_now,
      .end = semaphore_end },
    { .spec = { "rwlock", rwlock_kinds, NULL, rwlock_apply, 0 },
      .set_up = rwlock_set_up,
      .tear_down = no_tear_down,
      .plan = rwlock_plan,
      .begin = rwlock_begin,
      .now = rwlock_now,
      .end = rwlock_end },
    { .spec = { "notify", notify_kinds, NULL, notify_apply, 2 },
      .set_up = notify_set_up,
      .tear_down = no_tear_down,
      .plan = notify_plan,
      .begin = notify_begin,
      .now = notify_now,
      .second = notify_second,
      .end = notify_end },
};
