/* Sockets for which edo has no special call, and options by the system's numbers.
 *
 * edo_socket() makes a socket of any family: AF_VSOCK, AF_PACKET, AF_CAN, raw sockets. The socket
 * is an edo_io, with all operations of an edo_io. On a socket of messages, one edo_write() sends
 * one message to the connected or bound peer. One edo_read() receives one message, and cuts it if
 * the buffer is too small. A read of an empty message answers 0, as at the end of a stream.
 *
 *     struct sockaddr_vm host = { .svm_family = AF_VSOCK, .svm_cid = 2, .svm_port = 1234 };
 *     ...
 *     rc = edo_socket(AF_VSOCK, SOCK_STREAM, 0, &self->conn);
 *     edo_await(rc, edo_socket_connect(self->conn, &self->host, sizeof self->host));
 *
 * To make a listener: edo_socket_bind(), then listen(2) on the descriptor of edo_io_into_fd(), then
 * edo_listener_from_fd().
 */
#pragma once

#include <edo/net.h>

EDO_BEGIN_DECLS

/* Makes a socket, with the numeric arguments of socket(2).
 * Returns: 0 with *ret_io; -EAFNOSUPPORT, -EPROTONOSUPPORT, -EPERM, -EMFILE, ...; -EINVAL; -ENOMEM.
 * Thread: any. */
EDO_API EDO_MUST_USE int edo_socket(int family, int type, int protocol, edo_io **ret_io);

/* Binds a socket to an address: a struct sockaddr of any kind.
 * Returns: 0 or a negative errno; -ENOTSUP for a stream that is not a socket. Thread: the
 * holder. */
EDO_API EDO_MUST_USE int edo_socket_bind(edo_io *io, const void *address, size_t size);

/* Connects a socket to an address. The address must outlive the operation. Occupies the write side.
 * Result: 0; the errors of connect(2); -ENOTSUP for a stream that is not a socket.
 * Cancel: waits; afterwards the socket may still be connecting, and can only be closed. */
EDO_API EDO_MUST_USE edo_op edo_socket_connect(edo_io *io, const void *address, size_t size);

/* These calls set and get an option of any socket, as setsockopt(2) and getsockopt(2).
 * Returns: 0 from a setter, and the size of the value from a getter; a negative errno; -ENOTSUP for
 * a stream that is not a socket. Thread: the holder. */
EDO_API int edo_socket_set_option(edo_io *io, int level, int name, const void *value, size_t size);
EDO_API int edo_socket_option(const edo_io *io, int level, int name, void *buffer, size_t size);
EDO_API int edo_listener_set_option(edo_listener *listener, int level, int name, const void *value,
                                    size_t size);
EDO_API int edo_listener_option(const edo_listener *listener, int level, int name, void *buffer,
                                size_t size);

EDO_END_DECLS
