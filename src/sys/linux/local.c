/* Sockets of sys/local.h on Linux. */
#include "sys/local.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 // Linux 6.5
#endif

/* ---- the peer ---- */

static bool is_local(int fd)
{
    int domain = AF_UNSPEC;
    socklen_t size = sizeof domain;
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

/* For a socket without a peer, the kernel returns the pid 0 and the uid -1. */
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

/* If the peer was reaped, the call fails with EINVAL in kernels before 6.16. In later kernels it
 * returns a pidfd. If a filter of system calls refuses the call, the error is EPERM. */
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

int edo__local_set_credentials(edo_fd fd, bool on)
{
    int value = on;
    if (!is_local(fd)) return -ENOTSUP;
    return setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &value, sizeof value) < 0 ? -errno : 0;
}

/* ---- paths ---- */

bool edo__local_path(const edo_address *address, char ret_path[EDO__LOCAL_PATH_SIZE])
{
    const char *name;
    bool is_abstract;
    size_t size = edo__address_name(address, &name, &is_abstract);
    if (is_abstract || !size) return false;
    memcpy(ret_path, name, size);
    ret_path[size] = '\0';
    return true;
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

/* Tries to connect a datagram socket to the path. The owner of the path's socket does not notice
 * this attempt. EPROTOTYPE shows that there is an owner, and that its socket is of another type.
 * EPERM shows that there is an owner, and that its socket is connected to another socket. */
int edo__local_is_stale(const edo_address *address)
{
    char path[EDO__LOCAL_PATH_SIZE];
    edo__file_id id = { 0 };
    if (!edo__local_path(address, path)) return -EINVAL;
    int rc = edo__local_identify(path, &id);
    if (rc < 0) return rc == -ENOTSOCK ? -EADDRINUSE : rc;
    int fd = edo__socket_make(EDO__FAMILY_UNIX, EDO__SOCKET_DATAGRAM);
    if (fd < 0) return fd;
    rc = edo__socket_connect_to(fd, address);
    close(fd);
    if (rc == -ECONNREFUSED) return 0;
    return rc == 0 || rc == -EPROTOTYPE || rc == -EPERM ? -EADDRINUSE : rc;
}

/* ---- binding ---- */

enum { PERMISSIONS = 07777, FD_PATH_SIZE = 32 };

/* Sets the owner and the permissions of the socket at a path. First opens the file with O_PATH, and
 * then uses the open file. So if a symlink replaces the file, the symlink is not followed. */
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

/* If a mode is given, the socket's own inode gets it before the bind. The new file gets these
 * permissions, without those in the umask. So the path never permits more than requested.
 * set_rights() then adds only the permissions that the umask has removed. */
int edo__local_bind(edo_fd fd, const edo_address *address, const edo__local_rights *rights)
{
    char path[EDO__LOCAL_PATH_SIZE];
    edo__file_id id = { 0 };
    bool is_file = edo__local_path(address, path);
    bool has_rights = rights->mode || rights->owner_plus_1 || rights->group_plus_1;
    if (is_file && rights->mode) fchmod(fd, rights->mode & PERMISSIONS);
    int rc = edo__socket_bind_to(fd, address);
    if (rc < 0 || !is_file || !has_rights) return rc;
    int known = edo__local_identify(path, &id);
    rc = known < 0 ? known : set_rights(path, rights);
    if (rc < 0 && known == 0) edo__local_remove(path, &id);
    return rc;
}
