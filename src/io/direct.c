#include "io/direct.h"

#include "sys/transfer.h"

/* ---- transfers under the claim of a side ---- */

typedef struct request {
    edo_fd other;     // a pipe, or a file
    uint64_t *offset; // position in the file; NULL if `other` is a pipe
    size_t size;
} request;

static int64_t try_move(const edo_io *io, uint32_t side, const request *move)
{
    edo_fd fd = edo__io_source(io)->fd;
    if (side == EDO__SOURCE_READING) return edo__sys_splice(fd, move->other, move->size);
    if (move->offset) return edo__sys_send_file(fd, move->other, move->offset, move->size);
    return edo__sys_splice(move->other, fd, move->size);
}

static int64_t hold_and_move(edo_io *io, uint32_t side, request move, edo_cx *cx)
{
    if (!edo__io_source(io)) return -ENOTSUP;
    if (move.size > EDO__MAX_TRANSFER) move.size = EDO__MAX_TRANSFER;
    int rc = edo__io_claim(io, side, "a copy");
    if (rc < 0) return rc;
    int64_t n = try_move(io, side, &move);
    edo__io_leave(io, side);
    if (n > 0) edo__use_budget(cx); // also for few bytes: the peer may keep pace for ever
    edo__use_work(cx, n);
    return n;
}

int64_t edo__io_splice_in(edo_io *io, edo_fd pipe, size_t size, edo_cx *cx)
{
    return hold_and_move(io, EDO__SOURCE_READING, (request){ pipe, NULL, size }, cx);
}

int64_t edo__io_splice_out(edo_io *io, edo_fd pipe, size_t size, edo_cx *cx)
{
    return hold_and_move(io, EDO__SOURCE_WRITING, (request){ pipe, NULL, size }, cx);
}

int64_t edo__io_send_file(edo_io *io, edo_fd file, uint64_t *offset, size_t size, edo_cx *cx)
{
    return hold_and_move(io, EDO__SOURCE_WRITING, (request){ file, offset, size }, cx);
}

bool edo__io_can_splice(const edo_io *io)
{
    const edo__source *source = edo__io_source(io);
    return source && edo__sys_can_splice(source->fd);
}

/* ---- waiting ---- */

static edo_poll end_wait(edo_io *io, edo_op *op, edo_cx *cx, int64_t result)
{
    if (op->detail & EDO__DETAIL_CLAIMED) edo__io_leave(io, EDO__SOURCE_WRITING);
    return edo__op_finish(op, cx, result);
}

static edo_poll wait_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_io *io = op->object;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!(op->detail & EDO__DETAIL_CLAIMED)) {
        int rc = edo__io_claim(io, EDO__SOURCE_WRITING, op->base.ops->name);
        if (rc < 0) return end_wait(io, op, cx, rc);
        op->detail |= EDO__DETAIL_CLAIMED;
    }
    if (edo__source_drive(edo__io_source(io), op, cx) == EDO_PENDING) return EDO_PENDING;
    return end_wait(io, op, cx, op->base.result);
}

static edo_op wait_for(const edo_future_ops *ops, edo_io *io, uint64_t events)
{
    if (!edo__io_source(io)) return edo__op_refuse(-ENOTSUP);
    return edo__op(ops, io, NULL, events, EDO__POLL | EDO__DETAIL_WRITE_SIDE);
}

edo_op edo__io_writable(edo_io *io)
{
    static const edo_future_ops ops = { .name = "waiting for room", .poll = wait_poll };
    return wait_for(&ops, io, EDO_WRITABLE);
}

/* The set of events is empty, because poll(2) reports hang-ups and errors in any case. */
edo_op edo__io_hung_up(edo_io *io)
{
    static const edo_future_ops ops = { .name = "waiting for a hang-up", .poll = wait_poll };
    return wait_for(&ops, io, 0);
}
