/* Addresses of Unix sockets, as the kernel has them. Any thread. */
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include "sys/local.h"

/* Returns: the size to hand to the kernel. */
socklen_t edo__local_to_sockaddr(const edo_unix_address *address, struct sockaddr_un *ret);

/* size: as the kernel has returned it. */
void edo__local_from_sockaddr(const struct sockaddr_un *from, socklen_t size,
                              edo_unix_address *ret);
