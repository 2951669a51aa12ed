#include "fs/views.h"

#include <string.h>

#include "base/base.h"

#define each_view(views, view)                                                                     \
    for (unsigned i_ = 0; i_ < EDO__VIEW_BUCKETS; i_++)                                            \
        for (edo__view *view = (views)->buckets[i_]; view; view = view->next)

static edo__view **bucket_of(edo__views *views, int number)
{
    return &views->buckets[(unsigned)number % EDO__VIEW_BUCKETS];
}

void edo__views_free(edo__view *list)
{
    for (edo__view *next; list; list = next) {
        next = list->next;
        edo__text_free(list->path);
        edo__text_free(list->filter);
        edo__free(list, sizeof *list);
    }
}

/* Makes a view like another one, except that it is linked to no other view. Takes `path`. Returns:
 * NULL if out of memory, or if `path` is NULL. */
static edo__view *make(const edo__view *like, char *path)
{
    edo__view *view = edo__alloc(sizeof *view);
    if (!view) {
        edo__text_free(path);
        return NULL;
    }
    *view = *like;
    view->next = view->above = NULL;
    view->path = path;
    view->filter = like->filter ? edo__text_copy(like->filter) : NULL;
    if (path && !like->filter == !view->filter) return view;
    edo__views_free(view);
    return NULL;
}

/* Finds the view that a watch has of a directory. Called under the lock. Returns: NULL if there is
 * none. */
static edo__view *find(edo__views *views, int number, int watch)
{
    edo__view *view = *bucket_of(views, number);
    while (view && (view->number != number || view->watch != watch))
        view = view->next;
    return view;
}

/* ---- paths; under the lock ---- */

/* Composes the path of a view. Returns: NULL if out of memory. */
static char *path_of(const edo__view *view)
{
    if (!view->above) return edo__text_copy(view->path);
    char *dir = path_of(view->above);
    char *path = dir ? edo__path_join(dir, view->path) : NULL;
    edo__text_free(dir);
    return path;
}

static int add_number(edo__views *views, const char *path)
{
    return edo__changes_add(views->fd, *path ? path : ".");
}

/* Ends the system's watch of a directory that has no view. */
static void end_unused(edo__views *views, int number)
{
    const edo__view *view = number < 0 ? NULL : *bucket_of(views, number);
    while (view && view->number != number)
        view = view->next;
    if (number >= 0 && !view) edo__changes_remove(views->fd, number);
}

static bool leads_to(edo__views *views, const char *path, int number)
{
    int found = add_number(views, path);
    if (found != number) end_unused(views, found);
    return found == number;
}

bool edo__views_is_true(edo__views *views, const edo__view *copy)
{
    edo__lock_take(&views->lock);
    bool is_true = leads_to(views, copy->path, copy->number);
    if (is_true) end_unused(views, copy->number);
    edo__lock_give(&views->lock);
    return is_true;
}

/* ---- adding; under the lock ---- */

static void set_above(edo__view *view, edo__view *above)
{
    if (view->above) view->above->below--;
    if (above) above->below++;
    view->above = above;
}

/* Moves a view, and exchanges its path with *path. A view is not moved below itself: a later change
 * explains that place. */
static void move(edo__view *view, edo__view *above, char **path)
{
    for (const edo__view *v = above; v; v = v->above)
        if (v == view) return;
    char *former = view->path;
    view->path = *path;
    *path = former;
    view->is_root = !above;
    set_above(view, above);
}

/* Inserts a view, or moves the view that the watch already has of the directory. The view of a root
 * is not moved, because its path is the path that the user gave. Returns: whether the watch had no
 * view of the directory. */
static bool insert(edo__views *views, edo__view *view, edo__view *above)
{
    edo__view *other = find(views, view->number, view->watch);
    if (other) {
        other->is_old = false;
        if (!other->is_root) move(other, above, &view->path);
        edo__views_free(view);
        return false;
    }
    view->next = *bucket_of(views, view->number);
    *bucket_of(views, view->number) = view;
    set_above(view, above);
    return true;
}

/* Adds a directory to the system. A scan of a tree does not hold the lock all the time, so the
 * watch may be removed during the scan. Other cases are explained by changes that are still in the
 * queue:
 * - A directory above was renamed, and its path leads to another directory.
 * - The directory was renamed just before the system began to watch it. Then the system does not
 *   report its new place by its number. */
static int add_directory(edo__views *views, const char *path, const edo__view_use *use)
{
    bool has_above = use->above == EDO__NO_VIEW || find(views, use->above, use->watch);
    int number = has_above ? add_number(views, path) : -ENOENT;
    if (number < 0 || use->is_root) return number;
    bool is_above = !use->above_path || leads_to(views, use->above_path, use->above);
    if (is_above && leads_to(views, path, number)) return number;
    end_unused(views, number);
    return -ENOENT;
}

