/* Internals of listeners. */
#pragma once

#include <edo/net.h>

#include "io/io.h"
#include "sys/local.h"

/* Makes a listener of a listening socket. conn_traits: traits of the accepted connections, in
 * addition to EDO__SOURCE_SOCKET. Returns: NULL if out of memory; the socket then still belongs to
 * the caller. */
edo_listener *edo__listener_create(edo_fd fd, uint32_t conn_traits);

/* A path that is removed when its listener is closed. */
typedef struct edo__listener_path {
    edo__file_id id;
    uint32_t generation; // fork generation of the process that may remove the path
    size_t size;         // bytes of `text`
    char text[];         // absolute and terminated
} edo__listener_path;

/* Gives a new listener a path to remove when the listener is closed. `path` was allocated by
 * edo__alloc(), and belongs to the listener from then on. */
void edo__listener_own_path(edo_listener *listener, edo__listener_path *path);
