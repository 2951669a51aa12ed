/* Conversion of addresses to and from those of Linux. */
#pragma once

#include <sys/socket.h>

#include "sys/sockets.h"

/* Returns: the size of the system's address. */
socklen_t edo__address_to_sockaddr(const edo__address *address, struct sockaddr_storage *ret);

/* Returns: 0; -EAFNOSUPPORT. */
int edo__address_from_sockaddr(const struct sockaddr_storage *storage, edo__address *ret_address);

int edo__family_to_af(edo__family family);
