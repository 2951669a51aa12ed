/* Sockets of datagrams on Linux. */
#include "sys/datagrams.h"

#include <string.h>
#include <sys/socket.h>

int edo__socket_set_device(edo_fd fd, const char *name)
{
    int rc = setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, (socklen_t)strlen(name));
    return rc < 0 ? -errno : 0;
}
