/* Streams on descriptors. */
#include "io/io.h"
#include "runtime/inspect/maker.h"
#include "sys/sockets.h"
#include "task/memory.h"

static edo__fd_io *fd_io_of(edo_io *io)
{
    return (edo__fd_io *)(void *)io;
}

static void release_source(edo__source *source)
{
    edo__free_closed_in(source, sizeof *source, source->traits & EDO__SOURCE_IN_HEAP);
}

/* ---- one step ---- */

static edo_poll fd_step(edo_io *io, edo_op *op, edo_cx *cx)
{
    return edo__source_drive(&fd_io_of(io)->source, op, cx);
}

static int fd_shutdown_write(edo_io *io)
{
    return edo__socket_shutdown_write(fd_io_of(io)->source.fd);
}

static int64_t drop_input(const edo__source *source)
{
    return edo__socket_drop_input(source->fd, source->traits & EDO__SOURCE_TCP);
}

/* Makes one step of edo_finish(). The step waits for input by a poll request, because poll requests
 * work the same with all drivers. */
static edo_poll fd_drop(edo_io *io, edo_op *op, edo_cx *cx)
{
    edo__source *source = &fd_io_of(io)->source;
    bool drops = edo_load_relaxed(&op->word) == EDO__OP_IDLE && !edo__io_is_ending(io, cx);
    int64_t n = drops ? drop_input(source) : -EAGAIN;
    if (n == -EAGAIN) return edo__source_drive(source, op, cx);
    op->base.result = n;
    return EDO_READY;
}

/* ---- ends ---- */

/* Wakes the parked operations, if any side is claimed. If no side is claimed, there is no
 * operation, and none can begin, because the stream is closed. */
static void fd_hang_up(edo_io *io)
{
    edo__source *source = &fd_io_of(io)->source;
    if (edo__claims_any(edo_load_relaxed(&source->state))) edo__source_repoll(source);
}

static void fd_release(edo_io *io)
{
    edo__source_end(&fd_io_of(io)->source);
}

static edo__source *fd_source(edo_io *io)
{
    return &fd_io_of(io)->source;
}

static const edo__io_ops socket_ops = {
    .as_source = { .release = release_source },
    .name = "descriptor",
    .claims = offsetof(edo__fd_io, source.state),
    .step = fd_step,
    .drop = fd_drop,
    .shutdown_write = fd_shutdown_write,
    .hang_up = fd_hang_up,
    .release = fd_release,
    .source = fd_source,
};

/* Functions for descriptors that cannot signal an end of input to the peer. These are pipes,
 * terminals, other descriptors that are not sockets, and datagram sockets. */
static const edo__io_ops plain_ops = {
    .as_source = { .release = release_source },
    .name = "descriptor",
    .claims = offsetof(edo__fd_io, source.state),
    .step = fd_step,
    .hang_up = fd_hang_up,
    .release = fd_release,
    .source = fd_source,
};

/* ---- wrapping ---- */

edo_io *edo__fd_io_create(edo_fd fd, uint32_t traits)
{
    bool in_heap;
    edo__fd_io *fd_io = edo__worker_alloc(sizeof *fd_io, &in_heap);
    if (!fd_io) return NULL;
    if (in_heap) traits |= EDO__SOURCE_IN_HEAP;
    bool connects = (traits & EDO__SOURCE_SOCKET) &&
                    (!(traits & EDO__SOURCE_DATAGRAM) || (traits & EDO__SOURCE_RECORDS));
    edo__source_init(&fd_io->source, fd, traits,
                     connects ? &socket_ops.as_source : &plain_ops.as_source);
    edo__source_note_maker(&fd_io->source, "stream");
    return &fd_io->io;
}

uint32_t edo__socket_type_traits(edo__socket_type type)
{
    switch (type) {
    case EDO__SOCKET_DATAGRAM: return EDO__SOURCE_DATAGRAM;
    case EDO__SOCKET_SEQPACKET: return EDO__SOURCE_DATAGRAM | EDO__SOURCE_RECORDS;
    default: return 0;
    }
}

uint32_t edo__fd_traits(edo_fd fd, int file_kind)
{
    edo__socket_kind kind;
    if (file_kind == EDO__FILE_MASTER) return EDO__SOURCE_MASTER;
    if (file_kind != EDO__FILE_SOCKET) return 0;
    if (edo__socket_describe(fd, &kind) < 0) return EDO__SOURCE_SOCKET;
    return EDO__SOURCE_SOCKET | (kind.is_tcp ? EDO__SOURCE_TCP : 0) |
           edo__socket_type_traits(kind.type);
}

