/* Inherited descriptors (sys/inherit.h) on Linux. */
#include "sys/inherit.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int64_t edo__sys_process_id(void)
{
    return getpid();
}

int edo__sys_set_inheritable(edo_fd fd, bool on)
{
    return fcntl(fd, F_SETFD, on ? 0 : FD_CLOEXEC) < 0 ? -errno : 0;
}
