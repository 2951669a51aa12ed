/* Contract with the operating system: bytes that move between descriptors without passing through the
 * program. Any thread. Results are bytes, or a negative errno. */
#pragma once

#include <edo/base.h>

/* Makes a pipe, closed by exec, that holds at least the given number of bytes if the system allows
 * it. Neither end blocks. ret_fds[0] is the end to read from. Returns: 0. */
int edo__sys_pipe(size_t capacity, edo_fd ret_fds[2]);

/* Whether moving bytes between a pipe and this descriptor never waits for it. True for non-blocking
 * sockets and pipes. */
bool edo__sys_can_splice(edo_fd fd);

/* Moves bytes once between such a descriptor and a pipe of edo__sys_pipe().
 * Raises no SIGPIPE. 0 at the end of the input; -EAGAIN; -EINVAL and others when the system does not
 * move them between such files. */
int64_t edo__sys_splice(edo_fd from, edo_fd to, size_t size);

/* Reads from a pipe of edo__sys_pipe(). */
int64_t edo__sys_read_pipe(edo_fd pipe, void *buffer, size_t size);

/* Sends bytes of a file once to a socket or a pipe, without waiting for that, and advances *offset.
 * Raises no SIGPIPE. 0 at the end of the file; errors as edo__sys_splice(). */
int64_t edo__sys_send_file(edo_fd to, edo_fd file, uint64_t *offset, size_t size);

/* Reads a file at an offset; may wait for the disk. */
int64_t edo__sys_read_at(edo_fd file, void *buffer, size_t size, uint64_t offset);

/* Writes all bytes at an offset; a file opened for appending gets them at its end. May wait for the
 * disk. */
int64_t edo__sys_write_at(edo_fd file, const void *data, size_t size, uint64_t offset);

/* Copies from file to file, once; the system may share the blocks of the disk. 0 at the end of the
 * input, and for files whose size is not known. */
int64_t edo__sys_copy_range(edo_fd from, uint64_t from_at, edo_fd to, uint64_t to_at, size_t size);

/* Whether an error of these calls means that the system does not move bytes between such files. The
 * caller then reads and writes the bytes instead. */
bool edo__sys_is_unsupported(int64_t error);
