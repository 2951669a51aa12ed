/* Waits for several futures at once. These futures are called children. The frame links the
 * children in the order of the arguments, so that a backtrace sees them. `winner` is a position in
 * that order. */
#include "task/future.h"
#include "task/op.h"

/* Takes a child out of the frame's list `kept`. Aborts if a kept future was rebuilt or moved. */
static void unlink_kept(struct edo_any_frame *frame, edo_future *child)
{
    edo_future **link = &frame->edo_head.kept;
    while (*link && *link != child) {
        edo__check_kept(*link);
        link = &(*link)->next;
    }
    if (*link) edo__check_kept(child);
    if (!*link && !(child->flags & EDO__KEPT)) return;
    if (!*link) edo__misuse(child->ops->name, "kept by the edo_any of another function");
    *link = child->next;
    child->flags &= (uint8_t)~EDO__KEPT;
}

static __attribute__((noinline)) void hand_over_kept(struct edo_any_frame *frame, edo_future *child)
{
    if (child->flags & EDO__KEPT && edo__has_moved(child)) edo__check_kept(child);
    unlink_kept(frame, child);
}

/* Checks and prepares a child that is to be awaited. Takes the child out of the list `kept`, which
 * is empty in most frames. */
static inline void hand_over(struct edo_any_frame *frame, edo_future *child)
{
    edo__check_memory(child->ops->name, child, "future");
    if (edo__unlikely(frame->edo_head.kept || child->flags & EDO__KEPT))
        hand_over_kept(frame, child);
    if (EDO_DEBUG && child->flags & EDO__LINKED)
        edo__misuse(
            child->ops->name,
            "awaited twice: another await still waits for it, or this await names it twice");
}

/* In debug builds, marks the children of an await of several futures, to find a child that is
 * awaited twice. Each child has one link, so the second await would change the link and cut the
 * list of the first await short. A single child needs no mark, because nothing follows the child in
 * its list. */
static inline void mark(size_t count, edo_future *child)
{
    if (EDO_DEBUG && count > 1) child->flags |= EDO__LINKED;
}

/* Completes a poll of all children that are awaited. */
static inline edo_poll end_wait(struct edo_any_frame *frame)
{
    for (edo_future *child = EDO_DEBUG ? frame->edo_head.awaiting : NULL; child;
         child = child->next)
        child->flags &= (uint8_t)~EDO__LINKED;
    return EDO_READY;
}

edo_future *edo__link(void *frame, size_t count, edo_future *const *children)
{
    for (size_t i = 0; i < count; i++) {
        hand_over(frame, children[i]);
        mark(count, children[i]);
    }
    for (size_t i = 0; i < count; i++)
        children[i]->next = i + 1 < count ? children[i + 1] : NULL;
    return children[0];
}

/* A child in the list `kept` is first taken out of that list, because the list of awaited children
 * uses the same link. */
edo_future *edo__link_array(void *frame, size_t count, edo_future *first, size_t stride)
{
    edo_future *child = count ? first : NULL;
    for (size_t i = 0; i < count; i++) {
        hand_over(frame, child);
        mark(count, child);
        edo_future *next = (edo_future *)(void *)((char *)child + stride);
        child->next = i + 1 < count ? next : NULL;
        child = next;
    }
    return count ? first : NULL;
}

edo_poll edo__poll_one(void *frame, edo_cx *cx)
{
    return edo_poll_future(((struct edo_any_frame *)frame)->edo_head.awaiting, cx);
}

/* ---- a time limit ---- */

static void time_out(edo_future *future)
{
    if (future->fate != EDO_LIVE)
        return; // a limit that passes after a cancellation changes nothing
    future->fate = EDO_CANCELLED;
    future->flags |= EDO__TIMED_OUT;
}

/* Whether a future gets one more poll although its limit has passed. If a poll runs out of budget,
 * an operation might not have tried its work yet, and a function might not have reached a ready
 * operation yet. There is only one extra poll. Otherwise the limit of a function that is always
 * ready would never take effect. A poll that began without budget does not count as the extra
 * poll. */
static bool has_respite(edo_future *future, bool had_budget, edo_cx *cx)
{
    if (edo__has_budget(cx)) return false;
    bool first = !(future->flags & EDO__RESPITE);
    future->flags |= EDO__RESPITE;
    return first || !had_budget;
}

/* The operation is polled before the limit is checked, so that a ready operation wins over a limit
 * that has passed. */
edo_poll edo__poll_limited(void *memory, edo_cx *cx)
{
    struct edo_any_frame *frame = memory;
    edo_future *future = frame->edo_head.awaiting;
    bool had_budget = cx->budget > 0;
    if (edo_poll_future(future, cx) == EDO_PENDING) {
        if (cx->now < frame->edo_head.deadline) {
            edo_cx_deadline(cx, frame->edo_head.deadline);
            return EDO_PENDING;
        }
        if (has_respite(future, had_budget, cx)) return EDO_PENDING;
        time_out(future);
        if (edo_poll_future(future, cx) == EDO_PENDING) return EDO_PENDING;
    }
    return EDO_READY;
}

/* ---- all ---- */

/* Polls every child, even in a cancelled function, because each async function must run to its
 * end. */
static bool poll_each(edo_future *first, edo_cx *cx)
{
    bool all = true;
    for (edo_future *child = first; child; child = child->next)
        all &= edo_poll_future(child, cx) == EDO_READY;
    return all;
}

