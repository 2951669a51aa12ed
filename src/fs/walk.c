/* Walks: the files of a tree, read in batches. */
#include <string.h>

#include "fs/tree.h"

#include "runtime/inspect/maker.h"
#include "stream/inner.h"
#include "sys/sys.h"
#include "task/op.h"

enum { BATCH_FILES = 256, BATCH_TEXT = 32 * 1024 };

/* A file that was found, and its path in the batch's text. */
typedef struct item {
    size_t path, size, name;
    uint64_t inode;
    edo_file_kind kind;
    uint32_t depth;
    int error;
} item;

/* A walk. Only one task at a time uses it. While an edo_walk_next() is in the pool, only the thread
 * of the pool uses the members other than `user`. */
struct edo_walk {
    edo__tree tree;
    const edo_op *user; // the edo_walk_next() in flight
    edo_buffer text;    // paths, each with its NUL
    size_t count, at;   // items, and items that were taken
    uint32_t skip;      // depth of the directory whose content is left out; 0: none
    bool ended;
    int64_t error; // reported after the items; 0: none
    item *items;   // BATCH_FILES
};

/* ---- reading a batch ---- */

static int store(edo_walk *walk, int64_t event)
{
    const edo__tree *tree = &walk->tree;
    bool failed = event == EDO__TREE_ERROR;
    item *it = &walk->items[walk->count];
    *it = (item){ .path = walk->text.size,
                  .size = tree->size,
                  .name = tree->name,
                  .inode = tree->entry.inode,
                  .kind = failed ? EDO_IS_DIRECTORY : tree->entry.kind,
                  .depth = failed ? tree->error_depth : tree->depth,
                  .error = failed ? tree->error : 0 };
    int rc = edo_buffer_append(&walk->text, tree->path, tree->size + 1);
    if (rc == 0) walk->count++;
    return rc;
}

/* Lets the tree leave the directory that edo_walk_skip() skips, if the tree is still in it. Items
 * of that directory may also be in the old batch. take() has dropped these items. */
static void skip_on(edo_walk *walk)
{
    if (walk->skip) edo__tree_cut(&walk->tree, walk->skip);
    walk->skip = 0;
}

static void fill_batch(edo_walk *walk)
{
    while (walk->count < BATCH_FILES && walk->text.size < BATCH_TEXT && !walk->error) {
        int64_t event = edo__tree_next(&walk->tree);
        if (event == EDO__TREE_END) {
            walk->ended = true;
            return;
        }
        if (event == EDO__TREE_LEAVE) continue;
        walk->error = event < 0 ? event : store(walk, event);
    }
}

/* Reads a batch. An error is reported by the call that finds no item before the error. */
static int64_t run_batch(edo_op *op)
{
    edo_walk *walk = op->object;
    walk->text.size = 0;
    walk->count = walk->at = 0;
    skip_on(walk);
    fill_batch(walk);
    if (walk->count || !walk->error) return 1;
    int64_t error = walk->error;
    walk->error = 0;
    return error;
}

/* ---- taking ---- */

static bool take(edo_walk *walk, edo_walk_entry *ret_entry)
{
    while (walk->skip && walk->at < walk->count && walk->items[walk->at].depth > walk->skip)
        walk->at++;
    if (walk->at == walk->count) return false;
    walk->skip = 0;
    const item *it = &walk->items[walk->at++];
    const char *path = (const char *)walk->text.data + it->path;
    *ret_entry = (edo_walk_entry){ .path = path,
                                   .size = it->size,
                                   .name = path + it->name,
                                   .inode = it->inode,
                                   .kind = it->kind,
                                   .depth = it->depth,
                                   .error = it->error };
    return true;
}

