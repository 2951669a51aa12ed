/* UDP: datagram sockets.
 *
 * An edo_udp is a socket that sends and receives datagrams. Any number of operations may wait on
 * one socket at once, from any tasks of one runtime. They are served in the order in which they
 * began to wait. While operations of one runtime wait, an operation of another runtime answers
 * -EXDEV. The holder of the pointer owns the socket and ends it by edo_udp_close().
 *
 *     edo_check(edo_udp_bind_text("127.0.0.1:5300", NULL, &self->socket)); // a plain call
 *     edo_try(n, edo_udp_recv_from(self->socket, self->buffer, sizeof self->buffer, &self->from));
 *     edo_try(edo_udp_send_to(self->socket, self->buffer, (size_t)n, &self->from));
 *
 * A datagram arrives whole or not at all. A datagram may be empty; a receive of an empty datagram
 * answers 0. If a datagram is longer than the buffer, the buffer gets the beginning, and the rest
 * is lost. edo_udp_recv() and its variants then answer -EMSGSIZE, and edo_op_progress() is the true
 * size of the datagram. edo_udp_recv_message() answers the number of bytes in the buffer, and sets
 * EDO_MESSAGE_TRUNCATED.
 *
 * Errors of the network. The network may answer a datagram with an error, such as "port
 * unreachable". The error arrives later and belongs to no operation. On a connected socket the next
 * operation reports such an error once (-ECONNREFUSED, -EHOSTUNREACH, ...). A send that reports the
 * error has sent nothing, and the socket can be used as before. On a socket without a peer, a
 * receive never reports such an error, and a send reports only an error of the address that it
 * sends to. With EDO_UDP_ERRORS such errors are in the error queue (edo_udp_recv_error()).
 *
 * Memory passed by pointer (buffers, addresses, messages) must outlive the operation. Errors, for
 * all calls here: -EINVAL for NULL in place of a socket or an output; -ECANCELED if the operation
 * was cancelled or the socket was closed meanwhile; the errors of the system's calls. Use of a
 * socket after its close is misuse, which ends the process with one line. Calls that are not
 * operations are quick system calls. Thread: any.
 */
#pragma once

#include <edo/io.h>
#include <edo/message.h>

EDO_BEGIN_DECLS

typedef struct edo_udp edo_udp;

/* ---- life ---- */

/* A zeroed struct is the default. */
typedef struct edo_udp_options {
    bool reuse_address; // SO_REUSEADDR: several sockets may have the address; only the last socket
                        // receives
    bool reuse_port;    // SO_REUSEPORT: several sockets of one user share the datagrams
    bool only_v6;       // an IPv6 socket receives no IPv4 datagrams
    bool broadcast;     // may send to broadcast addresses
    bool reserved[4];
    int send_buffer, recv_buffer; // bytes; 0: the system's sizes
    const char *device;           // name of the only interface that is used, or NULL
    void *reserved_more[2];
} edo_udp_options;

/* Makes a socket and binds it to an address. Port 0 means a free port. options: NULL for the
 * default. edo_udp_bind_text() parses the address: ":53" is port 53 of all addresses, of both
 * families if the machine has both. Host names must first be looked up by edo_lookup().
 * Returns: 0 with *ret_socket; -EINVAL for a bad address; -EADDRINUSE, -EADDRNOTAVAIL, -EACCES,
 * -EMFILE, -ENOMEM, ... */
EDO_API EDO_MUST_USE int edo_udp_bind(const edo_address *address, const edo_udp_options *options,
                                      edo_udp **ret_socket);
EDO_API EDO_MUST_USE int edo_udp_bind_text(const char *address, const edo_udp_options *options,
                                           edo_udp **ret_socket);

/* Makes a socket that is connected to a peer, from any local address. */
EDO_API EDO_MUST_USE int edo_udp_open(const edo_address *peer, const edo_udp_options *options,
                                      edo_udp **ret_socket);

/* Wraps a UDP socket, which belongs to the edo_udp from then on.
 * Returns: 0; -EINVAL if `fd` is not a UDP socket; -ENOTSOCK; -EBADF; -ENOMEM. On failure the
 * socket still belongs to the caller. */
EDO_API EDO_MUST_USE int edo_udp_from_fd(edo_fd fd, edo_udp **ret_socket);
EDO_API edo_fd edo_udp_fd(const edo_udp *socket);

/* Ends the edo_udp, and hands its descriptor to the caller. Returns: the descriptor; -EBUSY while
 * operations are in flight. */
