/* Contract with the operating system: pipes and FIFOs. Any thread may make every call. Results are
 * 0 or a negative errno, except where a comment says otherwise. The descriptors are non-blocking
 * and closed by exec. */
#pragma once

#include <edo/base.h>

/* Capacity of a pipe or a FIFO, in bytes. Both calls return the capacity that the pipe has after
 * the call; -ENOTSUP for other files. */
int edo__pipe_capacity(edo_fd fd);
int edo__pipe_set_capacity(edo_fd fd, size_t bytes);

int edo__fifo_make(const char *path, uint32_t mode);

typedef enum edo__fifo_end {
    EDO__FIFO_READER,
    EDO__FIFO_KEEPER, // a reader that is also a writer, so that the input never ends
    EDO__FIFO_WRITER, // -ENXIO without a reader
} edo__fifo_end;

/* Opens an end of a FIFO, without waiting for the other end. Returns: a descriptor; -EINVAL for
 * another kind of file. */
edo_fd edo__fifo_open(const char *path, edo__fifo_end end);
