/* Streams that are no descriptors: in memory, and around other streams.
 *
 * Each call makes an edo_io, on which all operations of edo/io.h work: claims, cancellation and ends
 * are as for descriptors. A stream that is handed to a call belongs to the new stream from then on,
 * and ends with it. On failure it is still the caller's, and nothing has changed.
 *
 *     rc = edo_duplex(4096, &self->client, &self->server);       // in place of a connection
 *     rc = edo_io_limit(self->body, length, 0, &self->body);     // reads at most length bytes
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

/* A stream like /dev/null: reads are at the end at once, writes accept all bytes. */
EDO_API EDO_MUST_USE int edo_io_null(edo_io **ret_io);

/* A stream whose input repeats the same bytes for ever. The bytes are moved out of *bytes. Returns:
 * also -EINVAL for no bytes. */
EDO_API EDO_MUST_USE int edo_io_repeat(edo_bytes *bytes, edo_io **ret_io);

/* A stream whose input is the bytes, then the end. The bytes are moved out of *bytes. */
EDO_API EDO_MUST_USE int edo_io_from_bytes(edo_bytes *bytes, edo_io **ret_io);

/* ---- around others ---- */

/* Reads the first stream to its end, then the second. Writes go to the second. */
EDO_API EDO_MUST_USE int edo_io_chain(edo_io *first, edo_io *second, edo_io **ret_io);

/* Limits the bytes read and the bytes written; UINT64_MAX: no limit. At its limit the input ends,
 * and writes answer -EFBIG. */
EDO_API EDO_MUST_USE int edo_io_limit(edo_io *io, uint64_t reads, uint64_t writes, edo_io **ret_io);

/* Writes all bytes read from a stream to a copy as well, before the reader gets them. When a write
 * to the copy fails, the read answers that error; the bytes are kept, and the next read tries
 * again. Writes go to the stream alone. */
EDO_API EDO_MUST_USE int edo_io_tee(edo_io *io, edo_io *copy, edo_io **ret_io);

/* Calls inspect with the bytes of each transfer, in their order, before the operation answers. The
 * call is made by the task that reads or writes. It must be brief, and not use the stream. */
typedef void edo_inspect_fn(void *context, bool written, const void *data, size_t size);
EDO_API EDO_MUST_USE int edo_io_inspect(edo_io *io, edo_inspect_fn *inspect, void *context,
                                        edo_io **ret_io);

/* ---- halves ---- */

/* Splits a stream into a half that reads and a half that writes. Different tasks may close them, at
 * different times. The end of the writer shuts down the write side, as edo_shutdown_write(). The
 * stream closes with the second half. */
EDO_API EDO_MUST_USE int edo_io_split(edo_io *io, edo_io **ret_reader, edo_io **ret_writer);

/* Joins two halves into one stream again; the halves no longer exist then.
 * Returns: 0; -EINVAL for halves of different streams, -EBUSY with an operation in flight, and then
 * nothing has changed. */
EDO_API EDO_MUST_USE int edo_io_unsplit(edo_io *reader, edo_io *writer, edo_io **ret_io);

/* Joins two streams into one, which reads from the first and writes to the second. A shutdown of
 * its write side shuts down that of the second. */
EDO_API EDO_MUST_USE int edo_io_join(edo_io *reader, edo_io *writer, edo_io **ret_io);

EDO_END_DECLS
