/* edo-test: once. The heap of tasks: size classes, slabs, and blocks that other threads free. */
#include "support/support.h"

#include <stdlib.h>

#include <edo/base.h>

#include "base/heap.h"

enum {
    SLABS = 4,
    MANY = SLABS * EDO__SLAB_SIZE / EDO__HEAP_GRAIN, // more blocks than SLABS slabs hold
    SIZE = 256,
    PER_SLAB = EDO__SLAB_SIZE / SIZE - 1, // the slab's header takes less than one block
};

#define heap_test(name) allocator_fixture() test(name)

static edo__heap *make_heap(void)
{
    edo__heap *heap = edo__heap_create();
    assert_non_null(heap);
    return heap;
}

/* ---- classes ---- */

heap_test(blocks_of_every_size)
{
    enum { SIZES = EDO__HEAP_MAX };
    static unsigned char *blocks[SIZES + 1];
    edo__heap *heap = make_heap();
    for (size_t size = 1; size <= SIZES; size++) {
        blocks[size] = edo__heap_alloc(heap, size);
        assert_non_null(blocks[size]);
        assert_int_equal((uintptr_t)blocks[size] % _Alignof(max_align_t), 0);
        fill_pattern(blocks[size], size, size, 0);
    }
    for (size_t size = 1; size <= SIZES; size++)
        assert_true(is_pattern(blocks[size], size, size, 0)); // no block overlaps another
    for (size_t size = 1; size <= SIZES; size++)
        edo__heap_free(heap, blocks[size]);
    edo__heap_close(heap);
}

heap_test(freed_block_is_used_again)
{
    edo__heap *heap = make_heap();
    void *first = edo__heap_alloc(heap, SIZE);
    edo__heap_free(heap, first);
    void *other_class = edo__heap_alloc(heap, 2 * SIZE);
    assert_ptr_not_equal(other_class, first);
    assert_ptr_equal(edo__heap_alloc(heap, SIZE), first);
    edo__heap_free(heap, first);
    edo__heap_free(heap, other_class);
    edo__heap_close(heap);
}

/* ---- slabs ---- */

static size_t slabs(void)
{
    return test_allocator_live_bytes() / EDO__SLAB_SIZE;
}

heap_test(slabs_are_shared)
{
    static void *blocks[PER_SLAB];
    edo__heap *heap = make_heap();
    for (size_t i = 0; i < PER_SLAB; i++) {
        blocks[i] = edo__heap_alloc(heap, SIZE);
        assert_int_equal(slabs(), 1);
    }
    for (size_t i = 0; i < PER_SLAB; i++)
        edo__heap_free(heap, blocks[i]);
    edo__heap_close(heap);
}

heap_test(empty_slabs_go_back)
{
    static void *blocks[MANY];
    edo__heap *heap = make_heap();
    for (size_t i = 0; i < MANY; i++) {
        blocks[i] = edo__heap_alloc(heap, EDO__HEAP_GRAIN);
        assert_non_null(blocks[i]);
    }
    assert_true(slabs() > SLABS);
    for (size_t i = 0; i < MANY; i++)
        edo__heap_free(heap, blocks[i]);
    assert_int_equal(slabs(), 1); // one per class stays
    edo__heap_close(heap);
    assert_int_equal(test_allocator_live_count(), 0);
}

heap_test(full_slab_is_used_again)
{
    static void *blocks[2 * PER_SLAB];
    edo__heap *heap = make_heap();
    for (size_t i = 0; i < 2 * PER_SLAB; i++)
        blocks[i] = edo__heap_alloc(heap, SIZE);
    size_t before = slabs();
    edo__heap_free(heap, blocks[0]); // of a slab that was full
    edo__heap_free(heap, blocks[PER_SLAB + 1]);
    blocks[0] = edo__heap_alloc(heap, SIZE);
    blocks[PER_SLAB + 1] = edo__heap_alloc(heap, SIZE);
    assert_int_equal(slabs(), before);
    for (size_t i = 0; i < 2 * PER_SLAB; i++)
        edo__heap_free(heap, blocks[i]);
    edo__heap_close(heap);
}

/* ---- other threads ---- */

struct share {
    edo__heap *mine; // heap of the freeing thread
    void **blocks;
    size_t count;
};

static void free_share(unsigned index, void *arg)
{
    struct share *share = arg;
    (void)index;
    for (size_t i = 0; i < share->count; i++)
        edo__heap_free(share->mine, share->blocks[i]);
}

heap_test(remote_frees_come_back)
{
    static void *blocks[PER_SLAB];
    edo__heap *heap = make_heap(), *other = make_heap();
    for (unsigned round = 0; round < 3; round++) {
        for (size_t i = 0; i < PER_SLAB; i++)
            blocks[i] = edo__heap_alloc(heap, SIZE);
        assert_int_equal(slabs(), 1);
        struct share share = { .mine = round == 1 ? other : NULL, blocks, PER_SLAB };
        run_threads(1, free_share, &share);
    }
    edo__heap_close(other);
    edo__heap_close(heap);
}

