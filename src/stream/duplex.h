/* Connections in memory: transfers without waiting, from outside of tasks. */
#pragma once

#include <edo/streams.h>

/* Whether a stream is an end of such a connection. */
bool edo__is_duplex(const edo_io *io);

/* Writes bytes to an end, as far as there is room. Returns: bytes moved; 0 at the end; -EAGAIN;
 * -EPIPE. Any thread. */
int64_t edo__duplex_put(edo_io *io, const void *data, size_t size);
int64_t edo__duplex_take(edo_io *io, void *buffer, size_t size);
