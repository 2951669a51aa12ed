/* The directories that a watcher watches.
 *
 * The system gives each watched directory a number. A view connects a directory with one watch, and
 * has the path by which the watch knows the directory. A directory has several views if watches of
 * trees overlap, or if several files in it are watched. Thread: any. The lock guards all members.
 * The system is called under the lock, so that a number is never reported before its view is in the
 * table. */
#pragma once

#include "base/lock.h"
#include "sys/watch.h"

typedef struct edo__view {
    struct edo__view *next; // next view in the bucket
    int number;             // number of the directory
    int watch;
    uint32_t flags;  // EDO_WATCH_*
    bool is_root;    // the user's watch is of this directory, or of a file in it
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

/* Adds a view, so that a watch gets the changes of a directory. system_path: path by which the
 * system finds the directory. filter: name of the only watched entry; NULL: all entries. Returns:
 * 0; -ENOMEM; an error of edo__changes_add(). */
int edo__views_add(edo__views *views, const char *system_path, const char *path, int watch,
                   uint32_t flags, bool is_root, const char *filter);

/* Copies one view of a directory. index: number of the view among the views of that directory, from
 * 0. The caller frees the copy with edo__view_free(). Returns: 1; 0: there is none; -ENOMEM. */
int edo__views_copy(edo__views *views, int number, unsigned index, edo__view **ret_copy);
void edo__view_free(edo__view *view);

/* Whether the path of a view still leads to the view's directory. */
bool edo__views_is_true(edo__views *views, const edo__view *view);

/* Removes all views of a directory that the system does not watch any more. */
void edo__views_end(edo__views *views, int number);

/* Removes views of a watch. path: NULL for all views; otherwise only views of the directory `path`
 * and of directories below it. Also ends the system's watch of each directory that has no view
 * left. Returns: number of removed views. */
unsigned edo__views_remove(edo__views *views, int watch, const char *path);

/* Replaces the path `from` by `to`, in all views that a watch has of the directory `from` and of
 * directories below it. Returns: 0; -ENOMEM: the views that could not be changed are removed. */
int edo__views_move(edo__views *views, int watch, const char *from, const char *to);

/* Copies the next root view, so that the caller can scan trees again. *at: 0 before the first call.
 * Returns: as edo__views_copy(). */
int edo__views_next_root(edo__views *views, unsigned *at, edo__view **ret_copy);

/* Frees all views. */
void edo__views_clear(edo__views *views);
