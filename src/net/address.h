/* Addresses as text. Thread: any. */
#pragma once

#include "sys/sockets.h"

/* Parses an address with a port: "1.2.3.4:80", "[::1]:80", "[fe80::1%eth0]:80", ":80".
 * Returns: 0 or -EINVAL. */
int edo__address_parse(const char *text, edo__address *ret_address);

/* Parses an IP address without port and brackets. Returns: 0 or -EINVAL. */
int edo__address_parse_ip(const char *text, uint16_t port, edo__address *ret_address);

/* Changes the address to the wildcard address of IPv4. The port remains the same. */
void edo__address_to_v4(edo__address *address);

enum { EDO__HOST_SIZE = 256, EDO__SERVICE_SIZE = 32 }; // bytes, including the final NUL

/* Host and service to look up, parsed from a text that is not a numeric address. */
typedef struct edo__name {
    char host[EDO__HOST_SIZE];
    char service[EDO__SERVICE_SIZE];
    bool any; // true for ":service"; the host is then "::"
} edo__name;

/* Parses a name: "example.com:80", "example.com:https", "127.0.0.1:https", ":https".
 * Returns: 0 or -EINVAL. */
int edo__name_parse(const char *text, edo__name *ret_name);

/* Writes an address as text, with the final NUL. Returns: the length of the text; -ENOSPC if the
 * buffer is too small; -EINVAL without a buffer. */
int edo__address_format(const edo__address *address, char *buffer, size_t size);

/* Writes the local address of a socket, or the address of its peer, as text. Returns: as
 * edo__address_format(), or another negative errno, such as -EAFNOSUPPORT or -ENOTCONN. */
int edo__address_of_socket(edo_fd fd, bool peer, char *buffer, size_t size);
