/* Watchers turn raw changes of the system into events.
 *
 * An operation waits until the system's queue is readable. Then a visit to the pool reads the raw
 * changes, turns them into events, and watches new directories. The visit first begins to watch a
 * new directory, and then lists its entries. So each file in the directory is reported at least
 * once: by the list, by the system, or by both. */
#include <edo/watch_files.h>

#include <string.h>

#include "fs/fs.h"
#include "fs/views.h"

#include "base/duration.h"
#include "io/claims.h"
#include "runtime/inspect/maker.h"
#include "stream/inner.h"
#include "sys/sys.h"
#include "task/op.h"

enum {
    RAW_SIZE = 16 * 1024,
    MOST_TEXT = 64 * 1024, // bytes of paths per visit; more if a change adds a whole tree
    MOVES = 16,            // greatest number of renames that wait for their second half
    NAMES_SIZE = 8 * 1024  // bytes; batch of a directory's entries
};

#define PATIENCE edo_ms(50) // ns; longest wait for the second half of a rename

typedef struct event {
    edo_file_event_kind kind;
    int watch;
    size_t path, old_path; // offsets in the text; 0: none
    bool is_dir;
} event;

/* First half of a rename. */
typedef struct move {
    char *path; // NULL: unused
    size_t size;
    uint32_t cookie, flags;
    int watch;
    bool is_dir;
    int64_t until; // end of the wait for the second half; ns of the runtime's clock
} move;

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
    edo_buffer text, events; // `text`: paths with their NULs; `events`: an array of struct event
    size_t taken;            // events that were taken
    move moves[MOVES];
    uint64_t *raw; // RAW_SIZE bytes
};

/* ---- the queue of events; on a thread of the pool ---- */

static size_t keep_text(edo_watcher *self, const char *path)
{
    size_t at = self->text.size;
    return edo_buffer_append(&self->text, path, strlen(path) + 1) < 0 ? 0 : at;
}

static int report(edo_watcher *self, edo_file_event_kind kind, int watch, const char *path,
                  const char *old_path, bool is_dir)
{
    event it = { .kind = kind, .watch = watch, .is_dir = is_dir };
    if (!self->text.size && edo_buffer_append(&self->text, "", 1) < 0) return -ENOMEM;
    if (path) it.path = keep_text(self, path);
    if (old_path) it.old_path = keep_text(self, old_path);
    if ((path && !it.path) || (old_path && !it.old_path)) return -ENOMEM;
    return edo_buffer_append(&self->events, &it, sizeof it);
}

static int report_lost(edo_watcher *self)
{
    return report(self, EDO_FILES_LOST, 0, NULL, NULL, false);
}

/* ---- adding trees ---- */

static char *join(const char *dir, const char *name, size_t *ret_size)
{
    size_t dir_size = strlen(dir), name_size = strlen(name);
    bool slash = dir_size && dir[dir_size - 1] != '/' && name_size;
    *ret_size = dir_size + slash + name_size + 1;
    char *path = edo__alloc(*ret_size);
    if (!path) return NULL;
    memcpy(path, dir, dir_size);
    if (slash) path[dir_size] = '/';
    memcpy(path + dir_size + slash, name, name_size + 1);
    return path;
}

/* Directories whose entries add_tree() reports as new files. */
typedef enum reported {
    REPORT_NONE,
    REPORT_UNSEEN, // directories that had no view, and all below them
    REPORT_ALL,
} reported;

/* Arguments of add_tree(). */
typedef struct addition {
    edo_watcher *self;
    edo__view_use use;
    reported reports;
} addition;

static int add_tree(const addition *add, const char *path);

static int add_entry(const addition *add, const char *dir, const edo__dir_entry *entry)
{
    size_t size;
    bool is_dir = entry->kind == EDO_IS_DIRECTORY;
    bool reports = add->reports == REPORT_ALL;
    if (!is_dir && !reports) return 0;
    char *path = join(dir, entry->name, &size);
    if (!path) return -ENOMEM;
    int rc = 0;
    if (reports) rc = report(add->self, EDO_FILE_CREATED, add->use.watch, path, NULL, is_dir);
    if (rc == 0 && is_dir) rc = add_tree(add, path);
    edo__free(path, size);
    return rc;
}

