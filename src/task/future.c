/* Polling a future: its fate, its state, what its frame keeps. */
#include <stdio.h>
#include <string.h>

#include "task/executor.h"
#include "task/op.h"

#ifndef EDO_MODEL
_Thread_local struct edo__thread edo__self;
#endif

static struct edo_any_frame *frame_of(edo_future *future)
{
    return (struct edo_any_frame *)(void *)future;
}

/* In this poll of the task the future may have had its turn, and perhaps nothing else wakes the
 * task: so it is queued again. */
static void ask(edo_future *future, edo_fate fate)
{
    if (future->state == EDO_DONE || future->fate >= (uint8_t)fate) return;
    edo__raise_fate(future, fate);
    if (edo__self.cx) edo__self.cx->requeue = true;
}

void edo_cancel(edo_future *future)
{
    ask(future, EDO_CANCELLED);
}

void edo_abort(edo_future *future)
{
    ask(future, EDO_ABORTED);
}

/* ---- what a frame keeps: futures left over by edo_any, and open scopes ---- */

static void unkeep(edo_future **link)
{
    edo_future *future = *link;
    *link = future->next;
    future->next = NULL;
    future->flags &= (uint8_t)~EDO__KEPT;
}

/* Only its place in the frame counts. */
static bool is_marker(const edo_future *future)
{
    return future->ops->kind == EDO_KIND_SCOPE || future->ops->kind == EDO_KIND_LIMIT;
}

static __attribute__((noinline)) void poll_kept(struct edo_any_frame *frame, edo_cx *cx)
{
    for (edo_future **link = &frame->edo_head.kept; *link;) {
        edo_future *future = *link;
        edo__check_kept(future);
        if (!is_marker(future) && edo_poll_future(future, cx) == EDO_READY)
            unkeep(link);
        else
            link = &future->next;
    }
    edo__give_limits(&frame->base, cx); // what is kept is not waited for within them
}

/* The function has returned: cancels what it kept, and waits for its end. */
static __attribute__((noinline)) edo_poll end_kept(struct edo_any_frame *frame, edo_cx *cx)
{
    for (edo_future **link = &frame->edo_head.kept; *link;) {
        edo_future *future = *link;
        edo__check_kept(future);
        if (is_marker(future)) {
            if (future->ops->kind == EDO_KIND_SCOPE) edo__scope_leave(future);
            unkeep(link);
            continue;
        }
        edo__raise_fate(future, EDO_CANCELLED);
        if (edo_poll_future(future, cx) == EDO_READY)
            unkeep(link);
        else
            link = &future->next;
    }
    return frame->edo_head.kept ? EDO_PENDING : EDO_READY;
}

/* The body has been polled, and the frame keeps something. */
static __attribute__((noinline)) edo_poll after_body(edo_future *future, edo_cx *cx, edo_poll poll)
{
    struct edo_any_frame *frame = frame_of(future);
    while (poll == EDO_PENDING && edo__limits_pass(future, cx))
        poll = future->ops->poll(future, cx);
    if (poll == EDO_PENDING || !frame->edo_head.kept) return poll;
    frame->edo_head.awaiting = NULL;
    future->state = EDO_ENDING;
    return end_kept(frame, cx);
}

/* Its fields are those of another future when its owner wrote over it. */
void edo__check_kept(const edo_future *future)
{
    if (!(future->flags & EDO__KEPT))
        edo__misuse(future->ops->name, "it was built anew while edo_any keeps what was in its "
                                       "place: await or cancel that one first");
    if (edo__has_moved(future))
        edo__misuse(future->ops->name, "it was moved or copied while edo_any kept it");
}

static inline edo_poll poll_async(edo_future *future, edo_cx *cx)
{
    struct edo_any_frame *frame = frame_of(future);
    if (edo__unlikely(future->state == EDO_ENDING)) return end_kept(frame, cx);
    if (edo__unlikely(frame->edo_head.kept)) poll_kept(frame, cx);
    edo_poll poll = future->ops->poll(future, cx);
    return edo__likely(!frame->edo_head.kept) ? poll : after_body(future, cx, poll);
}

/* ---- the poll ---- */

static void check_home(edo_future *future)
{
    struct edo_any_frame *frame = frame_of(future);
    if (future->state == EDO_NEW)
        frame->edo_head.home = frame;
    else if (edo__unlikely(frame->edo_head.home != frame))
        edo__misuse(future->ops->name, "the frame was moved or copied after its first poll");
}

/* What a function hands down: `bare` to those that it polled before its shield, `fate` to the
 * rest. One that ends because of a limit alone remembers it. Returns: what it was handed. */
static edo_fate take_fate(edo_future *future, const edo_cx *cx)
{
    bool covered = future->flags & EDO__COVERED;
    uint8_t overdue = covered ? EDO__FATE_OVERDUE : EDO__BARE_OVERDUE;
    if ((cx->overdue & overdue) && future->fate == EDO_LIVE) future->flags |= EDO__TIMED_OUT;
    edo_fate given = covered ? cx->fate : cx->bare;
    edo__raise_fate(future, given); // a fate that was seen stays
    return given;
}

