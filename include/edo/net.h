/* TCP.
 *
 * Addresses are text: "127.0.0.1:8080", "[::1]:8080", ":8080" (all addresses of the machine, both
 * families), "example.com:8080". Port 0 lets the system choose a port. The port may be the name of
 * a service ("example.com:https").
 *
 * A numeric address is used at once. A name is first looked up by the system (hosts file, name
 * servers). The look-up blocks, so it runs on a thread of the runtime's pool "dns". "localhost" is
 * also a name, usually from the hosts file.
 *
 * A connection is an edo_io. The edo_tcp_* calls set options of TCP, and return -ENOTSUP for other
 * streams. These calls are quick system calls, not operations. A call with NULL in place of a
 * connection, a listener, an address or an output fails with -EINVAL.
 */
#pragma once

#include <edo/address.h>
#include <edo/tcp.h>

EDO_BEGIN_DECLS

/* Bytes for any address as text, with its port and the final NUL. */
#define EDO_ADDRESS_SIZE 72

/* A zeroed struct is the default: SO_REUSEADDR, a backlog of 1024, both families for ":port". */
typedef struct edo_listen_options {
    int backlog; // 0: 1024
    bool no_reuse_address;
    bool reuse_port; // several listeners share the address (SO_REUSEPORT)
    bool only_v6;    // "[::]:port" accepts no IPv4 connections
    bool reserved[5];
    const edo_tcp_options *tcp; // further options, or NULL; must outlive the operation
} edo_listen_options;

/* Listens on an address. The text must outlive the operation. For a name, listens on the first of
 * the name's addresses that works.
 * Result: 0 with *ret_listener; -EINVAL for a bad address; -EADDRINUSE, -EACCES, -EMFILE, ...; for
 * a name, the error of the name's last address, or an error of edo_lookup().
 * Cancel: prompt; not listening. */
EDO_API EDO_MUST_USE edo_op edo_tcp_listen(const char *address, edo_listener **ret_listener);
EDO_API EDO_MUST_USE edo_op edo_tcp_listen_with(const char *address, edo_listen_options options,
                                                edo_listener **ret_listener);

/* Makes `count` listeners on one address (SO_REUSEPORT), usually one per worker. The kernel divides
 * the connections among the listeners, so accepts of different workers do not share a queue. If the
 * port is 0, the system chooses one port for all listeners.
 *
 *     for (i = 0; i < workers; i++)
 *         rc = edo_spawn_on(&task, i, serve, .listener = self->listeners[i]);
 *
 * A connection that waits in the queue of a listener is reset when that listener is closed.
 * ret_listeners: an array of `count` elements, 1 to 10000 (else -EINVAL).
 * Result: 0 with all listeners; an error of edo_tcp_listen(). After an error there are no
 * listeners, and the elements of the array are unspecified.
 * Cancel: prompt; not listening. */
EDO_API EDO_MUST_USE edo_op edo_tcp_listen_group(const char *address, edo_listen_options options,
                                                 edo_listener **ret_listeners, size_t count);

/* Sets the first and the longest pause of edo_accept() after a shortage (see there), in
 * nanoseconds. The default is 10 ms and 1 s. If `first` is 0, there are no pauses, and a shortage
 * is the result of the accept.
 * Returns: 0; -EINVAL for a negative time or for longest < first. Thread: any. */
EDO_API int edo_listener_set_pauses(edo_listener *listener, int64_t first, int64_t longest);

/* Accepts the next connection. A shortage (-EMFILE, -ENFILE, -ENOBUFS, -ENOMEM) is not a failure:
 * it is logged once, and the accept is retried after a pause. The pauses grow from 10 ms to 1 s
 * (edo_listener_set_pauses() changes these times). Connections that broke before they were accepted
 * are skipped. Several accepts of one runtime may wait on one listener, and each takes one
 * connection.
 * Result: 0 with *ret_conn. -EXDEV if no connection is pending, and accepts of another runtime wait
 * on this listener. -ENOMEM if there is no memory for the stream of an accepted connection: this
 * connection was reset, and the listener can be used as before.
 * Cancel: waits; no connection is lost. */
