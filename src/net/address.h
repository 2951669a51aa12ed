/* Addresses as text. Any thread. */
#pragma once

#include "sys/sockets.h"

/* "1.2.3.4:80", "[::1]:80", "[fe80::1%eth0]:80", ":80". Returns: 0 or -EINVAL. */
int edo__address_parse(const char *text, edo__address *ret_address);

/* Replaces "every address of both families" by every address of IPv4. */
void edo__address_to_v4(edo__address *address);

enum { EDO__HOST_SIZE = 256, EDO__SERVICE_SIZE = 32 }; // with the final NUL

/* Host and service to look up, from a text that is no address. */
typedef struct edo__name {
    char host[EDO__HOST_SIZE];
    char service[EDO__SERVICE_SIZE];
    bool any; // ":service"; the host is "::"
} edo__name;

/* "example.com:80", "example.com:https", "127.0.0.1:https", ":https". Returns: 0 or -EINVAL. */
int edo__name_parse(const char *text, edo__name *ret_name);

/* Writes an address as text, with the final NUL. Returns: the length; -ENOSPC; -EINVAL for no
 * buffer. */
int edo__address_format(const edo__address *address, char *buffer, size_t size);

/* The local address of a socket, or its peer's, as text. Returns: as above, or another negative
 * errno: -EAFNOSUPPORT, -ENOTCONN. */
int edo__address_of_socket(edo_fd fd, bool peer, char *buffer, size_t size);
