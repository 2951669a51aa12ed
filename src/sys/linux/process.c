/* Child processes, and descriptors made for them (sys/process.h), on Linux. */
#include "sys/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"

_Static_assert(EDO__SIGNAL_NUMBER_TERMINATE == SIGTERM && EDO__SIGNAL_NUMBER_KILL == SIGKILL,
               "numbers of signals");

/* ---- children ---- */

static int64_t time_of(struct timeval time)
{
    return (int64_t)time.tv_sec * 1000000000 + (int64_t)time.tv_usec * 1000;
}

static edo_exit exit_of(int status, const struct rusage *usage)
{
    return (edo_exit){
        .code = WIFEXITED(status) ? WEXITSTATUS(status) : 0,
        .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
        .has_core = WIFSIGNALED(status) && WCOREDUMP(status),
        .user = time_of(usage->ru_utime),
        .system = time_of(usage->ru_stime),
        .max_memory = (int64_t)usage->ru_maxrss * 1024,
        .minor_faults = usage->ru_minflt,
        .major_faults = usage->ru_majflt,
        .voluntary_switches = usage->ru_nvcsw,
        .involuntary_switches = usage->ru_nivcsw,
    };
}

int edo__sys_child_status(int32_t pid, edo_exit *ret_exit)
{
    struct rusage usage;
    int status;
    pid_t got;
    do {
        got = wait4(pid, &status, WNOHANG, &usage);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) return got < 0 ? -errno : 0;
    *ret_exit = exit_of(status, &usage);
    return 1;
}

int edo__sys_child_kill(int32_t pid, edo_fd fd, int signal)
{
    long rc = fd >= 0 ? syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0) : kill(pid, signal);
    if (rc < 0 && fd >= 0 && errno == ENOSYS) rc = kill(pid, signal);
    return rc < 0 ? -errno : 0;
}

int edo__sys_child_kill_group(int32_t pid, int signal)
{
    return kill(-pid, signal) < 0 ? -errno : 0;
}

bool edo__sys_children_are_ignored(void)
{
    struct sigaction now;
    if (sigaction(SIGCHLD, NULL, &now) < 0) return false;
    return (now.sa_flags & SA_NOCLDWAIT) ||
           (!(now.sa_flags & SA_SIGINFO) && now.sa_handler == SIG_IGN);
}

char *const *edo__sys_environment(void)
{
    static char *none[] = { NULL };
    return environ ? environ : none;
}

/* ---- descriptors ---- */

edo_fd edo__sys_open_stdio(const char *path, edo_stdio_kind kind, bool is_output)
{
    int flags = O_RDWR;
    if (path && !is_output) flags = O_RDONLY;
    if (path && is_output)
        flags = O_WRONLY | O_CREAT | (kind == EDO_STDIO_APPEND ? O_APPEND : O_TRUNC);
    int fd;
    do {
        fd = open(path ? path : "/dev/null", flags | O_CLOEXEC | O_NOCTTY, 0666);
    } while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

bool edo__sys_fd_is_open(edo_fd fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

int edo__sys_child_pipe(int ours, edo_fd ret_fds[2])
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0) return -errno;
    if (ours >= 0) fcntl(fds[ours], F_SETFL, O_NONBLOCK | (ours == 0 ? O_RDONLY : O_WRONLY));
    ret_fds[0] = fds[0];
    ret_fds[1] = fds[1];
    return 0;
}

static int open_terminal(int master)
{
    int zero = 0;
    if (ioctl(master, TIOCSPTLCK, &zero) < 0) return -errno;
    int fd = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int edo__sys_open_pty(unsigned rows, unsigned columns, edo_fd ret_fds[2])
{
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (master < 0) return -errno;
    int child = open_terminal(master);
    if (child < 0) {
        close(master);
        return child;
    }
    struct winsize size = { .ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns };
    if (rows && columns) ioctl(child, TIOCSWINSZ, &size);
    ret_fds[0] = master;
    ret_fds[1] = child;
    return 0;
}

/* ---- the thread that waits for children ---- */

_Static_assert(sizeof(edo__polled) == sizeof(struct pollfd) &&
                   offsetof(edo__polled, wanted) == offsetof(struct pollfd, events) &&
                   offsetof(edo__polled, ready) == offsetof(struct pollfd, revents),
               "descriptors are handed to the kernel as they are");

void edo__sys_poll_many(edo__polled *polled, size_t count, int64_t timeout)
{
    struct timespec limit = { .tv_sec = timeout / 1000000000, .tv_nsec = timeout % 1000000000 };
    for (size_t i = 0; i < count; i++)
        polled[i].ready = 0;
    ppoll((struct pollfd *)(void *)polled, count, timeout == INT64_MAX ? NULL : &limit, NULL);
}

void edo__sys_block_signals(void)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
}

void edo__sys_sleep(int64_t duration)
{
    nanosleep(&(struct timespec){ duration / 1000000000, duration % 1000000000 }, NULL);
}
