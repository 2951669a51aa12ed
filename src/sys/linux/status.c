/* Status of open files. O_NONBLOCK belongs to the open file, not to the descriptor. A shell and the
 * programs that the shell starts share one open file for their terminal. So edo sets O_NONBLOCK
 * only if nothing else prevents a call from blocking. Before every call that relies on the flag,
 * edo checks the flag, because another process may have cleared it. After the last use of the
 * descriptor, or at the exit of the process, edo restores the flag.
 *
 * If another process clears the flag between the check and the call, the call blocks. Linux has no
 * remedy for that. In practice only terminals and named pipes are affected. So edo opens these
 * files again, as private files (edo__sys_make_private). */
#include "sys/linux/status.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/base.h"
#include "base/lock.h"
#include "sys/sockets.h"

/* ---- changes ---- */

enum { MOST_CHANGES = 256 }; // changes beyond this number are not undone

static struct {
    edo__lock lock;
    edo_atomic(unsigned) count; // changed under the lock
    int fds[MOST_CHANGES];
    bool puts_back; // an exit handler will restore the flags
} changes;

static void clear_flag(int fd)
{
    int status = fcntl(fd, F_GETFL);
    if (status >= 0) fcntl(fd, F_SETFL, status & ~O_NONBLOCK);
}

/* Finds a recorded change. Called under the lock. Returns: the index, or the count if no change of
 * the descriptor is recorded. */
static unsigned find(int fd)
{
    unsigned i = 0;
    while (i < changes.count && changes.fds[i] != fd)
        i++;
    return i;
}

void edo__status_put_back(void)
{
    edo__lock_take(&changes.lock);
    for (unsigned i = 0; i < changes.count; i++)
        clear_flag(changes.fds[i]);
    edo__lock_give(&changes.lock);
}

static void remember(int fd)
{
    edo__lock_take(&changes.lock);
    unsigned i = find(fd);
    if (i == changes.count && i < MOST_CHANGES) {
        changes.fds[i] = fd;
        edo_store_relaxed(&changes.count, i + 1);
    }
    if (!changes.puts_back) changes.puts_back = atexit(edo__status_put_back) == 0;
    edo__lock_give(&changes.lock);
}

int edo__status_set_nonblocking(int fd)
{
    int status = fcntl(fd, F_GETFL);
    if (status < 0) return -1;
    if (status & O_NONBLOCK) return 0;
    remember(fd);
    return fcntl(fd, F_SETFL, status | O_NONBLOCK);
}

/* Undoes the change of a descriptor, if there is one. The first read of the count needs no lock:
 * only an operation changes a descriptor, and the operations of this descriptor have ended before
 * this call. So the read finds a count that includes the change. */
void edo__sys_put_back_status(edo_fd fd)
{
    if (!edo_load_relaxed(&changes.count)) return;
    edo__lock_take(&changes.lock);
    unsigned i = find(fd), count = changes.count;
    if (i < count) {
        changes.fds[i] = changes.fds[count - 1];
        edo_store_relaxed(&changes.count, count - 1);
    }
    edo__lock_give(&changes.lock);
    if (i < count) clear_flag(fd);
}

/* Forgets the parent's changes, which the parent undoes itself. Takes no lock, because a thread of
 * the parent may have held the lock at the fork. */
void edo__status_forget(void)
{
    edo_store_relaxed(&changes.count, 0);
}

/* ---- kinds of files ---- */

static edo__file_kind kind_of(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFSOCK: return EDO__FILE_SOCKET;
    case S_IFIFO: return EDO__FILE_PIPE;
    case S_IFCHR: return EDO__FILE_CHARACTER;
    case S_IFREG: return EDO__FILE_REGULAR;
    default: return EDO__FILE_OTHER;
    }
}

/* Whether a file is the master of a pseudo-terminal. TIOCGPTN succeeds only on a master. */
static bool is_master(int fd, mode_t mode)
{
    unsigned number;
    return S_ISCHR(mode) && ioctl(fd, TIOCGPTN, &number) == 0;
}

/* Checks with epoll, because poll(2) reports a file as ready even if the file cannot be polled. */
int edo__sys_check_pollable(edo_fd fd)
{
    struct epoll_event event = { .events = EPOLLET };
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0) return -errno;
    int rc = epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
    close(epoll);
    return rc;
}

/* Finds the kind of a file. As a rule, regular files cannot be polled. But some files of /proc and
 * /sys have the mode of regular files, and can be polled for changes. So a regular file is not
 * refused by its mode alone. */
int edo__sys_pollable_kind(edo_fd fd)
{
    struct stat file;
    if (fstat(fd, &file) < 0) return -errno;
    bool is_file = S_ISREG(file.st_mode) || S_ISDIR(file.st_mode);
    int rc = is_file ? edo__sys_check_pollable(fd) : 0;
    if (rc < 0) return rc;
    return is_master(fd, file.st_mode) ? EDO__FILE_MASTER : (int)kind_of(file.st_mode);
}

/* ---- a private open file ---- */

enum { PATH_SIZE = 32, PIPEFS = 0x50495045 };

/* Whether the file is a named pipe. An unnamed pipe needs no private file, because RWF_NOWAIT works
 * on it. To open an unnamed pipe again could also fail for lack of rights. */
static bool is_named_pipe(int fd, edo__file_kind kind)
{
    struct statfs file_system;
    return kind == EDO__FILE_PIPE && fstatfs(fd, &file_system) == 0 && file_system.f_type != PIPEFS;
}

/* Whether the file is a terminal. The master of a pseudo-terminal is excluded, because opening a
 * master makes another terminal. */
static bool is_terminal(int fd, edo__file_kind kind)
{
    return kind == EDO__FILE_CHARACTER && isatty(fd);
}

static int open_anew(int fd)
{
    char path[PATH_SIZE];
    int status = fcntl(fd, F_GETFL);
    if (status < 0) return -errno;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int opened = open(path, (status & (O_ACCMODE | O_APPEND)) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return opened < 0 ? -errno : opened;
}

void edo__sys_make_private(edo_fd fd, edo__file_kind kind)
{
    if (!is_named_pipe(fd, kind) && !is_terminal(fd, kind)) return;
    int flags = fcntl(fd, F_GETFD), opened = flags < 0 ? -1 : open_anew(fd);
    if (opened < 0) return;
    dup3(opened, fd, flags & FD_CLOEXEC ? O_CLOEXEC : 0);
    close(opened);
}

edo_fd edo__sys_open_private(edo_fd fd, edo__file_kind kind)
{
    if (kind != EDO__FILE_PIPE && !is_terminal(fd, kind)) return -ENOTSUP;
    return open_anew(fd);
}

/* ---- SIGPIPE ---- */

static void sigpipe_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGPIPE);
}

void edo__sigpipe_mask(edo__masked_sigpipe *ret_masked)
{
    sigset_t pipe, pending;
    sigpipe_set(&pipe);
    pthread_sigmask(SIG_BLOCK, &pipe, &ret_masked->before);
    ret_masked->was_pending = sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

/* Consumes the SIGPIPE of a write, which the kernel sends to the writing thread. If a SIGPIPE of
 * the program was pending before the write, the two signals have merged into one, and nothing is
 * consumed. */
void edo__sigpipe_unmask(const edo__masked_sigpipe *masked, bool raised)
{
    int saved = errno;
    sigset_t pipe;
    sigpipe_set(&pipe);
    if (raised && !masked->was_pending) sigtimedwait(&pipe, NULL, &(struct timespec){ 0 });
    pthread_sigmask(SIG_SETMASK, &masked->before, NULL);
    errno = saved;
}
