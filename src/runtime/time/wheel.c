#include "runtime/time/wheel.h"

#include <string.h>

enum { SLOT_MASK = EDO__WHEEL_SLOTS - 1, NO_SLOT = -1, WORD_BITS = 64, MICROSECOND_BITS = 10 };

static uint64_t tick_of(int64_t when)
{
    return when > 0 ? (uint64_t)when >> EDO__WHEEL_TICK_BITS : 0;
}

void edo__wheel_init(edo__wheel *wheel, int64_t now)
{
    memset(wheel, 0, sizeof *wheel);
    wheel->tick = tick_of(now);
}

/* Level of a timer. The eight-bit groups of a tick belong to the levels of the wheel, the lowest
 * group to level 0. The level of a timer is the highest group in which the timer's tick differs
 * from the wheel's tick; 0 if the ticks are equal. The timer's tick is not before the wheel's tick,
 * and all higher groups are equal. So in its level, the timer's slot is not before the wheel's
 * slot, and no level wraps around. */
static unsigned level_of(uint64_t now, uint64_t tick)
{
    uint64_t differing = (now ^ tick) | SLOT_MASK;
    return (unsigned)(63 - __builtin_clzll(differing)) / EDO__WHEEL_SLOT_BITS;
}

static unsigned slot_in(unsigned level, uint64_t tick)
{
    return (unsigned)(tick >> (level * EDO__WHEEL_SLOT_BITS)) & SLOT_MASK;
}

/* Index of the timer's list in its slot. Any function that spreads timers over the lists would
 * do. */
static unsigned list_of(const edo__timer *timer)
{
    return (unsigned)(timer->when >> MICROSECOND_BITS) % EDO__WHEEL_LISTS;
}

static void put(edo__wheel *wheel, edo__timer *timer)
{
    uint64_t tick = tick_of(timer->when);
    if (tick < wheel->tick) tick = wheel->tick; // overdue, so the next expiry takes the timer
    unsigned level = level_of(wheel->tick, tick);
    unsigned slot = slot_in(level, tick);
    edo__timer **head = &wheel->slots[level * EDO__WHEEL_SLOTS + slot][list_of(timer)];
    timer->next = *head;
    edo_store_relaxed(&timer->pprev, head);
    if (*head) edo_store_relaxed(&(*head)->pprev, &timer->next);
    *head = timer;
    wheel->occupied[level][slot / WORD_BITS] |= (uint64_t)1 << slot % WORD_BITS;
}

void edo__wheel_arm(edo__wheel *wheel, edo__timer *timer, int64_t when)
{
    timer->when = when;
    put(wheel, timer);
}

static bool is_head(const edo__wheel *wheel, edo__timer *const *link)
{
    return (uintptr_t)link - (uintptr_t)wheel->slots < sizeof wheel->slots;
}

static bool is_empty(edo__timer *const *lists)
{
    for (int i = 0; i < EDO__WHEEL_LISTS; i++)
        if (lists[i]) return false;
    return true;
}

static void clear_occupied(edo__wheel *wheel, size_t index)
{
    size_t slot = index % EDO__WHEEL_SLOTS;
    uint64_t *words = wheel->occupied[index / EDO__WHEEL_SLOTS];
    words[slot / WORD_BITS] &= ~((uint64_t)1 << slot % WORD_BITS);
}

static void note_emptied(edo__wheel *wheel, edo__timer *const *head)
{
    size_t index = (size_t)(head - wheel->slots[0]) / EDO__WHEEL_LISTS;
    if (is_empty(wheel->slots[index])) clear_occupied(wheel, index);
}

void edo__wheel_disarm(edo__wheel *wheel, edo__timer *timer)
{
    if (!edo__timer_is_armed(timer)) return;
    edo__timer **link = timer->pprev;
    *link = timer->next;
    if (timer->next)
        edo_store_relaxed(&timer->next->pprev, link);
    else if (is_head(wheel, link))
        note_emptied(wheel, link);
    edo_store_relaxed(&timer->pprev, NULL);
}

/* Finds the first occupied slot of a level, beginning at slot `from`. Returns: the slot, or
 * NO_SLOT. */
