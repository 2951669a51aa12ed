/* The error queue of a UDP socket.
 *
 * A wait for the queue is a poll request without events, because the system reports errors even if
 * they are not requested. The request ends when the queue has a message, or when the socket has an
 * error without a message. The operation then reads this error from the socket, which clears it,
 * and returns it as the result. If the error stayed at the socket, every later request would end at
 * once. */
#include "net/udp.h"
#include "sys/datagrams.h"

/* Overlay of an edo__poll_op. */
typedef struct EDO__OVERLAY error_op {
    edo_future base;
    edo_udp *socket;
    edo_message *message;
    uint64_t events; // 0: no events
    uint64_t progress;
    edo__op_wait wait;
} error_op;

EDO__OVERLAY_FITS(error_op);
_Static_assert(offsetof(error_op, events) == offsetof(edo__poll_op, events), "an edo__poll_op");

static error_op *error_of(const edo_op *op)
{
    return (error_op *)(uintptr_t)op;
}

/* Claims the source of the error queue. Also claims the source of the datagrams, which keeps the
 * descriptor open. */
static int enter(edo_udp *socket, const char *call)
{
    int rc = edo__source_claim(&socket->source, EDO__SOURCE_READING);
    if (rc == -ECANCELED) edo__source_check(&socket->source, call);
    if (rc < 0) return rc;
    rc = edo__source_claim(&socket->errors, EDO__SOURCE_READING);
    if (rc < 0) edo__source_leave(&socket->source, EDO__SOURCE_READING);
    return rc;
}

static void leave(edo_udp *socket)
{
    edo__source_leave(&socket->errors, EDO__SOURCE_READING);
    edo__source_leave(&socket->source, EDO__SOURCE_READING);
}

/* Takes a message from the queue, or an error of the socket. Returns: the number of bytes in the
 * buffers; the error of the socket; -EAGAIN if there is neither. */
static int64_t take(const edo_udp *socket, edo_message *message)
{
    int64_t n = edo__message_take_error(&socket->errors, message);
    if (n != -EAGAIN) return n;
    int error = edo__socket_error(socket->source.fd);
    return error < 0 ? error : -EAGAIN;
}

static edo_poll end(edo_op *op, edo_cx *cx, int64_t result)
{
    if (op->detail & EDO__DETAIL_CLAIMED) leave(error_of(op)->socket);
    op->progress = result > 0 ? (uint64_t)result : 0;
    return edo__op_finish(op, cx, result);
}

static bool is_idle(const edo_op *op)
{
    return edo_load_relaxed(&op->word) == EDO__OP_IDLE;
}

/* The operation itself takes the message, between poll requests. The driver only polls, so an
 * io_uring never takes a message. */
static edo_poll error_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_udp *socket = error_of(op)->socket;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!(op->detail & EDO__DETAIL_CLAIMED)) {
        int rc = enter(socket, op->base.ops->name);
        if (rc < 0) return end(op, cx, rc);
        op->detail |= EDO__DETAIL_CLAIMED;
    }
    while (edo__has_budget(cx)) {
        bool tries = is_idle(op) && cx->fate == EDO_LIVE;
        int64_t n = tries ? take(socket, error_of(op)->message) : -EAGAIN;
        if (n != -EAGAIN) return end(op, cx, n);
        if (edo__source_drive(&socket->errors, op, cx) == EDO_PENDING) return EDO_PENDING;
        if (op->base.result < 0) return end(op, cx, op->base.result);
        edo__use_budget(cx);
    }
    return EDO_PENDING;
}

static const edo_future_ops error_ops = { .name = "edo_udp_recv_error", .poll = error_poll };

edo_op edo_udp_recv_error(edo_udp *socket, edo_message *message)
{
    edo__check_memory("edo_udp_recv_error", message, "message");
    if (!socket || !message || (!message->slices && message->slice_count))
        return edo__op_refuse(-EINVAL);
    edo_op op = edo__op(&error_ops, NULL, NULL, 0, EDO__POLL);
    error_of(&op)->socket = socket;
    error_of(&op)->message = message;
    return op;
}

int64_t edo_udp_try_recv_error(edo_udp *socket, edo_message *message)
{
    if (!socket || !message || (!message->slices && message->slice_count)) return -EINVAL;
    int rc = enter(socket, "edo_udp_try_recv_error");
    if (rc < 0) return rc;
    int64_t n = take(socket, message);
    leave(socket);
    return n;
}