static uint8_t shielded_fate(const edo_future *future)
{
    bool held_off = (future->flags & EDO__SHIELD) && future->fate == EDO_CANCELLED;
    return held_off ? EDO_LIVE : future->fate;
}

static void give_own_fates(const edo_future *function, edo_cx *cx)
{
    cx->bare = function->fate;
    cx->fate = shielded_fate(function);
    cx->shielded = function->flags & EDO__SHIELD;
    cx->overdue = 0;
}

void edo__give_fates(const edo_future *function, edo_cx *cx)
{
    give_own_fates(function, cx);
    edo__give_limits(function, cx);
}

static edo_poll poll_function(edo_future *future, edo_cx *cx)
{
    check_home(future);
    give_own_fates(future, cx);
    return poll_async(future, cx);
}

/* A user's own combinator is a leaf that polls others: its fate is theirs. */
static edo_poll poll_leaf(edo_future *future, edo_cx *cx)
{
    cx->fate = cx->bare = future->fate;
    cx->overdue = 0;
    return future->ops->poll(future, cx);
}

static inline edo_poll settle(edo_future *future, edo_poll poll)
{
    if (poll == EDO_READY)
        future->state = EDO_DONE;
    else if (future->state == EDO_NEW)
        future->state = EDO_WAITING;
    return poll;
}

/* ---- first polls in a cancelled function ---- */

enum { MANY_REFUSALS = 64 }; // in one poll, at one place: a loop goes on in spite of them

static __attribute__((cold)) void report_refusals(const edo_cx *cx)
{
    char where[EDO__PLACE_SIZE];
    if (edo_or_relaxed(&cx->task->state, EDO__IGNORES) & EDO__IGNORES) return;
    edo__log(EDO_LOG_WARN,
             "%s: task '%s' #%llu%s ignores its cancellation: %u times -ECANCELED did not end it",
             edo__executor_of(cx->runtime)->name, edo_task_name(cx->task),
             (unsigned long long)cx->task->id, edo__describe_place(cx->task, where),
             cx->refusals.count);
}

/* A loop builds its operation in the same place again and again. So the first place of a poll is
 * counted, and not those of many branches that end. */
static void note_refusal(const edo_future *future, edo_cx *cx)
{
    if (cx->refusals.polls != cx->polls) {
        cx->refusals.polls = cx->polls;
        cx->refusals.place = future;
        cx->refusals.count = 0;
    }
    if (cx->refusals.place != future) return;
    uint32_t budget = edo__executor_of(cx->runtime)->budget;
    uint32_t many = budget < MANY_REFUSALS ? budget : MANY_REFUSALS;
    if (++cx->refusals.count == many) report_refusals(cx);
}

/* An operation that begins too late. Without budget it stays new, so that whatever becomes ready
 * until the next poll does not change the answer. */
static edo_poll refuse(edo_future *future, edo_cx *cx, edo_fate given)
{
    if (given != EDO_LIVE && !(future->flags & EDO__TIMED_OUT)) note_refusal(future, cx);
    if (!edo__has_overdraft(cx)) return EDO_PENDING;
    edo__use_budget(cx);
    future->result = -ECANCELED;
    future->state = EDO_DONE;
    return EDO_READY;
}

static bool is_too_late(const edo_future *future)
{
    return future->fate != EDO_LIVE && future->state == EDO_NEW &&
           future->ops->kind == EDO_KIND_LEAF;
}

static edo_poll poll_kind(edo_future *future, edo_cx *cx)
{
    return future->ops->kind == EDO_KIND_ASYNC ? poll_function(future, cx) : poll_leaf(future, cx);
}

static __attribute__((noinline)) edo_poll poll_asked(edo_future *future, edo_cx *cx)
{
    uint32_t asked = cx->asked;
    if (future->state == EDO_NEW && cx->shielded) future->flags |= EDO__COVERED;
    edo_fate given = take_fate(future, cx);
    edo_poll poll = is_too_late(future) ? refuse(future, cx, given) : poll_kind(future, cx);
    cx->asked = asked;
    if (poll == EDO_READY && (future->flags & EDO__TIMED_OUT) && future->result == -ECANCELED)
        future->result = -ETIMEDOUT;
    return is_too_late(future) ? poll : settle(future, poll);
}

/* Where nothing was asked, neither of the future nor of those that poll it, there is nothing to
 * bring down: the usual case, and the short way. */
edo_poll edo_poll_future(edo_future *future, edo_cx *cx)
{
    if (future->state == EDO_DONE) return EDO_READY;
    if (edo__unlikely(cx->asked | future->fate | (future->flags & EDO__SHIELD)))
        return poll_asked(future, cx);
    if (future->ops->kind != EDO_KIND_ASYNC) return settle(future, future->ops->poll(future, cx));
    check_home(future);
    edo_poll poll = poll_async(future, cx);
    cx->asked = 0; // the function may have shielded itself
    return settle(future, poll);
}

void edo__shield(edo_future *function, edo_cx *cx)
{
    function->flags |= EDO__SHIELD;
    edo__give_fates(function, cx);
}

/* ---- what a poll is given ---- */

