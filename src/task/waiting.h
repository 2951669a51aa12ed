/* A wait by edo_wait() or one of its variants, for one or several futures. */
#pragma once

#include <edo/async.h>

typedef struct edo__waiting {
    edo_poll (*poll)(void *frame, edo_cx *cx); // polls the futures in the frame's list `awaiting`
    edo_future *const *children;               // NULL: the futures are in `array`
    edo_future *array; // first element of an array; used if `children` is NULL
    size_t stride;     // bytes of an element
    size_t count;
    int64_t begin;    // edo__poll_limited(): the deadline; a choice: -1; otherwise 0
    const char *file; // source file of the wait
    uint32_t line;
} edo__waiting;

/* Polls the one future that the frame awaits. */
edo_poll edo__poll_one(void *frame, edo_cx *cx);

/* Links the futures of a wait into the frame. The fence orders the writes to the futures before the
 * write of the link, for a signal handler that dumps the frame. */
static inline void edo__waiting_link(struct edo_any_frame *frame, edo_future *first)
{
    __atomic_signal_fence(__ATOMIC_RELEASE);
    frame->edo_head.awaiting = first;
}

/* Begins a wait: links the wait's futures into a frame. Called in a poll of the frame. */
static inline void edo__waiting_begin(const edo__waiting *waiting, struct edo_any_frame *frame)
{
    edo_future *first = waiting->children ? edo__link(frame, waiting->count, waiting->children)
                                          : edo__link_array(frame, waiting->count, waiting->array,
                                                            waiting->stride);
    frame->edo_head.winner = waiting->begin; // in one union with `deadline` and `failure`
    edo__waiting_link(frame, first);
}

/* Ends a wait whose poll was ready. Returns: the result of the wait. */
static inline int64_t edo__waiting_end(const edo__waiting *waiting, struct edo_any_frame *frame)
{
    const edo_future *first = edo__unlink(&frame->edo_head);
    if (waiting->poll == edo__poll_one || waiting->poll == edo__poll_limited) return first->result;
    if (waiting->poll == edo__poll_all) return 0;
    if (waiting->poll == edo__poll_try_all) return frame->edo_head.failure;
    return frame->edo_head.winner;
}
