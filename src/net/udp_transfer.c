/* Operations on the datagrams of a UDP socket.
 *
 * One loop serves all operations: claim, drive, settle. `settle` decides, after each result of the
 * driver, whether the operation is done:
 *
 *     error of an earlier datagram            a receive is tried again each time, a send only once
 *     the system cannot cut a buffer          sends the datagrams one by one
 *         into datagrams
 *     edo_udp_send_many(): messages remain    continues after the messages that were tried,
 *                                             unless the error ends the operation (is_end)
 *     edo_udp_send_segments(): bytes remain   continues with the rest
 *     all others                              done
 */
#include "net/udp.h"

enum { MAX_SLICES = 1024, MAX_SEGMENT = 65507 };

/* ---- results ---- */

bool edo__udp_is_answer(int64_t error)
{
    switch (-error) {
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
    case ENONET:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case EPROTO:
    case EACCES: return true;
    default: return false;
    }
}

static bool is_receive(const edo_op *op)
{
    return edo__side_of(op) == EDO__READ_SIDE;
}

/* Whether the operation is tried again, because its error belongs to an earlier datagram. A receive
 * also gets -EMSGSIZE if an earlier packet was too long for a link of the network. A send is tried
 * again only once, because the send itself may have caused the error. The bit OWN marks the second
 * try. */
static bool is_tried_again(const edo_udp *socket, edo_op *op)
{
    if (is_receive(op) && op->base.result == -EMSGSIZE) return true;
    if (!edo__udp_is_answer(op->base.result) || edo_load_relaxed(&socket->is_connected))
        return false;
    if (is_receive(op)) return true;
    op->detail ^= EDO__DETAIL_OWN;
    return op->detail & EDO__DETAIL_OWN;
}

/* Ends an operation on one datagram. Sets `progress` here, because `progress` and the address share
 * memory until the end. */
static void end_datagram(edo_op *op)
{
    int64_t size = op->base.result;
    edo__datagram_of(op)->address = NULL;
    op->progress = size > 0 ? (uint64_t)size : 0;
    if (size > 0 && (uint64_t)size > op->length) op->base.result = -EMSGSIZE;
}

/* Ends an operation on messages. The result is a number of bytes for edo_udp_recv_message() and
 * edo_udp_send_message(). The result is a number of messages for edo_udp_recv_many(). */
static void end_messages(edo_op *op, bool many)
{
    if (op->base.result > 0 && !many)
        op->base.result = edo__message_bytes(edo__message_of(op)->messages);
    if (is_receive(op) || !many) op->progress = op->base.result > 0 ? (uint64_t)op->base.result : 0;
}

/* Returns: the number of messages that were sent; if none was sent, the error of the first
 * message. */
static int64_t sent_of(const edo__message_op *request)
{
    int64_t sent = 0;
    for (uint64_t i = 0; i < request->progress; i++)
        sent += request->messages[i].error == 0;
    return sent ? sent : request->messages[0].error;
}

/* Whether an error ends the whole operation. All other errors end only one message. -EAGAIN occurs
 * only in a try that does not wait. */
static bool is_end(int64_t error)
{
    return error == -ECANCELED || error == -EXDEV || error == -EAGAIN;
}

/* Whether the kernel, or a device without checksums, has refused to cut a buffer into datagrams.
 * The operation then sends the datagrams one by one. After the refusal of a device, later
 * operations do so from the start. */
static bool is_refused(edo_udp *socket, edo_op *op)
{
    switch (-op->base.result) {
    case EIO: edo_store_relaxed(&socket->no_segments, true); break;
    case EINVAL:
    case EMSGSIZE:
    case EOPNOTSUPP:
    case ENOPROTOOPT: break;
    default: return false;
    }
    bool was_cut = !(op->detail & EDO__DETAIL_SINGLES);
    op->detail |= EDO__DETAIL_SINGLES;
    return was_cut;
}

/* Records the messages that were sent, or the message that failed. Returns: whether the operation
 * is done. */
static bool advance_many(edo_udp *socket, edo_op *op)
{
    edo__message_op *request = edo__message_of(op);
    int64_t n = op->base.result;
    if (is_refused(socket, op)) return false;
    if (is_end(n)) {
        if (request->progress) op->base.result = sent_of(request);
        return true;
    }
    uint64_t end = request->progress + (n > 0 ? (uint64_t)n : 1);
    while (request->progress < end)
        request->messages[request->progress++].error = n < 0 ? (int)n : 0;
    op->detail &= ~(uint32_t)EDO__DETAIL_OWN;
    if (request->progress < request->count) return false;
    op->base.result = sent_of(request);
    return true;
}

