/* A hierarchical timer wheel (Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", 1987).
 * The wheel has 6 levels of 256 slots. A slot of the lowest level covers 65.5 microseconds.
 * Deadlines are exact nevertheless, because each timer holds its moment in nanoseconds. A timer
 * fires at the first call of edo__wheel_expire() at or after its moment, and never before.
 *
 * If there are many timers, each level through which a timer passes costs a cache miss. So each
 * level has many slots, and the two lowest levels hold all timers of the next 4.3 s. A slot has
 * several lists. They are spread in parallel, so that several cache misses overlap.
 *
 * Only one thread at a time may use a wheel. timers.c describes the locks. To arm or disarm a timer
 * takes constant time and allocates no memory. */
#pragma once

#include "task/task.h"

enum {
    EDO__WHEEL_TICK_BITS = 16, // a tick has 2^16 ns
    EDO__WHEEL_SLOT_BITS = 8,
    EDO__WHEEL_SLOTS = 1 << EDO__WHEEL_SLOT_BITS,
    EDO__WHEEL_LEVELS = 6, // 6 * 8 + 16 = 64 bits, enough for any moment
#ifdef EDO_MODEL
    EDO__WHEEL_LISTS = 1, // number of lists in each slot
#else
    EDO__WHEEL_LISTS = 4,
#endif
    EDO__WHEEL_WORDS = EDO__WHEEL_SLOTS / 64,
};

typedef struct edo__wheel {
    uint64_t tick; // current tick; all timers of earlier ticks have fired
    uint64_t occupied[EDO__WHEEL_LEVELS][EDO__WHEEL_WORDS]; // bit set of the occupied slots
    edo__timer *slots[EDO__WHEEL_LEVELS * EDO__WHEEL_SLOTS][EDO__WHEEL_LISTS];
} edo__wheel;

void edo__wheel_init(edo__wheel *wheel, int64_t now);

/* Arms a timer that is in no wheel. `when` is in ns of the runtime's clock, and less than
 * EDO_NEVER. */
void edo__wheel_arm(edo__wheel *wheel, edo__timer *timer, int64_t when);
void edo__wheel_disarm(edo__wheel *wheel, edo__timer *timer); // no effect on an unarmed timer

/* Whether the timer is in a wheel, or its firing has not ended yet. The call needs no lock. If the
 * result is false, this load has acquired what the thread that fired the timer has written. The
 * partner of the load is the store in edo__timer_release(). */
static inline bool edo__timer_is_armed(const edo__timer *timer)
{
    return edo_load_acquire(&timer->pprev) != NULL;
}

/* Ends the firing of a timer that was taken out of the wheel. After this store, the timer's task
 * may end. The partner of the store is the load in edo__timer_is_armed(). */
static inline void edo__timer_release(edo__timer *timer)
{
    edo_store_release(&timer->pprev, NULL);
}

/* Moment at which edo__wheel_expire() must be called next. The moment is not later than the first
 * deadline. INT64_MAX: the wheel is empty. */
int64_t edo__wheel_next(const edo__wheel *wheel);

/* Takes due timers out of the wheel, tick by tick, until `most` or more timers are taken. Due
 * timers of later ticks then remain in the wheel. The taken timers count as armed until
 * edo__timer_release(). Returns: the taken timers, linked by `next`, in the order of their
 * ticks. */
edo__timer *edo__wheel_expire(edo__wheel *wheel, int64_t now, size_t most);
