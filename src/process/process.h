/* Internals of children. */
#pragma once

#include <edo/process.h>

#include "base/list.h"
#include "io/io.h"
#include "sys/process.h"

/* A child. The lock guards the members that follow it.
 *
 * References: one of the handle, which the release of the source drops; one of the reaper, while
 * the child is in its list (reaper.h). The descriptor of the child is closed with the last one, so
 * its number and the pid stay valid for both. The source is a borrower of the descriptor. */
struct edo_process {
    edo__source source; // readable when the child has ended; edo_process_wait
    edo_atomic(uint32_t) refs;
    int32_t pid;
    edo_fd fd;   // of the system; -1: none, and the reaper takes the status
    edo_fd bell; // an eventfd in place of fd, or -1
    uint32_t fork_generation;
    edo_process_fate on_close;
    int64_t grace; // ns
    bool leads;    // the child leads a process group

    edo__lock lock;
    int32_t state; // 0: not taken; 1: `exit` is the status; -ECHILD: lost
    edo_exit exit;
    edo_io *stdio[3]; // not taken yet, or NULL

    edo__node reaped; // the reaper's list
    int64_t kill_at;  // ns of edo__sys_now(), for SIGKILL; EDO_NEVER; the reaper
};

void edo__process_unref(edo_process *process);

/* Takes the status if the child has ended. Returns: 1, 0: the child runs, or -ECHILD. Any thread. */
int edo__process_collect(edo_process *process);

/* Sends a signal, to the group if the child leads one. */
int edo__process_signal(edo_process *process, int signal);
