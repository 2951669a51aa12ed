/* Messages of Unix sockets: datagrams, records, and bytes with ancillary data.
 *
 * On a stream, a call may send only a part of a message, but sends all of its descriptors. The
 * operation then turns into an edo_writev_all() of the rest, so the descriptors are not sent
 * twice. */
#include "io/pause.h"
#include "net/unix.h"

typedef struct EDO__OVERLAY message_op {
    edo_future base;
    edo_io *io;
    edo_message *message;
    uint64_t count; // always 1
    uint64_t progress;
    union {
        edo__op_wait wait;
        struct {
            int64_t paused_until; // ns of the runtime's clock; valid while not parked
            uint64_t pause;       // ms
        };
    };
} message_op;

EDO__OVERLAY_FITS(message_op);
_Static_assert(offsetof(message_op, message) == offsetof(edo__message_op, messages) &&
                   offsetof(message_op, count) == offsetof(edo__message_op, count),
               "an edo__message_op");

enum { PAUSES = EDO__DETAIL_OWN }; // a send to an address: it tries and pauses, and never parks

static message_op *message_of(const edo_op *op)
{
    return (message_op *)(uintptr_t)op;
}

static uint32_t side_of(const edo_op *op)
{
    return edo__side_of(op) == EDO__READ_SIDE ? EDO__SOURCE_READING : EDO__SOURCE_WRITING;
}

static uint64_t size_of(const edo_message *message)
{
    uint64_t size = 0;
    for (size_t i = 0; i < message->slice_count; i++)
        size += message->slices[i].size;
    return size;
}

static bool is_stream(const edo_op *op)
{
    return !(edo__io_source(message_of(op)->io)->traits & EDO__SOURCE_DATAGRAM);
}

static edo_poll end(edo_op *op, edo_cx *cx, int64_t result)
{
    if (op->detail & EDO__DETAIL_CLAIMED) edo__io_leave(message_of(op)->io, side_of(op));
    return edo__op_finish(op, cx, result);
}

/* Claims the side of the stream. Returns: 0, or the error with which the operation ends. */
static int enter(edo_op *op, const edo_cx *cx)
{
    const message_op *self = message_of(op);
    if (cx->fate != EDO_LIVE) return -ECANCELED;
    int rc = edo__io_claim(self->io, side_of(op), op->base.ops->name);
    if (rc < 0) return rc;
    op->detail |= EDO__DETAIL_CLAIMED;
    bool has_bytes = size_of(self->message) > 0, receives = side_of(op) == EDO__SOURCE_READING;
    bool needs_bytes = receives || (self->message->control && self->message->control->size);
    return is_stream(op) && !has_bytes && needs_bytes ? -EINVAL : 0;
}

/* ---- receiving ---- */

static edo_poll end_receive(edo_op *op, edo_cx *cx)
{
    int64_t result = op->base.result;
    const edo_message *message = message_of(op)->message;
    bool is_end = (message->flags & EDO_MESSAGE_AT_END) || (is_stream(op) && message->size == 0);
    return end(op, cx, result > 0 && is_end ? 0 : result);
}

static edo_poll recv_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    if (!edo__has_budget(cx)) return EDO_PENDING;
    int rc = op->detail & EDO__DETAIL_CLAIMED ? 0 : enter(op, cx);
    if (rc < 0) return end(op, cx, rc);
    if (edo__source_drive(edo__io_source(message_of(op)->io), op, cx) == EDO_PENDING)
        return EDO_PENDING;
    return end_receive(op, cx);
}

/* ---- sending ---- */

static edo_poll end_send(edo_op *op, edo_cx *cx)
{
    edo_message *message = message_of(op)->message;
    uint64_t all = size_of(message), count = message->slice_count;
    if (op->base.result < 0) return end(op, cx, op->base.result);
    op->progress = message->size;
    if (message->size >= all) return end(op, cx, (int64_t)message->size);
    if (message->control) message->control->size = 0; // already sent with the first byte
    edo_slice *rest = edo__slices_advance(message->slices, &count, message->size);
    return edo__io_write_rest(op, cx, rest, count, message->size);
}

