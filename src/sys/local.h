/* Contract with the operating system: sockets between processes of one machine, and the files that
 * name them. Any thread may make every call. Results are 0 or a negative errno, except where a
 * comment says otherwise. */
#pragma once

#include <edo/unix.h>

typedef enum edo__local_kind {
    EDO__LOCAL_STREAM,
    EDO__LOCAL_DATAGRAM,
    EDO__LOCAL_SEQPACKET,
} edo__local_kind;

/* ---- sockets; non-blocking and closed by exec ---- */

/* Returns: a descriptor. */
edo_fd edo__local_open(edo__local_kind kind);
int edo__local_pair(edo__local_kind kind, edo_fd ret_fds[2]);

/* Connects at once. -EAGAIN: the listener's queue is full. */
int edo__local_connect(edo_fd fd, const edo_unix_address *address);

/* Reads the name of a socket, or of its peer. -EAFNOSUPPORT for sockets of other families. */
int edo__local_name(edo_fd fd, bool peer, edo_unix_address *ret_address);

/* -ENOTSUP for sockets of other families. The second returns a descriptor; -ESRCH; -ENOTSUP. */
int edo__local_peer(edo_fd fd, edo_unix_peer *ret_peer);
edo_fd edo__local_peer_pidfd(edo_fd fd);

/* ---- names that are files ---- */

/* Rights of a path; a zero member keeps the system's choice. */
typedef struct edo__local_rights {
    uint32_t mode, owner_plus_1, group_plus_1;
} edo__local_rights;

/* Identity of a file. */
typedef struct edo__file_id {
    uint64_t device, inode;
} edo__file_id;

/* Gives a socket its name. A path has the rights from its first moment, or before the socket can
 * listen. On failure the path does not remain. */
int edo__local_bind(edo_fd fd, const edo_unix_address *address, const edo__local_rights *rights);

/* The path of an address, terminated. */
enum { EDO__LOCAL_PATH_SIZE = 109 };
void edo__local_path(const edo_unix_address *address, char ret_path[EDO__LOCAL_PATH_SIZE]);

/* Makes a relative path absolute, so that the path stays valid when the process changes its
 * directory. -ENAMETOOLONG. */
enum { EDO__LOCAL_ABSOLUTE_SIZE = 4096 + EDO__LOCAL_PATH_SIZE };
int edo__local_absolute(const char *path, char ret_path[EDO__LOCAL_ABSOLUTE_SIZE]);

/* Reads the identity of the socket at a path. Follows no link. -ENOTSOCK. */
int edo__local_identify(const char *path, edo__file_id *ret_id);

/* Removes a path if the file there still has this identity. */
void edo__local_remove(const char *path, const edo__file_id *id);

/* Locks the directory of a path against other callers of this function, until the descriptor is
 * closed. Returns: a descriptor; -EAGAIN: locked by another process; another negative errno. */
edo_fd edo__local_lock_directory(const char *path);

/* Finds out whether a path belongs to nobody. Returns: 0: a socket to which nobody listens;
 * -ENOENT: no file; -EADDRINUSE: in use, or not a socket; another negative errno: unknown. */
int edo__local_is_stale(edo__local_kind kind, const edo_unix_address *address);
