/* Copies from pipe to pipe that leave the bytes in the first pipe. */
#include <edo/copy.h>

#include "io/io.h"
#include "sys/transfer.h"

/* Overlay of an edo__poll_op. The operation waits on one stream at a time: first until the input
 * has bytes, then until the output has room. WRITE_SIDE is set while it waits for the output. */
typedef struct EDO__OVERLAY tee_op {
    edo_future base;
    edo_io *from, *to;
    uint64_t events; // lower half: events to wait for; upper half: maximum of bytes
    uint64_t progress;
    edo__op_wait wait;
} tee_op;

EDO__OVERLAY_FITS(tee_op);
_Static_assert(offsetof(tee_op, events) == offsetof(edo__poll_op, events), "an edo__poll_op");

enum { HALF = 32 };

static tee_op *tee_of(const edo_op *op)
{
    return (tee_op *)(uintptr_t)op;
}

static int claim(edo_op *op)
{
    edo_io *from = tee_of(op)->from, *to = tee_of(op)->to;
    int rc = edo__io_claim(from, EDO__SOURCE_READING, op->base.ops->name);
    if (rc < 0) return rc;
    rc = edo__io_claim(to, EDO__SOURCE_WRITING, op->base.ops->name);
    if (rc < 0)
        edo__io_leave(from, EDO__SOURCE_READING);
    else
        op->detail |= EDO__DETAIL_CLAIMED;
    return rc;
}

static edo_poll end(edo_op *op, edo_cx *cx, int64_t result)
{
    edo__use_work(cx, result);
    if (op->detail & EDO__DETAIL_CLAIMED) {
        edo__io_leave(tee_of(op)->from, EDO__SOURCE_READING);
        edo__io_leave(tee_of(op)->to, EDO__SOURCE_WRITING);
    }
    return edo__op_finish(op, cx, result);
}

static int64_t tee_once(const edo_op *op)
{
    uint64_t size = tee_of(op)->events >> HALF;
    return edo__sys_tee(edo__io_source(tee_of(op)->from)->fd, edo__io_source(tee_of(op)->to)->fd,
                        size < EDO__MAX_TRANSFER ? size : EDO__MAX_TRANSFER);
}

/* Sets the stream and the events to wait for. writes: true: waits for room in the output; false:
 * waits for bytes of the input. */
static void choose_stream(edo_op *op, bool writes)
{
    uint64_t size = tee_of(op)->events >> HALF;
    op->detail &= ~(uint32_t)EDO__DETAIL_WRITE_SIDE;
    if (writes) op->detail |= EDO__DETAIL_WRITE_SIDE;
    tee_of(op)->events = size << HALF | (writes ? EDO_WRITABLE : EDO_READABLE);
}

/* Waits until the input has bytes, and then until the output has room. Returns: EDO_PENDING; or
 * EDO_READY with the result in base.result: a positive number, or a negative errno. */
static edo_poll wait_for_both(edo_op *op, edo_cx *cx)
{
    for (;;) {
        bool writes = edo__side_of(op) == EDO__WRITE_SIDE;
        edo_io *io = writes ? tee_of(op)->to : tee_of(op)->from;
        if (edo__source_drive(edo__io_source(io), op, cx) == EDO_PENDING) return EDO_PENDING;
        if (op->base.result < 0 || writes) return EDO_READY;
        choose_stream(op, true);
    }
}

static edo_poll tee_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!(op->detail & EDO__DETAIL_CLAIMED)) {
        int rc = claim(op);
        if (rc < 0) return end(op, cx, rc);
    }
    for (;;) {
        if (edo_load_relaxed(&op->word) == EDO__OP_IDLE && cx->fate == EDO_LIVE) {
            int64_t n = tee_once(op);
            if (n != -EAGAIN) return end(op, cx, n);
            choose_stream(op, false);
        }
        if (wait_for_both(op, cx) == EDO_PENDING) return EDO_PENDING;
        if (op->base.result < 0) return end(op, cx, op->base.result);
        edo__use_budget(cx);
        if (!edo__has_budget(cx)) return EDO_PENDING;
    }
}

edo_op edo_tee(edo_io *from, edo_io *to, size_t size)
{
    static const edo_future_ops ops = { .name = "edo_tee", .poll = tee_poll };
    if (!from || !to || from == to || !size) return edo__op_refuse(-EINVAL);
    if (!edo__io_source(from) || !edo__io_source(to)) return edo__op_refuse(-ENOTSUP);
    uint64_t most = size < UINT32_MAX ? size : UINT32_MAX;
    edo_op op = edo__op(&ops, from, to, most << HALF, EDO__POLL);
    return op;
}
