/* Streams around other streams: chain, limit, inspect, join. */
#include "stream/wrapper.h"

/* ---- chain ---- */

/* Reads from the first stream. At its end, the step continues with the second stream. */
static edo_poll chain_step(edo_io *io, edo_op *op, edo_cx *cx)
{
    edo__wrapper *self = edo__wrapper_of(io);
    for (;;) {
        if (edo__wrapper_step(io, op, cx) == EDO_PENDING) return EDO_PENDING;
        bool reads = edo__side_of(op) == EDO__READ_SIDE;
        bool was_first = self->inner[EDO__READ_SIDE] == self->owned[0];
        if (op->base.result != 0 || !reads || !was_first) return EDO_READY;
        self->inner[EDO__READ_SIDE] = self->owned[1];
        if (!edo__has_budget(cx)) return EDO_PENDING;
    }
}

int edo_io_chain(edo_io *first, edo_io *second, edo_io **ret_io)
{
    static const edo__io_ops ops = { .name = "chain",
                                     .step = chain_step,
                                     .claims = offsetof(edo__wrapper, claims),
                                     .drop = chain_step,
                                     .shutdown_write = edo__wrapper_shutdown_write,
                                     .hang_up = edo__wrapper_hang_up,
                                     .release = edo__wrapper_release };
    if (!first || !second || first == second || !ret_io) return -EINVAL;
    edo__wrapper *self = edo__wrapper_create(&ops, sizeof *self, first, second);
    if (!self) return -ENOMEM;
    self->inner[EDO__WRITE_SIDE] = second;
    *ret_io = &self->io;
    return 0;
}

/* ---- limit ---- */

typedef struct limit {
    edo__wrapper wrapper;
    uint64_t left[EDO__SIDES]; // bytes until the limit; guarded by the claim of the side
} limiter;

/* Dropped bytes are not counted against the limit, because the stream ends with the drop. */
static edo_poll limit_step(edo_io *io, edo_op *op, edo_cx *cx)
{
    uint64_t *left = &((limiter *)(void *)io)->left[edo__side_of(op)];
    bool reads = edo__side_of(op) == EDO__READ_SIDE;
    if (*left == 0 && !edo__io_is_ending(io, cx)) {
        op->base.result = reads ? 0 : -EFBIG;
        return EDO_READY;
    }
    if (edo__wrapper_move(io, op, cx, *left) == EDO_PENDING) return EDO_PENDING;
    if (op->base.result > 0 && *left != UINT64_MAX) *left -= (uint64_t)op->base.result;
    return EDO_READY;
}

int edo_io_limit(edo_io *io, uint64_t reads, uint64_t writes, edo_io **ret_io)
{
    static const edo__io_ops ops = { .name = "limit", .step = limit_step, EDO__WRAPPER_SLOTS };
    if (!io || !ret_io) return -EINVAL;
    limiter *self = edo__wrapper_create(&ops, sizeof *self, io, NULL);
    if (!self) return -ENOMEM;
    self->left[EDO__READ_SIDE] = reads;
    self->left[EDO__WRITE_SIDE] = writes;
    *ret_io = &self->wrapper.io;
    return 0;
}

/* ---- inspect ---- */

typedef struct inspector {
    edo__wrapper wrapper;
    edo_inspect_fn *inspect;
    void *context;
} inspector;

static void show_vector(const inspector *self, const edo_op *op, size_t n)
{
    const edo_slice *slice = edo__transfer_of(op)->slices;
    for (; n; slice++) {
        size_t size = slice->size < n ? slice->size : n;
        if (size) self->inspect(self->context, true, slice->data, size);
        n -= size;
    }
}

static edo_poll inspect_step(edo_io *io, edo_op *op, edo_cx *cx)
{
    inspector *self = (inspector *)(void *)io;
    if (edo__wrapper_step(io, op, cx) == EDO_PENDING) return EDO_PENDING;
    if (op->base.result <= 0) return EDO_READY;
    size_t n = (size_t)op->base.result;
    if (edo__request_of(op) == EDO__WRITEV)
        show_vector(self, op, n);
    else
        self->inspect(self->context, edo__side_of(op) == EDO__WRITE_SIDE, edo__rest_of(op), n);
    return EDO_READY;
}

int edo_io_inspect(edo_io *io, edo_inspect_fn *inspect, void *context, edo_io **ret_io)
{
    static const edo__io_ops ops = { .name = "inspect", .step = inspect_step, EDO__WRAPPER_SLOTS };
    if (!io || !inspect || !ret_io) return -EINVAL;
    inspector *self = edo__wrapper_create(&ops, sizeof *self, io, NULL);
    if (!self) return -ENOMEM;
    self->inspect = inspect;
    self->context = context;
    *ret_io = &self->wrapper.io;
    return 0;
}

/* ---- join ---- */

int edo_io_join(edo_io *reader, edo_io *writer, edo_io **ret_io)
{
    static const edo__io_ops ops = { .name = "join",
                                     .step = edo__wrapper_step,
                                     EDO__WRAPPER_SLOTS };
    if (!reader || !writer || reader == writer || !ret_io) return -EINVAL;
    edo__wrapper *self = edo__wrapper_create(&ops, sizeof *self, reader, writer);
    if (!self) return -ENOMEM;
    self->inner[EDO__WRITE_SIDE] = writer;
    *ret_io = &self->io;
    return 0;
}
