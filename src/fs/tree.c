#include "fs/tree.h"

#include <string.h>

#include "sys/sys.h"

enum { BATCH_SIZE = 8 * 1024, DEFAULT_MAX_OPEN = 32, FIRST_ROOM = 256 };

struct edo__level {
    edo__level *above;
    edo_fd fd;              // -1: not open
    uint64_t device, inode; // identity, to find the directory again
    int64_t position;       // position in the directory, while the directory is closed
    size_t path_size;       // bytes of the directory's path
    size_t name;            // offset of the path's last part
    size_t size, at;        // bytes of the batch, and bytes that were taken
    bool has_failed;        // the error of this level was reported
    uint64_t batch[BATCH_SIZE / sizeof(uint64_t)];
};

/* ---- the path ---- */

static int set_path_size(edo__tree *tree, size_t size)
{
    if (size >= tree->room) {
        size_t room = size + size / 2 + FIRST_ROOM;
        char *memory = edo__alloc(room);
        if (!memory) return -ENOMEM;
        if (tree->path) memcpy(memory, tree->path, tree->size);
        edo__free(tree->path, tree->room);
        tree->path = memory;
        tree->room = room;
    }
    tree->size = size;
    tree->path[size] = '\0';
    return 0;
}

/* Appends a name to the path of the deepest level. */
static int set_name(edo__tree *tree, const edo__dir_entry *entry)
{
    size_t base = tree->level->path_size;
    bool slash = base && tree->path[base - 1] != '/';
    int rc = set_path_size(tree, base + slash + entry->size);
    if (rc < 0) return rc;
    if (slash) tree->path[base] = '/';
    tree->name = base + slash;
    memcpy(tree->path + tree->name, entry->name, entry->size);
    return 0;
}

/* ---- levels ---- */

static int64_t open_below(edo_fd fd, const char *path, bool follows)
{
    edo__file_call call = { .verb = EDO__FILE_OPEN, .fd = fd, .path = path };
    call.flags = EDO_OPEN_READ | EDO_OPEN_DIRECTORY | (follows ? 0 : EDO_OPEN_NO_FOLLOW);
    return edo__file_make(&call);
}

static int64_t identify(edo_fd fd, edo_info *ret_info)
{
    return edo__file_make(&(edo__file_call){ .verb = EDO__FILE_INFO, .fd = fd, .data = ret_info });
}

static bool is_level(const edo__level *level, const edo_info *info)
{
    return level->inode == info->inode && level->device == info->device;
}

/* Closes the shallowest open level, but never the deepest level. */
static void close_one(edo__tree *tree)
{
    edo__level *shallow = NULL;
    for (edo__level *level = tree->level->above; level; level = level->above)
        if (level->fd >= 0) shallow = level;
    if (!shallow) return;
    shallow->position = edo__file_make(
        &(edo__file_call){ .verb = EDO__FILE_SEEK, .fd = shallow->fd, .flags = EDO_SEEK_CURRENT });
    edo__sys_close(shallow->fd);
    shallow->fd = -1;
    tree->open--;
}

static int push(edo__tree *tree, edo_fd fd, const edo_info *info)
{
    edo__level *level = edo__alloc(sizeof *level);
    if (!level) return -ENOMEM;
    level->above = tree->level;
    level->fd = fd;
    level->device = info->device;
    level->inode = info->inode;
    level->path_size = tree->size;
    level->name = tree->name;
    level->size = level->at = 0;
    level->position = 0;
    level->has_failed = false;
    tree->level = level;
    tree->depth++;
    tree->open++;
    return 0;
}

static bool reopen_by(edo__level *level, edo_fd fd, const char *path)
{
    edo_info info;
    int64_t found = open_below(fd, path, true);
    if (found < 0) return false;
    bool is_same = identify((edo_fd)found, &info) >= 0 && is_level(level, &info);
    if (!is_same) {
        edo__sys_close((edo_fd)found);
        return false;
    }
    level->fd = (edo_fd)found;
    edo__file_make(&(edo__file_call){ .verb = EDO__FILE_SEEK,
                                      .fd = level->fd,
                                      .flags = EDO_SEEK_SET,
                                      .offset = (uint64_t)level->position });
    return true;
}

/* Opens the level above again, by ".." or by its path. That path is the beginning of the present
 * path. Returns: whether the directory was found. */
static bool reopen_above(edo__tree *tree)
{
    edo__level *above = tree->level->above;
    if (tree->level->fd >= 0 && reopen_by(above, tree->level->fd, "..")) return true;
    char kept = tree->path[above->path_size];
    tree->path[above->path_size] = '\0';
    bool found = reopen_by(above, EDO__HERE, above->path_size ? tree->path : ".");
    tree->path[above->path_size] = kept;
    return found;
}

static void pop(edo__tree *tree)
{
    edo__level *level = tree->level, *above = level->above;
    if (above && above->fd < 0 && reopen_above(tree)) tree->open++;
    if (level->fd >= 0) {
        edo__sys_close(level->fd);
        tree->open--;
    }
    tree->level = above;
    tree->depth--;
    tree->size = level->path_size;
    tree->name = level->name;
    if (tree->path) tree->path[tree->size] = '\0';
    edo__free(level, sizeof *level);
}

