/* A pipe in memory, for tests that play its peer. */
#include "support/memory.h"

#include "stream/duplex.h"

int memory_pipe_open(size_t capacity, edo_io *ret_ends[2])
{
    return edo_duplex(capacity, &ret_ends[0], &ret_ends[1]);
}

size_t memory_put(const edo_io *end, const void *data, size_t size)
{
    int64_t n = edo__duplex_put((edo_io *)(uintptr_t)end, data, size);
    return n > 0 ? (size_t)n : 0;
}

size_t memory_take(const edo_io *end, void *buffer, size_t size)
{
    int64_t n = edo__duplex_take((edo_io *)(uintptr_t)end, buffer, size);
    return n > 0 ? (size_t)n : 0;
}

bool is_memory(const edo_io *io)
{
    return edo__is_duplex(io);
}
