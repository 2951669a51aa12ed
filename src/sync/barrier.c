/* Barriers. The lock guards all state. The last task to arrive is the leader. The leader wakes the
 * earlier tasks. The leader's wait returns 1. */
#include <edo/events.h>

#include "base/base.h"
#include "sync/queue.h"

static int64_t begin(void *object, edo_op *op, edo__wakes *wakes)
{
    edo_barrier *barrier = object;
    (void)op;
    if (++barrier->arrived < barrier->count) return -EAGAIN;
    barrier->arrived = 0;
    edo__wait_wake_all(edo__waiters_of(&barrier->waiters), wakes); // base.result is 0 already
    return 1;
}

static void left(void *object, edo_op *op)
{
    edo_barrier *barrier = object;
    (void)op;
    barrier->arrived--;
}

static const edo__queue_ops queue_ops = { .begin = begin, .left = left };

static edo_poll wait_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_barrier *barrier = op->object;
    return edo__queue_poll(&queue_ops, &barrier->lock, edo__waiters_of(&barrier->waiters), op, cx);
}

const edo_future_ops edo__barrier_wait_ops = { .name = "edo_barrier_wait", .poll = wait_poll };

void edo_barrier_deinit(edo_barrier *barrier)
{
    edo__queue_end(&barrier->lock, edo__waiters_of(&barrier->waiters), false, "edo_barrier_deinit");
}
