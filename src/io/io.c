/* Operations on streams of any kind. */
#include "io/io.h"

enum { REQUEST = 0xff }; // the bits of edo_op.detail that hold the request

edo__source *edo__io_source(const edo_io *io)
{
    return io->ops->source ? io->ops->source((edo_io *)(uintptr_t)io) : NULL;
}

/* ---- claims ---- */

static _Noreturn void misuse_closed(const char *call)
{
    edo__misuse(call, "the stream was closed before: a close is the last use of it");
}

static uint32_t side_of(const edo_op *op)
{
    return edo__side_of(op) == EDO__READ_SIDE ? EDO__SOURCE_READING : EDO__SOURCE_WRITING;
}

int edo__io_claim(edo_io *io, uint32_t sides, const char *call)
{
    edo_atomic(uint32_t) *claims = edo__io_claims(io);
    int rc = edo__claims_take(claims, sides);
    if (rc == -ECANCELED && edo__claims_are_over(claims)) misuse_closed(call);
    return rc;
}

void edo__io_leave(edo_io *io, uint32_t sides)
{
    if (edo__claims_leave(edo__io_claims(io), sides)) io->ops->release(io);
}

/* Claims the sides of an operation before its first step. Returns: 0, or the error with which the
 * operation ends. */
static int enter(edo_io *io, edo_op *op, const edo_cx *cx, uint32_t sides)
{
    if (cx->fate != EDO_LIVE) return -ECANCELED;
    int rc = edo__io_claim(io, sides, op->base.ops->name);
    if (rc == 0) op->detail |= EDO__DETAIL_CLAIMED;
    return rc;
}

/* ---- transfers ---- */

static edo_poll end_transfer(edo_io *io, edo_op *op, edo_cx *cx, int64_t result)
{
    if (op->detail & EDO__DETAIL_CLAIMED) {
        op->detail &= ~(uint32_t)EDO__DETAIL_CLAIMED;
        edo__io_leave(io, side_of(op));
    }
    return edo__op_finish(op, cx, result);
}

edo_slice *edo__slices_advance(edo_slice *slices, uint64_t *count, uint64_t n)
{
    for (; *count; slices++, --*count) {
        size_t moved = n < slices->size ? (size_t)n : slices->size;
        if (!slices->size) continue;
        slices->data = (char *)slices->data + moved;
        slices->size -= moved;
        n -= moved;
        if (slices->size) break;
    }
    return slices;
}

/* Removes the first n bytes of a vector, and the empty slices after them. Returns: whether the
 * vector is empty. */
static bool shorten(edo__transfer_op *transfer, uint64_t n)
{
    uint64_t count = transfer->length;
    edo_slice *slices = (edo_slice *)(uintptr_t)transfer->slices;
    transfer->slices = edo__slices_advance(slices, &count, n);
    transfer->length = count;
    return count == 0;
}

static bool is_whole(edo__transfer_op *transfer, const edo_op *op, int64_t n)
{
    if (edo__request_of(op) >= EDO__READV) return shorten(transfer, (uint64_t)n);
    return transfer->progress == transfer->length;
}

/* Adds the result of a step to the operation's progress. Returns: whether the operation is done.
 * *ret_result: the result of the operation, if it is done. */
static bool advance(edo_op *op, int64_t n, int64_t *ret_result)
{
    edo__transfer_op *transfer = edo__transfer_of(op);
    if (n > 0) transfer->progress += (uint64_t)n;
    *ret_result = n;
    if (!(op->detail & EDO__DETAIL_WHOLE) || n < 0) return true;
    if (n == 0 && edo__side_of(op) == EDO__READ_SIDE)
        *ret_result = -EDO_EOF;
    else if (is_whole(transfer, op, n))
        *ret_result = (int64_t)transfer->progress;
    else
        return false;
    return true;
}

