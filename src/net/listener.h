/* Making listeners. */
#pragma once

#include <edo/net.h>

/* Makes a listener of a listening socket. conn_traits: traits of the accepted connections, beside
 * EDO__SOURCE_SOCKET. Returns: NULL if out of memory; the socket is still the caller's. */
edo_listener *edo__listener_create(edo_fd fd, uint32_t conn_traits);
