/* Byte streams.
 *
 * An edo_io is a stream of bytes: TCP, a pipe, a terminal, any descriptor that can be polled. A
 * stream has a read side and a write side. Each side has at most one operation in flight (-EBUSY
 * for a second operation). The operations of the two sides may belong to different tasks. The
 * holder of the pointer owns the stream and ends it by edo_close() or edo_finish(). Any task on any
 * worker may await operations of a stream. Tasks of several runtimes may do so, one after the
 * other.
 *
 * With every driver, a buffer belongs to its operation until the operation is ready. So a cancelled
 * operation may remain pending for a moment, because the kernel may still use the buffer.
 *
 * Errors of all operations here: the errors of the system calls (-ECONNRESET, -EPIPE, ...), -EBUSY,
 * -EINVAL if the stream is NULL, -ECANCELED. An operation answers -ECANCELED if it is cancelled,
 * also by a runtime that ends, or if the stream is closed while the operation waits. SIGPIPE is
 * never raised.
 *
 * Use after the end. Any use of a stream after its end is misuse, also a second close. Misuse ends
 * the process with one line that names the call. The same holds for files, directories, walks,
 * watchers, listeners, sockets, processes and signals. The misuse is detected while an operation of
 * the object is still in flight. It is also detected while a runtime exists, as long as at most 31
 * other such objects (511 in a debug build) have ended since. After that, the memory may belong to
 * another object, and only AddressSanitizer detects the misuse. An end of a channel may be closed
 * twice (edo/ends.h).
 *
 * One system call moves at most 256 KiB, and other tasks run during a long transfer.
 *
 * edo_io_from_fd() refuses regular files (-EPERM), because the system reports them as always ready,
 * although reading them may wait for the disk. Standard input and output may be files; see
 * edo/stdio.h. For any other descriptor of a file, edo_file_from_fd() of edo/file.h makes a stream.
 */
#pragma once

#include <edo/task.h>

EDO_BEGIN_DECLS

typedef struct edo_io edo_io;

/* Reads at most size bytes.
 * Result: bytes read; 0 at the end of the input (or for size 0).
 * Cancel: waits (for the kernel, not for the peer); no byte is lost. */
EDO_API EDO_MUST_USE edo_op edo_read(edo_io *io, void *buffer, size_t size);

/* Reads exactly size bytes.
 * Result: size; -EDO_EOF if the input ends earlier. After an error, edo_op_progress() is the number
 * of bytes read.
 * Cancel: waits; the bytes read so far are in the buffer. */
EDO_API EDO_MUST_USE edo_op edo_read_exact(edo_io *io, void *buffer, size_t size);

/* Reads into several buffers, in their order. The slices and the buffers must outlive the
 * operation.
 * count: 1 to 1024, else -EINVAL.
 * Result: bytes read, perhaps fewer than fit; 0 at the end of the input (or for empty buffers).
 * Cancel: waits; no byte is lost. */
EDO_API EDO_MUST_USE edo_op edo_readv(edo_io *io, const edo_slice *slices, int count);

/* Fills several buffers. The operation changes the slices as it proceeds: each slice becomes the
 * room that is not filled yet. So after a cancellation, another call with the same slices
 * continues.
 * count: as above.
 * Result: bytes read; -EDO_EOF if the input ends earlier. edo_op_progress() is the number of bytes
 * read.
 * Cancel: waits; the bytes read so far are in the buffers, and the slices have the rest. */
EDO_API EDO_MUST_USE edo_op edo_readv_exact(edo_io *io, edo_slice *slices, int count);

/* Writes at most size bytes.
 * Result: bytes written, at least 1 unless size is 0; -EPIPE when the peer has closed.
 * Cancel: waits; nothing was written. */
EDO_API EDO_MUST_USE edo_op edo_write(edo_io *io, const void *data, size_t size);

/* Writes all size bytes.
 * Result: size; on failure edo_op_progress() is the number of bytes written.
 * Cancel: waits; edo_op_progress() bytes were written. */
EDO_API EDO_MUST_USE edo_op edo_write_all(edo_io *io, const void *data, size_t size);

/* Writes from several buffers, in their order. The slices and the buffers must outlive the
 * operation.
 * count: 1 to 1024, else -EINVAL.
 * Result: bytes written, perhaps fewer than all.
 * Cancel: waits; nothing was written. */
EDO_API EDO_MUST_USE edo_op edo_writev(edo_io *io, const edo_slice *slices, int count);

