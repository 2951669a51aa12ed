/* An edo_io that reads the items of a stream, as bytes.
 *
 *     edo_frames_init(&self->chunks, self->conn, &self->codec.codec);     // chunks of a body
 *     rc = edo_io_from_stream(&self->chunks, &self->body);
 *     ...
 *     edo_await(n, edo_read(self->body, self->buffer, sizeof self->buffer));
 *     edo_close(self->body);
 *     edo_frames_deinit(&self->chunks);
 *
 * An edo_frames with an edo_raw_codec is the reverse: a stream of the bytes that an edo_io reads.
 */
#pragma once

#include <edo/io.h>
#include <edo/sequence.h>

EDO_BEGIN_DECLS

EDO_API EDO_MUST_USE int edo__io_from_stream(edo_stream *in, edo_io **ret_io);

EDO_END_DECLS

/* Makes an edo_io that reads the bytes of a stream of edo_slice, one slice after the other. Empty
 * slices are skipped. If the stream gives an error, one read ends with that error, and the next
 * read pulls the stream again. Writes answer -EBADF.
 *
 * The edo_io borrows the stream. Nobody else may take items from the stream. The stream must exist
 * until the edo_io is closed and its last read has ended. Reads are operations of the task to which
 * the stream belongs.
 * Returns: 0; -ENOMEM; -EINVAL for NULL. Thread: that of the task. */
#define edo_io_from_stream(s, ret_io)                                                              \
    (edo__check_type(s, (edo_slice *)0), edo__io_from_stream(&(s)->stream, (ret_io)))