static int add_entries(const addition *add, const char *path, edo_fd fd, uint64_t *batch)
{
    edo__dir_entry entry;
    int rc = 0;
    for (int64_t n; rc == 0 && (n = edo__dir_read(fd, batch, NAMES_SIZE)) > 0;)
        for (size_t at = 0; rc == 0 && edo__dir_take(batch, (size_t)n, &at, &entry);)
            rc = add_entry(add, path, &entry);
    return rc;
}

static int list_tree(const addition *add, const char *path)
{
    edo__file_call call = { .verb = EDO__FILE_OPEN,
                            .fd = EDO__HERE,
                            .path = *path ? path : ".",
                            .flags = EDO_OPEN_READ | EDO_OPEN_DIRECTORY };
    int64_t fd = edo__file_make(&call);
    if (fd < 0) return fd == -ENOENT || fd == -ENOTDIR ? 0 : (int)fd;
    uint64_t *batch = edo__alloc(NAMES_SIZE);
    int rc = batch ? add_entries(add, path, (edo_fd)fd, batch) : -ENOMEM;
    edo__free(batch, NAMES_SIZE);
    edo__sys_close((edo_fd)fd);
    return rc;
}

/* Adds a directory and, for a tree, all directories below it. It is no error if a directory below
 * the root has disappeared meanwhile. */
static int add_tree(const addition *add, const char *path)
{
    bool is_new;
    int number = edo__views_add(&add->self->views, path, &add->use, NULL, &is_new);
    bool is_gone = number == -ENOENT || number == -ENOTDIR;
    if (number < 0) return is_gone && !add->use.is_root ? 0 : number;
    addition below = *add;
    below.use.is_root = false;
    below.use.needs = number;
    if (is_new && add->reports == REPORT_UNSEEN) below.reports = REPORT_ALL;
    return add->use.flags & EDO_WATCH_TREE ? list_tree(&below, path) : 0;
}

/* Adds a directory that has appeared in the directory of `view`: it was made there, moved there or
 * renamed. If it cannot be added, reports that changes are lost. */
static int add_new(edo_watcher *self, const edo__view *view, const char *path, reported reports)
{
    addition add = { self, { view->watch, view->flags, false, view->number }, reports };
    int rc = add_tree(&add, path);
    return rc < 0 ? report_lost(self) : 0;
}

/* ---- renames ---- */

static int end_move(edo_watcher *self, move *m)
{
    int rc = report(self, EDO_FILE_MOVED_OUT, m->watch, m->path, NULL, m->is_dir);
    if (m->is_dir && (m->flags & EDO_WATCH_TREE))
        edo__views_remove(&self->views, m->watch, m->path);
    edo__free(m->path, m->size);
    m->path = NULL;
    return rc;
}

/* Finds the oldest pending move of a watch, or of all watches if `watch` is 0. */
static move *oldest(edo_watcher *self, int watch)
{
    move *found = NULL;
    for (move *m = self->moves; m < self->moves + MOVES; m++)
        if (m->path && (!watch || m->watch == watch) && (!found || m->until < found->until))
            found = m;
    return found;
}

static move *find_move(edo_watcher *self, uint32_t cookie, int watch)
{
    for (move *m = self->moves; m < self->moves + MOVES; m++)
        if (m->path && m->cookie == cookie && m->watch == watch) return m;
    return NULL;
}

static int begin_move(edo_watcher *self, const edo__view *view, const edo__change *change,
                      const char *path, bool is_dir)
{
    move *m = self->moves;
    while (m < self->moves + MOVES && m->path)
        m++;
    if (m == self->moves + MOVES) {
        m = oldest(self, 0);
        int rc = end_move(self, m);
        if (rc < 0) return rc;
    }
    *m = (move){ .cookie = change->cookie,
                 .flags = view->flags,
                 .watch = view->watch,
                 .is_dir = is_dir,
                 .until = edo__later(self->now, PATIENCE) };
    m->path = join(path, "", &m->size);
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
    if (rc == 0) rc = add_new(self, view, to, REPORT_UNSEEN);
    if (rc < 0 || !edo__views_has(&self->views, view->watch, from)) return rc;
    return add_new(self, view, from, REPORT_UNSEEN);
}

