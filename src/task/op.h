/* Leaf operations: the common parts of their polls.
 *
 * A constructor builds a complete, inert operation. The first poll tries the work. Each poll that
 * answers EDO_READY uses one unit of the budget. `word` (EDO__OP_*) is the stage of the operation.
 * The completer stores the word with release, and the poll reads the word with acquire.
 */
#pragma once

#include "task/budget.h"
#include "task/task.h"

/* Stages of an operation: edo_op.word. */
enum {
    EDO__OP_IDLE,   // not waiting; only the operation's poll touches the operation
    EDO__OP_PARKED, // waits in a list, a side of a source, or a ring
    EDO__OP_WOKEN,  // may continue; the completer no longer touches the operation
};

/* ---- overlays ----
 *
 * An edo_op has four members with neutral names, which each kind of operation may use for its own
 * data. Such a kind declares a type of the same layout, whose members have descriptive names, and
 * one inline function that casts an edo_op to this type:
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
 * `progress` has the same offset in all types, for edo_op_progress(). The last 16 bytes are the
 * same in all types. An operation that is never parked may also use the 16 bytes of `link` for its
 * own data. Larger data (message headers, addresses, a file's status) is in a struct of the caller,
 * in the frame.
 *
 * may_alias: one object is accessed through both types. */
#define EDO__OVERLAY __attribute__((may_alias))

#define EDO__OVERLAY_FITS(type)                                                                    \
    _Static_assert(sizeof(type) == sizeof(edo_op), #type " covers an operation")

/* Last members of an operation that is never parked. */
typedef struct edo__op_state {
    edo_wakeable *waker;
    uint32_t word, detail;
} edo__op_state;

/* Last members of an operation that may be parked. */
typedef struct edo__op_wait {
    void *link[2];
    edo__op_state state;
} edo__op_wait;

static inline edo_op *edo__op_of(edo_future *future)
{
    return (edo_op *)(void *)future;
}

/* Ends an operation whose poll has checked edo__has_budget(). */
static inline edo_poll edo__op_finish(edo_op *op, edo_cx *cx, int64_t result)
{
    edo__use_budget(cx);
    op->base.result = result;
    return EDO_READY;
}

/* Makes an operation for an error that its constructor has found. The first poll answers the error,
 * or -ECANCELED in a cancelled function. */
edo_op edo__op_refuse(int error);

/* Aborts for edo__check_memory(), which has found that memory handed to an operation is on the
 * stack of the poll in progress, that is, between the caller's frame and the poll loop's frame. */
void edo__check_memory_slow(const char *call, const void *memory, const char *what);

/* Returns: the address that edo__check_memory() compares with the bounds of the poll's stack.
 * AddressSanitizer keeps locals on a fake stack. For each local, AddressSanitizer knows a place on
 * the real stack: the address at which the local's function was entered. If that address is below
 * the frame of the poll loop, the local belongs to the poll in progress, and an address within the
 * bounds is returned. */
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
