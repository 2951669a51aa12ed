/* Watchers and their watches. */
#include <edo/watch_files.h>

#include <string.h>

#include "fs/fs.h"
#include "fs/watcher.h"
#include "io/claims.h"
#include "runtime/inspect/maker.h"
#include "stream/inner.h"

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
static int add_file(const edo__addition *add, const char *path)
{
    edo__addition file = *add;
    const char *name = file.use.filter = edo__path_name(path);
    file.use.flags = 0;
    if (!*name) return -ENOTDIR;
    size_t size = (size_t)(name - path);
    char *dir = edo__text_part(path, size > 1 ? size - 1 : size); // "/" keeps its slash
    int rc = dir ? edo__watcher_add_tree(&file, dir) : -ENOMEM;
    edo__text_free(dir);
    return rc;
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
    edo__addition add = { watcher,
                          { watch, (uint32_t)self->argument, true, EDO__NO_VIEW, NULL, NULL },
                          EDO__REPORT_NONE };
    int rc = *self->path ? edo__watcher_add_tree(&add, self->path) : -ENOENT;
    if (*self->path && (rc == -ENOTDIR || rc == -ENOENT)) rc = add_file(&add, self->path);
    if (rc == 0) return watch;
    edo__views_remove(&watcher->views, watch, false);
    explain(rc);
    return rc;
}

static int64_t run_remove(edo_op *op)
{
    const watch_op *self = watch_of(op);
    return edo__views_remove(&self->watcher->views, (int)self->argument, false) ? 0 : -ENOENT;
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
    self->raw = edo__alloc(EDO__RAW_SIZE);
    edo_fd fd = self->raw ? edo__changes_open() : -ENOMEM;
    if (fd < 0) {
        edo__free(self->raw, EDO__RAW_SIZE);
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
    for (edo__move *m = watcher->moves; m < watcher->moves + EDO__MOVES; m++)
        edo__text_free(m->path);
    edo_buffer_deinit(&watcher->text);
    edo_buffer_deinit(&watcher->events);
    edo__free(watcher->raw, EDO__RAW_SIZE);
    edo__free_closed(watcher, sizeof *watcher);
}
