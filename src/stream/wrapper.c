#include "stream/wrapper.h"

#include <string.h>

#include "runtime/inspect/maker.h"

void *edo__wrapper_create(const edo__io_ops *ops, size_t size, edo_io *first, edo_io *second)
{
    edo__wrapper *self = edo__alloc_zeroed(size);
    if (!self) return NULL;
    self->io.ops = ops;
    self->size = (uint32_t)size;
    self->inner[EDO__READ_SIDE] = self->inner[EDO__WRITE_SIDE] = first;
    self->owned[0] = first;
    self->owned[1] = second;
    return self;
}

/* ---- one step ---- */

/* Begins a vector write of all slices. But if the limit allows fewer bytes, begins a write of the
 * first slice that is not empty, up to the limit. */
static edo_op begin_writev(edo_io *inner, const edo_op *op, uint64_t most)
{
    const edo_slice *slices = edo__transfer_of(op)->slices, *first = NULL;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < edo__transfer_of(op)->length; i++) {
        if (!first && slices[i].size) first = &slices[i];
        sum += slices[i].size;
    }
    if (sum <= most) return edo_writev(inner, slices, (int)edo__transfer_of(op)->length);
    return edo_write(inner, first->data, first->size < most ? first->size : most);
}

static edo_op begin(edo__wrapper *self, const edo_op *op, uint64_t most)
{
    edo_io *inner = self->inner[edo__side_of(op)];
    size_t size = 0;
    char *data = NULL;
    if (edo__request_of(op) <= EDO__WRITE) {
        size = edo__asked(op) < most ? edo__asked(op) : (size_t)most;
        data = edo__rest_of(op);
    }
    switch (edo__request_of(op)) {
    case EDO__READ: return edo_read(inner, data, size);
    case EDO__WRITE: return edo_write(inner, data, size);
    case EDO__WRITEV: return begin_writev(inner, op, most);
    default: return edo_read(inner, self->scrap, EDO__SCRAP); // for edo_finish(): drops input
    }
}

edo_poll edo__wrapper_move(edo_io *io, edo_op *op, edo_cx *cx, uint64_t most)
{
    edo__wrapper *self = edo__wrapper_of(io);
    edo_op *inner = &self->ops[edo__side_of(op)];
    if (!edo__inner_is_set(inner)) {
        bool is_ending = edo__io_is_ending(io, cx);
        op->base.result = is_ending ? -ECANCELED : -EBADF;
        if (is_ending || !self->inner[edo__side_of(op)]) return EDO_READY;
        *inner = begin(self, op, most);
    }
    return edo__inner_poll(inner, cx, &op->base.result);
}

edo_poll edo__wrapper_step(edo_io *io, edo_op *op, edo_cx *cx)
{
    return edo__wrapper_move(io, op, cx, UINT64_MAX);
}

/* ---- ends ---- */

int edo__wrapper_shutdown_write(edo_io *io)
{
    edo_io *inner = edo__wrapper_of(io)->inner[EDO__WRITE_SIDE];
    return inner ? edo__io_shutdown_write(inner, "edo_shutdown_write") : -ENOTSUP;
}

/* Begins the close of the wrapped streams. The close ends the operations on these streams, and
 * thereby the operations of the wrapper. */
void edo__wrapper_hang_up(edo_io *io)
{
    for (unsigned i = 0; i < 2; i++)
        if (edo__wrapper_of(io)->owned[i])
            edo__io_begin_close(edo__wrapper_of(io)->owned[i], "edo_close");
}

void edo__wrapper_release(edo_io *io)
{
    edo__wrapper *self = edo__wrapper_of(io);
    for (unsigned i = 0; i < 2; i++)
        if (self->owned[i]) edo__io_end_close(self->owned[i]);
    edo__free_closed(self, self->size);
}
