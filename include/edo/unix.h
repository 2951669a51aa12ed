/* Unix sockets: streams, records and datagrams between processes of one machine, and descriptors
 * that they pass to each other.
 *
 * An address is text, in one of three forms:
 * - a path ("/run/app.sock", "app.sock"), used unchanged;
 * - "@name", for a name in Linux's abstract namespace, which has no file;
 * - the form of edo/address.h: "unix:/run/app.sock" or "unix:@name". In this form, "\xNN" is the
 *   byte with that hexadecimal number, so an abstract name may contain any byte.
 * A path that begins with "@" or "unix:" is written with "./" before it. For a listen or a bind,
 * "unix:" alone lets the system choose an abstract name.
 *
 * A path has at most 108 bytes, and an abstract name at most 107. A longer path or name is not cut,
 * but refused with -ENAMETOOLONG. Calls that write an address use the form of edo/address.h.
 *
 * A listener is the edo_listener of edo/net.h: edo_accept(), edo_listener_close() and the other
 * calls work as with TCP. A connection is an edo_io.
 *
 *     rc = edo_unix_listen("/run/app.sock", &self->listener)   // an operation, as edo_tcp_listen()
 *     rc = edo_unix_connect("/run/app.sock", &self->conn)
 *
 * A call with NULL in place of a connection, an address or an output fails with -EINVAL.
 */
#pragma once

#include <edo/message.h>
#include <edo/net.h>

EDO_BEGIN_DECLS

typedef enum edo_unix_type {
    EDO_UNIX_STREAM,    // bytes, as TCP
    EDO_UNIX_SEQPACKET, // records: a connection that keeps the boundaries of messages
    EDO_UNIX_DATAGRAM,  // datagrams: no connection; no datagram is lost or reordered
} edo_unix_type;

/* ---- listening ---- */

/* A zeroed struct is the default. The members that concern a path are ignored for an abstract
 * name. */
typedef struct edo_unix_listen_options {
    int backlog;        // 0: 1024
    edo_unix_type type; // STREAM or SEQPACKET
    bool credentials;   // for the accepted connections: see edo_unix_set_credentials()

    /* Permissions of the path, such as 0660. A client needs the right to write. 0: as the umask
     * permits. No client can connect before the permissions and the owner are set. */
    uint32_t mode;

    /* Owner and group of the path, plus 1. 0: those of the process. */
    uint32_t owner_plus_1, group_plus_1;

    /* The close of the listener removes the path, if the file at the path is still this socket (the
     * same device and inode). A child made by fork() does not remove the path. */
    bool unlink_at_close;

    /* If no process listens on the socket at the path, the socket is replaced. If the path is in
     * use, or is not a socket, the call fails with -EADDRINUSE. (Without this option, the call
     * fails with -EADDRINUSE if the path exists.) While the path is examined and bound, flock(2) on
     * the path's directory excludes other users of this option. So if several processes begin at
     * once, exactly one of them listens. A program that binds without this option can lose its
     * socket: the socket is replaced if the program has not yet called listen(2). */
    bool replace_stale;

    bool reserved[5];
} edo_unix_listen_options;

/* Listens on an address. The text must outlive the operation. The path of a listener is not removed
 * when the listener closes, unless unlink_at_close is set.
 * Result: 0 with *ret_listener; -EINVAL or -ENAMETOOLONG for a bad address; -EADDRINUSE, -EACCES,
 * -ENOENT (no such directory), -EPERM (the process may not set the requested owner or group),
 * -EMFILE, ...; with replace_stale, also the errors of opening and locking the directory. A failed
 * call leaves no new socket at the path.
 * Cancel: prompt; not listening. */
EDO_API EDO_MUST_USE edo_op edo_unix_listen(const char *address, edo_listener **ret_listener);
EDO_API EDO_MUST_USE edo_op edo_unix_listen_with(const char *address,
                                                 edo_unix_listen_options options,
                                                 edo_listener **ret_listener);

/* Keeps the path from being removed when the listener closes. Useful if another process continues
 * to use the listener's socket. */
EDO_API void edo_unix_keep_path(edo_listener *listener);

/* ---- connecting ---- */

/* Connects to an address. The text must outlive the operation. The system does not report when the
 * listener's full queue has room. So while the queue is full, the operation tries again after
 * pauses of 1 ms to 64 ms.
 * Result: 0 with *ret_conn; -EINVAL or -ENAMETOOLONG for a bad address; -ENOENT: no such path;
 * -ECONNREFUSED: no process listens, or the path is not a socket; -EACCES; -EPROTOTYPE: the path is
 * a socket of another type.
 * Cancel: prompt; no connection is left. */