static int first_occupied(const uint64_t *words, unsigned from)
{
    unsigned i = from / WORD_BITS;
    uint64_t word = words[i] & (~(uint64_t)0 << from % WORD_BITS);
    while (!word) {
        if (++i == EDO__WHEEL_WORDS) return NO_SLOT;
        word = words[i];
    }
    return (int)(i * WORD_BITS) + __builtin_ctzll(word);
}

/* Finds the earliest occupied slot, which is in the lowest occupied level. Stores the slot's first
 * tick in *ret_tick. Returns: the index of the slot, or NO_SLOT. */
static int next_slot(const edo__wheel *wheel, uint64_t *ret_tick)
{
    for (unsigned level = 0; level < EDO__WHEEL_LEVELS; level++) {
        unsigned shift = level * EDO__WHEEL_SLOT_BITS;
        int slot = first_occupied(wheel->occupied[level], slot_in(level, wheel->tick));
        if (slot == NO_SLOT) continue;
        uint64_t low_bits = ((uint64_t)EDO__WHEEL_SLOTS << shift) - 1;
        *ret_tick = (wheel->tick & ~low_bits) | ((uint64_t)slot << shift);
        return (int)(level * EDO__WHEEL_SLOTS) + slot;
    }
    return NO_SLOT;
}

static int64_t earliest_in(edo__timer *const *lists)
{
    int64_t when = INT64_MAX;
    for (int i = 0; i < EDO__WHEEL_LISTS; i++)
        for (const edo__timer *timer = lists[i]; timer; timer = timer->next)
            if (timer->when < when) when = timer->when;
    return when;
}

/* Finds the moment of the next expiry. If the earliest slot is in the lowest level, the moment is
 * that of the earliest timer. In a higher level, the moment is the start of the slot, because the
 * slot's timers must then be spread over lower levels. */
int64_t edo__wheel_next(const edo__wheel *wheel)
{
    uint64_t tick;
    int slot = next_slot(wheel, &tick);
    if (slot == NO_SLOT) return INT64_MAX;
    if (slot < EDO__WHEEL_SLOTS) return earliest_in(wheel->slots[slot]);
    return (int64_t)(tick << EDO__WHEEL_TICK_BITS);
}

/* Spreads the first timer of each list. Returns: false if all lists are empty. */
static bool spread_some(edo__wheel *wheel, edo__timer **lists, int64_t until, edo__timer **due)
{
    bool any = false;
    for (int i = 0; i < EDO__WHEEL_LISTS; i++) {
        edo__timer *timer = lists[i];
        if (!timer) continue;
        any = true;
        lists[i] = timer->next;
        __builtin_prefetch(timer->next); // loaded while the loop handles the other lists
        if (timer->when > until) {
            put(wheel, timer);
        } else {
            timer->next = *due;
            *due = timer;
        }
    }
    return any;
}

/* Spreads the timers of a slot whose first tick has been reached. In the lowest level, due timers
 * are added to *due, and timers that are due later in this tick are put back. In a higher level,
 * all timers are put into the slots of lower levels, so they are sorted by tick. */
static void spread(edo__wheel *wheel, size_t index, int64_t now, edo__timer **due)
{
    edo__timer *lists[EDO__WHEEL_LISTS];
    memcpy(lists, wheel->slots[index], sizeof lists);
    memset(wheel->slots[index], 0, sizeof lists);
    clear_occupied(wheel, index);
    int64_t until = index < EDO__WHEEL_SLOTS ? now : INT64_MIN;
    while (spread_some(wheel, lists, until, due))
        continue;
}

edo__timer *edo__wheel_expire(edo__wheel *wheel, int64_t now, size_t most)
{
    edo__timer *due = NULL, **end = &due;
    uint64_t last = tick_of(now), tick;
    for (int slot; (slot = next_slot(wheel, &tick)) != NO_SLOT && tick <= last;) {
        if (most == 0) return due;
        if (tick > wheel->tick) wheel->tick = tick;
        spread(wheel, (size_t)slot, now, end);
        for (; *end; end = &(*end)->next)
            if (most > 0) most--;
        if (slot < EDO__WHEEL_SLOTS && tick == last)
            break; // timers that were put back are due later in the same tick
    }
    if (last > wheel->tick) wheel->tick = last;
    return due;
}
