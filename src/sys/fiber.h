/* Contract with the processor and the operating system: contexts, and memory for stacks. A context
 * is a stack with the saved registers of a suspended function. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- contexts ----
 *
 * The stack pointer identifies a context. The context's stack holds the callee-saved registers and
 * the floating-point modes (x86: MXCSR and the x87 control word; aarch64: FPCR). A switch does not
 * change the signal mask of the thread, so it makes no system call. On other processors, the
 * switches are those of ucontext, which save and set the signal mask by a system call. */

/* Makes a context. The first switch to the context calls entry(arg). The floating-point modes are
 * then those that the caller of this function had. entry does not return.
 * top: end of the stack, which has at least EDO__CONTEXT_SIZE bytes. */
void *edo__sys_context_make(void *top, void (*entry)(void *arg), void *arg);

/* Stores the current context in *ret_from, suspends it, and resumes the context `to`. In `to`, the
 * call of this function that suspended it returns `value`. The present call returns when a later
 * switch resumes *ret_from, perhaps on another thread. Returns: the `value` of that later
 * switch. */
int64_t edo__sys_context_switch(void **ret_from, void *to, int64_t value);

/* As edo__sys_context_switch(), but with an int result. A function that returns int can make this
 * call as a tail call. */
int edo__sys_context_enter(void **ret_from, void *to, int64_t value);

enum { EDO__CONTEXT_SIZE = 2048 }; // bytes; room for the largest context, which ucontext makes

/* Whether a shadow stack is enabled (x86: CET). A shadow stack is the processor's own stack of
 * return addresses. A switch would not change the shadow stack, so contexts cannot be used while it
 * is enabled. Loaders disable shadow stacks for a program if one of its object files is not marked
 * as compatible with them. The object file of the switch is not marked. So shadow stacks are
 * disabled for programs linked with edo. */
bool edo__sys_has_shadow_stack(void);

/* ---- memory of stacks ---- */

typedef struct edo__stack_memory {
    char *base;     // lowest byte; stacks grow downwards
    size_t size;    // bytes, with the guard
    size_t guard;   // bytes at the base; an access there faults; 0: no guard
    unsigned watch; // id that a memory checker has given the stack; 0: none
} edo__stack_memory;

/* edo__sys_stack_least() returns the least size of a mapping with a guard. edo__sys_stack_guard()
 * returns the size of a guard. Both sizes are in bytes. */
size_t edo__sys_stack_least(void);
size_t edo__sys_stack_guard(void);

/* Maps memory for a stack. The system allocates a page when it is first touched.
 * size: bytes, whole pages. Returns: 0; or -ENOMEM, and the reason is logged. Thread: any. */
int edo__sys_stack_map(size_t size, bool guarded, edo__stack_memory *ret_memory);
void edo__sys_stack_unmap(const edo__stack_memory *memory);

/* Tells memory checkers that the memory is a stack. Called by edo__sys_stack_map(). */
void edo__sys_stack_watch(edo__stack_memory *memory);
void edo__sys_stack_unwatch(const edo__stack_memory *memory);

/* Releases the whole pages between two addresses. Later reads of these pages give zeros. */
void edo__sys_stack_trim(char *from, char *to);

/* Clears the bytes between two addresses: releases whole pages, and writes zeros to the other
 * bytes. */
void edo__sys_stack_clear(char *from, char *to);

/* Finds the lowest resident page between two addresses. The page shows how deep the stack has been
 * used. Returns: the address of the page. Returns `to` if no page is resident, or if the system
 * does not report which pages are resident. */
char *edo__sys_stack_lowest(char *from, char *to);

/* ---- the stack of signal handlers ---- */

/* Installs a stack for signal handlers on the calling thread. A fiber's stack is too small for some
 * handlers, and has no room for a handler after an overflow. Returns: the argument for
 * edo__sys_signal_stack_close(); NULL if the thread already has such a stack, or if out of
 * memory. */
void *edo__sys_signal_stack_open(void);

/* Removes a signal stack. NULL is ignored. Thread: the thread that has opened the stack. */
void edo__sys_signal_stack_close(void *stack);
