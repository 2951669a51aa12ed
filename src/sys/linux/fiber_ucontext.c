/* Contexts of sys/fiber.h on processors without assembly of their own. Each switch saves and sets
 * the signal mask, by a system call. */
#include "sys/fiber.h"

#if defined EDO__CONTEXTS_BY_UCONTEXT ||                                                           \
    (!(defined __x86_64__ && defined __LP64__) && !defined __aarch64__)

#include <ucontext.h>

#include "base/base.h"

_Static_assert(sizeof(ucontext_t) + 64 <= EDO__CONTEXT_SIZE,
               "a context below the top of its stack");

enum { HALF = 32 }; // bits of an argument of makecontext()

typedef struct first {
    ucontext_t context;
    void (*entry)(void *arg);
    void *arg;
} first;

static void start(unsigned high, unsigned low)
{
    first *self = (first *)(uintptr_t)((uint64_t)high << HALF | low);
    self->entry(self->arg);
}

/* What makecontext() starts with lies above the stack that it uses. */
void *edo__sys_context_make(void *top, void (*entry)(void *arg), void *arg)
{
    uintptr_t end = (uintptr_t)top & ~(uintptr_t)15;
    first *self = (first *)((end - sizeof(first)) & ~(uintptr_t)15);
    getcontext(&self->context);
    self->entry = entry;
    self->arg = arg;
    self->context.uc_link = NULL;
    /* The size is that of what surely lies below; only its end counts. */
    self->context.uc_stack.ss_size = EDO__CONTEXT_SIZE;
    self->context.uc_stack.ss_sp = (char *)self - EDO__CONTEXT_SIZE;
    uint64_t place = (uintptr_t)self;
    makecontext(&self->context, (void (*)(void))start, 2, (unsigned)(place >> HALF),
                (unsigned)place);
    return &self->context;
}

void edo__sys_context_switch(void **ret_from, void *to)
{
    ucontext_t here;
    *ret_from = &here;
    if (swapcontext(&here, to) < 0) edo__misuse("swapcontext", "%s", edo_strerror(-errno));
}

bool edo__sys_has_shadow_stack(void)
{
    return false;
}

#endif
