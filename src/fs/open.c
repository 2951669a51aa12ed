/* Opening files. */
#include "fs/fs.h"

#include "sys/sys.h"
#include "task/op.h"

enum { DEFAULT_MODE = 0666, TEMPORARY_MODE = 0600 };

/* The first poll makes the edo_file, before it opens the descriptor. */
typedef struct EDO__OVERLAY open_op {
    edo_future base;
    edo_file *dir;
    const char *path;
    uint64_t how;  // EDO_OPEN_*; the mode begins at bit 32
    void *ret;     // edo_file **; once EDO__FS_ENTERED is set, the edo_file
    void *link[2]; // for the pool or the driver
    edo__op_state state;
} open_op;

EDO__OVERLAY_FITS(open_op);

static open_op *open_of(const edo_op *op)
{
    return (open_op *)(uintptr_t)op;
}

static void describe(const edo_op *op, edo__file_call *call)
{
    const open_op *self = open_of(op);
    call->verb = EDO__FILE_OPEN;
    call->fd = edo__file_place(self->dir);
    call->path = self->path;
    call->flags = (uint32_t)self->how;
    call->mode = (uint32_t)(self->how >> 32);
}

static int64_t run_open(edo_op *op)
{
    edo__file_call call = { 0 };
    describe(op, &call);
    return edo__file_make(&call);
}

/* Makes the edo_file, and tries to open its descriptor. Returns: 0: the descriptor is open;
 * -EAGAIN: the open must be made on the pool; another error. */
static int64_t begin(open_op *self, edo_op *op)
{
    edo__file_call call = { 0 };
    int rc = edo__file_check_open((uint32_t)self->how);
    if (rc < 0) return rc;
    edo_file *file = edo__file_create((uint32_t)self->how);
    if (!file) return -ENOMEM;
    rc = edo__file_enter(self->dir, op->base.ops->name);
    if (rc < 0) {
        edo__file_discard(file);
        return rc;
    }
    file->ret_file = self->ret;
    self->ret = file;
    op->detail |= EDO__FS_ENTERED;
    describe(op, &call);
    int64_t fd = edo__file_try_open(&call);
    if (fd < 0) return fd;
    file->stream.fd = (edo_fd)fd;
    return 0;
}

enum { OPENS_DIR = 1 }; // in edo_op.detail: the result is an edo_dir

/* Hands out the edo_file, or an edo_dir made of it. Returns: 0; -ENOMEM. */
static int64_t hand_out(edo_file *file, bool opens_dir)
{
    if (!opens_dir) {
        *file->ret_file = file;
        return 0;
    }
    edo_dir *dir = edo__dir_create(file);
    if (!dir) return -ENOMEM;
    *(edo_dir **)(void *)file->ret_file = dir;
    return 0;
}

static int64_t take(open_op *self, int64_t rc, bool opens_dir)
{
    edo_file *file = self->ret;
    edo__file_leave(self->dir);
    file->stream.may_be_nonblocking = true;
    if (rc >= 0) rc = hand_out(file, opens_dir);
    if (rc < 0) edo__file_discard(file);
    return rc;
}

static edo_poll finish(edo_op *op, edo_cx *cx, int64_t result)
{
    open_op *self = open_of(op);
    if (op->detail & EDO__FS_ENTERED) result = take(self, result, op->detail & OPENS_DIR);
    op->progress = 0;
    return edo__op_finish(op, cx, result);
}

/* Makes one try to open the file. Returns: EDO_PENDING; or EDO_READY with the result of the try in
 * base.result: 0; EDO__NOT_YET: the other end of a named pipe is not open; or another error. */
static edo_poll try_open(edo_op *op, edo_cx *cx)
{
    edo__file_stream *stream = &((edo_file *)open_of(op)->ret)->stream;
    if (stream->fd < 0) {
        if (edo__call_drive(op, cx, NULL, NULL, run_open) == EDO_PENDING) return EDO_PENDING;
        if (op->base.result < 0) return EDO_READY;
        stream->fd = (edo_fd)op->base.result;
    }
    op->base.result = edo__file_end_open(stream->fd) ? 0 : EDO__NOT_YET;
    return EDO_READY;
}

static edo_poll open_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!edo__call_has(op, EDO__FS_ENTERED)) {
        int64_t rc = cx->fate == EDO_LIVE ? begin(open_of(op), op) : -ECANCELED;
        if (rc < 0 && rc != -EAGAIN) return finish(op, cx, rc);
    }
    if (edo__fs_is_paused(op, cx)) return EDO_PENDING;
    if (try_open(op, cx) == EDO_PENDING) return EDO_PENDING;
    if (op->base.result != EDO__NOT_YET) return finish(op, cx, op->base.result);
    if (cx->fate != EDO_LIVE) return finish(op, cx, -ECANCELED);
    edo__fs_pause(op, cx);
    return EDO_PENDING;
}

static edo_op open_by(const edo_future_ops *ops, edo_file *dir, const char *path, uint32_t flags,
                      uint32_t mode, void *ret_file)
{
    edo__check_memory(ops->name, path, "path");
    edo__check_memory(ops->name, ret_file, "output");
    if (!path || !ret_file) return edo__op_refuse(-EINVAL);
    edo_op op = edo__op(ops, dir, NULL, flags | (uint64_t)mode << 32, 0);
    open_of(&op)->path = path;
    open_of(&op)->ret = ret_file;
    return op;
}

static const edo_future_ops open_ops = { .name = "edo_file_open", .poll = open_poll };

edo_op edo_file_open_at(edo_file *dir, const char *path, uint32_t flags, uint32_t mode,
                        edo_file **ret_file)
{
    return open_by(&open_ops, dir, path, flags, mode, ret_file);
}

edo_op edo_file_open(const char *path, uint32_t flags, edo_file **ret_file)
{
    return open_by(&open_ops, NULL, path, flags, DEFAULT_MODE, ret_file);
}

edo_op edo_file_open_temporary(const char *dir_path, edo_file **ret_file)
{
    static const edo_future_ops ops = { .name = "edo_file_open_temporary", .poll = open_poll };
    const uint32_t flags = EDO_OPEN_TEMPORARY | EDO_OPEN_READ | EDO_OPEN_WRITE;
    return open_by(&ops, NULL, dir_path, flags, TEMPORARY_MODE, ret_file);
}

edo_op edo_dir_open_at(edo_file *dir, const char *path, edo_dir **ret_dir)
{
    static const edo_future_ops ops = { .name = "edo_dir_open", .poll = open_poll };
    edo_op op = open_by(&ops, dir, path, EDO_OPEN_READ | EDO_OPEN_DIRECTORY, 0, ret_dir);
    op.detail |= OPENS_DIR;
    return op;
}

edo_op edo_dir_open(const char *path, edo_dir **ret_dir)
{
    return edo_dir_open_at(NULL, path, ret_dir);
}
