/* A walk through a tree of directories, depth first, with a bound on the number of open
 * directories. All calls run on a thread of the pool.
 *
 * Each directory on the way to the present file is a level. A level keeps a batch of the
 * directory's entries. If max_open levels are open and another directory is to be opened, the
 * shallowest open level first closes its directory, and keeps the position in the directory. When
 * the walk returns to that level, the directory is opened again, by ".." of the level below, or by
 * its path. The directory found must have the device and the inode of the directory that was
 * closed. */
#pragma once

#include "fs/fs.h"

typedef struct edo__level edo__level;

/* Result of edo__tree_next(). */
typedef enum edo__tree_event {
    EDO__TREE_END,   // no more files
    EDO__TREE_ENTRY, // a file, or a directory before its entries
    EDO__TREE_LEAVE, // a directory after its entries
    EDO__TREE_ERROR, // a directory that could not be read; tree->error is the reason
} edo__tree_event;

typedef struct edo__tree {
    edo__level *level; // deepest level
    uint32_t depth;    // number of levels
    uint32_t open, max_open;
    uint32_t flags;    // EDO_WALK_*
    char *path;        // path of the present file, with a NUL
    size_t size, room; // bytes of the path; bytes of its memory
    size_t name;       // offset of the path's last part
    edo__dir_entry entry;
    bool enters;          // the present entry is a directory that is to be entered
    int error;            // error of the last EDO__TREE_ERROR
    uint32_t error_depth; // depth of the directory with the error; 0: the root
} edo__tree;

/* Begins at an open directory, which belongs to the tree from then on. path: prefix of the paths
 * that the tree gives. If the prefix is "", the paths are relative to the directory. Returns: 0;
 * -ENOMEM, and the directory is closed. */
int64_t edo__tree_open(edo__tree *tree, edo_fd fd, const char *path, uint32_t flags,
                       uint32_t max_open);

/* Finds the next file. Returns: an edo__tree_event; -ENOMEM. */
int64_t edo__tree_next(edo__tree *tree);

/* Ends all levels that are deeper than `depth`. */
void edo__tree_cut(edo__tree *tree, uint32_t depth);

void edo__tree_close(edo__tree *tree);

/* The open directory that contains the present file; -1: that directory could not be opened
 * again. */
edo_fd edo__tree_dir(const edo__tree *tree);

static inline const char *edo__tree_name(const edo__tree *tree)
{
    return tree->path + tree->name;
}
