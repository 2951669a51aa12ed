/* Modes and sizes of terminals. */
#include <string.h>

#include <edo/terminal.h>

#include "base/lock.h"
#include "io/io.h"
#include "sys/signals.h"
#include "sys/sys.h"
#include "sys/terminals.h"

_Static_assert(sizeof(edo_terminal_mode) == 104, "the documented size");
_Static_assert(sizeof(edo__terminal_modes) == sizeof(((edo_terminal_mode *)0)->before),
               "room for all modes");

/* Returns: the descriptor of a stream; -EINVAL for NULL; -ENOTTY for a stream without a
 * descriptor. */
static edo_fd descriptor_of(const edo_io *io, const char *call)
{
    if (!io) return -EINVAL;
    const edo__source *source = edo__io_source(io);
    if (!source) return -ENOTTY;
    edo__source_check(source, call);
    return source->fd;
}

bool edo_is_terminal(const edo_io *io)
{
    edo_fd fd = descriptor_of(io, "edo_is_terminal");
    return fd >= 0 && edo__terminal_is(fd);
}

int edo_terminal_get_size(const edo_io *io, edo_terminal_size *ret_size)
{
    edo_fd fd = descriptor_of(io, "edo_terminal_get_size");
    if (!ret_size) return -EINVAL;
    return fd < 0 ? fd : edo__terminal_size(fd, ret_size);
}

int edo_terminal_set_size(edo_io *io, edo_terminal_size size)
{
    edo_fd fd = descriptor_of(io, "edo_terminal_set_size");
    return fd < 0 ? fd : edo__terminal_set_size(fd, size);
}

/* ---- signals ---- */

/* Leaves the signal to the dispatcher. The dispatcher restores the terminals if no other subscriber
 * takes the signal. */
static edo__signal_answer on_signal(void *context, const edo_signal_event *event)
{
    (void)context;
    (void)event;
    return EDO__SIGNAL_LEFT;
}

/* Subscribers to signals. They are subscribed as long as `modes` has a mode with
 * EDO_TERMINAL_ON_SIGNALS. */
#define GUARD(name)                                                                                \
    {                                                                                              \
        .signal = (name), .flags = EDO__SIGNAL_UNLESS_IGNORED, .notify = on_signal                 \
    }
static edo__signal_subscriber guards[] = {
    GUARD(EDO__SIGNAL_INTERRUPT), GUARD(EDO__SIGNAL_TERMINATE), GUARD(EDO__SIGNAL_QUIT),
    GUARD(EDO__SIGNAL_HANGUP),    GUARD(EDO__SIGNAL_ABORT),     GUARD(EDO__SIGNAL_FAULT),
};

enum { GUARDS = sizeof guards / sizeof *guards };

static void unsubscribe(void)
{
    for (size_t i = 0; i < GUARDS; i++)
        edo__signal_unsubscribe(&guards[i]);
}

static int subscribe(void)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < GUARDS; i++)
        rc = edo__signal_subscribe(&guards[i]);
    if (rc < 0) unsubscribe();
    return rc;
}

/* ---- modes ---- */

/* The modes that were entered and not yet left. Guarded by `lock`. */
static struct {
    edo__lock lock;
    edo_terminal_mode *newest; // head of the list of modes, newest first
    uint32_t guarded;          // number of modes with EDO_TERMINAL_ON_SIGNALS
    uint32_t generation;       // fork generation of the process that has entered the modes
} modes;

/* In the child of a fork, forgets the modes of the parent, because only the parent restores
 * them. */
static void forget_parent(void)
{
    uint32_t mine = edo__sys_fork_generation();
    if (modes.generation == mine) return;
    modes.generation = mine;
    modes.newest = NULL;
    modes.guarded = 0;
}

static int guard(int flags)
{
    if (!(flags & EDO_TERMINAL_ON_SIGNALS)) return 0;
    int rc = modes.guarded == 0 ? subscribe() : 0;
    if (rc == 0) modes.guarded++;
    return rc;
}

static void unguard(uint32_t flags)
{
    if ((flags & EDO_TERMINAL_ON_SIGNALS) && --modes.guarded == 0) unsubscribe();
}

static bool is_entered(const edo_terminal_mode *mode)
{
    for (const edo_terminal_mode *one = modes.newest; one; one = one->below)
        if (one == mode) return true;
    return false;
}

static int enter(edo_terminal_mode *mode, edo_fd fd, edo_terminal_setting setting, int flags)
{
    edo__terminal *terminal;
    edo__terminal_modes before;
    if (is_entered(mode)) return -EBUSY;
    int rc = edo__terminal_enter(fd, &terminal);
    if (rc < 0) return rc;
    rc = guard(flags);
    if (rc == 0) {
        rc = edo__terminal_change(terminal, setting, &before);
        if (rc < 0) unguard((uint32_t)flags);
    }
    if (rc < 0) {
        edo__terminal_leave(terminal);
        return rc;
    }
    *mode = (edo_terminal_mode){ .below = modes.newest,
                                 .terminal = terminal,
                                 .flags = (uint32_t)flags,
                                 .generation = modes.generation };
    memcpy(mode->before, &before, sizeof before);
    modes.newest = mode;
    return 0;
}

int edo_terminal_enter(edo_terminal_mode *mode, const edo_io *io, edo_terminal_setting setting,
                       int flags)
{
    edo__check_memory("edo_terminal_enter", mode, "mode");
    if (!mode || (flags & ~EDO_TERMINAL_ON_SIGNALS)) return -EINVAL;
    if ((unsigned)setting > EDO_TERMINAL_NO_ECHO) return -EINVAL;
    edo_fd fd = descriptor_of(io, "edo_terminal_enter");
    if (fd < 0) return fd;
    edo__lock_take(&modes.lock);
    forget_parent();
    int rc = enter(mode, fd, setting, flags);
    edo__lock_give(&modes.lock);
    return rc;
}

/* Unlinks a mode. Returns: whether the mode was linked. *ret_above: the next newer mode of the same
 * terminal, or NULL. */
static bool unlink_mode(edo_terminal_mode *mode, edo_terminal_mode **ret_above)
{
    edo_terminal_mode **link = &modes.newest;
    *ret_above = NULL;
    for (; *link && *link != mode; link = &(*link)->below)
        if ((*link)->terminal == mode->terminal) *ret_above = *link;
    if (!*link) return false;
    *link = mode->below;
    return true;
}

/* Leaves a mode, and restores the state that the terminal had before the mode. If the same terminal
 * has a newer mode, the terminal does not change yet. The newer mode takes over that state, and
 * restores it when the newer mode itself is left. */
static void leave(edo_terminal_mode *mode)
{
    edo_terminal_mode *above;
    edo__terminal_modes before;
    if (!unlink_mode(mode, &above)) return;
    if (above) {
        memcpy(above->before, mode->before, sizeof mode->before);
    } else {
        memcpy(&before, mode->before, sizeof before);
        edo__terminal_set_modes(mode->terminal, &before); // fails only after a hang-up
    }
    unguard(mode->flags);
    edo__terminal_leave(mode->terminal);
}

void edo_terminal_leave(edo_terminal_mode *mode)
{
    if (!mode || !mode->terminal) return;
    edo__lock_take(&modes.lock);
    forget_parent();
    if (mode->generation == modes.generation) leave(mode);
    mode->terminal = NULL;
    edo__lock_give(&modes.lock);
}

void edo_terminals_restore(void)
{
    edo__terminals_restore();
}
