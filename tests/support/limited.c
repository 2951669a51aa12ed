/* A stream that limits another one. */
#include "support/limited.h"

#include <errno.h>

#include "io/io.h"

enum { SCRAP = 4096 }; // bytes; of one drop

typedef struct limited {
    edo_io io;
    edo_atomic(uint32_t) claims;
    edo_io *inner;
    uint64_t left[EDO__SIDES]; // bytes; holder of the side's claim
    edo_op ops
        [EDO__SIDES];  // on the inner stream, in flight while base.ops is set; holder of the claim
    char scrap[SCRAP]; // of drops; holder of the read side's claim
} limited;

static limited *limited_of(const edo_io *io)
{
    return (limited *)(uintptr_t)io;
}

/* Begins the whole writev, or a part of its first buffer. */
static edo_op begin_writev(limited *self, const edo_op *op)
{
    const edo_slice *slices = edo__transfer_of(op)->slices, *first = NULL;
    uint64_t sum = 0, left = self->left[EDO__WRITE_SIDE];
    for (uint64_t i = 0; i < edo__transfer_of(op)->length; i++) {
        if (!first && slices[i].size) first = &slices[i];
        sum += slices[i].size;
    }
    if (sum <= left) return edo_writev(self->inner, slices, (int)edo__transfer_of(op)->length);
    return edo_write(self->inner, first->data, first->size < left ? first->size : left);
}

static edo_op begin(limited *self, const edo_op *op)
{
    uint64_t size = edo__asked(op), left = self->left[edo__side_of(op)];
    char *data = edo__rest_of(op);
    if (size > left) size = left;
    switch (edo__request_of(op)) {
    case EDO__READ: return edo_read(self->inner, data, size);
    case EDO__WRITE: return edo_write(self->inner, data, size);
    case EDO__WRITEV: return begin_writev(self, op);
    default: return edo_read(self->inner, self->scrap, SCRAP); // of edo_finish()
    }
}

/* Returns: whether the step ends here, with a result. */
static bool ends_here(const edo_io *io, edo_op *op, const edo_cx *cx)
{
    bool drops = edo__request_of(op) == EDO__POLL, reads = edo__side_of(op) == EDO__READ_SIDE;
    bool ending = edo__io_is_ending(io, cx);
    if (!ending && (drops || limited_of(io)->left[edo__side_of(op)])) return false;
    op->base.result = ending ? -ECANCELED : reads ? 0 : -EFBIG;
    return true;
}

static edo_poll step(edo_io *io, edo_op *op, edo_cx *cx)
{
    limited *self = limited_of(io);
    unsigned side = edo__side_of(op);
    edo_op *inner = &self->ops[side];
    if (!inner->base.ops) {
        if (ends_here(io, op, cx)) return EDO_READY;
        *inner = begin(self, op);
    }
    if (edo_poll_future(&inner->base, cx) == EDO_PENDING) return EDO_PENDING;
    int64_t n = op->base.result = inner->base.result;
    bool counts = n > 0 && edo__request_of(op) != EDO__POLL;
    if (counts) self->left[side] -= (uint64_t)n;
    inner->base.ops = NULL;
    return EDO_READY;
}

static int shutdown_write(edo_io *io)
{
    return edo__io_shutdown_write(limited_of(io)->inner, "edo_shutdown_write");
}

static void hang_up(edo_io *io)
{
    edo__io_begin_close(limited_of(io)->inner, "edo_close");
}

static void release(edo_io *io)
{
    edo__io_end_close(limited_of(io)->inner);
    test_free(limited_of(io));
}

static const edo__io_ops limited_ops = {
    .name = "limited",
    .claims = offsetof(limited, claims),
    .step = step,
    .drop = step,
    .shutdown_write = shutdown_write,
    .hang_up = hang_up,
    .release = release,
};

edo_io *limited_open(edo_io *inner, uint64_t limit)
{
    limited *self = test_calloc(1, sizeof *self);
    self->io.ops = &limited_ops;
    self->inner = inner;
    self->left[EDO__READ_SIDE] = self->left[EDO__WRITE_SIDE] = limit;
    return &self->io;
}

edo_io *limited_inner(const edo_io *io)
{
    return io->ops == &limited_ops ? limited_of(io)->inner : NULL;
}
