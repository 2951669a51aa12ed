/* The events of a stream of signals: a queue that signal handlers fill.
 *
 * Handlers on several threads may push at the same time, and take no lock. Poppers pop one at a
 * time, under the poppers' lock. The algorithm is the bounded queue of D. Vyukov (2010). Each cell
 * has a sequence number:
 *
 *     cell i is free in round r:             seq == r * size + i
 *     cell i has its event of round r:       seq == r * size + i + 1
 *
 * A handler claims a position by a compare-and-swap of `tail`, writes the event, and stores `seq`
 * with release. The popper reads `seq` with acquire, so the popper reads a complete event. Then the
 * popper frees the cell by a store of `seq` with release. The next handler that claims the cell
 * reads that value with acquire, so it overwrites the event only after the popper has read it.
 *
 * A position that is claimed but not yet written looks empty to the popper. The event is still not
 * missed, because the handler that has claimed the position rings the bell of the stream after it
 * has written the event.
 *
 * A coalesced signal has at most one event in the queue. Its handler swaps 1 into `pending`, and
 * pushes only if the old value was 0. The popper frees the cell, then stores 0 in `pending` with
 * release, and only then returns the event to the program.
 *
 *     old value 0: the popper's store came before the swap, so the cell is free
 *     old value 1: the swap came before the popper's store, so the program has not yet received the
 *                  queued event, which stands for both signals
 */
#pragma once

#include <edo/signal.h>

#include "base/atomic.h"

typedef struct edo__event_cell {
    edo_atomic(uint32_t) seq;
    edo_signal_event event;
} edo__event_cell;

typedef struct edo__events {
    uint32_t size;             // number of cells, a power of two
    bool coalesces;            // size is 1
    edo_atomic(uint32_t) tail; // next position to claim; changed by handlers
    uint32_t head;             // next position to pop; guarded by the poppers' lock
    edo_atomic(uint32_t) lost; // events for which the queue had no room, since the last pop
    edo_atomic(uint32_t) pending;
    edo__event_cell *cells;
} edo__events;

static inline void edo__events_init(edo__events *events, edo__event_cell *cells, uint32_t size,
                                    bool coalesces)
{
    *events = (edo__events){ .size = size, .coalesces = coalesces, .cells = cells };
    for (uint32_t i = 0; i < size; i++)
        edo_store_relaxed(&cells[i].seq, i);
}

/* Claims a position. Returns: the cell of the position; NULL if the queue is full. */
static inline edo__event_cell *edo__events_claim(edo__events *events, uint32_t *ret_position)
{
    uint32_t position = edo_load_relaxed(&events->tail);
    for (;;) {
        edo__event_cell *cell = &events->cells[position & (events->size - 1)];
        int32_t ahead = (int32_t)(edo_load_acquire(&cell->seq) - position);
        if (ahead < 0) return NULL;
        if (ahead > 0)
            position = edo_load_relaxed(&events->tail);
        else if (edo_cas_relaxed(&events->tail, &position, position + 1)) {
            *ret_position = position;
            return cell;
        }
    }
}

/* Adds an event, in a signal handler. Returns: whether the bell has to be rung. */
static inline bool edo__events_push(edo__events *events, const edo_signal_event *event)
{
    uint32_t position;
    if (events->coalesces && edo_swap_acq_rel(&events->pending, 1)) return false;
    edo__event_cell *cell = edo__events_claim(events, &position);
    if (!cell) {
        edo_add_relaxed(&events->lost, 1);
        return false;
    }
    edo_plain_write(&cell->event);
    cell->event = *event;
    edo_store_release(&cell->seq, position + 1); // partner: edo__events_has_one
    return true;
}

/* Whether an event can be popped. Called under the poppers' lock. */
static inline bool edo__events_has_one(const edo__events *events)
{
    const edo__event_cell *cell = &events->cells[events->head & (events->size - 1)];
    return edo_load_acquire(&cell->seq) == events->head + 1; // partner: edo__events_push
}

/* Takes the first event. Called under the poppers' lock. Returns: whether there was an event. */
static inline bool edo__events_pop(edo__events *events, edo_signal_event *ret_event)
{
    edo__event_cell *cell = &events->cells[events->head & (events->size - 1)];
    if (!edo__events_has_one(events)) return false;
    edo_plain_read(&cell->event);
    *ret_event = cell->event;
    ret_event->lost = edo_swap_relaxed(&events->lost, 0);
    edo_store_release(&cell->seq, events->head + events->size); // partner: edo__events_claim
    events->head++;
    if (events->coalesces) edo_store_release(&events->pending, 0); // partner: edo__events_push
    return true;
}