/* Bytes per unit of the budget. A copy of 16 KiB takes some microseconds, about as long as an
 * operation of another kind. If a poll has used up its budget by bytes, it also ends the turn's
 * round of tasks. Otherwise timers and sockets would have to wait for many polls of this kind. */
enum { BYTES_PER_UNIT = 16 * 1024 };

void edo__use_work(edo_cx *cx, int64_t n)
{
    if (n < BYTES_PER_UNIT) return;
    for (; n >= BYTES_PER_UNIT && cx->budget > 0; n -= BYTES_PER_UNIT)
        edo__use_budget(cx);
    if (cx->budget <= 0) edo__spend_slice(cx);
}

typedef edo_poll step_fn(edo_io *io, edo_op *op, edo_cx *cx);

static inline __attribute__((always_inline)) edo_poll transfer_by(step_fn *step, edo_future *future,
                                                                  edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_io *io = edo__transfer_of(op)->io;
    int64_t result;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    uint32_t detail = edo_load_figure(&op->detail); // the pool may change its byte meanwhile
    if (!(detail & EDO__DETAIL_CLAIMED)) {
        int rc = enter(io, op, cx, side_of(op));
        if (rc < 0 || edo__transfer_of(op)->length == 0) return end_transfer(io, op, cx, rc);
    }
    while ((step ? step : io->ops->step)(io, op, cx) == EDO_READY) {
        edo__use_work(cx, op->base.result);
        if (advance(op, op->base.result, &result)) return end_transfer(io, op, cx, result);
        edo__use_budget(cx);
        if (!edo__has_budget(cx)) break;
    }
    return EDO_PENDING;
}

static edo_poll transfer_poll(edo_future *future, edo_cx *cx)
{
    return transfer_by(NULL, future, cx);
}

/* ---- reads into several buffers ---- */

/* Makes one step of a readv as a read into the first buffer. So streams without a descriptor need
 * no code for vectors. The members of the operation are changed for the duration of the step.
 * Nobody else sees the change, because only polls read the members of a waiting operation. */
static edo_poll read_first(edo_io *io, edo_op *op, edo_cx *cx)
{
    edo__transfer_op *transfer = edo__transfer_of(op);
    const edo_slice *slices = transfer->slices;
    uint64_t count = transfer->length, progress = transfer->progress;
    transfer->data = slices->data;
    transfer->length = slices->size;
    transfer->progress = 0;
    op->detail = (op->detail & ~(uint32_t)REQUEST) | EDO__READ;
    edo_poll poll = io->ops->step(io, op, cx);
    op->detail = (op->detail & ~(uint32_t)REQUEST) | EDO__READV;
    transfer->slices = slices;
    transfer->length = count;
    transfer->progress = progress;
    return poll;
}

static edo_poll readv_step(edo_io *io, edo_op *op, edo_cx *cx)
{
    bool whole = io->ops->reads_vectors || edo__io_source(io);
    return whole ? io->ops->step(io, op, cx) : read_first(io, op, cx);
}

static edo_poll readv_poll(edo_future *future, edo_cx *cx)
{
    return transfer_by(readv_step, future, cx);
}

/* ---- the operations ---- */

static const edo_future_ops read_ops = { .name = "edo_read", .poll = transfer_poll };
static const edo_future_ops read_exact_ops = { .name = "edo_read_exact", .poll = transfer_poll };
static const edo_future_ops write_ops = { .name = "edo_write", .poll = transfer_poll };
static const edo_future_ops write_all_ops = { .name = "edo_write_all", .poll = transfer_poll };
static const edo_future_ops readv_ops = { .name = "edo_readv", .poll = readv_poll };
static const edo_future_ops readv_exact_ops = { .name = "edo_readv_exact", .poll = readv_poll };
static const edo_future_ops writev_ops = { .name = "edo_writev", .poll = transfer_poll };
static const edo_future_ops writev_all_ops = { .name = "edo_writev_all", .poll = transfer_poll };

