/* Operations on open files, each of which is one system call. */
#include "fs/fs.h"

#include "task/op.h"

/* Arguments of these operations, named like the members of edo__file_call. */
typedef struct EDO__OVERLAY call_op {
    edo_future base;
    edo_file *file;
    void *data;
    uint64_t size, offset;
    void *link[2]; // for the pool or the driver
    edo__op_state state;
} call_op;

EDO__OVERLAY_FITS(call_op);

static call_op *call_of(const edo_op *op)
{
    return (call_op *)(uintptr_t)op;
}

/* The lowest byte of `detail` is the verb of the call. The next byte has the flags of the call. */
static void describe(const edo_op *op, edo__file_call *call)
{
    const call_op *self = call_of(op);
    call->verb = (edo__file_verb)(op->detail & 0xff);
    call->flags = op->detail >> 8 & 0xff;
    call->fd = self->file->stream.fd;
    call->data = self->data;
    call->size = self->size;
    call->offset = self->offset;
}

static edo_op make(const edo__fs_kind *kind, edo_file *file, void *data, uint64_t size,
                   uint64_t offset, uint32_t detail)
{
    if (!file) return edo__op_refuse(-EINVAL);
    edo_op op = edo__op(&kind->future, file, data, size, detail);
    call_of(&op)->offset = offset;
    return op;
}

static uint32_t detail_of(edo__file_verb verb, uint32_t flags)
{
    return (uint32_t)verb | (flags & 0xff) << 8;
}

/* ---- the position ---- */

/* Takes the file's position for the duration of the call. */
static int check_position(edo_op *op)
{
    return edo__io_claim(&call_of(op)->file->stream.io, EDO__BOTH_SIDES, op->base.ops->name);
}

static int64_t leave_position(edo_op *op, int64_t result)
{
    edo__io_leave(&call_of(op)->file->stream.io, EDO__BOTH_SIDES);
    return result;
}

edo_op edo_file_seek(edo_file *file, int64_t offset, edo_seek from)
{
    static const edo__fs_kind kind = EDO__FS_KIND("edo_file_seek", .describe = describe,
                                                  .check = check_position, .end = leave_position);
    if ((unsigned)from > EDO_SEEK_HOLE) return edo__op_refuse(-EINVAL);
    return make(&kind, file, NULL, 0, (uint64_t)offset, detail_of(EDO__FILE_SEEK, from));
}

/* ---- size and disk ---- */

static int check_sync(edo_op *op)
{
    return edo_load_relaxed(&call_of(op)->file->sync_error);
}

/* Records the first error of a sync in the file. An error that only refuses the call, such as
 * -EINVAL, is not recorded, because no data was lost. */
static int64_t note_sync(edo_op *op, int64_t result)
{
    bool is_loss = result < 0 && result != -ECANCELED && result != -EINVAL && result != -EBADF &&
                   result != -EROFS && result != -EAGAIN && result != -ESHUTDOWN;
    int32_t none = 0;
    if (is_loss) edo_cas_relaxed(&call_of(op)->file->sync_error, &none, (int32_t)result);
    return result;
}

static const edo__fs_kind sync_kind = EDO__FS_KIND("edo_file_sync", .describe = describe,
                                                   .check = check_sync, .end = note_sync);

edo_op edo_file_sync(edo_file *file)
{
    return make(&sync_kind, file, NULL, 0, 0, detail_of(EDO__FILE_SYNC, 0));
}

edo_op edo_file_sync_data(edo_file *file)
{
    return make(&sync_kind, file, NULL, 0, 0, detail_of(EDO__FILE_SYNC_DATA, 0));
}

edo_op edo_file_truncate(edo_file *file, uint64_t size)
{
    static const edo__fs_kind kind = EDO__FS_KIND("edo_file_truncate", .describe = describe);
    return make(&kind, file, NULL, size, 0, detail_of(EDO__FILE_TRUNCATE, 0));
}

edo_op edo_file_allocate(edo_file *file, uint64_t offset, uint64_t size, uint32_t flags)
{
    static const edo__fs_kind kind = EDO__FS_KIND("edo_file_allocate", .describe = describe);
    const uint32_t all = EDO_ALLOCATE_KEEP_SIZE | EDO_ALLOCATE_PUNCH | EDO_ALLOCATE_ZERO;
    if (flags & ~all) return edo__op_refuse(-EINVAL);
    return make(&kind, file, NULL, size, offset, detail_of(EDO__FILE_ALLOCATE, flags));
}

