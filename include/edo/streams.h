/* Streams that are no descriptors: in memory, and around other streams.
 *
 * Each call makes an edo_io, on which all operations of edo/io.h work: claims, cancellation and ends
 * are as for descriptors. Streams that are handed to a call belong to the new one from then on, and
 * end with it. On failure they are still the caller's, and nothing has changed.
 *
 *     rc = edo_duplex(4096, &self->client, &self->server);       // in place of a connection
 *     rc = edo_io_limit(self->body, length, 0, &self->body);     // reads as far as a length
 *
 * A side that a stream does not have answers -EBADF.
 *
 * All of them return 0; -ENOMEM; -EINVAL for NULL. Thread: any.
 */
#pragma once

#include <edo/bytes.h>
#include <edo/io.h>

EDO_BEGIN_DECLS

/* ---- in memory ---- */

/* Two ends of a connection: bytes written to one are read at the other. Each direction holds as many
 * bytes as the capacity; a writer waits for room, a reader for bytes. Once a writer has shut down or
 * closed its end, the reader reads what is left, and then 0. Once a reader has closed its end,
 * writes answer -EPIPE.
 * Returns: also -EINVAL for a capacity of 0. */
EDO_API EDO_MUST_USE int edo_duplex(size_t capacity, edo_io **ret_end, edo_io **ret_other);

/* The same in one direction. */
EDO_API EDO_MUST_USE int edo_simplex(size_t capacity, edo_io **ret_reader, edo_io **ret_writer);

/* Ends at once for a reader, and takes all from a writer: both /dev/null and its like. */
EDO_API EDO_MUST_USE int edo_io_null(edo_io **ret_io);

/* Reads the same bytes again and again. They are taken out of *bytes. -EINVAL for none. */
EDO_API EDO_MUST_USE int edo_io_repeat(edo_bytes *bytes, edo_io **ret_io);

/* Reads bytes, and then the end. They are taken out of *bytes. */
EDO_API EDO_MUST_USE int edo_io_from_bytes(edo_bytes *bytes, edo_io **ret_io);

/* ---- around others ---- */

/* Reads the first stream to its end, then the second. Writes go to the second. */
EDO_API EDO_MUST_USE int edo_io_chain(edo_io *first, edo_io *second, edo_io **ret_io);

/* Reads and writes so many bytes at most; UINT64_MAX: no limit. Then the input ends, and writes
 * answer -EFBIG. */
EDO_API EDO_MUST_USE int edo_io_limit(edo_io *io, uint64_t reads, uint64_t writes, edo_io **ret_io);

/* Writes what is read from a stream to a copy as well, before it is given out. When the copy fails,
 * the read answers its error; the bytes stay, and a further read tries again. Writes go to the
 * stream alone. */
EDO_API EDO_MUST_USE int edo_io_tee(edo_io *io, edo_io *copy, edo_io **ret_io);

/* Calls inspect with the bytes that were moved, in their order, before the operation that moved them
 * answers. By the task that reads or writes: it must be brief, and not use the stream. */
typedef void edo_inspect_fn(void *context, bool written, const void *data, size_t size);
EDO_API EDO_MUST_USE int edo_io_inspect(edo_io *io, edo_inspect_fn *inspect, void *context,
                                        edo_io **ret_io);

/* ---- halves ---- */

/* A stream as two: one reads, the other writes. They may be closed at different times, by different
 * tasks: the end of the writer shuts down the write side, as edo_shutdown_write(); the stream closes
 * with the second. */
EDO_API EDO_MUST_USE int edo_io_split(edo_io *io, edo_io **ret_reader, edo_io **ret_writer);

/* Makes one stream of two halves again, which are gone then.
 * Returns: 0; -EINVAL for halves of different streams, -EBUSY with an operation in flight, and then
 * nothing has changed. */
EDO_API EDO_MUST_USE int edo_io_unsplit(edo_io *reader, edo_io *writer, edo_io **ret_io);

/* One stream of two: it reads from the first and writes to the second, whose write side it shuts
 * down, too. */
EDO_API EDO_MUST_USE int edo_io_join(edo_io *reader, edo_io *writer, edo_io **ret_io);

EDO_END_DECLS
