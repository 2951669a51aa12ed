/* Memory of stacks. On Linux 6.13 and later, a guard is a set of page-table entries
 * (MADV_GUARD_INSTALL), and adjacent stacks count as one mapping. On older kernels, a guard is a
 * range without access, which splits the mapping in two. With two mappings per stack,
 * vm.max_map_count (65,530) allows about 32,000 stacks. */
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/base.h"
#include "sys/fiber.h"

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(start, end) 0
#define VALGRIND_STACK_DEREGISTER(id)       ((void)(id))
#endif

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

enum {
    GUARD = 16 << 10,         // bytes; a function with a smaller frame cannot skip the guard
    LEAST_ROOM = 16 << 10,    // bytes; least usable stack above the guard
    SIGNAL_STACK = 256 << 10, // bytes; only touched pages are allocated
};

static size_t page_size(void)
{
    static edo_atomic(size_t) size;
    if (!edo_load_relaxed(&size)) edo_store_relaxed(&size, (size_t)sysconf(_SC_PAGESIZE));
    return edo_load_relaxed(&size);
}

static size_t at_least_a_page(size_t size)
{
    return size > page_size() ? size : page_size();
}

size_t edo__sys_stack_guard(void)
{
    return at_least_a_page(GUARD);
}

size_t edo__sys_stack_least(void)
{
    return at_least_a_page(GUARD) + at_least_a_page(LEAST_ROOM);
}

/* Whether the latest stack could not be mapped. When several stacks in a row cannot be mapped, only
 * the first failure is logged. The others have the same reason, and there may be thousands of
 * them. */
static edo_atomic(bool) has_failed;

static int fail(const char *what, const char *advice, size_t size)
{
    if (!edo_swap_acq_rel(&has_failed, true))
        edo__log(EDO_LOG_ERROR, "stack of a fiber, %zu bytes: -ENOMEM: %s: %s", size, what, advice);
    return -ENOMEM;
}

/* Whether the system refuses an unknown advice. An emulator of another processor (qemu-user 7.2)
 * may accept and ignore any advice. There, MADV_GUARD_INSTALL would seem to succeed, but the stack
 * would have no guard. */
static bool is_advice_checked(void)
{
    enum { UNKNOWN, CHECKED, IGNORED, NO_ADVICE = 10000 };
    static edo_atomic(int) answer = UNKNOWN;
    if (edo_load_relaxed(&answer) == UNKNOWN)
        edo_store_relaxed(&answer, madvise(NULL, 0, NO_ADVICE) < 0 ? CHECKED : IGNORED);
    return edo_load_relaxed(&answer) == CHECKED;
}

static int guard(const edo__stack_memory *memory)
{
    if (is_advice_checked() && madvise(memory->base, memory->guard, MADV_GUARD_INSTALL) == 0)
        return 0;
    if (mprotect(memory->base, memory->guard, PROT_NONE) == 0) return 0;
    return fail(
        "no guard below it",
        "each takes two of the mappings that vm.max_map_count allows; Linux 6.13 needs none, "
        "and EDO_FIBER_UNGUARDED asks for none",
        memory->size);
}

int edo__sys_stack_map(size_t size, bool guarded, edo__stack_memory *ret_memory)
{
    edo__stack_memory memory = { .size = size, .guard = guarded ? edo__sys_stack_guard() : 0 };
    memory.base = mmap(NULL, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (memory.base == MAP_FAILED)
        return fail("no mapping",
                    "see vm.max_map_count, and the limit of address space (ulimit -v)", size);
    madvise(memory.base, size, MADV_NOHUGEPAGE); // a fiber touches only one or two small pages
    if (guarded && guard(&memory) < 0) {
        munmap(memory.base, size);
        return -ENOMEM;
    }
    if (edo_load_relaxed(&has_failed)) edo_store_relaxed(&has_failed, false);
    edo__sys_stack_watch(&memory);
    *ret_memory = memory;
    return 0;
}

void edo__sys_stack_unmap(const edo__stack_memory *memory)
{
    edo__sys_stack_unwatch(memory);
    munmap(memory->base, memory->size);
}

void edo__sys_stack_watch(edo__stack_memory *memory)
{
    memory->watch = (unsigned)VALGRIND_STACK_REGISTER(memory->base + memory->guard,
                                                      memory->base + memory->size);
}

void edo__sys_stack_unwatch(const edo__stack_memory *memory)
{
    VALGRIND_STACK_DEREGISTER(memory->watch);
}

/* Shrinks a range to the whole pages in the range. Sets *from to the first page. Returns: size of
 * the whole pages, in bytes. */
static size_t whole_pages(char **from, char *to)
{
    uintptr_t page = page_size();
    uintptr_t first = ((uintptr_t)*from + page - 1) / page * page,
              last = (uintptr_t)to / page * page;
    *from = (char *)first;
    return last > first ? last - first : 0;
}

void edo__sys_stack_trim(char *from, char *to)
{
    size_t size = whole_pages(&from, to);
    if (size) madvise(from, size, MADV_DONTNEED);
}

void edo__sys_stack_clear(char *from, char *to)
{
    char *first = from;
    size_t size = whole_pages(&first, to);
    if (!size || madvise(first, size, MADV_DONTNEED) < 0) {
        memset(from, 0, (size_t)(to - from));
        return;
    }
    memset(from, 0, (size_t)(first - from));
    memset(first + size, 0, (size_t)(to - (first + size)));
}

char *edo__sys_stack_lowest(char *from, char *to)
{
    enum { AT_ONCE = 256 }; // pages
    unsigned char pages[AT_ONCE];
    char *page = from;
    size_t left = whole_pages(&page, to + page_size() - 1) / page_size();
    while (left) {
        size_t count = left < AT_ONCE ? left : AT_ONCE;
        if (mincore(page, count * page_size(), pages) < 0) return to;
        for (size_t i = 0; i < count; i++)
            if (pages[i] & 1) return page + i * page_size();
        page += count * page_size();
        left -= count;
    }
    return to;
}

/* ---- the stack of signal handlers ---- */

void *edo__sys_signal_stack_open(void)
{
    stack_t old;
    if (sigaltstack(NULL, &old) < 0 || !(old.ss_flags & SS_DISABLE)) return NULL;
    void *memory = mmap(NULL, SIGNAL_STACK, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) return NULL;
    mprotect(memory, page_size(), PROT_NONE);
    stack_t stack = { .ss_sp = (char *)memory + page_size(),
                      .ss_size = SIGNAL_STACK - page_size() };
    if (sigaltstack(&stack, NULL) == 0) return memory;
    munmap(memory, SIGNAL_STACK);
    return NULL;
}

/* If the program has installed another signal stack meanwhile, that stack remains installed. */
void edo__sys_signal_stack_close(void *stack)
{
    stack_t now, none = { .ss_flags = SS_DISABLE };
    if (!stack) return;
    if (sigaltstack(NULL, &now) == 0 && now.ss_sp == (char *)stack + page_size())
        sigaltstack(&none, NULL);
    munmap(stack, SIGNAL_STACK);
}
