/* Parts of streams that keep operations in flight between two edo_next(): holds in the frame, and
 * relays of wakes. */
#pragma once

#include <edo/together.h>

/* Links the hold of a stream into the frame of a function. The frame polls the hold at each await
 * of the function. A poll whose fate is not EDO_LIVE ends the operations that the stream has in
 * flight. */
void edo__hold_open(edo__hold *hold, const edo_future_ops *ops, edo_future *owner, edo_cx *cx,
                    const char *call);

/* Aborts unless the pull comes from the task of the hold's function. */
void edo__hold_check(const edo__hold *hold, const edo_cx *cx, const char *call);

/* Whether the stream is ending: by an operation such as edo_merge_end(), or because its function
 * has returned and waits until its holds have ended. */
static inline bool edo__hold_ends(const edo__hold *hold)
{
    return hold->ends || hold->owner->state == EDO_ENDING;
}

/* Drops an item that was never pulled. */
static inline void edo__hold_drop(const edo__hold *hold, void *item)
{
    if (hold->drop) hold->drop(hold->context, item);
}

/* A relay passes wakes on to a waker that may be replaced. One task uses a relay, and any thread
 * may wake the relay. The relay's lock is the innermost lock of a wake. Under this lock, only a
 * task is woken, or another relay. The other relay always lies nearer to the task, so the locks of
 * relays are taken in one order. */
void edo__relay_init(edo__relay *relay, edo_wakeable *to);

/* Replaces the waker. After the call no thread uses the former waker. */
void edo__relay_set(edo__relay *relay, edo_wakeable *to);
