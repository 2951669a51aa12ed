/* Hub of a watch or broadcast. The hub counts senders and receivers, and lists the waiting
 * receives, which are woken together. The hub is the first member of the watch or broadcast. The
 * hub's lock (brief.h) guards the hub. The lock also guards the other members of the watch or
 * broadcast, unless their comments say otherwise. */
#pragma once

#include "base/base.h"
#include "sync/brief.h"
#include "task/wait_list.h"

typedef struct edo__hub {
    edo__lock lock;
    uint32_t senders, receivers, weak; // number of ends; guarded by the lock
    uint32_t holders;       // ends of all kinds; 0: the object is freed; guarded by the lock
    edo__wait_list waiting; // waiting receives; guarded by the lock
    edo__wait_list closed;  // waits for the last receiver's close; guarded by the lock
    void (*free)(struct edo__hub *);
} edo__hub;

/* Initializes a hub with one sender and one receiver. */
void edo__hub_init(edo__hub *hub, void (*free)(edo__hub *));

/* Adds an end to one of the counts. */
void edo__hub_add(edo__hub *hub, uint32_t *count);

/* Reads one of the counts. */
uint32_t edo__hub_read(edo__hub *hub, const uint32_t *count);

/* Adds a sender, at the request of a weak sender. Returns: 0; -EPIPE: the last sender was
 * closed. */
int edo__hub_upgrade(edo__hub *hub);

/* These functions close an end. The close of the last end, of any kind, frees the object. */
void edo__hub_close_sender(edo__hub *hub, const char *call);
void edo__hub_close_receiver(edo__hub *hub);
void edo__hub_close_weak(edo__hub *hub);

/* Polls a receive once, under the lock. Does not call `take` if the receive is cancelled, or still
 * waits for its wake. If `take` returns -EAGAIN, enqueues the receive. Returns: the result of
 * `take`; -EAGAIN: the receive waits; -ECANCELED. */
int64_t edo__hub_step(edo__hub *hub, edo_op *op, edo_cx *cx, int64_t (*take)(edo_op *op));

/* Polls an operation that waits for the last receiver's close. The operation's object is the
 * hub. */
edo_poll edo__hub_poll_closed(edo_future *future, edo_cx *cx);

/* Aborts because the end was closed. */
_Noreturn void edo__hub_no_end(const char *call);

static inline void *edo__hub_of(const char *call, void *core)
{
    if (edo__unlikely(!core)) edo__hub_no_end(call);
    return core;
}