/* ---- the owner leaves ---- */

heap_test(orphans_stay_valid)
{
    enum { COUNT = 100 };
    void *blocks[COUNT];
    edo__heap *heap = make_heap();
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = edo__heap_alloc(heap, 1 + i * (EDO__HEAP_MAX - 1) / COUNT);
        fill_pattern(blocks[i], 1 + i * (EDO__HEAP_MAX - 1) / COUNT, i, 0);
    }
    edo__heap_close(heap);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_not_equal(test_allocator_live_count(), 0);
        assert_true(is_pattern(blocks[i], 1 + i * (EDO__HEAP_MAX - 1) / COUNT, i, 0));
        edo__heap_free(NULL, blocks[i]);
    }
    assert_int_equal(test_allocator_live_count(), 0); // the last free released all memory
}

heap_test(remote_frees_before_close_count)
{
    void *blocks[2];
    edo__heap *heap = make_heap();
    blocks[0] = edo__heap_alloc(heap, SIZE);
    blocks[1] = edo__heap_alloc(heap, SIZE);
    edo__heap_free(NULL, blocks[0]); // stays on the remote stack until the close
    edo__heap_close(heap);
    assert_int_not_equal(test_allocator_live_count(), 0);
    edo__heap_free(NULL, blocks[1]);
    assert_int_equal(test_allocator_live_count(), 0);
}

/* ---- out of memory ---- */

static void allocate_and_free(void *arg)
{
    enum { COUNT = 2 * PER_SLAB };
    static void *blocks[COUNT];
    (void)arg;
    edo__heap *heap = edo__heap_create();
    if (!heap) return;
    for (size_t i = 0; i < COUNT; i++)
        blocks[i] = edo__heap_alloc(heap, SIZE);
    for (size_t i = 0; i < COUNT; i++)
        if (blocks[i]) edo__heap_free(heap, blocks[i]);
    edo__heap_close(heap);
}

test(without_memory)
{
    uint64_t failures = with_each_allocation_failing(allocate_and_free, NULL);
    assert_int_equal(failures, 1 + 2); // the heap, and two slabs
}

/* ---- all at once: owners allocate and leave, other threads free their blocks ----
 */

enum {
    OWNERS = 2,
    FREERS = 2,
    THREADS = OWNERS + FREERS,
    GENERATIONS = 20, // heaps made and left by each owner
    BLOCKS = 400,     // per generation
    MAILBOX = 64,
};

static struct mailbox {
    void *slots[MAILBOX]; // atomic: filled by owners, emptied by freers
    unsigned owners_left; // atomic
} mailbox;

static void check_and_free(edo__heap *mine, void *block)
{
    uint64_t *words = block;
    if (words[0] != (uintptr_t)block) abort(); // written by the owner before it was handed over
    edo__heap_free(mine, block);
}

/* Puts the block into a mailbox slot for a freeing thread, and frees the block that was in the
 * slot. */
static void hand_over(edo__heap *mine, void *block, test_random *random)
{
    void **slot = &mailbox.slots[test_random_below(random, MAILBOX)];
    void *before = __atomic_exchange_n(slot, block, __ATOMIC_ACQ_REL);
    if (before) check_and_free(mine, before);
}

static void own(test_random *random)
{
    for (unsigned generation = 0; generation < GENERATIONS; generation++) {
        edo__heap *heap = edo__heap_create();
        if (!heap) abort();
        for (unsigned i = 0; i < BLOCKS; i++) {
            size_t size = sizeof(uint64_t) + test_random_below(random, SIZE);
            uint64_t *block = edo__heap_alloc(heap, size);
            if (!block) abort();
            block[0] = (uintptr_t)block;
            hand_over(heap, block, random);
        }
        edo__heap_close(heap);
    }
    __atomic_sub_fetch(&mailbox.owners_left, 1, __ATOMIC_RELEASE);
}

static void empty_mailbox(void)
{
    for (unsigned i = 0; i < MAILBOX; i++) {
        void *block = __atomic_exchange_n(&mailbox.slots[i], NULL, __ATOMIC_ACQ_REL);
        if (block) check_and_free(NULL, block);
    }
}

static void own_or_free(unsigned index, void *arg)
{
    (void)arg;
    if (index < OWNERS) {
        test_random random = test_random_make(index);
        own(&random);
    } else {
        while (__atomic_load_n(&mailbox.owners_left, __ATOMIC_ACQUIRE))
            empty_mailbox();
    }
}

heap_test(many_threads)
{
    mailbox.owners_left = OWNERS;
    run_threads(THREADS, own_or_free, NULL);
    empty_mailbox();
    assert_int_equal(test_allocator_live_count(), 0);
}
