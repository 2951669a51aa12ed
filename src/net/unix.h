/* Internals of Unix sockets. */
#pragma once

#include <edo/unix.h>

#include "io/io.h"
#include "sys/local.h"

/* The socket of a stream. call: name of the user's call, for a message about misuse. Returns: a
 * descriptor; -ENOTSUP if the stream has no socket; -EINVAL for NULL. */
edo_fd edo__unix_socket_of(const edo_io *conn, const char *call);

/* Writes the address of a Unix socket, or of its peer, as text. Returns: the length; -ENOSPC;
 * -EAFNOSUPPORT for a socket of another family; another negative errno. */
int edo__unix_address_of(edo_fd fd, bool peer, char *buffer, size_t size);

/* ---- pauses ---- */

/* Pauses of an operation that the system wakes by no event: tries, and waits twice as long each
 * time. ms: length of the last pause; 0: there was none. */
enum { EDO__FIRST_PAUSE = 1, EDO__LAST_PAUSE = 64 };

static inline uint32_t edo__next_pause(uint32_t ms)
{
    if (ms == 0) return EDO__FIRST_PAUSE;
    return ms * 2 < EDO__LAST_PAUSE ? ms * 2 : EDO__LAST_PAUSE;
}
