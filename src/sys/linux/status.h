/* The status of open files (O_NONBLOCK), and SIGPIPE. Any thread. */
#pragma once

#include <signal.h>
#include <stdbool.h>

/* Makes the open file non-blocking, where it is not. What was changed is put back by
 * edo__sys_put_back_status(), or when the process exits. Returns: 0, or -1 and errno. */
int edo__status_set_nonblocking(int fd);

/* In the child of a fork, before it has other threads. */
void edo__status_forget(void);

/* The calling thread's SIGPIPE is blocked from the first to the second; one that was raised between
 * them (`raised`) is taken back. */
typedef struct edo__masked_sigpipe {
    sigset_t before;
    bool was_pending;
} edo__masked_sigpipe;

void edo__sigpipe_mask(edo__masked_sigpipe *ret_masked);
void edo__sigpipe_unmask(const edo__masked_sigpipe *masked, bool raised);
