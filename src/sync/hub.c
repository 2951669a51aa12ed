#include "sync/hub.h"

#include "runtime/runtime.h"

void edo__hub_no_end(const char *call)
{
    edo__misuse(call, "this end was closed or moved, or never created");
}

void edo__hub_init(edo__hub *hub, void (*free)(edo__hub *))
{
    *hub = (edo__hub){ .senders = 1, .receivers = 1, .holders = 2, .free = free };
}

void edo__hub_add(edo__hub *hub, uint32_t *count)
{
    edo__brief_take(&hub->lock);
    ++*count;
    hub->holders++;
    edo__brief_give(&hub->lock);
}

uint32_t edo__hub_read(edo__hub *hub, const uint32_t *count)
{
    edo__brief_take(&hub->lock);
    uint32_t value = *count;
    edo__brief_give(&hub->lock);
    return value;
}

int edo__hub_upgrade(edo__hub *hub)
{
    edo__brief_take(&hub->lock);
    bool alive = hub->senders;
    if (alive) {
        hub->senders++;
        hub->holders++;
    }
    edo__brief_give(&hub->lock);
    return alive ? 0 : -EPIPE;
}

/* ---- closing ---- */

static void leave(edo__hub *hub, edo__wakes *wakes)
{
    bool last = --hub->holders == 0;
    edo__brief_give(&hub->lock);
    if (last) hub->free(hub);
    edo__wakes_commit(wakes);
}

void edo__hub_close_sender(edo__hub *hub, const char *call)
{
    edo__wakes wakes = { NULL, NULL };
    if (!hub) return;
    edo__brief_take(&hub->lock);
    if (--hub->senders == 0) {
        if (!edo__wait_list_is_empty(&hub->closed))
            edo__misuse(call, "an operation is still pending at the last sender");
        edo__wait_wake_all(&hub->waiting, &wakes);
    }
    leave(hub, &wakes);
}

void edo__hub_close_receiver(edo__hub *hub)
{
    edo__wakes wakes = { NULL, NULL };
    if (!hub) return;
    edo__brief_take(&hub->lock);
    if (--hub->receivers == 0) edo__wait_wake_all(&hub->closed, &wakes);
    leave(hub, &wakes);
}

void edo__hub_close_weak(edo__hub *hub)
{
    edo__wakes wakes = { NULL, NULL };
    if (!hub) return;
    edo__brief_take(&hub->lock);
    hub->weak--;
    leave(hub, &wakes);
}

/* ---- waiting ---- */

int64_t edo__hub_step(edo__hub *hub, edo_op *op, edo_cx *cx, int64_t (*take)(edo_op *op))
{
    bool is_new = edo_load_relaxed(&op->word) == EDO__OP_IDLE;
    if (cx->fate != EDO_LIVE) {
        if (!is_new) edo__wait_leave(&hub->waiting, op);
        return -ECANCELED;
    }
    if (!is_new && edo__wait_goes_on(op, cx->waker)) return -EAGAIN;
    int64_t result = take(op);
    if (result == -EAGAIN) edo__wait_enqueue(&hub->waiting, op, cx->waker);
    return result;
}

/* Waits until there is no receiver. Returns: 0: there is no receiver; -EAGAIN: the operation waits;
 * -ECANCELED. */
static int closed_step(edo__hub *hub, edo_op *op, edo_cx *cx)
{
    bool is_new = edo_load_relaxed(&op->word) == EDO__OP_IDLE;
    if (cx->fate != EDO_LIVE) {
        bool was_woken = !is_new && !edo__wait_leave(&hub->closed, op);
        return was_woken ? 0 : -ECANCELED;
    }
    if (!is_new) return edo__wait_goes_on(op, cx->waker) ? -EAGAIN : 0;
    if (hub->receivers == 0) return 0;
    edo__wait_enqueue(&hub->closed, op, cx->waker);
    return -EAGAIN;
}

edo_poll edo__hub_poll_closed(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo__hub *hub = edo__hub_of(op->base.ops->name, op->object);
    if (!edo__has_budget(cx)) return EDO_PENDING;
    edo__brief_take(&hub->lock);
    int rc = closed_step(hub, op, cx);
    edo__brief_give(&hub->lock);
    return rc == -EAGAIN ? EDO_PENDING : edo__op_finish(op, cx, rc);
}
