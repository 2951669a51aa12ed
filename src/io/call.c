/* Drives a call on a file from its first try to its end. See file.h. */
#include "io/file.h"
#include "runtime/schedule/worker.h"

static bool is_elsewhere(int64_t result)
{
    return result == -EAGAIN || result == -EOPNOTSUPP;
}

static edo_poll end_with(edo_op *op, int64_t result)
{
    op->base.result = result;
    return EDO_READY;
}

static edo_poll to_pool(edo_op *op, edo_cx *cx, edo__files_fn *run)
{
    op->detail |= EDO__CALL_IN_POOL; // set before the pool changes its byte of the word
    int rc = edo__files_run(op, run, cx);
    if (rc == 0) return EDO_PENDING;
    op->detail &= ~(uint32_t)EDO__CALL_IN_POOL;
    return end_with(op, rc);
}

void edo__file_stream_block(edo__file_stream *stream)
{
    if (!edo_load_relaxed(&stream->may_be_nonblocking)) return;
    edo__file_clear_nonblocking(stream->fd);
    edo_store_relaxed(&stream->may_be_nonblocking, false);
}

static bool is_transfer(const edo__file_call *call)
{
    switch (call->verb) {
    case EDO__FILE_READ:
    case EDO__FILE_WRITE:
    case EDO__FILE_READV:
    case EDO__FILE_WRITEV: return true;
    default: return false;
    }
}

/* Whether the ring may make a call at an offset. It may if O_NONBLOCK is clear, or if the file has
 * a position. All other files are left to the pool, which answers -ESPIPE. */
static bool has_offsets(const edo__file_stream *stream)
{
    edo__file_call seek = { .verb = EDO__FILE_SEEK, .fd = stream->fd, .flags = EDO_SEEK_CURRENT };
    return !edo_load_relaxed(&stream->may_be_nonblocking) || edo__file_make(&seek) != -ESPIPE;
}

static bool may_use_ring(edo__file_stream *stream, const edo__file_call *call)
{
    if (!stream) return true;
    return call->offset == EDO__AT_POSITION ? edo__file_stream_keep(stream) : has_offsets(stream);
}

/* Passes a read or write to the ring, and leaves other calls to the pool. Clears O_NONBLOCK first.
 * For a file with this flag, the ring would answer EAGAIN where it has to wait for the disk. A file
 * without a position, such as a pipe, is left to the pool, because the kernel could make the call
 * in the thread that submits it, and block that thread. */
static edo_poll to_ring(edo_op *op, edo_cx *cx, edo__file_stream *stream,
                        const edo__file_call *call)
{
    edo_driver *driver = cx->worker->driver;
    if (!call || !is_transfer(call) || !driver->ops->call) return end_with(op, -EAGAIN);
    if (!may_use_ring(stream, call)) return end_with(op, -EAGAIN);
    if (stream) edo__file_stream_block(stream);
    return driver->ops->call(driver, op, call, cx->waker);
}

static edo_poll begin(edo_op *op, edo_cx *cx, edo__file_stream *stream, const edo__file_call *call,
                      edo__files_fn *run)
{
    if (cx->fate != EDO_LIVE) return end_with(op, -ECANCELED);
    if (call) {
        op->base.result = edo__file_try(call);
        if (!is_elsewhere(op->base.result)) return EDO_READY;
    }
    if (to_ring(op, cx, stream, call) == EDO_PENDING) {
        op->detail |= EDO__CALL_IN_RING;
        return EDO_PENDING;
    }
    return op->base.result == -EAGAIN ? to_pool(op, cx, run) : EDO_READY;
}

/* Polls a call in the ring. The operation's `link` holds the driver. A call that the ring could not
 * make is passed to the pool, unless the operation was cancelled. */
static edo_poll poll_ring(edo_op *op, edo_cx *cx, edo__files_fn *run)
{
    edo_driver *driver = op->link.at.driver;
    bool ending = cx->fate != EDO_LIVE;
    if (driver->ops->poll_call(driver, op, cx->waker, ending) == EDO_PENDING) return EDO_PENDING;
    op->detail &= ~(uint32_t)EDO__CALL_IN_RING;
    if (!is_elsewhere(op->base.result)) return EDO_READY;
    return ending ? end_with(op, -ECANCELED) : to_pool(op, cx, run);
}

edo_poll edo__call_drive(edo_op *op, edo_cx *cx, edo__file_stream *stream,
                         const edo__file_call *call, edo__files_fn *run)
{
    if (edo__call_has(op, EDO__CALL_IN_RING)) return poll_ring(op, cx, run);
    if (!edo__call_has(op, EDO__CALL_IN_POOL)) return begin(op, cx, stream, call, run);
    if (edo__files_poll(op, cx, false) == EDO_PENDING) return EDO_PENDING;
    op->detail &= ~(uint32_t)EDO__CALL_IN_POOL;
    return EDO_READY;
}
