/* Socket functions that the files of net/ share. */
#pragma once

#include <edo/net.h>

#include "sys/tcp.h"

/* Finds the socket of a TCP connection. Returns: the descriptor, or a negative errno. */
edo_fd edo__tcp_socket(const edo_io *conn);

/* Opens a socket with options that must be set before it listens or connects. options: may be NULL.
 * *ret_is_multipath: whether the socket uses MPTCP. Returns: the descriptor, or a negative
 * errno. */
edo_fd edo__tcp_open(edo__family family, const edo_tcp_options *options, bool listens,
                     bool *ret_is_multipath);
