/* Writes without a copy.
 *
 * For each send without a copy, the socket later reports that the memory of the send is released.
 * An operation counts its sends, and ends when all of them were reported. Only one operation at a
 * time writes to a stream, so all reports of the socket belong to that operation.
 *
 * The operation uses poll requests to wait for room in the socket and for reports. Poll requests
 * work the same with all drivers. A report that waits in the socket is an event of the kind
 * "error". io_uring has a request for sends without a copy, SEND_ZC. It would need its own
 * completions in the driver, and would only save one system call per report.
 *
 *     SENDING -- all bytes are sent, an error, a cancellation, or the close --> RELEASING
 *     RELEASING -- no sends are unreleased -----------------------------------> ready
 *
 * Stores of a stream's state are guarded by the claim of the write side. */
#include <edo/zero_copy.h>

#include "io/io.h"
#include "sys/transfer.h"

enum {
    LEAST = 16 * 1024, // bytes; for fewer, pinning the memory costs more than the copy
    PAUSE = 10000000,  // ns; between tries when there is nothing to wait for

    /* States of a stream, stored in the write side's member `way`, which sockets do not use
     * otherwise. A report may say that the kernel has copied the bytes after all. Each such report
     * raises the state by 1. Any other report sets the state to ON. At OFF, all further sends copy
     * the bytes. */
    NEW = 0,
    ON = 1,
    OFF = ON + 8,
};

/* Overlay of an edo__poll_op. `events` has the requested events in its lower half. */
typedef struct EDO__OVERLAY zero_copy_op {
    edo_future base;
    edo_io *io;
    const char *data;
    uint64_t events; // upper half: number of bytes to write; if FAILED is set, the errno
    uint64_t progress;
    edo__op_wait wait; // upper bits of wait.state.detail: number of unreleased sends
} zero_copy_op;

EDO__OVERLAY_FITS(zero_copy_op);
_Static_assert(offsetof(zero_copy_op, events) == offsetof(edo__poll_op, events), "an edo__poll_op");

enum {
    HALF = 32,                       // bits of events
    FAILED = EDO__DETAIL_OWN,        // bit of detail
    ONE_SEND = EDO__DETAIL_OWN_UNIT, // unit of the number in detail
    MOST_SENDS = 0x7fff,
};

static zero_copy_op *zero_copy_of(const edo_op *op)
{
    return (zero_copy_op *)(uintptr_t)op;
}

static uint64_t upper_half(const edo_op *op)
{
    return zero_copy_of(op)->events >> HALF;
}

static uint32_t unreleased(const edo_op *op)
{
    return op->detail / ONE_SEND;
}

static void await_events(edo_op *op, uint64_t events)
{
    zero_copy_of(op)->events = upper_half(op) << HALF | events;
}

static void fail(edo_op *op, int64_t error)
{
    op->detail |= FAILED;
    zero_copy_of(op)->events = (uint64_t)-error << HALF;
}

/* ---- sending ---- */

static uint64_t rest_of(const edo_op *op)
{
    return op->detail & FAILED ? 0 : upper_half(op) - op->progress;
}

static bool is_on(edo__source *source)
{
    uint8_t *state = &source->sides[EDO__WRITE_SIDE].way;
    if (*state == NEW) *state = edo__sys_zero_copy_permit(source->fd) < 0 ? OFF : ON;
    return *state < OFF;
}

/* Sends once. Returns: number of bytes, or a negative errno. */
static int64_t send_once(edo__source *source, edo_op *op)
{
    const char *data = zero_copy_of(op)->data + op->progress;
    uint64_t size = rest_of(op) < EDO__MAX_TRANSFER ? rest_of(op) : EDO__MAX_TRANSFER;
    if (size >= LEAST && unreleased(op) < MOST_SENDS && is_on(source)) {
        int64_t n = edo__sys_zero_copy_send(source->fd, data, size);
        if (n > 0) op->detail += ONE_SEND;
        if (n != -ENOBUFS) return n;
    }
    edo_op copying = edo__op(op->base.ops, op->object, (void *)(uintptr_t)data, size,
                             EDO__WRITE | EDO__DETAIL_WRITE_SIDE);
    return edo__try(source, &copying);
}

/* Sends as long as the socket has room. Returns: whether anything has changed. */
static bool send_rest(edo__source *source, edo_op *op, edo_cx *cx)
{
    bool moved = false;
    while (rest_of(op) && edo__has_budget(cx)) {
        int64_t n = send_once(source, op);
        if (n == -EAGAIN) break;
        moved = true;
        if (n < 0) fail(op, n);
        if (n < 0) break;
        op->progress += (uint64_t)n;
        edo__use_work(cx, n);
        edo__use_budget(cx);
    }
    await_events(op, rest_of(op) ? EDO_WRITABLE : 0);
    return moved;
}

