/* A stream whose input is also written to another stream.
 *
 * The tee keeps the bytes that it has read, until an operation returns them. So if an operation is
 * cancelled after the read and before the copy, no bytes are lost. */
#include "stream/wrapper.h"

#include <string.h>

enum { ROOM = 4096 };

/* Guarded by the claim of the read side. */
typedef struct tee {
    edo__wrapper wrapper;
    edo_op copying;
    size_t start, copied, end; // `bytes` was returned, copied, read up to these offsets
    char bytes[ROOM];
} tee;

/* Continues the copy. Returns: EDO_PENDING; or EDO_READY with the result in *ret_n: the number of
 * bytes, or a negative errno. */
static edo_poll copy(tee *self, edo_cx *cx, int64_t *ret_n)
{
    if (!edo__inner_is_set(&self->copying))
        self->copying = edo_write(self->wrapper.owned[1], self->bytes + self->copied,
                                  self->end - self->copied);
    if (edo__inner_poll(&self->copying, cx, ret_n) == EDO_PENDING) return EDO_PENDING;
    if (*ret_n > 0) self->copied += (size_t)*ret_n;
    return EDO_READY;
}

/* Reads into the empty memory. Returns: EDO_PENDING; or EDO_READY with the result in *ret_n: the
 * number of bytes, 0 at the end, or a negative errno. */
static edo_poll fill(tee *self, size_t size, edo_cx *cx, int64_t *ret_n)
{
    edo_op *inner = &self->wrapper.ops[EDO__READ_SIDE];
    if (!edo__inner_is_set(inner))
        *inner = edo_read(self->wrapper.inner[EDO__READ_SIDE], self->bytes,
                          size < ROOM ? size : ROOM);
    if (edo__inner_poll(inner, cx, ret_n) == EDO_PENDING) return EDO_PENDING;
    self->start = self->copied = 0;
    self->end = *ret_n > 0 ? (size_t)*ret_n : 0;
    return EDO_READY;
}

static void give(tee *self, edo_op *op)
{
    size_t count = self->copied - self->start, size = edo__asked(op);
    if (size > count) size = count;
    memcpy(edo__rest_of(op), self->bytes + self->start, size);
    self->start += size;
    op->base.result = (int64_t)size;
}

static bool is_in_flight(const tee *self)
{
    return edo__inner_is_set(&self->copying) ||
           edo__inner_is_set(&self->wrapper.ops[EDO__READ_SIDE]);
}

static edo_poll read_step(tee *self, edo_op *op, edo_cx *cx)
{
    while (self->start == self->copied) {
        op->base.result = -ECANCELED;
        if (!is_in_flight(self) && edo__io_is_ending(&self->wrapper.io, cx)) return EDO_READY;
        edo_poll poll = self->copied < self->end ? copy(self, cx, &op->base.result)
                                                 : fill(self, edo__asked(op), cx, &op->base.result);
        if (poll == EDO_PENDING) return EDO_PENDING;
        if (op->base.result <= 0) return EDO_READY;
        if (!edo__has_budget(cx)) return EDO_PENDING;
    }
    give(self, op);
    return EDO_READY;
}

static edo_poll tee_step(edo_io *io, edo_op *op, edo_cx *cx)
{
    if (edo__side_of(op) == EDO__WRITE_SIDE) return edo__wrapper_step(io, op, cx);
    return read_step((tee *)(void *)io, op, cx);
}

int edo_io_tee(edo_io *io, edo_io *copy_to, edo_io **ret_io)
{
    static const edo__io_ops ops = { .name = "tee", .step = tee_step, EDO__WRAPPER_SLOTS };
    if (!io || !copy_to || io == copy_to || !ret_io) return -EINVAL;
    tee *self = edo__wrapper_create(&ops, sizeof *self, io, copy_to);
    if (!self) return -ENOMEM;
    *ret_io = &self->wrapper.io;
    return 0;
}
