/* Standard input, output and error as streams.
 *
 * The streams work with anything that a shell may connect to these descriptors: a terminal, a pipe,
 * a FIFO, a socket, a file, /dev/null. The open files behind the descriptors are shared with the
 * shell and with other programs of a pipeline, so edo does not set their flag O_NONBLOCK. Terminals
 * and pipes are opened once more, for edo alone. Sockets, devices and files need neither the flag
 * nor another open file. (The system may refuse to open the terminal, for instance after the
 * process has changed its user. Then edo does set the flag, and clears it when the stream is closed
 * or the process exits.) printf(3) and child processes use the descriptors as before.
 *
 * The streams are not buffered. When a write is ready, the system has the bytes, so an exit of the
 * process loses none of them. For many small writes, put an edo_writer around the stream, and flush
 * the writer. A read takes the bytes that are available, from a terminal at most a line. A
 * cancelled read has taken no bytes.
 *
 * A read that waits holds no thread, and does not delay the end of the runtime. Files are read at
 * once if the system has their pages in memory. Other reads of files, and writes to files, are made
 * by io_uring or on threads of the pool "files".
 *
 * Each call makes a new stream, which the caller closes. The descriptors 0, 1 and 2 stay open. A
 * stream has at most one operation per side in flight (-EBUSY for a second one). A stream of a file
 * has at most one operation in all, because reads and writes share the position. So tasks that
 * write at the same time need one stream each, or a lock. A write of at most 4096 bytes to a pipe
 * is not mixed with other writes. A write to a file beyond RLIMIT_FSIZE answers -EFBIG.
 *
 * edo_run() opens /dev/null in place of standard descriptors that are closed.
 *
 * Returns, for all calls: 0; -EINVAL for NULL; -EBADF for a closed descriptor; -EMFILE; -ENOMEM.
 * Thread: any.
 */
#pragma once

#include <edo/io.h>

EDO_BEGIN_DECLS

EDO_API EDO_MUST_USE int edo_stdin(edo_io **ret_io);
EDO_API EDO_MUST_USE int edo_stdout(edo_io **ret_io);
EDO_API EDO_MUST_USE int edo_stderr(edo_io **ret_io);

EDO_END_DECLS