int edo_io_from_fd(edo_fd fd, edo_io **ret_io)
{
    if (!ret_io) return -EINVAL;
    int kind = edo__sys_pollable_kind(fd);
    if (kind < 0) return kind;
    edo_io *io = edo__fd_io_create(fd, edo__fd_traits(fd, kind));
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
    edo_store_relaxed(&source->is_shared, true); // see edo__has_met_end
    return source->fd;
}

edo_fd edo_io_into_fd(edo_io *io)
{
    if (!io) return -EINVAL;
    edo__source *source = edo__io_source(io);
    if (!source) return -ENOTSUP;
    edo__source_check(source, "edo_io_into_fd");
    int rc = edo__source_claim(source, EDO__BOTH_SIDES);
    if (rc < 0) return rc;
    edo_fd fd = source->fd;
    edo__sys_put_back_status(fd);
    source->traits |= EDO__SOURCE_BORROWED;
    edo__source_close(source, "edo_io_into_fd");
    edo__source_leave(source, EDO__BOTH_SIDES);
    return fd;
}

/* ---- edo_wait_fd: each wait creates its own source ---- */

/* Overlay of an edo__poll_op. */
typedef struct EDO__OVERLAY wait_op {
    edo_future base;
    edo__source *source; // NULL until the wait has begun
    int64_t fd;
    uint64_t interest; // events to wait for
    uint64_t progress;
    edo__op_wait wait;
} wait_op;

EDO__OVERLAY_FITS(wait_op);
_Static_assert(offsetof(wait_op, interest) == offsetof(edo__poll_op, events), "an edo__poll_op");

static wait_op *wait_op_of(const edo_op *op)
{
    return (wait_op *)(uintptr_t)op;
}

static void release_wait(edo__source *source)
{
    edo__free(source, sizeof *source);
}

static const edo__source_ops wait_source_ops = { .release = release_wait };

static int begin_wait(wait_op *op)
{
    edo_fd fd = (edo_fd)op->fd;
    int kind = edo__sys_pollable_kind(fd);
    if (kind < 0) return kind;
    edo__source *source = edo__alloc(sizeof *source);
    if (!source) return -ENOMEM;
    uint32_t latched = kind == EDO__FILE_REGULAR ? EDO__SOURCE_LATCHED : 0;
    edo__source_init(source, fd, EDO__SOURCE_BORROWED | latched, &wait_source_ops);
    op->source = source;
    return edo__source_claim(source, EDO__BOTH_SIDES);
}

static edo_poll end_wait(edo_op *op, edo_cx *cx, int64_t result)
{
    edo__source *source = wait_op_of(op)->source;
    if (source) {
        edo__source_close(source, op->base.ops->name);
        edo__source_leave(source, EDO__BOTH_SIDES);
    }
    return edo__op_finish(op, cx, result);
}

enum { INTERESTS = EDO_READABLE | EDO_WRITABLE | EDO_PRIORITY }; // the values are those of poll(2)

/* Result of a wait: those of the requested events that are ready. After a hang-up or an error: all
 * requested events. */
static int64_t answer_of(const edo_op *op)
{
    int64_t events = op->base.result, interest = (int64_t)wait_op_of(op)->interest;
    if (events > 0 && (events & ~(int64_t)INTERESTS)) return interest;
    return events > 0 ? events & interest : events;
}

static edo_poll wait_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    if (!edo__has_budget(cx)) return EDO_PENDING;
    wait_op *wait = wait_op_of(op);
    if (!wait->source) {
        uint64_t interest = wait->interest;
        if (cx->fate != EDO_LIVE) return end_wait(op, cx, -ECANCELED);
        if (!interest || (interest & ~(uint64_t)INTERESTS)) return end_wait(op, cx, -EINVAL);
        int rc = begin_wait(wait);
        if (rc < 0) return end_wait(op, cx, rc);
    }
    if (edo__source_drive(wait->source, op, cx) == EDO_PENDING) return EDO_PENDING;
    return end_wait(op, cx, answer_of(op));
}

static const edo_future_ops wait_ops = { .name = "edo_wait_fd", .poll = wait_poll };

edo_op edo_wait_fd(edo_fd fd, int interest)
{
    bool reads = interest & (EDO_READABLE | EDO_PRIORITY), writes = interest & EDO_WRITABLE;
    uint32_t detail = EDO__POLL;
    if (writes) detail |= reads ? EDO__DETAIL_BOTH_SIDES : EDO__DETAIL_WRITE_SIDE;
    edo_op op = edo__op(&wait_ops, NULL, NULL, 0, detail);
    wait_op_of(&op)->fd = fd;
    wait_op_of(&op)->interest = (uint32_t)interest;
    return op;
}
