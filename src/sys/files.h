/* Contract with the operating system: reads and writes at a file's position, which all holders of
 * the open file share. Thread: any. Results are bytes, or a negative errno. */
#pragma once

#include <edo/base.h>

/* Read or write without waiting for the disk. -EAGAIN: the call would wait, or the system cannot
 * tell whether it would. */
int64_t edo__file_read_now(edo_fd fd, void *buffer, size_t size);
int64_t edo__file_write_now(edo_fd fd, const edo_slice *slices, int count);

/* Read or write, and wait for the disk. */
int64_t edo__file_read(edo_fd fd, void *buffer, size_t size);
int64_t edo__file_write(edo_fd fd, const edo_slice *slices, int count);
