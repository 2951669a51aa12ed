/* Removal and copies of whole trees. */
#include <string.h>

#include "fs/copy.h"
#include "fs/target.h"
#include "fs/tree.h"

#include "sys/sys.h"
#include "task/op.h"

enum { PIECE_FILES = 256 }; // files per visit to the pool

static int64_t call_at(edo__file_verb verb, edo_fd dir, const char *path, uint32_t mode)
{
    edo__file_call call = { .verb = verb, .fd = dir, .path = path, .mode = mode };
    return edo__file_make(&call);
}

static int64_t open_dir(edo_fd dir, const char *path, bool follows)
{
    edo__file_call call = { .verb = EDO__FILE_OPEN, .fd = dir, .path = path };
    call.flags = EDO_OPEN_READ | EDO_OPEN_DIRECTORY | (follows ? 0 : EDO_OPEN_NO_FOLLOW);
    return edo__file_make(&call);
}

/* ---- removal ---- */

typedef struct removal {
    edo__fs_work work;
    edo_file *dir;
    edo__tree tree;
    bool has_begun;
    int64_t count, error; // removed names, and the first error
    size_t size;          // bytes of this struct
    char path[];
} removal;

static removal *removal_of(edo__fs_work *work)
{
    return edo__container(work, removal, work);
}

/* Records the result of a removal. A name that has disappeared is no error. */
static void note(removal *self, int64_t rc)
{
    if (rc >= 0) self->count++;
    if (rc < 0 && rc != -ENOENT && !self->error) self->error = rc;
}

static int64_t end_of(const removal *self)
{
    return self->error ? self->error : self->count;
}

/* Removes a file, or begins the removal of a directory. A directory that cannot be opened is
 * removed if it is empty. Returns: 0: the removal has begun; 1: the file was removed; a negative
 * errno. */
static int64_t begin_removal(removal *self)
{
    edo_fd dir = edo__file_place(self->dir);
    int64_t rc = call_at(EDO__PATH_REMOVE, dir, self->path, 0);
    if (rc >= 0) return 1;
    if (rc != -EISDIR && rc != -EPERM) return rc;
    int64_t fd = open_dir(dir, self->path, false);
    if (fd < 0 && call_at(EDO__PATH_REMOVE_DIR, dir, self->path, 0) >= 0) return 1; // it was empty
    if (fd < 0) return fd == -ENOTDIR ? rc : fd;
    self->has_begun = true;
    return edo__tree_open(&self->tree, (edo_fd)fd, "", 0, 0);
}

/* Handles a directory that could not be opened. If a symlink or a file has replaced the directory
 * meanwhile, removes the symlink or the file. Otherwise removes the directory if it is empty. */
static void remove_unopened(removal *self)
{
    const edo__tree *tree = &self->tree;
    bool is_replaced = tree->error == -ELOOP || tree->error == -ENOTDIR;
    edo__file_verb verb = is_replaced ? EDO__PATH_REMOVE : EDO__PATH_REMOVE_DIR;
    int64_t rc = call_at(verb, edo__tree_dir(tree), edo__tree_name(tree), 0);
    bool is_full = rc < 0 && rc != -ENOENT && !is_replaced;
    note(self, is_full ? tree->error : rc);
}

/* Handles a directory that could not be opened or read. If a read has failed, an EDO__TREE_LEAVE of
 * the directory follows. */
static void remove_failed(removal *self)
{
    if (self->tree.error_depth == self->tree.depth)
        remove_unopened(self);
    else
        note(self, self->tree.error);
}

/* Removes the present entry if it is not a directory. A directory is entered by the tree, even if
 * it has replaced another entry meanwhile. */
static void remove_entry(removal *self)
{
    edo__tree *tree = &self->tree;
    if (tree->enters) return;
    int64_t rc = call_at(EDO__PATH_REMOVE, edo__tree_dir(tree), edo__tree_name(tree), 0);
    tree->enters = rc == -EISDIR; // replaced by a directory meanwhile
    if (!tree->enters) note(self, rc);
}

