/* Internals of child processes. */
#pragma once

#include <edo/process.h>

#include "base/list.h"
#include "io/io.h"
#include "sys/process.h"

/* A child process. The lock guards the members after the lock, up to the next blank line.
 *
 * References. The handle has one reference, which is dropped when `source` is released. The reaper
 * has one reference while the child is in the reaper's list (reaper.h). The drop of the last
 * reference closes the child's descriptor. So the descriptor's number and the pid remain valid for
 * the handle and the reaper. `source` only borrows the descriptor. */
struct edo_process {
    edo__source source; // readable when the child has ended; used by edo_process_wait()
    edo_atomic(uint32_t) refs;
    int32_t pid;
    edo_fd fd;   // pidfd; -1: there is no pidfd, and the reaper takes the status
    edo_fd bell; // eventfd that replaces a missing pidfd; < 0: none
    uint32_t fork_generation;
    edo_process_fate on_close;
    int64_t grace; // ns
    bool leads;    // the child leads a process group

    edo__lock lock;
    int32_t state; // 1: `exit` is the status; 0: status not taken yet; -ECHILD: status lost
    edo_exit exit;
    edo_io *stdio[3]; // streams that edo_process_take() has not returned yet, or NULL

    edo__node reaped; // link in the reaper's list; guarded by the reaper's lock
    int64_t kill_at;  // time of SIGKILL, ns of edo__sys_now(), or EDO_NEVER; guarded like `reaped`
    bool is_held;     // see check_children() in reaper.c; guarded like `reaped`
};

/* Stores the signal mask of the calling thread in the command, if the child is to get that mask.
 * Called on the thread that calls the library, because the spawn itself may be made on a thread of
 * a pool. */
void edo__command_keep_mask(edo_command *command);

/* As edo_command_spawn(), with the mask that is stored in the command. */
int edo__command_spawn(edo_command *command, edo_process **ret_process);

void edo__process_unref(edo_process *process);

/* Takes the status if the child has ended. Returns: 1: the status was taken; 0: the child runs;
 * -ECHILD: the status is lost. Thread: any. */
int edo__process_collect(edo_process *process);

/* Sends a signal to the child; if the child leads a group, to the group. */
int edo__process_signal(edo_process *process, int signal);
