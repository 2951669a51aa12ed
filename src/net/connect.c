/* Connecting: the call is made at once; what remains is to wait until the socket is writable, which
 * is a poll request, alike on all drivers. */
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <edo/net.h>

#include "io/io.h"
#include "net/address.h"

static int open_socket(const edo__address *address)
{
    int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

static int bind_local(int fd, const char *local)
{
    edo__address address;
    int on = 1, rc = edo__address_parse(local, &address);
    if (rc < 0) return rc;
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on); // the port at connect
    return bind(fd, (struct sockaddr *)&address.storage, address.size) < 0 ? -errno : 0;
}

/* Returns: 0, also when it is still in progress. */
static int start(int fd, const edo__address *address)
{
    if (connect(fd, (const struct sockaddr *)&address->storage, address->size) == 0) return 0;
    return errno == EINPROGRESS || errno == EINTR ? 0 : -errno;
}

/* link.node.next holds the local address until the socket exists. */
static int begin(edo_op *op)
{
    edo__address address;
    const char *local = op->link.node.next;
    int rc = edo__address_parse(op->object, &address);
    if (rc < 0) return rc;
    if (address.any) return -EINVAL;
    int fd = open_socket(&address);
    if (fd < 0) return fd;
    rc = local ? bind_local(fd, local) : 0;
    if (rc == 0) rc = start(fd, &address);
    edo_io *io = rc == 0 ? edo__fd_io_create(fd, EDO__SOURCE_SOCKET | EDO__SOURCE_TCP) : NULL;
    if (!io) {
        close(fd);
        return rc < 0 ? rc : -ENOMEM;
    }
    op->object = io;
    return edo__source_claim(edo__io_source(io), EDO__SOURCE_WRITING);
}

static int socket_error(int fd)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0) return -errno;
    return -error;
}

static edo_poll end(edo_op *op, edo_cx *cx, int64_t result)
{
    edo_io *io = op->object;
    edo__source *source = edo__io_source(io);
    if (result >= 0) result = socket_error(source->fd);
    if (result < 0)
        edo__source_close(source);
    else
        *(edo_io **)op->data = io;
    edo__source_leave(source, EDO__SOURCE_WRITING);
    return edo__op_finish(op, cx, result);
}

static edo_poll connect_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!(op->detail & EDO__DETAIL_CLAIMED)) {
        int rc = cx->fate == EDO_LIVE ? begin(op) : -ECANCELED;
        if (rc < 0) return edo__op_finish(op, cx, rc);
        op->detail |= EDO__DETAIL_CLAIMED;
    }
    edo__source *source = edo__io_source(op->object);
    if (edo__source_drive(source, op, cx) == EDO_PENDING) return EDO_PENDING;
    return end(op, cx, op->base.result);
}

static const edo_future_ops connect_ops = { .name = "edo_tcp_connect", .poll = connect_poll };

edo_op edo_tcp_connect_from(const char *local, const char *address, edo_io **ret_conn)
{
    edo__check_memory("edo_tcp_connect", local, "address");
    edo__check_memory("edo_tcp_connect", address, "address");
    edo__check_memory("edo_tcp_connect", ret_conn, "output");
    return (edo_op){ .base.ops = &connect_ops,
                     .object = (void *)(uintptr_t)address,
                     .data = ret_conn,
                     .length = POLLOUT,
                     .link.node.next = (void *)(uintptr_t)local,
                     .detail = EDO__POLL | EDO__DETAIL_WRITE_SIDE };
}

edo_op edo_tcp_connect(const char *address, edo_io **ret_conn)
{
    return edo_tcp_connect_from(NULL, address, ret_conn);
}
