/* Less common options of TCP. */
#include "net/options.h"

#include "io/io.h"

/* ---- options of new sockets ---- */

static int set_unless_zero(edo_fd fd, edo__tcp_option option, int value)
{
    return value ? edo__tcp_set(fd, option, value) : 0;
}

static int set_buffers(edo_fd fd, const edo_tcp_options *options)
{
    int rc = 0;
    if (options->send_buffer)
        rc = edo__socket_set(fd, EDO__SOCKET_SEND_BUFFER, options->send_buffer);
    if (rc == 0 && options->recv_buffer)
        rc = edo__socket_set(fd, EDO__SOCKET_RECV_BUFFER, options->recv_buffer);
    return rc;
}

/* Sets the option. Ignores an error, because a system without fast open connects as usual. */
static void set_fast_open(edo_fd fd, const edo_tcp_options *options, bool listens)
{
    if (listens && options->fast_open_queue)
        edo__tcp_set(fd, EDO__TCP_FAST_OPEN_QUEUE, options->fast_open_queue);
    if (!listens && options->fast_open) edo__tcp_set(fd, EDO__TCP_FAST_OPEN_CONNECT, true);
}

/* Whether all numbers are valid. The check is needed, because the system ignores some invalid
 * numbers. */
static bool is_valid(const edo_tcp_options *options)
{
    return options->fast_open_queue >= 0 && options->defer_accept >= 0 &&
           options->user_timeout >= 0 && options->max_segment >= 0 && options->unsent_limit >= 0 &&
           options->send_buffer >= 0 && options->recv_buffer >= 0;
}

static int set_all(edo_fd fd, const edo_tcp_options *options, bool listens)
{
    int rc = set_buffers(fd, options);
    if (rc == 0 && options->nodelay) rc = edo__socket_set(fd, EDO__SOCKET_NODELAY, true);
    if (rc == 0) rc = set_unless_zero(fd, EDO__TCP_USER_TIMEOUT, options->user_timeout);
    if (rc == 0) rc = set_unless_zero(fd, EDO__TCP_MAX_SEGMENT, options->max_segment);
    if (rc == 0) rc = set_unless_zero(fd, EDO__TCP_UNSENT_LIMIT, options->unsent_limit);
    if (rc == 0 && listens) rc = set_unless_zero(fd, EDO__TCP_DEFER_ACCEPT, options->defer_accept);
    if (rc == 0 && options->congestion) rc = edo__tcp_set_congestion(fd, options->congestion);
    if (rc == 0) set_fast_open(fd, options, listens);
    return rc;
}

edo_fd edo__tcp_open(edo__family family, const edo_tcp_options *options, bool listens,
                     bool *ret_is_multipath)
{
    *ret_is_multipath = false;
    if (!options) return edo__socket_open(family);
    if (!is_valid(options)) return -EINVAL;
    edo_fd fd = options->multipath ? edo__tcp_open_multipath(family, ret_is_multipath)
                                   : edo__socket_open(family);
    if (fd < 0) return fd;
    int rc = set_all(fd, options, listens);
    if (rc == 0) return fd;
    edo__sys_close(fd);
    return rc;
}

/* ---- options of connections ---- */

static int set(edo_io *conn, edo__tcp_option option, int value)
{
    edo_fd fd = edo__tcp_socket(conn);
    return fd < 0 ? fd : edo__tcp_set(fd, option, value);
}

static int get(const edo_io *conn, edo__tcp_option option)
{
    edo_fd fd = edo__tcp_socket(conn);
    return fd < 0 ? fd : edo__tcp_get(fd, option);
}

int edo_tcp_set_user_timeout(edo_io *conn, int milliseconds)
{
    return milliseconds < 0 ? -EINVAL : set(conn, EDO__TCP_USER_TIMEOUT, milliseconds);
}

int edo_tcp_user_timeout(const edo_io *conn)
{
    return get(conn, EDO__TCP_USER_TIMEOUT);
}

int edo_tcp_set_congestion(edo_io *conn, const char *name)
{
    edo_fd fd = name && *name ? edo__tcp_socket(conn) : -EINVAL;
    return fd < 0 ? fd : edo__tcp_set_congestion(fd, name);
}

int edo_tcp_congestion(const edo_io *conn, char *buffer, size_t size)
{
    edo_fd fd = buffer ? edo__tcp_socket(conn) : -EINVAL;
    return fd < 0 ? fd : edo__tcp_congestion(fd, buffer, size);
}

int edo_tcp_set_quick_ack(edo_io *conn, bool on)
{
    return set(conn, EDO__TCP_QUICK_ACK, on);
}

int edo_tcp_quick_ack(const edo_io *conn)
{
    return get(conn, EDO__TCP_QUICK_ACK);
}

int edo_tcp_max_segment(const edo_io *conn)
{
    return get(conn, EDO__TCP_MAX_SEGMENT);
}

int edo_tcp_set_unsent_limit(edo_io *conn, int bytes)
{
    return bytes < 1 ? -EINVAL : set(conn, EDO__TCP_UNSENT_LIMIT, bytes);
}

/* Returns 0 if there is no limit. For "no limit" the system has a value greater than INT_MAX, which
 * get() returns as -1. */
int edo_tcp_unsent_limit(const edo_io *conn)
{
    int value = get(conn, EDO__TCP_UNSENT_LIMIT);
    return value == -1 ? 0 : value;
}

int edo_tcp_incoming_cpu(const edo_io *conn)
{
    return get(conn, EDO__TCP_INCOMING_CPU);
}

int edo_listener_set_incoming_cpu(edo_listener *listener, int cpu)
{
    edo_fd fd = edo_listener_fd(listener);
    if (cpu < 0) return -EINVAL;
    return fd < 0 ? fd : edo__tcp_set(fd, EDO__TCP_INCOMING_CPU, cpu);
}

int edo_tcp_is_multipath(const edo_io *conn)
{
    edo_fd fd = edo__tcp_socket(conn);
    return fd < 0 ? fd : edo__tcp_is_multipath(fd);
}

int edo_tcp_get_info(const edo_io *conn, edo_tcp_info *ret_info)
{
    edo_fd fd = ret_info ? edo__tcp_socket(conn) : -EINVAL;
    return fd < 0 ? fd : edo__tcp_info(fd, ret_info);
}

/* ---- urgent data ---- */

int edo_tcp_try_send_urgent(edo_io *conn, unsigned char byte)
{
    edo_fd fd = edo__tcp_socket(conn);
    int n = fd < 0 ? fd : edo__tcp_send_urgent(fd, byte);
    return n < 0 ? n : 0;
}

/* Sets `is_shared` before the urgent byte is read. After that, the mark of the urgent byte can
 * still cut a read short, but no event reports the mark any more. A short read is then no proof
 * that the socket is empty. With `is_shared` set, edo__has_met_end() does not take it as a
 * proof. */
int edo_tcp_try_recv_urgent(edo_io *conn, unsigned char *ret_byte)
{
    edo_fd fd = ret_byte ? edo__tcp_socket(conn) : -EINVAL;
    if (fd < 0) return fd;
    edo_store_relaxed(&edo__io_source(conn)->is_shared, true);
    return edo__tcp_recv_urgent(fd, ret_byte);
}

int edo_tcp_is_at_mark(const edo_io *conn)
{
    edo_fd fd = edo__tcp_socket(conn);
    return fd < 0 ? fd : edo__tcp_is_at_mark(fd);
}
