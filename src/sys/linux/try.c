/* One non-blocking system call for an operation. */
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sys/driver.h"

enum { MAX_TRANSFER = 0x7ffff000 }; // what Linux moves at most in one call

static size_t rest_of(const edo_op *op)
{
    uint64_t rest = op->length - op->progress;
    return rest < MAX_TRANSFER ? (size_t)rest : MAX_TRANSFER;
}

static ssize_t try_read(const edo__source *source, const edo_op *op)
{
    char *buffer = (char *)op->data + op->progress;
    if (source->traits & EDO__SOURCE_SOCKET)
        return recv(source->fd, buffer, rest_of(op), MSG_DONTWAIT);
    return read(source->fd, buffer, rest_of(op));
}

static ssize_t try_write(const edo__source *source, const edo_op *op)
{
    const char *data = (const char *)op->data + op->progress;
    if (source->traits & EDO__SOURCE_SOCKET)
        return send(source->fd, data, rest_of(op), MSG_DONTWAIT | MSG_NOSIGNAL);
    return write(source->fd, data, rest_of(op));
}

static ssize_t try_writev(const edo__source *source, const edo_op *op)
{
    if (!(source->traits & EDO__SOURCE_SOCKET))
        return writev(source->fd, op->data, (int)op->length);
    struct msghdr message = { .msg_iov = op->data, .msg_iovlen = (size_t)op->length };
    return sendmsg(source->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static ssize_t try_poll(const edo__source *source, const edo_op *op)
{
    struct pollfd fd = { .fd = source->fd, .events = (short)op->length };
    int n = poll(&fd, 1, 0);
    if (n > 0) return fd.revents;
    if (n == 0) errno = EAGAIN;
    return -1;
}

static ssize_t try_once(edo__source *source, const edo_op *op)
{
    switch (edo__request_of(op)) {
    case EDO__READ: return try_read(source, op);
    case EDO__WRITE: return try_write(source, op);
    case EDO__WRITEV: return try_writev(source, op);
    case EDO__ACCEPT: return accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    case EDO__POLL: return try_poll(source, op);
    }
    errno = EINVAL;
    return -1;
}

int64_t edo__try(edo__source *source, edo_op *op)
{
    for (;;) {
        ssize_t n = try_once(source, op);
        if (n >= 0) return n;
        if (errno != EINTR) return errno == EWOULDBLOCK ? -EAGAIN : -errno;
    }
}
