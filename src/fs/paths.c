/* Operations on names. Most of them are one system call. */
#include "fs/fs.h"

#include "task/op.h"

/* ---- one path ---- */

typedef struct EDO__OVERLAY path_op {
    edo_future base;
    edo_file *dir;
    const char *path;
    uint64_t first, second; // further arguments; their meaning depends on the verb
    void *link[2];          // for the pool
    edo__op_state state;
} path_op;

EDO__OVERLAY_FITS(path_op);

static path_op *path_of(const edo_op *op)
{
    return (path_op *)(uintptr_t)op;
}

static void *pointer_of(uint64_t argument)
{
    return (void *)(uintptr_t)argument; // NOLINT: `argument` holds a pointer
}

enum { NO_FOLLOW = 1 << 8 }; // in edo_op.detail, whose first byte is the verb

static void describe(const edo_op *op, edo__file_call *call)
{
    const path_op *self = path_of(op);
    call->verb = (edo__file_verb)(op->detail & 0xff);
    call->fd = edo__file_place(self->dir);
    call->path = self->path;
    call->flags = op->detail & NO_FOLLOW ? EDO__PATH_NO_FOLLOW : 0;
    call->mode = (uint32_t)self->first;
    call->size = self->first;
    call->offset = self->second;
}

/* Describes a call whose argument `second` is a pointer to memory. */
static void describe_data(const edo_op *op, edo__file_call *call)
{
    describe(op, call);
    call->data = pointer_of(path_of(op)->second);
}

static edo_op make(const edo__fs_kind *kind, edo_file *dir, const char *path, uint64_t first,
                   uint64_t second, uint32_t detail)
{
    edo__check_memory(kind->future.name, path, "path");
    if (!path) return edo__op_refuse(-EINVAL);
    edo_op op = edo__op(&kind->future, dir, NULL, first, detail);
    path_of(&op)->path = path;
    path_of(&op)->second = second;
    return op;
}

static const edo__fs_kind remove_kind = EDO__FS_KIND("edo_path_remove", .describe = describe);
static const edo__fs_kind remove_dir_kind = EDO__FS_KIND("edo_path_remove_dir",
                                                         .describe = describe);
static const edo__fs_kind make_dir_kind = EDO__FS_KIND("edo_path_make_dir", .describe = describe);

edo_op edo_path_remove_at(edo_file *dir, const char *path)
{
    return make(&remove_kind, dir, path, 0, 0, EDO__PATH_REMOVE);
}

edo_op edo_path_remove(const char *path)
{
    return edo_path_remove_at(NULL, path);
}

edo_op edo_path_remove_dir_at(edo_file *dir, const char *path)
{
    return make(&remove_dir_kind, dir, path, 0, 0, EDO__PATH_REMOVE_DIR);
}

edo_op edo_path_remove_dir(const char *path)
{
    return edo_path_remove_dir_at(NULL, path);
}

edo_op edo_path_make_dir_at(edo_file *dir, const char *path, uint32_t mode)
{
    return make(&make_dir_kind, dir, path, mode, 0, EDO__PATH_MAKE_DIR);
}

enum { DIR_MODE = 0777 };

edo_op edo_path_make_dir(const char *path)
{
    return edo_path_make_dir_at(NULL, path, DIR_MODE);
}

/* ---- metadata ---- */

static const edo__fs_kind info_kind = EDO__FS_KIND("edo_path_info", .describe = describe_data);
static const edo__fs_kind link_info_kind = EDO__FS_KIND("edo_path_link_info",
                                                        .describe = describe_data);

static edo_op read_info(const edo__fs_kind *kind, edo_file *dir, const char *path,
                        edo_info *ret_info, uint32_t detail)
{
    edo__check_memory(kind->future.name, ret_info, "output");
    if (!ret_info) return edo__op_refuse(-EINVAL);
    return make(kind, dir, path, 0, (uintptr_t)ret_info, EDO__FILE_INFO | detail);
}

edo_op edo_path_info_at(edo_file *dir, const char *path, edo_info *ret_info)
{
    return read_info(&info_kind, dir, path, ret_info, 0);
}

edo_op edo_path_info(const char *path, edo_info *ret_info)
{
    return read_info(&info_kind, NULL, path, ret_info, 0);
}

edo_op edo_path_link_info_at(edo_file *dir, const char *path, edo_info *ret_info)
{
    return read_info(&link_info_kind, dir, path, ret_info, NO_FOLLOW);
}

edo_op edo_path_link_info(const char *path, edo_info *ret_info)
{
    return read_info(&link_info_kind, NULL, path, ret_info, NO_FOLLOW);
}

edo_op edo_path_set_mode_at(edo_file *dir, const char *path, uint32_t mode)
{
    static const edo__fs_kind kind = EDO__FS_KIND("edo_path_set_mode", .describe = describe);
    return make(&kind, dir, path, mode, 0, EDO__FILE_MODE);
}

