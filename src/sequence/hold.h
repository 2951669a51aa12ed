/* What stays in flight between two edo_next(): the hold in the frame, and relays of wakes. */
#pragma once

#include <edo/together.h>

/* Begins the hold of a stream in the frame of a function. The frame polls the hold at each of its
 * awaits; a poll with another fate than EDO_LIVE ends what the stream has in flight. */
void edo__hold_open(edo__hold *hold, const edo_future_ops *ops, edo_future *owner, edo_cx *cx,
                    const char *call);

/* Aborts unless the function's task pulls. */
void edo__hold_check(const edo__hold *hold, const edo_cx *cx, const char *call);

/* Whether the stream ends: by an operation, or because the function has returned and waits for the
 * ends of what it keeps. */
static inline bool edo__hold_ends(const edo__hold *hold)
{
    return hold->ends || hold->owner->state == EDO_ENDING;
}

/* Drops an item that was never pulled. */
static inline void edo__hold_drop(const edo__hold *hold, void *item)
{
    if (hold->drop) hold->drop(hold->context, item);
}

/* A relay passes wakes on to a waker that may be replaced. A relay is polled by one task; any
 * thread wakes it. The lock is the innermost lock of a wake: the holder wakes a task, or another
 * relay that lies nearer to the task. */
void edo__relay_init(edo__relay *relay, edo_wakeable *to);

/* Replaces the waker. After the call no thread uses the former one. */
void edo__relay_set(edo__relay *relay, edo_wakeable *to);
