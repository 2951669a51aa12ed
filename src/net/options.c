/* Options of TCP connections. */
#include "net/options.h"

#include "io/io.h"
#include "net/address.h"

edo_fd edo__tcp_socket(const edo_io *conn)
{
    if (!conn) return -EINVAL;
    const edo__source *source = edo__io_source(conn);
    if (!source || !(source->traits & EDO__SOURCE_TCP)) return -ENOTSUP;
    edo__source_check(source, "edo_tcp_*");
    return source->fd;
}

static int set(edo_io *conn, edo__socket_option option, int value)
{
    edo_fd fd = edo__tcp_socket(conn);
    return fd < 0 ? fd : edo__socket_set(fd, option, value);
}

static int get(const edo_io *conn, edo__socket_option option)
{
    edo_fd fd = edo__tcp_socket(conn);
    return fd < 0 ? fd : edo__socket_get(fd, option);
}

static int address_of(const edo_io *conn, bool peer, char *buffer, size_t size)
{
    edo_fd fd = edo__tcp_socket(conn);
    return fd < 0 ? fd : edo__address_of_socket(fd, peer, buffer, size);
}

int edo_tcp_local_address(const edo_io *conn, char *buffer, size_t size)
{
    return address_of(conn, false, buffer, size);
}

int edo_tcp_peer_address(const edo_io *conn, char *buffer, size_t size)
{
    return address_of(conn, true, buffer, size);
}

int edo_tcp_set_nodelay(edo_io *conn, bool on)
{
    return set(conn, EDO__SOCKET_NODELAY, on);
}

int edo_tcp_nodelay(const edo_io *conn)
{
    int value = get(conn, EDO__SOCKET_NODELAY);
    return value > 0 ? 1 : value;
}

/* ---- keep-alive ---- */

static int set_unless_zero(edo_io *conn, edo__socket_option option, int value)
{
    return value ? set(conn, option, value) : 0;
}

int edo_tcp_set_keepalive(edo_io *conn, bool on, edo_keepalive times)
{
    if (times.idle < 0 || times.interval < 0 || times.count < 0) return -EINVAL;
    int rc = set_unless_zero(conn, EDO__SOCKET_KEEPALIVE_IDLE, times.idle);
    if (rc == 0) rc = set_unless_zero(conn, EDO__SOCKET_KEEPALIVE_INTERVAL, times.interval);
    if (rc == 0) rc = set_unless_zero(conn, EDO__SOCKET_KEEPALIVE_COUNT, times.count);
    return rc < 0 ? rc : set(conn, EDO__SOCKET_KEEPALIVE, on);
}

int edo_tcp_keepalive(const edo_io *conn, edo_keepalive *ret_times)
{
    int on = get(conn, EDO__SOCKET_KEEPALIVE);
    if (on < 0 || !ret_times) return on;
    edo_keepalive times = { .idle = get(conn, EDO__SOCKET_KEEPALIVE_IDLE),
                            .interval = get(conn, EDO__SOCKET_KEEPALIVE_INTERVAL),
                            .count = get(conn, EDO__SOCKET_KEEPALIVE_COUNT) };
    *ret_times = times;
    return on;
}

/* ---- linger ---- */

int edo_tcp_set_linger(edo_io *conn, int seconds)
{
    if (seconds < -1) return -EINVAL;
    edo_fd fd = edo__tcp_socket(conn);
    return fd < 0 ? fd : edo__socket_set_linger(fd, seconds);
}

int edo_tcp_linger(const edo_io *conn, int *ret_seconds)
{
    edo_fd fd = ret_seconds ? edo__tcp_socket(conn) : -EINVAL;
    return fd < 0 ? fd : edo__socket_linger(fd, ret_seconds);
}

/* ---- buffers ---- */

int edo_tcp_set_send_buffer(edo_io *conn, int bytes)
{
    return bytes < 1 ? -EINVAL : set(conn, EDO__SOCKET_SEND_BUFFER, bytes);
}

int edo_tcp_send_buffer(const edo_io *conn)
{
    return get(conn, EDO__SOCKET_SEND_BUFFER);
}

int edo_tcp_set_recv_buffer(edo_io *conn, int bytes)
{
    return bytes < 1 ? -EINVAL : set(conn, EDO__SOCKET_RECV_BUFFER, bytes);
}

int edo_tcp_recv_buffer(const edo_io *conn)
{
    return get(conn, EDO__SOCKET_RECV_BUFFER);
}

/* ---- IP: the options depend on the family ---- */

/* Families for which a socket has options. Each packet obeys the options of the family that it is
 * sent with. A socket for both families sends IPv4 packets if its peer has an IPv4 address. */
typedef enum address_families {
    ONLY_V4,
    ONLY_V6,
    BOTH_SENDING_V6,
    BOTH_SENDING_V4
} address_families;

static bool has_v4_peer(edo_fd fd)
{
    edo__address peer;
    return edo__socket_peer(fd, &peer) == 0 && edo__address_is_v4_mapped(&peer);
}

static address_families families_of(const edo_io *conn)
{
    edo__address local;
    edo_fd fd = edo__tcp_socket(conn);
    if (edo__socket_local(fd, &local) < 0 || local.family == EDO__FAMILY_V4) return ONLY_V4;
    if (has_v4_peer(fd)) return BOTH_SENDING_V4;
    return edo__socket_get(fd, EDO__SOCKET_ONLY_V6) ? ONLY_V6 : BOTH_SENDING_V6;
}

/* Sets the option in all families of the socket, or in none. If the call for IPv4 fails, the
 * function restores the value for IPv6. */
static int set_in_families(edo_io *conn, edo__socket_option v4_option, edo__socket_option v6_option,
                           int value)
{
    address_families families = families_of(conn);
    if (families == ONLY_V4) return set(conn, v4_option, value);
    int before = get(conn, v6_option);
    int rc = set(conn, v6_option, value);
    if (rc < 0 || families == ONLY_V6) return rc;
    rc = set(conn, v4_option, value);
    if (rc < 0) set(conn, v6_option, before);
    return rc;
}

static int get_in_family(const edo_io *conn, edo__socket_option v4_option,
                         edo__socket_option v6_option)
{
    address_families families = families_of(conn);
    bool is_v4 = families == ONLY_V4 || families == BOTH_SENDING_V4;
    return is_v4 ? get(conn, v4_option) : get(conn, v6_option);
}

int edo_tcp_set_ttl(edo_io *conn, int ttl)
{
    if (ttl < 1 || ttl > 255) return -EINVAL;
    return set_in_families(conn, EDO__SOCKET_TTL_V4, EDO__SOCKET_TTL_V6, ttl);
}

int edo_tcp_ttl(const edo_io *conn)
{
    return get_in_family(conn, EDO__SOCKET_TTL_V4, EDO__SOCKET_TTL_V6);
}

int edo_tcp_set_tos(edo_io *conn, int tos)
{
    if (tos < 0 || tos > 255) return -EINVAL;
    return set_in_families(conn, EDO__SOCKET_TOS_V4, EDO__SOCKET_TOS_V6, tos);
}

int edo_tcp_tos(const edo_io *conn)
{
    return get_in_family(conn, EDO__SOCKET_TOS_V4, EDO__SOCKET_TOS_V6);
}

int edo_tcp_take_error(edo_io *conn)
{
    edo_fd fd = edo__tcp_socket(conn);
    return fd < 0 ? fd : edo__socket_error(fd);
}
