/* Internals of Unix sockets. */
#pragma once

#include <edo/unix.h>

#include "io/io.h"
#include "sys/local.h"

/* Parses the text of an address, in the form that edo/unix.h describes. Returns: 0; -EINVAL;
 * -ENAMETOOLONG. */
int edo__unix_parse(const char *text, edo_address *ret_address);

/* As edo__unix_parse(), for an address to connect to or to send to, which must have a name. */
int edo__unix_parse_peer(const char *text, edo_address *ret_address);

/* Finds the socket of a stream. call: name of the user's call, for a message about misuse. Returns:
 * a descriptor; -ENOTSUP if the stream has no socket; -EINVAL for NULL. */
edo_fd edo__unix_socket_of(const edo_io *conn, const char *call);

/* Writes the address of a Unix socket, or of its peer, as text. Returns: the length; -ENOSPC;
 * -ENOTSUP for a socket of another family; another negative errno. */
int edo__unix_address_of(edo_fd fd, bool peer, char *buffer, size_t size);

/* ---- making sockets ---- */

edo__socket_type edo__unix_type(edo_unix_type type);

/* Returns: the traits of a connection, without EDO__SOURCE_SOCKET. */
uint32_t edo__unix_traits(edo_unix_type type, bool credentials);

/* Sets the options of a new socket. Returns: 0 or a negative errno. */
int edo__unix_prepare(edo_fd fd, edo_unix_type type, bool credentials);

/* Makes a socket and its stream. */
int edo__unix_open(edo_unix_type type, bool credentials, edo_io **ret_io);
