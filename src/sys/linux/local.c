/* Sockets of sys/local.h on Linux. */
#include "sys/local.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "sys/linux/local.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 // Linux 6.5
#endif

/* ---- addresses ---- */

enum { BEFORE_NAME = offsetof(struct sockaddr_un, sun_path) };

_Static_assert(sizeof(((edo_unix_address *)0)->name) == sizeof(((struct sockaddr_un *)0)->sun_path),
               "room for any name");

/* The length excludes everything behind the name: in an abstract name, a zero would be a part of
 * the name. A path of 108 bytes is not terminated. */
socklen_t edo__local_to_sockaddr(const edo_unix_address *address, struct sockaddr_un *ret)
{
    size_t first = address->is_abstract; // an abstract name begins after a zero byte
    if (address->is_abstract && address->size == 0) first = 0;
    *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
    memcpy(ret->sun_path + first, address->name, address->size);
    size_t size = first + address->size;
    if (!address->is_abstract && size < sizeof ret->sun_path) size++;
    return (socklen_t)(BEFORE_NAME + size);
}

void edo__local_from_sockaddr(const struct sockaddr_un *from, socklen_t size, edo_unix_address *ret)
{
    *ret = (edo_unix_address){ .size = 0 };
    if (size <= BEFORE_NAME) return;
    size_t length = size - BEFORE_NAME;
    if (length > sizeof from->sun_path) length = sizeof from->sun_path;
    ret->is_abstract = from->sun_path[0] == '\0';
    if (ret->is_abstract) length--;
    if (!ret->is_abstract) length = strnlen(from->sun_path, length);
    memcpy(ret->name, from->sun_path + ret->is_abstract, length);
    ret->size = (uint16_t)length;
}

/* ---- sockets ---- */

static int type_of(edo__local_kind kind)
{
    switch (kind) {
    case EDO__LOCAL_STREAM: return SOCK_STREAM;
    case EDO__LOCAL_DATAGRAM: return SOCK_DGRAM;
    case EDO__LOCAL_SEQPACKET: break;
    }
    return SOCK_SEQPACKET;
}