/* Tries to send to an address. If the queue of the receiver is full, pauses instead of waiting by
 * the driver: a datagram socket without a peer is always writable, and the system reports no event
 * when the queue has room. */
static edo_poll try_address(edo_op *op, edo_cx *cx)
{
    message_op *self = message_of(op);
    if (edo__io_is_ending(self->io, cx)) return end(op, cx, -ECANCELED);
    if (edo__is_paused(cx, self->paused_until)) return EDO_PENDING;
    op->base.result = edo__try(edo__io_source(self->io), op);
    if (op->base.result != -EAGAIN) return end_send(op, cx);
    self->pause = edo__pause(cx, (uint32_t)self->pause, &self->paused_until);
    return EDO_PENDING;
}

static edo_poll send_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    if (!edo__has_budget(cx)) return EDO_PENDING;
    int rc = op->detail & EDO__DETAIL_CLAIMED ? 0 : enter(op, cx);
    if (rc < 0) return end(op, cx, rc);
    if (op->detail & PAUSES) return try_address(op, cx);
    if (edo__source_drive(edo__io_source(message_of(op)->io), op, cx) == EDO_PENDING)
        return EDO_PENDING;
    return end_send(op, cx);
}

/* ---- operations ---- */

static const edo_future_ops recv_ops = { .name = "edo_unix_recv_message", .poll = recv_poll };
static const edo_future_ops send_ops = { .name = "edo_unix_send_message", .poll = send_poll };

static edo_op make(const edo_future_ops *ops, edo_io *io, edo_message *message, uint32_t detail)
{
    edo__check_memory(ops->name, message, "message");
    if (!io || !message || (message->slice_count && !message->slices))
        return edo__op_refuse(-EINVAL);
    const edo__source *source = edo__io_source(io);
    if (!source || !(source->traits & EDO__SOURCE_SOCKET)) return edo__op_refuse(-ENOTSUP);
    edo_op op = edo__op(ops, io, message, 1, detail);
    message_of(&op)->paused_until = 0;
    message_of(&op)->pause = 0;
    return op;
}

edo_op edo_unix_recv_message(edo_io *io, edo_message *message)
{
    return make(&recv_ops, io, message, EDO__RECV_MESSAGES);
}

edo_op edo_unix_send_message(edo_io *io, edo_message *message)
{
    bool has_address = message && edo_address_family_of(&message->address) != EDO_ADDRESS_NONE;
    return make(&send_ops, io, message,
                EDO__SEND_MESSAGES | EDO__DETAIL_WRITE_SIDE | (has_address ? PAUSES : 0u));
}

/* ---- ancillary data ---- */

int edo_control_add_fds(edo_control *control, const edo_fd *fds, size_t count)
{
    return control && fds ? edo__control_add_fds(control, fds, count) : -EINVAL;
}

size_t edo_control_take_fds(edo_control *control, edo_fd *ret_fds, size_t room)
{
    if (!control || (room && !ret_fds)) return 0;
    return edo__control_take_fds(control, ret_fds, room);
}

int edo_control_add_credentials(edo_control *control, const edo_unix_peer *from)
{
    return control && from ? edo__control_add_credentials(control, from) : -EINVAL;
}

int edo_control_credentials(const edo_control *control, edo_unix_peer *ret_from)
{
    return control && ret_from ? edo__control_credentials(control, ret_from) : -EINVAL;
}

int edo_unix_set_credentials(edo_io *io, bool on)
{
    edo_fd fd = edo__unix_socket_of(io, "edo_unix_set_credentials");
    if (fd < 0) return fd;
    edo_store_relaxed(&edo__io_source(io)->is_shared, true);
    return edo__local_set_credentials(fd, on); // see edo__has_met_end
}
