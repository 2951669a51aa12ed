/* Standard input, output and error as streams.
 *
 * The streams are right for all that a shell can make of these descriptors: a terminal, a pipe, a
 * FIFO, a socket, a file, /dev/null. The open files behind the descriptors are shared, with the
 * shell and with other programs of a pipeline, so edo does not make them non-blocking: terminals and
 * pipes are opened once more for edo alone; sockets, devices and files need no such flag. (Only if
 * the process may not open a terminal once more, for instance after a change of its user, edo sets
 * the flag, and clears it when the stream is closed or the process exits.) printf(3) and child
 * processes use the descriptors as before.
 *
 * The streams are not buffered: when a write is ready, the bytes are with the system, and are not
 * lost at exit. For many small writes put an edo_writer around the stream, and flush it. A read
 * takes what is there, at most a line from a terminal. A cancelled read has taken no bytes.
 *
 * A read that waits holds no thread, and does not delay the end of the runtime. Files are read and
 * written at once where the system has their pages in memory, else on threads of the pool "files".
 *
 * Each call makes a stream of its own, which the caller closes; the descriptors 0, 1 and 2 stay
 * open. A stream has one operation per side in flight, so tasks that write at the same time need
 * one stream each, or a lock. A write of at most 4096 bytes to a pipe is not mixed with others.
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
