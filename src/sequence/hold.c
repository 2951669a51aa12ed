/* Holds and relays: see hold.h. */
#include "sequence/hold.h"

#include "base/lock.h"
#include "task/future.h"
#include "task/op.h"
#include "task/task.h"

/* ---- holds ---- */

static struct edo_any_frame *frame_of(edo_future *owner)
{
    return (struct edo_any_frame *)(void *)owner;
}

/* Finds a hold in the frame. A hold that was never in the frame may contain any bytes, so it is not
 * read. */
static edo_future **link_of(const edo__hold *hold, struct edo_any_frame *frame)
{
    edo_future **link = &frame->edo_head.kept;
    while (*link && *link != &hold->base) {
        edo__check_kept(*link);
        link = &(*link)->next;
    }
    return link;
}

/* Unlinks a hold that is still linked when the function opens it again, for example in a loop. */
static void leave_earlier(edo__hold *hold, struct edo_any_frame *frame, const char *call)
{
    edo_future **link = link_of(hold, frame);
    if (!*link) return;
    if (hold->base.result)
        edo__misuse(call, "the stream has something in flight from an earlier use: end it first");
    *link = hold->base.next;
}

void edo__hold_open(edo__hold *hold, const edo_future_ops *ops, edo_future *owner, edo_cx *cx,
                    const char *call)
{
    struct edo_any_frame *frame = frame_of(owner);
    edo__check_memory(call, hold, "stream");
    leave_earlier(hold, frame, call);
    *hold = (edo__hold){ .base = { .ops = ops,
                                   .next = frame->edo_head.kept,
                                   .line = edo__place_of(&hold->base),
                                   .flags = EDO__KEPT },
                         .owner = owner,
                         .task = cx->task,
                         .waker = cx->waker };
    frame->edo_head.kept = &hold->base;
}

void edo__hold_check(const edo__hold *hold, const edo_cx *cx, const char *call)
{
    if (edo__unlikely(hold->task != cx->task))
        edo__misuse(call, "the stream lies in the frame of another task, which keeps it going");
}

/* Ends a hold, and unlinks it from the frame. */
static edo_poll end(edo__hold *hold, edo_cx *cx)
{
    hold->ends = true;
    edo__raise_fate(&hold->base, EDO_CANCELLED);
    if (edo_poll_future(&hold->base, cx) == EDO_PENDING) return EDO_PENDING;
    edo_future **link = link_of(hold, frame_of(hold->owner));
    if (*link) *link = hold->base.next;
    return EDO_READY;
}

static edo_poll end_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo__hold *hold = op->object, *other = op->data;
    if (!edo__owner_has_budget(future, cx)) return EDO_PENDING;
    edo__hold_check(hold, cx, "edo_merge_end");
    if (end(hold, cx) == EDO_PENDING) return EDO_PENDING;
    if (other && end(other, cx) == EDO_PENDING) return EDO_PENDING;
    return edo__op_finish(op, cx, 0);
}

const edo_future_ops edo__end_ops = { .name = "the end of a stream",
                                      .poll = end_poll,
                                      .kind = EDO_KIND_OWNER };

/* ---- relays ----
 *
 * A wake holds the lock while it uses `to`. edo__relay_set() takes the same lock to replace `to`.
 * So after edo__relay_set() no wake uses the former waker, and the object of that waker may end. */

static void relay_wake(edo_user_wakeable *wakeable)
{
    edo__relay *relay = (edo__relay *)(void *)wakeable;
    edo__lock_take(&relay->lock);
    edo_wakeable *prepared = edo__wake_prepare(relay->to);
    edo__lock_give(&relay->lock);
    edo__wake_commit(prepared);
}

void edo__relay_init(edo__relay *relay, edo_wakeable *to)
{
    *relay = (edo__relay){ .to = to };
    edo_user_wakeable_init(&relay->wakeable, relay_wake);
}

void edo__relay_set(edo__relay *relay, edo_wakeable *to)
{
    if (relay->to == to) return; // only the task of the relay changes `to`
    edo__lock_take(&relay->lock);
    relay->to = to;
    edo__lock_give(&relay->lock);
}