EDO_API EDO_MUST_USE edo_op edo_unix_connect(const char *address, edo_io **ret_conn);

/* A zeroed struct is the default. */
typedef struct edo_unix_connect_options {
    edo_unix_type type; // a DATAGRAM socket has no name; `address` is its only peer
    bool credentials;   // see edo_unix_set_credentials()
    bool reserved[11];
} edo_unix_connect_options;

EDO_API EDO_MUST_USE edo_op edo_unix_connect_with(const char *address,
                                                  edo_unix_connect_options options,
                                                  edo_io **ret_conn);

/* Makes two connected sockets. edo_unix_pair() makes streams. Returns: 0; -ENOMEM; -EMFILE and
 * other errors of socketpair(2). On failure no socket remains. Thread: any. */
EDO_API EDO_MUST_USE int edo_unix_pair(edo_io **ret_end, edo_io **ret_other);
EDO_API EDO_MUST_USE int edo_unix_pair_of(edo_unix_type type, edo_io **ret_end, edo_io **ret_other);

/* These calls write an address of a connection as text: the local address, or the peer's address. A
 * socket without a name, as most clients have, is written as "unix:". For the address of a
 * listener, use edo_listener_address().
 * buffer: of EDO_ADDRESS_TEXT_SIZE. Returns: the length; -ENOSPC for a buffer that is too small;
 * -ENOTSUP for another kind of stream; -ENOTCONN. */
EDO_API int edo_unix_local_address(const edo_io *conn, char *buffer, size_t size);
EDO_API int edo_unix_peer_address(const edo_io *conn, char *buffer, size_t size);

/* ---- the peer ---- */

/* The process that called connect(), listen() or socketpair(), with its ids at the time of that
 * call. By now, another process may hold the descriptor. */
typedef struct edo_unix_peer {
    int32_t pid; // pid in this process's namespace; 0: not visible there
    uint32_t uid, gid;
} edo_unix_peer;

/* Reads the credentials of the peer, as the system has recorded them. After the peer's end another
 * process may get the same pid. To be sure of the process, use edo_unix_peer_pidfd().
 * Returns: 0; -ENOTSUP for another kind of stream; -ENOTCONN. */
EDO_API int edo_unix_peer_credentials(const edo_io *conn, edo_unix_peer *ret_peer);

/* Opens a pidfd of the peer, close-on-exec. A pidfd is a handle of one process. It stays valid
 * after the process has ended, and never means another process.
 * Returns: the descriptor, which belongs to the caller; -ESRCH: the peer has ended, and no handle
 * is available; -ENOTSUP: the system has no such call (before Linux 6.5), or `conn` is another kind
 * of stream; -EMFILE. */
EDO_API edo_fd edo_unix_peer_pidfd(const edo_io *conn);

/* ---- datagrams ---- */

/* Makes a socket for datagrams. address: the socket's name. NULL: the socket has no name, so no
 * process can send to it. "unix:": the system chooses a name. mode: permissions of a path, as in
 * edo_unix_listen_options. The close does not remove the path.
 * Returns: 0; -EADDRINUSE and other errors, as for edo_unix_listen(). Thread: any. */
EDO_API EDO_MUST_USE int edo_unix_datagram(const char *address, uint32_t mode, edo_io **ret_io);

/* Connects a socket for datagrams to a peer: the socket then receives only from this peer. NULL:
 * removes the peer.
 * Returns: 0; -ECONNREFUSED: the peer's socket is closed; errors as for edo_unix_connect(). */
EDO_API int edo_unix_datagram_connect(edo_io *io, const char *address);

/* ---- messages ----
 *
 * A message (edo/message.h) is one datagram, one record, or some bytes of a stream, together with
 * ancillary data: descriptors and credentials. edo_read() and edo_write() also move datagrams and
 * records. But a read cuts those that are longer than the buffer, and does not distinguish an empty
 * record from the end. Like a read or a write, a message operation occupies one side of the stream.
 *
 *     _Alignas(8) char room[EDO_CONTROL_FDS_SIZE(1)];                    // all in the frame
 *     edo_control control;  edo_slice slice;  edo_message message;
 *
 *     self->control = (edo_control){ self->room, sizeof self->room, 0 };
 *     self->slice = (edo_slice){ self->buffer, sizeof self->buffer };
 *     self->message = (edo_message){ .slices = &self->slice, .slice_count = 1,
 *                                    .control = &self->control };
 *     edo_await(rc, edo_unix_recv_message(self->conn, &self->message));
 *     size_t count = edo_control_take_fds(&self->control, &self->fd, 1);
 */

