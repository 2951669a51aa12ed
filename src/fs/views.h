/* The directories that a watcher watches.
 *
 * The system gives each watched directory a number. A view connects a directory with one watch. A
 * directory has several views if watches of trees overlap, or if several files in it are watched.
 *
 * The views of a watch form a tree, as the directories do. A view has a name and the view of the
 * directory above; its path is composed when a change is reported. So a rename changes one view,
 * and the paths below follow. During an exchange two directories have the same path, but stay
 * distinct.
 *
 * Thread: any. The lock guards all members. The lock is held while a directory is added to the
 * system and then to the table. So no thread looks up the number of a directory before its view is
 * in the table. */
#pragma once

#include "base/lock.h"
#include "fs/texts.h"
#include "sys/watch.h"

typedef struct edo__view {
    struct edo__view *next;  // next view in the bucket, or in a list of copies
    struct edo__view *above; // view of the directory above; NULL: of a root, and in copies
    unsigned below;          // number of views for which this one is `above`
    int number;              // number of the directory
    int watch;
    uint32_t flags; // EDO_WATCH_*
    bool is_root;   // the user's watch is of this directory, or of a file in it
    bool is_old;    // older than the present scan of the tree, which has not found it
    bool is_gone;   // is being removed
    char *path;     // of a root, and in copies; otherwise the name in the directory above
    char *filter;   // name of the only watched entry; NULL: all entries
} edo__view;

enum { EDO__VIEW_BUCKETS = 256 };

typedef struct edo__views {
    edo__lock lock;
    edo_fd fd;
    edo__view *buckets[EDO__VIEW_BUCKETS];
} edo__views;

/* Use of a directory by a watch. above: number of the directory above, of which the watch must
 * already have a view. When a root is scanned again, it is the number of the root. EDO__NO_VIEW:
 * the view is the first one of its watch. */
typedef struct edo__view_use {
    int watch;
    uint32_t flags; // EDO_WATCH_*
    bool is_root;   // the user's watch is of this directory, or of a file in it
    int above;
    const char *above_path; // path that must lead to `above`; NULL: was added just before
    const char *filter;     // name of the only watched entry; NULL: all entries
} edo__view_use;

enum { EDO__NO_VIEW = -1 };

/* Place of a directory. */
typedef struct edo__view_place {
    int above; // number of the directory above; EDO__NO_VIEW: no place
    char name[256];
} edo__view_place;

/* Adds a view, so that a watch gets the changes of a directory. A watch has at most one view of a
 * directory. If it already has one, that view is moved to `path`, unless it is the view of a root.
 * *ret_is_new: whether the watch had no view of the directory. Returns: the directory's number,
 * >= 0; -ENOENT: there is no such directory, `above_path` leads to another directory than `above`,
 * or the watch has no view of `above`, because the watch was removed; -ENOMEM; another error of
 * edo__changes_add(). */
int edo__views_add(edo__views *views, const char *path, const edo__view_use *use, bool *ret_is_new);

/* Moves the views that a directory has at the place `from`. A view is removed, with all views below
 * it, if its watch has no view of the directory above `to`. Returns: 0; -ENOMEM. */
int edo__views_move(edo__views *views, int number, const edo__view_place *from,
                    const edo__view_place *to);

/* Copies all views of a directory, at one moment. EDO__NO_VIEW: all views of roots, so that the
 * caller can scan trees again. *ret_list: NULL if there are none. The caller frees the list with
 * edo__views_free(). Returns: 0; -ENOMEM. */
int edo__views_copy(edo__views *views, int number, edo__view **ret_list);
void edo__views_free(edo__view *list);

/* Whether the path of a copy still leads to the directory of the view. */
bool edo__views_is_true(edo__views *views, const edo__view *copy);

/* Removes all views of a directory that the system does not watch any more. */
void edo__views_end(edo__views *views, int number);

/* Begins a scan of the watched root and all directories below it: the views of the watch are old.
 * The caller adds each view again, and then removes the views that are still old. */
void edo__views_begin_scan(edo__views *views, int watch);

/* Removes the views of a watch, or only the old ones. Also ends the system's watch of each
 * directory that has no view left. Returns: number of removed views, without those below them. */
unsigned edo__views_remove(edo__views *views, int watch, bool only_old);

/* Frees all views. */
void edo__views_clear(edo__views *views);
