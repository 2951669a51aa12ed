/* A pipe in memory, a kind of stream without a descriptor: bytes written to one end are read at the
 * other, in both directions. A direction holds `capacity` bytes; a writer waits for room, a reader
 * for bytes. A shutdown or close of one end wakes the other end. The other end then reads the
 * remaining bytes, and after these 0. Writes answer -EPIPE once the reader has closed. */
#pragma once

#include "support/support.h"

#include <edo/io.h>

/* Returns: 0; -ENOMEM. */
int memory_pipe_open(size_t capacity, edo_io *ret_ends[2]);

/* Moves bytes without waiting, for tests that play the peer. Returns: bytes moved, perhaps 0. */
size_t memory_put(const edo_io *end, const void *data, size_t size);
size_t memory_take(const edo_io *end, void *buffer, size_t size);

bool is_memory(const edo_io *io);