edo_fd edo__local_open(edo__local_kind kind)
{
    int fd = socket(AF_UNIX, type_of(kind) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

int edo__local_pair(edo__local_kind kind, edo_fd ret_fds[2])
{
    int fds[2];
    if (socketpair(AF_UNIX, type_of(kind) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
        return -errno;
    ret_fds[0] = fds[0];
    ret_fds[1] = fds[1];
    return 0;
}

int edo__local_connect(edo_fd fd, const edo_unix_address *address)
{
    struct sockaddr_un to;
    socklen_t size = edo__local_to_sockaddr(address, &to);
    int rc;
    do {
        rc = connect(fd, (const struct sockaddr *)&to, size);
    } while (rc < 0 && errno == EINTR);
    return rc < 0 ? -errno : 0;
}

int edo__local_name(edo_fd fd, bool peer, edo_unix_address *ret_address)
{
    struct sockaddr_un name = { .sun_family = AF_UNSPEC };
    socklen_t size = sizeof name;
    int rc = peer ? getpeername(fd, (struct sockaddr *)&name, &size)
                  : getsockname(fd, (struct sockaddr *)&name, &size);
    if (rc < 0) return -errno;
    if (name.sun_family != AF_UNIX) return -EAFNOSUPPORT;
    edo__local_from_sockaddr(&name, size, ret_address);
    return 0;
}

/* ---- the peer ---- */

static bool is_local(int fd)
{
    int domain = AF_UNSPEC;
    socklen_t size = sizeof domain;
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

/* The kernel answers zeros and (uid_t)-1 for a socket without a peer. */
int edo__local_peer(edo_fd fd, edo_unix_peer *ret_peer)
{
    struct ucred peer = { .pid = 0, .uid = UINT32_MAX, .gid = UINT32_MAX };
    socklen_t size = sizeof peer;
    if (!is_local(fd)) return -ENOTSUP;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) return -errno;
    if (peer.pid == 0 && peer.uid == UINT32_MAX) return -ENOTCONN;
    *ret_peer = (edo_unix_peer){ .pid = peer.pid, .uid = peer.uid, .gid = peer.gid };
    return 0;
}

/* Kernels before 6.16 answer EINVAL for a peer that was reaped, later ones have a pidfd of it.
 * Filters of system calls answer EPERM. */
edo_fd edo__local_peer_pidfd(edo_fd fd)
{
    int pidfd = -1;
    socklen_t size = sizeof pidfd;
    if (!is_local(fd)) return -ENOTSUP;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) == 0) return pidfd;
    switch (errno) {
    case EINVAL:
    case ESRCH: return -ESRCH;
    case ENODATA: return -ENOTCONN;
    case ENOPROTOOPT:
    case ENOSYS:
    case EPERM: return -ENOTSUP;
    default: return -errno;
    }
}

/* ---- paths ---- */

void edo__local_path(const edo_unix_address *address, char ret_path[EDO__LOCAL_PATH_SIZE])
{
    memcpy(ret_path, address->name, address->size);
    ret_path[address->size] = '\0';
}

int edo__local_absolute(const char *path, char ret_path[EDO__LOCAL_ABSOLUTE_SIZE])
{
    enum { SIZE = EDO__LOCAL_ABSOLUTE_SIZE };
    size_t length = 0;
    if (path[0] != '/') {
        if (!getcwd(ret_path, SIZE - EDO__LOCAL_PATH_SIZE))
            return errno == ERANGE ? -ENAMETOOLONG : -errno;
        length = strlen(ret_path);
    }
    snprintf(ret_path + length, SIZE - length, "%s%s", length ? "/" : "", path);
    return 0;
}

int edo__local_identify(const char *path, edo__file_id *ret_id)
{
    struct stat file;
    if (lstat(path, &file) < 0) return -errno;
    if (!S_ISSOCK(file.st_mode)) return -ENOTSOCK;
    *ret_id = (edo__file_id){ .device = file.st_dev, .inode = file.st_ino };
    return 0;
}

void edo__local_remove(const char *path, const edo__file_id *id)
{
    edo__file_id now = { 0 };
    if (edo__local_identify(path, &now) < 0) return;
    if (now.device == id->device && now.inode == id->inode) unlink(path);
}

edo_fd edo__local_lock_directory(const char *path)
{
    char directory[EDO__LOCAL_PATH_SIZE] = ".";
    const char *slash = strrchr(path, '/');
    if (slash) memcpy(directory, path, (size_t)(slash - path) + 1);
    if (slash) directory[slash - path + 1] = '\0';
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
    int error = errno;
    close(fd);
    return error == EWOULDBLOCK ? -EAGAIN : -error;
}

/* A full queue (EAGAIN) and a socket of another type (EPROTOTYPE) have an owner. */
int edo__local_is_stale(edo__local_kind kind, const edo_unix_address *address)
{
    char path[EDO__LOCAL_PATH_SIZE];
    edo__file_id id = { 0 };
    edo__local_path(address, path);
    int rc = edo__local_identify(path, &id);
    if (rc < 0) return rc == -ENOTSOCK ? -EADDRINUSE : rc;
    int fd = edo__local_open(kind);
    if (fd < 0) return fd;
    rc = edo__local_connect(fd, address);
    close(fd);
    if (rc == -ECONNREFUSED) return 0;
    return rc == 0 || rc == -EAGAIN || rc == -EPROTOTYPE ? -EADDRINUSE : rc;
}

/* ---- binding ---- */

enum { PERMISSIONS = 07777, FD_PATH_SIZE = 32 };

/* Sets the owner and the permissions of the socket at a path. Works on the file itself (O_PATH), so
 * that a link that has taken its place is not followed. */
static int set_rights(const char *path, const edo__local_rights *rights)
{
    char file[FD_PATH_SIZE];
    struct stat status;
    int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC), rc = 0;
    if (fd < 0) return -errno;
    if (fstat(fd, &status) < 0 || !S_ISSOCK(status.st_mode)) {
        close(fd);
        return -ENOTSOCK;
    }
    snprintf(file, sizeof file, "/proc/self/fd/%d", fd);
    if ((rights->owner_plus_1 || rights->group_plus_1) &&
        fchownat(fd, "", rights->owner_plus_1 - 1, rights->group_plus_1 - 1, AT_EMPTY_PATH) < 0)
        rc = -errno;
    if (rc == 0 && rights->mode && chmod(file, rights->mode & PERMISSIONS) < 0) rc = -errno;
    close(fd);
    return rc;
}

/* The new file gets the permissions of the socket's own inode, without those of the umask. So the
 * path never permits more than it shall, and set_rights() only adds what the umask took. */
int edo__local_bind(edo_fd fd, const edo_unix_address *address, const edo__local_rights *rights)
{
    struct sockaddr_un name;
    char path[EDO__LOCAL_PATH_SIZE];
    edo__file_id id = { 0 };
    socklen_t size = edo__local_to_sockaddr(address, &name);
    bool is_file = !address->is_abstract && address->size;
    bool has_rights = rights->mode || rights->owner_plus_1 || rights->group_plus_1;
    if (is_file && rights->mode) fchmod(fd, rights->mode & PERMISSIONS);
    if (bind(fd, (const struct sockaddr *)&name, size) < 0) return -errno;
    if (!is_file || !has_rights) return 0;
    edo__local_path(address, path);
    int known = edo__local_identify(path, &id);
    int rc = known < 0 ? known : set_rights(path, rights);
    if (rc < 0 && known == 0) edo__local_remove(path, &id);
    return rc;
}
