/* Sleeping: an operation that is ready at a moment of the runtime's clock. length: that moment. */
#include "task/op.h"

#include <edo/time.h>

static edo_poll sleep_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    int64_t when = (int64_t)op->length;
    if (cx->now < when && cx->fate == EDO_LIVE) {
        edo_cx_deadline(cx, when);
        return EDO_PENDING;
    }
    if (!edo__has_budget(cx)) return EDO_PENDING;
    return edo__op_finish(op, cx, cx->now < when ? -ECANCELED : 0);
}

const edo_future_ops edo__sleep_ops = { .name = "edo_sleep", .poll = sleep_poll };