static int64_t remove_piece(edo__fs_work *work)
{
    removal *self = removal_of(work);
    edo__tree *tree = &self->tree;
    int64_t event = self->has_begun ? 0 : begin_removal(self);
    if (event) return event;
    for (int files = 0; files < PIECE_FILES; files++) {
        event = edo__tree_next(tree);
        if (event < 0) return event;
        if (event == EDO__TREE_ENTRY) remove_entry(self);
        if (event == EDO__TREE_ERROR) remove_failed(self);
        if (event == EDO__TREE_LEAVE)
            note(self, call_at(EDO__PATH_REMOVE_DIR, edo__tree_dir(tree), edo__tree_name(tree), 0));
        if (event == EDO__TREE_END) {
            note(self, call_at(EDO__PATH_REMOVE_DIR, edo__file_place(self->dir), self->path, 0));
            return end_of(self);
        }
    }
    return -EAGAIN;
}

static void end_removal(edo__fs_work *work, bool complete)
{
    (void)complete;
    edo__tree_close(&removal_of(work)->tree);
}

static int64_t take_removal(edo__fs_work *work, edo_op *op, int64_t result)
{
    removal *self = removal_of(work);
    (void)op;
    edo__file_leave(self->dir);
    edo__free(self, self->size);
    return result;
}

typedef struct EDO__OVERLAY remove_op {
    edo_future base;
    edo_file *dir; // edo__fs_work, once the operation has begun
    const char *path;
    uint64_t reserved[2];
    void *link[2]; // for the pool
    edo__op_state state;
} remove_op;

EDO__OVERLAY_FITS(remove_op);

/* Whether a path ends with the name of an entry. "/", "." and ".." do not. Their removal must be
 * refused before it begins: it would remove all entries, and only then fail, because the system
 * does not remove these directories. */
static bool ends_with_name(const char *path, size_t size)
{
    size_t begin = size;
    while (begin && path[begin - 1] != '/')
        begin--;
    const char *name = path + begin;
    size_t rest = size - begin;
    bool is_dots = rest <= 2 && name[0] == '.' && name[rest - 1] == '.';
    return rest && !is_dots;
}

/* Makes a removal. Cuts slashes off the end of the path: if the path of a symlink ended with a
 * slash, the system would follow the symlink. Returns: 0; -EINVAL for "/", "." and "..";
 * -ENOMEM. */
static int make_removal(edo_file *dir, const char *path, removal **ret)
{
    static const edo__fs_work_ops ops = { remove_piece, end_removal, take_removal };
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/')
        size--;
    if (size && !ends_with_name(path, size)) return -EINVAL;
    removal *self = edo__alloc_zeroed(sizeof *self + size + 1);
    if (!self) return -ENOMEM;
    self->work.ops = &ops;
    self->dir = dir;
    self->size = sizeof *self + size + 1;
    memcpy(self->path, path, size);
    *ret = self;
    return 0;
}

static edo_poll remove_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    const remove_op *self = (const remove_op *)(const void *)op;
    removal *made = NULL;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (edo__fs_work_is_begun(op)) return edo__fs_work_poll(op, cx);
    int rc = cx->fate == EDO_LIVE ? edo__file_enter(self->dir, op->base.ops->name) : -ECANCELED;
    if (rc < 0) return edo__op_finish(op, cx, rc);
    rc = make_removal(self->dir, self->path, &made);
    if (rc == 0) return edo__fs_work_begin(op, cx, &made->work);
    edo__file_leave(self->dir);
    return edo__op_finish(op, cx, rc);
}

edo_op edo_path_remove_tree_at(edo_file *dir, const char *path)
{
    static const edo_future_ops ops = { .name = "edo_path_remove_tree", .poll = remove_poll };
    edo__check_memory("edo_path_remove_tree", path, "path");
    return path ? edo__op(&ops, dir, (void *)(uintptr_t)path, 0, 0) : edo__op_refuse(-EINVAL);
}

edo_op edo_path_remove_tree(const char *path)
{
    return edo_path_remove_tree_at(NULL, path);
}

/* ---- copies ---- */