/* ---- reports ---- */

static void note_report(edo__source *source, edo_op *op, int64_t count, bool copied)
{
    uint8_t *state = &source->sides[EDO__WRITE_SIDE].way;
    uint32_t known = unreleased(op) < count ? unreleased(op) : (uint32_t)count;
    op->detail -= known * ONE_SEND;
    if (!count || *state == OFF) return;
    *state = copied ? (uint8_t)(*state + 1) : (uint8_t)ON;
}

/* Takes all waiting reports. Returns: whether a report was taken. */
static bool take_reports(edo__source *source, edo_op *op)
{
    bool any = false, copied;
    while (unreleased(op)) {
        int64_t count = edo__sys_zero_copy_report(source->fd, &copied);
        if (count < 0) break;
        any = true;
        note_report(source, op, count, copied);
    }
    return any;
}

/* ---- the operation ---- */

static int64_t result_of(const edo_op *op)
{
    if (op->detail & FAILED) return -(int64_t)upper_half(op);
    return rest_of(op) ? -ECANCELED : (int64_t)op->progress;
}

/* Waits for an event. While sends are unreleased, the operation waits even if it has to end. It
 * pauses instead of waiting if no event can wake it:
 * - A closed stream parks no operation.
 * - After a hang-up, every poll request ends at once. */
static edo_poll wait_on(edo__source *source, edo_op *op, edo_cx *cx, bool moved)
{
    bool is_idle = edo_load_relaxed(&op->word) == EDO__OP_IDLE;
    bool was_hung_up = is_idle && !moved && (op->base.result & ~(int64_t)EDO_WRITABLE);
    if (!was_hung_up) {
        edo_poll poll = unreleased(op) ? edo__source_drive_on(source, op, cx)
                                       : edo__source_drive(source, op, cx);
        if (poll == EDO_PENDING || op->base.result > 0) return poll;
        if (!unreleased(op)) fail(op, op->base.result);
        if (!unreleased(op)) return EDO_READY;
    }
    op->base.result = 0;
    edo_cx_deadline(cx, cx->now + PAUSE);
    return EDO_PENDING;
}

/* Continues an operation. Returns: EDO_PENDING; or EDO_READY: the operation is over, and the kernel
 * has released the memory of all its sends. */
static edo_poll go_on(edo__source *source, edo_op *op, edo_cx *cx)
{
    for (;;) {
        bool moved = false;
        if (edo_load_relaxed(&op->word) == EDO__OP_IDLE) {
            bool is_ending = edo__io_is_ending(op->object, cx);
            moved = take_reports(source, op);
            if (!is_ending && send_rest(source, op, cx)) moved = true;
            if (!unreleased(op) && (is_ending || !rest_of(op))) return EDO_READY;
            if (!edo__has_budget(cx)) return EDO_PENDING;
            if (is_ending) await_events(op, 0);
        }
        if (wait_on(source, op, cx, moved) == EDO_PENDING) return EDO_PENDING;
        edo__use_budget(cx);
        if (!edo__has_budget(cx)) return EDO_PENDING;
    }
}

static edo_poll zero_copy_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_io *io = op->object;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!(op->detail & EDO__DETAIL_CLAIMED)) {
        int rc = edo__io_claim(io, EDO__SOURCE_WRITING, op->base.ops->name);
        if (rc < 0) return edo__op_finish(op, cx, rc);
        op->detail |= EDO__DETAIL_CLAIMED;
    }
    if (go_on(edo__io_source(io), op, cx) == EDO_PENDING) return EDO_PENDING;
    edo__io_leave(io, EDO__SOURCE_WRITING);
    return edo__op_finish(op, cx, result_of(op));
}

/* Makes an ordinary write if the bytes are few, or if the stream is no TCP connection. */
edo_op edo_write_zero_copy(edo_io *io, const void *data, size_t size)
{
    static const edo_future_ops ops = { .name = "edo_write_zero_copy", .poll = zero_copy_poll };
    edo__check_memory("edo_write_zero_copy", data, "buffer");
    if (!io || size > UINT32_MAX) return edo__op_refuse(-EINVAL);
    edo__source *source = edo__io_source(io);
    if (size < LEAST || !source || !(source->traits & EDO__SOURCE_TCP))
        return edo_write_all(io, data, size);
    return edo__op(&ops, io, (void *)(uintptr_t)data, (uint64_t)size << HALF,
                   EDO__POLL | EDO__DETAIL_WRITE_SIDE);
}

int edo_io_is_zero_copy(const edo_io *io)
{
    if (!io) return -EINVAL;
    const edo__source *source = edo__io_source(io);
    if (!source || !(source->traits & EDO__SOURCE_TCP)) return 0;
    uint8_t state = source->sides[EDO__WRITE_SIDE].way;
    return state >= ON && state < OFF;
}
