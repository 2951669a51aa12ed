#include "driver/uring/buffers.h"

#include <sys/mman.h>

#include "base/lock.h"
#include "sys/sys.h"

enum { CACHE_LINE = 64 }; // bytes

/* One buffer. A cache has room for only a few lines that have the same place in a page. So the
 * first lines of the buffers must have different places in their pages. For this reason the size is
 * not a multiple of the page size. */
typedef union place {
    edo__lent_block block;
    _Alignas(CACHE_LINE) char memory[offsetof(edo__lent_block, bytes) + EDO__URING_BUFFER_SIZE];
} place;

/* Thread: any. Constant after the opening, except `refs`, and `end`, which is guarded by `lock`. */
struct edo__uring_buffers {
    struct edo__ring_buffer *queue; // shared with the kernel, which only reads it
    edo__lock lock;
    uint16_t end;              // number of buffers put back so far; copy of the queue's tail
    edo_atomic(uint32_t) refs; // of the driver, and of each LENT buffer
    uint32_t fork_generation;  // of the process that has the queue
    place places[EDO__URING_BUFFER_COUNT];
};

/* For AddressSanitizer, a FREE buffer is not accessible. */
#if EDO__ASAN
void __asan_poison_memory_region(const volatile void *address, size_t size);
void __asan_unpoison_memory_region(const volatile void *address, size_t size);
#define POISON(address, size)   __asan_poison_memory_region((address), (size))
#define UNPOISON(address, size) __asan_unpoison_memory_region((address), (size))
#else
#define POISON(address, size)   ((void)0)
#define UNPOISON(address, size) ((void)0)
#endif

enum { QUEUE_SIZE = EDO__URING_BUFFER_COUNT * sizeof(struct edo__ring_buffer) };

static void *map(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

/* ---- the queue ---- */

/* Puts a buffer at the end of the queue. The store of the tail releases. So the accesses of the
 * last holder to the buffer precede the next use of the buffer. Partners: the kernel's acquire of
 * the tail, and the acquire in edo__uring_buffers_pass(). Called under the lock, or before the
 * buffers are shared. */
static void put(edo__uring_buffers *buffers, unsigned number)
{
    struct edo__ring_buffer *entry = &buffers->queue[buffers->end % EDO__URING_BUFFER_COUNT];
    entry->addr = edo__sqe_ptr(buffers->places[number].block.bytes);
    entry->len = EDO__URING_BUFFER_SIZE;
    entry->number = (uint16_t)number;
    POISON(buffers->places[number].block.bytes, EDO__URING_BUFFER_SIZE);
    edo_store_release(&buffers->queue->tail, ++buffers->end);
}

static void drop(edo__uring_buffers *buffers)
{
    if (edo_sub_acq_rel(&buffers->refs, 1) > 1) return; // partner: the same call of other holders
    munmap(buffers->queue, QUEUE_SIZE);
    UNPOISON(buffers, sizeof *buffers);
    munmap(buffers, sizeof *buffers);
}

/* Puts a lent buffer back. While a buffer is FREE, its `home` is NULL, so a second return is found.
 * In the child of a fork, the queue is not mapped. There a return does nothing, and the memory
 * remains until the child ends. */
static void give_back(edo__lent_block *block)
{
    edo__uring_buffers *buffers = block->home;
    if (edo__unlikely(!buffers)) edo__misuse("edo_lent_return", "the memory was returned before");
    if (buffers->fork_generation != edo__sys_fork_generation()) return;
    place *from = edo__container(block, place, block);
    block->home = NULL;
    edo__lock_take(&buffers->lock);
    put(buffers, (unsigned)(from - buffers->places));
    edo__lock_give(&buffers->lock);
    drop(buffers);
}

/* ---- completions ---- */

/* Some kernels also name a buffer when nothing was read. */
void edo__uring_buffers_pass(edo__uring_buffers *buffers, uint32_t flags, int result,
                             edo_lent *ret_lent)
{
    edo__lent_block *block = &buffers->places[flags >> IORING_CQE_BUFFER_SHIFT].block;
    (void)edo_load_acquire(&buffers->queue->tail); // partner: put
    edo_add_relaxed(&buffers->refs, 1);            // the driver's reference keeps the buffers alive
    block->give_back = give_back;
    block->home = buffers;
    UNPOISON(block->bytes, EDO__URING_BUFFER_SIZE);
    edo__lent_pass(block, result, ret_lent);
}

/* ---- life ---- */

/* Maps the queue. The kernel reads these pages until the ring ends. If the child of a fork
 * inherited the pages, a later write of the parent could go to a copy, which the kernel does not
 * read. So the child does not inherit the queue. */
static struct edo__ring_buffer *open_queue(const struct edo__ring *ring)
{
    struct edo__ring_buffer *queue = map(QUEUE_SIZE);
    if (!queue) return NULL;
    int rc = madvise(queue, QUEUE_SIZE, MADV_DONTFORK);
    if (rc == 0)
        rc = edo__ring_provide(ring, queue, EDO__URING_BUFFER_COUNT, EDO__URING_BUFFER_GROUP);
    if (rc == 0) return queue;
    munmap(queue, QUEUE_SIZE);
    return NULL;
}

edo__uring_buffers *edo__uring_buffers_open(const struct edo__ring *ring)
{
    edo__uring_buffers *made = map(sizeof *made);
    if (!made) return NULL;
    made->queue = open_queue(ring);
    made->refs = 1;
    made->fork_generation = edo__sys_fork_generation();
    for (unsigned i = 0; made->queue && i < EDO__URING_BUFFER_COUNT; i++)
        put(made, i);
    if (made->queue) return made;
    munmap(made, sizeof *made);
    return NULL;
}

void edo__uring_buffers_close(edo__uring_buffers *buffers)
{
    if (buffers) drop(buffers);
}
