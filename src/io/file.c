/* Streams that transfer bytes at a file's own position. A cancelled operation waits for a call that
 * has begun, because the bytes that the call moves belong to the operation. */
#include "io/file.h"

#include "runtime/inspect/maker.h"

/* ---- one step ---- */

/* Greatest number of bytes per call on a single buffer. A cancelled operation waits for its call,
 * so a call must not take long. */
enum { MAX_TRANSFER = 2 * 1024 * 1024 };

static void describe(const edo_op *op, edo__file_call *call)
{
    static const edo__file_verb verbs[] = { [EDO__READ] = EDO__FILE_READ,
                                            [EDO__WRITE] = EDO__FILE_WRITE,
                                            [EDO__READV] = EDO__FILE_READV,
                                            [EDO__WRITEV] = EDO__FILE_WRITEV };
    const edo__transfer_op *transfer = edo__transfer_of(op);
    const edo__file_stream *stream = edo__file_stream_of(transfer->io);
    uint64_t rest = transfer->length - transfer->progress;
    call->verb = verbs[edo__request_of(op)];
    call->fd = stream->fd;
    call->flags = stream->flags & EDO_OPEN_DIRECT;
    call->offset = EDO__AT_POSITION;
    call->data = edo__rest_of(op);
    call->size = rest < MAX_TRANSFER ? rest : MAX_TRANSFER;
    if (edo__request_of(op) < EDO__READV) return;
    call->data = transfer->data;
    call->size = transfer->length;
}

/* Cuts a write to the number of bytes for which a writable pipe has room. */
static void cut_write(edo__file_call *call)
{
    if (call->verb == EDO__FILE_WRITEV) {
        const edo_slice *slice = call->data;
        while (!slice->size && call->size > 1) {
            slice++;
            call->size--;
        }
        call->verb = EDO__FILE_WRITE;
        call->data = slice->data;
        call->size = slice->size;
    }
    if (call->size > EDO__FILE_PIPE_WRITE) call->size = EDO__FILE_PIPE_WRITE;
}

enum { WAIT = 16 }; // ms per visit to the pool, for a pipe or a terminal that is not ready

/* Waits up to WAIT ms for a pipe or a terminal to become ready, and then makes the call. If the
 * file is still not ready, returns EDO__NOT_YET, so that the thread becomes free for other jobs and
 * a cancellation takes effect. If another reader or writer is faster, the file is not ready any
 * more, and the call itself may wait. With O_NONBLOCK the call returns at once instead. */
static int64_t run_transfer(edo_op *op)
{
    edo__file_call call = { 0 };
    describe(op, &call);
    bool writes = call.verb == EDO__FILE_WRITE || call.verb == EDO__FILE_WRITEV;
    int ready = edo__file_wait(call.fd, writes, WAIT);
    if (ready < 0) return ready;
    if (ready > 0 && writes) cut_write(&call);
    int64_t n = edo__file_make(&call);
    return ready > 0 && n == -EAGAIN ? EDO__NOT_YET : n;
}

/* Takes the file's position for one operation. The acquire here and the release at the end of a
 * step are partners. They order the operations at the position. */
static bool take_position(edo__file_stream *stream, const edo_op *op)
{
    const edo_op *none = NULL;
    return edo_cas_acquire(&stream->mover, &none, op);
}

/* ---- the position after a call of the ring ----
 *
 * A call of the ring may transfer a part of the bytes and then meet an error, such as a full disk.
 * The result is the number of bytes in the part, but the kernel does not move the position. So the
 * next call would transfer the part again, if the position were not moved here. A file that appends
 * needs no position. */

static int64_t seek_to(const edo__file_stream *stream, int64_t offset, uint32_t from)
{
    edo__file_call seek = { .verb = EDO__FILE_SEEK, .fd = stream->fd, .flags = from };
    seek.offset = (uint64_t)offset;
    return edo__file_make(&seek);
}

bool edo__file_stream_keep(edo__file_stream *stream)
{
    bool appends = stream->flags & EDO_OPEN_APPEND;
    int64_t at = seek_to(stream, 0, EDO_SEEK_CURRENT);
    stream->from = appends ? -1 : at;
    return at != -ESPIPE;
}

static uint64_t bytes_of(const edo__file_call *call)
{
    const edo_slice *slices = call->data;
    if (call->verb != EDO__FILE_READV && call->verb != EDO__FILE_WRITEV) return call->size;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < call->size; i++)
        sum += slices[i].size;
    return sum;
}

/* Moves the position behind a transferred part, if the kernel has not moved it. If the position has
 * changed since the call began, the kernel has moved it. The position is then left alone, because
 * another writer may have moved it further. */
static void settle_position(const edo__file_stream *stream, const edo_op *op)
{
    edo__file_call call;
    int64_t n = op->base.result;
    if (n <= 0 || stream->from < 0) return;
    describe(op, &call);
    if ((uint64_t)n == bytes_of(&call)) return;
    if (seek_to(stream, 0, EDO_SEEK_CURRENT) == stream->from) seek_to(stream, n, EDO_SEEK_CURRENT);
}

static edo_poll end_step(edo_op *op, int64_t result)
{
    op->base.result = result;
    return EDO_READY;
}

edo_poll edo__file_step(edo_io *io, edo_op *op, edo_cx *cx)
{
    edo__file_stream *stream = edo__file_stream_of(io);
    edo__file_call call = { 0 };
    bool begins = !edo__call_is_begun(op), is_in_ring = edo__call_has(op, EDO__CALL_IN_RING);
    if (begins && edo__io_is_ending(io, cx)) return end_step(op, -ECANCELED);
    if (begins && !take_position(stream, op)) return end_step(op, -EBUSY);
    do {
        if (begins) describe(op, &call);
        if (edo__call_drive(op, cx, stream, &call, run_transfer) == EDO_PENDING) return EDO_PENDING;
        begins = true;
    } while (op->base.result == EDO__NOT_YET && !edo__io_is_ending(io, cx));
    if (op->base.result == EDO__NOT_YET) op->base.result = -ECANCELED;
    if (is_in_ring) settle_position(stream, op);
    edo_store_release(&stream->mover, NULL); // partner: take_position
    return EDO_READY;
}

/* ---- standard streams ---- */

/* A call in flight ends by itself, so nothing has to be woken. */
static void hang_up(edo_io *io)
{
    (void)io;
}

static void release(edo_io *io)
{
    edo__free_closed(edo__file_stream_of(io), sizeof(edo__file_stream));
}

static const edo__io_ops file_ops = { .name = "file",
                                      .claims = offsetof(edo__file_stream, claims),
                                      .step = edo__file_step,
                                      .reads_vectors = true,
                                      .hang_up = hang_up,
                                      .release = release };

edo_io *edo__file_io_create(edo_fd fd)
{
    edo__file_stream *stream = edo__alloc_zeroed(sizeof *stream);
    if (!stream) return NULL;
    int flags = edo__file_status(fd);
    stream->io.ops = &file_ops;
    stream->fd = fd;
    stream->flags = flags < 0 ? 0 : (uint32_t)flags;
    return &stream->io;
}
