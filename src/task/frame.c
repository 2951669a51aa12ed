/* Frames of async functions: initialisation, and frames in memory of their own. */
#include "task/frame.h"

#include <string.h>

#include "base/base.h"
#include "sys/sys.h"
#include "task/cx.h"

enum { RESERVE_SHARE = 4 }; // boxed calls leave 1/4 of a fiber's stack to unchecked calls

_Static_assert(sizeof(edo_frame_head) <= 32, "part of every frame");

/* Uses one memset, which takes fewer instructions than a store per member. Also clears `home`,
 * because a frame whose `home` is 0 counts as not polled. */
void edo__frame_init(void *memory, const edo_future_ops *ops)
{
    struct edo_any_frame *frame = memory;
    memset(frame, 0, offsetof(struct edo_any_frame, edo_slot));
    frame->base.ops = ops;
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

/* Whether the stack has room for one more boxed call. Each boxed call is polled inside its caller's
 * poll, so the size of the stack limits the depth of a recursion. */
static bool has_stack(void)
{
    const edo__parker *other = edo__self.on_stack;
    if (edo__likely(!other)) return edo__sys_stack_room() > 0;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    return here > other->low + (other->high - other->low) / RESERVE_SHARE;
}

static bool has_stack_for(const edo_future_ops *ops)
{
    if (edo__likely(has_stack())) return true;
    edo__log(EDO_LOG_ERROR,
             "edo_call_boxed: -ENOMEM: the stack has no room for one more call of '%s'", ops->name);
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
