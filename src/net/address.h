/* Addresses as text. Any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

typedef struct edo__address {
    struct sockaddr_storage storage;
    socklen_t size;
    bool any; // ":port": every address of the machine, both families
} edo__address;

/* "1.2.3.4:80", "[::1]:80", "[fe80::1%eth0]:80", ":80", "localhost:80". Returns: 0 or -EINVAL. */
int edo__address_parse(const char *text, edo__address *ret_address);

/* Into a buffer, with the final NUL. Returns: the length, -ENOSPC or -EAFNOSUPPORT. */
int edo__address_format(const struct sockaddr_storage *storage, char *buffer, size_t size);

/* The local address of a socket, or that of its peer, as text. Returns as above, or another
 * negative errno. */
int edo__address_of_socket(int fd, bool peer, char *buffer, size_t size);
