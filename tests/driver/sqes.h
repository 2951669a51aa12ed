/* Operations of rings that only tests submit. */
#pragma once

#include "driver/uring/ring.h"

/* Does nothing and completes at once with 0. */
static inline void sqe_nop(struct io_uring_sqe *sqe)
{
    edo__sqe_op(sqe, IORING_OP_NOP, -1, NULL, 0);
}

/* The offset that means "where the file stands", as in read(2); right for pipes and sockets too. */
#define SQE_HERE UINT64_MAX

static inline void sqe_read(struct io_uring_sqe *sqe, int fd, void *buf, size_t len)
{
    edo__sqe_op(sqe, IORING_OP_READ, fd, buf, edo__sqe_len(len));
    sqe->off = SQE_HERE;
}

static inline void sqe_write(struct io_uring_sqe *sqe, int fd, const void *buf, size_t len)
{
    edo__sqe_op(sqe, IORING_OP_WRITE, fd, buf, edo__sqe_len(len));
    sqe->off = SQE_HERE;
}

static inline void sqe_readv(struct io_uring_sqe *sqe, int fd, const struct iovec *iov,
                             unsigned count)
{
    edo__sqe_op(sqe, IORING_OP_READV, fd, iov, count);
    sqe->off = SQE_HERE;
}

static inline void sqe_writev(struct io_uring_sqe *sqe, int fd, const struct iovec *iov,
                              unsigned count)
{
    edo__sqe_op(sqe, IORING_OP_WRITEV, fd, iov, count);
    sqe->off = SQE_HERE;
}

/* The number of message headers in an entry of RECVMSG and SENDMSG. */
#define SQE_ONE_MSG 1

static inline void sqe_recvmsg(struct io_uring_sqe *sqe, int fd, struct msghdr *msg, int flags)
{
    edo__sqe_op(sqe, IORING_OP_RECVMSG, fd, msg, SQE_ONE_MSG);
    sqe->msg_flags = (uint32_t)flags;
}

/* A closed peer is -EPIPE, never SIGPIPE. */
static inline void sqe_sendmsg(struct io_uring_sqe *sqe, int fd, const struct msghdr *msg,
                               int flags)
{
    edo__sqe_op(sqe, IORING_OP_SENDMSG, fd, msg, SQE_ONE_MSG);
    sqe->msg_flags = (uint32_t)(flags | MSG_NOSIGNAL);
}

static inline void sqe_connect(struct io_uring_sqe *sqe, int fd, const struct sockaddr *addr,
                               socklen_t addr_len)
{
    edo__sqe_op(sqe, IORING_OP_CONNECT, fd, addr, 0);
    sqe->off = addr_len;
}

/* Ends the poll that has this tag: it completes with -ECANCELED. Itself completes with 0, or
 * -ENOENT or -EALREADY if there is nothing to end any more. */
static inline void sqe_poll_remove(struct io_uring_sqe *sqe, uint64_t tag)
{
    edo__sqe_op(sqe, IORING_OP_POLL_REMOVE, -1, NULL, 0);
    sqe->addr = tag;
}
