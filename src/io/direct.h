/* Transfers by the system between the descriptor of a stream and another descriptor. Inside a
 * poll. */
#pragma once

#include "io/io.h"

/* Waits until a write to a stream with a descriptor may succeed, as an operation on its write side. Its
 * result: > 0, or a negative errno; -ENOTSUP without a descriptor. Cancel: waits. */
edo_op edo__io_writable(edo_io *io);

/* The same until the peer of a descriptor has hung up, or there is an error of the connection. */
edo_op edo__io_hung_up(edo_io *io);

/* Moves bytes from the stream into a pipe, or from a pipe to the stream, once, without waiting. The
 * side of the stream is claimed meanwhile, so the descriptor stays open. Uses budget for the bytes.
 * Returns: bytes; 0 at the end; -EAGAIN; -EBUSY; -ECANCELED for a closed stream; as
 * edo__sys_splice(). */
int64_t edo__io_splice_in(edo_io *io, edo_fd pipe, size_t size, edo_cx *cx);
int64_t edo__io_splice_out(edo_io *io, edo_fd pipe, size_t size, edo_cx *cx);

/* The same from a file, as edo__sys_send_file(); advances *offset. */
int64_t edo__io_send_file(edo_io *io, edo_fd file, uint64_t *offset, size_t size, edo_cx *cx);

/* Whether bytes can be spliced from or to a stream. */
bool edo__io_can_splice(const edo_io *io);
