/* Terminals of sys/terminals.h on Linux. The table of terminals is static, because signal handlers
 * read the table (terminal_table.h). A handler may have copied an entry just before another thread
 * leaves the terminal. The handler then restores the terminal's original modes after the leave.
 * This is harmless, because the same modes were set just before the leave. */
#include "sys/terminals.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "sys/linux/terminal_table.h"
#include "sys/sys.h"

_Static_assert(sizeof(struct termios) <= sizeof(edo__terminal_modes), "room for all modes");

_Static_assert(sizeof(edo__terminal_modes) == EDO__TERMINAL_WORDS * sizeof(uint64_t),
               "the words of all modes");

enum { MOST_TERMINALS = 8 };

struct edo__terminal {
    edo__terminal_entry first; // a descriptor, and the original modes; changed under the lock
    dev_t device;              // guarded by the callers' lock
    uint32_t count;            // guarded by the callers' lock
};

static edo__terminal terminals[MOST_TERMINALS];
static edo_atomic(uint32_t) generation; // fork generation of the process that uses the table
static bool restores; // an exit handler will restore the terminals; guarded by the callers' lock

bool edo__terminal_is(edo_fd fd)
{
    return isatty(fd) == 1;
}

int edo__terminal_size(edo_fd fd, edo_terminal_size *ret_size)
{
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) < 0) return -errno;
    *ret_size = (edo_terminal_size){ size.ws_row, size.ws_col, size.ws_xpixel, size.ws_ypixel };
    return 0;
}

int edo__terminal_set_size(edo_fd fd, edo_terminal_size size)
{
    struct winsize to = { size.rows, size.columns, size.width, size.height };
    return ioctl(fd, TIOCSWINSZ, &to) < 0 ? -errno : 0;
}

edo_fd edo__terminal_duplicate(edo_fd fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return copy < 0 ? -errno : copy;
}

/* ---- modes of one terminal ---- */

/* Sets modes at once. SIGTTOU would stop a process in the background, even during an exit. So
 * SIGTTOU is blocked meanwhile, which also permits such a process to change the modes.
 * Async-signal-safe. */
static int set_modes(int fd, const struct termios *modes)
{
    sigset_t output, before;
    int rc;
    sigemptyset(&output);
    sigaddset(&output, SIGTTOU);
    pthread_sigmask(SIG_BLOCK, &output, &before);
    do {
        rc = tcsetattr(fd, TCSANOW, modes) < 0 ? -errno : 0;
    } while (rc == -EINTR);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

static void apply(edo_terminal_setting setting, struct termios *modes)
{
    switch (setting) {
    case EDO_TERMINAL_RAW: cfmakeraw(modes); break;
    case EDO_TERMINAL_KEYS: modes->c_lflag &= ~(tcflag_t)(ICANON | ECHO); break;
    case EDO_TERMINAL_NO_ECHO:
        modes->c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK);
        modes->c_lflag |= ECHONL; // the end of the line is still echoed
        break;
    }
    if (setting == EDO_TERMINAL_NO_ECHO) return;
    modes->c_cc[VMIN] = 1; // a read returns as soon as there is a byte
    modes->c_cc[VTIME] = 0;
}

int edo__terminal_change(edo__terminal *terminal, edo_terminal_setting setting,
                         edo__terminal_modes *ret_before)
{
    struct termios modes;
    edo__terminal_modes before = { { 0 } };
    if (tcgetattr(terminal->first.fd, &modes) < 0) return -errno;
    memcpy(before.bytes, &modes, sizeof modes);
    apply(setting, &modes);
    int rc = set_modes(terminal->first.fd, &modes);
    if (rc == 0) *ret_before = before;
    return rc;
}

int edo__terminal_set_modes(edo__terminal *terminal, const edo__terminal_modes *modes)
{
    struct termios to;
    memcpy(&to, modes->bytes, sizeof to);
    return set_modes(terminal->first.fd, &to);
}

/* ---- the table ---- */

/* Drops the parent's entries in the child of a fork, and closes their descriptors. */
static void forget_parent(void)
{
    uint32_t mine = edo__sys_fork_generation();
    if (edo_load_relaxed(&generation) == mine) return;
    for (size_t i = 0; i < MOST_TERMINALS; i++) {
        if (!terminals[i].count) continue;
        terminals[i].count = 0;
        edo__terminal_retire(&terminals[i].first);
        edo__sys_close(terminals[i].first.fd);
    }
    edo_store_relaxed(&generation, mine);
}

static edo__terminal *find(dev_t device)
{
    edo__terminal *free_one = NULL;
    for (size_t i = 0; i < MOST_TERMINALS; i++) {
        if (terminals[i].count && terminals[i].device == device) return &terminals[i];
        if (!terminals[i].count && !free_one) free_one = &terminals[i];
    }
    return free_one;
}

static int note_first(edo__terminal *terminal, edo_fd fd, dev_t device)
{
    struct termios modes;
    uint64_t words[EDO__TERMINAL_WORDS] = { 0 };
    int own = edo__terminal_duplicate(fd);
    if (own < 0) return own;
    if (tcgetattr(own, &modes) < 0) {
        int error = errno;
        close(own);
        return -error;
    }
    memcpy(words, &modes, sizeof modes);
    edo__terminal_publish(&terminal->first, own, words);
    terminal->device = device;
    return 0;
}

int edo__terminal_enter(edo_fd fd, edo__terminal **ret_terminal)
{
    struct stat file;
    if (fstat(fd, &file) < 0) return -errno;
    if (!edo__terminal_is(fd)) return -ENOTTY;
    forget_parent();
    if (!restores) restores = atexit(edo__terminals_restore) == 0;
    if (!restores) return -ENOMEM;
    edo__terminal *terminal = find(file.st_rdev);
    if (!terminal) return -ENOSPC;
    int rc = terminal->count ? 0 : note_first(terminal, fd, file.st_rdev);
    if (rc < 0) return rc;
    terminal->count++;
    *ret_terminal = terminal;
    return 0;
}

void edo__terminal_leave(edo__terminal *terminal)
{
    if (--terminal->count) return;
    edo__terminal_retire(&terminal->first);
    edo__sys_close(terminal->first.fd);
}

static void restore(const edo__terminal *terminal)
{
    uint64_t words[EDO__TERMINAL_WORDS];
    struct termios modes;
    int fd;
    if (!edo__terminal_copy(&terminal->first, &fd, words)) return;
    memcpy(&modes, words, sizeof modes);
    set_modes(fd, &modes);
}

void edo__terminals_restore(void)
{
    int saved = errno;
    if (edo_load_relaxed(&generation) == edo__sys_fork_generation())
        for (size_t i = 0; i < MOST_TERMINALS; i++)
            restore(&terminals[i]);
    errno = saved;
}
