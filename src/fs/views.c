#include "fs/views.h"

#include <string.h>

#include "base/base.h"

static edo__view **bucket_of(edo__views *views, int number)
{
    return &views->buckets[(unsigned)number % EDO__VIEW_BUCKETS];
}

static void view_free(edo__view *view)
{
    edo__free(view, view->size);
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

/* Finds the view that a watch has of a directory. Called under the lock. Returns: NULL if there is
 * none. */
static edo__view **find(edo__views *views, int number, int watch)
{
    edo__view **at = bucket_of(views, number);
    while (*at && ((*at)->number != number || (*at)->watch != watch))
        at = &(*at)->next;
    return *at ? at : NULL;
}

/* Inserts a view, or replaces the view that the watch already has of the directory. The view of a
 * root is not replaced, because its path is the path that the user gave. Called under the lock.
 * Returns: whether the watch had no view of the directory. */
static bool insert(edo__views *views, edo__view *view)
{
    edo__view **at = find(views, view->number, view->watch);
    if (!at) {
        edo__view **bucket = bucket_of(views, view->number);
        view->next = *bucket;
        *bucket = view;
        return true;
    }
    edo__view *other = *at;
    other->is_old = false;
    if (!other->is_root) {
        view->next = other->next;
        *at = view;
    }
    view_free(other->is_root ? view : other);
    return false;
}

/* Whether a watch still has the view that a new view needs. A scan of a tree does not hold the lock
 * all the time, so the watch may be removed during the scan. Called under the lock. */
static bool has_needed(edo__views *views, const edo__view_use *use)
{
    return use->needs == EDO__NO_VIEW || find(views, use->needs, use->watch);
}

static int add_number(edo__views *views, const char *path)
{
    return edo__changes_add(views->fd, *path ? path : ".");
}

int edo__views_add(edo__views *views, const char *path, const edo__view_use *use,
                   const char *filter, bool *ret_is_new)
{
    edo__view *view = make(path, filter);
    if (!view) return -ENOMEM;
    view->watch = use->watch;
    view->flags = use->flags;
    view->is_root = use->is_root;
    edo__lock_take(&views->lock);
    int number = has_needed(views, use) ? add_number(views, path) : -ENOENT;
    view->number = number;
    if (number >= 0) *ret_is_new = insert(views, view);
    edo__lock_give(&views->lock);
    if (number < 0) view_free(view);
    return number;
}

/* ---- copies ---- */

void edo__views_free(edo__view *list)
{
    for (edo__view *next; list; list = next) {
        next = list->next;
        view_free(list);
    }
}

/* Appends a copy of a view to a list that ends at **end. Called under the lock. Returns: 0;
 * -ENOMEM. */
static int append_copy(const edo__view *view, edo__view ***end)
{
    edo__view *copy = edo__alloc(view->size);
    if (!copy) return -ENOMEM;
    memcpy(copy, view, view->size);
    copy->next = NULL;
    **end = copy;
    *end = &copy->next;
    return 0;
}

/* Hands out the list of copies, or frees it if rc is an error. Returns: rc. */
static int end_copies(edo__view *list, int rc, edo__view **ret_list)
{
    if (rc < 0)
        edo__views_free(list);
    else
        *ret_list = list;
    return rc;
}

int edo__views_copy(edo__views *views, int number, edo__view **ret_list)
{
    edo__view *list = NULL, **end = &list;
    int rc = 0;
    edo__lock_take(&views->lock);
    for (const edo__view *view = *bucket_of(views, number); view && rc == 0; view = view->next)
        if (view->number == number) rc = append_copy(view, &end);
    edo__lock_give(&views->lock);
    return end_copies(list, rc, ret_list);
}

int edo__views_copy_roots(edo__views *views, edo__view **ret_list)
{
    edo__view *list = NULL, **end = &list;
    int rc = 0;
    edo__lock_take(&views->lock);
    for (unsigned i = 0; i < EDO__VIEW_BUCKETS; i++)
        for (const edo__view *view = views->buckets[i]; view && rc == 0; view = view->next)
            if (view->is_root) rc = append_copy(view, &end);
    edo__lock_give(&views->lock);
    return end_copies(list, rc, ret_list);
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
    view_free(view);
}

/* ---- paths; under the lock ---- */

/* Returns: the number of the directory to which a path leads; or an error. */
static int look_up(edo__views *views, const char *path)
{
    int number = add_number(views, path);
    if (number >= 0 && !has_view(views, number)) edo__changes_remove(views->fd, number);
    return number;
}

bool edo__views_is_true(edo__views *views, const edo__view *view)
{
    edo__lock_take(&views->lock);
    int number = look_up(views, view->path);
    edo__lock_give(&views->lock);
    return number == view->number;
}

bool edo__views_has(edo__views *views, int watch, const char *path)
{
    edo__lock_take(&views->lock);
    int number = look_up(views, path);
    bool has = number >= 0 && find(views, number, watch);
    edo__lock_give(&views->lock);
    return has;
}

bool edo__is_below(const char *path, const char *dir)
{
    size_t size = strlen(dir);
    return strncmp(path, dir, size) == 0 && (path[size] == '\0' || path[size] == '/');
}

static bool is_meant(const edo__view *view, int watch, const char *path)
{
    return view->watch == watch && (!path || (!view->filter && edo__is_below(view->path, path)));
}

static unsigned remove_views(edo__views *views, int watch, const char *path, bool only_old)
{
    unsigned count = 0;
    edo__lock_take(&views->lock);
    for (unsigned i = 0; i < EDO__VIEW_BUCKETS; i++) {
        for (edo__view **at = &views->buckets[i]; *at;) {
            int number = (*at)->number;
            if (!is_meant(*at, watch, path) || (only_old && !(*at)->is_old)) {
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

unsigned edo__views_remove(edo__views *views, int watch, const char *path)
{
    return remove_views(views, watch, path, false);
}

void edo__views_begin_scan(edo__views *views, int watch)
{
    edo__lock_take(&views->lock);
    for (unsigned i = 0; i < EDO__VIEW_BUCKETS; i++)
        for (edo__view *view = views->buckets[i]; view; view = view->next)
            if (view->watch == watch) view->is_old = true;
    edo__lock_give(&views->lock);
}

void edo__views_end_scan(edo__views *views, int watch)
{
    remove_views(views, watch, NULL, true);
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

/* Replaces a view by a copy, whose path begins with `to` in place of `from`. Called under the lock.
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
