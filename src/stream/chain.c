/* Sequences of slices that are read as one slice. */
#include "stream/block.h"

#include <edo/buffered.h>

#include "stream/inner.h"

enum { FIRST_CAPACITY = 8 }; // slices

static size_t bytes_for(size_t capacity)
{
    return capacity * (sizeof(edo_slice) + sizeof(edo__block *));
}

/* Makes room for a slice. Moves the slices to the front of their memory, or to new memory of twice
 * the size. */
static int make_room(edo_chain *chain)
{
    uint32_t count = chain->end - chain->first, capacity = chain->capacity;
    if (count > capacity / 2 || capacity == 0) capacity = capacity ? 2 * capacity : FIRST_CAPACITY;
    if (capacity < chain->capacity) return -ENOMEM;
    edo_slice *slices = capacity == chain->capacity ? chain->slices
                                                    : edo__alloc(bytes_for(capacity));
    if (!slices) return -ENOMEM;
    edo__block **blocks = (edo__block **)(void *)(slices + capacity);
    if (count) {
        memmove(slices, chain->slices + chain->first, count * sizeof *slices);
        memmove(blocks, chain->blocks + chain->first, count * sizeof(edo__block *));
    }
    if (slices != chain->slices) edo__free(chain->slices, bytes_for(chain->capacity));
    chain->slices = slices;
    chain->blocks = blocks;
    chain->first = 0;
    chain->end = count;
    chain->capacity = capacity;
    return 0;
}

int edo_chain_append(edo_chain *chain, edo_bytes *bytes)
{
    if (bytes->size == 0) {
        edo_bytes_deinit(bytes);
        return 0;
    }
    if (bytes->size > SIZE_MAX - chain->size) return -EINVAL;
    int rc = chain->end == chain->capacity ? make_room(chain) : 0;
    if (rc < 0) return rc;
    chain->slices[chain->end] = (edo_slice){ (void *)(uintptr_t)bytes->data, bytes->size };
    chain->blocks[chain->end++] = bytes->block;
    chain->size += bytes->size;
    *bytes = (edo_bytes){ NULL, 0, NULL };
    return 0;
}

int edo_chain_advance(edo_chain *chain, size_t size)
{
    if (size > chain->size) return -EINVAL;
    chain->size -= size;
    while (size) {
        edo_slice *slice = &chain->slices[chain->first];
        if (size < slice->size) {
            slice->data = (char *)slice->data + size;
            slice->size -= size;
            break;
        }
        size -= slice->size;
        edo__block_drop(chain->blocks[chain->first++]);
    }
    return 0;
}

int edo_chain_take(edo_chain *chain, void *memory, size_t size)
{
    size_t done = 0;
    if (size > chain->size) return -EDO_EOF;
    for (uint32_t i = chain->first; done < size; i++) {
        size_t rest = size - done, part = chain->slices[i].size;
        if (part > rest) part = rest;
        memcpy((char *)memory + done, chain->slices[i].data, part);
        done += part;
    }
    return edo_chain_advance(chain, size);
}

void edo_chain_deinit(edo_chain *chain)
{
    if (!chain) return;
    int rc = edo_chain_advance(chain, chain->size);
    (void)rc; // cannot fail: the chain has that many bytes
    edo__free(chain->slices, bytes_for(chain->capacity));
    *chain = (edo_chain){ .slices = NULL };
}

/* ---- writing ---- */

enum { MOST_SLICES = 1024 }; // slices per call

static edo_op begin_write(edo_io *io, edo_chain *chain)
{
    uint32_t count = chain->end - chain->first;
    if (count > MOST_SLICES) count = MOST_SLICES;
    return edo_writev(io, chain->slices + chain->first, (int)count);
}

/* Writes the chain by one inner write after the other. An inner write may end inside a slice. So
 * the bytes that it has written are removed from the chain before the next inner write. */
static edo_poll chain_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_chain *chain = op->data;
    int64_t n = 0;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!edo__user_enters(&chain->user, op)) return edo__op_finish(op, cx, -EBUSY);
    while (chain->size) {
        if (!edo__inner_is_set(&chain->inner)) chain->inner = begin_write(op->object, chain);
        if (edo__inner_poll(&chain->inner, cx, &n) == EDO_PENDING) return EDO_PENDING;
        if (n < 0) break;
        op->progress += (uint64_t)n;
        n = edo_chain_advance(chain, (size_t)n);
        if (!edo__has_budget(cx)) return EDO_PENDING;
    }
    return edo__user_ends(&chain->user, op, cx, n < 0 ? n : (int64_t)op->progress);
}

edo_op edo_write_chain(edo_io *io, edo_chain *chain)
{
    static const edo_future_ops ops = { .name = "edo_write_chain", .poll = chain_poll };
    edo__check_memory("edo_write_chain", chain, "chain");
    return io && chain ? edo__op(&ops, io, chain, 0, 0) : edo__op_refuse(-EINVAL);
}
