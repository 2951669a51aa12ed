/* Contract with the operating system: terminals. Any thread may make every call, except where a
 * comment says otherwise. Results are 0 or a negative errno. */
#pragma once

#include <edo/terminal.h>

bool edo__terminal_is(edo_fd fd);

int edo__terminal_size(edo_fd fd, edo_terminal_size *ret_size); // -ENOTTY
int edo__terminal_set_size(edo_fd fd, edo_terminal_size size);

/* Duplicates a descriptor. The new descriptor is closed by exec. Returns: the new descriptor. */
edo_fd edo__terminal_duplicate(edo_fd fd);

/* ---- modes ---- */

/* A terminal whose modes the process has changed. When the process exits, the earlier modes of the
 * terminal are restored. The functions that take or change an edo__terminal are called under one
 * lock. */
typedef struct edo__terminal edo__terminal;

/* All modes of a terminal, as the system has them. */
typedef struct edo__terminal_modes {
    _Alignas(8) char bytes[64];
} edo__terminal_modes;

/* Finds the terminal behind a descriptor, and counts the use. The terminal has a descriptor of its
 * own. Returns: 0; -ENOTTY; -ENOSPC: too many terminals; -EMFILE; -ENOMEM: no memory for the exit
 * handler. */
int edo__terminal_enter(edo_fd fd, edo__terminal **ret_terminal);
void edo__terminal_leave(edo__terminal *terminal);

/* Changes some modes. Never stops or blocks the process. *ret_before: all modes before. */
int edo__terminal_change(edo__terminal *terminal, edo_terminal_setting setting,
                         edo__terminal_modes *ret_before);
int edo__terminal_set_modes(edo__terminal *terminal, const edo__terminal_modes *modes);

/* Restores the first modes of all terminals. Thread: any, without the lock; async-signal-safe. Does
 * nothing in the child of a fork. */
void edo__terminals_restore(void);