/* Cancels a child. The caller must then poll the child. */
static void cancel(edo_future *child)
{
    if (child->state != EDO_DONE) edo__raise_fate(child, EDO_CANCELLED);
}

static bool end_each(edo_future *first, edo_cx *cx)
{
    for (edo_future *child = first; child; child = child->next)
        cancel(child);
    return poll_each(first, cx);
}

edo_poll edo__poll_all(void *memory, edo_cx *cx)
{
    struct edo_any_frame *frame = memory;
    return poll_each(frame->edo_head.awaiting, cx) ? end_wait(frame) : EDO_PENDING;
}

edo_poll edo__poll_try_all(void *memory, edo_cx *cx)
{
    struct edo_any_frame *frame = memory;
    bool all = true;
    for (edo_future *child = frame->edo_head.awaiting; child; child = child->next) {
        if (frame->edo_head.failure < 0) cancel(child);
        bool ready = edo_poll_future(child, cx) == EDO_READY;
        if (ready && child->result < 0 && frame->edo_head.failure == 0)
            frame->edo_head.failure = child->result;
        all &= ready;
    }
    if (!all && frame->edo_head.failure < 0) all = end_each(frame->edo_head.awaiting, cx);
    return all ? end_wait(frame) : EDO_PENDING;
}

/* ---- the first ready child ---- */

static uint32_t count_children(const edo_future *first)
{
    uint32_t count = 0;
    for (const edo_future *child = first; child; child = child->next)
        count++;
    return count;
}

static bool has_timed_out(const edo_future *child)
{
    return (child->flags & EDO__TIMED_OUT) && child->result == -ETIMEDOUT;
}

/* Whether a child that is ready has won. In a cancelled function, a child's -ECANCELED is an effect
 * of the cancellation, and not a win. Likewise, -ETIMEDOUT is not a win after the limit of an
 * edo_within() has passed. */
static bool has_won(const edo_future *child, const edo_cx *cx)
{
    return !(cx->fate != EDO_LIVE && (child->result == -ECANCELED || has_timed_out(child)));
}

/* Sets the winner, or the reason why there is no winner, once all children have ended. */
static edo_poll decide(struct edo_any_frame *frame)
{
    if (frame->edo_head.winner >= 0) return end_wait(frame);
    frame->edo_head.winner = frame->edo_head.awaiting ? -ECANCELED : -EINVAL;
    for (edo_future *child = frame->edo_head.awaiting; child; child = child->next)
        if (has_timed_out(child)) frame->edo_head.winner = -ETIMEDOUT;
    return end_wait(frame);
}

/* Polls the children at the positions `from` to `to` - 1. No child is skipped, because only a poll
 * of the child renews the child's deadline. If `exclusive` is true and a child has won, the
 * remaining children are polled as cancelled. So only one of two ready messages is taken.
 * Returns: whether all of these children are ready. */
static bool pass(struct edo_any_frame *frame, edo_cx *cx, bool exclusive, uint32_t from,
                 uint32_t to)
{
    bool all = true;
    uint32_t i = 0;
    for (edo_future *child = frame->edo_head.awaiting; child && i < to; child = child->next, i++) {
        if (i < from) continue;
        if (exclusive && frame->edo_head.winner >= 0) cancel(child);
        bool ready = edo_poll_future(child, cx) == EDO_READY;
        if (ready && frame->edo_head.winner < 0 && has_won(child, cx)) frame->edo_head.winner = i;
        all &= ready;
    }
    return all;
}

static bool pass_from(struct edo_any_frame *frame, edo_cx *cx, bool exclusive, uint32_t start)
{
    bool all = pass(frame, cx, exclusive, start, UINT32_MAX);
    return pass(frame, cx, exclusive, 0, start) && all;
}

static edo_poll select_from(struct edo_any_frame *frame, edo_cx *cx, uint32_t start)
{
    bool all = pass_from(frame, cx, true, start);
    if (!all && frame->edo_head.winner >= 0) all = end_each(frame->edo_head.awaiting, cx);
    return all ? decide(frame) : EDO_PENDING;
}

static uint32_t random_start(const struct edo_any_frame *frame, edo_cx *cx)
{
    return edo__random_below(cx, count_children(frame->edo_head.awaiting));
}

edo_poll edo__poll_select(void *frame, edo_cx *cx)
{
    return select_from(frame, cx, random_start(frame, cx));
}

edo_poll edo__poll_select_biased(void *frame, edo_cx *cx)
{
    return select_from(frame, cx, 0);
}

static void keep_rest(struct edo_any_frame *frame)
{
    for (edo_future *child = frame->edo_head.awaiting, *next; child; child = next) {
        next = child->next;
        child->next = NULL;
        if (child->state == EDO_DONE) continue;
        child->flags |= EDO__KEPT;
        if (child->ops->kind != EDO_KIND_ASYNC) child->line = edo__place_of(child);
        child->next = frame->edo_head.kept;
        frame->edo_head.kept = child;
    }
}

edo_poll edo__poll_any(void *memory, edo_cx *cx)
{
    struct edo_any_frame *frame = memory;
    bool all = pass_from(frame, cx, false, random_start(frame, cx));
    if (!all && frame->edo_head.winner < 0) return EDO_PENDING;
    decide(frame);
    keep_rest(frame);
    return EDO_READY;
}
