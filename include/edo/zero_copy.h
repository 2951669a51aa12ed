/* Writes without a copy.
 *
 * An ordinary write copies the bytes into the kernel. edo_write_zero_copy() lets the network card read
 * them from the program's memory (MSG_ZEROCOPY), which saves processor time for large writes over a
 * real network. The price: the memory belongs to the kernel until the peer has acknowledged the
 * bytes, and the operation waits for that.
 *
 *     edo_await(n, edo_write_zero_copy(self->conn, self->block, 1 << 20));
 *     ... the block may be changed and freed ...
 *
 * Where such writes do not pay, the operation copies: for fewer than 16 KiB, on other streams than
 * TCP connections, when the kernel cannot pin more memory, and for the rest of a stream on which
 * the kernel has copied the bytes itself several times in a row, as it does on the loopback.
 */
#pragma once

#include <edo/io.h>

EDO_BEGIN_DECLS

/* Writes all size bytes. The memory is the kernel's until the operation is ready.
 * Result: size; on failure edo_op_progress() has the bytes given to the kernel.
 * Cancel: waits for the kernel to release the memory: until the peer has acknowledged the bytes
 * already given, or the connection has failed (edo_tcp_set_user_timeout() limits that time).
 * Without such bytes it waits for the kernel only as edo_write_all() does. edo_op_progress() bytes
 * were written. */
EDO_API EDO_MUST_USE edo_op edo_write_zero_copy(edo_io *io, const void *data, size_t size);

/* Whether large writes on a stream are made without a copy: 0 also before the first one. -EINVAL for
 * NULL. Thread: the holder of the write side. */
EDO_API int edo_io_is_zero_copy(const edo_io *io);

EDO_END_DECLS
