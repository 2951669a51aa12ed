/* Connections that a driver accepted before anybody asked for them; see edo__accepted. */
#include "base/base.h"
#include "sys/driver.h"

enum { FIRST_CAPACITY = 64 };

static size_t size_of(uint32_t capacity)
{
    return capacity * sizeof(int);
}

static bool is_full(edo__source *listener)
{
    edo__accepted *queue = edo__accepted_of(listener);
    edo__lock_take(&listener->lock);
    bool full = queue->count == queue->capacity;
    edo__lock_give(&listener->lock);
    return full;
}

/* Under the lock. Returns: the old memory. */
static int *move_to(edo__accepted *queue, int *fds, uint32_t capacity)
{
    int *old = queue->fds;
    for (uint32_t i = 0; i < queue->count; i++)
        fds[i] = old[(queue->first + i) % queue->capacity];
    queue->fds = fds;
    queue->first = 0;
    queue->capacity = capacity;
    return old;
}

bool edo__accepted_make_room(edo__source *listener)
{
    if (!is_full(listener)) return true;
    edo__accepted *queue = edo__accepted_of(listener);
    uint32_t capacity = queue->capacity, doubled = capacity ? 2 * capacity : FIRST_CAPACITY;
    int *fds = edo__alloc(size_of(doubled));
    if (!fds) return false;
    edo__lock_take(&listener->lock);
    int *old = move_to(queue, fds, doubled);
    edo__lock_give(&listener->lock);
    edo__free(old, size_of(capacity));
    return true;
}

void edo__accepted_push(edo__source *listener, int fd)
{
    edo__accepted *queue = edo__accepted_of(listener);
    queue->fds[(queue->first + queue->count) % queue->capacity] = fd;
    edo_store_relaxed(&queue->count, queue->count + 1);
}

int edo__accepted_pop(edo__source *listener)
{
    edo__accepted *queue = edo__accepted_of(listener);
    if (queue->count == 0) return -EAGAIN;
    int fd = queue->fds[queue->first];
    queue->first = (queue->first + 1) % queue->capacity;
    edo_store_relaxed(&queue->count, queue->count - 1);
    return fd;
}

int edo__accepted_take(edo__source *listener)
{
    edo__accepted *queue = edo__accepted_of(listener);
    if (edo__likely(edo_load_relaxed(&queue->count) == 0)) return -EAGAIN;
    edo__lock_take(&listener->lock);
    int fd = edo__accepted_pop(listener);
    edo__lock_give(&listener->lock);
    return fd;
}

void edo__accepted_drop(edo__source *listener, void (*drop)(int fd))
{
    edo__accepted *queue = edo__accepted_of(listener);
    for (int fd = edo__accepted_pop(listener); fd >= 0; fd = edo__accepted_pop(listener))
        drop(fd);
    edo__free(queue->fds, size_of(queue->capacity));
    *queue = (edo__accepted){ 0 };
}
