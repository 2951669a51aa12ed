/* Contract with the operating system: sockets between processes of one machine, and the files that
 * name them. Any thread may make every call. Results are 0 or a negative errno, except where a
 * comment says otherwise. */
#pragma once

#include <edo/unix.h>

#include "sys/sockets.h"

/* ---- the peer of a socket ---- */

/* -ENOTSUP for sockets of other families. The second returns a descriptor; -ESRCH; -ENOTSUP. */
int edo__local_peer(edo_fd fd, edo_unix_peer *ret_peer);
edo_fd edo__local_peer_pidfd(edo_fd fd);

/* SO_PASSCRED: each message that is received has the credentials of its sender. */
int edo__local_set_credentials(edo_fd fd, bool on);

/* ---- records of ancillary data: as the calls of edo/unix.h ---- */

int edo__control_add_fds(edo_control *control, const edo_fd *fds, size_t count);
size_t edo__control_take_fds(edo_control *control, edo_fd *ret_fds, size_t room);
int edo__control_add_credentials(edo_control *control, const edo_unix_peer *from);
int edo__control_credentials(const edo_control *control, edo_unix_peer *ret_from);

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
int edo__local_bind(edo_fd fd, const edo_address *address, const edo__local_rights *rights);

/* Copies the path of an address, terminated. Returns: whether the address has a path. */
enum { EDO__LOCAL_PATH_SIZE = 109 };
bool edo__local_path(const edo_address *address, char ret_path[EDO__LOCAL_PATH_SIZE]);

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
int edo__local_is_stale(edo__socket_type type, const edo_address *address);
