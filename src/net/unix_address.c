/* Addresses of Unix sockets. Parses the texts of edo/unix.h, and writes the names of sockets as
 * text. */
#include <stdio.h>
#include <string.h>

#include "net/unix.h"

enum { MOST_TEXT = EDO_ADDRESS_TEXT_SIZE };

/* A path is used as it is. The other forms may have the escapes of edo_address_parse(). */
int edo__unix_parse(const char *text, edo_address *ret_address)
{
    char whole[MOST_TEXT];
    edo_address address;
    if (!text || !*text) return -EINVAL;
    bool is_whole = !strncmp(text, "unix:", 5), is_abstract = text[0] == '@';
    if (!is_whole && !is_abstract) return edo_address_unix(text, ret_address);
    if (strlen(text) >= sizeof whole - sizeof "unix:") return -ENAMETOOLONG;
    snprintf(whole, sizeof whole, "%s%s", is_whole ? "" : "unix:", text);
    int rc = edo_address_parse(whole, &address);
    if (rc == 0) *ret_address = address;
    return rc;
}

int edo__unix_parse_peer(const char *text, edo_address *ret_address)
{
    edo_address address;
    bool is_abstract;
    int rc = edo__unix_parse(text, &address);
    if (rc == 0 && edo_address_name(&address, NULL, &is_abstract) == 0 && !is_abstract)
        rc = -EINVAL;
    if (rc == 0) *ret_address = address;
    return rc;
}

/* ---- of sockets ---- */

int edo__unix_address_of(edo_fd fd, bool peer, char *buffer, size_t size)
{
    edo_address address;
    int rc = peer ? edo__socket_peer_name(fd, &address) : edo__socket_name(fd, &address);
    if (rc < 0) return rc;
    if (edo_address_family_of(&address) != EDO_ADDRESS_UNIX) return -ENOTSUP;
    return edo_address_format(&address, buffer, size);
}

static int address_of(const edo_io *conn, bool peer, const char *call, char *buffer, size_t size)
{
    edo_fd fd = edo__unix_socket_of(conn, call);
    return fd < 0 ? fd : edo__unix_address_of(fd, peer, buffer, size);
}

int edo_unix_local_address(const edo_io *conn, char *buffer, size_t size)
{
    return address_of(conn, false, "edo_unix_local_address", buffer, size);
}

int edo_unix_peer_address(const edo_io *conn, char *buffer, size_t size)
{
    return address_of(conn, true, "edo_unix_peer_address", buffer, size);
}