int64_t edo__tree_open(edo__tree *tree, edo_fd fd, const char *path, uint32_t flags,
                       uint32_t max_open)
{
    edo_info info;
    *tree = (edo__tree){ .flags = flags, .max_open = max_open ? max_open : DEFAULT_MAX_OPEN };
    if (tree->max_open < 2) tree->max_open = 2; // the present directory, and one that is reopened
    size_t size = strlen(path);
    int64_t rc = identify(fd, &info);
    if (rc >= 0) rc = set_path_size(tree, size);
    if (rc >= 0) {
        memcpy(tree->path, path, size);
        rc = push(tree, fd, &info);
    }
    if (rc >= 0) return 0;
    edo__sys_close(fd);
    edo__tree_close(tree);
    return rc;
}

void edo__tree_cut(edo__tree *tree, uint32_t depth)
{
    tree->enters = false;
    while (tree->depth > depth)
        pop(tree);
}

void edo__tree_close(edo__tree *tree)
{
    edo__tree_cut(tree, 0);
    edo__free(tree->path, tree->room);
    tree->path = NULL;
}

edo_fd edo__tree_dir(const edo__tree *tree)
{
    return tree->level ? tree->level->fd : -1;
}

/* ---- one step ---- */

static bool is_on_the_way(const edo__tree *tree, const edo_info *info)
{
    for (const edo__level *level = tree->level; level; level = level->above)
        if (is_level(level, info)) return true;
    return false;
}

/* Whether an opened directory is skipped:
 * - with EDO_WALK_ONE_MOUNT, if the directory lies on another mount
 * - with EDO_WALK_FOLLOW, if the walk is already inside the directory. Without this flag no symlink
 *   is followed, so a directory never contains itself. */
static bool is_left_out(const edo__tree *tree, const edo_info *info)
{
    if ((tree->flags & EDO_WALK_ONE_MOUNT) && info->device != tree->level->device) return true;
    return (tree->flags & EDO_WALK_FOLLOW) && is_on_the_way(tree, info);
}

static int64_t report(edo__tree *tree, int64_t error, uint32_t depth)
{
    tree->error = (int)error;
    tree->error_depth = depth;
    return error == -ENOMEM ? error : EDO__TREE_ERROR;
}

/* Enters the present entry. Returns: EDO__TREE_END: the entry was entered or skipped;
 * EDO__TREE_ERROR; -ENOMEM. */
static int64_t enter(edo__tree *tree)
{
    edo_info info;
    bool follows = tree->flags & EDO_WALK_FOLLOW;
    tree->enters = false;
    if (tree->open == tree->max_open) close_one(tree);
    int64_t fd = open_below(tree->level->fd, edo__tree_name(tree), follows);
    if (fd < 0) {
        bool is_no_dir = tree->entry.kind == EDO_IS_SYMLINK && (fd == -ENOTDIR || fd == -ENOENT);
        return is_no_dir ? EDO__TREE_END : report(tree, fd, tree->depth);
    }
    int64_t rc = identify((edo_fd)fd, &info);
    if (rc >= 0 && !is_left_out(tree, &info)) {
        rc = push(tree, (edo_fd)fd, &info);
        if (rc >= 0) return EDO__TREE_END;
    }
    edo__sys_close((edo_fd)fd);
    return rc < 0 ? report(tree, rc, tree->depth) : EDO__TREE_END;
}

static int64_t leave(edo__tree *tree)
{
    pop(tree);
    return tree->level ? EDO__TREE_LEAVE : EDO__TREE_END;
}

/* Reads the next batch. Returns: bytes; 0 at the end; a negative errno. */
static int64_t fill(edo__level *level)
{
    if (level->fd < 0) return -ESTALE; // the directory was moved or replaced
    level->at = level->size = 0;
    int64_t n = edo__dir_read(level->fd, level->batch, sizeof level->batch);
    if (n > 0) level->size = (size_t)n;
    return n;
}

static int64_t take_entry(edo__tree *tree)
{
    edo_file_kind kind = tree->entry.kind;
    int rc = set_name(tree, &tree->entry);
    bool may_follow = kind == EDO_IS_SYMLINK && (tree->flags & EDO_WALK_FOLLOW);
    tree->enters = rc >= 0 && (kind == EDO_IS_DIRECTORY || may_follow);
    return rc < 0 ? rc : EDO__TREE_ENTRY;
}

/* Reports an error with the path of the present level, because the level cannot be read any more.
 * The walk then leaves the level. */
static int64_t fail_level(edo__tree *tree, int64_t error)
{
    edo__level *level = tree->level;
    level->at = level->size = 0;
    if (level->has_failed) return leave(tree);
    level->has_failed = true;
    tree->size = level->path_size;
    tree->name = level->name;
    tree->path[tree->size] = '\0';
    return report(tree, error, tree->depth - 1);
}

int64_t edo__tree_next(edo__tree *tree)
{
    if (!tree->level) return EDO__TREE_END;
    if (tree->enters) {
        int64_t event = enter(tree);
        if (event != EDO__TREE_END) return event;
    }
    for (;;) {
        edo__level *level = tree->level;
        if (edo__dir_take(level->batch, level->size, &level->at, &tree->entry))
            return take_entry(tree);
        int64_t n = fill(level);
        if (n < 0) return fail_level(tree, n);
        if (n == 0) return leave(tree);
    }
}