typedef struct copying {
    edo__fs_work work;
    const char *from, *to;
    uint32_t flags;
    edo__tree tree; // walk through the source, if it is a tree
    bool is_tree, has_begun, has_file;
    edo__copy file;       // the file that is being copied, if `has_file`
    edo__target target;   // present directory of the copy, if `is_tree`
    edo_info target_info; // identity of the copy's root
    int64_t count, error;
} copying;

static copying *copying_of(edo__fs_work *work)
{
    return edo__container(work, copying, work);
}

static void note_copy(copying *self, int64_t rc)
{
    if (rc >= 0) self->count++;
    if (rc < 0 && !self->error) self->error = rc;
}

static int64_t close_file(copying *self, int64_t rc)
{
    int64_t closed = edo__copy_close(&self->file, rc >= 0);
    self->has_file = false;
    return rc < 0 ? rc : closed;
}

static int64_t file_piece(copying *self)
{
    int64_t rc = 0;
    if (!self->has_file)
        rc = edo__copy_open(&self->file, EDO__HERE, self->from, EDO__HERE, self->to, self->flags);
    if (rc < 0) return rc;
    self->has_file = true;
    rc = edo__copy_piece(&self->file);
    if (rc == -EAGAIN) return rc;
    rc = close_file(self, rc);
    return rc < 0 ? rc : (int64_t)self->file.info.size;
}

/* ---- copies of trees ---- */

static int64_t make_dir(const copying *self, edo_fd dir, const char *path)
{
    int64_t rc = call_at(EDO__PATH_MAKE_DIR, dir, path, 0700);
    return rc == -EEXIST && (self->flags & EDO_COPY_REPLACE) ? 0 : rc;
}

static int64_t begin_copying(copying *self)
{
    int64_t fd = open_dir(EDO__HERE, self->from, true);
    if (fd < 0) return fd;
    int64_t rc = make_dir(self, EDO__HERE, self->to);
    if (rc >= 0) rc = open_dir(EDO__HERE, self->to, true);
    if (rc < 0) {
        edo__sys_close((edo_fd)fd);
        return rc;
    }
    self->target = edo__target_at((edo_fd)rc);
    self->has_begun = true;
    edo__file_call call = { .verb = EDO__FILE_INFO, .fd = self->target.fd };
    call.data = &self->target_info;
    edo__file_make(&call);
    return edo__tree_open(&self->tree, (edo_fd)fd, "", 0, 0);
}

/* Inspects the present entry of the source. Does not follow a symlink. */
static int64_t inspect_entry(const copying *self, edo_info *ret_info)
{
    edo__file_call call = { .verb = EDO__FILE_INFO,
                            .fd = edo__tree_dir(&self->tree),
                            .path = edo__tree_name(&self->tree),
                            .flags = EDO__PATH_NO_FOLLOW,
                            .data = ret_info };
    return edo__file_make(&call);
}

/* Sets the owner and the times of a symlink, which has no permissions. */
static int64_t copy_link_metadata(const copying *self)
{
    edo_info info;
    int64_t rc = inspect_entry(self, &info);
    edo__file_call call = { .fd = self->target.fd,
                            .path = edo__tree_name(&self->tree),
                            .flags = EDO__PATH_NO_FOLLOW };
    if (rc >= 0 && (self->flags & EDO_COPY_OWNER)) {
        call.verb = EDO__FILE_OWNER;
        call.size = info.user;
        call.offset = info.group;
        rc = edo__file_make(&call);
    }
    if (rc < 0) return rc;
    call.verb = EDO__FILE_TIMES;
    call.data = &info.access;
    call.path2 = (const char *)&info.change;
    return edo__file_make(&call);
}

static int64_t make_link(const copying *self)
{
    enum { TARGET_SIZE = 4096 };
    char target[TARGET_SIZE + 1];
    edo__file_call call = { .verb = EDO__PATH_READ_LINK,
                            .fd = edo__tree_dir(&self->tree),
                            .path = edo__tree_name(&self->tree),
                            .data = target,
                            .size = TARGET_SIZE };
    int64_t size = edo__file_make(&call);
    if (size < 0) return size;
    target[size] = '\0';
    call = (edo__file_call){ .verb = EDO__PATH_SYMLINK,
                             .fd = self->target.fd,
                             .path = edo__tree_name(&self->tree),
                             .path2 = target };
    int64_t rc = edo__file_make(&call);
    if (rc != -EEXIST || !(self->flags & EDO_COPY_REPLACE)) return rc;
    call_at(EDO__PATH_REMOVE, call.fd, call.path, 0);
    return edo__file_make(&call);
}

