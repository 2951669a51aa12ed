/* Connections in memory.
 *
 * One lock guards both directions. A step takes the lock to try a transfer. If the transfer has to
 * wait, the step parks in a wait list of its direction, still under the lock. Each transfer and
 * each end of a direction wakes the wait lists of that direction, also under the lock. So a parked
 * step has seen all earlier changes, and every later change wakes the step. */
#include "stream/duplex.h"

#include <string.h>

#include "io/io.h"
#include "runtime/inspect/maker.h"
#include "task/wait_list.h"

/* One direction of a connection. Guarded by the lock of the connection. */
typedef struct direction {
    char *ring; // `capacity` bytes; NULL: the direction does not exist
    size_t first, count, capacity;
    bool ended, gone;                // ended: no more writes; gone: the reader has closed
    edo__wait_list readers, writers; // at most one operation in each, because sides are claimed
} direction;

typedef struct end {
    edo_io io;
    edo_atomic(uint32_t) claims;
    struct edo__duplex *pipe;
    direction *in, *out;
} end;

typedef struct edo__duplex {
    edo__lock lock;
    unsigned refs; // number of unreleased ends; guarded by the lock
    size_t size;   // bytes of the allocation
    direction directions[2];
    end ends[2];
} duplex;

static end *end_of(const edo_io *io)
{
    return (end *)(uintptr_t)io;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- moves; under the lock ---- */

/* Takes bytes out of a direction. buffer: NULL: the bytes are dropped. */
static int64_t take(direction *in, char *buffer, size_t size, edo__wakes *wakes)
{
    if (!in->ring) return -EBADF;
    if (in->count == 0) return in->ended ? 0 : -EAGAIN;
    size_t n = smaller(size, in->count), part = smaller(n, in->capacity - in->first);
    if (buffer) {
        memcpy(buffer, in->ring + in->first, part);
        memcpy(buffer + part, in->ring, n - part);
    }
    in->first = (in->first + n) % in->capacity;
    in->count -= n;
    edo__wait_wake_all(&in->writers, wakes);
    return (int64_t)n;
}

static int64_t put(direction *out, const char *data, size_t size, edo__wakes *wakes)
{
    if (!out->ring) return -EBADF;
    if (out->ended || out->gone) return -EPIPE;
    size_t n = smaller(size, out->capacity - out->count);
    if (n == 0) return size ? -EAGAIN : 0;
    size_t at = (out->first + out->count) % out->capacity, part = smaller(n, out->capacity - at);
    memcpy(out->ring + at, data, part);
    memcpy(out->ring, data + part, n - part);
    out->count += n;
    edo__wait_wake_all(&out->readers, wakes);
    return (int64_t)n;
}

static int64_t put_vector(direction *out, const edo_op *op, edo__wakes *wakes)
{
    const edo_slice *slices = edo__transfer_of(op)->slices;
    int64_t sum = 0, n = 0;
    for (uint64_t i = 0; i < edo__transfer_of(op)->length && n >= 0; i++) {
        n = put(out, slices[i].data, slices[i].size, wakes);
        if (n > 0) sum += n;
    }
    return sum ? sum : n;
}

static int64_t attempt(end *self, const edo_op *op, edo__wakes *wakes)
{
    switch (edo__request_of(op)) {
    case EDO__READ: return take(self->in, edo__rest_of(op), edo__asked(op), wakes);
    case EDO__WRITE: return put(self->out, edo__rest_of(op), edo__asked(op), wakes);
    case EDO__WRITEV: return put_vector(self->out, op, wakes);
    default: return take(self->in, NULL, SIZE_MAX, wakes); // for edo_finish(): drops input
    }
}

/* ---- the stream ---- */

static edo_poll step(edo_io *io, edo_op *op, edo_cx *cx)
{
    end *self = end_of(io);
    bool reads = edo__side_of(op) == EDO__READ_SIDE;
    edo__wait_list *list = reads ? &self->in->readers : &self->out->writers;
    edo__wakes wakes = { NULL, NULL };
    edo__lock_take(&self->pipe->lock);
    edo__wait_leave(list, op);
    op->base.result = edo__io_is_ending(io, cx) ? -ECANCELED : attempt(self, op, &wakes);
    bool waits = op->base.result == -EAGAIN;
    if (waits) edo__wait_enqueue(list, op, cx->waker);
    edo__lock_give(&self->pipe->lock);
    edo__wakes_commit(&wakes);
    return waits ? EDO_PENDING : EDO_READY;
}

static int shutdown_write(edo_io *io)
{
    end *self = end_of(io);
    edo__wakes wakes = { NULL, NULL };
    edo__lock_take(&self->pipe->lock);
    self->out->ended = true;
    edo__wait_wake_all(&self->out->readers, &wakes);
    edo__lock_give(&self->pipe->lock);
    edo__wakes_commit(&wakes);
    return 0;
}

/* Wakes the operations of both ends. */
static void hang_up(edo_io *io)
{
    end *self = end_of(io);
    edo__wakes wakes = { NULL, NULL };
    edo__lock_take(&self->pipe->lock);
    self->out->ended = self->in->gone = true;
    for (unsigned i = 0; i < 2; i++) {
        edo__wait_wake_all(&self->pipe->directions[i].readers, &wakes);
        edo__wait_wake_all(&self->pipe->directions[i].writers, &wakes);
    }
    edo__lock_give(&self->pipe->lock);
    edo__wakes_commit(&wakes);
}

static void release(edo_io *io)
{
    duplex *pipe = end_of(io)->pipe;
    edo__lock_take(&pipe->lock);
    bool is_last = --pipe->refs == 0;
    edo__lock_give(&pipe->lock);
    if (is_last) edo__free_closed(pipe, pipe->size);
}

static const edo__io_ops duplex_ops = {
    .name = "duplex",
    .claims = offsetof(end, claims),
    .step = step,
    .drop = step,
    .shutdown_write = shutdown_write,
    .hang_up = hang_up,
    .release = release,
};

/* ---- making ---- */

static int make(size_t capacity, unsigned directions, edo_io **ret_end, edo_io **ret_other)
{
    if (!capacity || !ret_end || !ret_other) return -EINVAL;
    if (capacity > (SIZE_MAX - sizeof(duplex)) / 2) return -ENOMEM;
    size_t size = sizeof(duplex) + directions * capacity;
    duplex *made = edo__alloc(size);
    if (!made) return -ENOMEM;
    memset(made, 0, sizeof *made);
    made->refs = 2;
    made->size = size;
    for (unsigned i = 0; i < directions; i++) {
        made->directions[i].ring = (char *)(made + 1) + i * capacity;
        made->directions[i].capacity = capacity;
    }
    for (unsigned i = 0; i < 2; i++)
        made->ends[i] = (end){
            { &duplex_ops }, 0, made, &made->directions[i], &made->directions[1 - i]
        };
    *ret_end = &made->ends[0].io;
    *ret_other = &made->ends[1].io;
    return 0;
}

int edo_duplex(size_t capacity, edo_io **ret_end, edo_io **ret_other)
{
    return make(capacity, 2, ret_end, ret_other);
}

int edo_simplex(size_t capacity, edo_io **ret_reader, edo_io **ret_writer)
{
    return make(capacity, 1, ret_reader, ret_writer);
}

/* ---- calls from outside of tasks ---- */

bool edo__is_duplex(const edo_io *io)
{
    return io->ops == &duplex_ops;
}

static int64_t move(end *self, const void *data, void *buffer, size_t size)
{
    edo__wakes wakes = { NULL, NULL };
    edo__lock_take(&self->pipe->lock);
    int64_t n = data ? put(self->out, data, size, &wakes) : take(self->in, buffer, size, &wakes);
    edo__lock_give(&self->pipe->lock);
    edo__wakes_commit(&wakes);
    return n;
}

int64_t edo__duplex_put(edo_io *io, const void *data, size_t size)
{
    return move(end_of(io), data, NULL, size);
}

int64_t edo__duplex_take(edo_io *io, void *buffer, size_t size)
{
    return move(end_of(io), NULL, buffer, size);
}
