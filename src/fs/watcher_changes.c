/* Turns the raw changes of the system into events. */
#include "fs/watcher.h"

#include <stdio.h>
#include <string.h>

enum { MOST_TEXT = 64 * 1024 }; // bytes of paths per visit; more if a change adds a whole tree

static int report_plain(edo_watcher *self, const edo__view *view, uint32_t what, const char *path)
{
    static const struct {
        uint32_t what;
        edo_file_event_kind kind;
    } pairs[] = {
        { EDO__CHANGE_CREATED, EDO_FILE_CREATED }, { EDO__CHANGE_WRITTEN_TO, EDO_FILE_CHANGED },
        { EDO__CHANGE_WRITTEN, EDO_FILE_WRITTEN }, { EDO__CHANGE_METADATA, EDO_FILE_METADATA },
        { EDO__CHANGE_REMOVED, EDO_FILE_REMOVED },
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (what & pairs[i].what)
            return edo__watcher_report(self, pairs[i].kind, view->watch, path, NULL,
                                       what & EDO__CHANGE_OF_DIR);
    return 0;
}

static int show_named(edo_watcher *self, const edo__view *view, const edo__change *change,
                      const char *path)
{
    bool is_dir = change->what & EDO__CHANGE_OF_DIR;
    if (change->what & EDO__CHANGE_MOVED_FROM)
        return edo__watcher_begin_move(self, view, change, path, is_dir);
    if (change->what & EDO__CHANGE_MOVED_TO)
        return edo__watcher_finish_move(self, view, change, path, is_dir);
    int rc = report_plain(self, view, change->what, path);
    bool is_new = is_dir && (change->what & EDO__CHANGE_CREATED);
    bool adds = is_new && (view->flags & EDO_WATCH_TREE);
    return rc == 0 && adds ? edo__watcher_add_new(self, view, path, EDO__REPORT_ALL) : rc;
}

/* Whether a view ignores a change:
 * - of an entry: if the view has a filter for another entry
 * - of the directory itself, a removal or a rename: if the view is not the view of a root and has
 *   no filter. The view of the directory above reports the change. A filter does not hide the
 *   change, because it ends the watch of the file.
 * - of the directory itself, another change: if the view is not the view of a root, or has a
 *   filter */
static bool is_hidden(const edo__view *view, const edo__change *change)
{
    enum { ENDS = EDO__CHANGE_SELF_REMOVED | EDO__CHANGE_SELF_MOVED };
    if (*change->name) return view->filter && strcmp(view->filter, change->name) != 0;
    if (change->what & ENDS) return !view->is_root && !view->filter;
    return !view->is_root || view->filter;
}

/* Reports a change in one view. */
static int show(edo_watcher *self, const edo__view *view, const edo__change *change)
{
    if (is_hidden(view, change)) return 0;
    if (change->what & EDO__CHANGE_SELF_REMOVED)
        return edo__watcher_report_end(self, EDO_FILE_REMOVED, view);
    char *path = edo__path_join(view->path, change->name);
    if (!path) return -ENOMEM;
    int rc = edo__watcher_end_earlier_moves(self, view, change, path);
    if (rc == 0) rc = show_named(self, view, change, path);
    edo__text_free(path);
    return rc;
}

/* Ends the watch of a view whose root was renamed. The system does not tell the new path, so the
 * paths of all further events would be wrong. Does nothing if the path of the view still leads to
 * the directory. Then the watch was added after the rename, or the directory was renamed back. */
static int end_moved(edo_watcher *self, const edo__change *change, const edo__view *view)
{
    if (is_hidden(view, change) || edo__views_is_true(&self->views, view)) return 0;
    int rc = edo__watcher_report_end(self, EDO_FILE_MOVED_OUT, view);
    edo__views_remove(&self->views, view->watch, false);
    return rc;
}

/* Keeps the place that a renamed directory leaves or enters. The system then reports the rename in
 * the directory itself. This last report has no name, but its number is exact, even if two
 * directories have the same path during their exchange. */
static void keep_place(edo_watcher *self, const edo__change *change)
{
    bool leaves = change->what & EDO__CHANGE_MOVED_FROM;
    if (leaves || self->cookie != change->cookie) self->from.above = self->to.above = EDO__NO_VIEW;
    self->cookie = change->cookie;
    edo__view_place *place = leaves ? &self->from : &self->to;
    place->above = change->number;
    snprintf(place->name, sizeof place->name, "%s", change->name);
}

/* Reports a change in all views that its directory has at one moment. The views are copied, so a
 * watch that is added or removed during the reports does not affect the other watches. */
static int translate(edo_watcher *self, const edo__change *change)
{
    edo__view *views = NULL;
    if (change->what & EDO__CHANGE_LOST) return edo__watcher_add_again(self);
    if (change->what & EDO__CHANGE_ENDED) edo__views_end(&self->views, change->number);
    bool moved = change->what & EDO__CHANGE_SELF_MOVED;
    bool renames = change->what & (EDO__CHANGE_MOVED_FROM | EDO__CHANGE_MOVED_TO);
    if (renames && (change->what & EDO__CHANGE_OF_DIR)) keep_place(self, change);
    int rc = moved ? edo__views_move(&self->views, change->number, &self->from, &self->to) : 0;
    if (rc == 0) rc = edo__views_copy(&self->views, change->number, &views);
    if (rc < 0) return rc;
    for (const edo__view *view = views; view && rc == 0; view = view->next)
        rc = moved ? end_moved(self, change, view) : show(self, view, change);
    edo__views_free(views);
    return rc;
}

/* Reads raw changes. Returns: whether there are some. */
static bool read_raw(edo_watcher *self)
{
    if (self->raw_at < self->raw_size) return true;
    int64_t n = edo__changes_read(self->views.fd, self->raw, EDO__RAW_SIZE);
    self->raw_at = 0;
    self->raw_size = n > 0 ? (size_t)n : 0;
    self->is_readable = n > 0;
    return n > 0;
}

int64_t edo__watcher_visit(edo_op *op)
{
    edo_watcher *self = op->object;
    edo__change change;
    self->text.size = self->events.size = 0;
    self->taken = 0;
    int rc = self->has_lost ? edo__watcher_add_again(self) : 0;
    if (rc == 0) rc = edo__watcher_end_moves(self, 0, self->now);
    while (rc == 0 && self->text.size < MOST_TEXT && read_raw(self))
        if (edo__changes_take(self->raw, self->raw_size, &self->raw_at, &change))
            rc = translate(self, &change);
    self->has_lost = rc < 0;
    return rc;
}
