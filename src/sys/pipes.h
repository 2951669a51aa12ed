/* Contract with the operating system: pipes and FIFOs. Thread: any. Results are 0 or a negative
 * errno, except where a comment says otherwise. Opened descriptors are non-blocking and closed by
 * exec. */
#pragma once

#include <edo/base.h>

/* Read and set the capacity of a pipe or a FIFO, in bytes. Returns: the capacity after the call;
 * -ENOTSUP for other files. */
int edo__pipe_capacity(edo_fd fd);
int edo__pipe_set_capacity(edo_fd fd, size_t bytes);

int edo__fifo_make(const char *path, uint32_t mode);

typedef enum edo__fifo_end {
    EDO__FIFO_READER,
    EDO__FIFO_KEEPER, // a reader that is also a writer, so that the input never ends
    EDO__FIFO_WRITER, // fails with -ENXIO without a reader
} edo__fifo_end;

/* Opens an end of a FIFO, without waiting for the opposite end. Returns: a descriptor; -EINVAL if
 * the file is not a FIFO. */
edo_fd edo__fifo_open(const char *path, edo__fifo_end end);
