/* Calls on open files (sys/filesystem.h) on Linux. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <edo/dir.h>

#include "base/base.h"
#include "sys/linux/file.h"

_Static_assert(EDO__HERE == AT_FDCWD, "the working directory has the kernel's number");

/* ---- transfers ---- */

typedef struct transfer {
    struct iovec one;
    const struct iovec *vector;
    int count;
    off_t offset; // -1: at the file's position
} transfer;

static void prepare(const edo__file_call *call, size_t max, transfer *ret)
{
    bool is_vector = call->verb == EDO__FILE_READV || call->verb == EDO__FILE_WRITEV;
    ret->offset = call->offset == EDO__AT_POSITION ? -1 : (off_t)call->offset;
    ret->one = (struct iovec){ call->data, call->size < max ? call->size : max };
    ret->vector = is_vector ? call->data : &ret->one;
    ret->count = is_vector ? (int)call->size : 1;
}

static bool is_beyond(const edo__file_call *call)
{
    return call->offset != EDO__AT_POSITION && call->offset > INT64_MAX;
}

static ssize_t read_by(const transfer *t, int fd, int flags)
{
    if (t->offset == -1 && !flags) return readv(fd, t->vector, t->count);
    return flags ? preadv2(fd, t->vector, t->count, t->offset, flags)
                 : preadv(fd, t->vector, t->count, t->offset);
}

