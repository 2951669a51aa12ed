/* Internals of children. */
#pragma once

#include <edo/process.h>

#include "base/list.h"
#include "io/io.h"
#include "sys/process.h"

/* A child. The lock guards the members of its block, up to the blank line.
 *
 * References: the handle has one, which is dropped by the release of the source. The reaper has one
 * while the child is in the reaper's list (reaper.h). The descriptor of the child is closed with
 * the last reference, so the descriptor's number and the pid stay valid for the handle and the
 * reaper. The source only borrows the descriptor. */
struct edo_process {
    edo__source source; // readable when the child has ended; used by edo_process_wait()
    edo_atomic(uint32_t) refs;
    int32_t pid;
    edo_fd fd;   // pidfd; -1: none, and the reaper takes the status
    edo_fd bell; // eventfd that takes the place of `fd`, or -1
    uint32_t fork_generation;
    edo_process_fate on_close;
    int64_t grace; // ns
    bool leads;    // the child leads a process group

    edo__lock lock;
    int32_t state; // 1: `exit` is the status; 0: not taken yet; -ECHILD: lost
    edo_exit exit;
    edo_io *stdio[3]; // streams not taken yet, or NULL

    edo__node reaped; // link in the reaper's list; guarded by the reaper's lock
    int64_t kill_at;  // time of SIGKILL; ns of edo__sys_now(), or EDO_NEVER; guarded like `reaped`
};

void edo__process_unref(edo_process *process);

/* Takes the status if the child has ended. Returns: 1; 0: the child runs; -ECHILD. Thread: any. */
int edo__process_collect(edo_process *process);

/* Sends a signal, to the group if the child leads one. */
int edo__process_signal(edo_process *process, int signal);
