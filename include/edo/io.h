/* Byte streams.
 *
 * An edo_io is a stream of bytes, whatever is behind it: TCP, a pipe, a terminal, any descriptor
 * that can be polled. It has a read side and a write side; each has at most one operation in flight
 * (-EBUSY for a second one), perhaps of two tasks. Whoever holds the pointer owns the stream and
 * ends it by edo_close() or edo_finish(). Its operations may be awaited by any task, on any worker,
 * and in another runtime the next time.
 *
 * A buffer that an operation was given belongs to it until it is ready, on every driver. So a
 * cancelled operation may be pending a moment longer: the kernel may still own the buffer.
 *
 * Errors, for all operations here: those of the system calls (-ECONNRESET, -EPIPE, ...), -EBUSY,
 * -ECANCELED when the operation was cancelled (also by a runtime that ends) or the stream closed
 * under it. SIGPIPE is never raised.
 */
#pragma once

#include <sys/uio.h>

#include <edo/task.h>

EDO_BEGIN_DECLS

typedef struct edo_io edo_io;

/* Reads at most size bytes.
 * Result: bytes read; 0 at the end of the input (or for size 0).
 * Cancel: waits (for the kernel, not for the peer); no byte is lost. */
EDO_API edo_op edo_read(edo_io *io, void *buffer, size_t size);

/* Reads exactly size bytes.
 * Result: size; -EDO_EOF when the input ends before; edo_op_progress() tells how far it got.
 * Cancel: waits; the bytes read so far are in the buffer. */
EDO_API edo_op edo_read_exact(edo_io *io, void *buffer, size_t size);

/* Writes at most size bytes.
 * Result: bytes written, at least 1 unless size is 0; -EPIPE when the peer has closed.
 * Cancel: waits; nothing was written. */
EDO_API edo_op edo_write(edo_io *io, const void *data, size_t size);

/* Writes all of it.
 * Result: size; on failure edo_op_progress() tells how far it got.
 * Cancel: waits; edo_op_progress() bytes were written. */
EDO_API edo_op edo_write_all(edo_io *io, const void *data, size_t size);

/* Writes from several buffers, in their order; vector and buffers outlive the operation.
 * count: 1 to 1024, else -EINVAL.
 * Result: bytes written, perhaps fewer than all.
 * Cancel: waits; nothing was written. */
EDO_API edo_op edo_writev(edo_io *io, const struct iovec *vector, int count);

/* Tells the peer that nothing more will be written; reading goes on.
 * Result: 0; -ENOTSUP for a stream that has no such notion.
 * Cancel: prompt; not done. */
EDO_API edo_op edo_shutdown_write(edo_io *io);

/* The graceful end: shuts down the write side, reads and drops what the peer still sends until it
 * closes, then closes the stream. The stream is gone when this is ready, whatever its result.
 * Result: 0, or the error met.
 * Cancel: waits; closes at once and answers -ECANCELED. */
EDO_API edo_op edo_finish(edo_io *io);

/* Ends the stream at once: operations in flight answer -ECANCELED, or what they have done; the
 * descriptor goes when the last has ended. Unsent data still goes out as the system sees fit.
 * NULL is ignored.
 * Thread: any. */
EDO_API void edo_close(edo_io *io);

/* Wraps a descriptor, which is made non-blocking and belongs to the stream from then on.
 * Returns: 0; -EBADF; -EPERM for what the kernel cannot poll, as a regular file or a directory (but it
 * can some of /proc and /sys); -ENOMEM. On failure it is still the caller's.
 * Thread: any. */
EDO_API int edo_io_from_fd(int fd, edo_io **ret_io);

/* The descriptor, which stays the stream's; -ENOTSUP for a stream without one. */
EDO_API int edo_io_fd(const edo_io *io);

/* Takes the descriptor out and ends the stream. It stays non-blocking.
 * Returns: the descriptor, now the caller's; -EBUSY with an operation in flight; -ENOTSUP.
 * Thread: the holder. */
EDO_API int edo_io_into_fd(edo_io *io);

enum { EDO_READABLE = 1, EDO_WRITABLE = 4, EDO_PRIORITY = 2 };

/* Waits until any descriptor that can be polled is ready; level-triggered. It stays the caller's
 * and must stay open meanwhile.
 * interest: EDO_READABLE, EDO_WRITABLE, EDO_PRIORITY or'ed.
 * Result: what is ready, or'ed; a hang-up or an error counts as all that was asked for. -EBADF;
 * -EPERM for what the kernel cannot poll, as a regular file or a directory; -EINVAL for no or unknown
 * interest; -ENOMEM. Files of /proc and /sys that tell of changes do it as EDO_PRIORITY.
 * Cancel: waits; no effect. */
EDO_API edo_op edo_wait_fd(int fd, int interest);

EDO_END_DECLS
