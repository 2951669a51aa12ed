/* Contexts of sys/fiber.h on processors that have no assembly file. Each switch saves and sets the
 * signal mask by a system call. */
#include "sys/fiber.h"

#if defined EDO__CONTEXTS_BY_UCONTEXT ||                                                           \
    (!(defined __x86_64__ && defined __LP64__) && !defined __aarch64__)

#include <ucontext.h>

#include "base/base.h"

#ifndef EDO__CONTEXTS_BY_UCONTEXT // the test that defines it has room for 4.5 KiB
_Static_assert(sizeof(ucontext_t) + 96 <= EDO__CONTEXT_SIZE,
               "a context below the top of its stack");
#endif

enum { HALF = 32 }; // bits per argument of makecontext()

/* A suspended context. value: result of the suspended call; set by the switch that resumes the
 * context. */
typedef struct left {
    ucontext_t context;
    int64_t value;
} left;

typedef struct first {
    left base;
    void (*entry)(void *arg);
    void *arg;
} first;

static void start(unsigned high, unsigned low)
{
    first *self = (first *)(uintptr_t)((uint64_t)high << HALF | low);
    self->entry(self->arg);
}

/* Puts a struct `first` at the end of the stack. makecontext() gets the memory below the struct. */
void *edo__sys_context_make(void *top, void (*entry)(void *arg), void *arg)
{
    uintptr_t end = (uintptr_t)top & ~(uintptr_t)15;
    first *self = (first *)((end - sizeof(first)) & ~(uintptr_t)15);
    getcontext(&self->base.context);
    self->entry = entry;
    self->arg = arg;
    self->base.context.uc_link = NULL;
    /* At least EDO__CONTEXT_SIZE bytes of the stack are below `self`. makecontext() uses only the
     * end of this range. */
    self->base.context.uc_stack.ss_size = EDO__CONTEXT_SIZE;
    self->base.context.uc_stack.ss_sp = (char *)self - EDO__CONTEXT_SIZE;
    uint64_t place = (uintptr_t)self;
    makecontext(&self->base.context, (void (*)(void))start, 2, (unsigned)(place >> HALF),
                (unsigned)place);
    return &self->base;
}

int64_t edo__sys_context_switch(void **ret_from, void *to, int64_t value)
{
    left here, *other = to;
    *ret_from = &here;
    other->value = value;
    if (swapcontext(&here.context, &other->context) < 0)
        edo__misuse("swapcontext", "%s", edo_strerror(-errno));
    return here.value;
}

int edo__sys_context_enter(void **ret_from, void *to, int64_t value)
{
    return (int)edo__sys_context_switch(ret_from, to, value);
}

bool edo__sys_has_shadow_stack(void)
{
    return false;
}

#endif
