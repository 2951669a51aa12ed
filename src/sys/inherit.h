/* Contract with the operating system: descriptors that a process inherits. */
#pragma once

#include <edo/base.h>

int64_t edo__sys_process_id(void);

/* Sets whether programs that this process executes inherit a descriptor.
 * Returns: 0; -EBADF. Thread: any. */
int edo__sys_set_inheritable(edo_fd fd, bool on);
