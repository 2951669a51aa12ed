/* The standard descriptors. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "sys/sys.h"

/* open() takes the lowest free number, so /dev/null fills each gap. Programs that this process
 * executes inherit these descriptors, like other standard descriptors. */
void edo__sys_open_standard(void)
{
    int fd;
    for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++) {
        if (fcntl(i, F_GETFD) >= 0 || errno != EBADF) continue;
        fd = open("/dev/null", O_RDWR);
        if (fd > STDERR_FILENO) close(fd);
    }
}