static edo_poll next_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_walk *walk = op->object;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!edo__user_enters(&walk->user, op)) return edo__op_finish(op, cx, -EBUSY);
    for (;;) {
        if (!edo__call_is_begun(op)) {
            if (take(walk, op->data)) return edo__user_ends(&walk->user, op, cx, 1);
            if (walk->ended) return edo__user_ends(&walk->user, op, cx, 0);
        }
        if (edo__call_drive(op, cx, NULL, NULL, run_batch) == EDO_PENDING) return EDO_PENDING;
        if (op->base.result < 0) return edo__user_ends(&walk->user, op, cx, op->base.result);
    }
}

edo_op edo_walk_next(edo_walk *walk, edo_walk_entry *ret_entry)
{
    static const edo_future_ops ops = { .name = "edo_walk_next", .poll = next_poll };
    edo__check_memory("edo_walk_next", ret_entry, "output");
    if (!walk || !ret_entry) return edo__op_refuse(-EINVAL);
    return edo__op(&ops, walk, ret_entry, 0, 0);
}

int edo_walk_skip(edo_walk *walk)
{
    edo__user_check(walk->user, "edo_walk_skip");
    if (!walk->at) return -EINVAL;
    const item *it = &walk->items[walk->at - 1];
    bool may_follow = it->kind == EDO_IS_SYMLINK && (walk->tree.flags & EDO_WALK_FOLLOW);
    if ((it->kind != EDO_IS_DIRECTORY && !may_follow) || it->error) return -EINVAL;
    walk->skip = it->depth;
    return 0;
}

/* ---- opening and closing ---- */

typedef struct EDO__OVERLAY open_op {
    edo_future base;
    void *reserved;
    const char *root;
    uint32_t flags, max_open;
    edo_walk **ret_walk;
    void *link[2]; // for the pool
    edo__op_state state;
} open_op;

EDO__OVERLAY_FITS(open_op);

static void destroy(edo_walk *walk)
{
    edo__tree_close(&walk->tree);
    edo_buffer_deinit(&walk->text);
    edo__free(walk->items, BATCH_FILES * sizeof *walk->items);
    edo__free_closed(walk, sizeof *walk);
}

static int64_t open_root(edo_walk *walk, const open_op *op)
{
    walk->items = edo__alloc(BATCH_FILES * sizeof *walk->items);
    if (!walk->items) return -ENOMEM;
    edo__file_call call = { .verb = EDO__FILE_OPEN,
                            .fd = EDO__HERE,
                            .path = op->root,
                            .flags = EDO_OPEN_READ | EDO_OPEN_DIRECTORY };
    int64_t fd = edo__file_make(&call);
    if (fd < 0) return fd;
    return edo__tree_open(&walk->tree, (edo_fd)fd, op->root, op->flags, op->max_open);
}

static int64_t run_open(edo_op *op)
{
    const open_op *self = (const open_op *)(const void *)op;
    edo_walk *walk = edo__alloc_zeroed(sizeof *walk);
    if (!walk) return -ENOMEM;
    int64_t rc = open_root(walk, self);
    if (rc < 0)
        destroy(walk);
    else
        *self->ret_walk = walk;
    return rc;
}

edo_op edo_walk_open(const char *root, uint32_t flags, uint32_t max_open, edo_walk **ret_walk)
{
    static const edo__fs_kind kind = EDO__FS_KIND("edo_walk_open", .run = run_open);
    const uint32_t all = EDO_WALK_FOLLOW | EDO_WALK_ONE_MOUNT;
    edo__check_memory("edo_walk_open", root, "path");
    edo__check_memory("edo_walk_open", ret_walk, "output");
    if (!root || !ret_walk || (flags & ~all)) return edo__op_refuse(-EINVAL);
    edo_op op = edo__op(&kind.future, NULL, (void *)(uintptr_t)root, 0, 0);
    open_op *self = (open_op *)(void *)&op;
    self->flags = flags;
    self->max_open = max_open;
    self->ret_walk = ret_walk;
    return op;
}

void edo_walk_close(edo_walk *walk)
{
    if (!walk) return;
    edo__user_closes(&walk->user, "edo_walk_close", "edo_walk_next");
    destroy(walk);
}
