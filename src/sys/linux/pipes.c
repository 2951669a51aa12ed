/* Pipes and FIFOs of sys/pipes.h on Linux. */
#include "sys/pipes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

/* Translates the result of fcntl(), which fails with EBADF for files other than pipes. */
static int answer_of(int capacity)
{
    if (capacity >= 0) return capacity;
    return errno == EBADF ? -ENOTSUP : -errno;
}

int edo__pipe_capacity(edo_fd fd)
{
    return answer_of(fcntl(fd, F_GETPIPE_SZ));
}

int edo__pipe_set_capacity(edo_fd fd, size_t bytes)
{
    if (bytes > INT_MAX) return -EINVAL;
    return answer_of(fcntl(fd, F_SETPIPE_SZ, (int)bytes));
}

int edo__fifo_make(const char *path, uint32_t mode)
{
    return mkfifo(path, (mode_t)mode) < 0 ? -errno : 0;
}

static const int ways[] = {
    [EDO__FIFO_READER] = O_RDONLY,
    [EDO__FIFO_KEEPER] = O_RDWR,
    [EDO__FIFO_WRITER] = O_WRONLY,
};

/* Checks the kind of the file before the open, because opening a device may have effects. Checks
 * the kind again after the open, because another file may have taken the path meanwhile. */
edo_fd edo__fifo_open(const char *path, edo__fifo_end end)
{
    struct stat file;
    if (stat(path, &file) < 0) return -errno;
    if (!S_ISFIFO(file.st_mode)) return -EINVAL;
    int fd = open(path, ways[end] | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) return -errno;
    if (fstat(fd, &file) == 0 && S_ISFIFO(file.st_mode)) return fd;
    close(fd);
    return -EINVAL;
}