EDO_API EDO_MUST_USE edo_op edo_accept(edo_listener *listener, edo_io **ret_conn);

/* Ends the listener. All accepts in flight answer -ECANCELED. Connections that were not accepted
 * are reset. NULL is ignored. Thread: any. */
EDO_API void edo_listener_close(edo_listener *listener);

/* Wraps a listening socket, which belongs to the listener from then on.
 * Returns: 0; -EINVAL if the socket does not listen; -ENOTSOCK; -EBADF; -ENOMEM. On failure the
 * socket still belongs to the caller. */
EDO_API EDO_MUST_USE int edo_listener_from_fd(edo_fd fd, edo_listener **ret_listener);
EDO_API edo_fd edo_listener_fd(const edo_listener *listener);

/* Writes the address on which a listener listens, as text, into a buffer of EDO_ADDRESS_SIZE.
 * The address of a Unix socket needs EDO_ADDRESS_TEXT_SIZE.
 * Returns: the length, or a negative errno (-ENOSPC for a buffer that is too small). */
EDO_API int edo_listener_address(const edo_listener *listener, char *buffer, size_t size);

/* Connects to an address. The text must outlive the operation.
 *
 * For a name, the operation follows RFC 8305 ("happy eyeballs"): the name's addresses are tried in
 * the order of the look-up, with alternating families. An attempt begins 250 ms after the previous
 * attempt, or at once when an attempt fails. Earlier attempts continue meanwhile. The first attempt
 * that connects wins. All other attempts have ended when the operation is ready.
 *
 * Result: 0 with *ret_conn. -EINVAL for an address that is bad or has no host. -ECONNREFUSED,
 * -ETIMEDOUT, ... The result is also -ECONNREFUSED if the socket has connected to itself, which can
 * happen on a free port of this machine. If the name cannot be looked up, the result is the error
 * of edo_lookup(). If all addresses of a name fail, one of their errors is the result:
 * - the first shortage (-EMFILE, -ENFILE, -ENOBUFS, -ENOMEM), if there was one;
 * - otherwise the first error that is not a missing route, if there was one;
 * - otherwise the first missing route (-ENETUNREACH, -EHOSTUNREACH, -EADDRNOTAVAIL, -EAFNOSUPPORT).
 * Cancel: prompt during the look-up, else waits; no connection is left. */
EDO_API EDO_MUST_USE edo_op edo_tcp_connect(const char *address, edo_io **ret_conn);

/* Connects from a numeric local address (port 0: any port). If `address` is a name, the operation
 * tries only those addresses of the name that have the local address's family. */
EDO_API EDO_MUST_USE edo_op edo_tcp_connect_from(const char *local, const char *address,
                                                 edo_io **ret_conn);

/* A zeroed struct is the default. */
typedef struct edo_connect_options {
    const char *local;     // as edo_tcp_connect_from(), or NULL; must outlive the operation
    int64_t attempt_delay; // nanoseconds between the attempts for a name, clamped to 10 ms .. 2 s;
                           // 0: 250 ms
    const edo_tcp_options *tcp; // further options, or NULL; must outlive the operation
    void *reserved[1];
} edo_connect_options;

EDO_API EDO_MUST_USE edo_op edo_tcp_connect_with(const char *address, edo_connect_options options,
                                                 edo_io **ret_conn);

/* ---- names ---- */

/* Addresses that a look-up found: at least one. Immutable, so any thread may read them. */
typedef struct edo_addresses edo_addresses;

/* Looks up an address. The text has a form that the calls above accept, and must outlive the
 * operation. For a numeric address the operation is ready at once, and uses no thread.
 * Result: 0 with *ret_addresses: all addresses in the order of getaddrinfo(3). The caller frees
 * them by edo_addresses_destroy(). Otherwise one of
 *     -EINVAL       not an address, or an unknown service
 *     -ENOENT       there is no such host, or it has no address   (EAI_NONAME, EAI_NODATA)
 *     -EAGAIN       no name server has answered; try again later  (EAI_AGAIN)
 *     -EIO          a name server has answered with a failure     (EAI_FAIL)
 *     -ENAMETOOLONG                                               (EAI_OVERFLOW)
 *     -ENOMEM; -EMFILE and other errors of the system's look-up   (EAI_SYSTEM, EAI_MEMORY)
 * and the errors of edo_blocking_on(), if the pool could not run the look-up.
 * Cancel: detaches; the thread finishes its work, and the result is dropped. */