static void copy_link(copying *self)
{
    int64_t rc = make_link(self);
    note_copy(self, rc < 0 ? rc : copy_link_metadata(self));
}

/* Makes a directory of the copy. Skips the entry if it is the root of the copy itself, which
 * happens if the copy lies in the tree that is copied. */
static void enter_dir(copying *self)
{
    edo_info info;
    const char *name = edo__tree_name(&self->tree);
    bool is_copy = inspect_entry(self, &info) >= 0 && info.inode == self->target_info.inode &&
                   info.device == self->target_info.device;
    if (is_copy) {
        self->tree.enters = false;
        return;
    }
    int64_t rc = make_dir(self, self->target.fd, name);
    if (rc >= 0) rc = edo__target_open(&self->target, name);
    self->tree.enters = rc >= 0;
    note_copy(self, rc);
}

static void begin_file(copying *self)
{
    int64_t rc = edo__copy_open(&self->file, edo__tree_dir(&self->tree),
                                edo__tree_name(&self->tree), self->target.fd,
                                edo__tree_name(&self->tree), self->flags | EDO__COPY_IN_TREE);
    self->has_file = rc >= 0;
    if (rc < 0) note_copy(self, rc);
}

static void copy_entry(copying *self)
{
    switch (self->tree.entry.kind) {
    case EDO_IS_DIRECTORY: enter_dir(self); break;
    case EDO_IS_FILE: begin_file(self); break;
    case EDO_IS_SYMLINK: copy_link(self); break;
    default: break;
    }
}

/* Copies the metadata of an open directory. Returns: 0; a negative errno. */
static int64_t copy_dir_metadata(const copying *self, edo_fd from, edo_fd to)
{
    edo_info info;
    edo__file_call call = { .verb = EDO__FILE_INFO, .fd = from, .data = &info };
    int64_t rc = edo__file_make(&call);
    return rc < 0 ? rc : edo__copy_metadata(from, to, &info, self->flags);
}

/* Sets the attributes, permissions and times of a directory of the copy. Called after all entries
 * were copied, because the copies of the entries change the times of the directory, and would get a
 * default access list from its attributes. from, name: path of the directory in the source. */
static void finish_dir(copying *self, edo_fd from, const char *name, edo_fd to)
{
    int64_t fd = open_dir(from, name, from == EDO__HERE); // only the root may be behind a symlink
    int64_t rc = fd < 0 ? fd : copy_dir_metadata(self, (edo_fd)fd, to);
    if (fd >= 0) edo__sys_close((edo_fd)fd);
    if (rc < 0) note_copy(self, rc);
}

/* Leaves a directory of the copy. First returns to the directory above, and then sets the
 * permissions of the left directory, because these may forbid the way back. Returns: 0; an error,
 * which ends the copy. */
static int64_t leave_dir(copying *self)
{
    int64_t error;
    edo_fd left = edo__target_leave(&self->target, &error);
    if (left < 0) return left;
    finish_dir(self, edo__tree_dir(&self->tree), edo__tree_name(&self->tree), left);
    edo__sys_close(left);
    return error;
}

static void copy_file_on(copying *self)
{
    int64_t rc = edo__copy_piece(&self->file);
    if (rc != -EAGAIN) note_copy(self, close_file(self, rc));
}

/* Number of levels below the root. */
static uint32_t depth_of(const edo__tree *tree)
{
    return tree->depth ? tree->depth - 1 : 0;
}

/* Uses one event of the walk. Returns: 0; an error that ends the copy. */
static int64_t show(copying *self, int64_t event)
{
    if (event == EDO__TREE_LEAVE) return leave_dir(self);
    edo__target_forget(&self->target);
    if (event == EDO__TREE_ENTRY) copy_entry(self);
    if (event == EDO__TREE_ERROR) note_copy(self, self->tree.error);
    return 0;
}

