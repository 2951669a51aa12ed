/* Leaf operations: what their polls have in common.
 *
 * An operation is built complete and inert by its constructor. Its first poll tries; each poll that
 * answers EDO_READY has used one unit of the budget. `word` (EDO__OP_*) says where it stands with
 * whoever completes it: the completer stores it with release, the poll reads it with acquire.
 */
#pragma once

#include "task/task.h"

/* Where an operation stands: edo_op.word. */
enum {
    EDO__OP_IDLE,   // with nobody
    EDO__OP_PARKED, // waits: in a list, in a side of a source, in a ring
    EDO__OP_WOKEN,  // may go on; the completer no longer touches it
};

/* ---- overlays ----
 *
 * An edo_op has four members for an operation's own, without names of their own. Each operation
 * that keeps something there has a type that is laid over it, with named members, and one inline
 * function that casts:
 *
 *     typedef struct EDO__OVERLAY sleep_op {
 *         edo_future base;
 *         uint64_t reserved[2];
 *         int64_t when; // ns of the runtime's clock
 *         uint64_t progress;
 *         edo__op_wait wait;
 *     } sleep_op;
 *
 *     EDO__OVERLAY_FITS(sleep_op);
 *
 * `progress` keeps its place, for edo_op_progress(). The last 16 bytes are the same in all, and
 * what is never parked may use the link. Larger things (message headers, addresses, a file's
 * status) lie in a struct of the caller's, in the frame.
 *
 * may_alias: both types are used for one object. */
#define EDO__OVERLAY __attribute__((may_alias))

#define EDO__OVERLAY_FITS(type)                                                                    \
    _Static_assert(sizeof(type) == sizeof(edo_op), #type " covers an operation")

/* The part of an operation that is not its own: of one that is never parked, ... */
typedef struct edo__op_state {
    edo_wakeable *waker;
    uint32_t word, detail;
} edo__op_state;

/* ... and of any other. */
typedef struct edo__op_wait {
    void *link[2];
    edo__op_state state;
} edo__op_wait;

static inline edo_op *edo__op_of(edo_future *future)
{
    return (edo_op *)(void *)future;
}

/* Whether a leaf may answer EDO_READY in this poll; if not, the task is queued again. */
static inline bool edo__has_budget(edo_cx *cx)
{
    if (edo__likely(cx->budget > 0)) return true;
    cx->requeue = true;
    return false;
}

enum { EDO__SLICE_CHECK = 16 }; // operations between two looks at the clock

void edo__check_time_slice(edo_cx *cx);

/* This poll has used its time up: driver and timers come first now. */
void edo__spend_slice(edo_cx *cx);

/* Uses one unit of the budget, of operations or of time, whichever ends first. */
static inline void edo__use_budget(edo_cx *cx)
{
    if (--cx->budget % EDO__SLICE_CHECK == 0) edo__check_time_slice(cx);
}

/* Units beyond the budget, for operations that answer -ECANCELED without having run. A clean-up
 * that awaits some of them goes on in the same poll; a loop that repeats one is requeued. */
enum { EDO__OVERDRAFT = 16 };

/* As edo__has_budget(), for such an answer. */
static inline bool edo__has_overdraft(edo_cx *cx)
{
    if (edo__likely(cx->budget > -EDO__OVERDRAFT)) return true;
    cx->requeue = true;
    return false;
}

/* Whether an EDO_KIND_OWNER may answer EDO_READY in this poll: it answers for itself when it begins
 * too late. */
static inline bool edo__owner_has_budget(const edo_future *future, edo_cx *cx)
{
    bool too_late = future->state == EDO_NEW && cx->fate != EDO_LIVE;
    return too_late ? edo__has_overdraft(cx) : edo__has_budget(cx);
}

/* Ends an operation; edo__has_budget() was asked before. */
static inline edo_poll edo__op_finish(edo_op *op, edo_cx *cx, int64_t result)
{
    edo__use_budget(cx);
    op->base.result = result;
    return EDO_READY;
}

/* An operation that answers an error known to its constructor, or -ECANCELED, by its first poll. */
edo_op edo__op_refuse(int error);

/* Aborts when memory handed to an operation lies on the stack of the poll in progress: between the
 * caller's frame and the poll loop's. */
void edo__check_memory_slow(const char *call, const void *memory, const char *what);

/* Where memory is on the stack. AddressSanitizer puts locals elsewhere, into a fake stack, and can
 * say near which place of the real one their frame was entered. Below that of the poll loop it is
 * one of the poll in progress. */
#if EDO__ASAN
void *__asan_get_current_fake_stack(void);
void *__asan_addr_is_in_fake_stack(void *fake_stack, void *memory, void **begin, void **end);

static inline uintptr_t edo__stack_place(const void *memory)
{
    void *fake = __asan_get_current_fake_stack(), *place = NULL;
    if (fake) place = __asan_addr_is_in_fake_stack(fake, (void *)(uintptr_t)memory, NULL, NULL);
    bool in_poll = place && (uintptr_t)place < edo__self.stack;
    return in_poll ? (uintptr_t)__builtin_frame_address(0) : (uintptr_t)memory;
}
#else
static inline uintptr_t edo__stack_place(const void *memory)
{
    return (uintptr_t)memory;
}
#endif

static inline void edo__check_memory(const char *call, const void *memory, const char *what)
{
    if (edo__unlikely(edo__stack_place(memory) - (uintptr_t)__builtin_frame_address(0) <
                      edo__self.stack - (uintptr_t)__builtin_frame_address(0)) &&
        edo__self.stack)
        edo__check_memory_slow(call, memory, what);
}
