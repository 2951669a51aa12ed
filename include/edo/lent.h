/* Reads into lent memory. A waiting read has no buffer.
 *
 *     edo_lent lent;                                        // in the frame
 *     ...
 *     edo_await(n, edo_read_lent(self->conn, &self->lent));
 *     if (n <= 0) break;
 *     ... self->lent.data, self->lent.size ...
 *     edo_lent_return(&self->lent);
 *
 * The library takes memory only when bytes have arrived: from the allocator, or on io_uring from a
 * few buffers of the worker's ring. So ten thousand silent connections have no buffers. The memory
 * belongs to the caller until edo_lent_return(), even if the runtime ends before that call. If
 * bytes usually arrive at once, reading into a buffer of the caller's own is cheaper. */
#pragma once

#include <edo/io.h>

EDO_BEGIN_DECLS

typedef struct edo_lent {
    char *data;
    size_t size; // bytes that were read
} edo_lent;

/* Reads the available bytes, at most 16 KiB. If the stream has no descriptor, the memory is
 * allocated before the read waits.
 * Result: bytes, in *ret_lent; 0 at the end of the input, and then nothing is lent; -ENOMEM.
 * Cancel: waits (for the kernel, not for the peer); no byte is lost. If bytes have come before the
 * cancellation, they are the result, and are lent. Otherwise *ret_lent is unchanged. */
EDO_API EDO_MUST_USE edo_op edo_read_lent(edo_io *io, edo_lent *ret_lent);

/* Returns the memory. An empty edo_lent is ignored.
 * Thread: any, in any runtime or outside of runtimes. */
EDO_API void edo_lent_return(edo_lent *lent);

EDO_END_DECLS
