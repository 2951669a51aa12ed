/* Stacks of fibers, and the pools that keep them warm. Any thread, unless a function says
 * otherwise. */
#pragma once

#include <stdbool.h>

#include "sys/fiber.h"

/* Lies at the end of its own memory, in the page that every fiber touches. */
typedef struct edo__stack {
    edo__stack_memory memory;
    struct edo__stack *next; // in a pool
    uint32_t kind;           // index of a pool's list, or EDO__STACK_*
} edo__stack;

enum {
    EDO__STACK_KINDS = 8,                   // sizes of pools: powers of two
    EDO__STACK_UNPOOLED = EDO__STACK_KINDS, // mapped for this fiber alone
    EDO__STACK_LENT,                        // the user's memory
};

/* size: bytes with the guard; 0: the default. Returns: 0; -ENOMEM, with its reason in the log. */
int edo__stack_take(size_t size, bool guarded, edo__stack **ret_stack);

/* A stack in memory of the user's. Returns: 0; -EINVAL: too small. */
int edo__stack_lend(void *memory, size_t size, edo__stack **ret_stack);

/* Not while the caller runs on it. */
void edo__stack_give(edo__stack *stack);

/* The same for the stack that the caller is about to leave for good, on this thread. The next call
 * for stacks on this thread may use or unmap it. */
void edo__stack_give_last(edo__stack *stack);

/* Prepares the calling thread for running fibers: handlers of signals get a stack of their own. */
void edo__stack_prepare_thread(void);

/* Unmaps what the calling thread and the process keep. */
void edo__stack_drop_kept(void);