/* Records the bytes that were sent. Returns: whether the operation is done, because all bytes were
 * sent or because a send has failed. */
static bool advance_segments(edo_udp *socket, edo_op *op)
{
    edo__message_op *request = edo__message_of(op);
    int64_t n = op->base.result;
    if (is_refused(socket, op)) return false;
    if (n > 0) request->progress += (uint64_t)n;
    request->messages->size = request->progress;
    if (n >= 0 && request->progress < request->messages->slices->size) return false;
    if (n >= 0) op->base.result = (int64_t)request->progress;
    return true;
}

static const edo_future_ops recv_many_ops, send_many_ops;

static __attribute__((noinline)) bool settle_messages(edo_udp *socket, edo_op *op)
{
    if (edo__request_of(op) == EDO__SEND_SEGMENTS) return advance_segments(socket, op);
    if (op->base.ops == &send_many_ops) return advance_many(socket, op);
    end_messages(op, op->base.ops == &recv_many_ops);
    return true;
}

/* Uses a result of the driver. Returns: whether the operation is done; its result is then in
 * base.result. */
static inline bool settle(edo_udp *socket, edo_op *op)
{
    if (edo__unlikely(op->base.result < 0) && is_tried_again(socket, op)) return false;
    if (edo__unlikely(edo__request_of(op) >= EDO__RECV_MESSAGES))
        return settle_messages(socket, op);
    end_datagram(op);
    return true;
}

/* ---- polls ---- */

static uint32_t side_of(const edo_op *op)
{
    return is_receive(op) ? EDO__SOURCE_READING : EDO__SOURCE_WRITING;
}

/* Checks that each message has room for ancillary data. Called if the kernel merges datagrams,
 * because then only the ancillary data shows where one datagram ends and the next begins. */
static int check_merged(const edo_op *op)
{
    if (edo__request_of(op) == EDO__RECV) return -EOPNOTSUPP;
    const edo__message_op *request = edo__message_of(op);
    for (uint64_t i = 0; i < request->count; i++)
        if (!request->messages[i].control || !request->messages[i].control->capacity)
            return -EINVAL;
    return 0;
}

static inline int enter(edo_udp *socket, edo_op *op)
{
    int rc = edo__claims_take(&socket->source.state, side_of(op));
    if (edo__unlikely(rc < 0)) {
        if (rc == -ECANCELED) edo__source_check(&socket->source, op->base.ops->name);
        return rc;
    }
    op->detail |= EDO__DETAIL_CLAIMED;
    if (!is_receive(op) || !edo_load_relaxed(&socket->merges)) return 0;
    return check_merged(op);
}

static inline void leave(edo_udp *socket, edo_op *op)
{
    if (!(op->detail & EDO__DETAIL_CLAIMED)) return;
    op->detail &= ~(uint32_t)EDO__DETAIL_CLAIMED;
    edo__source_leave(&socket->source, side_of(op));
}

static edo_poll end(edo_udp *socket, edo_op *op, edo_cx *cx)
{
    leave(socket, op);
    return edo__op_finish(op, cx, op->base.result);
}

static edo_poll refuse(edo_udp *socket, edo_op *op, edo_cx *cx, int error)
{
    op->base.result = error;
    op->progress = 0;
    return end(socket, op, cx);
}

/* Uses budget for all messages and bytes that one call has moved, in addition to the unit that
 * every operation uses. */
static __attribute__((noinline)) void charge(const edo_op *op, edo_cx *cx)
{
    const edo__message_op *request = edo__message_of(op);
    bool sends_parts = edo__request_of(op) == EDO__SEND_SEGMENTS;
    if (sends_parts) edo__use_work(cx, op->base.result);
    for (int64_t i = 0; !sends_parts && i < op->base.result; i++) {
        const edo_message *message = &request->messages[i];
        if (!is_receive(op)) message += request->progress;
        edo__use_work(cx, (int64_t)message->size);
        if (i) edo__use_budget(cx);
    }
}

static edo_poll udp_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_udp *socket = edo__udp_of(op);
    if (!edo__owner_has_budget(future, cx)) return EDO_PENDING;
    if (!(op->detail & EDO__DETAIL_CLAIMED)) {
        int rc = cx->fate == EDO_LIVE ? enter(socket, op) : -ECANCELED;
        if (rc < 0) return refuse(socket, op, cx, rc);
    }
    while (edo__source_drive(&socket->source, op, cx) == EDO_READY) {
        if (edo__unlikely(edo__request_of(op) >= EDO__RECV_MESSAGES)) charge(op, cx);
        if (settle(socket, op)) return end(socket, op, cx);
        edo__use_budget(cx);
        if (!edo__has_budget(cx)) break;
    }
    return EDO_PENDING;
}

