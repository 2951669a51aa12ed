/* Connections in memory from the inside: moves without waiting, for those that are no tasks. */
#pragma once

#include <edo/streams.h>

/* Whether a stream is an end of one. */
bool edo__is_duplex(const edo_io *io);

/* Returns: bytes moved; 0 at the end; -EAGAIN; -EPIPE. Any thread. */
int64_t edo__duplex_put(edo_io *io, const void *data, size_t size);
int64_t edo__duplex_take(edo_io *io, void *buffer, size_t size);