static int64_t read_file(const edo__file_call *call)
{
    transfer t;
    ssize_t n;
    if (is_beyond(call)) return 0;
    prepare(call, EDO__FILE_MAX_TRANSFER, &t);
    do {
        n = read_by(&t, call->fd, 0);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

/* Greatest number of bytes that are read on the thread of a task. A copy of this size takes about
 * 20 microseconds. */
enum { TRY_MAX = 256 * 1024 };

/* Reads without waiting for the disk. A direct read is not tried: it bypasses the cache, and would
 * wait for the disk in spite of RWF_NOWAIT. A file that does not support RWF_NOWAIT fails with
 * EOPNOTSUPP. Returns: the number of bytes; -EAGAIN: the read must be made by edo__file_make();
 * another error, such as -EBADF for a descriptor that is not open for reading. */
static int64_t try_read(const edo__file_call *call)
{
    transfer t;
    if (is_beyond(call)) return 0;
    if (call->flags & EDO_OPEN_DIRECT) return -EAGAIN;
    prepare(call, TRY_MAX, &t);
    ssize_t n = read_by(&t, call->fd, RWF_NOWAIT);
    if (n >= 0) return n;
    bool not_here = errno == EOPNOTSUPP || errno == ENOSYS || errno == EINTR || errno == EPERM;
    return not_here ? -EAGAIN : -errno;
}

/* State of the signals that a write may raise. The signals are masked during the write, because
 * their default action ends the process. */
typedef struct masked {
    sigset_t set, before, pending;
} masked;

static void mask_signals(masked *ret)
{
    sigemptyset(&ret->set);
    sigaddset(&ret->set, SIGPIPE);
    sigaddset(&ret->set, SIGXFSZ);
    sigpending(&ret->pending);
    pthread_sigmask(SIG_BLOCK, &ret->set, &ret->before);
}

static void unmask_signals(masked *m, int signal)
{
    static const struct timespec at_once = { 0, 0 };
    sigset_t raised;
    sigemptyset(&raised);
    if (signal) sigaddset(&raised, signal);
    if (signal && !sigismember(&m->pending, signal))
        while (sigtimedwait(&raised, NULL, &at_once) < 0 && errno == EINTR) {}
    pthread_sigmask(SIG_SETMASK, &m->before, NULL);
}

static int64_t write_once(int fd, const transfer *t)
{
    ssize_t n;
    do {
        n = t->offset == -1 ? writev(fd, t->vector, t->count)
                            : pwritev(fd, t->vector, t->count, t->offset);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static int64_t write_file(const edo__file_call *call)
{
    transfer t;
    masked m;
    if (is_beyond(call)) return -EFBIG;
    prepare(call, EDO__FILE_MAX_TRANSFER, &t);
    mask_signals(&m);
    int64_t n = write_once(call->fd, &t);
    unmask_signals(&m, n == -EPIPE ? SIGPIPE : n == -EFBIG ? SIGXFSZ : 0);
    return n;
}

/* ---- other calls ---- */

static int64_t seek(const edo__file_call *call)
{
    static const int ways[] = { SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE };
    if (call->flags >= sizeof ways / sizeof *ways) return -EINVAL;
    off_t at = lseek(call->fd, (off_t)call->offset, ways[call->flags]);
    return at < 0 ? -errno : at;
}

/* Seeks. Does not seek for data or for a hole, because such a seek may read the file's map from the
 * disk. Returns: -EAGAIN for such a seek. */
static int64_t try_seek(const edo__file_call *call)
{
    return call->flags <= EDO_SEEK_END ? seek(call) : -EAGAIN;
}

static int allocate(const edo__file_call *call)
{
    int mode = 0;
    if (call->flags & EDO_ALLOCATE_KEEP_SIZE) mode |= FALLOC_FL_KEEP_SIZE;
    if (call->flags & EDO_ALLOCATE_PUNCH) mode |= FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    if (call->flags & EDO_ALLOCATE_ZERO) mode |= FALLOC_FL_ZERO_RANGE;
    return fallocate(call->fd, mode, (off_t)call->offset, (off_t)call->size);
}

static int advise(const edo__file_call *call)
{
    static const int advices[] = { POSIX_FADV_NORMAL,   POSIX_FADV_SEQUENTIAL, POSIX_FADV_RANDOM,
                                   POSIX_FADV_WILLNEED, POSIX_FADV_DONTNEED,   POSIX_FADV_NOREUSE };
    if (call->flags >= sizeof advices / sizeof *advices) {
        errno = EINVAL;
        return -1;
    }
    errno = posix_fadvise(call->fd, (off_t)call->offset, (off_t)call->size, advices[call->flags]);
    return errno ? -1 : 0;
}

static int set_lock(const edo__file_call *call, short type)
{
    struct flock lock = { .l_type = type,
                          .l_whence = SEEK_SET,
                          .l_start = (off_t)call->offset,
                          .l_len = (off_t)call->size };
    return fcntl(call->fd, F_OFD_SETLK, &lock);
}

static int try_lock(const edo__file_call *call)
{
    int rc = set_lock(call, call->flags == EDO_LOCK_SHARED ? F_RDLCK : F_WRLCK);
    if (rc < 0 && (errno == EAGAIN || errno == EACCES)) return 0;
    return rc < 0 ? rc : 1;
}

static ssize_t call_once(const edo__file_call *call)
{
    switch (call->verb) {
    case EDO__FILE_SYNC: return fsync(call->fd);
    case EDO__FILE_SYNC_DATA: return fdatasync(call->fd);
    case EDO__FILE_TRUNCATE: return ftruncate(call->fd, (off_t)call->size);
    case EDO__FILE_ALLOCATE: return allocate(call);
    case EDO__FILE_ADVISE: return advise(call);
    case EDO__FILE_LOCK: return try_lock(call);
    case EDO__FILE_UNLOCK: return set_lock(call, F_UNLCK);
    case EDO__XATTR_GET: return fgetxattr(call->fd, call->path, call->data, call->size);
    case EDO__XATTR_SET: return fsetxattr(call->fd, call->path, call->data, call->size, 0);
    case EDO__XATTR_REMOVE: return fremovexattr(call->fd, call->path);
    case EDO__XATTR_LIST: return flistxattr(call->fd, call->data, call->size);
    default: errno = EINVAL; return -1;
    }
}

/* Makes a call with SIGXFSZ masked, because ftruncate() and fallocate() beyond RLIMIT_FSIZE raise
 * this signal too. */
static int64_t make_masked(const edo__file_call *call)
{
    masked m;
    ssize_t n;
    mask_signals(&m);
    do {
        n = call_once(call);
    } while (n < 0 && errno == EINTR);
    int64_t result = n < 0 ? -errno : n;
    unmask_signals(&m, result == -EFBIG ? SIGXFSZ : 0);
    return result;
}

static int64_t make_plain(const edo__file_call *call)
{
    ssize_t n;
    do {
        n = call_once(call);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

/* ---- the contract ---- */

int64_t edo__file_make(const edo__file_call *call)
{
    switch (call->verb) {
    case EDO__FILE_READ:
    case EDO__FILE_READV: return read_file(call);
    case EDO__FILE_WRITE:
    case EDO__FILE_WRITEV: return write_file(call);
    case EDO__FILE_SEEK: return seek(call);
    case EDO__FILE_TRUNCATE:
    case EDO__FILE_ALLOCATE: return make_masked(call);
    case EDO__FILE_OPEN: return edo__file_open(call);
    case EDO__FILE_INFO: return edo__file_info(call);
    case EDO__FILE_MODE: return edo__file_mode(call);
    case EDO__FILE_OWNER: return edo__file_owner(call);
    case EDO__FILE_TIMES: return edo__file_times(call);
    case EDO__PATH_SPACE: return edo__path_space(call);
    default: return call->verb >= EDO__PATH_MAKE_DIR ? edo__path_call(call) : make_plain(call);
    }
}

int64_t edo__file_try(const edo__file_call *call)
{
    switch (call->verb) {
    case EDO__FILE_READ:
    case EDO__FILE_READV: return try_read(call);
    case EDO__FILE_SEEK: return try_seek(call);
    case EDO__FILE_INFO: return edo__file_try_info(call);
    default: return -EAGAIN;
    }
}
