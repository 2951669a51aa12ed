/* Pipes and FIFOs (named pipes).
 *
 * Pipes and FIFOs are edo_io streams of one direction. edo_read() answers 0 when all bytes were
 * read and no writer is left. edo_write() answers -EPIPE when no reader is left. SIGPIPE is never
 * raised. A write of at most 4096 bytes is not mixed with the writes of others; a longer write may
 * be mixed. The descriptors are non-blocking and closed by exec. */
#pragma once

#include <edo/io.h>

EDO_BEGIN_DECLS

/* ---- pipes ---- */

/* Makes a pipe: the bytes written to *ret_writer are read from *ret_reader.
 * Returns: 0; -EINVAL for NULL; -EMFILE, -ENFILE, -ENOMEM. On failure no pipe remains. Thread:
 * any. */
EDO_API EDO_MUST_USE int edo_pipe(edo_io **ret_reader, edo_io **ret_writer);

/* These calls read or set the capacity of a pipe or a FIFO: the number of bytes that it can hold.
 * The system rounds up. If the user has many pipes, the system may make a pipe of one page (4096
 * bytes). So a program should not depend on a capacity.
 * Returns: the capacity that the pipe now has; -ENOTSUP for another kind of stream; -EINVAL;
 * -EPERM above the system's limit (/proc/sys/fs/pipe-max-size); -EBUSY if the pipe holds more
 * bytes. Thread: any. */
EDO_API int edo_pipe_capacity(const edo_io *io);
EDO_API EDO_MUST_USE int edo_pipe_set_capacity(edo_io *io, size_t bytes);

/* ---- FIFOs ---- */

/* Makes a FIFO. mode: permissions, such as 0600, from which the umask is removed.
 * Returns: 0; -EEXIST; -ENOENT, -EACCES and other errors of mkfifo(3). Thread: any. */
EDO_API int edo_fifo_make(const char *path, uint32_t mode);

enum {
    /* The reader never sees the end of the input. When the last writer closes, reads wait for the
     * next writer. With this flag, the caller also needs the right to write. */
    EDO_FIFO_KEEP_OPEN = 1,
};

/* Opens a FIFO for reading. The call does not wait for a writer, but the first read waits for one.
 * After the last writer has closed, reads answer 0 until another writer opens the FIFO.
 * flags: 0 or EDO_FIFO_KEEP_OPEN.
 * Returns: 0; -EINVAL for a file that is not a FIFO, an unknown flag or NULL; -ENOENT, -EACCES,
 * -EMFILE and other errors of open(2); -ENOMEM. Thread: any. */
EDO_API EDO_MUST_USE int edo_fifo_open_reader(const char *path, int flags, edo_io **ret_io);

/* Opens a FIFO for writing, and waits until a process has opened the FIFO for reading. The system
 * reports the reader only to a call that blocks. So the operation does not block, but tries again
 * after pauses of 1 ms to 64 ms. The path must outlive the operation, because each try looks up the
 * path.
 * Result: 0 with *ret_io; errors as above.
 * Cancel: prompt; nothing is open. */
EDO_API EDO_MUST_USE edo_op edo_fifo_open_writer(const char *path, edo_io **ret_io);

/* Opens a FIFO for writing, without waiting. Returns: as edo_fifo_open_reader(); -ENXIO: no process
 * has the FIFO open for reading. Thread: any. */
EDO_API EDO_MUST_USE int edo_fifo_try_open_writer(const char *path, edo_io **ret_io);

EDO_END_DECLS
