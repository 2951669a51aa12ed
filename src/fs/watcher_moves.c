/* Renames, which the system reports in two halves. */
#include "fs/watcher.h"

#include <string.h>

#include "base/duration.h"

#define PATIENCE edo_ms(50) // ns; longest wait for the second half of a rename

static int end_move(edo_watcher *self, edo__move *m)
{
    int rc = edo__watcher_report(self, EDO_FILE_MOVED_OUT, m->watch, m->path, NULL, m->is_dir);
    edo__text_free(m->path);
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
                      .watch = view->watch,
                      .is_dir = is_dir,
                      .until = edo__later(self->now, PATIENCE) };
    m->path = edo__text_copy(path);
    return m->path ? 0 : -ENOMEM;
}

int edo__watcher_finish_move(edo_watcher *self, const edo__view *view, const edo__change *change,
                             const char *path, bool is_dir)
{
    edo__move *m = find_move(self, change->cookie, view->watch);
    edo_file_event_kind kind = m ? EDO_FILE_RENAMED : EDO_FILE_MOVED_IN;
    int rc = edo__watcher_report(self, kind, view->watch, path, m ? m->path : NULL, is_dir);
    if (rc == 0 && is_dir && (view->flags & EDO_WATCH_TREE))
        rc = edo__watcher_add_new(self, view, path, m ? EDO__REPORT_UNSEEN : EDO__REPORT_ALL);
    if (m) edo__text_free(m->path);
    if (m) m->path = NULL;
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

/* If the moves were reported later, the events would be in the wrong order. */
int edo__watcher_end_earlier_moves(edo_watcher *self, const edo__view *view,
                                   const edo__change *change, const char *path)
{
    int rc = 0;
    for (edo__move *m = self->moves; rc == 0 && m < self->moves + EDO__MOVES; m++)
        if (is_before(m, view->watch, change, path)) rc = end_move(self, m);
    return rc;
}

int edo__watcher_end_moves(edo_watcher *self, int watch, int64_t until)
{
    int rc = 0;
    for (edo__move *m; rc == 0 && (m = edo__watcher_oldest_move(self, watch)) && m->until <= until;)
        rc = end_move(self, m);
    return rc;
}

int edo__watcher_report_end(edo_watcher *self, edo_file_event_kind kind, const edo__view *view)
{
    int rc = edo__watcher_end_moves(self, view->watch, INT64_MAX);
    return rc < 0 ? rc : edo__watcher_report(self, kind, view->watch, view->path, NULL, true);
}
