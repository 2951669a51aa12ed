/* Transfers that do not wait, on connections in memory. Called outside of tasks. */
#pragma once

#include <edo/streams.h>

/* Whether a stream is an end of a connection in memory. */
bool edo__is_duplex(const edo_io *io);

/* edo__duplex_put() writes to an end as many bytes as there is room for. edo__duplex_take() reads
 * the bytes that are there. Returns: number of bytes moved; -EAGAIN: there is no room, or there are
 * no bytes; edo__duplex_put(): -EPIPE; -EBADF: the end has no output; edo__duplex_take(): 0 at the
 * end of the input. Thread: any. */
int64_t edo__duplex_put(edo_io *io, const void *data, size_t size);
int64_t edo__duplex_take(edo_io *io, void *buffer, size_t size);
