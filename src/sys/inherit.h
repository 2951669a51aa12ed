/* Contract with the operating system: descriptors that a process inherits. */
#pragma once

#include <edo/base.h>

int64_t edo__sys_process_id(void);

/* Sets whether a descriptor stays open in programs that this process executes.
 * Returns: 0; -EBADF. Thread: any. */
int edo__sys_set_inheritable(edo_fd fd, bool on);
