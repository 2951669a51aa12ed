/* Contract with the processor and the operating system: contexts, and memory for stacks. A context
 * is a stack with the saved registers of a suspended function. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- contexts ----
 *
 * The stack pointer identifies a context. The context's stack holds the callee-saved registers and
 * the floating-point modes (x86: MXCSR and the x87 control word; aarch64: FPCR). Signal masks
 * belong to the thread, so a switch makes no system call, except with ucontext on other
 * processors. */

/* Makes a context that runs entry(arg) at the first switch to it, with the caller's floating-point
 * modes. entry does not return.
 * top: end of the stack; at least EDO__CONTEXT_SIZE bytes lie below it. */
void *edo__sys_context_make(void *top, void (*entry)(void *arg), void *arg);

/* Suspends this context and resumes context `to`, whose suspended call returns `value`. *ret_from
 * is written before the switch. The call returns, perhaps on another thread, when a later switch
 * resumes *ret_from. Returns: the `value` of that later switch. */
int64_t edo__sys_context_switch(void **ret_from, void *to, int64_t value);

/* As edo__sys_context_switch(), but with an int result, so that a function that returns int can end
 * with this call. */
int edo__sys_context_enter(void **ret_from, void *to, int64_t value);

enum { EDO__CONTEXT_SIZE = 2048 }; // bytes; size of the largest context, that of ucontext

/* Whether a shadow stack is enabled (x86: CET). A shadow stack is the processor's own stack of
 * return addresses, which a switch would not change, so contexts cannot be used with it. The object
 * file of the switch is not marked as compatible, so loaders disable shadow stacks for programs
 * linked with edo. */
bool edo__sys_has_shadow_stack(void);

/* ---- memory of stacks ---- */

typedef struct edo__stack_memory {
    char *base;     // lowest byte; stacks grow downwards
    size_t size;    // bytes, with the guard
    size_t guard;   // bytes at the base whose access faults; 0: no guard
    unsigned watch; // id given by a memory checker; 0: none
} edo__stack_memory;

/* Least size of a guarded mapping, and size of a guard, in bytes. */
size_t edo__sys_stack_least(void);
size_t edo__sys_stack_guard(void);

/* Maps memory for a stack; only touched pages are allocated.
 * size: bytes, whole pages. Returns: 0; -ENOMEM, with the reason in the log. Thread: any. */
int edo__sys_stack_map(size_t size, bool guarded, edo__stack_memory *ret_memory);
void edo__sys_stack_unmap(const edo__stack_memory *memory);

/* Tells memory checkers that the memory is a stack. edo__sys_stack_map() does this itself. */
void edo__sys_stack_watch(edo__stack_memory *memory);
void edo__sys_stack_unwatch(const edo__stack_memory *memory);

/* Releases the whole pages between two addresses. The pages read as zeros afterwards. */
void edo__sys_stack_trim(char *from, char *to);

/* Releases the whole pages between two addresses, and writes zeros to the remaining bytes. */
void edo__sys_stack_clear(char *from, char *to);

/* Finds the lowest resident page between two addresses, which shows how deep the stack has been.
 * Returns: the address of that page, or `to` if the system does not report it. */
char *edo__sys_stack_lowest(char *from, char *to);

/* ---- the stack of signal handlers ---- */

/* Installs a stack for signal handlers on the calling thread. A fiber's stack is too small for some
 * handlers, and has no room at all after an overflow. Returns: the argument of
 * edo__sys_signal_stack_close(); NULL: the thread already has such a stack, or there is no
 * memory. */
void *edo__sys_signal_stack_open(void);

/* Removes a signal stack. NULL is ignored. Thread: the one that has opened the stack. */
void edo__sys_signal_stack_close(void *stack);
