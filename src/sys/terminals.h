/* Contract with the operating system: terminals. Thread: any, except where a comment says
 * otherwise. Results are 0 or a negative errno. */
#pragma once

#include <edo/terminal.h>

bool edo__terminal_is(edo_fd fd);

int edo__terminal_size(edo_fd fd, edo_terminal_size *ret_size); // -ENOTTY
int edo__terminal_set_size(edo_fd fd, edo_terminal_size size);

/* Duplicates a descriptor. The new descriptor is closed by exec. Returns: the new descriptor. */
edo_fd edo__terminal_duplicate(edo_fd fd);

/* ---- modes ---- */

/* A terminal whose modes the process has changed. The earlier modes of the terminal are restored
 * when the process exits. The functions that use an edo__terminal are called under one lock. */
typedef struct edo__terminal edo__terminal;

/* All modes of a terminal, in the system's form. */
typedef struct edo__terminal_modes {
    _Alignas(8) char bytes[64];
} edo__terminal_modes;

/* Finds the edo__terminal of a descriptor, and adds a use. An edo__terminal has a descriptor of its
 * own. Returns: 0; -ENOTTY; -ENOSPC: too many terminals; -EMFILE; -ENOMEM: no memory for the exit
 * handler. */
int edo__terminal_enter(edo_fd fd, edo__terminal **ret_terminal);
void edo__terminal_leave(edo__terminal *terminal);

/* edo__terminal_change changes some modes, and stores all earlier modes in *ret_before.
 * edo__terminal_set_modes sets all modes. Neither function stops or blocks the process. */
int edo__terminal_change(edo__terminal *terminal, edo_terminal_setting setting,
                         edo__terminal_modes *ret_before);
int edo__terminal_set_modes(edo__terminal *terminal, const edo__terminal_modes *modes);

/* Restores the original modes of all terminals. Does nothing in the child of a fork. Thread: any,
 * without the lock. Async-signal-safe. */
void edo__terminals_restore(void);
