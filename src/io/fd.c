/* Streams that are descriptors. */
#include "io/io.h"
#include "runtime/inspect/maker.h"
#include "sys/sockets.h"

static edo__fd_io *fd_io_of(edo_io *io)
{
    return (edo__fd_io *)(void *)io;
}

static void release(edo__source *source)
{
    edo__fd_io *fd_io = edo__container(source, edo__fd_io, source);
    edo__free_closed(fd_io, sizeof *fd_io);
}

/* ---- transfers ---- */

static uint32_t claim_of(const edo_op *op)
{
    return edo__side_of(op) == EDO__READ_SIDE ? EDO__SOURCE_READING : EDO__SOURCE_WRITING;
}

static edo_poll leave(edo__source *source, edo_op *op, edo_cx *cx, int64_t result)
{
    if (op->detail & EDO__DETAIL_CLAIMED) {
        op->detail &= ~(uint32_t)EDO__DETAIL_CLAIMED;
        edo__source_leave(source, claim_of(op));
    }
    return edo__op_finish(op, cx, result);
}

/* Before the first try. Returns: 0, or why there is none. */
static int enter(edo__source *source, edo_op *op, const edo_cx *cx)
{
    if (cx->fate != EDO_LIVE) return -ECANCELED;
    int rc = edo__source_claim(source, claim_of(op));
    if (rc == 0) op->detail |= EDO__DETAIL_CLAIMED;
    if (rc == -ECANCELED) edo__source_check(source, op->base.ops->name);
    return rc;
}

/* Takes a step's result in. Returns: whether the operation is done, with *ret_result. */
static bool advance(edo_op *op, int64_t n, int64_t *ret_result)
{
    if (n > 0) op->progress += (uint64_t)n;
    *ret_result = n;
    if (!(op->detail & EDO__DETAIL_WHOLE) || n < 0) return true;
    if (n == 0 && edo__side_of(op) == EDO__READ_SIDE)
        *ret_result = -EDO_EOF;
    else if (op->progress == op->length)
        *ret_result = (int64_t)op->length;
    else
        return false;
    return true;
}

/* How many bytes one unit of the budget stands for: to copy them takes some microseconds, as other
 * operations do. The poll that has used its budget up by them ends the turn's round of tasks, or
 * timers and sockets would wait for many such polls. */
enum { BYTES_PER_UNIT = 16 * 1024 };

static void use_work(edo_cx *cx, int64_t n)
{
    if (n < BYTES_PER_UNIT) return;
    for (; n >= BYTES_PER_UNIT && cx->budget > 0; n -= BYTES_PER_UNIT)
        edo__use_budget(cx);
    if (cx->budget <= 0) edo__spend_slice(cx);
}

static edo_poll fd_transfer(edo_io *io, edo_op *op, edo_cx *cx)
{
    edo__source *source = &fd_io_of(io)->source;
    int64_t result;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!(op->detail & EDO__DETAIL_CLAIMED)) {
        int rc = enter(source, op, cx);
        if (rc < 0 || op->length == 0) return leave(source, op, cx, rc);
    }
    while (edo__source_drive(source, op, cx) == EDO_READY) {
        use_work(cx, op->base.result);
        if (advance(op, op->base.result, &result)) return leave(source, op, cx, result);
        edo__use_budget(cx);
        if (!edo__has_budget(cx)) break;
    }
    return EDO_PENDING;
}

/* ---- ends ---- */

static int fd_shutdown_write(edo_io *io)
{
    edo__source *source = &fd_io_of(io)->source;
    if (!(source->traits & EDO__SOURCE_SOCKET)) return -ENOTSUP;
    int rc = edo__source_claim(source, EDO__SOURCE_WRITING);
    if (rc == -ECANCELED) edo__source_check(source, "edo_shutdown_write");
    if (rc < 0) return rc;
    rc = edo__socket_shutdown_write(source->fd);
    edo__source_leave(source, EDO__SOURCE_WRITING);
    return rc;
}