/* Reports the second half of a rename. */
static int finish_move(edo_watcher *self, const edo__view *view, const edo__change *change,
                       const char *path, bool is_dir)
{
    move *m = find_move(self, change->cookie, view->watch);
    bool is_tree = is_dir && (view->flags & EDO_WATCH_TREE);
    if (!m) {
        int rc = report(self, EDO_FILE_MOVED_IN, view->watch, path, NULL, is_dir);
        return rc == 0 && is_tree ? add_new(self, view, path, REPORT_ALL) : rc;
    }
    int rc = report(self, EDO_FILE_RENAMED, view->watch, path, m->path, is_dir);
    if (rc == 0 && is_tree) rc = move_tree(self, view, m->path, path);
    edo__free(m->path, m->size);
    m->path = NULL;
    return rc;
}

/* Whether a pending move has to be reported before a change of `path`. A change that makes, removes
 * or renames `path` also affects the paths below. */
static bool is_before(const move *m, int watch, const edo__change *change, const char *path)
{
    enum {
        PLACES = EDO__CHANGE_CREATED | EDO__CHANGE_REMOVED | EDO__CHANGE_MOVED_FROM |
                 EDO__CHANGE_MOVED_TO
    };
    if (!m->path || m->watch != watch || m->cookie == change->cookie) return false;
    return change->what & PLACES ? edo__is_below(m->path, path) : strcmp(m->path, path) == 0;
}

/* Called before `change`, which is a change of `path`, is reported. Reports the pending moves away
 * from `path`, except one that `change` itself completes. If `change` makes, removes or renames
 * `path`, also reports the pending moves away from paths below it. If these moves were reported
 * later:
 * - The events would be in the wrong order.
 * - The views of a new directory at the old path would be removed.
 * - After a rename of `path`, the views of the moved directory would not be found. */
static int end_earlier_moves(edo_watcher *self, const edo__view *view, const edo__change *change,
                             const char *path)
{
    int rc = 0;
    for (move *m = self->moves; rc == 0 && m < self->moves + MOVES; m++)
        if (is_before(m, view->watch, change, path)) rc = end_move(self, m);
    return rc;
}

static int end_old_moves(edo_watcher *self)
{
    int rc = 0;
    for (move *m = oldest(self, 0); rc == 0 && m && m->until <= self->now; m = oldest(self, 0))
        rc = end_move(self, m);
    return rc;
}

/* Ends the pending moves of a watch, or of all watches if `watch` is 0. */
static int end_moves(edo_watcher *self, int watch)
{
    int rc = 0;
    for (move *m; rc == 0 && (m = oldest(self, watch));)
        rc = end_move(self, m);
    return rc;
}

/* Reports the end of a watch, after the moves of the watch that are still pending. */
static int report_end(edo_watcher *self, edo_file_event_kind kind, const edo__view *view)
{
    int rc = end_moves(self, view->watch);
    return rc < 0 ? rc : report(self, kind, view->watch, view->path, NULL, true);
}

/* ---- lost changes ---- */

/* Scans a watched root again. If the scan fails, the views stay as they are, and the watch goes on,
 * because the root may only be at another path. Returns: 0; -ENOMEM. */
static int scan_again(edo_watcher *self, const edo__view *root)
{
    addition add = { self, { root->watch, root->flags, true, root->number }, REPORT_NONE };
    const char *filter = root->filter ? root->path + root->filter : NULL;
    edo__views_begin_scan(&self->views, root->watch);
    int rc = filter ? edo__views_add(&self->views, root->path, &add.use, filter, &(bool){ 0 })
                    : add_tree(&add, root->path);
    if (rc >= 0) edo__views_end_scan(&self->views, root->watch);
    return rc == -ENOMEM ? rc : 0;
}

/* Reports the loss of changes. Scans all roots again, because new directories, renames and removals
 * may be among the lost changes. First ends the pending moves, because their second halves may be
 * lost, too. */
static int add_again(edo_watcher *self)
{
    edo__view *roots = NULL;
    int rc = end_moves(self, 0);
    if (rc == 0) rc = report_lost(self);
    if (rc == 0) rc = edo__views_copy_roots(&self->views, &roots);
    for (const edo__view *root = roots; root && rc == 0; root = root->next)
        rc = scan_again(self, root);
    edo__views_free(roots);
    return rc;
}

/* ---- one change ---- */

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
            return report(self, pairs[i].kind, view->watch, path, NULL, what & EDO__CHANGE_OF_DIR);
    return 0;
}

