/* Contract with the processor and the operating system: contexts, which are stacks with the
 * registers of a function that has left them, and the memory of stacks. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- contexts ----
 *
 * A context is known by its stack pointer. Its registers lie on its stack: those that a call keeps,
 * and the modes of floating point (x86: MXCSR and the x87 control word; aarch64: FPCR). Signal masks
 * belong to the thread, so that a switch makes no system call, except where ucontext stands in for
 * an unknown processor. */

/* Makes a context that runs entry(arg) when it is first switched to, with the caller's floating
 * modes. entry does not return.
 * top: end of the stack; at least EDO__CONTEXT_SIZE bytes lie below it. */
void *edo__sys_context_make(void *top, void (*entry)(void *arg), void *arg);

/* Leaves this context, and goes on in another. *ret_from is written before that. Returns when
 * something switches to *ret_from, perhaps on another thread. */
void edo__sys_context_switch(void **ret_from, void *to);

enum { EDO__CONTEXT_SIZE = 2048 }; // bytes of the largest, that of ucontext

/* Whether the processor keeps return addresses on a stack of its own that a switch would not change
 * (x86: CET). Contexts can't be used then. The object of the switch has no mark of being fit for it,
 * so loaders turn it off for programs that are linked with edo. */
bool edo__sys_has_shadow_stack(void);
