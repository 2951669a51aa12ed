/* The standard descriptors, and files at their position. */
#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sys/files.h"
#include "sys/sys.h"

enum { HERE = -1 }; // offset: at the file's position

/* open() takes the lowest free number, so /dev/null fills each gap. Programs that this process
 * executes inherit the descriptors, as usual. */
void edo__sys_open_standard(void)
{
    int fd;
    for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++) {
        if (fcntl(i, F_GETFD) >= 0 || errno != EBADF) continue;
        fd = open("/dev/null", O_RDWR);
        if (fd > STDERR_FILENO) close(fd);
    }
}

/* ---- files ---- */

static const struct iovec *vector_of(const edo_slice *slices)
{
    return (const struct iovec *)(const void *)slices;
}

static int64_t answer_now(ssize_t n)
{
    if (n >= 0) return n;
    bool is_refusal = errno == EOPNOTSUPP || errno == ENOSYS || errno == EPERM || errno == EINTR;
    return is_refusal ? -EAGAIN : -errno;
}

int64_t edo__file_read_now(edo_fd fd, void *buffer, size_t size)
{
    struct iovec vector = { .iov_base = buffer, .iov_len = size };
    return answer_now(preadv2(fd, &vector, 1, HERE, RWF_NOWAIT));
}

int64_t edo__file_write_now(edo_fd fd, const edo_slice *slices, int count)
{
    return answer_now(pwritev2(fd, vector_of(slices), count, HERE, RWF_NOWAIT));
}

int64_t edo__file_read(edo_fd fd, void *buffer, size_t size)
{
    ssize_t n;
    do {
        n = read(fd, buffer, size);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

int64_t edo__file_write(edo_fd fd, const edo_slice *slices, int count)
{
    ssize_t n;
    do {
        n = writev(fd, vector_of(slices), count);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}
