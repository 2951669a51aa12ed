/* One non-blocking system call for an operation.
 *
 * Calls on sockets have MSG_DONTWAIT and MSG_NOSIGNAL. Calls on other descriptors have RWF_NOWAIT
 * and RWF_NOSIGNAL, if the kernel and the file support these flags. O_NONBLOCK is the last resort,
 * because it is a status of the open file, which other processes may share. */
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "driver/driver.h"
#include "driver/lent.h"
#include "sys/linux/status.h"

#ifndef RWF_NOSIGNAL
#define RWF_NOSIGNAL 0x00000100 // Linux 6.18
#endif

enum { HERE = -1 }; // offset that stands for the file's position

/* ---- descriptors other than sockets ---- */

/* Whether an error may mean that the kernel, the file or a filter of system calls refuses the flags
 * of a call. If the error has another cause, the call fails in the next way too. */
static bool is_refusal(int error)
{
    return error == EOPNOTSUPP || error == ENOSYS || error == EPERM;
}

static ssize_t read_once(int fd, const struct iovec *vector, int count, unsigned way)
{
    if (way != EDO__BY_STATUS) return preadv2(fd, vector, count, HERE, RWF_NOWAIT);
    int rc = edo__status_set_nonblocking(fd);
    return rc < 0 ? rc : readv(fd, vector, count);
}

static ssize_t write_masked(int fd, const struct iovec *vector, int count, unsigned way)
{
    edo__masked_sigpipe masked;
    int rc = way == EDO__BY_STATUS ? edo__status_set_nonblocking(fd) : 0;
    if (rc < 0) return rc;
    edo__sigpipe_mask(&masked);
    ssize_t n = way == EDO__BY_STATUS ? writev(fd, vector, count)
                                      : pwritev2(fd, vector, count, HERE, RWF_NOWAIT);
    edo__sigpipe_unmask(&masked, n < 0 && errno == EPIPE);
    return n;
}

static ssize_t write_once(int fd, const struct iovec *vector, int count, unsigned way)
{
    if (way != EDO__BY_FLAGS) return write_masked(fd, vector, count, way);
    return pwritev2(fd, vector, count, HERE, RWF_NOWAIT | RWF_NOSIGNAL);
}

/* Interprets the result of a read from a FIFO or from the master of a pseudo-terminal.
 *
 * A read from a FIFO without a writer gets 0 bytes at once. There are two cases: the last writer
 * has closed the FIFO, or no writer has opened the FIFO yet. poll(2) distinguishes these cases,
 * because it reports a hang-up only if there was a writer before. A writer may open the FIFO
 * between the read and the poll. So if the poll finds bytes, errno is EINTR, and edo__try() repeats
 * the read.
 *
 * A read from a master fails with EIO when all bytes were read and no process has the terminal
 * open. This is the end of the input. */
static ssize_t end_of_input(const edo__source *source, ssize_t n)
{
    struct pollfd fd = { .fd = source->fd, .events = POLLIN };
    if (n < 0) return errno == EIO && (source->traits & EDO__SOURCE_MASTER) ? 0 : n;
    if (!(source->traits & EDO__SOURCE_FIFO)) return n;
    if (poll(&fd, 1, 0) > 0 && !(fd.revents & POLLIN)) return 0;
    errno = fd.revents & POLLIN ? EINTR : EAGAIN;
    return -1;
}

static ssize_t try_plain(edo__source *source, const edo_op *op, const struct iovec *vector,
                         int count)
{
    edo__side *side = &source->sides[edo__side_of(op)];
    for (;; side->way++) {
        ssize_t n = edo__side_of(op) == EDO__READ_SIDE
                        ? read_once(source->fd, vector, count, side->way)
                        : write_once(source->fd, vector, count, side->way);
        if (n > 0) return n;
        if (n == 0 || side->way == EDO__BY_STATUS || !is_refusal(errno))
            return edo__side_of(op) == EDO__READ_SIDE ? end_of_input(source, n) : n;
    }
}

/* ---- requests ---- */

/* Receives from a Unix stream, and records whether descriptors came with the bytes. The kernel
 * drops the descriptors, because the call has no room for them. */
