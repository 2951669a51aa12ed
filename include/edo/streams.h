/* Streams without a descriptor: in memory, and around other streams.
 *
 * Each call makes an edo_io, which has all operations of edo/io.h. The rules for claims,
 * cancellation and ends are those of streams with a descriptor. If the call gets other streams, the
 * new stream owns them, and closes them when it is closed. On failure the caller still owns them,
 * and nothing has changed.
 *
 *     rc = edo_duplex(4096, &self->client, &self->server);       // in place of a connection
 *     rc = edo_io_limit(self->body, length, 0, &self->body);     // reads at most `length` bytes
 *
 * An operation on a side that a stream lacks answers -EBADF.
 *
 * Returns, for all calls: 0; -ENOMEM; -EINVAL for NULL. Thread: any.
 */
#pragma once

#include <stdio.h>

#include <edo/bytes.h>
#include <edo/io.h>

EDO_BEGIN_DECLS

/* ---- in memory ---- */

/* Makes the two ends of a connection: bytes written to one end are read at the other end. Each
 * direction holds at most `capacity` bytes; a writer waits for room, a reader for bytes. After a
 * writer has shut down or closed its end, the reader gets the remaining bytes, then 0. After a
 * reader has closed its end, writes answer -EPIPE.
 * Returns: also -EINVAL for a capacity of 0. */
EDO_API EDO_MUST_USE int edo_duplex(size_t capacity, edo_io **ret_end, edo_io **ret_other);

/* Makes one direction of a connection, as edo_duplex() makes two. */
EDO_API EDO_MUST_USE int edo_simplex(size_t capacity, edo_io **ret_reader, edo_io **ret_writer);

/* Makes a stream like /dev/null: reads answer 0, writes accept and discard all bytes. */
EDO_API EDO_MUST_USE int edo_io_null(edo_io **ret_io);

/* Makes a stream whose input repeats the same bytes without end. The call empties *bytes.
 * Returns: also -EINVAL for an empty slice. */
EDO_API EDO_MUST_USE int edo_io_repeat(edo_bytes *bytes, edo_io **ret_io);

/* Makes a stream whose input is these bytes, followed by the end. The call empties *bytes. */
EDO_API EDO_MUST_USE int edo_io_from_bytes(edo_bytes *bytes, edo_io **ret_io);

/* ---- around other streams ---- */

/* Makes a stream that reads the first stream to its end, and then the second stream. Writes go to
 * the second stream. */
EDO_API EDO_MUST_USE int edo_io_chain(edo_io *first, edo_io *second, edo_io **ret_io);

/* Limits the number of bytes that are read, and the number of bytes that are written. UINT64_MAX:
 * no limit. At the limit, a read answers 0, and a write answers -EFBIG. */
EDO_API EDO_MUST_USE int edo_io_limit(edo_io *io, uint64_t reads, uint64_t writes, edo_io **ret_io);

/* Makes a stream that reads from `io`, and writes the bytes to `copy` before a read returns them.
 * If a write to `copy` fails, the read answers the error of that write. The bytes are kept, and the
 * next read tries to write them again. Writes to the new stream go to `io` alone. */
EDO_API EDO_MUST_USE int edo_io_tee(edo_io *io, edo_io *copy, edo_io **ret_io);

/* Calls `inspect` with the bytes of each transfer, in order, before the operation answers. The call
 * is made by the reading or writing task. `inspect` must be brief, and must not use the stream. */
typedef void edo_inspect_fn(void *context, bool written, const void *data, size_t size);
EDO_API EDO_MUST_USE int edo_io_inspect(edo_io *io, edo_inspect_fn *inspect, void *context,
                                        edo_io **ret_io);

/* A rate. A zeroed struct means no limit. */
typedef struct edo_rate {
    uint64_t bytes; // bytes per second
    uint64_t burst; // greatest number of bytes at once after a pause, up to 1 GiB; 0: `bytes` / 10
} edo_rate;

/* Limits the rates of reads and of writes, by the runtime's clock. The limit does not apply to
 * bytes that edo_finish() drops.
 * Returns: also -EINVAL for a burst that is too large. */
EDO_API EDO_MUST_USE int edo_io_rate(edo_io *io, edo_rate reads, edo_rate writes, edo_io **ret_io);

/* ---- for synchronous code ---- */

/* Opens a FILE on a stream, for libraries that use stdio. Calls on the FILE block the thread as
 * edo_wait() does, so they must be made on plain threads: those of edo_blocking(), and those of the
 * program. Inside an async function such a call aborts. A fiber must not use a FILE, because a FILE
 * belongs to a thread during a call, and a fiber may continue on another thread. fclose() writes
 * buffered bytes and closes the stream. Errors of the stream are in errno. A FILE has only one
 * buffer. To use both directions, split the stream and open two FILEs.
 * mode: "r" or "w", perhaps with further letters of fopen(3), except '+'.
 * Returns: also -EINVAL for a bad mode. */
EDO_API EDO_MUST_USE int edo_io_fopen(edo_io *io, const char *mode, FILE **ret_file);

/* ---- halves ---- */

/* Splits a stream into a half that reads and a half that writes. Different tasks may close the
 * halves, at different times. The close of the writing half shuts down the write side, as
 * edo_shutdown_write() does. The stream closes when both halves are closed. */
EDO_API EDO_MUST_USE int edo_io_split(edo_io *io, edo_io **ret_reader, edo_io **ret_writer);

/* Restores the stream from its two halves, which must not be used afterwards.
 * Returns: 0; -EINVAL for halves of different streams; -EBUSY with an operation in flight. On
 * failure nothing has changed. */
EDO_API EDO_MUST_USE int edo_io_unsplit(edo_io *reader, edo_io *writer, edo_io **ret_io);

/* Joins two streams into one, which reads from the first stream and writes to the second.
 * edo_shutdown_write() applies to the second stream. */
EDO_API EDO_MUST_USE int edo_io_join(edo_io *reader, edo_io *writer, edo_io **ret_io);

EDO_END_DECLS
