/* An edo_io that reads the bytes of a stream's items.
 *
 * A read pulls the stream in its own poll. A read that waits is also parked in a wait list, so that
 * the close of the edo_io can wake it. The close sets a mark in the word `claims`, and then wakes
 * the list under the lock. A read parks under the same lock, and then inspects the mark. So the
 * read sees the mark, or the close finds the read in the list. */
#include <edo/features.h>

#if EDO_HAS_IO

#include <edo/stream_io.h>

#include "io/io.h"
#include "runtime/inspect/maker.h"
#include "sequence/pull.h"
#include "task/wait_list.h"

typedef struct reader {
    edo_io io;
    edo_atomic(uint32_t) claims;
    edo__lock lock;
    edo__wait_list list; // guarded by the lock; at most one operation

    /* Guarded by the claim of the read side. */
    edo_stream *in;
    edo_slice rest; // unread bytes of the last item
    bool is_pulling;
} reader;

static reader *reader_of(const edo_io *io)
{
    return (reader *)(uintptr_t)io;
}

static void leave(reader *self, edo_op *op)
{
    edo__lock_take(&self->lock);
    edo__wait_leave(&self->list, op);
    edo__lock_give(&self->lock);
}

static void park(reader *self, edo_op *op, edo_cx *cx)
{
    edo__lock_take(&self->lock);
    edo__wait_enqueue(&self->list, op, cx->waker);
    edo__lock_give(&self->lock);
}

/* Takes the next item. Returns: 1; 0 at the end; a negative errno; EDO_NEXT_WAITS. */
static int64_t pull(reader *self, edo_cx *cx, bool is_ending)
{
    if (is_ending && !self->is_pulling) return -ECANCELED;
    int64_t result = is_ending ? edo__pull_cancelled(self->in, cx, &self->rest)
                               : edo_pull(self->in, cx, &self->rest);
    self->is_pulling = result == EDO_NEXT_WAITS;
    if (result != 1) self->rest.size = 0;
    return result;
}

static int64_t give(reader *self, const edo_op *op)
{
    size_t asked = edo__asked(op), size = asked < self->rest.size ? asked : self->rest.size;
    if (size) memcpy(edo__rest_of(op), self->rest.data, size);
    self->rest.data = (char *)self->rest.data + size;
    self->rest.size -= size;
    return (int64_t)size;
}

static int64_t read_some(reader *self, const edo_op *op, edo_cx *cx)
{
    while (self->is_pulling || self->rest.size == 0) {
        int64_t result = pull(self, cx, edo__io_is_ending(&self->io, cx));
        if (result != 1) return result;
        if (self->rest.size == 0 && (result = edo__go_on(cx)) != 0) return result;
    }
    return give(self, op);
}

static edo_poll step(edo_io *io, edo_op *op, edo_cx *cx)
{
    reader *self = reader_of(io);
    op->base.result = -EBADF;
    if (edo__side_of(op) != EDO__READ_SIDE) return EDO_READY;
    leave(self, op);
    bool was_ending;
    do {
        was_ending = edo__io_is_ending(io, cx);
        op->base.result = read_some(self, op, cx);
        if (op->base.result != EDO_NEXT_WAITS) return EDO_READY;
        park(self, op, cx);
        if (was_ending || !edo__io_is_ending(io, cx)) return EDO_PENDING;
        leave(self, op);
    } while (true);
}

static void hang_up(edo_io *io)
{
    reader *self = reader_of(io);
    edo__wakes wakes = { NULL, NULL };
    edo__lock_take(&self->lock);
    edo__wait_wake_all(&self->list, &wakes);
    edo__lock_give(&self->lock);
    edo__wakes_commit(&wakes);
}

static void release(edo_io *io)
{
    edo__free_closed(reader_of(io), sizeof(reader));
}

int edo__io_from_stream(edo_stream *in, edo_io **ret_io)
{
    static const edo__io_ops ops = { .name = "items of a stream",
                                     .claims = offsetof(reader, claims),
                                     .step = step,
                                     .hang_up = hang_up,
                                     .release = release };
    if (!in || !ret_io) return -EINVAL;
    reader *self = edo__alloc_zeroed(sizeof *self);
    if (!self) return -ENOMEM;
    self->io.ops = &ops;
    self->in = in;
    *ret_io = &self->io;
    return 0;
}

#endif
