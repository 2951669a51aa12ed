/* Reads into lent memory. No buffer is allocated until bytes can be read.
 *
 *     edo_lent lent;                                        // in the frame
 *     ...
 *     edo_await(n, edo_read_lent(self->conn, &self->lent));
 *     if (n <= 0) break;
 *     ... self->lent.data, self->lent.size ...
 *     edo_lent_return(&self->lent);
 *
 * Ten thousand silent connections thus have no buffers. If a read does not wait for long, the
 * caller's own buffer is cheaper. The lent memory belongs to the caller until edo_lent_return().
 */
#pragma once

#include <edo/io.h>

EDO_BEGIN_DECLS

typedef struct edo_lent {
    char *data;
    size_t size; // bytes that were read
} edo_lent;

/* Reads the available bytes, at most 16 KiB. For a stream without a descriptor the memory is
 * allocated even during the wait.
 * Result: bytes, in *ret_lent; 0 at the end of the input, and then nothing is lent; -ENOMEM.
 * Cancel: waits; no byte is lost, and nothing is lent. */
EDO_API EDO_MUST_USE edo_op edo_read_lent(edo_io *io, edo_lent *ret_lent);

/* Returns the memory; an empty edo_lent is ignored. Thread: any. */
EDO_API void edo_lent_return(edo_lent *lent);

EDO_END_DECLS