EDO_API EDO_MUST_USE edo_op edo_lookup(const char *address, edo_addresses **ret_addresses);

EDO_API size_t edo_addresses_count(const edo_addresses *addresses);

/* Writes one of the addresses as text into a buffer of EDO_ADDRESS_SIZE, in a form that
 * edo_tcp_connect() accepts.
 * Returns: the length; -EINVAL if there is no such index; -ENOSPC for a buffer that is too
 * small. */
EDO_API int edo_addresses_text(const edo_addresses *addresses, size_t index, char *buffer,
                               size_t size);

/* Reads one of the addresses as a value. Returns: 0; -EINVAL if there is no such index. */
EDO_API int edo_addresses_get(const edo_addresses *addresses, size_t index,
                              edo_address *ret_address);
EDO_API void edo_addresses_destroy(edo_addresses *addresses); // NULL is ignored

/* Writes the local or the peer's address of a connection, as text, into a buffer of
 * EDO_ADDRESS_SIZE.
 * Returns: the length, or a negative errno (-ENOTCONN, -ENOSPC, -ENOTSUP). */
EDO_API int edo_tcp_local_address(const edo_io *conn, char *buffer, size_t size);
EDO_API int edo_tcp_peer_address(const edo_io *conn, char *buffer, size_t size);

/* Options of a connection. Setters return 0 or a negative errno, getters the value (>= 0) or a
 * negative errno. */

/* TCP_NODELAY: the kernel sends small writes at once. */
EDO_API int edo_tcp_set_nodelay(edo_io *conn, bool on);
EDO_API int edo_tcp_nodelay(const edo_io *conn);

/* Keep-alive probes. The first probe is sent after `idle` seconds of silence, and further probes
 * every `interval` seconds. `count` unanswered probes end the connection. A zero member keeps the
 * system's value. */
typedef struct edo_keepalive {
    int idle, interval, count;
} edo_keepalive;
EDO_API int edo_tcp_set_keepalive(edo_io *conn, bool on, edo_keepalive times);
EDO_API int edo_tcp_keepalive(const edo_io *conn,
                              edo_keepalive *ret_times); // ret_times may be NULL

/* SO_LINGER: what edo_close() does with unsent data. -1 (the default): the kernel sends the data in
 * the background. 0: the data is dropped, and the connection is reset. Above 0: the kernel tries to
 * send for this number of seconds. */
EDO_API int edo_tcp_set_linger(edo_io *conn, int seconds);
EDO_API int edo_tcp_linger(const edo_io *conn, int *ret_seconds);

/* Sizes of the socket's buffers, in bytes. The kernel may round. On Linux the value read is twice
 * the value set. */
EDO_API int edo_tcp_set_send_buffer(edo_io *conn, int bytes);
EDO_API int edo_tcp_send_buffer(const edo_io *conn);
EDO_API int edo_tcp_set_recv_buffer(edo_io *conn, int bytes);
EDO_API int edo_tcp_recv_buffer(const edo_io *conn);

/* Time to live (hop limit), 1 to 255. Type of service (traffic class), 0 to 255. On a socket for
 * both families, a setter sets the option for both families, and a getter returns the value for the
 * family of the peer. */
EDO_API int edo_tcp_set_ttl(edo_io *conn, int ttl);
EDO_API int edo_tcp_ttl(const edo_io *conn);
EDO_API int edo_tcp_set_tos(edo_io *conn, int tos);
EDO_API int edo_tcp_tos(const edo_io *conn);

/* Takes the socket's pending error (SO_ERROR): 0 or a negative errno. */
EDO_API int edo_tcp_take_error(edo_io *conn);

EDO_END_DECLS