static int show_named(edo_watcher *self, const edo__view *view, const edo__change *change,
                      const char *path)
{
    bool is_dir = change->what & EDO__CHANGE_OF_DIR;
    if (change->what & EDO__CHANGE_MOVED_FROM) return begin_move(self, view, change, path, is_dir);
    if (change->what & EDO__CHANGE_MOVED_TO) return finish_move(self, view, change, path, is_dir);
    int rc = report_plain(self, view, change->what, path);
    bool is_new = is_dir && (change->what & EDO__CHANGE_CREATED);
    bool adds = is_new && (view->flags & EDO_WATCH_TREE);
    return rc == 0 && adds ? add_new(self, view, path, REPORT_ALL) : rc;
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
    if (*change->name) return view->filter && strcmp(view->path + view->filter, change->name) != 0;
    if (change->what & ENDS) return !view->is_root && !view->filter;
    return !view->is_root || view->filter;
}

/* Reports a change in one view. */
static int show(edo_watcher *self, const edo__view *view, const edo__change *change)
{
    size_t size;
    if (is_hidden(view, change)) return 0;
    if (change->what & EDO__CHANGE_SELF_REMOVED) return report_end(self, EDO_FILE_REMOVED, view);
    char *path = join(view->path, change->name, &size);
    if (!path) return -ENOMEM;
    int rc = end_earlier_moves(self, view, change, path);
    if (rc == 0) rc = show_named(self, view, change, path);
    edo__free(path, size);
    return rc;
}

/* Ends the watch of a view whose root was renamed. The system does not tell the new path, so the
 * paths of all further events would be wrong. Does nothing if the path of the view still leads to
 * the directory. Then the watch was added after the rename, or the directory was renamed back. */
static int end_moved(edo_watcher *self, const edo__change *change, const edo__view *view)
{
    if (is_hidden(view, change) || edo__views_is_true(&self->views, view)) return 0;
    int rc = report_end(self, EDO_FILE_MOVED_OUT, view);
    edo__views_remove(&self->views, view->watch, NULL);
    return rc;
}

/* Reports a change in all views that its directory has at one moment. The views are copied, so a
 * watch that is added or removed during the reports does not affect the other watches. */
static int translate(edo_watcher *self, const edo__change *change)
{
    edo__view *views;
    if (change->what & EDO__CHANGE_LOST) return add_again(self);
    if (change->what & EDO__CHANGE_ENDED) edo__views_end(&self->views, change->number);
    bool moved = change->what & EDO__CHANGE_SELF_MOVED;
    int rc = edo__views_copy(&self->views, change->number, &views);
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
    int64_t n = edo__changes_read(self->views.fd, self->raw, RAW_SIZE);
    self->raw_at = 0;
    self->raw_size = n > 0 ? (size_t)n : 0;
    self->is_readable = n > 0;
    return n > 0;
}

/* Turns raw changes into events, until no changes are left or the paths of the events reach
 * MOST_TEXT bytes. After an error the events of this visit are lost, and the next visit reports the
 * loss. */
static int64_t run_translate(edo_op *op)
{
    edo_watcher *self = op->object;
    edo__change change;
    self->text.size = self->events.size = 0;
    self->taken = 0;
    int rc = self->has_lost ? add_again(self) : 0;
    if (rc == 0) rc = end_old_moves(self);
    while (rc == 0 && self->text.size < MOST_TEXT && read_raw(self))
        if (edo__changes_take(self->raw, self->raw_size, &self->raw_at, &change))
            rc = translate(self, &change);
    self->has_lost = rc < 0;
    return rc;
}

/* ---- taking events ---- */

static const char *text_of(const edo_watcher *self, size_t at)
{
    return at ? (const char *)self->text.data + at : NULL;
}

static bool take(edo_watcher *self, edo_file_event *ret_event)
{
    size_t at = self->taken * sizeof(event);
    if (at >= self->events.size) return false;
    const event *it = (const void *)(self->events.data + at);
    self->taken++;
    *ret_event = (edo_file_event){ .kind = it->kind,
                                   .watch = it->watch,
                                   .path = text_of(self, it->path),
                                   .old_path = text_of(self, it->old_path),
                                   .is_dir = it->is_dir };
    return true;
}

/* Whether the oldest pending rename has waited long enough for its second half. If it has to wait
 * longer, requests a poll for the end of that wait. */
static bool is_move_over(edo_watcher *self, edo_cx *cx)
{
    const move *m = oldest(self, 0);
    if (!m) return false;
    if (m->until <= cx->now) return true;
    edo_cx_deadline(cx, m->until);
    return false;
}

