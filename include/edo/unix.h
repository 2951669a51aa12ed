/* Unix sockets: streams between processes of one machine.
 *
 * An address is text: a path ("/run/app.sock", "app.sock"), taken as it is; "@name" for a name in
 * Linux's abstract namespace, which has no file; or the form of edo/address.h, "unix:/run/app.sock"
 * or "unix:@name". In the last two, "\xNN" stands for the byte with that hexadecimal number, so an
 * abstract name may contain any byte. A path that begins with "@" or "unix:" is written "./@...".
 * "unix:" alone, to listen or to bind, lets the system choose an abstract name.
 *
 * A path has at most 108 bytes, an abstract name 107. A longer one answers -ENAMETOOLONG, and is
 * never cut. The calls that write an address write the form of edo/address.h.
 *
 * A listener is the edo_listener of edo/net.h: edo_accept(), edo_listener_close() and the other
 * calls work as with TCP. A connection is an edo_io.
 *
 *     rc = edo_unix_listen("/run/app.sock", &self->listener)   // an operation, as edo_tcp_listen()
 *     rc = edo_unix_connect("/run/app.sock", &self->conn)
 *
 * NULL in place of a connection, an address or an output answers -EINVAL.
 */
#pragma once

#include <edo/net.h>

EDO_BEGIN_DECLS

/* ---- listening ---- */

/* A zeroed struct is the default. All members after `backlog` concern a path, and are ignored for
 * an abstract name. */
typedef struct edo_unix_listen_options {
    int backlog; // 0: 1024

    /* Permissions of the path, such as 0660: a client needs the right to write. 0: as the umask
     * has it. No client can connect before the permissions and the owner are set. */
    uint32_t mode;

    /* Owner and group of the path, plus 1; 0: as the process has them. */
    uint32_t owner_plus_1, group_plus_1;

    /* The close of the listener removes the path, if the path is still this socket's (the same
     * device and inode). A child made by fork() does not remove it. */
    bool unlink_at_close;

    /* A socket at the path to which nobody listens is replaced. Without this, and whenever the path
     * is in use or is no socket, the call answers -EADDRINUSE. While the path is examined and
     * bound, flock(2) on its directory keeps others out who use this option: if several processes
     * begin at once, exactly one listens. A program that binds without this option, and has not yet
     * called listen(2), would be taken for dead. */
    bool replace_stale;

    bool reserved[6];
} edo_unix_listen_options;

/* Listens on an address; the text must outlive the operation. The path of a listener is not removed
 * when the listener closes, unless an option says so.
 * Result: 0 with *ret_listener; -EINVAL or -ENAMETOOLONG for a bad address; -EADDRINUSE, -EACCES,
 * -ENOENT (no such directory), -EPERM (for the owner), -EMFILE, ...; with replace_stale, also the
 * errors of opening and locking the directory. After a failure, nothing is left at the path that
 * was not there before.
 * Cancel: prompt; not listening. */
EDO_API EDO_MUST_USE edo_op edo_unix_listen(const char *address, edo_listener **ret_listener);
EDO_API EDO_MUST_USE edo_op edo_unix_listen_with(const char *address,
                                                 edo_unix_listen_options options,
                                                 edo_listener **ret_listener);

/* Lets the path stay when the listener closes, for a listener whose socket another process
 * continues to use. */
EDO_API void edo_unix_keep_path(edo_listener *listener);

/* ---- connecting ---- */

/* Connects to an address; the text must outlive the operation. While the listener's queue is full,
 * the operation tries again after pauses of 1 ms to 64 ms, because the system reports no event.
 * Result: 0 with *ret_conn; -EINVAL or -ENAMETOOLONG for a bad address; -ENOENT: no such path;
 * -ECONNREFUSED: nobody listens, or not a socket; -EACCES; -EPROTOTYPE: a socket of another type.
 * Cancel: prompt; no connection is left. */
EDO_API EDO_MUST_USE edo_op edo_unix_connect(const char *address, edo_io **ret_conn);

/* Makes two connected streams. Returns: 0; -ENOMEM; -EMFILE and other errors of socketpair(2). On
 * failure there are none. Thread: any. */
EDO_API EDO_MUST_USE int edo_unix_pair(edo_io **ret_end, edo_io **ret_other);

/* Writes the local or the peer's address of a connection as text; "unix:" for a socket without a
 * name, as most clients have. The address of a listener is read by edo_listener_address().
 * buffer: of EDO_ADDRESS_TEXT_SIZE. Returns: the length; -ENOSPC for a buffer that is too small;
 * -ENOTSUP for another kind of stream; -ENOTCONN. */
EDO_API int edo_unix_local_address(const edo_io *conn, char *buffer, size_t size);
EDO_API int edo_unix_peer_address(const edo_io *conn, char *buffer, size_t size);

/* ---- the peer ---- */

/* A process: as it was when it called connect(), listen() or socketpair(), even if another process
 * has its descriptor by now. */
typedef struct edo_unix_peer {
    int32_t pid; // in this process's namespace; 0: not visible there
    uint32_t uid, gid;
} edo_unix_peer;

/* Reads the credentials of the peer, which the system has recorded. The number of a process may be
 * used again after its end; edo_unix_peer_pidfd() has no such doubt.
 * Returns: 0; -ENOTSUP for another kind of stream; -ENOTCONN. */
EDO_API int edo_unix_peer_credentials(const edo_io *conn, edo_unix_peer *ret_peer);

/* Opens a pidfd of the peer, close-on-exec: a handle of the process, also when it has ended.
 * Returns: the descriptor, which is the caller's; -ESRCH: the peer has ended, and left no handle;
 * -ENOTSUP: the system has no such call (before Linux 6.5), or another kind of stream; -EMFILE. */
EDO_API edo_fd edo_unix_peer_pidfd(const edo_io *conn);

EDO_END_DECLS
