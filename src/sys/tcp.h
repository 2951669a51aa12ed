/* Contract with the operating system: options of TCP, urgent data, and socket options by their
 * system numbers. Thread: any. */
#pragma once

#include <edo/tcp.h>

#include "sys/sockets.h"

/* Makes an MPTCP socket, or a TCP socket if the system has no MPTCP. The socket is non-blocking and
 * closed by exec. Returns: the descriptor. */
edo_fd edo__tcp_open_multipath(edo__family family, bool *ret_is_multipath);

/* Options whose value is a number. The value of a flag is 0 or 1. */
typedef enum edo__tcp_option {
    EDO__TCP_USER_TIMEOUT, // ms
    EDO__TCP_MAX_SEGMENT,  // bytes
    EDO__TCP_QUICK_ACK,
    EDO__TCP_DEFER_ACCEPT, // seconds
    EDO__TCP_UNSENT_LIMIT, // bytes
    EDO__TCP_FAST_OPEN_QUEUE,
    EDO__TCP_FAST_OPEN_CONNECT,
    EDO__TCP_INCOMING_CPU,
} edo__tcp_option;

int edo__tcp_set(edo_fd fd, edo__tcp_option option, int value);
int edo__tcp_get(edo_fd fd, edo__tcp_option option); // the value, >= 0

int edo__tcp_set_congestion(edo_fd fd, const char *name);

/* Reads the name of the congestion control. Returns: length of the name; -ENOSPC if the buffer is
 * too small. */
int edo__tcp_congestion(edo_fd fd, char *buffer, size_t size);

int edo__tcp_info(edo_fd fd, edo_tcp_info *ret_info);

/* Checks whether a connection uses MPTCP. Returns: 1 or 0; or a negative errno. */
int edo__tcp_is_multipath(edo_fd fd);

/* Send or receive a byte of urgent data, without blocking. Returns: 1; 0 at the end of the stream;
 * -EAGAIN. */
int edo__tcp_send_urgent(edo_fd fd, unsigned char byte);
int edo__tcp_recv_urgent(edo_fd fd, unsigned char *ret_byte);

/* Checks whether the next byte to be read is the urgent mark. Returns: 1 or 0; or a negative
 * errno. */
int edo__tcp_is_at_mark(edo_fd fd);

/* ---- sockets of any kind, by the system's numbers ---- */

/* Makes a socket, non-blocking and closed by exec. Returns: the descriptor. */
edo_fd edo__socket_open_by_number(int family, int type, int protocol);
int edo__socket_bind_raw(edo_fd fd, const void *address, size_t size);

/* As edo__socket_connect(). */
int edo__socket_connect_raw(edo_fd fd, const void *address, size_t size);

int edo__socket_set_raw(edo_fd fd, int level, int name, const void *value, size_t size);

/* Reads an option. Returns: size of the value. */
int edo__socket_get_raw(edo_fd fd, int level, int name, void *buffer, size_t size);
