/* Streams that never wait: null streams, and streams of given bytes. */
#include <edo/streams.h>

#include <string.h>

#include "io/io.h"
#include "runtime/inspect/maker.h"

typedef struct giver {
    edo_io io;
    edo_atomic(uint32_t) claims;
    bool repeats, takes;
    size_t at; // offset of the next byte; guarded by the claim of the read side
    edo_bytes bytes;
} giver;

static giver *giver_of(const edo_io *io)
{
    return (giver *)(uintptr_t)io;
}

static size_t sum(const edo_op *op)
{
    const edo_slice *slices = edo__transfer_of(op)->slices;
    size_t size = 0;
    for (uint64_t i = 0; i < edo__transfer_of(op)->length && size < EDO__MAX_TRANSFER; i++)
        size += slices[i].size < EDO__MAX_TRANSFER ? slices[i].size : EDO__MAX_TRANSFER;
    return size;
}

static int64_t take(const edo_op *op)
{
    return (int64_t)(edo__request_of(op) == EDO__WRITEV ? sum(op) : edo__asked(op));
}

static int64_t give(giver *self, const edo_op *op)
{
    size_t size = edo__asked(op), done = 0;
    while (done < size && self->at < self->bytes.size) {
        size_t part = self->bytes.size - self->at;
        if (part > size - done) part = size - done;
        memcpy(edo__rest_of(op) + done, self->bytes.data + self->at, part);
        done += part;
        self->at += part;
        if (self->repeats) self->at %= self->bytes.size;
    }
    return (int64_t)done;
}

static edo_poll step(edo_io *io, edo_op *op, edo_cx *cx)
{
    giver *self = giver_of(io);
    bool reads = edo__side_of(op) == EDO__READ_SIDE;
    if (edo__io_is_ending(io, cx))
        op->base.result = -ECANCELED;
    else if (reads)
        op->base.result = give(self, op);
    else
        op->base.result = self->takes ? take(op) : -EBADF;
    return EDO_READY;
}

static void hang_up(edo_io *io)
{
    (void)io; // nothing waits
}

static void release(edo_io *io)
{
    edo_bytes_deinit(&giver_of(io)->bytes);
    edo__free_closed(giver_of(io), sizeof(giver));
}

static int make(edo_bytes *bytes, bool repeats, edo_io **ret_io)
{
    static const edo__io_ops ops = { .name = "bytes",
                                     .claims = offsetof(giver, claims),
                                     .step = step,
                                     .hang_up = hang_up,
                                     .release = release };
    giver *self = edo__alloc(sizeof *self);
    if (!self) return -ENOMEM;
    *self = (giver){ .io.ops = &ops, .repeats = repeats, .takes = !bytes };
    if (bytes) {
        self->bytes = *bytes;
        *bytes = (edo_bytes){ NULL, 0, NULL };
    }
    *ret_io = &self->io;
    return 0;
}

int edo_io_null(edo_io **ret_io)
{
    return ret_io ? make(NULL, false, ret_io) : -EINVAL;
}

int edo_io_repeat(edo_bytes *bytes, edo_io **ret_io)
{
    if (!bytes || bytes->size == 0 || !ret_io) return -EINVAL;
    return make(bytes, true, ret_io);
}

int edo_io_from_bytes(edo_bytes *bytes, edo_io **ret_io)
{
    return bytes && ret_io ? make(bytes, false, ret_io) : -EINVAL;
}
