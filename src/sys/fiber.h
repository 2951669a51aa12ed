/* Contract with the processor and the operating system: contexts, which are stacks with the
 * registers of a function that has left them, and the memory of stacks. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- contexts ----
 *
 * A context is known by its stack pointer. Its registers lie on its stack: those that a call keeps,
 * and the modes of floating point (x86: MXCSR and the x87 control word; aarch64: FPCR). Signal
 * masks belong to the thread, so that a switch makes no system call, except where ucontext stands
 * in for an unknown processor. */

/* Makes a context that runs entry(arg) when it is first switched to, with the caller's floating
 * modes. entry does not return.
 * top: end of the stack; at least EDO__CONTEXT_SIZE bytes lie below it. */
void *edo__sys_context_make(void *top, void (*entry)(void *arg), void *arg);

/* Leaves this context and resumes another, in which the call that left it returns `value`.
 * *ret_from is written before the switch. Returns when something switches to *ret_from, perhaps on
 * another thread. */
int64_t edo__sys_context_switch(void **ret_from, void *to, int64_t value);

/* The same with an int as the result, for a tail call in a function that returns int. */
int edo__sys_context_enter(void **ret_from, void *to, int64_t value);

enum { EDO__CONTEXT_SIZE = 2048 }; // bytes of the largest, that of ucontext

/* Whether the processor keeps return addresses on a stack of its own that a switch would not change
 * (x86: CET). Contexts can't be used then. The object of the switch has no mark of being fit for
 * it, so loaders turn it off for programs that are linked with edo. */
bool edo__sys_has_shadow_stack(void);

/* ---- memory of stacks ---- */

typedef struct edo__stack_memory {
    char *base;     // lowest byte; stacks grow downwards
    size_t size;    // bytes, with the guard
    size_t guard;   // bytes at the base that fault when they are touched; 0: none
    unsigned watch; // number with a memory checker; 0: none
} edo__stack_memory;

/* Least size of a guarded mapping, and size of a guard, in bytes. */
size_t edo__sys_stack_least(void);
size_t edo__sys_stack_guard(void);

/* Maps memory; pages take room only once they are touched.
 * size: bytes, whole pages. Returns: 0; -ENOMEM, with its reason in the log. Any thread. */
int edo__sys_stack_map(size_t size, bool guarded, edo__stack_memory *ret_memory);
void edo__sys_stack_unmap(const edo__stack_memory *memory);

/* Shows memory checkers that this is a stack. edo__sys_stack_map() does it by itself. */
void edo__sys_stack_watch(edo__stack_memory *memory);
void edo__sys_stack_unwatch(const edo__stack_memory *memory);

/* Returns the pages between two addresses to the system; they read as zeros from then on. */
void edo__sys_stack_trim(char *from, char *to);

/* Bytes between two addresses that are resident in memory; 0 if the system does not know. */
size_t edo__sys_stack_resident(char *from, char *to);

/* ---- the stack of signal handlers ---- */

/* Gives the calling thread a stack for signal handlers. The stack of a fiber may be too small for a
 * handler, and has no room at all after an overflow. Returns: the argument for
 * edo__sys_signal_stack_close(); NULL: the thread has such a stack already, or there is no
 * memory. */
void *edo__sys_signal_stack_open(void);

/* Thread: the one that has opened the stack. */
void edo__sys_signal_stack_close(void *stack);
