/* Hooks for edo's memory that count, check and fail. Each block begins with a head. */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <edo/base.h>

enum {
    FRESH = 0xa5, // fills new memory
    STALE = 0x5a, // fills freed memory
};

#define LIVE_MARK 0xed0a110c8b10c5edu // "edo alloc blocks"; any rare number does
#define DEAD_MARK (~LIVE_MARK)

typedef struct head {
    uint64_t mark;
    size_t size, align;
    void *start; // result of malloc()
} head;

static struct {
    size_t bytes, count;
    uint64_t calls;
    uint64_t until_failure; // allocations up to and including the one that fails; 0: none fails
    bool keeps_failing, has_failed;
} state; // all members are atomic

#define load(member)         __atomic_load_n(&state.member, __ATOMIC_RELAXED)
#define store(member, value) __atomic_store_n(&state.member, (value), __ATOMIC_RELAXED)
#define add(member, value)   __atomic_fetch_add(&state.member, (value), __ATOMIC_RELAXED)
#define sub(member, value)   __atomic_fetch_sub(&state.member, (value), __ATOMIC_RELAXED)

/* An assertion that also works on threads where cmocka's assertions do not. */
static void check(bool condition, const char *rule)
{
    if (condition) return;
    fprintf(stderr, "test allocator: %s\n", rule);
    abort();
}

static bool is_to_fail(void)
{
    uint64_t left = load(until_failure);
    do {
        if (left == 0) return false;
        if (left == 1 && load(keeps_failing)) break;
    } while (!__atomic_compare_exchange_n(&state.until_failure, &left, left - 1, false,
                                          __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    if (left > 1) return false;
    store(has_failed, true);
    return true;
}

static void *alloc(void *context, size_t size, size_t align)
{
    check(context == &state, "alloc: the context is another");
    check(size > 0, "alloc: a size of 0");
    check(align > 0 && (align & (align - 1)) == 0, "alloc: the alignment is no power of two");
    add(calls, 1);
    if (is_to_fail()) return NULL;
    size_t room = sizeof(head) > align ? sizeof(head) : align;
    void *start;
    if (posix_memalign(&start, room, room + size) != 0) return NULL;
    char *memory = (char *)start + room;
    ((head *)(void *)memory)[-1] = (head){
        .mark = LIVE_MARK, .size = size, .align = align, .start = start
    };
    memset(memory, FRESH, size);
    add(bytes, size);
    add(count, 1);
    return memory;
}

static void release(void *context, void *memory, size_t size, size_t align)
{
    check(context == &state, "free: the context is another");
    check(memory != NULL, "free: NULL");
    head *block = (head *)memory - 1;
    check(block->mark == LIVE_MARK, "free: not allocated, or freed before");
    check(block->size == size, "free: another size than at its allocation");
    check(block->align == align, "free: another alignment than at its allocation");
    block->mark = DEAD_MARK;
    memset(memory, STALE, size);
    sub(bytes, size);
    sub(count, 1);
    free(block->start);
}

void test_allocator_install(void)
{
    memset(&state, 0, sizeof state);
    assert_int_equal(edo_set_allocator(&(edo_allocator){ alloc, release, &state }), 0);
}

void test_allocator_remove(void)
{
    size_t count = load(count), bytes = load(bytes);
    if (count) fail_msg("%zu blocks of %zu bytes were not given back", count, bytes);
    assert_int_equal(edo_set_allocator(NULL), 0);
}

int test_allocator_set_up(void **unused)
{
    (void)unused;
    test_allocator_install();
    return 0;
}

int test_allocator_tear_down(void **unused)
{
    (void)unused;
    test_allocator_remove();
    return 0;
}

static void plan_failure(uint64_t n, bool keeps_failing)
{
    store(has_failed, false);
    store(keeps_failing, keeps_failing);
    store(until_failure, n);
}

void test_allocator_fail_at(uint64_t n)
{
    plan_failure(n, false);
}

void test_allocator_fail_from(uint64_t n)
{
    plan_failure(n, true);
}

bool test_allocator_has_failed(void)
{
    return load(has_failed);
}

size_t test_allocator_live_bytes(void)
{
    return load(bytes);
}

size_t test_allocator_live_count(void)
{
    return load(count);
}

uint64_t test_allocator_calls(void)
{
    return load(calls);
}

uint64_t with_each_allocation_failing(void (*fn)(void *arg), void *arg)
{
    test_allocator_install();
    uint64_t n = 0;
    do {
        test_allocator_fail_at(++n);
        fn(arg);
        size_t count = load(count);
        if (count) fail_msg("%zu blocks leaked when allocation %zu failed", count, (size_t)n);
    } while (test_allocator_has_failed());
    test_allocator_fail_at(0);
    test_allocator_remove();
    return n - 1;
}
