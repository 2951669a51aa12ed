/* Reading without a buffer of one's own while there is nothing to read.
 *
 *     edo_lent lent;                                        // in the frame
 *     ...
 *     edo_await(n, edo_read_lent(self->conn, &self->lent));
 *     if (n <= 0) break;
 *     ... self->lent.data, self->lent.size ...
 *     edo_lent_return(&self->lent);
 *
 * Memory is taken when bytes have come, and belongs to the caller until it is given back. So ten
 * thousand silent connections have no buffers. A read that does not wait for long is cheaper with a
 * buffer of one's own.
 */
#pragma once

#include <edo/io.h>

EDO_BEGIN_DECLS

typedef struct edo_lent {
    char *data;
    size_t size; // bytes that were read
} edo_lent;

/* Reads what there is, at most 16 KiB.
 * Result: bytes, in *ret_lent; 0 at the end of the input, and then nothing is lent; -ENOMEM. A stream
 * without a descriptor has its memory also while it waits.
 * Cancel: waits; no byte is lost, and nothing is lent. */
EDO_API EDO_MUST_USE edo_op edo_read_lent(edo_io *io, edo_lent *ret_lent);

/* Gives the memory back; an empty one is ignored. Thread: any. */
EDO_API void edo_lent_return(edo_lent *lent);

EDO_END_DECLS
