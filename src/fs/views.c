#include "fs/views.h"

#include <string.h>

#include "base/base.h"

static edo__view **bucket_of(edo__views *views, int number)
{
    return &views->buckets[(unsigned)number % EDO__VIEW_BUCKETS];
}

void edo__view_free(edo__view *view)
{
    if (view) edo__free(view, view->size);
}

static edo__view *make(const char *path, const char *filter)
{
    size_t path_end = strlen(path), more = filter ? strlen(filter) + 1 : 0;
    size_t size = sizeof(edo__view) + path_end + 1 + more;
    edo__view *view = edo__alloc_zeroed(size);
    if (!view) return NULL;
    view->size = size;
    view->path_end = path_end;
    memcpy(view->path, path, path_end);
    if (filter) view->filter = path_end + 1;
    if (filter) memcpy(view->path + view->filter, filter, more);
    return view;
}

static bool is_same(const edo__view *a, const edo__view *b)
{
    if (a->watch != b->watch || a->number != b->number || !a->filter != !b->filter) return false;
    return strcmp(a->path, b->path) == 0;
}

/* Inserts a view, unless there is an equal one. Called under the lock. */
static void insert(edo__views *views, edo__view *view)
{
    edo__view **bucket = bucket_of(views, view->number);
    for (const edo__view *other = *bucket; other; other = other->next) {
        if (!is_same(other, view)) continue;
        edo__view_free(view);
        return;
    }
    view->next = *bucket;
    *bucket = view;
}

int edo__views_add(edo__views *views, const char *system_path, const char *path, int watch,
                   uint32_t flags, bool is_root, const char *filter)
{
    edo__view *view = make(path, filter);
    if (!view) return -ENOMEM;
    view->watch = watch;
    view->flags = flags;
    view->is_root = is_root;
    edo__lock_take(&views->lock);
    int number = edo__changes_add(views->fd, system_path);
    view->number = number;
    if (number >= 0) insert(views, view);
    edo__lock_give(&views->lock);
    if (number < 0) edo__view_free(view);
    return number < 0 ? number : 0;
}

/* Copies a view. view: may be NULL. Returns: as edo__views_copy(). Called under the lock. */
static int copy_of(const edo__view *view, edo__view **ret_copy)
{
    if (!view) return 0;
    edo__view *copy = edo__alloc(view->size);
    if (!copy) return -ENOMEM;
    memcpy(copy, view, view->size);
    *ret_copy = copy;
    return 1;
}

int edo__views_copy(edo__views *views, int number, unsigned index, edo__view **ret_copy)
{
    edo__lock_take(&views->lock);
    const edo__view *view = *bucket_of(views, number);
    while (view && (view->number != number || index-- > 0))
        view = view->next;
    int rc = copy_of(view, ret_copy);
    edo__lock_give(&views->lock);
    return rc;
}

/* ---- removal; under the lock ---- */

static bool has_view(edo__views *views, int number)
{
    for (const edo__view *view = *bucket_of(views, number); view; view = view->next)
        if (view->number == number) return true;
    return false;
}

static void unlink_at(edo__view **at)
{
    edo__view *view = *at;
    *at = view->next;
    edo__view_free(view);
}

bool edo__views_is_true(edo__views *views, const edo__view *view)
{
    edo__lock_take(&views->lock);
    int number = edo__changes_add(views->fd, *view->path ? view->path : ".");
    if (number >= 0 && !has_view(views, number)) edo__changes_remove(views->fd, number);
    edo__lock_give(&views->lock);
    return number == view->number;
}

/* Whether a path is `dir`, or lies below it. */
static bool is_below(const char *path, const char *dir)
{
    size_t size = strlen(dir);
    return strncmp(path, dir, size) == 0 && (path[size] == '\0' || path[size] == '/');
}

static bool is_meant(const edo__view *view, int watch, const char *path)
{
    return view->watch == watch && (!path || (!view->filter && is_below(view->path, path)));
}

unsigned edo__views_remove(edo__views *views, int watch, const char *path)
{
    unsigned count = 0;
    edo__lock_take(&views->lock);
    for (unsigned i = 0; i < EDO__VIEW_BUCKETS; i++) {
        for (edo__view **at = &views->buckets[i]; *at;) {
            int number = (*at)->number;
            if (!is_meant(*at, watch, path)) {
                at = &(*at)->next;
                continue;
            }
            unlink_at(at);
            count++;
            if (!has_view(views, number)) edo__changes_remove(views->fd, number);
        }
    }
    edo__lock_give(&views->lock);
    return count;
}

void edo__views_end(edo__views *views, int number)
{
    edo__lock_take(&views->lock);
    for (edo__view **at = bucket_of(views, number); *at;) {
        if ((*at)->number == number)
            unlink_at(at);
        else
            at = &(*at)->next;
    }
    edo__lock_give(&views->lock);
}

void edo__views_clear(edo__views *views)
{
    for (unsigned i = 0; i < EDO__VIEW_BUCKETS; i++)
        while (views->buckets[i])
            unlink_at(&views->buckets[i]);
}

/* ---- moved directories ---- */

/* Replaces a view by a view whose path begins with `to` in place of `from`. Called under the lock.
 * Returns: 0; -ENOMEM. */
static int move_view(edo__view **at, const char *from, const char *to)
{
    const edo__view *old = *at;
    const char *rest = old->path + strlen(from);
    size_t to_size = strlen(to), rest_size = strlen(rest);
    size_t size = sizeof *old + to_size + rest_size + 1;
    edo__view *view = edo__alloc_zeroed(size);
    if (!view) return -ENOMEM;
    *view = *old;
    view->size = size;
    view->path_end = to_size + rest_size;
    memcpy(view->path, to, to_size);
    memcpy(view->path + to_size, rest, rest_size + 1);
    unlink_at(at);
    view->next = *at;
    *at = view;
    return 0;
}

int edo__views_move(edo__views *views, int watch, const char *from, const char *to)
{
    int rc = 0;
    edo__lock_take(&views->lock);
    for (unsigned i = 0; i < EDO__VIEW_BUCKETS && rc == 0; i++)
        for (edo__view **at = &views->buckets[i]; *at && rc == 0; at = &(*at)->next)
            if (is_meant(*at, watch, from)) rc = move_view(at, from, to);
    edo__lock_give(&views->lock);
    if (rc < 0) edo__views_remove(views, watch, from);
    return rc;
}

static const edo__view *find_root(const edo__views *views, unsigned index)
{
    for (unsigned i = 0; i < EDO__VIEW_BUCKETS; i++)
        for (const edo__view *view = views->buckets[i]; view; view = view->next)
            if (view->is_root && index-- == 0) return view;
    return NULL;
}

int edo__views_next_root(edo__views *views, unsigned *at, edo__view **ret_copy)
{
    edo__lock_take(&views->lock);
    int rc = copy_of(find_root(views, (*at)++), ret_copy);
    edo__lock_give(&views->lock);
    return rc;
}
