/* Whole files: read, write, replace. */
#include <string.h>

#include "fs/place.h"

#include "sys/sys.h"
#include "task/op.h"

typedef struct EDO__OVERLAY whole_op {
    edo_future base;
    edo_file *dir; // edo__fs_work, once a read has begun
    const char *path;
    uint64_t size;    // bytes of a write
    const void *data; // bytes of a write, or edo_bytes *ret_bytes of a read
    void *link[2];    // for the pool
    edo__op_state state;
} whole_op;

EDO__OVERLAY_FITS(whole_op);

static whole_op *whole_of(const edo_op *op)
{
    return (whole_op *)(uintptr_t)op;
}

static edo_op make(const edo_future_ops *ops, edo_file *dir, const char *path, const void *data,
                   uint64_t size)
{
    edo__check_memory(ops->name, path, "path");
    edo__check_memory(ops->name, data, "buffer");
    if (!path || (!data && size)) return edo__op_refuse(-EINVAL);
    edo_op op = edo__op(ops, dir, NULL, size, 0);
    whole_of(&op)->path = path;
    whole_of(&op)->data = data;
    return op;
}

/* ---- reading ---- */

enum {
    AT_ONCE = 256 * 1024,    // bytes that are read on the polling thread
    PIECE = 8 * 1024 * 1024, // bytes per visit to the pool
    FIRST_ROOM = 4096,       // bytes, for files of unknown size
    MORE_ROOM = 64 * 1024,
    WAIT = 16, // ms per visit, for a pipe or a terminal without input
};

typedef struct reading {
    edo__fs_work work;
    edo_file *dir;
    const char *path;
    edo_fd fd;     // -1 before the open
    bool is_ready; // edo__file_end_open() is done: a named pipe has a writer, or had one
    edo_buffer buffer;
    edo_bytes *ret_bytes;
} reading;

static reading *reading_of(edo__fs_work *work)
{
    return edo__container(work, reading, work);
}

/* Makes room for one byte more than the file has. If a read does not fill this room, it has met the
 * end of the file. */
static int reserve_for(edo_buffer *buffer, uint64_t size)
{
    if (size >= SIZE_MAX / 2) return -EFBIG;
    return edo_buffer_reserve(buffer, size ? (size_t)size + 1 : FIRST_ROOM);
}

static int make_room(edo_buffer *buffer)
{
    if (edo_buffer_room(buffer)) return 0;
    if (buffer->size > SIZE_MAX / 4) return -EFBIG;
    size_t more = buffer->size > MORE_ROOM ? buffer->size : MORE_ROOM;
    return edo_buffer_reserve(buffer, more);
}

static int64_t open_whole(reading *self)
{
    edo_info info;
    edo__file_call call = { .verb = EDO__FILE_OPEN,
                            .fd = edo__file_place(self->dir),
                            .path = self->path,
                            .flags = EDO_OPEN_READ };
    int64_t fd = edo__file_make(&call);
    if (fd < 0) return fd;
    self->fd = (edo_fd)fd;
    call = (edo__file_call){ .verb = EDO__FILE_INFO, .fd = self->fd, .data = &info };
    int64_t rc = edo__file_make(&call);
    return rc < 0 ? rc : reserve_for(&self->buffer, info.size);
}

/* Whether the file can be read. Waits up to WAIT ms for a pipe or a terminal. If the file cannot be
 * read, the caller ends the visit to the pool, so that the thread becomes free. */
static bool is_readable(reading *self)
{
    if (!self->is_ready) self->is_ready = edo__file_end_open(self->fd);
    return edo__file_wait(self->fd, false, WAIT) >= 0 && self->is_ready;
}

static int64_t read_piece(edo__fs_work *work)
{
    reading *self = reading_of(work);
    int64_t rc = self->fd < 0 ? open_whole(self) : 0;
    for (size_t begin = self->buffer.size; rc >= 0 && self->buffer.size - begin < PIECE;) {
        rc = make_room(&self->buffer);
        if (rc < 0) break;
        if (!is_readable(self)) return -EAGAIN;
        edo__file_call call = { .verb = EDO__FILE_READ,
                                .fd = self->fd,
                                .data = edo_buffer_tail(&self->buffer),
                                .size = edo_buffer_room(&self->buffer),
                                .offset = EDO__AT_POSITION };
        rc = edo__file_make(&call);
        if (rc == 0) return (int64_t)self->buffer.size;
        if (rc > 0) edo_buffer_commit(&self->buffer, (size_t)rc);
    }
    return rc < 0 ? rc : -EAGAIN;
}

