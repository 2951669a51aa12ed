/* The directories that a watcher watches.
 *
 * The system gives each watched directory a number. A view connects a directory with one watch, and
 * has the path by which the watch knows the directory. A directory has several views if watches of
 * trees overlap, or if several files in it are watched. Thread: any. The lock guards all members.
 * The lock is held while a directory is added to the system and then to the table. So no thread
 * looks up the number of a directory before its view is in the table. */
#pragma once

#include "base/lock.h"
#include "sys/watch.h"

typedef struct edo__view {
    struct edo__view *next; // next view in the bucket, or in a list of copies
    int number;             // number of the directory
    int watch;
    uint32_t flags;  // EDO_WATCH_*
    bool is_root;    // the user's watch is of this directory, or of a file in it
    bool is_old;     // older than the present scan of the tree, which has not found it
    size_t size;     // bytes of this struct
    size_t filter;   // offset in `path` of the only watched entry's name; 0: all entries
    size_t path_end; // bytes of the path
    char path[]; // path of the directory; then the name of the only watched entry, if there is one
} edo__view;

enum { EDO__VIEW_BUCKETS = 256 };

typedef struct edo__views {
    edo__lock lock;
    edo_fd fd;
    edo__view *buckets[EDO__VIEW_BUCKETS];
} edo__views;

/* Use of a directory by a watch. needs: number of another directory, of which the watch must
 * already have a view. This is the directory above. When the tree of a root is scanned again, it is
 * the root itself. EDO__NO_VIEW: the view is the first one of its watch. */
typedef struct edo__view_use {
    int watch;
    uint32_t flags; // EDO_WATCH_*
    bool is_root;   // the user's watch is of this directory, or of a file in it
    int needs;
} edo__view_use;

enum { EDO__NO_VIEW = -1 };

/* Adds a view, so that a watch gets the changes of a directory. filter: name of the only watched
 * entry; NULL: all entries. A watch has at most one view of a directory. A later view replaces an
 * earlier one, unless the earlier one is the view of a root. *ret_is_new: whether the watch had no
 * view of the directory. Returns: the directory's number, >= 0; -ENOENT: there is no such
 * directory, or the watch has no view of `needs`, because the watch was removed; -ENOMEM; another
 * error of edo__changes_add(). */
int edo__views_add(edo__views *views, const char *path, const edo__view_use *use,
                   const char *filter, bool *ret_is_new);

/* Copies all views of a directory, at one moment. *ret_list: NULL if there are none. The caller
 * frees the list with edo__views_free(). Returns: 0; -ENOMEM. */
int edo__views_copy(edo__views *views, int number, edo__view **ret_list);

/* Copies all root views, so that the caller can scan trees again. Otherwise like
 * edo__views_copy(). */
int edo__views_copy_roots(edo__views *views, edo__view **ret_list);
void edo__views_free(edo__view *list);

/* Whether a path is `dir`, or lies below it. */
bool edo__is_below(const char *path, const char *dir);

/* Whether the path of a view still leads to the view's directory. */
bool edo__views_is_true(edo__views *views, const edo__view *view);

/* Whether a watch has a view, under any path, of the directory to which a path leads now. */
bool edo__views_has(edo__views *views, int watch, const char *path);

/* Removes all views of a directory that the system does not watch any more. */
void edo__views_end(edo__views *views, int number);

/* Removes views of a watch. path: NULL for all views; otherwise only views of the directory `path`
 * and of directories below it. Also ends the system's watch of each directory that has no view
 * left. Returns: number of removed views. */
unsigned edo__views_remove(edo__views *views, int watch, const char *path);

/* Begin and end a scan of the watched root and all directories below it. During the scan, the
 * caller adds each view again. edo__views_end_scan() removes the views that were not added
 * again. */
void edo__views_begin_scan(edo__views *views, int watch);
void edo__views_end_scan(edo__views *views, int watch);

/* Replaces the path `from` by `to`, in all views that a watch has of the directory `from` and of
 * directories below it. Returns: 0; -ENOMEM: the views that could not be changed are removed. */
int edo__views_move(edo__views *views, int watch, const char *from, const char *to);

/* Frees all views. */
void edo__views_clear(edo__views *views);
