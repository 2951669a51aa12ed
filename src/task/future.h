/* Fates of futures, and futures kept by frames. All functions are called in a poll, unless they say
 * otherwise. */
#pragma once

#include "task/cx.h"

static inline void edo__raise_fate(edo_future *future, edo_fate fate)
{
    if (future->fate < (uint8_t)fate) future->fate = (uint8_t)fate;
}

/* Low bits of the future's address, in units of its alignment. The bits show that a future has
 * moved, unless it has moved by a multiple of 32 GiB. */
static inline uint32_t edo__place_of(const edo_future *future)
{
    return (uint32_t)((uintptr_t)future / _Alignof(edo_future));
}

/* Sets the fate, shield and limits that a function passes to its children. Called in a poll of the
 * function. */
void edo__give_fates(const edo_future *function, edo_cx *cx);

/* ---- short paths of edo_poll_future(), inlined where a function call costs too much ---- */

/* As edo_poll_future(), with a short path for an operation that is not cancelled and has no
 * flags. */
static edo__always_inline edo_poll edo__poll_leaf(edo_future *future, edo_cx *cx)
{
    bool is_usual = future->state < EDO_ENDING && future->ops->kind != EDO_KIND_ASYNC &&
                    !(cx->asked | future->fate | future->flags);
    if (edo__unlikely(!is_usual)) return edo_poll_future(future, cx);
    edo_poll poll = future->ops->poll(future, cx);
    future->state = poll == EDO_READY ? EDO_DONE : EDO_WAITING;
    return poll;
}

/* Completes edo__poll_root() for a function that has returned or has kept futures. */
edo_poll edo__end_poll_root(edo_future *frame, edo_cx *cx, edo_poll poll);

/* The root of a task may be an edo_op, of a blocking function. Its `progress` may be written by
 * another thread during a poll, but its `length` may not. */
_Static_assert(sizeof(void *) != 8 ||
                   offsetof(struct edo_any_frame, edo_head.home) == offsetof(edo_op, length),
               "edo__poll_root() reads `home` of any root");

/* As edo_poll_future(), for the frame of a task. The short path is for a frame that was polled
 * before, is not cancelled, and keeps no futures. cx->asked must be 0 before the call. This
 * function does not restore cx->asked, because the poll of the task ends here. */
static edo__always_inline edo_poll edo__poll_root(edo_future *frame, edo_cx *cx)
{
    const edo_frame_head *head = &((const struct edo_any_frame *)(const void *)frame)->edo_head;
    bool is_usual = frame->state == EDO_WAITING && head->home == edo__place_of(frame) &&
                    !head->kept && !(frame->fate | (frame->flags & EDO__SHIELD));
    if (edo__unlikely(!is_usual)) return edo_poll_future(frame, cx);
    edo_poll poll = frame->ops->poll(frame, cx);
    if (edo__likely(poll == EDO_PENDING && !head->kept)) return EDO_PENDING;
    return edo__end_poll_root(frame, cx, poll);
}

/* Aborts if the memory of a kept future was reused. */
void edo__check_kept(const edo_future *future);

/* Whether a kept future has moved since edo_any() kept it. */
static inline bool edo__has_moved(const edo_future *future)
{
    if (future->ops->kind == EDO_KIND_SCOPE || future->ops->kind == EDO_KIND_LIMIT) return false;
    if (future->ops->kind != EDO_KIND_ASYNC) return future->line != edo__place_of(future);
    return ((const struct edo_any_frame *)(const void *)future)->edo_head.home !=
           edo__place_of(future);
}
