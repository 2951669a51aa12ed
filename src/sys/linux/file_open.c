/* Opening files (sys/filesystem.h) on Linux. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/atomic.h"
#include "sys/linux/file.h"
#include "sys/sys.h"

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20 // Linux 5.12
#endif

typedef struct pair {
    uint32_t ours;
    uint64_t theirs;
} pair;

static uint64_t translate(uint32_t flags, const pair *pairs, size_t count)
{
    uint64_t result = 0;
    for (size_t i = 0; i < count; i++)
        if (flags & pairs[i].ours) result |= pairs[i].theirs;
    return result;
}

/* Translates EDO_OPEN_* to the system's flags. With O_PATH, O_NOCTTY is left out, because openat2()
 * refuses this combination. O_TMPFILE contains O_DIRECTORY, and O_SYNC contains O_DSYNC. */
static uint64_t open_flags(uint32_t flags)
{
    static const pair pairs[] = {
        { EDO_OPEN_APPEND, O_APPEND },
        { EDO_OPEN_CREATE, O_CREAT },
        { EDO_OPEN_CREATE_NEW, O_CREAT | O_EXCL },
        { EDO_OPEN_TRUNCATE, O_TRUNC },
        { EDO_OPEN_DIRECTORY, O_DIRECTORY },
        { EDO_OPEN_PATH, O_PATH },
        { EDO_OPEN_NO_FOLLOW, O_NOFOLLOW },
        { EDO_OPEN_DIRECT, O_DIRECT },
        { EDO_OPEN_SYNC, O_SYNC },
        { EDO_OPEN_DATA_SYNC, O_DSYNC },
        { EDO_OPEN_NO_ATIME, O_NOATIME },
        { EDO_OPEN_TEMPORARY, O_TMPFILE },
    };
    bool writes = flags & (EDO_OPEN_WRITE | EDO_OPEN_APPEND), reads = flags & EDO_OPEN_READ;
    uint64_t access = writes ? (reads ? O_RDWR : O_WRONLY) : O_RDONLY;
    uint64_t no_terminal = flags & EDO_OPEN_PATH ? 0 : O_NOCTTY;
    return access | O_CLOEXEC | no_terminal | translate(flags, pairs, sizeof pairs / sizeof *pairs);
}

static uint64_t resolve_flags(uint32_t flags)
{
    static const pair pairs[] = {
        { EDO_OPEN_BENEATH, RESOLVE_BENEATH },        { EDO_OPEN_IN_ROOT, RESOLVE_IN_ROOT },
        { EDO_OPEN_NO_LINKS, RESOLVE_NO_SYMLINKS },   { EDO_OPEN_ONE_MOUNT, RESOLVE_NO_XDEV },
        { EDO_OPEN_NO_MAGIC, RESOLVE_NO_MAGICLINKS },
    };
    return translate(flags, pairs, sizeof pairs / sizeof *pairs);
}

enum {
    ACCESSES = EDO_OPEN_READ | EDO_OPEN_WRITE | EDO_OPEN_APPEND,
    MAKES = EDO_OPEN_CREATE | EDO_OPEN_CREATE_NEW | EDO_OPEN_TEMPORARY,
    WITH_PATH = EDO_OPEN_PATH | EDO_OPEN_DIRECTORY | EDO_OPEN_NO_FOLLOW | EDO_OPEN_BENEATH |
                EDO_OPEN_IN_ROOT | EDO_OPEN_NO_LINKS | EDO_OPEN_ONE_MOUNT | EDO_OPEN_NO_MAGIC,
    ALL = ACCESSES | MAKES | WITH_PATH | EDO_OPEN_TRUNCATE | EDO_OPEN_DIRECT | EDO_OPEN_SYNC |
          EDO_OPEN_DATA_SYNC | EDO_OPEN_NO_ATIME,
};

