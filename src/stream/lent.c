/* Reads into memory that is allocated when bytes have arrived.
 *
 * For a descriptor, there is a request of its own, EDO__READ_LENT. The driver takes the memory when
 * it makes the call. The memory comes from the allocator, or from buffers from which the kernel
 * chooses one (driver/uring/buffers.h).
 *
 * Any other stream needs memory before its step. So the operation becomes a plain read into a new
 * block. During the read, the member `home` of the block holds the user's ret_lent. */
#include <edo/lent.h>

#include "driver/lent.h"
#include "io/io.h"

void edo_lent_return(edo_lent *lent)
{
    if (!lent || !lent->data) return;
    edo__lent_block *block = edo__lent_block_of(lent->data);
    block->give_back(block);
    *lent = (edo_lent){ NULL, 0 };
}

/* Polls a read of a stream without a descriptor. The first poll turns the operation into a plain
 * read. */
static edo_poll read_other(edo_io *io, edo_op *op, edo_cx *cx)
{
    edo__transfer_op *transfer = edo__transfer_of(op);
    if (edo__request_of(op) == EDO__READ_LENT) {
        edo__lent_block *block = edo__lent_create();
        op->base.result = -ENOMEM;
        if (!block) return EDO_READY;
        block->home = transfer->lent;
        transfer->data = block->bytes;
        op->detail = (op->detail & ~(uint32_t)0xff) | EDO__READ;
    }
    if (io->ops->step(io, op, cx) == EDO_PENDING) return EDO_PENDING;
    edo__lent_block *block = edo__lent_block_of(transfer->data);
    edo__lent_pass(block, op->base.result, block->home);
    return EDO_READY;
}

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
    edo_poll poll = source ? edo__source_drive(source, op, cx) : read_other(io, op, cx);
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
    return edo__op(&ops, io, ret_lent, EDO__LENT_SIZE, EDO__READ_LENT);
}