/* Polls the wait for raw changes, and cancels that wait when a rename has waited long enough for
 * its second half. Returns: EDO_PENDING; or EDO_READY with the result in *ret_rc: 1, or the error
 * with which the operation ends. */
static edo_poll poll_wait(edo_watcher *self, edo_cx *cx, int64_t *ret_rc)
{
    int64_t n;
    bool interrupts = cx->fate == EDO_LIVE && is_move_over(self, cx);
    if (interrupts) edo_cancel(&self->inner.base);
    if (edo__inner_poll(&self->inner, cx, &n) == EDO_PENDING) return EDO_PENDING;
    if (n > 0) self->is_readable = true;
    bool goes_on = n > 0 || (interrupts && n == -ECANCELED);
    *ret_rc = goes_on ? 1 : n;
    return EDO_READY;
}

/* Polls the visit to the pool. Returns: as poll_wait(). */
static edo_poll poll_visit(edo_op *op, edo_cx *cx, int64_t *ret_rc)
{
    if (edo__call_drive(op, cx, NULL, NULL, run_translate) == EDO_PENDING) return EDO_PENDING;
    *ret_rc = op->base.result < 0 ? op->base.result : 1;
    return EDO_READY;
}

/* Takes an event, waits, or visits the pool. The wait and the visit never overlap. Returns:
 * EDO_PENDING; or EDO_READY with the result in *ret_rc: 1 if an event was taken, or a negative
 * errno. */
static edo_poll next_step(edo_watcher *self, edo_op *op, edo_cx *cx, int64_t *ret_rc)
{
    for (;;) {
        edo_poll poll;
        if (edo__call_is_begun(op)) {
            poll = poll_visit(op, cx, ret_rc);
        } else if (edo__inner_is_set(&self->inner)) {
            poll = poll_wait(self, cx, ret_rc);
        } else if (take(self, op->data)) {
            *ret_rc = 1;
            return EDO_READY;
        } else if (self->is_readable || self->has_lost || is_move_over(self, cx)) {
            self->now = cx->now;
            poll = poll_visit(op, cx, ret_rc);
        } else {
            self->inner = edo_wait_fd(self->views.fd, EDO_READABLE);
            continue;
        }
        if (poll == EDO_PENDING || *ret_rc < 0) return poll;
    }
}

static edo_poll next_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_watcher *self = op->object;
    int64_t rc;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!edo__user_enters(&self->user, op)) return edo__op_finish(op, cx, -EBUSY);
    if (next_step(self, op, cx, &rc) == EDO_PENDING) return EDO_PENDING;
    return edo__user_ends(&self->user, op, cx, rc);
}

edo_op edo_watcher_next(edo_watcher *watcher, edo_file_event *ret_event)
{
    static const edo_future_ops ops = { .name = "edo_watcher_next", .poll = next_poll };
    edo__check_memory("edo_watcher_next", ret_event, "output");
    if (!watcher || !ret_event) return edo__op_refuse(-EINVAL);
    return edo__op(&ops, watcher, ret_event, 0, 0);
}

/* ---- watches ---- */

typedef struct EDO__OVERLAY watch_op {
    edo_future base;
    void *reserved; // no edo_file
    const char *path;
    edo_watcher *watcher;
    uint64_t argument; // EDO_WATCH_*, or the number of the watch
    void *link[2];     // for the pool
    edo__op_state state;
} watch_op;

EDO__OVERLAY_FITS(watch_op);

static watch_op *watch_of(const edo_op *op)
{
    return (watch_op *)(uintptr_t)op;
}

/* Watches a file: watches its directory, with the file's name as the filter. */
static int add_file(edo_watcher *self, const char *path, int watch)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    size_t size = slash ? (size_t)(slash - path) : 0;
    if (!*name) return -ENOTDIR;
    if (slash == path) size = 1; // in "/"
    char *dir = edo__alloc(size + 1);
    if (!dir) return -ENOMEM;
    memcpy(dir, path, size);
    dir[size] = '\0';
    const edo__view_use use = { watch, 0, true, EDO__NO_VIEW };
    int number = edo__views_add(&self->views, dir, &use, name, &(bool){ 0 });
    edo__free(dir, size + 1);
    return number < 0 ? number : 0;
}

