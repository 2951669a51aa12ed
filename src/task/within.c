/* The time limit of a block of awaits is an edo_limit in the frame's list `kept`. A limit that has
 * passed acts like a cancellation of the function until the block ends:
 *
 *     OPEN -> (TRIED ->) PASSED -> closed, by the end of the block or of the function
 *
 * The limits of a function are checked after its body was polled with the old fates. So a ready
 * operation wins over a limit. A body that stopped for lack of budget might not have tried a ready
 * operation yet. So the limit then grants one more poll (TRIED). There is no second extra poll.
 * Otherwise a fast peer, with which operations are always ready, could postpone the limit for ever.
 *
 * A limit that was opened after edo_shield() belongs to the clean-up, and applies to all futures
 * polled in the clean-up. The shield holds all other limits off the clean-up, just as it holds off
 * a cancellation. */
#include <edo/within.h>

#include "task/within.h"
#include "task/future.h"
#include "task/op.h"

enum { OPEN, TRIED, PASSED };

static edo_poll limit_poll(edo_future *future, edo_cx *cx)
{
    (void)future;
    (void)cx;
    return EDO_PENDING; // never polled: serves only as a mark in the frame
}

static const edo_future_ops limit_ops = { .name = "edo_within",
                                          .poll = limit_poll,
                                          .kind = EDO_KIND_LIMIT };

static struct edo_any_frame *frame_of(const edo_future *function)
{
    return (struct edo_any_frame *)(void *)function;
}

/* Finds the first limit in a list of kept futures. Returns: NULL if there is none. */
static edo_limit *limit_from(edo_future *kept)
{
    for (; kept; kept = kept->next) {
        edo__check_kept(kept);
        if (kept->ops->kind == EDO_KIND_LIMIT) break;
    }
    return (edo_limit *)(void *)kept;
}

#define each_limit(function, limit)                                                                \
    edo_limit *limit = limit_from(frame_of(function)->edo_head.kept);                              \
    limit;                                                                                         \
    limit = limit_from(limit->base.next)

/* Takes a limit out of the function's list `kept`. Returns: whether the limit was in the list. */
static bool unlink_limit(edo_future *function, edo_limit *limit)
{
    edo_future **link = &frame_of(function)->edo_head.kept;
    while (*link && *link != &limit->base) {
        edo__check_kept(*link);
        link = &(*link)->next;
    }
    if (!*link) return false;
    *link = limit->base.next;
    return true;
}

static void note_overdue(edo_future *function)
{
    function->flags &= (uint8_t)~EDO__OVERDUE;
    for (each_limit(function, limit))
        if (limit->state == PASSED) function->flags |= EDO__OVERDUE;
}

/* Closes the limit if it is still open. This happens if a goto has left the block, and the function
 * now enters the block again. Aborts if a different block opens the limit now. */
static void close_earlier(edo_future *function, edo_limit *limit, uint32_t line)
{
    if (!unlink_limit(function, limit)) return;
    if (limit->base.line != line)
        edo__misuse("edo_within", "line %u opens a limit that line %u has open, in '%s'", line,
                    limit->base.line, function->ops->name);
}

void edo__limit_open(edo_limit *limit, edo_future *function, edo_cx *cx, int64_t deadline,
                     uint32_t line)
{
    struct edo_any_frame *frame = frame_of(function);
    edo__check_memory("edo_within", limit, "limit");
    close_earlier(function, limit, line);
    *limit = (edo_limit){
        .base = { .ops = &limit_ops,
                  .next = frame->edo_head.kept,
                  .flags = EDO__KEPT,
                  .line = line },
        .deadline = deadline,
        .state = OPEN,
        .is_cleanup = function->flags & EDO__SHIELD,
    };
    __atomic_signal_fence(__ATOMIC_RELEASE); // a signal handler finds the limit complete
    frame->edo_head.kept = &limit->base;
    note_overdue(function);
    edo__give_fates(function, cx);
}

void edo__limit_close(edo_limit *limit, edo_future *function, edo_cx *cx)
{
    if (!unlink_limit(function, limit))
        edo__misuse("edo_within", "closes a limit that is not open: its expression has changed in "
                                  "the block, or a goto entered the block");
    note_overdue(function);
    edo__give_fates(function, cx);
}

/* ---- in a poll of the function ---- */

static void raise_to_cancelled(uint8_t *fate, edo_cx *cx, uint8_t overdue)
{
    if (*fate != EDO_LIVE) return; // a limit that passes after a cancellation changes nothing
    *fate = EDO_CANCELLED;
    cx->overdue |= overdue;
}

void edo__give_limits(const edo_future *function, edo_cx *cx)
{
    if (edo__likely(!(function->flags & EDO__OVERDUE))) return;
    for (each_limit(function, limit)) {
        if (limit->state != PASSED) continue;
        raise_to_cancelled(&cx->bare, cx, EDO__BARE_OVERDUE);
        if (limit->is_cleanup || !cx->shielded)
            raise_to_cancelled(&cx->fate, cx, EDO__FATE_OVERDUE);
    }
}

static bool passes(edo_limit *limit, edo_cx *cx)
{
    if (limit->state == PASSED) return false;
    if (cx->now < limit->deadline) {
        edo_cx_deadline(cx, limit->deadline);
        return false;
    }
    if (cx->budget <= 0 && limit->state == OPEN) {
        limit->state = TRIED;
        cx->requeue = true;
        return false;
    }
    limit->state = PASSED;
    return true;
}

bool edo__limits_pass(edo_future *function, edo_cx *cx)
{
    bool any = false;
    for (each_limit(function, limit))
        any |= passes(limit, cx);
    if (!any) return false;
    function->flags |= EDO__OVERDUE;
    edo__give_fates(function, cx);
    return true;
}