EDO_API EDO_MUST_USE edo_fd edo_udp_into_fd(edo_udp *socket);

/* Ends the socket: operations in flight answer -ECANCELED. NULL is ignored. */
EDO_API void edo_udp_close(edo_udp *socket);

/* Connects to a peer: the socket then receives only the peer's datagrams, and edo_udp_send() sends
 * to the peer. A later call may set another peer, and NULL removes the peer. Nothing is sent. */
EDO_API int edo_udp_connect(edo_udp *socket, const edo_address *peer);

/* These calls read the socket's own address, or the peer's address. Returns: 0; -ENOTCONN without a
 * peer. */
EDO_API int edo_udp_local(const edo_udp *socket, edo_address *ret_address);
EDO_API int edo_udp_peer(const edo_udp *socket, edo_address *ret_address);

/* Takes the socket's pending error: 0 or a negative errno. */
EDO_API int edo_udp_take_error(edo_udp *socket);

/* ---- datagrams ---- */

/* Receives one datagram. ret_from: receives the sender, also if the datagram was cut; may be NULL.
 * edo_udp_peek() leaves the datagram in the socket.
 * Result: bytes in the buffer, perhaps 0; -EMSGSIZE if the datagram was cut; -EOPNOTSUPP with
 * EDO_UDP_GRO.
 * Cancel: prompt; no datagram is lost. */
EDO_API EDO_MUST_USE edo_op edo_udp_recv(edo_udp *socket, void *buffer, size_t size);
EDO_API EDO_MUST_USE edo_op edo_udp_recv_from(edo_udp *socket, void *buffer, size_t size,
                                              edo_address *ret_from);
EDO_API EDO_MUST_USE edo_op edo_udp_peek(edo_udp *socket, void *buffer, size_t size,
                                         edo_address *ret_from);

/* Sends one datagram. edo_udp_send() sends to the peer of a connected socket.
 * Result: size; -EMSGSIZE for a datagram that is too long; -EDESTADDRREQ without a peer; -ENOBUFS
 * and other errors. An error ends this operation, but not the socket.
 * Cancel: prompt; the datagram was sent whole or not at all. */
EDO_API EDO_MUST_USE edo_op edo_udp_send(edo_udp *socket, const void *data, size_t size);
EDO_API EDO_MUST_USE edo_op edo_udp_send_to(edo_udp *socket, const void *data, size_t size,
                                            const edo_address *to);

/* ---- messages: vectors and ancillary data ---- */

/* Receives one datagram into the buffers of a message, with its sender and its ancillary data.
 * Result: bytes in the buffers; message->size is the true size. message->flags shows whether data
 * or ancillary data were cut. -EINVAL with EDO_UDP_GRO for a message without room for ancillary
 * data.
 * Cancel: prompt; no datagram is lost. */
EDO_API EDO_MUST_USE edo_op edo_udp_recv_message(edo_udp *socket, edo_message *message);

/* Sends the buffers of a message as one datagram. Result, Cancel: as edo_udp_send(). */
EDO_API EDO_MUST_USE edo_op edo_udp_send_message(edo_udp *socket, edo_message *message);

/* Receives up to `count` datagrams, but at most 64. Waits for the first datagram, and also takes
 * further datagrams that have already arrived. The options of the messages must be zero.
 * Result: number of datagrams, from messages[0] on, in the order of their arrival; -EINVAL for a
 * count of 0.
 * Cancel: prompt; no datagram is lost. */
EDO_API EDO_MUST_USE edo_op edo_udp_recv_many(edo_udp *socket, edo_message *messages, size_t count);

/* Sends each message as one datagram, in the order of the array, and waits as needed. Consecutive
 * messages of the same size, to the same address and with one buffer each, cost much less, because
 * the kernel takes them in one call (GSO). The options of the first message apply to all messages.
 * If a message fails, its `error` is the reason, and the messages after it are still sent. `error`
 * is 0 for messages that were sent.
 * Result: number of datagrams sent; if none was sent, the error of the first message; -EINVAL for a
 * count of 0.
 * edo_op_progress() is the number of messages that were tried.
 * Cancel: prompt; the result is above 0 if messages had been sent. */
EDO_API EDO_MUST_USE edo_op edo_udp_send_many(edo_udp *socket, edo_message *messages, size_t count);