int edo__file_check_open(uint32_t flags)
{
    bool writes = flags & (EDO_OPEN_WRITE | EDO_OPEN_APPEND);
    if (flags & ~(uint32_t)ALL) return -EINVAL;
    if (flags & EDO_OPEN_PATH) return flags & ~(uint32_t)WITH_PATH ? -EINVAL : 0;
    if (!(flags & ACCESSES)) return -EINVAL;
    if ((flags & (EDO_OPEN_TRUNCATE | MAKES)) && !writes) return -EINVAL;
    if ((flags & EDO_OPEN_TRUNCATE) && (flags & EDO_OPEN_APPEND)) return -EINVAL;
    return (flags & EDO_OPEN_DIRECTORY) && (flags & MAKES) ? -EINVAL : 0;
}

/* The mode is set only in calls that may make a file. In other calls, the kernel refuses a mode. */
static struct open_how how_of(const edo__file_call *call)
{
    struct open_how how = { .flags = open_flags(call->flags),
                            .resolve = resolve_flags(call->flags) };
    if (call->flags & MAKES) how.mode = call->mode & 07777;
    return how;
}

static int open_by(const edo__file_call *call, const struct open_how *how)
{
    int fd;
    do {
        fd = (int)syscall(SYS_openat2, call->fd, call->path, how, sizeof *how);
    } while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

/* Calls openat() unless the flags need openat2(), which is newer and may be filtered. */
static int open_once(const edo__file_call *call, const struct open_how *how)
{
    int fd;
    if (how->resolve) return open_by(call, how);
    do {
        fd = openat(call->fd, call->path, (int)how->flags, (mode_t)how->mode);
    } while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

static bool is_fifo(int fd)
{
    struct stat file;
    return fstat(fd, &file) == 0 && S_ISFIFO(file.st_mode);
}

/* Whether a path is a named pipe. Called after an open has failed with ENXIO. This is the error for
 * a named pipe without a reader, but also for a socket. */
static bool leads_to_fifo(const edo__file_call *call)
{
    edo__file_call place = { .fd = call->fd, .path = call->path };
    place.flags = EDO_OPEN_PATH | (call->flags & WITH_PATH);
    struct open_how how = how_of(&place);
    int fd = open_once(&place, &how);
    bool is = fd >= 0 && is_fifo(fd);
    edo__sys_close(fd);
    return is;
}

/* Opens a file. Uses O_NONBLOCK, unless the flags have EDO_OPEN_PATH. If another process has a
 * lease on the file, the open fails with EWOULDBLOCK. This function then opens the file a second
 * time without O_NONBLOCK, which waits for the end of the lease. The system bounds that wait.
 *
 * With a resolve option, EWOULDBLOCK may also mean that a name on the path was changed. The path
 * may then lead to a named pipe, and nothing would bound the wait of a second open. So with a
 * resolve option, there is no second open, and the caller tries again later. */
int64_t edo__file_open(const edo__file_call *call)
{
    struct open_how how = how_of(call);
    bool is_path = call->flags & EDO_OPEN_PATH;
    if (!is_path) how.flags |= O_NONBLOCK;
    int fd = open_once(call, &how);
    if (is_path || (fd != -EWOULDBLOCK && fd != -ENXIO)) return fd;
    if (fd == -ENXIO) return leads_to_fifo(call) ? EDO__NOT_YET : -ENXIO;
    if (how.resolve) return EDO__NOT_YET;
    how.flags &= ~(uint64_t)O_NONBLOCK;
    return open_once(call, &how);
}

/* ---- without waiting ---- */

/* Whether this kernel refuses every openat2() with RESOLVE_CACHED, as old kernels do. If so, such
 * calls are no longer tried. */
static edo_atomic(bool) has_no_cached;

/* Called after the kernel has refused a call with RESOLVE_CACHED. The reason may be another part of
 * the call, for example O_DIRECT on a file system without direct transfers. So this function tries
 * a call that is always valid. If the kernel refuses that call too, it refuses all such calls. */
static void note_refusal(void)
{
    static const struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_CACHED };
    int fd = open_by(&(edo__file_call){ .fd = EDO__HERE, .path = "/" }, &how);
    edo__sys_close(fd);
    if (fd == -ENOSYS || fd == -EINVAL) edo_store_relaxed(&has_no_cached, true);
}

static int open_cached(const edo__file_call *call, uint64_t more_flags)
{
    struct open_how how = how_of(call);
    how.flags |= more_flags;
    how.resolve |= RESOLVE_CACHED;
    if (edo_load_relaxed(&has_no_cached)) return -EAGAIN;
    int fd = open_by(call, &how);
    if (fd == -ENOSYS || fd == -EINVAL) note_refusal();
    return fd == -ENOSYS || fd == -EINVAL || fd == -EPERM ? -EAGAIN : fd;
}

enum { CHANGES = MAKES | EDO_OPEN_TRUNCATE };

int64_t edo__file_try_open(const edo__file_call *call)
{
    if (call->flags & CHANGES) return -EAGAIN;
    int fd = open_cached(call, call->flags & EDO_OPEN_PATH ? 0 : O_NONBLOCK);
    return fd == -ENXIO ? -EAGAIN : fd; // ENXIO: perhaps a named pipe without a reader
}

/* ---- files without a position ---- */

static bool has_position(int fd)
{
    return lseek(fd, 0, SEEK_CUR) >= 0 || errno != ESPIPE;
}

int edo__file_wait(edo_fd fd, bool writes, int limit)
{
    struct pollfd wait = { .fd = fd, .events = writes ? POLLOUT : POLLIN };
    if (has_position(fd)) return 0;
    return poll(&wait, 1, limit) > 0 ? 1 : EDO__NOT_YET;
}

/* Whether a pipe without unread bytes has a writer. If it has a writer, tee() of one byte fails
 * with EAGAIN, because the writer may still write. Without a writer, tee() returns 0. */
static bool has_silent_writer(int fd)
{
    int scratch[2];
    if (pipe2(scratch, O_CLOEXEC | O_NONBLOCK) < 0) return false;
    ssize_t n = tee(fd, scratch[1], 1, SPLICE_F_NONBLOCK);
    bool has = n > 0 || (n < 0 && errno == EAGAIN);
    close(scratch[0]);
    close(scratch[1]);
    return has;
}

/* Whether a named pipe has a writer, or had one since it was opened. poll() reports unread bytes,
 * and the hang-up of a former writer. It does not report a writer that has not written yet. */
static bool has_had_writer(int fd)
{
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    return poll(&wait, 1, 0) != 0 || has_silent_writer(fd);
}

bool edo__file_end_open(edo_fd fd)
{
    if (has_position(fd)) return true;
    int status = fcntl(fd, F_GETFL);
    bool only_reads = (status & (O_ACCMODE | O_PATH)) == O_RDONLY;
    return !only_reads || !(status & O_NONBLOCK) || !is_fifo(fd) || has_had_writer(fd);
}

int edo__file_open_place(const edo__file_call *call)
{
    edo__file_call place = *call;
    place.flags = EDO_OPEN_PATH;
    if (call->flags & EDO__PATH_NO_FOLLOW) place.flags |= EDO_OPEN_NO_FOLLOW;
    return open_cached(&place, 0);
}

void edo__file_clear_nonblocking(edo_fd fd)
{
    int status = fcntl(fd, F_GETFL);
    if (status >= 0 && (status & O_NONBLOCK)) fcntl(fd, F_SETFL, status & ~O_NONBLOCK);
}

int edo__file_status(edo_fd fd)
{
    int status = fcntl(fd, F_GETFL), result = 0;
    if (status < 0) return -errno;
    if (status & O_APPEND) result |= EDO_OPEN_APPEND;
    if (status & O_DIRECT) result |= EDO_OPEN_DIRECT;
    return result;
}

bool edo__file_is_limited(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur != RLIM_INFINITY;
}
