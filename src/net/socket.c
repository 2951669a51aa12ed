/* Sockets and socket options that the caller names by the system's numbers. */
#include <edo/socket.h>

#include "io/io.h"
#include "sys/tcp.h"

int edo_socket(int family, int type, int protocol, edo_io **ret_io)
{
    if (!ret_io) return -EINVAL;
    edo_fd fd = edo__socket_open_by_number(family, type, protocol);
    if (fd < 0) return fd;
    int rc = edo_io_from_fd(fd, ret_io);
    if (rc < 0) edo__sys_close(fd);
    return rc;
}

/* Returns: the descriptor of a socket, or a negative errno. */
static edo_fd socket_of(const edo_io *io, const char *call)
{
    if (!io) return -EINVAL;
    const edo__source *source = edo__io_source(io);
    if (!source || !(source->traits & EDO__SOURCE_SOCKET)) return -ENOTSUP;
    edo__source_check(source, call);
    return source->fd;
}

int edo_socket_bind(edo_io *io, const void *address, size_t size)
{
    edo_fd fd = address ? socket_of(io, "edo_socket_bind") : -EINVAL;
    return fd < 0 ? fd : edo__socket_bind_raw(fd, address, size);
}

/* ---- options ---- */

int edo_socket_set_option(edo_io *io, int level, int name, const void *value, size_t size)
{
    edo_fd fd = value ? socket_of(io, "edo_socket_set_option") : -EINVAL;
    return fd < 0 ? fd : edo__socket_set_raw(fd, level, name, value, size);
}

int edo_socket_option(const edo_io *io, int level, int name, void *buffer, size_t size)
{
    edo_fd fd = buffer ? socket_of(io, "edo_socket_option") : -EINVAL;
    return fd < 0 ? fd : edo__socket_get_raw(fd, level, name, buffer, size);
}

int edo_listener_set_option(edo_listener *listener, int level, int name, const void *value,
                            size_t size)
{
    edo_fd fd = value ? edo_listener_fd(listener) : -EINVAL;
    return fd < 0 ? fd : edo__socket_set_raw(fd, level, name, value, size);
}

int edo_listener_option(const edo_listener *listener, int level, int name, void *buffer,
                        size_t size)
{
    edo_fd fd = buffer ? edo_listener_fd(listener) : -EINVAL;
    return fd < 0 ? fd : edo__socket_get_raw(fd, level, name, buffer, size);
}

/* ---- connecting ---- */

/* Overlay of an edo__poll_op, with `events` at the same offset. */
typedef struct EDO__OVERLAY connect_op {
    edo_future base;
    edo_io *io;
    const void *address;
    union {
        uint64_t size;   // valid in a new operation: bytes of the address
        uint64_t events; // events of the poll request
    };
    uint64_t progress;
    edo__op_wait wait;
} connect_op;

EDO__OVERLAY_FITS(connect_op);
_Static_assert(offsetof(connect_op, events) == offsetof(edo__poll_op, events), "an edo__poll_op");

static connect_op *connect_of(const edo_op *op)
{
    return (connect_op *)(uintptr_t)op;
}

static int begin(edo_op *op)
{
    connect_op *connect = connect_of(op);
    int rc = edo__io_claim(connect->io, EDO__SOURCE_WRITING, op->base.ops->name);
    if (rc < 0) return rc;
    op->detail |= EDO__DETAIL_CLAIMED;
    edo_fd fd = socket_of(connect->io, op->base.ops->name);
    uint64_t size = connect->size;
    connect->events = EDO_WRITABLE;
    return fd < 0 ? fd : edo__socket_connect_raw(fd, connect->address, size);
}

static edo_poll end(edo_op *op, edo_cx *cx, int64_t result)
{
    edo_io *io = connect_of(op)->io;
    if (result > 0) result = edo__socket_error(edo__io_source(io)->fd);
    if (op->detail & EDO__DETAIL_CLAIMED) edo__io_leave(io, EDO__SOURCE_WRITING);
    return edo__op_finish(op, cx, result);
}

static edo_poll connect_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!(op->detail & EDO__DETAIL_CLAIMED)) {
        int rc = begin(op);
        if (rc < 0) return end(op, cx, rc);
    }
    if (edo__source_drive(edo__io_source(connect_of(op)->io), op, cx) == EDO_PENDING)
        return EDO_PENDING;
    return end(op, cx, op->base.result);
}

edo_op edo_socket_connect(edo_io *io, const void *address, size_t size)
{
    static const edo_future_ops ops = { .name = "edo_socket_connect", .poll = connect_poll };
    edo__check_memory("edo_socket_connect", address, "address");
    if (!io || !address) return edo__op_refuse(-EINVAL);
    return edo__op(&ops, io, (void *)(uintptr_t)address, size, EDO__POLL | EDO__DETAIL_WRITE_SIDE);
}