/* Sends the one buffer of a message as datagrams of `segment` bytes each. The last datagram may be
 * shorter. The kernel or the device cuts the buffer (GSO). If they refuse, edo cuts the buffer. The
 * message must have no ancillary data.
 * Result: bytes sent, which is the size of the buffer; -EINVAL for a segment of 0 or above 65507
 * bytes, and for a message without exactly one buffer. On failure and on cancellation,
 * message->size and edo_op_progress() are the bytes that were sent.
 * Cancel: prompt. */
EDO_API EDO_MUST_USE edo_op edo_udp_send_segments(edo_udp *socket, edo_message *message,
                                                  size_t segment);

/* ---- without waiting: as the operations above, and -EAGAIN instead of a wait ---- */

EDO_API int64_t edo_udp_try_recv(edo_udp *socket, void *buffer, size_t size);
EDO_API int64_t edo_udp_try_recv_from(edo_udp *socket, void *buffer, size_t size,
                                      edo_address *ret_from);
EDO_API int64_t edo_udp_try_peek(edo_udp *socket, void *buffer, size_t size, edo_address *ret_from);
EDO_API int64_t edo_udp_try_send(edo_udp *socket, const void *data, size_t size);
EDO_API int64_t edo_udp_try_send_to(edo_udp *socket, const void *data, size_t size,
                                    const edo_address *to);
EDO_API int64_t edo_udp_try_recv_message(edo_udp *socket, edo_message *message);
EDO_API int64_t edo_udp_try_send_message(edo_udp *socket, edo_message *message);
EDO_API int64_t edo_udp_try_recv_many(edo_udp *socket, edo_message *messages, size_t count);
EDO_API int64_t edo_udp_try_send_many(edo_udp *socket, edo_message *messages, size_t count);

/* ---- options ---- */

/* Options of a socket. Values are numbers; the value of a flag is 0 or 1. On a socket for both
 * families, an option applies to both families. */
typedef enum edo_udp_option {
    EDO_UDP_BROADCAST,           // may send to broadcast addresses
    EDO_UDP_SEND_BUFFER,         // bytes; on Linux the getter returns twice the value that was set
    EDO_UDP_RECV_BUFFER,         // bytes
    EDO_UDP_TTL,                 // time to live (hop limit), 1 to 255
    EDO_UDP_TOS,                 // type of service (traffic class), 0 to 255; two low bits: ECN
    EDO_UDP_MULTICAST_LOOP,      // this machine also receives its own multicast; on by default
    EDO_UDP_MULTICAST_TTL,       // 1 by default: this network only
    EDO_UDP_MULTICAST_INTERFACE, // interface that sends multicast; 0: the routes decide
    EDO_UDP_MTU_DISCOVERY,       // an edo_udp_mtu_discovery
    EDO_UDP_MTU,                 // read-only: greatest packet to the peer of this socket, in bytes
    EDO_UDP_GRO,                 // the kernel may merge datagrams: see edo_datagram_part()
    EDO_UDP_ERRORS,              // errors of the network are put into the error queue
    EDO_UDP_RECV_LOCAL,          // RECV_*: received messages have a record, see edo_datagram_info
    EDO_UDP_RECV_TTL,
    EDO_UDP_RECV_TOS,
    EDO_UDP_RECV_TIMESTAMP,
    EDO_UDP_RECV_DROPS,
    EDO_UDP_SEND_TIMESTAMPS, // the time of each send is put into the error queue
    EDO_UDP_OPTIONS
} edo_udp_option;

/* Treatment of a datagram that is too long for a link. */
typedef enum edo_udp_mtu_discovery {
    EDO_MTU_FRAGMENT, // the datagram is sent in fragments
    EDO_MTU_ROUTE,    // the system's default
    EDO_MTU_REFUSE,   // the send fails with -EMSGSIZE; routers report an error
    EDO_MTU_PROBE,    // as EDO_MTU_REFUSE, but the known MTU of the path is ignored
} edo_udp_mtu_discovery;

/* These calls set and get an option. Returns: 0, or the value; -EINVAL; -EOPNOTSUPP if the option
 * cannot be read; -ENOTCONN for EDO_UDP_MTU without a peer; ... */
EDO_API int edo_udp_set(edo_udp *socket, edo_udp_option option, int value);
EDO_API int edo_udp_get(const edo_udp *socket, edo_udp_option option);

/* These calls join and leave a multicast group, for all sources or for one source. interface:
 * number from edo_interface_number(); 0: the system chooses by the routes. A socket receives the
 * datagrams of a group only if this socket has joined the group.
 * Returns: 0; -EINVAL if `group` is not a multicast address; -EADDRINUSE, -EADDRNOTAVAIL, -ENODEV,
 * ... */
