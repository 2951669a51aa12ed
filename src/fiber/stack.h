/* Stacks of fibers, and the pools that keep them warm. Thread: any, unless a function says
 * otherwise. */
#pragma once

#include <stdbool.h>

#include "base/base.h"
#include "sys/fiber.h"

/* Header of a stack. The header is at the high end of the stack's memory, in the page that every
 * fiber uses anyway. */
typedef struct edo__stack {
    edo__stack_memory memory;
    struct edo__stack *next; // the next stack in a pool
    uint32_t kind;           // index of a list in the pools, or EDO__STACK_*
} edo__stack;

enum {
    EDO__STACK_KINDS = 8,                   // number of pooled sizes, which are powers of two
    EDO__STACK_UNPOOLED = EDO__STACK_KINDS, // a stack that is mapped for one fiber alone
    EDO__STACK_LENT,                        // a stack in memory that the user has lent
};

/* Takes a stack from a pool, or maps a new stack. `size` is in bytes, with the guard; 0: the
 * default size.
 * Returns: 0; -ENOMEM, with the reason in the log. */
int edo__stack_take(size_t size, bool guarded, edo__stack **ret_stack);

/* Makes a stack in the user's memory. Returns: 0; -EINVAL if the memory is too small. */
int edo__stack_lend(void *memory, size_t size, edo__stack **ret_stack);

/* Releases a stack. The caller must not run on this stack. */
void edo__stack_give(edo__stack *stack);

/* Releases the stack on which the caller runs. After this call, the caller must leave the stack, on
 * this thread and for good. On this thread, the next call to a function of this header may reuse or
 * unmap the stack. */
void edo__stack_give_last(edo__stack *stack);

/* Prepares the calling thread for its first fiber: installs a stack for signal handlers. */
extern _Thread_local bool edo__stack_is_prepared __attribute__((tls_model("initial-exec")));
void edo__stack_prepare_this_thread(void);

static inline void edo__stack_prepare_thread(void)
{
    if (edo__unlikely(!edo__stack_is_prepared)) edo__stack_prepare_this_thread();
}

/* Unmaps the stacks kept by the calling thread and by the process. */
void edo__stack_drop_kept(void);
