/* Contract with the operating system: Unix sockets, and the files that are their names. Thread:
 * any. Results are 0 or a negative errno, except where a comment says otherwise. */
#pragma once

#include <edo/unix.h>

#include "sys/sockets.h"

/* ---- the peer of a socket ---- */

/* edo__local_peer: reads the credentials of the peer. Returns: 0; -ENOTSUP for sockets of other
 * families. edo__local_peer_pidfd: opens a descriptor for the process of the peer. Returns: the
 * descriptor; -ESRCH; -ENOTCONN; -ENOTSUP. */
int edo__local_peer(edo_fd fd, edo_unix_peer *ret_peer);
edo_fd edo__local_peer_pidfd(edo_fd fd);

/* Sets SO_PASSCRED. While it is on, each received message has the credentials of the sender. */
int edo__local_set_credentials(edo_fd fd, bool on);

/* ---- records of ancillary data: as the calls of edo/unix.h ---- */

int edo__control_add_fds(edo_control *control, const edo_fd *fds, size_t count);
size_t edo__control_take_fds(edo_control *control, edo_fd *ret_fds, size_t room);
int edo__control_add_credentials(edo_control *control, const edo_unix_peer *from);
int edo__control_credentials(const edo_control *control, edo_unix_peer *ret_from);

/* ---- names that are files ---- */

/* Permissions and owners of a path. If a member is 0, the system chooses. */
typedef struct edo__local_rights {
    uint32_t mode, owner_plus_1, group_plus_1;
} edo__local_rights;

/* Identity of a file. */
typedef struct edo__file_id {
    uint64_t device, inode;
} edo__file_id;

/* Binds a socket to a name. If the name is a path, the path gets the rights when it is created, or
 * at the latest before the socket can listen. On failure, the path is removed. */
int edo__local_bind(edo_fd fd, const edo_address *address, const edo__local_rights *rights);

/* Copies the path of an address, and adds a NUL. Returns: whether the address has a path. */
enum { EDO__LOCAL_PATH_SIZE = 109 };
bool edo__local_path(const edo_address *address, char ret_path[EDO__LOCAL_PATH_SIZE]);

/* Makes a relative path absolute, so that the path remains valid after the process has changed its
 * working directory. Returns: 0; -ENAMETOOLONG. */
enum { EDO__LOCAL_ABSOLUTE_SIZE = 4096 + EDO__LOCAL_PATH_SIZE };
int edo__local_absolute(const char *path, char ret_path[EDO__LOCAL_ABSOLUTE_SIZE]);

/* Reads the identity of the socket file at a path. Does not follow a symlink. Returns: 0;
 * -ENOTSOCK. */
int edo__local_identify(const char *path, edo__file_id *ret_id);

/* Removes a path if its file still has this identity. */
void edo__local_remove(const char *path, const edo__file_id *id);

/* Locks the directory of a path against other callers of this function, until the descriptor is
 * closed. Returns: a descriptor; -EAGAIN: another caller has locked the directory; another negative
 * errno. */
edo_fd edo__local_lock_directory(const char *path);

/* Checks whether the socket at a path has no owner any more. Returns: 0: no process has the socket
 * open; -ENOENT: there is no file; -EADDRINUSE: the socket is open, or the file is not a socket;
 * any other negative errno: unknown. */
int edo__local_is_stale(const edo_address *address);
