/* Renames, which the system reports in two halves. */
#include "fs/watcher.h"

#include <string.h>

#include "base/duration.h"

#define PATIENCE edo_ms(50) // ns; longest wait for the second half of a rename

static int end_move(edo_watcher *self, edo__move *m)
{
    int rc = edo__watcher_report(self, EDO_FILE_MOVED_OUT, m->watch, m->path, NULL, m->is_dir);
    if (m->is_dir && (m->flags & EDO_WATCH_TREE))
        edo__views_remove(&self->views, m->watch, m->path);
    edo__free(m->path, m->size);
    m->path = NULL;
    return rc;
}

edo__move *edo__watcher_oldest_move(edo_watcher *self, int watch)
{
    edo__move *found = NULL;
    for (edo__move *m = self->moves; m < self->moves + EDO__MOVES; m++)
        if (m->path && (!watch || m->watch == watch) && (!found || m->until < found->until))
            found = m;
    return found;
}

static edo__move *find_move(edo_watcher *self, uint32_t cookie, int watch)
{
    for (edo__move *m = self->moves; m < self->moves + EDO__MOVES; m++)
        if (m->path && m->cookie == cookie && m->watch == watch) return m;
    return NULL;
}

int edo__watcher_begin_move(edo_watcher *self, const edo__view *view, const edo__change *change,
                            const char *path, bool is_dir)
{
    edo__move *m = self->moves;
    while (m < self->moves + EDO__MOVES && m->path)
        m++;
    if (m == self->moves + EDO__MOVES) {
        m = edo__watcher_oldest_move(self, 0);
        int rc = end_move(self, m);
        if (rc < 0) return rc;
    }
    *m = (edo__move){ .cookie = change->cookie,
                      .flags = view->flags,
                      .watch = view->watch,
                      .is_dir = is_dir,
                      .until = edo__later(self->now, PATIENCE) };
    m->path = edo__watcher_join(path, "", &m->size);
    return m->path ? 0 : -ENOMEM;
}

/* Gives the views of a renamed directory their new path. Then scans:
 * - the tree at the new path. A directory in it may have no view: it was made at the old path, and
 *   renamed before a visit could add it.
 * - the tree at the old path, if the watch already has a view of the directory that is now there.
 *   Then two directories were exchanged. The system reports this as two renames, and after the
 *   first rename, the views of both directories have the same path.
 * A directory without a view at the old path was made there after the rename. A later change adds
 * it. */
static int move_tree(edo_watcher *self, const edo__view *view, const char *from, const char *to)
{
    int rc = edo__views_move(&self->views, view->watch, from, to);
    if (rc == 0) rc = edo__watcher_add_new(self, view, to, EDO__REPORT_UNSEEN);
    if (rc < 0 || !edo__views_has(&self->views, view->watch, from)) return rc;
    return edo__watcher_add_new(self, view, from, EDO__REPORT_UNSEEN);
}

int edo__watcher_finish_move(edo_watcher *self, const edo__view *view, const edo__change *change,
                             const char *path, bool is_dir)
{
    edo__move *m = find_move(self, change->cookie, view->watch);
    bool is_tree = is_dir && (view->flags & EDO_WATCH_TREE);
    if (!m) {
        int rc = edo__watcher_report(self, EDO_FILE_MOVED_IN, view->watch, path, NULL, is_dir);
        return rc == 0 && is_tree ? edo__watcher_add_new(self, view, path, EDO__REPORT_ALL) : rc;
    }
    int rc = edo__watcher_report(self, EDO_FILE_RENAMED, view->watch, path, m->path, is_dir);
    if (rc == 0 && is_tree) rc = move_tree(self, view, m->path, path);
    edo__free(m->path, m->size);
    m->path = NULL;
    return rc;
}

/* Whether a pending move has to be reported before a change of `path`. A change that makes, removes
 * or renames `path` also affects the paths below. */
static bool is_before(const edo__move *m, int watch, const edo__change *change, const char *path)
{
    enum {
        PLACES = EDO__CHANGE_CREATED | EDO__CHANGE_REMOVED | EDO__CHANGE_MOVED_FROM |
                 EDO__CHANGE_MOVED_TO
    };
    if (!m->path || m->watch != watch || m->cookie == change->cookie) return false;
    return change->what & PLACES ? edo__is_below(m->path, path) : strcmp(m->path, path) == 0;
}

/* If the moves were reported later:
 * - The events would be in the wrong order.
 * - The views of a new directory at the old path would be removed.
 * - After a rename of `path`, the views of the moved directory would not be found. */
int edo__watcher_end_earlier_moves(edo_watcher *self, const edo__view *view,
                                   const edo__change *change, const char *path)
{
    int rc = 0;
    for (edo__move *m = self->moves; rc == 0 && m < self->moves + EDO__MOVES; m++)
        if (is_before(m, view->watch, change, path)) rc = end_move(self, m);
    return rc;
}

int edo__watcher_end_old_moves(edo_watcher *self)
{
    int rc = 0;
    for (edo__move *m = edo__watcher_oldest_move(self, 0); rc == 0 && m && m->until <= self->now;
         m = edo__watcher_oldest_move(self, 0))
        rc = end_move(self, m);
    return rc;
}

int edo__watcher_end_moves(edo_watcher *self, int watch)
{
    int rc = 0;
    for (edo__move *m; rc == 0 && (m = edo__watcher_oldest_move(self, watch));)
        rc = end_move(self, m);
    return rc;
}

int edo__watcher_report_end(edo_watcher *self, edo_file_event_kind kind, const edo__view *view)
{
    int rc = edo__watcher_end_moves(self, view->watch);
    return rc < 0 ? rc : edo__watcher_report(self, kind, view->watch, view->path, NULL, true);
}
