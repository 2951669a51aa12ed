/* The operation edo_sleep(), which becomes ready at a moment of the runtime's clock. */
#include "task/op.h"

#include <edo/time.h>

typedef struct EDO__OVERLAY sleep_op {
    edo_future base;
    uint64_t reserved[2];
    int64_t when; // end of the sleep; ns of the runtime's clock
    uint64_t progress;
    edo__op_wait wait;
} sleep_op;

EDO__OVERLAY_FITS(sleep_op);

static const sleep_op *sleep_of(const edo_op *op)
{
    return (const sleep_op *)(uintptr_t)op;
}

static edo_poll sleep_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    int64_t when = sleep_of(op)->when;
    if (cx->now < when && cx->fate == EDO_LIVE) {
        edo_cx_deadline(cx, when);
        return EDO_PENDING;
    }
    if (!edo__has_budget(cx)) return EDO_PENDING;
    return edo__op_finish(op, cx, cx->now < when ? -ECANCELED : 0);
}

const edo_future_ops edo__sleep_ops = { .name = "edo_sleep", .poll = sleep_poll };
