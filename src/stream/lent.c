/* Reads into memory that is allocated when bytes have arrived.
 *
 * A read of a descriptor is tried at once, into fresh memory. If the read would block, the memory
 * is freed, and the operation waits by a poll request. Poll requests work the same with all
 * drivers.
 *
 * Any other stream needs memory before its step. So the operation becomes a plain read, and
 * ret_lent is stored in front of the memory. */
#include <edo/lent.h>

#include "io/io.h"

enum { LENT_SIZE = 16 * 1024 }; // bytes; about the amount that a fast peer sends per turn

typedef struct block {
    edo_lent *ret_lent;
    _Alignas(max_align_t) char bytes[LENT_SIZE];
} block;

static block *take_block(edo_lent *ret_lent)
{
    block *made = edo__alloc(sizeof *made);
    if (made) made->ret_lent = ret_lent;
    return made;
}

static block *block_of(const char *bytes)
{
    return edo__container((char *)(uintptr_t)bytes, block, bytes);
}

void edo_lent_return(edo_lent *lent)
{
    if (!lent || !lent->data) return;
    edo__free(block_of(lent->data), sizeof(block));
    *lent = (edo_lent){ NULL, 0 };
}

/* Passes the memory to the caller, or frees it if nothing was read. */
static int64_t lend(block *taken, int64_t n)
{
    if (n > 0)
        *taken->ret_lent = (edo_lent){ taken->bytes, (size_t)n };
    else
        edo__free(taken, sizeof *taken);
    return n;
}

/* ---- descriptors ---- */

/* Tries a read. The operation is an edo__poll_op, and own[1] is ret_lent. */
static int64_t try_read(edo__source *source, edo_op *op)
{
    block *taken = take_block(edo__poll_of(op)->own[1]);
    if (!taken) return -ENOMEM;
    edo_op read = edo__op(op->base.ops, op->object, taken->bytes, LENT_SIZE, EDO__READ);
    return lend(taken, edo__try(source, &read));
}

/* Polls a read of a descriptor. Returns: EDO_PENDING; or EDO_READY with the result in
 * base.result. */
static edo_poll read_descriptor(edo__source *source, edo_op *op, edo_cx *cx)
{
    for (;;) {
        bool is_ending = edo__io_is_ending(op->object, cx);
        if (edo_load_relaxed(&op->word) == EDO__OP_IDLE && !is_ending) {
            op->base.result = try_read(source, op);
            if (op->base.result != -EAGAIN) return EDO_READY;
        }
        if (edo__source_drive(source, op, cx) == EDO_PENDING) return EDO_PENDING;
        if (op->base.result < 0) return EDO_READY;
        edo__use_budget(cx);
        if (!edo__has_budget(cx)) return EDO_PENDING;
    }
}

/* ---- other streams ---- */

/* Polls a read of another stream. The first poll turns the operation into an edo__transfer_op. */
static edo_poll read_other(edo_io *io, edo_op *op, edo_cx *cx)
{
    if (edo__request_of(op) == EDO__POLL) {
        block *taken = take_block(edo__poll_of(op)->own[1]);
        op->base.result = -ENOMEM;
        if (!taken) return EDO_READY;
        edo__transfer_of(op)->data = taken->bytes;
        edo__transfer_of(op)->length = LENT_SIZE;
        op->detail = (op->detail & ~(uint32_t)0xff) | EDO__READ;
    }
    if (io->ops->step(io, op, cx) == EDO_PENDING) return EDO_PENDING;
    op->base.result = lend(block_of(edo__transfer_of(op)->data), op->base.result);
    return EDO_READY;
}

/* ---- the operation ---- */

static edo_poll lent_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_io *io = op->object;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!(op->detail & EDO__DETAIL_CLAIMED)) {
        int rc = edo__io_claim(io, EDO__SOURCE_READING, op->base.ops->name);
        if (rc < 0) return edo__op_finish(op, cx, rc);
        op->detail |= EDO__DETAIL_CLAIMED;
    }
    edo__source *source = edo__io_source(io);
    edo_poll poll = source ? read_descriptor(source, op, cx) : read_other(io, op, cx);
    if (poll == EDO_PENDING) return EDO_PENDING;
    edo__use_work(cx, op->base.result);
    edo__io_leave(io, EDO__SOURCE_READING);
    return edo__op_finish(op, cx, op->base.result);
}

edo_op edo_read_lent(edo_io *io, edo_lent *ret_lent)
{
    static const edo_future_ops ops = { .name = "edo_read_lent", .poll = lent_poll };
    edo__check_memory("edo_read_lent", ret_lent, "lent buffer");
    if (!io || !ret_lent) return edo__op_refuse(-EINVAL);
    return edo__op(&ops, io, ret_lent, EDO_READABLE, EDO__POLL);
}