/* Receives one message. message->size is the message's true size. EDO_MESSAGE_TRUNCATED in
 * message->flags: the message was longer than the buffers, and the rest is lost. message->address
 * is the sender of a datagram, if the sender has a name.
 *
 * On a stream, bytes are received up to the buffers' size. Descriptors are received together with
 * the first of the bytes with which they were sent. A receive that gets descriptors ends after the
 * bytes that were sent with them. The next receive takes the bytes that follow.
 *
 * A received descriptor is lost if the control has no room for it, or if the process has reached
 * its limit of open descriptors. The system closes such a descriptor, and
 * EDO_MESSAGE_CONTROL_TRUNCATED is set. The bytes are received nevertheless. Received descriptors
 * are closed by exec. With EDO_MESSAGE_PEEK they are duplicates.
 * Result: 1; 0 at the end of a connection; -EINVAL for a stream if the buffers have no room for a
 * byte.
 * Cancel: prompt; no message and no descriptor is lost. */
EDO_API EDO_MUST_USE edo_op edo_unix_recv_message(edo_io *io, edo_message *message);

/* Sends one message, and on a stream all bytes of the message. Descriptors are sent once, with the
 * first byte. The descriptors still belong to the caller, and must stay open until the operation is
 * ready.
 *
 * If a datagram is sent to an address, the receiver's queue may be full, and the system does not
 * report when that queue has room. So the operation tries again after pauses of 1 ms to 64 ms. On a
 * socket with a peer (edo_unix_datagram_connect) the system reports the room, and the operation
 * needs no pauses.
 * Result: bytes sent; -EPIPE; -EMSGSIZE: a datagram or record is too long for the socket's buffer;
 * -EINVAL: on a stream, ancillary data need at least one byte of data; -ETOOMANYREFS: too many
 * descriptors in flight; -EPERM: credentials of others; other errors of sendmsg(2).
 * Cancel: prompt; a datagram or record was sent whole or not at all. On a stream, edo_op_progress()
 * bytes were sent. The slices then have the bytes that were not sent, and control->size is 0 if the
 * ancillary data were sent. So the same call, made again, continues the send. */
EDO_API EDO_MUST_USE edo_op edo_unix_send_message(edo_io *io, edo_message *message);

/* ---- descriptors ---- */

/* Bytes of a control for `count` descriptors, at most 253. If the count is odd, the system rounds
 * up, and a peer may send one descriptor more than `count`. edo_control_take_fds() with room for
 * `count` closes the additional descriptor. */
#define EDO_CONTROL_FDS_SIZE(count) EDO_CONTROL_SPACE((count) * sizeof(edo_fd))

/* Adds descriptors, as one record, to a message that will be sent. A message may have one such
 * record.
 * count: 1 to 253. Returns: 0; -EINVAL; -ENOSPC for a control without room. */
EDO_API int edo_control_add_fds(edo_control *control, const edo_fd *fds, size_t count);

/* Takes the descriptors out of a received message. The descriptors then belong to the caller. If
 * there are more than `room`, the others are closed. If the program does not make this call, the
 * descriptors of the message stay open.
 * Returns: the number of descriptors, at most `room`. */
EDO_API size_t edo_control_take_fds(edo_control *control, edo_fd *ret_fds, size_t room);

/* ---- credentials ---- */

/* Bytes of a control for credentials. */
#define EDO_CONTROL_CREDENTIALS_SIZE 32

/* Adds the sender's credentials to each received message. The sender is the process that wrote the
 * message, even if another process connected the socket. Messages that were sent before this call
 * have no credentials. The option `credentials` of edo_unix_listen_with() and
 * edo_unix_connect_with() is set early enough for all messages.
 *
 * On a connection of records the credentials are on from the start, and must stay on, because they
 * distinguish an empty record from the end. If a control has no room for the credentials, it
 * receives only the other ancillary data. For a socket that was made elsewhere (edo_io_from_fd(),
 * edo_listener_from_fd()), the program must make this call. Otherwise an empty record counts as the
 * end.
 * Returns: 0; -ENOTSUP. */
EDO_API int edo_unix_set_credentials(edo_io *io, bool on);

/* Adds credentials to a message that will be sent. Without this call, the system adds the
 * credentials of the sender. Only a privileged process may send credentials other than its own.
 * Returns: 0; -ENOSPC. */
EDO_API int edo_control_add_credentials(edo_control *control, const edo_unix_peer *from);

/* Reads the credentials of a received message. Returns: 0; -ENODATA: the message has none. */
EDO_API int edo_control_credentials(const edo_control *control, edo_unix_peer *ret_from);

EDO_END_DECLS
