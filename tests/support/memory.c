/* A pipe in memory. */
#include "support/memory.h"

#include <errno.h>
#include <string.h>

#include "io/io.h"
#include "task/wait_list.h"

typedef struct direction {
    char *bytes; // oldest first; at most `capacity`
    size_t count, capacity;
    bool ended, gone;                // the writer has ended; the reader has closed
    edo__wait_list readers, writers; // at most one operation each, because sides are claimed
} direction;

typedef struct end {
    edo_io io;
    edo_atomic(uint32_t) claims;
    struct memory_pipe *pipe;
    direction *in, *out;
} end;

/* The lock guards everything except the claims. */
typedef struct memory_pipe {
    edo__lock lock;
    unsigned refs; // ends in use
    direction directions[2];
    end ends[2];
} memory_pipe;

static end *end_of(const edo_io *io)
{
    return (end *)(uintptr_t)io;
}

/* ---- one step; under the lock ---- */

/* buffer: NULL to drop. Returns: bytes; 0 at the end; -EAGAIN. */
static int64_t take(direction *in, void *buffer, size_t size, edo__wakes *wakes)
{
    size_t n = size < in->count ? size : in->count;
    if (in->count == 0) return in->ended ? 0 : -EAGAIN;
    if (buffer) memcpy(buffer, in->bytes, n);
    in->count -= n;
    memmove(in->bytes, in->bytes + n, in->count);
    edo__wait_wake_all(&in->writers, wakes);
    return (int64_t)n;
}

static int64_t put(direction *out, const void *data, size_t size, edo__wakes *wakes)
{
    size_t room = out->capacity - out->count, n = size < room ? size : room;
    if (out->ended || out->gone) return -EPIPE;
    if (n == 0) return size ? -EAGAIN : 0;
    memcpy(out->bytes + out->count, data, n);
    out->count += n;
    edo__wait_wake_all(&out->readers, wakes);
    return (int64_t)n;
}

static int64_t put_vector(direction *out, const edo_op *op, edo__wakes *wakes)
{
    const edo_slice *vector = edo__transfer_of(op)->slices;
    int64_t sum = 0, n = 0;
    for (uint64_t i = 0; i < edo__transfer_of(op)->length && n >= 0; i++) {
        n = put(out, vector[i].data, vector[i].size, wakes);
        if (n > 0) sum += n;
    }
    return sum ? sum : n;
}

static int64_t attempt(end *self, const edo_op *op, edo__wakes *wakes)
{
    char *data = edo__rest_of(op);
    switch (edo__request_of(op)) {
    case EDO__READ: return take(self->in, data, edo__asked(op), wakes);
    case EDO__WRITE: return put(self->out, data, edo__asked(op), wakes);
    case EDO__WRITEV: return put_vector(self->out, op, wakes);
    default: return take(self->in, NULL, SIZE_MAX, wakes); // of edo_finish()
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

static void hang_up(edo_io *io)
{
    end *self = end_of(io);
    edo__wakes wakes = { NULL, NULL };
    edo__lock_take(&self->pipe->lock);
    self->out->ended = self->in->gone = true;
    for (unsigned i = 0; i < 2; i++) { // operations of this end and of the peer
        edo__wait_wake_all(&self->pipe->directions[i].readers, &wakes);
        edo__wait_wake_all(&self->pipe->directions[i].writers, &wakes);
    }
    edo__lock_give(&self->pipe->lock);
    edo__wakes_commit(&wakes);
}

static void release(edo_io *io)
{
    memory_pipe *pipe = end_of(io)->pipe;
    edo__lock_take(&pipe->lock);
    bool is_last = --pipe->refs == 0;
    edo__lock_give(&pipe->lock);
    if (!is_last) return;
    test_free(pipe->directions[0].bytes);
    test_free(pipe->directions[1].bytes);
    test_free(pipe);
}

static const edo__io_ops memory_ops = {
    .name = "memory",
    .claims = offsetof(end, claims),
    .step = step,
    .drop = step,
    .shutdown_write = shutdown_write,
    .hang_up = hang_up,
    .release = release,
};

int memory_pipe_open(size_t capacity, edo_io *ret_ends[2])
{
    memory_pipe *pipe = test_calloc(1, sizeof *pipe);
    pipe->refs = 2;
    for (unsigned i = 0; i < 2; i++) {
        pipe->directions[i].bytes = test_malloc(capacity);
        pipe->directions[i].capacity = capacity;
        pipe->ends[i].io.ops = &memory_ops;
        pipe->ends[i].pipe = pipe;
        pipe->ends[i].in = &pipe->directions[i];
        pipe->ends[i].out = &pipe->directions[1 - i];
        ret_ends[i] = &pipe->ends[i].io;
    }
    return 0;
}

/* ---- for a peer without a task ---- */

static size_t move(end *self, const void *data, void *buffer, size_t size)
{
    edo__wakes wakes = { NULL, NULL };
    edo__lock_take(&self->pipe->lock);
    int64_t n = data ? put(self->out, data, size, &wakes) : take(self->in, buffer, size, &wakes);
    edo__lock_give(&self->pipe->lock);
    edo__wakes_commit(&wakes);
    return n > 0 ? (size_t)n : 0;
}

size_t memory_put(const edo_io *io, const void *data, size_t size)
{
    return move(end_of(io), data, NULL, size);
}

size_t memory_take(const edo_io *io, void *buffer, size_t size)
{
    return move(end_of(io), NULL, buffer, size);
}

bool is_memory(const edo_io *io)
{
    return io->ops == &memory_ops;
}