edo_op edo_file_advise(edo_file *file, uint64_t offset, uint64_t size, edo_advice advice)
{
    static const edo__fs_kind kind = EDO__FS_KIND("edo_file_advise", .describe = describe);
    return make(&kind, file, NULL, size, offset, detail_of(EDO__FILE_ADVISE, advice));
}

/* ---- metadata ---- */

edo_op edo_file_info(edo_file *file, edo_info *ret_info)
{
    static const edo__fs_kind kind = EDO__FS_KIND("edo_file_info", .describe = describe);
    edo__check_memory("edo_file_info", ret_info, "output");
    if (!ret_info) return edo__op_refuse(-EINVAL);
    return make(&kind, file, ret_info, 0, 0, detail_of(EDO__FILE_INFO, 0));
}

static void describe_mode(const edo_op *op, edo__file_call *call)
{
    describe(op, call);
    call->mode = (uint32_t)call->size;
}

edo_op edo_file_set_mode(edo_file *file, uint32_t mode)
{
    static const edo__fs_kind kind = EDO__FS_KIND("edo_file_set_mode", .describe = describe_mode);
    return make(&kind, file, NULL, mode, 0, detail_of(EDO__FILE_MODE, 0));
}

edo_op edo_file_set_owner(edo_file *file, uint32_t user, uint32_t group)
{
    static const edo__fs_kind kind = EDO__FS_KIND("edo_file_set_owner", .describe = describe);
    return make(&kind, file, NULL, user, group, detail_of(EDO__FILE_OWNER, 0));
}

static void describe_times(const edo_op *op, edo__file_call *call)
{
    describe(op, call);
    call->path2 = (const char *)(uintptr_t)call->size; // NOLINT: `size` holds a pointer
}

edo_op edo_file_set_times(edo_file *file, const edo_file_time *access, const edo_file_time *change)
{
    static const edo__fs_kind kind = EDO__FS_KIND("edo_file_set_times", .describe = describe_times);
    edo__check_memory("edo_file_set_times", access, "time");
    edo__check_memory("edo_file_set_times", change, "time");
    return make(&kind, file, (void *)(uintptr_t)access, (uintptr_t)change, 0,
                detail_of(EDO__FILE_TIMES, 0));
}

/* ---- attributes ---- */

/* Describes a call on an attribute. `offset` holds the pointer to the attribute's name. */
static void describe_xattr(const edo_op *op, edo__file_call *call)
{
    describe(op, call);
    call->path = (const char *)(uintptr_t)call->offset; // NOLINT: `offset` holds a pointer
}

static edo_op xattr(const edo__fs_kind *kind, edo_file *file, const char *name, const void *data,
                    size_t size, edo__file_verb verb)
{
    edo__check_memory(kind->future.name, name, "name");
    edo__check_memory(kind->future.name, data, "buffer");
    if (!name) return edo__op_refuse(-EINVAL);
    return make(kind, file, (void *)(uintptr_t)data, size, (uintptr_t)name, detail_of(verb, 0));
}

edo_op edo_file_xattr_get(edo_file *file, const char *name, void *buffer, size_t size)
{
    static const edo__fs_kind kind = EDO__FS_KIND("edo_file_xattr_get", .describe = describe_xattr);
    return xattr(&kind, file, name, buffer, size, EDO__XATTR_GET);
}

edo_op edo_file_xattr_set(edo_file *file, const char *name, const void *value, size_t size)
{
    static const edo__fs_kind kind = EDO__FS_KIND("edo_file_xattr_set", .describe = describe_xattr);
    return xattr(&kind, file, name, value, size, EDO__XATTR_SET);
}

edo_op edo_file_xattr_remove(edo_file *file, const char *name)
{
    static const edo__fs_kind kind = EDO__FS_KIND("edo_file_xattr_remove",
                                                  .describe = describe_xattr);
    return xattr(&kind, file, name, NULL, 0, EDO__XATTR_REMOVE);
}

edo_op edo_file_xattr_list(edo_file *file, char *buffer, size_t size)
{
    static const edo__fs_kind kind = EDO__FS_KIND("edo_file_xattr_list", .describe = describe);
    edo__check_memory("edo_file_xattr_list", buffer, "buffer");
    return make(&kind, file, buffer, size, 0, detail_of(EDO__XATTR_LIST, 0));
}