edo_fate edo_cx_fate(const edo_cx *cx)
{
    return cx->fate;
}

edo_wakeable *edo_cx_waker(const edo_cx *cx)
{
    return cx->waker;
}

void edo_cx_deadline(edo_cx *cx, int64_t when)
{
    if (when < cx->next_deadline) cx->next_deadline = when;
}

bool edo_cx_charge(edo_cx *cx)
{
    if (!edo__has_budget(cx)) return false;
    edo__use_budget(cx);
    return true;
}

/* ---- frames ---- */

void edo__frame_init(void *memory, const edo_future_ops *ops)
{
    struct edo_any_frame *frame = memory;
    frame->base = (edo_future){ .ops = ops };
    frame->edo_head.awaiting = NULL;
    frame->edo_head.kept = NULL;
    frame->edo_head.home = NULL; // not polled yet
    frame->edo_head.resume = 0;
}

static void write_args(void *frame, const edo_future_ops *ops, const void *args)
{
    memcpy((char *)frame + ops->args_offset, args, ops->args_size);
}

void edo__frame_build(void *memory, const edo_future_ops *ops, const void *args)
{
    edo__frame_init(memory, ops);
    write_args(memory, ops, args);
}

/* Each boxed call is polled inside of its caller's poll: so recursion goes as deep as the stack. */
static bool has_stack_for(const edo_future_ops *ops)
{
    if (edo__likely(edo__sys_stack_room() > 0)) return true;
    edo__log(
        EDO_LOG_ERROR,
        "edo_call_boxed: -ENOMEM: the stack of this thread has no room for one more call of '%s'",
        ops->name);
    return false;
}

edo_future *edo__box(const edo_future_ops *ops, const void *args)
{
    void *frame = has_stack_for(ops) ? edo__alloc(ops->size) : NULL;
    if (frame) edo__frame_build(frame, ops, args);
    return frame;
}

void edo__unbox(edo_future *boxed)
{
    edo__free(boxed, boxed->ops->size);
}

/* ---- backtraces ---- */

static void trace_children(const edo_future *first, int depth,
                           void (*visit)(void *, const edo_trace_line *), void *context)
{
    for (const edo_future *child = first; child; child = child->next)
        edo__trace_future(child, depth, visit, context);
}

/* Returns: what it awaits, if that is all: so a deep recursion takes no stack. */
static const edo_future *trace_one(const edo_future *future, int depth,
                                   void (*visit)(void *, const edo_trace_line *), void *context)
{
    if (future->state == EDO_DONE) return NULL;
    bool is_async = future->ops->kind == EDO_KIND_ASYNC;
    visit(context, &(edo_trace_line){ .depth = depth,
                                      .name = future->ops->name,
                                      .file = future->ops->file,
                                      .line = is_async ? future->line : 0 });
    if (!is_async)
        return NULL; // of a function in its first poll there may be more, although it is new
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

/* ---- where a task is, for lines of the log and of aborts ---- */

static const struct edo_any_frame *const_frame_of(const edo_future *future)
{
    return (const struct edo_any_frame *)(const void *)future;
}

/* A function that was polled and has not ended. */
static bool is_begun(const edo_future *future)
{
    return future->state != EDO_DONE && future->ops->kind == EDO_KIND_ASYNC &&
           const_frame_of(future)->edo_head.home == future;
}

/* Its body runs right now: between two awaits there is nothing that it awaits. */
static bool is_running(const edo_future *function)
{
    return !const_frame_of(function)->edo_head.awaiting && function->state != EDO_ENDING;
}

/* An operation of it is in its first poll. */
static bool is_trying(const edo_future *function)
{
    const edo_future *child = const_frame_of(function)->edo_head.awaiting;
    while (child && (child->state != EDO_NEW || child->ops->kind == EDO_KIND_ASYNC))
        child = child->next;
    return child;
}

/* A link of what is kept can be trusted while it is what was kept there. */
static bool is_intact(const edo_future *kept)
{
    return (kept->flags & EDO__KEPT) && !edo__has_moved(kept);
}

/* The first function that fits, from the outside in. Only siblings nest calls: recursion by
 * edo_call_boxed may be deep. */
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

/* The innermost function on the only way down; of siblings it may be any. */
static const edo_future *last_function(const edo_future *function)
{
    if (!is_begun(function)) return NULL;
    for (;;) {
        const edo_future *child = const_frame_of(function)->edo_head.awaiting;
        if (!child || child->next || !is_begun(child)) return function;
        function = child;
    }
}

const char *edo__describe_place(const edo_task *task, char text[EDO__PLACE_SIZE])
{
    const edo_future *root = edo__task_frame(task);
    const edo_future *function = find_function(root, is_running);
    if (!function) function = find_function(root, is_trying);
    if (!function) function = last_function(root);
    text[0] = '\0';
    if (function && function->line)
        snprintf(text, EDO__PLACE_SIZE, ", in '%s' at %s:%u", function->ops->name,
                 function->ops->file, function->line);
    else if (function)
        snprintf(text, EDO__PLACE_SIZE, ", in '%s' (%s) before its first await",
                 function->ops->name, function->ops->file);
    return text;
}