edo_poll edo__io_write_rest(edo_op *op, edo_cx *cx, edo_slice *slices, size_t count,
                            uint64_t progress)
{
    edo__transfer_op *transfer = edo__transfer_of(op);
    transfer->slices = slices;
    transfer->length = count;
    transfer->progress = progress;
    op->detail = EDO__WRITEV | EDO__DETAIL_WRITE_SIDE | EDO__DETAIL_WHOLE | EDO__DETAIL_CLAIMED;
    op->base.ops = &writev_all_ops;
    return transfer_poll(&op->base, cx);
}

/* The members object, data and length of an edo_op become io, data and length of an
 * edo__transfer_op. */
static edo_op transfer(const edo_future_ops *ops, edo_io *io, const void *buffer, size_t size,
                       uint32_t detail)
{
    if (edo__unlikely(!io)) return edo__op_refuse(-EINVAL);
    return edo__op(ops, io, (void *)(uintptr_t)buffer, size, detail);
}

edo_op edo_read(edo_io *io, void *buffer, size_t size)
{
    edo__check_memory("edo_read", buffer, "buffer");
    return transfer(&read_ops, io, buffer, size, EDO__READ);
}

edo_op edo_read_exact(edo_io *io, void *buffer, size_t size)
{
    edo__check_memory("edo_read_exact", buffer, "buffer");
    return transfer(&read_exact_ops, io, buffer, size, EDO__READ | EDO__DETAIL_WHOLE);
}

edo_op edo_write(edo_io *io, const void *data, size_t size)
{
    edo__check_memory("edo_write", data, "buffer");
    return transfer(&write_ops, io, data, size, EDO__WRITE | EDO__DETAIL_WRITE_SIDE);
}

edo_op edo_write_all(edo_io *io, const void *data, size_t size)
{
    edo__check_memory("edo_write_all", data, "buffer");
    return transfer(&write_all_ops, io, data, size,
                    EDO__WRITE | EDO__DETAIL_WRITE_SIDE | EDO__DETAIL_WHOLE);
}

static edo_op vector_by(const edo_future_ops *ops, edo_io *io, const edo_slice *slices, int count,
                        uint32_t detail)
{
    edo__check_memory(ops->name, slices, "vector");
    if (!edo__is_vector(slices, count)) return edo__op_refuse(-EINVAL);
    for (int i = 0; i < count; i++)
        edo__check_memory(ops->name, slices[i].data, "buffer");
    return transfer(ops, io, slices, (size_t)count, detail);
}

/* Skips empty slices at the front of a readv. Otherwise a step could read 0 bytes into an empty
 * slice, which would look like the end of the input. */
static edo_op readv_by(const edo_future_ops *ops, edo_io *io, const edo_slice *slices, int count,
                       uint32_t detail)
{
    edo_op op = vector_by(ops, io, slices, count, EDO__READV | detail);
    edo__transfer_op *transfer = edo__transfer_of(&op);
    if (op.base.ops != ops) return op; // refused
    for (; transfer->length && !transfer->slices->size; transfer->length--)
        transfer->slices++;
    return op;
}

edo_op edo_readv(edo_io *io, const edo_slice *slices, int count)
{
    return readv_by(&readv_ops, io, slices, count, 0);
}

edo_op edo_readv_exact(edo_io *io, edo_slice *slices, int count)
{
    return readv_by(&readv_exact_ops, io, slices, count, EDO__DETAIL_WHOLE);
}

edo_op edo_writev(edo_io *io, const edo_slice *slices, int count)
{
    return vector_by(&writev_ops, io, slices, count, EDO__WRITEV | EDO__DETAIL_WRITE_SIDE);
}

edo_op edo_writev_all(edo_io *io, edo_slice *slices, int count)
{
    return vector_by(&writev_all_ops, io, slices, count,
                     EDO__WRITEV | EDO__DETAIL_WRITE_SIDE | EDO__DETAIL_WHOLE);
}

/* ---- the end of writing ---- */

