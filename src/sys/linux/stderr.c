/* Non-blocking writes of lines to stderr. Other processes often share the open file of stderr, so
 * its status is not changed. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sys/sys.h"

enum { NANOSECONDS_PER_MS = 1000000, HERE = -1 }; // HERE: offset for the file's position

static bool is_writable(int64_t patience)
{
    struct pollfd fd = { .fd = STDERR_FILENO, .events = POLLOUT };
    int n = poll(&fd, 1, (int)(patience / NANOSECONDS_PER_MS));
    return n == 1 && fd.revents == POLLOUT;
}

/* Writes without waiting. RWF_NOWAIT is needed, because another writer may have filled the pipe or
 * socket since the poll, and a plain write would then block. Regular files are written without the
 * flag. They reject it, or fail with EAGAIN although they are not full. */
static ssize_t write_now(const char *text, size_t size)
{
    struct stat status;
    struct iovec vector = { .iov_base = (char *)(uintptr_t)text, .iov_len = size };
    if (fstat(STDERR_FILENO, &status) == 0 && !S_ISREG(status.st_mode)) {
        ssize_t n = pwritev2(STDERR_FILENO, &vector, 1, HERE, RWF_NOWAIT);
        if (n >= 0 || errno == EAGAIN || errno == EPIPE) return n;
    }
    return write(STDERR_FILENO, text, size);
}

static sigset_t set_of_sigpipe(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    return set;
}

/* Writes, and suppresses SIGPIPE. The reader may close between the poll and the write. In that case
 * the writing thread receives SIGPIPE, and this function consumes the signal, unless a SIGPIPE of
 * the program was pending before. */
static ssize_t write_without_signal(const char *text, size_t size)
{
    sigset_t pipe = set_of_sigpipe(), before, pending;
    sigemptyset(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    sigpending(&pending);
    ssize_t n = write_now(text, size);
    if (n < 0 && errno == EPIPE && sigismember(&pending, SIGPIPE) == 0)
        sigtimedwait(&pipe, NULL, &(struct timespec){ 0 });
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return n;
}

bool edo__sys_write_stderr(const char *text, size_t size, int64_t patience)
{
    int saved = errno;
    bool written = is_writable(patience) && write_without_signal(text, size) > 0;
    errno = saved;
    return written;
}
