/* Polls of futures: fates, states and kept futures. */
#include <stdio.h>
#include <string.h>

#include "task/future.h"
#include "task/executor.h"
#include "task/op.h"
#include "task/scope.h"
#include "task/trace.h"
#include "task/within.h"

#ifndef EDO_MODEL
_Thread_local struct edo__thread edo__self;
_Thread_local uint32_t edo__thread_locks_held;
void (*edo__at_kept_lock)(void);
#endif

static struct edo_any_frame *frame_of(edo_future *future)
{
    return (struct edo_any_frame *)(void *)future;
}

/* Raises a future's fate and requeues the task. The requeue is needed, because the future may
 * already have been polled in this poll. Perhaps no other wake follows. */
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

/* ---- the frame's list `kept`: futures left by edo_any, open scopes, limits ---- */

static void unkeep(edo_future **link)
{
    edo_future *future = *link;
    *link = future->next;
    future->next = NULL;
    future->flags &= (uint8_t)~EDO__KEPT;
}

/* Whether a kept future only represents a scope or a limit, and is never polled. */
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
    edo__give_limits(&frame->base, cx); // only now: limits do not apply to kept futures
}

/* Cancels the kept futures of a function that has returned, and waits for their ends. */
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

/* Completes a poll of a function with kept futures, after the poll of its body. */
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

/* Aborts if a kept future was overwritten or moved. An overwritten future has lost the flag
 * EDO__KEPT. */
void edo__check_kept(const edo_future *future)
{
    if (!(future->flags & EDO__KEPT))
        edo__misuse(future->ops->name, "rebuilt while edo_any keeps the operation in its "
                                       "place: await or cancel that operation first");
    if (edo__has_moved(future))
        edo__misuse(future->ops->name, "moved or copied while edo_any kept it");
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
        frame->edo_head.home = edo__place_of(future);
    else if (edo__unlikely(frame->edo_head.home != edo__place_of(future)))
        edo__misuse(future->ops->name, "the frame was moved or copied after its first poll");
}

/* Marks a future that only a time limit has cancelled, so that its -ECANCELED becomes
 * -ETIMEDOUT. */
static __attribute__((cold)) void note_overdue(edo_future *future, const edo_cx *cx)
{
    bool covered = future->flags & EDO__COVERED;
    uint8_t overdue = covered ? EDO__FATE_OVERDUE : EDO__BARE_OVERDUE;
    if ((cx->overdue & overdue) && future->fate == EDO_LIVE) future->flags |= EDO__TIMED_OUT;
}

/* Raises the future's fate to the fate that the polling function passes on: `bare` if the future's
 * first poll was before the shield, else `fate`. Returns: the fate passed on. */
static inline edo_fate take_fate(edo_future *future, const edo_cx *cx)
{
    if (edo__unlikely(cx->overdue)) note_overdue(future, cx);
    edo_fate given = future->flags & EDO__COVERED ? cx->fate : cx->bare;
    edo__raise_fate(future, given); // a fate never falls
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

static __attribute__((noinline)) edo_poll poll_function(edo_future *future, edo_cx *cx)
{
    check_home(future);
    give_own_fates(future, cx);
    return poll_async(future, cx);
}

/* Polls a leaf. A user's own combinator is also a leaf. Such a combinator polls other futures, and
 * passes its fate on to them. */
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

enum { MANY_REFUSALS = 64 }; // this number of refusals in one poll at one place indicates a loop

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

/* Counts the refusals at the place of the first refusal in this poll. A loop builds its operation
 * at the same place each time. Refusals at other places are not counted. So many branches that each
 * end once are not mistaken for a loop. */
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

/* Ends an operation whose first poll is in a cancelled function, without starting it. If the
 * overdraft is used up, returns EDO_PENDING and leaves the operation EDO_NEW, so that its next poll
 * comes here again. Not inlined, so that other polls need no stack for this function. */
static __attribute__((cold, noinline)) edo_poll refuse(edo_future *future, edo_cx *cx,
                                                       edo_fate given)
{
    bool timed_out = future->flags & EDO__TIMED_OUT;
    if (given != EDO_LIVE && !timed_out) note_refusal(future, cx);
    if (!edo__has_overdraft(cx)) return EDO_PENDING;
    edo__use_budget(cx);
    future->result = timed_out ? -ETIMEDOUT : -ECANCELED;
    future->state = EDO_DONE;
    return EDO_READY;
}

static inline bool is_too_late(const edo_future *future)
{
    return future->state == EDO_NEW && future->fate != EDO_LIVE &&
           future->ops->kind == EDO_KIND_LEAF;
}

static edo_poll poll_kind(edo_future *future, edo_cx *cx)
{
    return future->ops->kind == EDO_KIND_ASYNC ? poll_function(future, cx) : poll_leaf(future, cx);
}

static __attribute__((noinline)) edo_poll poll_asked(edo_future *future, edo_cx *cx)
{
    if (future->state == EDO_NEW && cx->shielded) future->flags |= EDO__COVERED;
    edo_fate given = take_fate(future, cx);
    if (edo__unlikely(is_too_late(future))) return refuse(future, cx, given);
    uint32_t asked = cx->asked;
    edo_poll poll = poll_kind(future, cx);
    cx->asked = asked;
    if (edo__unlikely(future->flags & EDO__TIMED_OUT) && poll == EDO_READY &&
        future->result == -ECANCELED)
        future->result = -ETIMEDOUT;
    return settle(future, poll);
}

/* The short path is for the usual case: neither the future nor any function that polls it was
 * cancelled or aborted, so no fate has to be passed on. */
edo_poll edo_poll_future(edo_future *future, edo_cx *cx)
{
    if (future->state == EDO_DONE) return EDO_READY;
    if (edo__unlikely(cx->asked | future->fate | (future->flags & EDO__SHIELD)))
        return poll_asked(future, cx);
    if (future->ops->kind != EDO_KIND_ASYNC) return settle(future, future->ops->poll(future, cx));
    check_home(future);
    edo_poll poll = poll_async(future, cx);
    cx->asked = 0; // the function may have set a shield
    return settle(future, poll);
}

edo_poll edo__end_poll_root(edo_future *frame, edo_cx *cx, edo_poll poll)
{
    if (edo__unlikely(frame_of(frame)->edo_head.kept)) poll = after_body(frame, cx, poll);
    return settle(frame, poll);
}

void edo__shield(edo_future *function, edo_cx *cx)
{
    function->flags |= EDO__SHIELD;
    edo__give_fates(function, cx);
}

/* ---- the context of a poll ---- */

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