static void explain(int error)
{
    if (error == -ENOSPC)
        edo__log(EDO_LOG_WARN, "edo_watcher_add: too many watched directories of this user: "
                               "sysctl fs.inotify.max_user_watches is the limit");
}

static int64_t run_add(edo_op *op)
{
    const watch_op *self = watch_of(op);
    edo_watcher *watcher = self->watcher;
    int watch = edo_add_relaxed(&watcher->last_watch, 1) + 1;
    addition add = { watcher,
                     { watch, (uint32_t)self->argument, true, EDO__NO_VIEW },
                     REPORT_NONE };
    int rc = *self->path ? add_tree(&add, self->path) : -ENOENT;
    if (rc == -ENOTDIR || rc == -ENOENT)
        rc = *self->path ? add_file(watcher, self->path, watch) : rc;
    if (rc == 0) return watch;
    edo__views_remove(&watcher->views, watch, NULL);
    explain(rc);
    return rc;
}

static int64_t run_remove(edo_op *op)
{
    const watch_op *self = watch_of(op);
    unsigned count = edo__views_remove(&self->watcher->views, (int)self->argument, NULL);
    return count ? 0 : -ENOENT;
}

/* Claims the watcher for an add or a remove, so that a close during the operation aborts. */
static int enter(edo_op *op)
{
    if (edo__claims_take(&watch_of(op)->watcher->changes, EDO__SOURCE_READING) < 0)
        edo__misuse(op->base.ops->name,
                    "the handle was closed before: a close is the last use of it");
    return 0;
}

static int64_t leave(edo_op *op, int64_t result)
{
    edo__claims_leave(&watch_of(op)->watcher->changes, EDO__SOURCE_READING);
    return result;
}

static edo_op make(const edo__fs_kind *kind, edo_watcher *watcher, const char *path,
                   uint64_t argument)
{
    edo_op op = edo__op(&kind->future, NULL, NULL, 0, 0);
    watch_of(&op)->path = path;
    watch_of(&op)->watcher = watcher;
    watch_of(&op)->argument = argument;
    return op;
}

edo_op edo_watcher_add(edo_watcher *watcher, const char *path, uint32_t flags)
{
    static const edo__fs_kind kind = EDO__FS_KIND("edo_watcher_add", .run = run_add, .check = enter,
                                                  .end = leave);
    edo__check_memory("edo_watcher_add", path, "path");
    if (!watcher || !path || (flags & ~(uint32_t)EDO_WATCH_TREE)) return edo__op_refuse(-EINVAL);
    return make(&kind, watcher, path, flags);
}

edo_op edo_watcher_remove(edo_watcher *watcher, int watch)
{
    static const edo__fs_kind kind = EDO__FS_KIND("edo_watcher_remove", .run = run_remove,
                                                  .check = enter, .end = leave);
    if (!watcher || watch <= 0) return edo__op_refuse(-EINVAL);
    return make(&kind, watcher, NULL, (uint64_t)watch);
}

/* ---- life ---- */

int edo_watcher_create(edo_watcher **ret_watcher)
{
    if (!ret_watcher) return -EINVAL;
    edo_watcher *self = edo__alloc_zeroed(sizeof *self);
    if (!self) return -ENOMEM;
    self->raw = edo__alloc(RAW_SIZE);
    edo_fd fd = self->raw ? edo__changes_open() : -ENOMEM;
    if (fd < 0) {
        edo__free(self->raw, RAW_SIZE);
        edo__free(self, sizeof *self);
        return fd;
    }
    self->views.fd = fd;
    self->changes = EDO__SOURCE_COUNTS;
    *ret_watcher = self;
    return 0;
}

void edo_watcher_close(edo_watcher *watcher)
{
    if (!watcher) return;
    edo__user_closes(&watcher->user, "edo_watcher_close", "edo_watcher_next");
    if (edo__claims_any(edo__claims_close(&watcher->changes)))
        edo__misuse("edo_watcher_close",
                    "an edo_watcher_add() or edo_watcher_remove() is in flight");
    edo__sys_close(watcher->views.fd);
    edo__views_clear(&watcher->views);
    for (move *m = watcher->moves; m < watcher->moves + MOVES; m++)
        edo__free(m->path, m->size);
    edo_buffer_deinit(&watcher->text);
    edo_buffer_deinit(&watcher->events);
    edo__free(watcher->raw, RAW_SIZE);
    edo__free_closed(watcher, sizeof *watcher);
}
