/* Connects Unix sockets, and finds the processes of their peers.
 *
 * A connect succeeds or fails at once. While the listener's queue is full, connect(2) fails with
 * EAGAIN, and the system reports no event when the queue has room again. So the operation tries
 * again after a pause. */
#include "io/pause.h"
#include "net/unix.h"
#include "sys/sockets.h"
#include "sys/sys.h"

typedef struct EDO__OVERLAY connect_op {
    edo_future base;
    const char *address;
    edo_io **ret_conn;
    int64_t paused_until; // ns of the runtime's clock
    uint64_t progress;
    edo_io *io;     // stream that is being connected; NULL before the first poll
    uint64_t pause; // ms; 0: no pause yet
    edo__op_state state;
} connect_op;

EDO__OVERLAY_FITS(connect_op);

static connect_op *connect_of(const edo_op *op)
{
    return (connect_op *)(uintptr_t)op;
}

/* Bits of edo_op.detail. The lowest bits are the type of the socket. */
enum { TYPE = 3, CREDENTIALS = 4 };

/* Makes the stream and sets the option for credentials before the socket is connected. So a lack of
 * memory cannot lose a connection. If credentials are requested, all messages have them. */
static int begin(connect_op *op)
{
    uint32_t detail = op->state.detail;
    return edo__unix_open((edo_unix_type)(detail & TYPE), detail & CREDENTIALS, &op->io);
}

static int try_connect(connect_op *op)
{
    edo_address address;
    int rc = edo__unix_parse_peer(op->address, &address);
    if (rc == 0 && !op->io) rc = begin(op);
    return rc < 0 ? rc : edo__socket_connect_to(edo__io_source(op->io)->fd, &address);
}

static edo_poll finish(edo_op *op, edo_cx *cx, int rc)
{
    connect_op *self = connect_of(op);
    if (rc == 0)
        *self->ret_conn = self->io;
    else
        edo_close(self->io);
    return edo__op_finish(op, cx, rc);
}

static edo_poll connect_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (cx->fate != EDO_LIVE) return finish(op, cx, -ECANCELED);
    connect_op *self = connect_of(op);
    if (edo__is_paused(cx, self->paused_until)) return EDO_PENDING;
    int rc = try_connect(self);
    if (rc != -EAGAIN) return finish(op, cx, rc);
    self->pause = edo__pause(cx, (uint32_t)self->pause, &self->paused_until);
    return EDO_PENDING;
}

static const edo_future_ops connect_ops = { .name = "edo_unix_connect", .poll = connect_poll };

edo_op edo_unix_connect_with(const char *address, edo_unix_connect_options options,
                             edo_io **ret_conn)
{
    edo__check_memory("edo_unix_connect", address, "address");
    edo__check_memory("edo_unix_connect", ret_conn, "output");
    if (!ret_conn || (unsigned)options.type > EDO_UNIX_DATAGRAM) return edo__op_refuse(-EINVAL);
    uint32_t detail = (uint32_t)options.type | (options.credentials ? CREDENTIALS : 0u);
    edo_op op = edo__op(&connect_ops, NULL, NULL, 0, detail);
    connect_op *self = connect_of(&op);
    self->address = address;
    self->ret_conn = ret_conn;
    self->paused_until = 0;
    self->io = NULL;
    self->pause = 0;
    return op;
}

edo_op edo_unix_connect(const char *address, edo_io **ret_conn)
{
    return edo_unix_connect_with(address, (edo_unix_connect_options){ 0 }, ret_conn);
}

/* ---- the peer ---- */

edo_fd edo__unix_socket_of(const edo_io *conn, const char *call)
{
    if (!conn) return -EINVAL;
    const edo__source *source = edo__io_source(conn);
    if (!source || !(source->traits & EDO__SOURCE_SOCKET)) return -ENOTSUP;
    edo__source_check(source, call);
    return source->fd;
}

int edo_unix_peer_credentials(const edo_io *conn, edo_unix_peer *ret_peer)
{
    if (!ret_peer) return -EINVAL;
    edo_fd fd = edo__unix_socket_of(conn, "edo_unix_peer_credentials");
    return fd < 0 ? fd : edo__local_peer(fd, ret_peer);
}

edo_fd edo_unix_peer_pidfd(const edo_io *conn)
{
    edo_fd fd = edo__unix_socket_of(conn, "edo_unix_peer_pidfd");
    return fd < 0 ? fd : edo__local_peer_pidfd(fd);
}
