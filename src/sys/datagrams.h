/* Contract with the operating system: what sockets of datagrams have beyond sys/sockets.h. Any
 * thread. Results are 0 or a negative errno, except where a comment says otherwise. */
#pragma once

#include <edo/message.h>

/* Limits a socket to one network interface. */
int edo__socket_set_device(edo_fd fd, const char *name);
