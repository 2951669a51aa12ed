/* The lock of four bytes, a wait that finds it free, and the heap's frees from other threads. Built
 * with EDO_MODEL_LOCKS: the lock is the real one here.
 *
 * model-sources: base/lock.c base/heap.c task/wait_list.c
 * model-flags: -DEDO_MODEL_LOCKS
 */
#include <string.h>

#include "base/heap.h"
#include "base/lock.h"

#include "model/model.h"
#include "task/task.h"
#include "task/wait_list.h"

/* ---- the lock ---- */

static struct {
    edo__lock lock;
    unsigned count;
} * l;

static void locked_add(void)
{
    edo__lock_take(&l->lock);
    edo_plain_write(&l->count);
    l->count++;
    edo__lock_give(&l->lock);
}

THREAD(add)
{
    locked_add();
}

static void lock_set_up(void)
{
    l = model_alloc_static(sizeof *l);
    l->lock = 0;
    l->count = 0;
}

MODEL(lock_two, "two threads: one at a time, what one did is seen by the next, no sleeper is left")
{
    lock_set_up();
    int other = model_start(add, NULL);
    locked_add();
    locked_add();
    model_join(other);
    model_assert(l->count == 3);
}

THREAD(try_to_add)
{
    if (!edo__lock_try(&l->lock)) return;
    edo_plain_write(&l->count);
    l->count++;
    edo__lock_give(&l->lock);
}

MODEL(lock_tried, "who gets a lock by trying sees what was done under it")
{
    lock_set_up();
    int other = model_start(try_to_add, NULL);
    locked_add();
    model_join(other);
    model_assert(l->count == 1 || l->count == 2);
}

MODEL(lock_three, "three threads: a sleeper is woken although others come first")
{
    lock_set_up();
    int first = model_start(add, NULL), second = model_start(add, NULL);
    locked_add();
    model_join(first);
    model_join(second);
    model_assert(l->count == 3);
}

/* ---- a wait that ends without the lock ---- */

static struct {
    edo__lock lock;
    edo__wait_list list;
    edo_op op;
    unsigned grant;
} * w;

/* The operation has no waker. */
edo_wakeable *edo__wake_prepare(edo_wakeable *waker)
{
    return waker;
}

void edo__task_push_chain(edo_task *chain)
{
    (void)chain;
}

THREAD(grant)
{
    edo__wakes wakes = { NULL, NULL };
    edo__lock_take(&w->lock);
    edo__wait_wake(&w->list, &w->op, &wakes);
    edo_plain_write(&w->grant);
    w->grant = 1;
    edo__lock_give(&w->lock);
}

MODEL(wait_is_over_when_free,
      "an operation that is woken, with the lock free, sees all of its grant")
{
    w = model_alloc_static(sizeof *w);
    memset(w, 0, sizeof *w);
    edo__wait_enqueue(&w->list, &w->op, NULL);
    int other = model_start(grant, NULL);
    if (edo__wait_is_over(&w->lock, &w->op)) {
        edo_plain_read(&w->grant);
        model_assert(w->grant == 1);
    }
    model_join(other);
}

/* ---- the heap ---- */

enum { BLOCK = EDO__HEAP_MAX, BLOCKS = 3 }; // as many as a slab holds

static struct {
    edo__heap *heap;
    void *blocks[BLOCKS];
} * h;

static void heap_set_up(void)
{
    h = model_alloc_static(sizeof *h);
    h->heap = edo__heap_create();
    for (int i = 0; i < BLOCKS; i++)
        h->blocks[i] = edo__heap_alloc(h->heap, BLOCK);
}

static void free_block(int i, edo__heap *mine)
{
    edo_plain_write((char *)h->blocks[i]);
    edo__heap_free(mine, h->blocks[i]);
}

THREAD(free_first)
{
    free_block(0, NULL);
}

THREAD(free_second)
{
    free_block(1, NULL);
}

MODEL(heap_remote_free, "a block that another thread frees is used again, after what that one did")
{
    heap_set_up();
    int other = model_start(free_first, NULL);
    for (int i = 0; i < 2; i++) {
        void *block = edo__heap_alloc(h->heap, BLOCK); // the freed block, or one of a new slab
        edo_plain_write((char *)block);
        edo__heap_free(h->heap, block);
    }
    free_block(1, h->heap);
    free_block(2, h->heap);
    model_join(other);
    edo__heap_close(h->heap);
}

MODEL(heap_reuses, "a full slab takes back what another thread has freed, before a new one is made")
{
    heap_set_up();
    int other = model_start(free_first, NULL);
    model_join(other);
    void *block = edo__heap_alloc(h->heap, BLOCK);
    model_assert(block == h->blocks[0]);
    edo__heap_free(h->heap, block);
    free_block(1, h->heap);
    free_block(2, h->heap);
    edo__heap_close(h->heap);
}

MODEL(heap_close_against_frees, "the last of close and frees gives all memory back, exactly once")
{
    heap_set_up();
    int first = model_start(free_first, NULL), second = model_start(free_second, NULL);
    free_block(2, h->heap);
    edo__heap_close(h->heap);
    model_join(first);
    model_join(second);
}