/* Operations on one datagram are EDO_KIND_OWNER, so that they are polled at least once, even in a
 * cancelled function. The address is stored in the place of `progress`, and only the poll that ends
 * the operation replaces it by the number of bytes. */
static const edo_future_ops recv_ops = { .name = "edo_udp_recv",
                                         .poll = udp_poll,
                                         .kind = EDO_KIND_OWNER };
static const edo_future_ops recv_from_ops = { .name = "edo_udp_recv_from",
                                              .poll = udp_poll,
                                              .kind = EDO_KIND_OWNER };
static const edo_future_ops peek_ops = { .name = "edo_udp_peek",
                                         .poll = udp_poll,
                                         .kind = EDO_KIND_OWNER };
static const edo_future_ops send_ops = { .name = "edo_udp_send",
                                         .poll = udp_poll,
                                         .kind = EDO_KIND_OWNER };
static const edo_future_ops send_to_ops = { .name = "edo_udp_send_to",
                                            .poll = udp_poll,
                                            .kind = EDO_KIND_OWNER };
static const edo_future_ops recv_message_ops = { .name = "edo_udp_recv_message", .poll = udp_poll };
static const edo_future_ops send_message_ops = { .name = "edo_udp_send_message", .poll = udp_poll };
static const edo_future_ops recv_many_ops = { .name = "edo_udp_recv_many", .poll = udp_poll };
static const edo_future_ops send_many_ops = { .name = "edo_udp_send_many", .poll = udp_poll };
static const edo_future_ops segments_ops = { .name = "edo_udp_send_segments", .poll = udp_poll };

/* ---- constructors ---- */

enum { SENDS = EDO__DETAIL_WRITE_SIDE };

static edo_op datagram(const edo_future_ops *ops, edo_udp *socket, const void *data, size_t size,
                       const edo_address *address)
{
    uint32_t detail = ops == &send_ops || ops == &send_to_ops ? EDO__SEND | SENDS : EDO__RECV;
    if (ops == &peek_ops) detail |= EDO__DETAIL_PEEK;
    bool bad = !socket || (!data && size) || (ops == &send_to_ops && !address);
    if (edo__unlikely(bad)) return edo__op_refuse(-EINVAL);
    edo_op op = edo__op(ops, socket, (void *)(uintptr_t)data, size, detail);
    edo__datagram_of(&op)->address = (edo_address *)(uintptr_t)address;
    return op;
}

static uint32_t singles_of(const edo_udp *socket)
{
    return edo_load_relaxed(&socket->no_segments) ? EDO__DETAIL_SINGLES : 0;
}

static bool is_good(const edo_message *message)
{
    return message->slice_count <= MAX_SLICES && (message->slices || !message->slice_count);
}

static edo_op messages_op(const edo_future_ops *ops, edo_udp *socket, edo_message *messages,
                          size_t count)
{
    bool sends = ops == &send_message_ops || ops == &send_many_ops;
    if (!socket || !messages || !count) return edo__op_refuse(-EINVAL);
    for (size_t i = 0; i < count; i++)
        if (!is_good(&messages[i])) return edo__op_refuse(-EINVAL);
    return edo__op(ops, socket, messages, count,
                   sends ? EDO__SEND_MESSAGES | SENDS | singles_of(socket) : EDO__RECV_MESSAGES);
}

static edo_op segments_op(edo_udp *socket, edo_message *message, size_t segment)
{
    bool good = socket && message && message->slice_count == 1 && message->slices &&
                !message->control && segment && segment <= MAX_SEGMENT;
    if (!good) return edo__op_refuse(-EINVAL);
    return edo__op(&segments_ops, socket, message, segment,
                   EDO__SEND_SEGMENTS | SENDS | singles_of(socket));
}

static void check_datagram(const char *call, const void *data, const edo_address *address)
{
    edo__check_memory(call, data, "buffer");
    edo__check_memory(call, address, "address");
}

edo_op edo_udp_recv(edo_udp *socket, void *buffer, size_t size)
{
    check_datagram("edo_udp_recv", buffer, NULL);
    return datagram(&recv_ops, socket, buffer, size, NULL);
}

edo_op edo_udp_recv_from(edo_udp *socket, void *buffer, size_t size, edo_address *ret_from)
{
    check_datagram("edo_udp_recv_from", buffer, ret_from);
    return datagram(&recv_from_ops, socket, buffer, size, ret_from);
}