edo_op edo_path_set_owner_at(edo_file *dir, const char *path, uint32_t user, uint32_t group)
{
    static const edo__fs_kind kind = EDO__FS_KIND("edo_path_set_owner", .describe = describe);
    return make(&kind, dir, path, user, group, EDO__FILE_OWNER | NO_FOLLOW);
}

static void describe_times(const edo_op *op, edo__file_call *call)
{
    describe(op, call);
    call->data = pointer_of(path_of(op)->first);
    call->path2 = pointer_of(path_of(op)->second);
}

edo_op edo_path_set_times_at(edo_file *dir, const char *path, const edo_file_time *access,
                             const edo_file_time *change)
{
    static const edo__fs_kind kind = EDO__FS_KIND("edo_path_set_times", .describe = describe_times);
    edo__check_memory("edo_path_set_times", access, "time");
    edo__check_memory("edo_path_set_times", change, "time");
    return make(&kind, dir, path, (uintptr_t)access, (uintptr_t)change,
                EDO__FILE_TIMES | NO_FOLLOW);
}

edo_op edo_path_space(const char *path, edo_disk_space *ret_space)
{
    static const edo__fs_kind kind = EDO__FS_KIND("edo_path_space", .describe = describe_data);
    edo__check_memory("edo_path_space", ret_space, "output");
    if (!ret_space) return edo__op_refuse(-EINVAL);
    return make(&kind, NULL, path, 0, (uintptr_t)ret_space, EDO__PATH_SPACE);
}

/* ---- symlinks ---- */

static void describe_symlink(const edo_op *op, edo__file_call *call)
{
    describe(op, call);
    call->path2 = pointer_of(path_of(op)->second);
}

edo_op edo_path_symlink_at(const char *target, edo_file *dir, const char *path)
{
    static const edo__fs_kind kind = EDO__FS_KIND("edo_path_symlink", .describe = describe_symlink);
    edo__check_memory("edo_path_symlink", target, "target");
    if (!target) return edo__op_refuse(-EINVAL);
    return make(&kind, dir, path, 0, (uintptr_t)target, EDO__PATH_SYMLINK);
}

edo_op edo_path_symlink(const char *target, const char *path)
{
    return edo_path_symlink_at(target, NULL, path);
}

/* Adds the NUL. A text that fills the memory is an error, because the system may have cut the
 * text. */
static int64_t end_text(edo_op *op, int64_t result)
{
    if (result < 0) return result;
    if ((uint64_t)result >= path_of(op)->first) return -ENAMETOOLONG;
    ((char *)pointer_of(path_of(op)->second))[result] = '\0';
    return result;
}

edo_op edo_path_read_link_at(edo_file *dir, const char *path, char *buffer, size_t size)
{
    static const edo__fs_kind kind = EDO__FS_KIND("edo_path_read_link", .describe = describe_data,
                                                  .end = end_text);
    edo__check_memory("edo_path_read_link", buffer, "buffer");
    if (!buffer || !size) return edo__op_refuse(-EINVAL);
    return make(&kind, dir, path, size, (uintptr_t)buffer, EDO__PATH_READ_LINK);
}

edo_op edo_path_read_link(const char *path, char *buffer, size_t size)
{
    return edo_path_read_link_at(NULL, path, buffer, size);
}

static int64_t run_canonical(edo_op *op)
{
    const path_op *self = path_of(op);
    return edo__file_canonical(self->path, pointer_of(self->second), self->first);
}

edo_op edo_path_canonical(const char *path, char *buffer, size_t size)
{
    static const edo__fs_kind kind = EDO__FS_KIND("edo_path_canonical", .run = run_canonical,
                                                  .end = end_text);
    edo__check_memory("edo_path_canonical", buffer, "buffer");
    if (!buffer || !size) return edo__op_refuse(-EINVAL);
    return make(&kind, NULL, path, size, (uintptr_t)buffer, 0);
}

/* ---- two paths ---- */

typedef struct EDO__OVERLAY pair_op {
    edo_future base;
    edo_file *from_dir; // directory of `from`, or the file of an edo_file_link()
    const char *from;   // NULL: from_dir is the file
    uint64_t to_dir;    // an edo_file *, see edo__fs_kind.has_two
    const char *to;
    void *link[2]; // for the pool
    edo__op_state state;
} pair_op;

EDO__OVERLAY_FITS(pair_op);
_Static_assert(offsetof(pair_op, to_dir) == offsetof(edo_op, length), "edo__fs_kind.has_two");

static pair_op *pair_of(const edo_op *op)
{
    return (pair_op *)(uintptr_t)op;
}