int edo__io_shutdown_write(edo_io *io, const char *call)
{
    if (!io->ops->shutdown_write) return -ENOTSUP;
    int rc = edo__io_claim(io, EDO__SOURCE_WRITING, call);
    if (rc < 0) return rc;
    rc = io->ops->shutdown_write(io);
    edo__io_leave(io, EDO__SOURCE_WRITING);
    return rc;
}

static edo_poll shutdown_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    if (!edo__has_budget(cx)) return EDO_PENDING;
    bool is_live = cx->fate == EDO_LIVE;
    return edo__op_finish(
        op, cx, is_live ? edo__io_shutdown_write(op->object, op->base.ops->name) : -ECANCELED);
}

static const edo_future_ops shutdown_ops = { .name = "edo_shutdown_write", .poll = shutdown_poll };

edo_op edo_shutdown_write(edo_io *io)
{
    return transfer(&shutdown_ops, io, NULL, 0, 0);
}

/* ---- edo_finish ---- */

static edo_poll end_finish(edo_io *io, edo_op *op, edo_cx *cx, int64_t result)
{
    edo__io_begin_close(io, op->base.ops->name);
    edo__io_end_close(io);
    if (op->detail & EDO__DETAIL_CLAIMED) edo__io_leave(io, EDO__BOTH_SIDES);
    return edo__op_finish(op, cx, result);
}

/* Claims both sides and ends the peer's input. Returns: 1 when input has to be dropped; 0 when
 * there is nothing to wait for; or a negative errno. */
static int begin_finish(edo_io *io, edo_op *op, const edo_cx *cx)
{
    if (cx->fate == EDO_LIVE && edo__claims_are_over(edo__io_claims(io)))
        misuse_closed(op->base.ops->name);
    int rc = enter(io, op, cx, EDO__BOTH_SIDES);
    if (rc < 0 || !io->ops->shutdown_write) return rc;
    rc = io->ops->shutdown_write(io);
    if (rc == -ENOTSUP) return 0;
    return rc < 0 && rc != -ENOTCONN ? rc : 1;
}

/* The budget limits the loop, so a peer that never stops sending delays neither other tasks nor a
 * cancellation. */
static edo_poll finish_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_io *io = op->object;
    if (!edo__owner_has_budget(future, cx)) return EDO_PENDING;
    if (!(op->detail & EDO__DETAIL_CLAIMED)) {
        int rc = begin_finish(io, op, cx);
        if (rc <= 0) return end_finish(io, op, cx, rc);
    }
    while (edo__has_budget(cx)) {
        if (io->ops->drop(io, op, cx) == EDO_PENDING) return EDO_PENDING;
        if (op->base.result <= 0) return end_finish(io, op, cx, op->base.result);
        edo__use_budget(cx);
    }
    return EDO_PENDING;
}

/* The kind is EDO_KIND_OWNER, so that edo_finish() is polled even in a cancelled function. It must
 * be polled to close the stream. */
static const edo_future_ops finish_ops = { .name = "edo_finish",
                                           .poll = finish_poll,
                                           .kind = EDO_KIND_OWNER };

/* The operation is an edo__poll_op, because edo_finish() on a descriptor waits for input by poll
 * requests. */
edo_op edo_finish(edo_io *io)
{
    return transfer(&finish_ops, io, NULL, EDO_READABLE, EDO__POLL);
}

/* ---- edo_close ---- */

void edo__io_begin_close(edo_io *io, const char *call)
{
    if (edo__claims_close(edo__io_claims(io)) & EDO__SOURCE_CLOSED) misuse_closed(call);
    io->ops->hang_up(io);
}

void edo__io_end_close(edo_io *io)
{
    if (edo__claims_end_close(edo__io_claims(io))) io->ops->release(io);
}

void edo_close(edo_io *io)
{
    if (!io) return;
    edo__io_begin_close(io, "edo_close");
    edo__io_end_close(io);
}
