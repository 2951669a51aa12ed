/* Watchers turn raw changes of the system into events.
 *
 * An operation waits until the system's queue is readable. Then a visit to the pool reads the raw
 * changes, turns them into events, and watches new directories. The visit first begins to watch a
 * new directory, and then lists its entries. So each file in the directory is reported at least
 * once: by the list, by the system, or by both. */
#pragma once

#include <edo/watch_files.h>

#include "fs/views.h"
#include "task/op.h"

enum {
    EDO__RAW_SIZE = 16 * 1024,
    EDO__MOVES = 16, // greatest number of renames that wait for their second half
};

/* First half of a rename. */
typedef struct edo__move {
    char *path; // NULL: unused
    uint32_t cookie;
    int watch;
    bool is_dir;
    int64_t until; // end of the wait for the second half; ns of the runtime's clock
} edo__move;

/* A watcher. Any thread may use `views`, `last_watch` and `changes`. The other members are used
 * only by the edo_watcher_next() in flight, either by its poll or by the thread of the pool, but
 * never by both at once. */
struct edo_watcher {
    edo__views views;
    edo_atomic(int) last_watch;
    edo_atomic(uint32_t) changes; // claims; counts the adds and removes in flight
    const edo_op *user;           // the edo_watcher_next() in flight
    edo_op inner;                 // wait for raw changes
    bool is_readable;             // there are raw changes
    bool has_lost;                // a visit has failed
    int64_t now;                  // ns of the runtime's clock at the start of the visit
    size_t raw_size, raw_at;
    edo_buffer text;   // paths of the events, with their NULs
    edo_buffer events; // array of struct event (watcher_next.c)
    size_t taken;      // events that were taken
    edo__move moves[EDO__MOVES];
    edo__view_place from, to; // of the directory that was renamed last
    uint32_t cookie;          // of that rename
    uint64_t *raw;            // EDO__RAW_SIZE bytes
};

/* ---- the queue of events ---- */

/* Adds an event to the queue. Returns: 0; -ENOMEM. Thread: as all functions below, a thread of the
 * pool. */
int edo__watcher_report(edo_watcher *self, edo_file_event_kind kind, int watch, const char *path,
                        const char *old_path, bool is_dir);
int edo__watcher_report_lost(edo_watcher *self);

/* Turns raw changes into events, until no changes are left or the paths of the events reach
 * 64 KiB.
 * After an error the events of this visit are lost, and the next visit reports the loss. */
int64_t edo__watcher_visit(edo_op *op);

/* ---- scans ---- */

/* Directories whose entries edo__watcher_add_tree() reports as new files. */
typedef enum edo__reported {
    EDO__REPORT_NONE,
    EDO__REPORT_UNSEEN, // directories that had no view, and all below them
    EDO__REPORT_ALL,
} edo__reported;

/* Arguments of edo__watcher_add_tree(). */
typedef struct edo__addition {
    edo_watcher *self;
    edo__view_use use;
    edo__reported reports;
} edo__addition;

/* Adds a directory and, for a tree, all directories below it. It is no error if a directory below
 * the root has disappeared meanwhile. */
int edo__watcher_add_tree(const edo__addition *add, const char *path);

/* Adds a directory that has appeared in the directory of `view`: it was made there, moved there or
 * renamed. If it cannot be added, reports that changes are lost. */
int edo__watcher_add_new(edo_watcher *self, const edo__view *view, const char *path,
                         edo__reported reports);

/* Reports the loss of changes. Scans all roots again, because new directories, renames and removals
 * may be among the lost changes. First ends the pending moves, because their second halves may be
 * lost, too. */
int edo__watcher_add_again(edo_watcher *self);

/* ---- renames ---- */

/* Finds the oldest pending move of a watch, or of all watches if `watch` is 0. */
edo__move *edo__watcher_oldest_move(edo_watcher *self, int watch);

/* Keeps the first half of a rename, of `path`. */
int edo__watcher_begin_move(edo_watcher *self, const edo__view *view, const edo__change *change,
                            const char *path, bool is_dir);

/* Reports the second half of a rename, to `path`. */
int edo__watcher_finish_move(edo_watcher *self, const edo__view *view, const edo__change *change,
                             const char *path, bool is_dir);

/* Called before `change`, which is a change of `path`, is reported. Reports the pending moves away
 * from `path`, except one that `change` itself completes. If `change` makes, removes or renames
 * `path`, also reports the pending moves away from paths below it. */
int edo__watcher_end_earlier_moves(edo_watcher *self, const edo__view *view,
                                   const edo__change *change, const char *path);

/* Ends pending moves of a watch, or of all watches if `watch` is 0. until: only moves that wait
 * until this time or an earlier one. */
int edo__watcher_end_moves(edo_watcher *self, int watch, int64_t until);

/* Reports the end of a watch, after the moves of the watch that are still pending. */
int edo__watcher_report_end(edo_watcher *self, edo_file_event_kind kind, const edo__view *view);
