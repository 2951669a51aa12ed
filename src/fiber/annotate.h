/* Reports stack switches to sanitizers. The sanitizers' functions are weak symbols. So they are
 * found if the program has a sanitizer, even if edo was built without one. ThreadSanitizer counts
 * calls and returns per context. A report that was not inlined would be called in one context and
 * return in another. So the reports are inlined. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/base.h"

#define EDO__WEAK __attribute__((weak))

EDO__WEAK void __sanitizer_start_switch_fiber(void **fake_stack_save, const void *bottom,
                                              size_t size);
EDO__WEAK void __sanitizer_finish_switch_fiber(void *fake_stack_save, const void **bottom_old,
                                               size_t *size_old);
EDO__WEAK void __asan_unpoison_memory_region(const volatile void *address, size_t size);
EDO__WEAK void __lsan_register_root_region(const void *begin, size_t size);
EDO__WEAK void __lsan_unregister_root_region(const void *begin, size_t size);
EDO__WEAK void *__tsan_get_current_fiber(void);
EDO__WEAK void *__tsan_create_fiber(unsigned flags);
EDO__WEAK void __tsan_destroy_fiber(void *fiber);
EDO__WEAK void __tsan_switch_to_fiber(void *fiber, unsigned flags);

/* Data that the sanitizers need for one fiber. */
typedef struct edo__annotations {
    void *fake, *caller_fake;  // AddressSanitizer's fake stacks, for locals
    const void *caller_bottom; // low end of the stack from which the fiber was entered
    size_t caller_size;        // bytes of that stack
    void *tsan, *caller_tsan;
} edo__annotations;

static inline bool edo__is_annotated(void)
{
    return __sanitizer_start_switch_fiber || __tsan_switch_to_fiber;
}

/* Reports a new fiber. `bottom` and `size` describe the fiber's stack. The stack becomes a root
 * region, in which LeakSanitizer looks for pointers. Otherwise memory that is reachable only from a
 * parked fiber would count as a leak. */
static inline void edo__annotate_create(edo__annotations *it, const void *bottom, size_t size)
{
    *it = (edo__annotations){ .tsan = __tsan_create_fiber ? __tsan_create_fiber(0) : NULL };
    if (__asan_unpoison_memory_region) __asan_unpoison_memory_region(bottom, size);
    if (__lsan_register_root_region) __lsan_register_root_region(bottom, size);
}

static inline void edo__annotate_destroy(const edo__annotations *it, const void *bottom,
                                         size_t size)
{
    if (__lsan_unregister_root_region) __lsan_unregister_root_region(bottom, size);
    if (it->tsan) __tsan_destroy_fiber(it->tsan);
}

/* These functions report the caller's side of the switches, before and after a run of the fiber.
 * ThreadSanitizer counts a switch with flags of 0 as synchronisation. This is right, because both
 * sides of a switch run on one thread. */
static edo__always_inline void edo__annotate_enter(edo__annotations *it, const void *bottom,
                                                   size_t size)
{
    if (__sanitizer_start_switch_fiber)
        __sanitizer_start_switch_fiber(&it->caller_fake, bottom, size);
    if (!it->tsan) return;
    it->caller_tsan = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(it->tsan, 0);
}

static edo__always_inline void edo__annotate_entered_caller(const edo__annotations *it)
{
    if (__sanitizer_finish_switch_fiber)
        __sanitizer_finish_switch_fiber(it->caller_fake, NULL, NULL);
}

/* These functions report the fiber's side of the switches. If `ends` is true, the fiber will not be
 * entered again. */
static edo__always_inline void edo__annotate_leave(edo__annotations *it, bool ends)
{
    if (__sanitizer_start_switch_fiber)
        __sanitizer_start_switch_fiber(ends ? NULL : &it->fake, it->caller_bottom, it->caller_size);
    if (it->tsan) __tsan_switch_to_fiber(it->caller_tsan, 0);
}

static edo__always_inline void edo__annotate_entered(edo__annotations *it)
{
    if (__sanitizer_finish_switch_fiber)
        __sanitizer_finish_switch_fiber(it->fake, &it->caller_bottom, &it->caller_size);
}
