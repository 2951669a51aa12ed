/* Transfers that do not wait, on connections in memory. Called outside of tasks. */
#pragma once

#include <edo/streams.h>

/* Whether a stream is an end of a connection in memory. */
bool edo__is_duplex(const edo_io *io);

/* edo__duplex_put() writes to an end as many bytes as there is room for. edo__duplex_take() reads
 * as many bytes as there are. Returns:
 * - the number of bytes moved; edo__duplex_take() returns 0 at the end of the input
 * - -EAGAIN: there is no room, or there are no bytes
 * - -EPIPE, only of edo__duplex_put()
 * - -EBADF: the end has no output, or no input
 * Thread: any. */
int64_t edo__duplex_put(edo_io *io, const void *data, size_t size);
int64_t edo__duplex_take(edo_io *io, void *buffer, size_t size);
