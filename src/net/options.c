/* Options of TCP connections. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <edo/net.h>

#include "io/io.h"
#include "net/address.h"

/* Or a negative errno. */
static int socket_of(const edo_io *conn)
{
    if (!conn) return -EINVAL;
    const edo__source *source = edo__io_source(conn);
    if (!source || !(source->traits & EDO__SOURCE_TCP)) return -ENOTSUP;
    edo__source_check(source, "edo_tcp_*");
    return source->fd;
}

static int set(edo_io *conn, int level, int option, const void *value, size_t size)
{
    int fd = socket_of(conn);
    if (fd < 0) return fd;
    return setsockopt(fd, level, option, value, (socklen_t)size) < 0 ? -errno : 0;
}

static int get(const edo_io *conn, int level, int option, void *value, size_t size)
{
    int fd = socket_of(conn);
    socklen_t length = (socklen_t)size;
    if (fd < 0) return fd;
    return getsockopt(fd, level, option, value, &length) < 0 ? -errno : 0;
}

static int set_int(edo_io *conn, int level, int option, int value)
{
    return set(conn, level, option, &value, sizeof value);
}

static int get_int(const edo_io *conn, int level, int option)
{
    int value = 0;
    int rc = get(conn, level, option, &value, sizeof value);
    return rc < 0 ? rc : value;
}

static int address_of(const edo_io *conn, bool peer, char *buffer, size_t size)
{
    int fd = socket_of(conn);
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
    return set_int(conn, IPPROTO_TCP, TCP_NODELAY, on);
}

int edo_tcp_nodelay(const edo_io *conn)
{
    int value = get_int(conn, IPPROTO_TCP, TCP_NODELAY);
    return value > 0 ? 1 : value;
}

/* ---- keep-alive ---- */

static int set_unless_zero(edo_io *conn, int option, int value)
{
    return value ? set_int(conn, IPPROTO_TCP, option, value) : 0;
}

int edo_tcp_set_keepalive(edo_io *conn, bool on, edo_keepalive times)
{
    if (times.idle < 0 || times.interval < 0 || times.count < 0) return -EINVAL;
    int rc = set_unless_zero(conn, TCP_KEEPIDLE, times.idle);
    if (rc == 0) rc = set_unless_zero(conn, TCP_KEEPINTVL, times.interval);
    if (rc == 0) rc = set_unless_zero(conn, TCP_KEEPCNT, times.count);
    return rc < 0 ? rc : set_int(conn, SOL_SOCKET, SO_KEEPALIVE, on);
}

int edo_tcp_keepalive(const edo_io *conn, edo_keepalive *ret_times)
{
    int on = get_int(conn, SOL_SOCKET, SO_KEEPALIVE);
    if (on < 0 || !ret_times) return on;
    edo_keepalive times = { .idle = get_int(conn, IPPROTO_TCP, TCP_KEEPIDLE),
                            .interval = get_int(conn, IPPROTO_TCP, TCP_KEEPINTVL),
                            .count = get_int(conn, IPPROTO_TCP, TCP_KEEPCNT) };
    *ret_times = times;
    return on;
}

/* ---- linger ---- */

int edo_tcp_set_linger(edo_io *conn, int seconds)
{
    if (seconds < -1) return -EINVAL;
    struct linger linger = { .l_onoff = seconds >= 0, .l_linger = seconds > 0 ? seconds : 0 };
    return set(conn, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

int edo_tcp_linger(const edo_io *conn, int *ret_seconds)
{
    struct linger linger = { 0 };
    int rc = ret_seconds ? get(conn, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) : -EINVAL;
    if (rc == 0) *ret_seconds = linger.l_onoff ? linger.l_linger : -1;
    return rc;
}

/* ---- buffers ---- */

int edo_tcp_set_send_buffer(edo_io *conn, int bytes)
{
    return bytes < 1 ? -EINVAL : set_int(conn, SOL_SOCKET, SO_SNDBUF, bytes);
}

int edo_tcp_send_buffer(const edo_io *conn)
{
    return get_int(conn, SOL_SOCKET, SO_SNDBUF);
}

int edo_tcp_set_recv_buffer(edo_io *conn, int bytes)
{
    return bytes < 1 ? -EINVAL : set_int(conn, SOL_SOCKET, SO_RCVBUF, bytes);
}

int edo_tcp_recv_buffer(const edo_io *conn)
{
    return get_int(conn, SOL_SOCKET, SO_RCVBUF);
}

/* ---- IP: the options depend on the family ---- */

/* The packets of a socket for both families have the options of the family that they are sent in:
 * IPv4, once it is connected to a peer of IPv4. */
typedef enum address_families {
    ONLY_V4,
    ONLY_V6,
    BOTH_SENDING_V6,
    BOTH_SENDING_V4
} address_families;

static bool has_v4_peer(const edo_io *conn)
{
    struct sockaddr_in6 peer = { 0 };
    socklen_t size = sizeof peer;
    return getpeername(socket_of(conn), (struct sockaddr *)&peer, &size) == 0 &&
           IN6_IS_ADDR_V4MAPPED(&peer.sin6_addr);
}

static address_families families_of(const edo_io *conn)
{
    if (get_int(conn, SOL_SOCKET, SO_DOMAIN) != AF_INET6) return ONLY_V4;
    if (has_v4_peer(conn)) return BOTH_SENDING_V4;
    return get_int(conn, IPPROTO_IPV6, IPV6_V6ONLY) ? ONLY_V6 : BOTH_SENDING_V6;
}

/* Not by halves: what is not taken in one family is put back in the other. */
static int set_in_families(edo_io *conn, int v4_option, int v6_option, int value)
{
    address_families families = families_of(conn);
    if (families == ONLY_V4) return set_int(conn, IPPROTO_IP, v4_option, value);
    int before = get_int(conn, IPPROTO_IPV6, v6_option);
    int rc = set_int(conn, IPPROTO_IPV6, v6_option, value);
    if (rc < 0 || families == ONLY_V6) return rc;
    rc = set_int(conn, IPPROTO_IP, v4_option, value);
    if (rc < 0) set_int(conn, IPPROTO_IPV6, v6_option, before);
    return rc;
}

static int get_in_family(const edo_io *conn, int v4_option, int v6_option)
{
    address_families families = families_of(conn);
    bool is_v4 = families == ONLY_V4 || families == BOTH_SENDING_V4;
    return is_v4 ? get_int(conn, IPPROTO_IP, v4_option) : get_int(conn, IPPROTO_IPV6, v6_option);
}

int edo_tcp_set_ttl(edo_io *conn, int ttl)
{
    if (ttl < 1 || ttl > 255) return -EINVAL;
    return set_in_families(conn, IP_TTL, IPV6_UNICAST_HOPS, ttl);
}

int edo_tcp_ttl(const edo_io *conn)
{
    return get_in_family(conn, IP_TTL, IPV6_UNICAST_HOPS);
}

int edo_tcp_set_tos(edo_io *conn, int tos)
{
    if (tos < 0 || tos > 255) return -EINVAL;
    return set_in_families(conn, IP_TOS, IPV6_TCLASS, tos);
}

int edo_tcp_tos(const edo_io *conn)
{
    return get_in_family(conn, IP_TOS, IPV6_TCLASS);
}

int edo_tcp_take_error(edo_io *conn)
{
    int error = get_int(conn, SOL_SOCKET, SO_ERROR);
    return error > 0 ? -error : error;
}