/* The second byte of detail holds the flags. */
static void describe_pair(const edo_op *op, edo__file_call *call)
{
    const pair_op *self = pair_of(op);
    call->verb = (edo__file_verb)(op->detail & 0xff);
    call->flags = op->detail >> 8 & 0xff;
    call->fd = edo__file_place(self->from_dir);
    call->fd2 = edo__file_place(pointer_of(self->to_dir));
    call->path = self->from;
    call->path2 = self->to;
}

static edo_op make_pair(const edo__fs_kind *kind, edo_file *from_dir, const char *from,
                        edo_file *to_dir, const char *to, uint32_t detail)
{
    edo__check_memory(kind->future.name, from, "path");
    edo__check_memory(kind->future.name, to, "path");
    edo_op op = edo__op(&kind->future, from_dir, NULL, (uintptr_t)to_dir, detail);
    pair_of(&op)->from = from;
    pair_of(&op)->to = to;
    return op;
}

edo_op edo_path_rename_at(edo_file *from_dir, const char *from, edo_file *to_dir, const char *to,
                          uint32_t flags)
{
    static const edo__fs_kind kind = EDO__FS_KIND("edo_path_rename", .describe = describe_pair,
                                                  .has_two = true);
    const uint32_t all = EDO_RENAME_NO_REPLACE | EDO_RENAME_EXCHANGE;
    if (!from || !to || (flags & ~all) || flags == all) return edo__op_refuse(-EINVAL);
    return make_pair(&kind, from_dir, from, to_dir, to, EDO__PATH_RENAME | flags << 8);
}

edo_op edo_path_rename(const char *from, const char *to)
{
    return edo_path_rename_at(NULL, from, NULL, to, 0);
}

static const edo__fs_kind link_kind = EDO__FS_KIND("edo_path_link", .describe = describe_pair,
                                                   .has_two = true);

edo_op edo_path_link_at(edo_file *from_dir, const char *from, edo_file *to_dir, const char *to)
{
    if (!from || !to) return edo__op_refuse(-EINVAL);
    return make_pair(&link_kind, from_dir, from, to_dir, to, EDO__PATH_LINK);
}

edo_op edo_path_link(const char *from, const char *to)
{
    return edo_path_link_at(NULL, from, NULL, to);
}

edo_op edo_file_link(edo_file *file, edo_file *dir, const char *path)
{
    static const edo__fs_kind kind = EDO__FS_KIND("edo_file_link", .describe = describe_pair,
                                                  .has_two = true);
    if (!file || !path) return edo__op_refuse(-EINVAL);
    return make_pair(&kind, file, NULL, dir, path, EDO__PATH_LINK);
}

/* ---- directories above ---- */

enum { PATH_MAX_SIZE = 4096 }; // PATH_MAX of Linux

static int64_t make_dir(const path_op *self, const char *path)
{
    edo__file_call call = { .verb = EDO__PATH_MAKE_DIR,
                            .fd = edo__file_place(self->dir),
                            .path = path,
                            .mode = (uint32_t)self->first };
    int64_t rc = edo__file_make(&call);
    return rc == -EEXIST ? 1 : rc;
}

/* Makes the directories above the last directory of the path, from the top down. */
static int64_t make_parents(const path_op *self, char *path)
{
    int64_t rc = 0;
    for (char *slash = path + 1; rc >= 0 && *slash; slash++) {
        if (*slash != '/' || slash[-1] == '/') continue;
        *slash = '\0';
        rc = make_dir(self, path);
        *slash = '/';
    }
    return rc;
}

static int64_t check_is_dir(const path_op *self)
{
    edo_info info;
    edo__file_call call = {
        .verb = EDO__FILE_INFO, .fd = edo__file_place(self->dir), .path = self->path, .data = &info
    };
    int64_t rc = edo__file_make(&call);
    return rc < 0 ? rc : info.kind == EDO_IS_DIRECTORY ? 0 : -EEXIST;
}

static int64_t run_make_dirs(edo_op *op)
{
    const path_op *self = path_of(op);
    char path[PATH_MAX_SIZE];
    size_t size = strlen(self->path);
    int64_t rc = make_dir(self, self->path);
    if (rc == -ENOENT && size) {
        if (size >= sizeof path) return -ENAMETOOLONG;
        memcpy(path, self->path, size + 1);
        rc = make_parents(self, path);
        if (rc >= 0) rc = make_dir(self, self->path);
    }
    return rc == 1 ? check_is_dir(self) : rc;
}

static const edo__fs_kind make_dirs_kind = EDO__FS_KIND("edo_path_make_dirs", .run = run_make_dirs);

edo_op edo_path_make_dirs_at(edo_file *dir, const char *path, uint32_t mode)
{
    return make(&make_dirs_kind, dir, path, mode, 0, 0);
}

edo_op edo_path_make_dirs(const char *path)
{
    return edo_path_make_dirs_at(NULL, path, DIR_MODE);
}
