/* Contract with the operating system: transfers between descriptors without a copy through the
 * program's memory. Thread: any. Results are bytes, or a negative errno. */
#pragma once

#include <edo/base.h>

/* Makes a non-blocking pipe, closed by exec, that holds at least `capacity` bytes if the system
 * permits; 0: the default. ret_fds[0] is the read end. Returns: 0. */
int edo__sys_pipe(size_t capacity, edo_fd ret_fds[2]);

/* Whether a splice between a pipe and this descriptor cannot block, because the descriptor is a
 * non-blocking socket or pipe. */
bool edo__sys_can_splice(edo_fd fd);

/* Moves bytes, once, between such a descriptor and a pipe of edo__sys_pipe(). Raises no SIGPIPE.
 * Returns: bytes; 0 at the end of the input; -EAGAIN; -EINVAL and others if the system does not
 * support these files. */
int64_t edo__sys_splice(edo_fd from, edo_fd to, size_t size);

/* Copies bytes, once, from one pipe to another. The bytes also remain in the first pipe. Does not
 * block. Raises no SIGPIPE. Returns: bytes; 0 at the end of the input; -EAGAIN; -EINVAL: not two
 * pipes. */
int64_t edo__sys_tee(edo_fd from, edo_fd to, size_t size);

/* Reads from a pipe of edo__sys_pipe(). */
int64_t edo__sys_read_pipe(edo_fd pipe, void *buffer, size_t size);

/* Sends bytes of a file, once, to a non-blocking socket or pipe, and advances the offset.
 * Raises no SIGPIPE. Returns: bytes; 0 at the end of the file; errors as edo__sys_splice(). */
int64_t edo__sys_send_file(edo_fd to, edo_fd file, uint64_t *offset, size_t size);

/* Reads a file at an offset; may wait for the disk. */
int64_t edo__sys_read_at(edo_fd file, void *buffer, size_t size, uint64_t offset);

/* Writes all bytes at an offset, or at the end of a file that appends. May wait for the disk. */
int64_t edo__sys_write_at(edo_fd file, const void *data, size_t size, uint64_t offset);

/* Copies bytes from file to file, once. The system may share disk blocks. Returns: bytes; 0 at the
 * end of the input, and for files of unknown size. */
int64_t edo__sys_copy_range(edo_fd from, uint64_t from_at, edo_fd to, uint64_t to_at, size_t size);

/* Whether an error of these calls means that the system does not support these files. If so, the
 * bytes must be read and written instead. */
bool edo__sys_is_unsupported(int64_t error);

/* ---- sends without a copy ---- */

/* Permits sends without a copy on a socket. Returns: 0, or a negative errno if the system does not
 * support them on this socket. */
int edo__sys_zero_copy_permit(edo_fd socket);

/* Sends once, without blocking. The memory belongs to the system until a report releases the send.
 * Returns: bytes; -EAGAIN; -ENOBUFS: the system can take no more memory at present. */
int64_t edo__sys_zero_copy_send(edo_fd socket, const void *data, size_t size);

/* Takes one report, about one or more sends. *ret_copied: whether the system has copied the bytes
 * of these sends after all.
 * Returns: number of sends whose memory is released; -EAGAIN: there is no report. */
int64_t edo__sys_zero_copy_report(edo_fd socket, bool *ret_copied);
