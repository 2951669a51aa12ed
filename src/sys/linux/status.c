/* The status of open files. O_NONBLOCK belongs to the open file, not to the descriptor: a shell and
 * the programs that it starts have one for their terminal. So it is changed only where nothing else
 * keeps a call from blocking; it is looked at before every call that relies on it, because others
 * may clear it; and it is put back.
 *
 * Another process that clears it between the look and the call makes the call block. Nothing in
 * Linux closes that gap for such files. Terminals and named pipes, where it matters, are opened
 * anew instead (edo__sys_make_private). */
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

/* ---- what was changed ---- */

enum { MOST_CHANGES = 256 }; // those beyond are not put back

static struct {
    edo__lock lock;
    edo_atomic(unsigned) count; // changed under the lock
    int fds[MOST_CHANGES];
    bool puts_back; // at exit
} changes;

static void clear_flag(int fd)
{
    int status = fcntl(fd, F_GETFL);
    if (status >= 0) fcntl(fd, F_SETFL, status & ~O_NONBLOCK);
}

/* Under the lock. Returns: its index, or the count. */
static unsigned find(int fd)
{
    unsigned i = 0;
    while (i < changes.count && changes.fds[i] != fd)
        i++;
    return i;
}

static void put_back_all(void)
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
    if (!changes.puts_back) changes.puts_back = atexit(put_back_all) == 0;
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

/* The count is read without the lock: what changed the status of this descriptor was an operation on
 * its source, which has ended. */
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

/* They are the parent's to put back. The lock may have been taken by a thread that is not there. */
void edo__status_forget(void)
{
    edo_store_relaxed(&changes.count, 0);
}

/* ---- what a file is ---- */

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

/* epoll alone says so: poll(2) takes all else for ready. */
static int check_pollable(int fd)
{
    struct epoll_event event = { .events = EPOLLET };
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0) return -errno;
    int rc = epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
    close(epoll);
    return rc;
}

/* Files of /proc and /sys, some of which report changes, are regular ones by their mode. */
int edo__sys_pollable_kind(edo_fd fd)
{
    struct stat file;
    if (fstat(fd, &file) < 0) return -errno;
    bool is_file = S_ISREG(file.st_mode) || S_ISDIR(file.st_mode);
    int rc = is_file ? check_pollable(fd) : 0;
    return rc < 0 ? rc : (int)kind_of(file.st_mode);
}

/* ---- an open file of one's own ---- */

enum { PATH_SIZE = 32, PIPEFS = 0x50495045 };

/* A pipe without a name takes flags of calls; to open it anew needs rights that its heirs may lack. */
static bool is_named_pipe(int fd, edo__file_kind kind)
{
    struct statfs file_system;
    return kind == EDO__FILE_PIPE && fstatfs(fd, &file_system) == 0 && file_system.f_type != PIPEFS;
}

/* To open the master of a terminal makes another terminal. Only a master has a number to ask for. */
static bool is_terminal(int fd, edo__file_kind kind)
{
    unsigned number;
    return kind == EDO__FILE_CHARACTER && isatty(fd) && ioctl(fd, TIOCGPTN, &number) < 0;
}

void edo__sys_make_private(edo_fd fd, edo__file_kind kind)
{
    char path[PATH_SIZE];
    if (!is_named_pipe(fd, kind) && !is_terminal(fd, kind)) return;
    int status = fcntl(fd, F_GETFL), flags = fcntl(fd, F_GETFD);
    if (status < 0 || flags < 0) return;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int opened = open(path, (status & (O_ACCMODE | O_APPEND)) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (opened < 0) return;
    dup3(opened, fd, flags & FD_CLOEXEC ? O_CLOEXEC : 0);
    close(opened);
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

/* The kernel sends it to the thread that writes, which is this one. One that was pending before is
 * the program's, and takes up ours. */
void edo__sigpipe_unmask(const edo__masked_sigpipe *masked, bool raised)
{
    int saved = errno;
    sigset_t pipe;
    sigpipe_set(&pipe);
    if (raised && !masked->was_pending) sigtimedwait(&pipe, NULL, &(struct timespec){ 0 });
    pthread_sigmask(SIG_SETMASK, &masked->before, NULL);
    errno = saved;
}
