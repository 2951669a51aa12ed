/* Operations on streams of any kind. */
#include "io/io.h"

enum { MAX_VECTOR = 1024 }; // as many as Linux takes

edo__source *edo__io_source(const edo_io *io)
{
    return io->ops->source((edo_io *)(uintptr_t)io);
}

static edo_poll transfer_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_io *io = op->object;
    return io->ops->transfer(io, op, cx);
}

static const edo_future_ops read_ops = { .name = "edo_read", .poll = transfer_poll };
static const edo_future_ops read_exact_ops = { .name = "edo_read_exact", .poll = transfer_poll };
static const edo_future_ops write_ops = { .name = "edo_write", .poll = transfer_poll };
static const edo_future_ops write_all_ops = { .name = "edo_write_all", .poll = transfer_poll };
static const edo_future_ops writev_ops = { .name = "edo_writev", .poll = transfer_poll };

static edo_op transfer(const edo_future_ops *ops, edo_io *io, const void *buffer, size_t size,
                       uint32_t detail)
{
    if (edo__unlikely(!io)) return edo__op_refuse(-EINVAL);
    return edo__op(ops, io, (void *)(uintptr_t)buffer, size, detail);
}

edo_op edo_read(edo_io *io, void *buffer, size_t size)
{
    edo__check_memory("edo_read", buffer, "buffer");
    return transfer(&read_ops, io, buffer, size, EDO__READ);
}

edo_op edo_read_exact(edo_io *io, void *buffer, size_t size)
{
    edo__check_memory("edo_read_exact", buffer, "buffer");
    return transfer(&read_exact_ops, io, buffer, size, EDO__READ | EDO__DETAIL_WHOLE);
}

edo_op edo_write(edo_io *io, const void *data, size_t size)
{
    edo__check_memory("edo_write", data, "buffer");
    return transfer(&write_ops, io, data, size, EDO__WRITE | EDO__DETAIL_WRITE_SIDE);
}

edo_op edo_write_all(edo_io *io, const void *data, size_t size)
{
    edo__check_memory("edo_write_all", data, "buffer");
    return transfer(&write_all_ops, io, data, size,
                    EDO__WRITE | EDO__DETAIL_WRITE_SIDE | EDO__DETAIL_WHOLE);
}

edo_op edo_writev(edo_io *io, const edo_slice *slices, int count)
{
    edo__check_memory("edo_writev", slices, "vector");
    if (!slices || count < 1 || count > MAX_VECTOR) return edo__op_refuse(-EINVAL);
    for (int i = 0; i < count; i++)
        edo__check_memory("edo_writev", slices[i].data, "buffer");
    return transfer(&writev_ops, io, slices, (size_t)count, EDO__WRITEV | EDO__DETAIL_WRITE_SIDE);
}

/* ---- ends ---- */

static edo_poll shutdown_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_io *io = op->object;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    return edo__op_finish(op, cx, cx->fate == EDO_LIVE ? io->ops->shutdown_write(io) : -ECANCELED);
}

static const edo_future_ops shutdown_ops = { .name = "edo_shutdown_write", .poll = shutdown_poll };

edo_op edo_shutdown_write(edo_io *io)
{
    return transfer(&shutdown_ops, io, NULL, 0, 0);
}

static edo_poll finish_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_io *io = op->object;
    return io->ops->finish(io, op, cx);
}

/* In a cancelled function, too, it closes the stream. */
static const edo_future_ops finish_ops = { .name = "edo_finish",
                                           .poll = finish_poll,
                                           .kind = EDO_KIND_OWNER };

/* length: what the poll requests of a descriptor's finish ask for. */
edo_op edo_finish(edo_io *io)
{
    return transfer(&finish_ops, io, NULL, EDO_READABLE, EDO__POLL);
}

void edo_close(edo_io *io)
{
    if (io) io->ops->close(io);
}