static ssize_t receive_noting(edo__source *source, void *data, size_t size)
{
    struct iovec vector = { .iov_base = data, .iov_len = size };
    struct msghdr header = { .msg_iov = &vector, .msg_iovlen = 1 };
    ssize_t n = recvmsg(source->fd, &header, MSG_DONTWAIT);
    if (n > 0 && edo__unlikely(header.msg_flags & MSG_CTRUNC))
        edo_store_relaxed(&source->is_shared, true);
    return n;
}

static ssize_t try_transfer(edo__source *source, const edo_op *op)
{
    enum { LOCAL = EDO__SOURCE_MADE, MASK = EDO__SOURCE_MADE | EDO__SOURCE_TCP };
    char *data = edo__rest_of(op);
    size_t size = edo__asked(op);
    if (!(source->traits & EDO__SOURCE_SOCKET))
        return try_plain(source, op, &(struct iovec){ data, size }, 1);
    if (edo__request_of(op) != EDO__READ)
        return send(source->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if ((source->traits & MASK) == LOCAL) return receive_noting(source, data, size);
    return recv(source->fd, data, size, MSG_DONTWAIT);
}

/* Reads into memory that is allocated for this call, and freed if nothing was read. */
static ssize_t try_lent(edo__source *source, const edo_op *op)
{
    edo__lent_block *block = edo__lent_create();
    errno = ENOMEM;
    if (!block) return -1;
    edo_op read = edo__op(op->base.ops, op->object, block->bytes, edo__asked(op), EDO__READ);
    ssize_t n = try_transfer(source, &read);
    int error = errno;
    edo__lent_pass(block, n, edo__transfer_of(op)->lent);
    errno = error;
    return n;
}

_Static_assert(sizeof(edo_slice) == sizeof(struct iovec) &&
                   offsetof(edo_slice, data) == offsetof(struct iovec, iov_base) &&
                   offsetof(edo_slice, size) == offsetof(struct iovec, iov_len),
               "slices are handed to the kernel as they are");

static ssize_t move_vector(edo__source *source, const edo_op *op, const struct iovec *vector,
                           int count)
{
    if (!(source->traits & EDO__SOURCE_SOCKET)) return try_plain(source, op, vector, count);
    struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)vector,
                              .msg_iovlen = (size_t)count };
    return edo__request_of(op) == EDO__READV
               ? recvmsg(source->fd, &message, MSG_DONTWAIT)
               : sendmsg(source->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Transfers as many whole buffers as fit into one call (EDO__MAX_TRANSFER). If the first non-empty
 * buffer does not fit, transfers a part of that buffer. */
static ssize_t try_vector(edo__source *source, const edo_op *op)
{
    const edo_slice *slices = edo__transfer_of(op)->slices;
    uint64_t count = 0, all = edo__transfer_of(op)->length;
    size_t size = 0;
    for (; count < all; size += slices[count++].size)
        if (slices[count].size > EDO__MAX_TRANSFER - size) break;
    if (size == 0 && count < all)
        return move_vector(source, op, &(struct iovec){ slices[count].data, EDO__MAX_TRANSFER }, 1);
    return move_vector(source, op, (const struct iovec *)(const void *)slices, (int)count);
}

static ssize_t try_poll(const edo__source *source, const edo_op *op)
{
    struct pollfd fd = { .fd = source->fd, .events = (short)edo__poll_of(op)->events };
    int n = poll(&fd, 1, 0);
    if (n > 0) return fd.revents;
    if (n == 0) errno = EAGAIN;
    return -1;
}

/* Accepts a connection. accept4() has no flag that keeps the call itself from blocking, so the
 * listening socket must be non-blocking. */
static ssize_t try_accept(const edo__source *source)
{
    if (source->traits & EDO__SOURCE_WRAPPED && edo__status_set_nonblocking(source->fd) < 0)
        return -1;
    return accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static ssize_t try_once(edo__source *source, const edo_op *op)
{
    switch (edo__request_of(op)) {
    case EDO__READ:
    case EDO__WRITE: return try_transfer(source, op);
    case EDO__READV:
    case EDO__WRITEV: return try_vector(source, op);
    case EDO__ACCEPT: return try_accept(source);
    case EDO__POLL: return try_poll(source, op);
    case EDO__READ_LENT: return try_lent(source, op);
    case EDO__RECV:
    case EDO__SEND:
    case EDO__RECV_MESSAGES:
    case EDO__SEND_MESSAGES:
    case EDO__SEND_SEGMENTS: return edo__message_try(source, op);
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
