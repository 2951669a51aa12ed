/* A stream as two halves.
 *
 * Both halves lie in one allocation. The release of the last half closes the stream. The close of
 * one half does not close the stream, so it must wake the half's operation itself. A pending
 * operation stores its waker in the half, and clears the stored waker before it ends. Both steps
 * are made under the lock. The closer also wakes under the lock, so it never finds the waker of an
 * ended task. The woken operation sees that its half was closed, and cancels its inner operation on
 * the stream. */
#include <edo/streams.h>

#include "io/io.h"
#include "runtime/inspect/maker.h"
#include "stream/inner.h"

typedef struct half {
    edo_io io;
    edo_atomic(uint32_t) claims;
    edo__lock lock;
    edo_wakeable *waiting; // NULL: no operation is pending; guarded by the lock
    struct edo__split *split;
    edo_op op; // operation on the stream; guarded by the claim of the side
} half;

typedef struct edo__split {
    edo_io *io;
    edo_atomic(uint32_t) refs; // number of unreleased halves
    half halves[EDO__SIDES];
} pair;

static half *half_of(const edo_io *io)
{
    return (half *)(uintptr_t)io;
}

static unsigned side_of(const half *self)
{
    return (unsigned)(self - self->split->halves);
}

static void set_waiting(half *self, edo_wakeable *waker)
{
    edo__lock_take(&self->lock);
    self->waiting = waker;
    edo__lock_give(&self->lock);
}

/* ---- one step ---- */

static edo_op begin(const half *self, const edo_op *op)
{
    const edo__transfer_op *transfer = edo__transfer_of(op);
    switch (edo__request_of(op)) {
    case EDO__READ: return edo_read(self->split->io, edo__rest_of(op), edo__asked(op));
    case EDO__WRITE: return edo_write(self->split->io, edo__rest_of(op), edo__asked(op));
    default: return edo_writev(self->split->io, transfer->slices, (int)transfer->length);
    }
}

/* Performs a step. Stores the waker first, and then checks whether the half was closed. So either
 * the close finds the waker, or the check finds the close. */
static edo_poll step(edo_io *io, edo_op *op, edo_cx *cx)
{
    half *self = half_of(io);
    op->base.result = -EBADF;
    if (edo__side_of(op) != side_of(self)) return EDO_READY;
    bool begins = !edo__inner_is_set(&self->op);
    if (begins) self->op = begin(self, op);
    set_waiting(self, cx->waker);
    if (edo__io_is_ending(io, cx)) edo_cancel(&self->op.base);
    if (edo__inner_poll(&self->op, cx, &op->base.result) == EDO_PENDING) return EDO_PENDING;
    set_waiting(self, NULL);
    return EDO_READY;
}

/* Drops nothing. Called by edo_finish() for a writing half, which has no input. */
static edo_poll drop(edo_io *io, edo_op *op, edo_cx *cx)
{
    (void)io;
    (void)cx;
    op->base.result = 0;
    return EDO_READY;
}

/* ---- ends ---- */

static int shutdown_write(edo_io *io)
{
    half *self = half_of(io);
    if (side_of(self) == EDO__READ_SIDE) return -ENOTSUP;
    return edo__io_shutdown_write(self->split->io, "edo_shutdown_write");
}

static void hang_up(edo_io *io)
{
    half *self = half_of(io);
    edo__lock_take(&self->lock);
    if (self->waiting) edo_wake(self->waiting);
    edo__lock_give(&self->lock);
}

/* Releases a half. No operation on the half is in flight, so its side of the stream is free. */
static void release(edo_io *io)
{
    pair *split = half_of(io)->split;
    if (side_of(half_of(io)) == EDO__WRITE_SIDE) (void)shutdown_write(io);
    if (edo_sub_acq_rel(&split->refs, 1) > 1) return; // partner: the release of the other half
    edo_close(split->io);
    edo__free_closed(split, sizeof *split);
}

static const edo__io_ops half_ops = { .name = "half",
                                      .claims = offsetof(half, claims),
                                      .step = step,
                                      .drop = drop,
                                      .shutdown_write = shutdown_write,
                                      .hang_up = hang_up,
                                      .release = release };

int edo_io_split(edo_io *io, edo_io **ret_reader, edo_io **ret_writer)
{
    if (!io || !ret_reader || !ret_writer) return -EINVAL;
    pair *made = edo__alloc_zeroed(sizeof *made);
    if (!made) return -ENOMEM;
    made->io = io;
    made->refs = 2;
    for (unsigned side = 0; side < EDO__SIDES; side++) {
        made->halves[side].io.ops = &half_ops;
        made->halves[side].split = made;
    }
    *ret_reader = &made->halves[EDO__READ_SIDE].io;
    *ret_writer = &made->halves[EDO__WRITE_SIDE].io;
    return 0;
}

static bool are_halves(const edo_io *reader, const edo_io *writer)
{
    if (!reader || !writer || reader->ops != &half_ops || writer->ops != &half_ops) return false;
    const pair *split = half_of(reader)->split;
    return reader == &split->halves[EDO__READ_SIDE].io &&
           writer == &split->halves[EDO__WRITE_SIDE].io;
}

int edo_io_unsplit(edo_io *reader, edo_io *writer, edo_io **ret_io)
{
    if (!ret_io || !are_halves(reader, writer)) return -EINVAL;
    pair *split = half_of(reader)->split;
    for (unsigned side = 0; side < EDO__SIDES; side++)
        if (edo__claims_any(edo_load_acquire(&split->halves[side].claims))) return -EBUSY;
    *ret_io = split->io;
    for (unsigned side = 0; side < EDO__SIDES; side++)
        edo_store_relaxed(&split->halves[side].claims, EDO__SOURCE_CLOSED);
    edo__free_closed(split, sizeof *split);
    return 0;
}
