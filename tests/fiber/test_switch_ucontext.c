/* edo-test: once
 * Contexts as processors without assembly of their own switch them; here beside the other ones. */
#define edo__sys_context_make     ucontext_make
#define edo__sys_context_switch   ucontext_switch
#define edo__sys_context_enter    ucontext_enter
#define edo__sys_has_shadow_stack ucontext_has_shadow_stack
#define EDO__CONTEXTS_BY_UCONTEXT 1
#include "fiber/switches.h"

#include "sys/linux/fiber_ucontext.c"

test(there_is_no_shadow_stack)
{
    assert_false(edo__sys_has_shadow_stack());
}
