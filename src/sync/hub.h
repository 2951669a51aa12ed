/* What watches and broadcasts have in common: counted senders and receivers, all of which are woken
 * together. The hub begins the object; its lock (brief.h) guards all of both, except what the object
 * says. */
#pragma once

#include "base/base.h"
#include "sync/brief.h"
#include "task/wait_list.h"

typedef struct edo__hub {
    edo__lock lock;
    uint32_t senders, receivers, weak; // ends, the lock
    uint32_t holders;                  // all ends; whoever takes it to 0 frees the object
    edo__wait_list waiting;            // receives
    edo__wait_list closed;             // senders that wait for the last receiver's close
    void (*free)(struct edo__hub *);
} edo__hub;

/* One sender and one receiver. */
void edo__hub_init(edo__hub *hub, void (*free)(edo__hub *));

/* Adds an end to one of the counts. */
void edo__hub_add(edo__hub *hub, uint32_t *count);

/* Reads one of the counts. */
uint32_t edo__hub_read(edo__hub *hub, const uint32_t *count);

/* Adds a sender for a weak one. Returns: 0; -EPIPE: there is none any more. */
int edo__hub_upgrade(edo__hub *hub);

/* Take an end off; the last of all frees the object. */
void edo__hub_close_sender(edo__hub *hub, const char *call);
void edo__hub_close_receiver(edo__hub *hub);
void edo__hub_close_weak(edo__hub *hub);

/* A receive under the lock, after it was found that there is nothing: whether it waits, or is
 * cancelled. `take` answers a result, or -EAGAIN. */
int64_t edo__hub_step(edo__hub *hub, edo_op *op, edo_cx *cx, int64_t (*take)(edo_op *op));

/* Polls an operation that waits until there is no receiver; its object is the hub. */
edo_poll edo__hub_poll_closed(edo_future *future, edo_cx *cx);

/* Aborts for an end that is none. */
_Noreturn void edo__hub_no_end(const char *call);

static inline void *edo__hub_of(const char *call, void *core)
{
    if (edo__unlikely(!core)) edo__hub_no_end(call);
    return core;
}