static void end_reading(edo__fs_work *work, bool complete)
{
    (void)complete;
    edo__sys_close(reading_of(work)->fd);
}

static int64_t take_reading(edo__fs_work *work, edo_op *op, int64_t result)
{
    reading *self = reading_of(work);
    (void)op;
    edo__file_leave(self->dir);
    if (result >= 0)
        *self->ret_bytes = edo_buffer_freeze(&self->buffer);
    else
        edo_buffer_deinit(&self->buffer);
    edo__free(self, sizeof *self);
    return result;
}

/* fd: the open file, or -1. */
static edo_poll begin_reading(edo_op *op, edo_cx *cx, edo_fd fd)
{
    static const edo__fs_work_ops ops = { read_piece, end_reading, take_reading };
    const whole_op *whole = whole_of(op);
    reading *self = edo__alloc_zeroed(sizeof *self);
    if (!self) {
        edo__sys_close(fd);
        edo__file_leave(whole->dir);
        return edo__op_finish(op, cx, -ENOMEM);
    }
    *self = (reading){ .work = { .ops = &ops },
                       .dir = whole->dir,
                       .path = whole->path,
                       .fd = fd,
                       .ret_bytes = (edo_bytes *)(uintptr_t)whole->data };
    return edo__fs_work_begin(op, cx, &self->work);
}

/* ---- reading at once ---- */

/* Reads an open file on the polling thread, which works if the pages of the file are in the cache.
 * *ret_is_file: whether the file is a regular file; other files are not read. Returns: the number
 * of bytes; -EAGAIN: the pool must read the file; another error. */
static int64_t read_cached(edo_fd fd, edo_buffer *buffer, bool *ret_is_file)
{
    edo_info info;
    edo__file_call call = { .verb = EDO__FILE_INFO, .fd = fd, .data = &info };
    int64_t rc = edo__file_try(&call);
    if (rc < 0) return rc;
    *ret_is_file = info.kind == EDO_IS_FILE;
    if (!*ret_is_file || info.size > AT_ONCE) return -EAGAIN;
    rc = reserve_for(buffer, info.size);
    if (rc < 0) return rc;
    call = (edo__file_call){ .verb = EDO__FILE_READ,
                             .fd = fd,
                             .data = edo_buffer_tail(buffer),
                             .size = info.size ? info.size + 1 : FIRST_ROOM,
                             .offset = EDO__AT_POSITION };
    rc = edo__file_try(&call);
    if (rc < 0) return rc;
    edo_buffer_commit(buffer, (size_t)rc);
    return (uint64_t)rc == info.size ? rc : -EAGAIN; // the pool reads a file that changes
}

/* Tries to read the whole file on the polling thread. Returns: the number of bytes; -EAGAIN: the
 * pool must read the file; another error. *ret_fd: if the file is not a regular file, set to the
 * descriptor, from which the pool then reads. A named pipe must not be closed and opened again,
 * because a writer that has just found this reader could fail with EPIPE. */
static int64_t try_whole(const whole_op *self, edo_fd *ret_fd)
{
    edo_buffer buffer = { 0 };
    bool is_file = true;
    edo__file_call call = { .verb = EDO__FILE_OPEN,
                            .fd = edo__file_place(self->dir),
                            .path = self->path,
                            .flags = EDO_OPEN_READ };
    int64_t fd = edo__file_try_open(&call);
    if (fd < 0) return fd;
    int64_t n = read_cached((edo_fd)fd, &buffer, &is_file);
    if (is_file)
        edo__sys_close((edo_fd)fd);
    else
        *ret_fd = (edo_fd)fd;
    if (n >= 0)
        *(edo_bytes *)(uintptr_t)self->data = edo_buffer_freeze(&buffer);
    else
        edo_buffer_deinit(&buffer);
    return n;
}

