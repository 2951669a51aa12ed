/* Scans: new directories of a watched tree, and all directories after lost changes. */
#include "fs/watcher.h"

#include "fs/fs.h"

enum { NAMES_SIZE = 8 * 1024 }; // bytes; batch of a directory's entries

/* ---- adding trees ---- */

static int add_entry(const edo__addition *add, const char *dir, const edo__dir_entry *entry)
{
    bool is_dir = entry->kind == EDO_IS_DIRECTORY;
    bool reports = add->reports == EDO__REPORT_ALL;
    if (!is_dir && !reports) return 0;
    char *path = edo__path_join(dir, entry->name);
    if (!path) return -ENOMEM;
    int rc = 0;
    if (reports)
        rc = edo__watcher_report(add->self, EDO_FILE_CREATED, add->use.watch, path, NULL, is_dir);
    if (rc == 0 && is_dir) rc = edo__watcher_add_tree(add, path);
    edo__text_free(path);
    return rc;
}

static int add_entries(const edo__addition *add, const char *path, edo_fd fd, uint64_t *batch)
{
    edo__dir_entry entry;
    int rc = 0;
    for (int64_t n; rc == 0 && (n = edo__dir_read(fd, batch, NAMES_SIZE)) > 0;)
        for (size_t at = 0; rc == 0 && edo__dir_take(batch, (size_t)n, &at, &entry);)
            rc = add_entry(add, path, &entry);
    return rc;
}

static int list_tree(const edo__addition *add, const char *path)
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

int edo__watcher_add_tree(const edo__addition *add, const char *path)
{
    bool is_new;
    int number = edo__views_add(&add->self->views, path, &add->use, &is_new);
    bool is_gone = number == -ENOENT || number == -ENOTDIR;
    if (number < 0) return is_gone && !add->use.is_root ? 0 : number;
    edo__addition below = *add;
    below.use.is_root = false;
    below.use.above = number;
    below.use.above_path = NULL;
    if (is_new && add->reports == EDO__REPORT_UNSEEN) below.reports = EDO__REPORT_ALL;
    return add->use.flags & EDO_WATCH_TREE ? list_tree(&below, path) : 0;
}

int edo__watcher_add_new(edo_watcher *self, const edo__view *view, const char *path,
                         edo__reported reports)
{
    edo__addition add = { self,
                          { view->watch, view->flags, false, view->number, view->path, NULL },
                          reports };
    int rc = edo__watcher_add_tree(&add, path);
    return rc < 0 ? edo__watcher_report_lost(self) : 0;
}

/* ---- lost changes ---- */

/* Scans a watched root again. If the scan fails, the views stay as they are, and the watch goes on,
 * because the root may only be at another path. Returns: 0; -ENOMEM. */
static int scan_again(edo_watcher *self, const edo__view *root)
{
    edo__addition add = { self,
                          { root->watch, root->flags, true, root->number, NULL, root->filter },
                          EDO__REPORT_NONE };
    edo__views_begin_scan(&self->views, root->watch);
    int rc = edo__watcher_add_tree(&add, root->path);
    if (rc >= 0) edo__views_remove(&self->views, root->watch, true);
    return rc == -ENOMEM ? rc : 0;
}

int edo__watcher_add_again(edo_watcher *self)
{
    edo__view *roots = NULL;
    int rc = edo__watcher_end_moves(self, 0, INT64_MAX);
    if (rc == 0) rc = edo__watcher_report_lost(self);
    if (rc == 0) rc = edo__views_copy(&self->views, EDO__NO_VIEW, &roots);
    for (const edo__view *root = roots; root && rc == 0; root = root->next)
        rc = scan_again(self, root);
    edo__views_free(roots);
    return rc;
}