/* Writes all data of several buffers. The operation changes the slices as it proceeds: each slice
 * becomes the data that is not written yet. So after a cancellation, another call with the same
 * slices continues.
 * count: as above.
 * Result: bytes written; on failure edo_op_progress() is the number of bytes written.
 * Cancel: waits; edo_op_progress() bytes were written, and the slices have the rest. */
EDO_API EDO_MUST_USE edo_op edo_writev_all(edo_io *io, edo_slice *slices, int count);

/* These plain functions read or write without waiting, on streams that have a descriptor.
 * Returns: as the operations; -EAGAIN if the call would have to wait; -EBUSY while an operation
 * uses the side; -ENOTSUP for a stream without a descriptor. Thread: any. */
EDO_API EDO_MUST_USE int64_t edo_try_read(edo_io *io, void *buffer, size_t size);
EDO_API EDO_MUST_USE int64_t edo_try_readv(edo_io *io, const edo_slice *slices, int count);
EDO_API EDO_MUST_USE int64_t edo_try_write(edo_io *io, const void *data, size_t size);
EDO_API EDO_MUST_USE int64_t edo_try_writev(edo_io *io, const edo_slice *slices, int count);

/* Ends the write side. The peer then reads the end of its input. The read side stays open.
 * Result: 0; -ENOTSUP for a stream whose write side cannot end alone, such as a pipe.
 * Cancel: prompt; the write side stays open. */
EDO_API EDO_MUST_USE edo_op edo_shutdown_write(edo_io *io);

/* Ends the stream gracefully: shuts down the write side, reads and drops input until the peer
 * closes, then closes the stream. When the operation is ready, the stream has ended, whatever the
 * result is.
 * Result: 0, or the first error.
 * Cancel: waits (for the kernel, not for the peer); the stream is then closed, and the operation
 * answers -ECANCELED. */
EDO_API EDO_MUST_USE edo_op edo_finish(edo_io *io);

/* Ends the stream at once. Operations in flight answer -ECANCELED, or their result if they have
 * one. The descriptor is closed when the last of these operations has ended. The system still sends
 * unsent data. NULL is ignored.
 * Thread: any. */
EDO_API void edo_close(edo_io *io);

/* Wraps a descriptor. From this call on, the descriptor belongs to the stream. O_NONBLOCK is left
 * unchanged where possible, because other processes may share the open file. A terminal or a named
 * pipe is opened once more, as non-blocking, and the new open file description gets the same
 * descriptor number. For any other descriptor on which the kernel does not support RWF_NOWAIT,
 * O_NONBLOCK is set, and is restored when the stream ends or the process exits.
 * Returns: 0; -EBADF; -EPERM for a file that the kernel cannot poll, such as a regular file or a
 * directory (some files of /proc and /sys can be polled); -EINVAL for NULL; -ENOMEM. On failure the
 * descriptor still belongs to the caller.
 * Thread: any. */
EDO_API EDO_MUST_USE int edo_io_from_fd(edo_fd fd, edo_io **ret_io);

/* Returns: the descriptor, which still belongs to the stream; -ENOTSUP for a stream without a
 * descriptor. After this call, a read of a TCP connection may need one more system call to detect
 * that the input is empty. */
EDO_API edo_fd edo_io_fd(const edo_io *io);

/* Ends the stream and hands its descriptor to the caller. The descriptor of a terminal or a named
 * pipe is then non-blocking.
 * Returns: the descriptor, which now belongs to the caller; -EBUSY with an operation in flight;
 * -ENOTSUP.
 * Thread: the holder. */
EDO_API edo_fd edo_io_into_fd(edo_io *io);

enum { EDO_READABLE = 1, EDO_WRITABLE = 4, EDO_PRIORITY = 2 };

/* Waits until a descriptor is ready (level-triggered). Accepts any descriptor that can be polled.
 * The descriptor still belongs to the caller, and must stay open until the operation is ready.
 * interest: EDO_READABLE, EDO_WRITABLE, EDO_PRIORITY or'ed.
 * Result: the interests that are ready, or'ed; after a hang-up or an error, all requested
 * interests. -EBADF; -EPERM for a file that the kernel cannot poll, such as a regular file or a
 * directory; -EINVAL for no interest or an unknown one; -ENOMEM. A file of /proc or /sys that has
 * changed reports EDO_PRIORITY.
 * Cancel: waits, briefly. If a file of /proc or /sys changes during the cancellation, this wait or
 * the next one reports the change. */
EDO_API EDO_MUST_USE edo_op edo_wait_fd(edo_fd fd, int interest);

EDO_END_DECLS
