/* Checks of constructors: memory handed to an operation must outlive it. */
#include "task/op.h"

void edo__check_memory_slow(const char *call, const void *memory, const char *what)
{
    (void)memory;
    edo__misuse(call, "the %s lies on the stack of the poll in progress: put it in the frame",
                what);
}

static edo_poll refuse_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    if (!edo__has_budget(cx)) return EDO_PENDING;
    return edo__op_finish(op, cx, cx->fate == EDO_LIVE ? op->base.result : -ECANCELED);
}

edo_op edo__op_refuse(int error)
{
    static const edo_future_ops refuse_ops = { .name = "a refused operation", .poll = refuse_poll };
    edo_op op = edo__op(&refuse_ops, NULL, NULL, 0, 0);
    op.base.result = error; // stored here until the first poll
    return op;
}
