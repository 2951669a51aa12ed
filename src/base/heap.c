#include "base/heap.h"

#include <string.h>

#include "base/atomic.h"
#include "base/base.h"

typedef struct block {
    struct block *next; // next free block; valid while this block is free
} block;

typedef struct slab {
    edo__node link; // link in heap->classes, while the slab has a free block
    edo__node all;  // link in heap->slabs
    edo__heap *heap;
    block *free;
    uint32_t used, fresh, capacity; // in blocks; blocks with index >= fresh were never used
    uint32_t size_class;
    bool listed;
} slab;

enum { SLAB_HEADER = (sizeof(slab) + EDO__HEAP_GRAIN - 1) / EDO__HEAP_GRAIN * EDO__HEAP_GRAIN };

struct edo__heap {
    edo__node classes[EDO__HEAP_CLASSES]; // slabs with a free block, by size class
    edo__node slabs;                      // all slabs, including full slabs
    edo_atomic(block *) remote;  // stack of blocks freed by other threads; CLOSED after the close
    edo_atomic(int64_t) orphans; // number of blocks in use after the close; see edo__heap_close
};

static block closed_mark;
#define CLOSED (&closed_mark)

/* Not NULL if the program was built with AddressSanitizer, even if the library was built without
 * AddressSanitizer. */
extern void __asan_init(void) __attribute__((weak));

size_t edo__heap_max(void)
{
    return __asan_init ? 0 : EDO__HEAP_MAX;
}

edo__heap *edo__heap_create(void)
{
    edo__heap *heap = edo__alloc_zeroed(sizeof *heap);
    if (!heap) return NULL;
    edo__list_init(&heap->slabs);
    for (size_t i = 0; i < EDO__HEAP_CLASSES; i++)
        edo__list_init(&heap->classes[i]);
    return heap;
}

static slab *slab_of(const void *memory)
{
    return (slab *)((uintptr_t)memory & ~(uintptr_t)(EDO__SLAB_ALIGN - 1));
}

static size_t class_of(size_t size)
{
    return (size - 1) / EDO__HEAP_GRAIN;
}

static size_t block_size(size_t size_class)
{
    return (size_class + 1) * EDO__HEAP_GRAIN;
}

static slab *slab_create(edo__heap *heap, size_t size_class)
{
    slab *s = edo__alloc_aligned(EDO__SLAB_SIZE, EDO__SLAB_ALIGN);
    if (!s) return NULL;
    memset(s, 0, sizeof *s);
    s->heap = heap;
    s->size_class = (uint32_t)size_class;
    s->capacity = (uint32_t)((EDO__SLAB_SIZE - SLAB_HEADER) / block_size(size_class));
    s->listed = true;
    edo__list_push(&heap->classes[size_class], &s->link);
    edo__list_push(&heap->slabs, &s->all);
    return s;
}

static void *slab_take(slab *s)
{
    s->used++;
    block *b = s->free;
    if (b)
        s->free = b->next;
    else
        b = (block *)(void *)((char *)s + SLAB_HEADER + s->fresh++ * block_size(s->size_class));
    if (s->used == s->capacity) {
        edo__list_remove(&s->link);
        s->listed = false;
    }
    return b;
}

static void slab_destroy(slab *s)
{
    if (s->listed) edo__list_remove(&s->link);
    edo__list_remove(&s->all);
    edo__free_aligned(s, EDO__SLAB_SIZE, EDO__SLAB_ALIGN);
}

static void slab_put(slab *s, block *b)
{
    edo__node *siblings = &s->heap->classes[s->size_class];
    b->next = s->free;
    s->free = b;
    s->used--;
    if (!s->listed) {
        s->listed = true;
        edo__list_push(siblings, &s->link);
    }
    if (s->used == 0 && siblings->next != siblings->prev)
        slab_destroy(s); // the size class has another slab with a free block
}

/* Takes back the blocks that other threads have freed. with: the new head of the `remote` stack.
 * The swap acquires. So all uses of a block by the thread that freed the block precede the next use
 * of the block. Partner: the release in free_remote. */
static void drain_remote(edo__heap *heap, block *with)
{
    block *b = edo_swap_acquire(&heap->remote, with);
    while (b) {
        edo_plain_read(&b->next);
        block *next = b->next;
        slab_put(slab_of(b), b);
        b = next;
    }
}

void *edo__heap_alloc(edo__heap *heap, size_t size)
{
    size_t size_class = class_of(size);
    edo__node *list = &heap->classes[size_class];
    if (edo__unlikely(edo__list_is_empty(list)) && edo_load_relaxed(&heap->remote))
        drain_remote(heap, NULL);
    slab *s = edo__list_is_empty(list) ? slab_create(heap, size_class)
                                       : edo__container(list->next, slab, link);
    if (!s) return NULL;
    return slab_take(s);
}

static void destroy(edo__heap *heap)
{
    while (!edo__list_is_empty(&heap->slabs))
        slab_destroy(edo__container(heap->slabs.next, slab, all));
    edo__free(heap, sizeof *heap);
}

/* Frees a block of a closed heap. The slabs have no owner any more, so the block is not put back
 * into its slab. Only `orphans` is lowered. The free that lowers `orphans` to 0 releases all memory
 * at once (see edo__heap_close). */
static void free_orphan(edo__heap *heap)
{
    if (edo_sub_acq_rel(&heap->orphans, 1) == 1) destroy(heap);
}

/* Frees a block of a heap that this thread does not own. The compare-and-swap releases. So all uses
 * of the block by this thread precede the next use of the block. Partner: the acquire in
 * drain_remote. */
static void free_remote(edo__heap *heap, block *b)
{
    block *head = edo_load_relaxed(&heap->remote);
    do {
        if (head == CLOSED) {
            free_orphan(heap);
            return;
        }
        edo_plain_write(&b->next);
        b->next = head;
    } while (!edo_cas_release(&heap->remote, &head, b));
}

void edo__heap_free(edo__heap *mine, void *memory)
{
    slab *s = slab_of(memory);
    if (s->heap == mine)
        slab_put(s, memory);
    else
        free_remote(s->heap, memory);
}

/* Counts the blocks in use. The heap keeps no running total, because only edo__heap_close() needs
 * the number. Thread: the owner. */
static int64_t count_used(const edo__heap *heap)
{
    int64_t used = 0;
    for (const edo__node *at = heap->slabs.next; at != &heap->slabs; at = at->next)
        used += edo__container(at, const slab, all)->used;
    return used;
}

/* `orphans` begins at 0. This function adds the number of blocks in use. Each free that finds
 * CLOSED subtracts 1, perhaps before this function has added. The step that brings `orphans` to 0
 * releases all memory. This step is a free or the addition here. */
void edo__heap_close(edo__heap *heap)
{
    drain_remote(heap, CLOSED);
    int64_t alive = count_used(heap);
    if (edo_add_acq_rel(&heap->orphans, alive) + alive == 0) destroy(heap);
}
