/* Transfers that the kernel makes between the descriptor of a stream and another descriptor. All
 * functions are called inside a poll. */
#pragma once

#include "io/io.h"

/* Waits until a write to a stream with a descriptor may succeed. The wait is an operation on the
 * stream's write side. Result: > 0, or a negative errno; -ENOTSUP for a stream without a
 * descriptor. Cancel: waits for the kernel. */
edo_op edo__io_writable(edo_io *io);

/* Waits until the peer has hung up or the connection has an error. Side, result and Cancel: as
 * edo__io_writable(). */
edo_op edo__io_hung_up(edo_io *io);

/* Moves bytes from the stream into a pipe, or from a pipe into the stream, by one call that does
 * not wait. The side of the stream is claimed during the call, so that the descriptor remains open.
 * Uses budget for the bytes. Returns: the number of bytes; 0 at the end of the input; -EBUSY;
 * -ECANCELED for a closed stream; -EAGAIN or another error of edo__sys_splice(). */
int64_t edo__io_splice_in(edo_io *io, edo_fd pipe, size_t size, edo_cx *cx);
int64_t edo__io_splice_out(edo_io *io, edo_fd pipe, size_t size, edo_cx *cx);

/* Moves bytes from a file into the stream, by edo__sys_send_file(). Advances *offset. Claim, budget
 * and Returns: as edo__io_splice_out(). */
int64_t edo__io_send_file(edo_io *io, edo_fd file, uint64_t *offset, size_t size, edo_cx *cx);

/* Whether bytes can be spliced from or to a stream. */
bool edo__io_can_splice(const edo_io *io);
