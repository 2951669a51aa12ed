/* Pipes and FIFOs. */
#include <edo/pipe.h>

#include "io/io.h"
#include "io/pause.h"
#include "sys/pipes.h"
#include "sys/sys.h"
#include "sys/transfer.h"

/* ---- pipes ---- */

int edo_pipe(edo_io **ret_reader, edo_io **ret_writer)
{
    edo_fd fds[2];
    if (!ret_reader || !ret_writer) return -EINVAL;
    int rc = edo__sys_pipe(0, fds);
    if (rc < 0) return rc;
    edo_io *reader = edo__fd_io_create(fds[0], 0);
    edo_io *writer = reader ? edo__fd_io_create(fds[1], 0) : NULL;
    if (!writer) {
        if (!reader) edo__sys_close(fds[0]);
        edo_close(reader);
        edo__sys_close(fds[1]);
        return -ENOMEM;
    }
    *ret_reader = reader;
    *ret_writer = writer;
    return 0;
}

static edo_fd descriptor_of(const edo_io *io, const char *call)
{
    if (!io) return -EINVAL;
    const edo__source *source = edo__io_source(io);
    if (!source || (source->traits & EDO__SOURCE_SOCKET)) return -ENOTSUP;
    edo__source_check(source, call);
    return source->fd;
}

int edo_pipe_capacity(const edo_io *io)
{
    edo_fd fd = descriptor_of(io, "edo_pipe_capacity");
    return fd < 0 ? fd : edo__pipe_capacity(fd);
}

int edo_pipe_set_capacity(edo_io *io, size_t bytes)
{
    edo_fd fd = descriptor_of(io, "edo_pipe_set_capacity");
    return fd < 0 ? fd : edo__pipe_set_capacity(fd, bytes);
}

/* ---- FIFOs ---- */

int edo_fifo_make(const char *path, uint32_t mode)
{
    return path ? edo__fifo_make(path, mode) : -EINVAL;
}

static int open_end(const char *path, edo__fifo_end end, edo_io **ret_io)
{
    if (!path || !ret_io) return -EINVAL;
    edo_fd fd = edo__fifo_open(path, end);
    if (fd < 0) return fd;
    edo_io *io = edo__fd_io_create(fd, end == EDO__FIFO_READER ? EDO__SOURCE_FIFO : 0);
    if (!io) {
        edo__sys_close(fd);
        return -ENOMEM;
    }
    *ret_io = io;
    return 0;
}

int edo_fifo_open_reader(const char *path, int flags, edo_io **ret_io)
{
    if (flags & ~EDO_FIFO_KEEP_OPEN) return -EINVAL;
    return open_end(path, flags ? EDO__FIFO_KEEPER : EDO__FIFO_READER, ret_io);
}

int edo_fifo_try_open_writer(const char *path, edo_io **ret_io)
{
    return open_end(path, EDO__FIFO_WRITER, ret_io);
}

/* ---- waiting for a reader ----
 *
 * The system has no usable event for "a process opens this FIFO for reading". So the operation
 * tries, pauses, and tries again. Other ways do not work:
 * - A blocking open(2) waits for a reader, but occupies a thread, and nothing can end its wait.
 * - inotify reports an open only when the open has succeeded. A reader's blocking open succeeds
 *   only when a writer opens the FIFO, so the writer would wait for the reader, and the reader for
 *   the writer.
 * - An open for both directions succeeds at once. But then the process is a reader itself, and
 *   never learns that all other readers have closed the FIFO. */

typedef struct EDO__OVERLAY open_op {
    edo_future base;
    const char *path;
    edo_io **ret_io;
    int64_t paused_until; // ns of the runtime's clock
    uint64_t progress;
    uint64_t pause; // ms; 0: no pause yet
    void *reserved;
    edo__op_state state;
} open_op;

EDO__OVERLAY_FITS(open_op);

static open_op *open_of(const edo_op *op)
{
    return (open_op *)(uintptr_t)op;
}

static edo_poll open_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    open_op *self = open_of(op);
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (cx->fate != EDO_LIVE) return edo__op_finish(op, cx, -ECANCELED);
    if (edo__is_paused(cx, self->paused_until)) return EDO_PENDING;
    int rc = open_end(self->path, EDO__FIFO_WRITER, self->ret_io);
    if (rc != -ENXIO) return edo__op_finish(op, cx, rc);
    self->pause = edo__pause(cx, (uint32_t)self->pause, &self->paused_until);
    return EDO_PENDING;
}

static const edo_future_ops open_ops = { .name = "edo_fifo_open_writer", .poll = open_poll };

edo_op edo_fifo_open_writer(const char *path, edo_io **ret_io)
{
    edo__check_memory("edo_fifo_open_writer", path, "path");
    edo__check_memory("edo_fifo_open_writer", ret_io, "output");
    if (!path || !ret_io) return edo__op_refuse(-EINVAL);
    edo_op op = edo__op(&open_ops, NULL, NULL, 0, 0);
    open_op *self = open_of(&op);
    self->path = path;
    self->ret_io = ret_io;
    self->paused_until = 0;
    self->pause = 0;
    return op;
}
