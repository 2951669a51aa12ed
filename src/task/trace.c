/* Backtraces of futures, and the place of a task. */
#include "task/trace.h"
#include "task/cx.h"
#include "task/future.h"
#include "task/task.h"

#include <stdio.h>

/* The source file of a function. For a fiber, the source file of the place where the fiber
 * waits. */
static const char *file_of(const edo_future *future)
{
    const edo__places *places = future->ops->reserved[0];
    const char *file = places ? places->file_of(future) : NULL;
    return file ? file : future->ops->file;
}

static void trace_children(const edo_future *first, int depth,
                           void (*visit)(void *, const edo_trace_line *), void *context)
{
    for (const edo_future *child = first; child; child = child->next)
        edo__trace_future(child, depth, visit, context);
}

/* Visits one future. If the future has exactly one child, and awaits it, that child is returned
 * instead of visited, and the caller visits it in a loop. So a deep chain of boxed calls needs no
 * recursion. In all other cases this function visits the children. Returns: the child that the
 * caller visits next; NULL: no child is left to visit. */
static const edo_future *trace_one(const edo_future *future, int depth,
                                   void (*visit)(void *, const edo_trace_line *), void *context)
{
    if (future->state == EDO_DONE) return NULL;
    bool is_async = future->ops->kind == EDO_KIND_ASYNC;
    visit(context, &(edo_trace_line){ .depth = depth,
                                      .name = future->ops->name,
                                      .file = file_of(future),
                                      .line = is_async ? future->line : 0 });
    if (!is_async) return NULL; // only functions have children
    const struct edo_any_frame *frame = (const struct edo_any_frame *)(const void *)future;
    const edo_future *awaiting = frame->edo_head.awaiting;
    if (awaiting && !awaiting->next && !frame->edo_head.kept) return awaiting;
    trace_children(awaiting, depth + 1, visit, context);
    trace_children(frame->edo_head.kept, depth + 1, visit, context);
    return NULL;
}

void edo__trace_future(const edo_future *future, int depth,
                       void (*visit)(void *, const edo_trace_line *), void *context)
{
    for (; future; depth++)
        future = trace_one(future, depth, visit, context);
}

void edo_future_trace(const edo_future *future, void (*visit)(void *, const edo_trace_line *),
                      void *context)
{
    edo__trace_future(future, 0, visit, context);
}

/* ---- the place of a task, for lines of the log and of aborts ---- */

static const struct edo_any_frame *const_frame_of(const edo_future *future)
{
    return (const struct edo_any_frame *)(const void *)future;
}

/* Whether the future is a function that was polled and has not ended. */
static bool is_begun(const edo_future *future)
{
    return future->state != EDO_DONE && future->ops->kind == EDO_KIND_ASYNC &&
           const_frame_of(future)->edo_head.home == edo__place_of(future);
}

/* Whether the function's body is running. `awaiting` is NULL between two awaits. */
static bool is_running(const edo_future *function)
{
    return !const_frame_of(function)->edo_head.awaiting && function->state != EDO_ENDING;
}

/* Whether an operation of the function is in its first poll. */
static bool is_trying(const edo_future *function)
{
    const edo_future *child = const_frame_of(function)->edo_head.awaiting;
    while (child && (child->state != EDO_NEW || child->ops->kind == EDO_KIND_ASYNC))
        child = child->next;
    return child;
}

/* Whether a kept future's memory has not been reused. Only then is its member `next` valid. */
static bool is_intact(const edo_future *kept)
{
    return (kept->flags & EDO__KEPT) && !edo__has_moved(kept);
}

/* Finds the first function that fits, from the outermost function inwards. Recurses for siblings
 * only, because a chain of edo_call_boxed() may be deep. */
static const edo_future *find_function(const edo_future *function, bool (*fits)(const edo_future *))
{
    while (is_begun(function)) {
        if (fits(function)) return function;
        const edo_frame_head *head = &const_frame_of(function)->edo_head;
        const edo_future *first = head->awaiting, *found = NULL;
        for (const edo_future *child = head->kept; child && is_intact(child) && !found;
             child = child->next)
            found = find_function(child, fits);
        for (const edo_future *child = first ? first->next : NULL; child && !found;
             child = child->next)
            found = find_function(child, fits);
        if (found || !first) return found;
        function = first;
    }
    return NULL;
}

/* Follows the awaited functions inwards, as long as each function awaits only one future. Returns:
 * the last of these functions; NULL if `function` has not begun. */
static const edo_future *last_function(const edo_future *function)
{
    if (!is_begun(function)) return NULL;
    for (;;) {
        const edo_future *child = const_frame_of(function)->edo_head.awaiting;
        if (!child || child->next || !is_begun(child)) return function;
        function = child;
    }
}

const edo_future *edo__function_of(const edo_task *task)
{
    const edo_future *root = edo__task_frame(task);
    const edo_future *function = find_function(root, is_running);
    if (!function) function = find_function(root, is_trying);
    return function ? function : last_function(root);
}

const char *edo__describe_place(const edo_task *task, char text[EDO__PLACE_SIZE])
{
    const edo_future *function = edo__function_of(task);
    text[0] = '\0';
    if (function && function->line)
        snprintf(text, EDO__PLACE_SIZE, ", in '%s' at %s:%u", function->ops->name,
                 file_of(function), function->line);
    else if (function)
        snprintf(text, EDO__PLACE_SIZE, ", in '%s' (%s) before its first await",
                 function->ops->name, function->ops->file);
    return text;
}