int edo__views_add(edo__views *views, const char *path, const edo__view_use *use, bool *ret_is_new)
{
    const edo__view like = { .watch = use->watch,
                             .flags = use->flags,
                             .is_root = use->is_root,
                             .filter = (char *)(uintptr_t)use->filter };
    edo__view *view = make(&like, edo__text_copy(use->is_root ? path : edo__path_name(path)));
    if (!view) return -ENOMEM;
    edo__lock_take(&views->lock);
    int number = view->number = add_directory(views, path, use);
    edo__view *above = use->is_root ? NULL : find(views, use->above, use->watch);
    if (number >= 0) *ret_is_new = insert(views, view, above);
    edo__lock_give(&views->lock);
    if (number < 0) edo__views_free(view);
    return number;
}

/* ---- copies ---- */

/* Puts copies of all views of a directory in a bucket before a list. EDO__NO_VIEW: of all roots.
 * Called under the lock. Returns: 0; -ENOMEM. */
static int push_copies(const edo__view *view, int number, edo__view **list)
{
    for (; view; view = view->next) {
        if (number == EDO__NO_VIEW ? !view->is_root : view->number != number) continue;
        edo__view *copy = make(view, path_of(view));
        if (!copy) return -ENOMEM;
        copy->next = *list;
        *list = copy;
    }
    return 0;
}

int edo__views_copy(edo__views *views, int number, edo__view **ret_list)
{
    edo__view *list = NULL;
    int rc = 0;
    edo__lock_take(&views->lock);
    if (number != EDO__NO_VIEW) rc = push_copies(*bucket_of(views, number), number, &list);
    for (unsigned i = 0; number == EDO__NO_VIEW && rc == 0 && i < EDO__VIEW_BUCKETS; i++)
        rc = push_copies(views->buckets[i], number, &list);
    edo__lock_give(&views->lock);
    if (rc == 0) *ret_list = list;
    if (rc < 0) edo__views_free(list);
    return rc;
}

/* ---- removal ---- */

/* Removes the first view of a list, which has no views below it. Called under the lock. */
static void drop(edo__views *views, edo__view **at)
{
    edo__view *view = *at;
    *at = view->next;
    view->next = NULL;
    set_above(view, NULL);
    end_unused(views, view->number);
    edo__views_free(view);
}

/* Removes the views in a bucket that are gone, or below views that are gone. Views with others
 * below them wait until those are removed. Called under the lock. Returns: whether anything has
 * changed. */
static bool sweep_bucket(edo__views *views, edo__view **at)
{
    bool changes = false;
    for (edo__view *view; (view = *at);) {
        bool follows = !view->is_gone && view->above && view->above->is_gone;
        view->is_gone |= follows;
        bool drops = view->is_gone && !view->below;
        changes |= follows || drops;
        if (drops)
            drop(views, at);
        else
            at = &view->next;
    }
    return changes;
}

static void sweep(edo__views *views)
{
    for (bool changes = true; changes;) {
        changes = false;
        for (unsigned i = 0; i < EDO__VIEW_BUCKETS; i++)
            changes |= sweep_bucket(views, &views->buckets[i]);
    }
}

void edo__views_end(edo__views *views, int number)
{
    bool has_below = false;
    edo__lock_take(&views->lock);
    for (edo__view *view = *bucket_of(views, number); view; view = view->next) {
        view->is_gone = view->number == number;
        has_below |= view->is_gone && view->below;
    }
    sweep_bucket(views, bucket_of(views, number));
    if (has_below) sweep(views);
    edo__lock_give(&views->lock);
}

unsigned edo__views_remove(edo__views *views, int watch, bool only_old)
{
    unsigned count = 0;
    edo__lock_take(&views->lock);
    each_view(views, view)
    {
        view->is_gone = view->watch == watch && (view->is_old || !only_old);
        count += view->is_gone;
    }
    sweep(views);
    edo__lock_give(&views->lock);
    return count;
}

void edo__views_begin_scan(edo__views *views, int watch)
{
    edo__lock_take(&views->lock);
    each_view(views, view) if (view->watch == watch) view->is_old = true;
    edo__lock_give(&views->lock);
}

void edo__views_clear(edo__views *views)
{
    for (unsigned i = 0; i < EDO__VIEW_BUCKETS; i++)
        edo__views_free(views->buckets[i]);
}

/* ---- renames ---- */

static bool is_at(const edo__view *view, const edo__view_place *place)
{
    return view->above && view->above->number == place->above &&
           strcmp(view->path, place->name) == 0;
}

/* Moves a view. It is gone if its watch does not see the new place. Called under the lock. Returns:
 * 0; -ENOMEM. */
static int move_to(edo__views *views, edo__view *view, const edo__view_place *to)
{
    edo__view *above = find(views, to->above, view->watch);
    char *name = edo__text_copy(to->name);
    if (!name) return -ENOMEM;
    view->is_gone = !above;
    if (above) move(view, above, &name);
    edo__text_free(name);
    return 0;
}

int edo__views_move(edo__views *views, int number, const edo__view_place *from,
                    const edo__view_place *to)
{
    int rc = 0;
    bool sweeps = false;
    edo__lock_take(&views->lock);
    for (edo__view *view = *bucket_of(views, number); view && rc == 0; view = view->next) {
        if (view->number != number || !is_at(view, from)) continue;
        rc = move_to(views, view, to);
        sweeps |= view->is_gone;
    }
    if (sweeps) sweep(views);
    edo__lock_give(&views->lock);
    return rc;
}
