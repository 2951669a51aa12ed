/* Writes without a copy.
 *
 * An ordinary write copies the bytes into the kernel. edo_write_zero_copy() lets the network card
 * read the bytes from the program's memory (MSG_ZEROCOPY), which saves processor time for large
 * writes over a real network. But the memory then belongs to the kernel until the peer has
 * acknowledged the bytes, and the operation waits for the acknowledgement.
 *
 *     edo_await(n, edo_write_zero_copy(self->conn, self->block, 1 << 20));
 *     ... the block may be changed and freed ...
 *
 * In three cases a write without a copy would not pay or is not possible, and the operation copies
 * the bytes: for fewer than 16 KiB, on a stream that is no TCP connection, and when the kernel
 * cannot pin more memory. The kernel may still copy the bytes itself, as on the loopback. After
 * several such copies by the kernel in a row, all later operations on the stream copy the bytes. */
#pragma once

#include <edo/io.h>

EDO_BEGIN_DECLS

/* Writes all `size` bytes. The memory is the kernel's until the operation is ready.
 * Result: `size`; on failure edo_op_progress() is the number of bytes given to the kernel; -EINVAL
 * for a size above UINT32_MAX.
 * Cancel: waits until the memory is no longer the kernel's. This is when the peer has acknowledged
 * the bytes given to the kernel, or when the connection has failed. edo_tcp_set_user_timeout()
 * limits this time. If no memory is the kernel's, waits as edo_write_all() does. edo_op_progress()
 * bytes were written. */
EDO_API EDO_MUST_USE edo_op edo_write_zero_copy(edo_io *io, const void *data, size_t size);

/* Whether large writes on a stream are made without a copy. Returns: 1; 0, also before the first
 * such write; -EINVAL for NULL. Thread: the holder of the write side. */
EDO_API int edo_io_is_zero_copy(const edo_io *io);

EDO_END_DECLS
