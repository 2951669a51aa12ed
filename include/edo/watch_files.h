/* Watching files: changes in directories are reported as events.
 *
 *     rc = edo_watcher_create(&self->watcher);
 *     edo_await(id, edo_watcher_add(self->watcher, "config", EDO_WATCH_TREE));
 *     for (;;) {
 *         edo_await(rc, edo_watcher_next(self->watcher, &self->event));
 *         if (rc <= 0) break;
 *         printf("%d %s\n", self->event.kind, self->event.path);
 *     }
 *     edo_watcher_close(self->watcher);
 *
 * A file is watched by its name. So the watch continues when the file is replaced by another one,
 * as editors do, and also while no file has that name. A watched directory reports changes of its
 * entries. With EDO_WATCH_TREE, the watch also reports changes in all directories below, including
 * directories that are made or moved in later.
 *
 * A watch ends when its directory is removed or renamed: the watched directory, or the directory of
 * the watched file. The last event of the watch reports this: EDO_FILE_REMOVED or
 * EDO_FILE_MOVED_OUT of that directory. The system never reports the new path. If the directory is
 * renamed, and is renamed back before the library reads the first rename, the watch continues. If a
 * directory further up is renamed, the system reports nothing, and the watch continues with the old
 * path.
 *
 * The system merges equal consecutive events, so changes cannot be counted. A write is reported as
 * one or more EDO_FILE_CHANGED. The close of a written file is reported as one EDO_FILE_WRITTEN. If
 * a file is created in a new directory while that directory is being added, the EDO_FILE_CREATED of
 * the file may be reported twice, but is never missed.
 *
 * A rename is one event, EDO_FILE_RENAMED, although the system reports it in two halves. If one
 * half is not watched, or does not come within 50 ms, the event is EDO_FILE_MOVED_OUT or
 * EDO_FILE_MOVED_IN.
 *
 * When events come faster than they are taken, the system drops events and reports one
 * EDO_FILES_LOST. The program then has to scan the watched files itself; later changes are reported
 * again. If the end of a watch is among the dropped events, this end is not reported. The watch
 * then continues with the directory that is now at its path, if there is one. */
#pragma once

#include <edo/file.h>

EDO_BEGIN_DECLS

typedef struct edo_watcher edo_watcher;

typedef enum edo_file_event_kind {
    EDO_FILE_CREATED,
    EDO_FILE_CHANGED,   // content was written or truncated
    EDO_FILE_WRITTEN,   // a file that was open for writing is closed: it is complete
    EDO_FILE_METADATA,  // permissions, owner, times, links
    EDO_FILE_REMOVED,   // also the watched directory itself, which then is not watched any more
    EDO_FILE_RENAMED,   // from old_path to path
    EDO_FILE_MOVED_OUT, // renamed to a place that is not watched; also the watched directory
                        // itself, which then is not watched any more
    EDO_FILE_MOVED_IN,  // renamed from a place that is not watched
    EDO_FILES_LOST,     // events were dropped; no path
} edo_file_event_kind;

typedef struct edo_file_event {
    edo_file_event_kind kind;
    int watch;            // result of edo_watcher_add(); 0 for LOST
    const char *path;     // begins with the watched path; NULL for LOST
    const char *old_path; // former path of a RENAMED file, else NULL
    bool is_dir;
} edo_file_event; // the paths are valid until the next operation on the watcher

enum {
    EDO_WATCH_TREE = 1, // also all directories below
};

/* Makes a watcher. One watcher is enough for many watches: the system allows few watchers per user.
 * Returns: 0; -EMFILE: fs.inotify.max_user_instances or the limit of descriptors is reached;
 * -ENOMEM. Thread: any. */
EDO_API EDO_MUST_USE int edo_watcher_create(edo_watcher **ret_watcher);

/* Watches a file or a directory. Symlinks in the path are followed once, at this moment.
 * Result: a number > 0 for the watch, or one of
 * - -ENOENT: the directory of the path does not exist.
 * - -ENOSPC: fs.inotify.max_user_watches is reached, which is also logged.
 * - -ENAMETOOLONG: a directory in the tree has a path of 4096 bytes or more. The system adds
 *   directories only by their paths, and refuses such a path.
 * - -EMFILE: the process has too few descriptors; the operation uses one per level of the tree.
 * - -EINVAL.
 * On failure nothing is watched. If a directory appears in the tree later and cannot be added,
 * EDO_FILES_LOST is reported.
 * Cancel: prompt until it begins (see edo/file.h). */
EDO_API EDO_MUST_USE edo_op edo_watcher_add(edo_watcher *watcher, const char *path, uint32_t flags);

/* Ends a watch. Events that the library had already read from the system may still be reported.
 * Result: 0; -ENOENT: no such watch. Cancel: prompt until it begins. */
EDO_API EDO_MUST_USE edo_op edo_watcher_remove(edo_watcher *watcher, int watch);

/* Takes the next event, or waits for one.
 * Result: 1 with *ret_event; -EBUSY: another edo_watcher_next() is in flight; -ENOMEM: events were
 * dropped, and the next event is EDO_FILES_LOST. Cancel: waits for the kernel; no event is lost. */
EDO_API EDO_MUST_USE edo_op edo_watcher_next(edo_watcher *watcher, edo_file_event *ret_event);

/* Closes the watcher. No operation may be in flight (aborts). NULL is ignored. */
EDO_API void edo_watcher_close(edo_watcher *watcher);

EDO_END_DECLS