EDO_API int edo_udp_join(edo_udp *socket, const edo_address *group, uint32_t interface);
EDO_API int edo_udp_leave(edo_udp *socket, const edo_address *group, uint32_t interface);
EDO_API int edo_udp_join_source(edo_udp *socket, const edo_address *group,
                                const edo_address *source, uint32_t interface);
EDO_API int edo_udp_leave_source(edo_udp *socket, const edo_address *group,
                                 const edo_address *source, uint32_t interface);

/* ---- records of datagrams ---- */

/* Bytes for all records of one datagram. The memory must be aligned to 8 bytes. */
#define EDO_UDP_CONTROL_SIZE 384

/* Bits of edo_datagram_info.present. */
enum {
    EDO_DATAGRAM_LOCAL = 1, // local, interface
    EDO_DATAGRAM_TTL = 2,
    EDO_DATAGRAM_TOS = 4,
    EDO_DATAGRAM_TIMESTAMP = 8,
    EDO_DATAGRAM_SEGMENT = 16,
    EDO_DATAGRAM_DROPS = 32,
};

typedef struct edo_datagram_info {
    uint32_t present;   // EDO_DATAGRAM_*: the members with a value
    uint32_t interface; // number of the interface; 0: any
    edo_address local;  // address on this machine, without a port
    int ttl, tos;
    int64_t timestamp; // time of the arrival; ns since 1970
    uint32_t segment;  // bytes of each datagram, if the message holds several
    uint32_t drops;    // datagrams that the socket has dropped so far, for lack of room
} edo_datagram_info;

/* Reads the records of a received message. */
EDO_API void edo_datagram_info_read(const edo_control *control, edo_datagram_info *ret_info);

/* Appends records for a send: local address and interface, TTL, TOS, segment size. Other members of
 * `info` are ignored. to: the destination. For instance, a server that is bound to all addresses
 * can answer from the address to which the request was sent, if it passes on the edo_datagram_info
 * that it has read.
 * Returns: 0; -ENOSPC without room; -EINVAL. */
EDO_API EDO_MUST_USE int edo_datagram_info_write(edo_control *control,
                                                 const edo_datagram_info *info,
                                                 const edo_address *to);

/* Steps through the datagrams of a message with one buffer. With EDO_UDP_GRO a message may hold
 * several datagrams, which have the same size, except that the last one may be shorter. Without
 * EDO_UDP_GRO a message holds one datagram. The buffer should have 65535 bytes. *offset is 0 before
 * the first call. Returns: whether there was another datagram. */
EDO_API bool edo_datagram_part(const edo_message *message, size_t *offset, edo_slice *ret_part);

/* ---- the error queue ---- */

typedef enum edo_error_origin {
    EDO_ERROR_LOCAL = 1, // this machine
    EDO_ERROR_ICMP,      // a router or the peer; type and code as in ICMP or ICMPv6
    EDO_ERROR_ICMP6,
    EDO_ERROR_TIMESTAMP, // no error: the time of a send
    EDO_ERROR_ZERO_COPY, // no error: the kernel no longer uses memory that was sent
} edo_error_origin;

typedef struct edo_datagram_error {
    int error; // negative errno
    edo_error_origin origin;
    uint8_t type, code;
    uint32_t mtu;         // for -EMSGSIZE: greatest packet for the path, in bytes
    uint32_t id;          // for a timestamp: number of the send, from 0
    int64_t timestamp;    // for a timestamp: ns since 1970
    edo_address offender; // sender of the error, if known
} edo_datagram_error;

/* Waits until the error queue has a message, and takes that message. The buffers of `message` then
 * hold the datagram that was sent, or its beginning. message->address is the destination of the
 * datagram. `message` needs memory for ancillary data, from which edo_datagram_error_read() reads
 * the error.
 * Result: bytes in the buffers; the socket's error, if the queue has no message about this error;
 * -EBUSY while another such operation waits.
 * Cancel: waits; no message is lost. */
EDO_API EDO_MUST_USE edo_op edo_udp_recv_error(edo_udp *socket, edo_message *message);
EDO_API int64_t edo_udp_try_recv_error(edo_udp *socket, edo_message *message);

/* Reads the error of a message from the error queue. Returns: false if there is no error. */
EDO_API bool edo_datagram_error_read(const edo_control *control, edo_datagram_error *ret_error);

EDO_END_DECLS