edo_op edo_udp_peek(edo_udp *socket, void *buffer, size_t size, edo_address *ret_from)
{
    check_datagram("edo_udp_peek", buffer, ret_from);
    return datagram(&peek_ops, socket, buffer, size, ret_from);
}

edo_op edo_udp_send(edo_udp *socket, const void *data, size_t size)
{
    check_datagram("edo_udp_send", data, NULL);
    return datagram(&send_ops, socket, data, size, NULL);
}

edo_op edo_udp_send_to(edo_udp *socket, const void *data, size_t size, const edo_address *to)
{
    check_datagram("edo_udp_send_to", data, to);
    return datagram(&send_to_ops, socket, data, size, to);
}

static inline void check_buffers(const char *call, const edo_message *message)
{
    if (!message->slices || !is_good(message)) return;
    edo__check_memory(call, message->slices, "vector");
    for (size_t i = 0; i < message->slice_count; i++)
        edo__check_memory(call, message->slices[i].data, "buffer");
}

/* Checks the memory of an operation. An array of messages is one object, so its first message is
 * checked for all. */
static void check_messages(const char *call, const edo_message *messages, size_t count)
{
    edo__check_memory(call, messages, "message");
    for (size_t i = 0; messages && i < count; i++)
        check_buffers(call, &messages[i]);
}

edo_op edo_udp_recv_message(edo_udp *socket, edo_message *message)
{
    check_messages("edo_udp_recv_message", message, 1);
    return messages_op(&recv_message_ops, socket, message, 1);
}

edo_op edo_udp_send_message(edo_udp *socket, edo_message *message)
{
    check_messages("edo_udp_send_message", message, 1);
    return messages_op(&send_message_ops, socket, message, 1);
}

edo_op edo_udp_recv_many(edo_udp *socket, edo_message *messages, size_t count)
{
    check_messages("edo_udp_recv_many", messages, count);
    return messages_op(&recv_many_ops, socket, messages, count);
}

edo_op edo_udp_send_many(edo_udp *socket, edo_message *messages, size_t count)
{
    check_messages("edo_udp_send_many", messages, count);
    return messages_op(&send_many_ops, socket, messages, count);
}

edo_op edo_udp_send_segments(edo_udp *socket, edo_message *message, size_t segment)
{
    check_messages("edo_udp_send_segments", message, 1);
    return segments_op(socket, message, segment);
}

/* ---- without waiting ---- */

static int64_t try_now(edo_op op)
{
    edo_udp *socket = edo__udp_of(&op);
    if (!socket) return op.base.result; // refused
    int rc = enter(socket, &op);
    if (rc == 0) do
            op.base.result = edo__try(&socket->source, &op);
        while (!settle(socket, &op));
    leave(socket, &op);
    return rc < 0 ? rc : op.base.result;
}

int64_t edo_udp_try_recv(edo_udp *socket, void *buffer, size_t size)
{
    return try_now(datagram(&recv_ops, socket, buffer, size, NULL));
}

int64_t edo_udp_try_recv_from(edo_udp *socket, void *buffer, size_t size, edo_address *ret_from)
{
    return try_now(datagram(&recv_from_ops, socket, buffer, size, ret_from));
}

int64_t edo_udp_try_peek(edo_udp *socket, void *buffer, size_t size, edo_address *ret_from)
{
    return try_now(datagram(&peek_ops, socket, buffer, size, ret_from));
}

int64_t edo_udp_try_send(edo_udp *socket, const void *data, size_t size)
{
    return try_now(datagram(&send_ops, socket, data, size, NULL));
}

int64_t edo_udp_try_send_to(edo_udp *socket, const void *data, size_t size, const edo_address *to)
{
    return try_now(datagram(&send_to_ops, socket, data, size, to));
}

int64_t edo_udp_try_recv_message(edo_udp *socket, edo_message *message)
{
    return try_now(messages_op(&recv_message_ops, socket, message, 1));
}

int64_t edo_udp_try_send_message(edo_udp *socket, edo_message *message)
{
    return try_now(messages_op(&send_message_ops, socket, message, 1));
}

int64_t edo_udp_try_recv_many(edo_udp *socket, edo_message *messages, size_t count)
{
    return try_now(messages_op(&recv_many_ops, socket, messages, count));
}

int64_t edo_udp_try_send_many(edo_udp *socket, edo_message *messages, size_t count)
{
    return try_now(messages_op(&send_many_ops, socket, messages, count));
}