static void fd_close(edo_io *io)
{
    edo__source_close(&fd_io_of(io)->source);
}

enum { BOTH_SIDES = EDO__SOURCE_READING | EDO__SOURCE_WRITING };

static edo_poll end_finish(edo__source *source, edo_op *op, edo_cx *cx, int64_t result)
{
    edo__source_close(source);
    if (op->detail & EDO__DETAIL_CLAIMED) edo__source_leave(source, BOTH_SIDES);
    return edo__op_finish(op, cx, result);
}

static int begin_finish(edo__source *source, edo_op *op, const edo_cx *cx)
{
    if (cx->fate != EDO_LIVE) return -ECANCELED;
    edo__source_check(source, op->base.ops->name);
    int rc = edo__source_claim(source, BOTH_SIDES);
    if (rc < 0) return rc;
    op->detail |= EDO__DETAIL_CLAIMED;
    if (!(source->traits & EDO__SOURCE_SOCKET)) return 0;
    rc = edo__socket_shutdown_write(source->fd);
    return rc < 0 && rc != -ENOTCONN ? rc : 1;
}

static int64_t drop_input(const edo__source *source)
{
    return edo__socket_drop_input(source->fd, source->traits & EDO__SOURCE_TCP);
}

/* The operation waits for readability by a poll request, so that all drivers do it alike. A peer
 * that never stops sending holds up neither other tasks nor a cancellation. */
static edo_poll fd_finish(edo_io *io, edo_op *op, edo_cx *cx)
{
    edo__source *source = &fd_io_of(io)->source;
    if (!edo__owner_has_budget(&op->base, cx)) return EDO_PENDING;
    if (!(op->detail & EDO__DETAIL_CLAIMED)) {
        int rc = begin_finish(source, op, cx);
        if (rc <= 0) return end_finish(source, op, cx, rc);
    }
    while (edo__has_budget(cx)) {
        bool drops = edo_load_relaxed(&op->word) == EDO__OP_IDLE && cx->fate == EDO_LIVE &&
                     !edo__source_is_closed(source);
        int64_t n = drops ? drop_input(source) : -EAGAIN;
        if (n == -EAGAIN) {
            if (edo__source_drive(source, op, cx) == EDO_PENDING) return EDO_PENDING;
            n = op->base.result;
        }
        if (n <= 0) return end_finish(source, op, cx, n);
        edo__use_budget(cx);
    }
    return EDO_PENDING;
}

static edo__source *fd_source(edo_io *io)
{
    return &fd_io_of(io)->source;
}

static const edo__io_ops fd_io_ops = {
    .name = "descriptor",
    .transfer = fd_transfer,
    .finish = fd_finish,
    .shutdown_write = fd_shutdown_write,
    .close = fd_close,
    .source = fd_source,
};

/* ---- wrapping ---- */

edo_io *edo__fd_io_create(edo_fd fd, uint32_t traits)
{
    edo__fd_io *fd_io = edo__alloc(sizeof *fd_io);
    if (!fd_io) return NULL;
    fd_io->io.ops = &fd_io_ops;
    edo__source_init(&fd_io->source, fd, traits, release);
    fd_io->source.maker = edo__maker_create("stream", fd);
    return &fd_io->io;
}

static uint32_t traits_of(edo_fd fd, int file_kind)
{
    edo__socket_kind kind;
    if (file_kind != EDO__FILE_SOCKET) return 0;
    bool tcp = edo__socket_describe(fd, &kind) == 0 && kind.is_tcp;
    return EDO__SOURCE_SOCKET | (tcp ? EDO__SOURCE_TCP : 0);
}

int edo_io_from_fd(edo_fd fd, edo_io **ret_io)
{
    if (!ret_io) return -EINVAL;
    int kind = edo__sys_pollable_kind(fd);
    if (kind < 0) return kind;
    edo_io *io = edo__fd_io_create(fd, traits_of(fd, kind));
    if (!io) return -ENOMEM;
    edo__sys_make_private(fd, (edo__file_kind)kind);
    *ret_io = io;
    return 0;
}

