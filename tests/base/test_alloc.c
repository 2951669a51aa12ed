/* edo-test: once. The memory hooks. */
#include "support/support.h"

#include <stdlib.h>

#include <edo/edo.h>

#include "base/base.h"

static void *null_alloc(void *context, size_t size, size_t align)
{
    (void)context;
    (void)size;
    (void)align;
    return NULL;
}

static void null_free(void *context, void *memory, size_t size, size_t align)
{
    (void)context;
    (void)memory;
    (void)size;
    (void)align;
    abort(); // nothing was allocated
}

test(missing_hook)
{
    assert_int_equal(edo_set_allocator(&(edo_allocator){ .alloc = null_alloc }), -EINVAL);
    assert_int_equal(edo_set_allocator(&(edo_allocator){ .free = null_free }), -EINVAL);
}

test(busy_while_memory_is_in_use)
{
    edo_runtime *runtime;
    assert_int_equal(edo_memory_in_use(), 0);
    assert_int_equal(edo_runtime_create(NULL, &runtime), 0);
    assert_int_not_equal(edo_memory_in_use(), 0);
    assert_int_equal(edo_set_allocator(&(edo_allocator){ null_alloc, null_free, NULL }), -EBUSY);
    assert_int_equal(edo_set_allocator(NULL), -EBUSY);
    assert_int_equal(edo_runtime_destroy(runtime), 0); // uses the hooks of its creation
    assert_int_equal(edo_memory_in_use(), 0);
    assert_int_equal(edo_set_allocator(NULL), 0);
}

test(hooks_that_have_no_memory)
{
    edo_runtime *runtime = NULL;
    edo_context *context = NULL;
    assert_int_equal(edo_set_allocator(&(edo_allocator){ null_alloc, null_free, NULL }), 0);
    assert_int_equal(edo_runtime_create(NULL, &runtime), -ENOMEM);
    assert_int_equal(edo_context_create(&(edo_context_values){ 0 }, &context), -ENOMEM);
    assert_null(runtime); // outputs are untouched on failure
    assert_null(context);
    assert_int_equal(edo_memory_in_use(), 0);
    assert_int_equal(edo_set_allocator(NULL), 0);
}

test(count_follows_the_hooks)
{
    enum { SIZE = 1000, ALIGN = 256 };
    test_allocator_install();
    void *plain = edo__alloc(SIZE), *zeroed = edo__alloc_zeroed(SIZE);
    void *aligned = edo__alloc_aligned(SIZE, ALIGN);
    assert_int_equal(edo_memory_in_use(), 3 * SIZE);
    assert_int_equal(test_allocator_live_bytes(), 3 * SIZE);
    for (size_t i = 0; i < SIZE; i++)
        assert_int_equal(((char *)zeroed)[i], 0);
    assert_int_equal((uintptr_t)aligned % ALIGN, 0);
    edo__free(plain, SIZE);
    edo__free(zeroed, SIZE);
    edo__free_aligned(aligned, SIZE, ALIGN);
    edo__free(NULL, SIZE);
    edo__free_aligned(NULL, SIZE, ALIGN);
    assert_int_equal(edo_memory_in_use(), 0);
    test_allocator_remove();
}

test(failed_allocation_counts_nothing)
{
    test_allocator_install();
    test_allocator_fail_from(1);
    assert_null(edo__alloc(1));
    assert_null(edo__alloc_zeroed(1));
    assert_null(edo__alloc_aligned(1, 64));
    assert_int_equal(edo_memory_in_use(), 0);
    test_allocator_fail_from(0);
    test_allocator_remove();
}

/* The default hooks. */
test(alignments)
{
    enum { SIZE = 100, LARGEST = 1 << 16 };
    for (size_t align = 1; align <= LARGEST; align *= 2) {
        void *memory = edo__alloc_aligned(SIZE, align);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % align, 0);
        fill_pattern(memory, SIZE, 0, 0);
        edo__free_aligned(memory, SIZE, align);
    }
    void *plain = edo__alloc(SIZE);
    assert_int_equal((uintptr_t)plain % _Alignof(max_align_t), 0);
    edo__free(plain, SIZE);
    assert_int_equal(edo_memory_in_use(), 0);
}
