/* Transfers between descriptors (sys/transfer.h) on Linux. */
#include "sys/transfer.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/filesystem.h"
#include "sys/linux/status.h"

/* ---- pipes ---- */

int edo__sys_pipe(size_t capacity, edo_fd ret_fds[2])
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) return -errno;
    if (capacity) fcntl(fds[1], F_SETPIPE_SZ, (int)capacity); // fails beyond the user's quota
    ret_fds[0] = fds[0];
    ret_fds[1] = fds[1];
    return 0;
}

bool edo__sys_can_splice(edo_fd fd)
{
    struct stat file;
    int status = fcntl(fd, F_GETFL);
    if (status < 0 || !(status & O_NONBLOCK) || fstat(fd, &file) < 0) return false;
    return S_ISSOCK(file.st_mode) || S_ISFIFO(file.st_mode);
}

/* Masks SIGPIPE, because neither splice() nor sendfile() has a flag that suppresses it. */
int64_t edo__sys_splice(edo_fd from, edo_fd to, size_t size)
{
    edo__masked_sigpipe masked;
    ssize_t n;
    edo__sigpipe_mask(&masked);
    do {
        n = splice(from, NULL, to, NULL, size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    } while (n < 0 && errno == EINTR);
    int64_t result = n < 0 ? -errno : n;
    edo__sigpipe_unmask(&masked, result == -EPIPE);
    return result;
}

int64_t edo__sys_tee(edo_fd from, edo_fd to, size_t size)
{
    edo__masked_sigpipe masked;
    ssize_t n;
    edo__sigpipe_mask(&masked);
    do {
        n = tee(from, to, size, SPLICE_F_NONBLOCK);
    } while (n < 0 && errno == EINTR);
    int64_t result = n < 0 ? -errno : n;
    edo__sigpipe_unmask(&masked, result == -EPIPE);
    return result;
}

int64_t edo__sys_read_pipe(edo_fd pipe, void *buffer, size_t size)
{
    ssize_t n;
    do {
        n = read(pipe, buffer, size);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

/* ---- files ---- */

int64_t edo__sys_send_file(edo_fd to, edo_fd file, uint64_t *offset, size_t size)
{
    edo__masked_sigpipe masked;
    off_t at = (off_t)*offset;
    ssize_t n;
    if (*offset > INT64_MAX) return 0;
    edo__sigpipe_mask(&masked);
    do {
        n = sendfile(to, file, &at, size);
    } while (n < 0 && errno == EINTR);
    int64_t result = n < 0 ? -errno : n;
    edo__sigpipe_unmask(&masked, result == -EPIPE);
    if (n > 0) *offset = (uint64_t)at;
    return result;
}

int64_t edo__sys_read_at(edo_fd file, void *buffer, size_t size, uint64_t offset)
{
    ssize_t n;
    if (offset > INT64_MAX) return 0;
    do {
        n = pread(file, buffer, size, (off_t)offset);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

int64_t edo__sys_copy_range(edo_fd from, uint64_t from_at, edo_fd to, uint64_t to_at, size_t size)
{
    off_t in = (off_t)from_at, out = (off_t)to_at;
    ssize_t n;
    if (from_at > INT64_MAX || to_at > INT64_MAX) return -EINVAL;
    if (edo__file_is_limited()) return -EOPNOTSUPP; // would raise SIGXFSZ beyond the limit
    do {
        n = copy_file_range(from, &in, to, &out, size, 0);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

/* Three of these errors are less obvious. EBADF: the target is open for appending. EIO: some
 * network file systems return it. EPERM: a filter of system calls returns it. If the files
 * themselves have the error, the reads and writes that follow fail with it too. */
bool edo__sys_is_unsupported(int64_t error)
{
    switch (error) {
    case -EINVAL:
    case -ENOSYS:
    case -EOPNOTSUPP:
    case -EXDEV:
    case -EPERM:
    case -EBADF:
    case -EIO: return true;
    default: return false;
    }
}
