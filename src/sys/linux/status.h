/* The status of open files (O_NONBLOCK), and the suppression of SIGPIPE. Thread: any. */
#pragma once

#include <signal.h>
#include <stdbool.h>

/* Makes an open file non-blocking. edo__sys_put_back_status() or the exit of the process restores
 * the file's status. Returns: 0; or -1, and sets errno. */
int edo__status_set_nonblocking(int fd);

/* Restores the status of all files that edo has changed. */
void edo__status_put_back(void);

/* Forgets the changes of the parent. Called in the child of a fork, before the child has a second
 * thread. */
void edo__status_forget(void);

/* State of a thread that blocks SIGPIPE. edo__sigpipe_mask() blocks the signal in the calling
 * thread. edo__sigpipe_unmask() restores the mask. raised: whether a call in between has raised the
 * signal; if so, unmask consumes the signal. */
typedef struct edo__masked_sigpipe {
    sigset_t before;
    bool was_pending;
} edo__masked_sigpipe;

void edo__sigpipe_mask(edo__masked_sigpipe *ret_masked);
void edo__sigpipe_unmask(const edo__masked_sigpipe *masked, bool raised);