static edo_poll read_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    const whole_op *self = whole_of(op);
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (edo__fs_work_is_begun(op)) return edo__fs_work_poll(op, cx);
    int64_t n = cx->fate == EDO_LIVE ? edo__file_enter(self->dir, op->base.ops->name) : -ECANCELED;
    if (n < 0) return edo__op_finish(op, cx, n);
    edo_fd fd = -1;
    n = try_whole(self, &fd);
    if (n == -EAGAIN || n == -EOPNOTSUPP) return begin_reading(op, cx, fd);
    edo__sys_close(fd);
    edo__file_leave(self->dir);
    edo__use_work(cx, n);
    return edo__op_finish(op, cx, n);
}

edo_op edo_file_read_whole_at(edo_file *dir, const char *path, edo_bytes *ret_bytes)
{
    static const edo_future_ops ops = { .name = "edo_file_read_whole", .poll = read_poll };
    if (!ret_bytes) return edo__op_refuse(-EINVAL);
    return make(&ops, dir, path, ret_bytes, 0);
}

edo_op edo_file_read_whole(const char *path, edo_bytes *ret_bytes)
{
    return edo_file_read_whole_at(NULL, path, ret_bytes);
}

/* ---- writing ---- */

static int64_t run_write(edo_op *op)
{
    const whole_op *self = whole_of(op);
    edo__file_call call = { .verb = EDO__FILE_OPEN,
                            .fd = edo__file_place(self->dir),
                            .path = self->path,
                            .flags = EDO_OPEN_WRITE | EDO_OPEN_CREATE | EDO_OPEN_TRUNCATE,
                            .mode = 0666 };
    int64_t fd = edo__file_make(&call);
    if (fd < 0) return fd;
    int64_t rc = edo__place_write((edo_fd)fd, self->data, self->size);
    edo__sys_close((edo_fd)fd);
    return rc;
}

static const edo__fs_kind write_kind = EDO__FS_KIND("edo_file_write_whole", .run = run_write,
                                                    .waits = true);

edo_op edo_file_write_whole_at(edo_file *dir, const char *path, const void *data, size_t size)
{
    return make(&write_kind.future, dir, path, data, size);
}

edo_op edo_file_write_whole(const char *path, const void *data, size_t size)
{
    return edo_file_write_whole_at(NULL, path, data, size);
}

/* ---- replacing ---- */

/* Gives the new file the owner and the permissions of the old file. If the system refuses to change
 * the user, still tries to change the group. */
static int64_t copy_owner(edo_fd fd, const edo_info *old)
{
    edo__file_call call = {
        .verb = EDO__FILE_OWNER, .fd = fd, .size = old->user, .offset = old->group
    };
    if (edo__file_make(&call) < 0) {
        call.size = EDO_SAME;
        edo__file_make(&call);
    }
    return edo__place_set_mode(fd, old);
}

static int64_t fill_place(const whole_op *self, edo__place *place, const edo_info *old)
{
    int64_t rc = edo__place_write(place->fd, self->data, self->size);
    if (rc >= 0 && old) rc = copy_owner(place->fd, old);
    edo__file_call call = { .verb = EDO__FILE_SYNC, .fd = place->fd };
    return rc < 0 ? rc : edo__file_make(&call);
}

static int64_t run_replace(edo_op *op)
{
    const whole_op *self = whole_of(op);
    edo__place place;
    edo_info old;
    edo__file_call call = { .verb = EDO__FILE_INFO,
                            .fd = edo__file_place(self->dir),
                            .path = self->path,
                            .flags = EDO__PATH_NO_FOLLOW,
                            .data = &old };
    bool is_new = edo__file_make(&call) < 0 || old.kind != EDO_IS_FILE;
    int64_t rc = edo__place_open(&place, call.fd, self->path, is_new ? 0666 : 0600);
    if (rc < 0) return rc;
    rc = fill_place(self, &place, is_new ? NULL : &old);
    if (rc >= 0) return edo__place_commit(&place, true, true);
    edo__place_abandon(&place);
    return rc;
}

static const edo__fs_kind replace_kind = EDO__FS_KIND("edo_file_replace", .run = run_replace);

edo_op edo_file_replace_at(edo_file *dir, const char *path, const void *data, size_t size)
{
    return make(&replace_kind.future, dir, path, data, size);
}

edo_op edo_file_replace(const char *path, const void *data, size_t size)
{
    return edo_file_replace_at(NULL, path, data, size);
}
