/* Contract with the operating system: transfers between descriptors without a copy through the
 * program's memory. Thread: any. Results are bytes, or a negative errno. */
#pragma once

#include <edo/base.h>

/* Makes a pipe, non-blocking and closed by exec. capacity: least number of bytes that the pipe
 * should be able to hold; 0: the default. The system may not permit this capacity. ret_fds[0] is
 * the read end. Returns: 0 or a negative errno. */
int edo__sys_pipe(size_t capacity, edo_fd ret_fds[2]);

/* Whether the descriptor is a non-blocking socket or pipe. A splice between a pipe and such a
 * descriptor cannot block. */
bool edo__sys_can_splice(edo_fd fd);

/* Moves bytes, by one system call, between a pipe of edo__sys_pipe() and a descriptor that
 * edo__sys_can_splice() accepts. Raises no SIGPIPE. Returns: bytes; 0 at the end of the input;
 * -EAGAIN; -EINVAL and others if the system does not support these files. */
int64_t edo__sys_splice(edo_fd from, edo_fd to, size_t size);

/* Copies bytes from one pipe to another, by one system call. The bytes also remain in the first
 * pipe. Does not block. Raises no SIGPIPE. Returns: bytes; 0 at the end of the input; -EAGAIN;
 * -EINVAL if the files are not two pipes. */
int64_t edo__sys_tee(edo_fd from, edo_fd to, size_t size);

/* Reads from a pipe of edo__sys_pipe(). */
int64_t edo__sys_read_pipe(edo_fd pipe, void *buffer, size_t size);

/* Sends bytes of a file to a non-blocking socket or pipe, by one system call. Advances *offset.
 * Raises no SIGPIPE. Returns: bytes; 0 at the end of the file; errors as edo__sys_splice(). */
int64_t edo__sys_send_file(edo_fd to, edo_fd file, uint64_t *offset, size_t size);

/* Reads a file at an offset. May wait for the disk. */
int64_t edo__sys_read_at(edo_fd file, void *buffer, size_t size, uint64_t offset);

/* Copies bytes from file to file, by one system call. The files may share disk blocks afterwards.
 * In a process with a limit on the size of its files, copies nothing, because the call could raise
 * SIGXFSZ. Returns: bytes; 0 at the end of the input, and for files of unknown size; errors, see
 * edo__sys_is_unsupported(). */
int64_t edo__sys_copy_range(edo_fd from, uint64_t from_at, edo_fd to, uint64_t to_at, size_t size);

/* Whether an error of these calls means that the system does not support the files. If so, the
 * caller must read and write the bytes instead. */
bool edo__sys_is_unsupported(int64_t error);

/* ---- sends without a copy ---- */

/* Permits sends without a copy on a socket. Returns: 0; or a negative errno if the system does not
 * support such sends on this socket. */
int edo__sys_zero_copy_permit(edo_fd socket);

/* Sends once, without blocking. The system uses the memory until edo__sys_zero_copy_report()
 * reports this send. Returns: bytes; -EAGAIN; -ENOBUFS: the system cannot hold more memory now. */
int64_t edo__sys_zero_copy_send(edo_fd socket, const void *data, size_t size);

/* Takes one report about one or more sends. *ret_copied: whether the system has copied the bytes of
 * these sends in spite of the permit. Returns: number of sends whose memory is released; -EAGAIN if
 * there is no report. */
int64_t edo__sys_zero_copy_report(edo_fd socket, bool *ret_copied);
