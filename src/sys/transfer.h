/* Contract with the operating system: bytes that move between descriptors without passing through the
 * program. Any thread. Results are bytes, or a negative errno. */
#pragma once

#include <edo/base.h>

/* Makes a pipe, closed by exec, that holds at least so many bytes if the system allows it, and never
 * blocks. It is read from [0]. Returns: 0. */
int edo__sys_pipe(size_t capacity, edo_fd ret_fds[2]);

/* Whether bytes may be moved between a pipe and a descriptor without waiting for it: a socket or a
 * pipe that is non-blocking. */
bool edo__sys_can_splice(edo_fd fd);

/* Moves bytes from or to such a descriptor, once, where the other one is a pipe of edo__sys_pipe().
 * Raises no SIGPIPE. 0 at the end of the input; -EAGAIN; -EINVAL and others when the system does not
 * move them between such files. */
int64_t edo__sys_splice(edo_fd from, edo_fd to, size_t size);

/* Reads from a pipe of edo__sys_pipe(). */
int64_t edo__sys_read_pipe(edo_fd pipe, void *buffer, size_t size);

/* Sends bytes of a file to a socket or a pipe, once, without waiting for it, and moves the offset.
 * Raises no SIGPIPE. 0 at the end of the file; errors as edo__sys_splice(). */
int64_t edo__sys_send_file(edo_fd to, edo_fd file, uint64_t *offset, size_t size);

/* Reads a file at a place; may wait for the disk. */
int64_t edo__sys_read_at(edo_fd file, void *buffer, size_t size, uint64_t offset);

/* Writes all of it at a place, or where the file appends. May wait for the disk. */
int64_t edo__sys_write_at(edo_fd file, const void *data, size_t size, uint64_t offset);

/* Copies from file to file, once; the system may share the blocks of the disk. 0 at the end of the
 * input, and for files whose size is not known. */
int64_t edo__sys_copy_range(edo_fd from, uint64_t from_at, edo_fd to, uint64_t to_at, size_t size);

/* Whether an error of one of these says that the system does not do it with such files: bytes are to
 * be read and written instead. */
bool edo__sys_is_unsupported(int64_t error);