/* Makes one step. Returns: whether there is more; if not, *ret_rc has the result. */
static bool copy_step(copying *self, int64_t *ret_rc)
{
    edo__tree *tree = &self->tree;
    if (self->has_file) {
        copy_file_on(self);
        return true;
    }
    int64_t event = edo__tree_next(tree), rc = edo__target_follow(&self->target, depth_of(tree));
    if (event > EDO__TREE_END && rc == 0) rc = show(self, event);
    if (rc < 0) event = rc;
    if (event > EDO__TREE_END) return true;
    if (event == EDO__TREE_END) finish_dir(self, EDO__HERE, self->from, self->target.fd);
    *ret_rc = event < 0 ? event : self->error ? self->error : self->count;
    return false;
}

static int64_t tree_piece(copying *self)
{
    int64_t rc = self->has_begun ? 0 : begin_copying(self);
    if (rc < 0) return rc;
    uint64_t offset = 0;
    for (int files = 0; files < PIECE_FILES; files++) {
        if (!copy_step(self, &rc)) return rc;
        offset = self->has_file ? self->file.offset : 0;
        if (offset) break; // the file is large
    }
    return -EAGAIN;
}

static int64_t copy_piece(edo__fs_work *work)
{
    copying *self = copying_of(work);
    return self->is_tree ? tree_piece(self) : file_piece(self);
}

static void end_copying(edo__fs_work *work, bool complete)
{
    copying *self = copying_of(work);
    (void)complete;
    if (self->has_file) edo__copy_close(&self->file, false);
    if (self->is_tree) edo__tree_close(&self->tree);
    edo__target_close(&self->target);
}

static int64_t take_copying(edo__fs_work *work, edo_op *op, int64_t result)
{
    (void)op;
    edo__free(copying_of(work), sizeof(copying));
    return result;
}

typedef struct EDO__OVERLAY copy_op {
    edo_future base;
    const char *from; // edo__fs_work, once the operation has begun
    const char *to;
    uint64_t flags, reserved;
    void *link[2]; // for the pool
    edo__op_state state;
} copy_op;

EDO__OVERLAY_FITS(copy_op);

enum { COPIES_TREE = 1 }; // in edo_op.detail

static edo_poll copy_poll(edo_future *future, edo_cx *cx)
{
    static const edo__fs_work_ops ops = { copy_piece, end_copying, take_copying };
    edo_op *op = edo__op_of(future);
    const copy_op *self = (const copy_op *)(const void *)op;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (edo__fs_work_is_begun(op)) return edo__fs_work_poll(op, cx);
    if (cx->fate != EDO_LIVE) return edo__op_finish(op, cx, -ECANCELED);
    copying *made = edo__alloc_zeroed(sizeof *made);
    if (!made) return edo__op_finish(op, cx, -ENOMEM);
    made->work.ops = &ops;
    made->from = self->from;
    made->to = self->to;
    made->flags = (uint32_t)self->flags;
    made->is_tree = op->detail & COPIES_TREE;
    made->target = edo__target_at(-1);
    return edo__fs_work_begin(op, cx, &made->work);
}

static edo_op make_copy(const edo_future_ops *ops, const char *from, const char *to, uint32_t flags,
                        uint32_t detail)
{
    const uint32_t all = EDO_COPY_REPLACE | EDO_COPY_NO_SHARING | EDO_COPY_OWNER;
    edo__check_memory(ops->name, from, "path");
    edo__check_memory(ops->name, to, "path");
    if (!from || !to || (flags & ~all)) return edo__op_refuse(-EINVAL);
    return edo__op(ops, (void *)(uintptr_t)from, (void *)(uintptr_t)to, flags, detail);
}

edo_op edo_path_copy(const char *from, const char *to, uint32_t flags)
{
    static const edo_future_ops ops = { .name = "edo_path_copy", .poll = copy_poll };
    return make_copy(&ops, from, to, flags, 0);
}

edo_op edo_path_copy_tree(const char *from, const char *to, uint32_t flags)
{
    static const edo_future_ops ops = { .name = "edo_path_copy_tree", .poll = copy_poll };
    return make_copy(&ops, from, to, flags, COPIES_TREE);
}