edo_fd edo_io_fd(const edo_io *io)
{
    if (!io) return -EINVAL;
    edo__source *source = edo__io_source(io);
    if (!source) return -ENOTSUP;
    edo__source_check(source, "edo_io_fd");
    edo_store_relaxed(&source->sides[EDO__READ_SIDE].is_shared, true); // see edo__has_met_end
    return source->fd;
}

edo_fd edo_io_into_fd(edo_io *io)
{
    if (!io) return -EINVAL;
    edo__source *source = edo__io_source(io);
    if (!source) return -ENOTSUP;
    edo__source_check(source, "edo_io_into_fd");
    int rc = edo__source_claim(source, BOTH_SIDES);
    if (rc < 0) return rc;
    edo_fd fd = source->fd;
    edo__sys_put_back_status(fd);
    source->traits |= EDO__SOURCE_BORROWED;
    edo__source_close(source);
    edo__source_leave(source, BOTH_SIDES);
    return fd;
}

/* ---- edo_wait_fd: a source of its own for each wait; object is NULL until there is one ---- */

static void release_wait(edo__source *source)
{
    edo__free(source, sizeof *source);
}

static int begin_wait(edo_op *op)
{
    edo_fd fd = (edo_fd)(intptr_t)op->data;
    int kind = edo__sys_pollable_kind(fd);
    if (kind < 0) return kind;
    edo__source *source = edo__alloc(sizeof *source);
    if (!source) return -ENOMEM;
    uint32_t latched = kind == EDO__FILE_REGULAR ? EDO__SOURCE_LATCHED : 0;
    edo__source_init(source, fd, EDO__SOURCE_BORROWED | latched, release_wait);
    op->object = source;
    op->data = NULL;
    return edo__source_claim(source, BOTH_SIDES);
}

static edo_poll end_wait(edo_op *op, edo_cx *cx, int64_t result)
{
    edo__source *source = op->object;
    if (source) {
        edo__source_close(source);
        edo__source_leave(source, BOTH_SIDES);
    }
    return edo__op_finish(op, cx, result);
}

enum { INTERESTS = EDO_READABLE | EDO_WRITABLE | EDO_PRIORITY }; // the values are those of poll(2)

/* A hang-up or an error counts as all that was asked for. */
static int64_t answer_of(const edo_op *op)
{
    int64_t events = op->base.result;
    if (events > 0 && (events & ~(int64_t)INTERESTS)) return (int64_t)op->length;
    return events > 0 ? events & (int64_t)op->length : events;
}

static edo_poll wait_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!op->object) {
        if (cx->fate != EDO_LIVE) return end_wait(op, cx, -ECANCELED);
        if (!op->length || (op->length & ~(uint64_t)INTERESTS)) return end_wait(op, cx, -EINVAL);
        int rc = begin_wait(op);
        if (rc < 0) return end_wait(op, cx, rc);
    }
    if (edo__source_drive(op->object, op, cx) == EDO_PENDING) return EDO_PENDING;
    return end_wait(op, cx, answer_of(op));
}

static const edo_future_ops wait_ops = { .name = "edo_wait_fd", .poll = wait_poll };

edo_op edo_wait_fd(edo_fd fd, int interest)
{
    bool reads = interest & (EDO_READABLE | EDO_PRIORITY), writes = interest & EDO_WRITABLE;
    uint32_t detail = EDO__POLL;
    if (writes) detail |= reads ? EDO__DETAIL_BOTH_SIDES : EDO__DETAIL_WRITE_SIDE;
    return (edo_op){ .base.ops = &wait_ops,
                     .length = (uint32_t)interest,
                     .data = (void *)(intptr_t)fd, // until there is a source
                     .detail = detail };
}
