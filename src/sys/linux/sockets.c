/* The sockets of sys/sockets.h on Linux. */
#include "sys/sockets.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "sys/linux/address.h"

/* ---- life ---- */

static const int types[] = {
    [EDO__SOCKET_OTHER_TYPE] = 0,
    [EDO__SOCKET_STREAM] = SOCK_STREAM,
    [EDO__SOCKET_DATAGRAM] = SOCK_DGRAM,
    [EDO__SOCKET_SEQPACKET] = SOCK_SEQPACKET,
};

edo_fd edo__socket_make(edo__family family, edo__socket_type type)
{
    int fd = socket(edo__family_to_af(family), types[type] | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

int edo__socket_make_pair(edo__socket_type type, edo_fd ret_fds[2])
{
    int rc = socketpair(AF_UNIX, types[type] | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ret_fds);
    return rc < 0 ? -errno : 0;
}

edo_fd edo__socket_open(edo__family family)
{
    return edo__socket_make(family, EDO__SOCKET_STREAM);
}

int edo__socket_bind_to(edo_fd fd, const edo_address *address)
{
    int rc = bind(fd, edo__address_place(address), edo__address_size(address));
    return rc < 0 ? -errno : 0;
}

int edo__socket_connect_to(edo_fd fd, const edo_address *address)
{
    struct sockaddr none = { .sa_family = AF_UNSPEC };
    int rc = connect(fd, address ? edo__address_place(address) : &none,
                     address ? edo__address_size(address) : sizeof none);
    return rc == 0 || errno == EINPROGRESS || errno == EINTR ? 0 : -errno;
}

int edo__socket_bind(edo_fd fd, const edo__address *address)
{
    struct sockaddr_storage storage;
    socklen_t size = edo__address_to_sockaddr(address, &storage);
    return bind(fd, (const struct sockaddr *)&storage, size) < 0 ? -errno : 0;
}

int edo__socket_bind_local(edo_fd fd, const edo__address *address)
{
    int on = 1;
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    return edo__socket_bind(fd, address);
}

int edo__socket_listen(edo_fd fd, int backlog)
{
    return listen(fd, backlog) < 0 ? -errno : 0;
}

int edo__socket_connect(edo_fd fd, const edo__address *address)
{
    struct sockaddr_storage storage;
    socklen_t size = edo__address_to_sockaddr(address, &storage);
    if (connect(fd, (const struct sockaddr *)&storage, size) == 0) return 0;
    return errno == EINPROGRESS || errno == EINTR ? 0 : -errno;
}

int edo__socket_shutdown_write(edo_fd fd)
{
    return shutdown(fd, SHUT_WR) < 0 ? -errno : 0;
}

/* Greatest number of bytes that one call drops. DROP_BUFFER: a call that copies the bytes to a
 * buffer. MOST_DROPPED: a call that does not copy them; equal to EDO__MAX_TRANSFER. */
enum { DROP_BUFFER = 4096, MOST_DROPPED = 256 * 1024 };

int edo__socket_drop_input(edo_fd fd, bool tcp)
{
    char buffer[DROP_BUFFER];
    ssize_t n = tcp ? recv(fd, NULL, MOST_DROPPED, MSG_DONTWAIT | MSG_TRUNC)
                    : recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n < 0 && errno != EINTR) return -errno;
    return n != 0;
}

/* ---- names ---- */

int edo__socket_local(edo_fd fd, edo__address *ret_address)
{
    struct sockaddr_storage storage = { 0 };
    socklen_t size = sizeof storage;
    if (getsockname(fd, (struct sockaddr *)&storage, &size) < 0) return -errno;
    return edo__address_from_sockaddr(&storage, ret_address);
}

int edo__socket_peer(edo_fd fd, edo__address *ret_address)
{
    struct sockaddr_storage storage = { 0 };
    socklen_t size = sizeof storage;
    if (getpeername(fd, (struct sockaddr *)&storage, &size) < 0) return -errno;
    return edo__address_from_sockaddr(&storage, ret_address);
}

int edo__socket_name(edo_fd fd, edo_address *ret_address)
{
    edo_address address = { { 0 } };
    socklen_t size = EDO__SOCKADDR_SIZE;
    if (getsockname(fd, edo__address_place(&address), &size) < 0) return -errno;
    edo__address_set_size(&address, size);
    *ret_address = address;
    return 0;
}

int edo__socket_peer_name(edo_fd fd, edo_address *ret_address)
{
    edo_address address = { { 0 } };
    socklen_t size = EDO__SOCKADDR_SIZE;
    if (getpeername(fd, edo__address_place(&address), &size) < 0) return -errno;
    edo__address_set_size(&address, size);
    *ret_address = address;
    return 0;
}

/* ---- options ---- */

static int set(edo_fd fd, int level, int option, const void *value, socklen_t size)
{
    return setsockopt(fd, level, option, value, size) < 0 ? -errno : 0;
}

static int get(edo_fd fd, int level, int option, void *value, socklen_t size)
{
    return getsockopt(fd, level, option, value, &size) < 0 ? -errno : 0;
}

/* Reads an option. Returns: the value, or a negative errno. */
static int get_int(edo_fd fd, int level, int option)
{
    int value = 0;
    int rc = get(fd, level, option, &value, sizeof value);
    return rc < 0 ? rc : value;
}

static const struct {
    int level, option;
} options[] = {
    [EDO__SOCKET_REUSE_ADDRESS] = { SOL_SOCKET, SO_REUSEADDR },
    [EDO__SOCKET_REUSE_PORT] = { SOL_SOCKET, SO_REUSEPORT },
    [EDO__SOCKET_ONLY_V6] = { IPPROTO_IPV6, IPV6_V6ONLY },
    [EDO__SOCKET_NODELAY] = { IPPROTO_TCP, TCP_NODELAY },
    [EDO__SOCKET_KEEPALIVE] = { SOL_SOCKET, SO_KEEPALIVE },
    [EDO__SOCKET_KEEPALIVE_IDLE] = { IPPROTO_TCP, TCP_KEEPIDLE },
    [EDO__SOCKET_KEEPALIVE_INTERVAL] = { IPPROTO_TCP, TCP_KEEPINTVL },
    [EDO__SOCKET_KEEPALIVE_COUNT] = { IPPROTO_TCP, TCP_KEEPCNT },
    [EDO__SOCKET_SEND_BUFFER] = { SOL_SOCKET, SO_SNDBUF },
    [EDO__SOCKET_RECV_BUFFER] = { SOL_SOCKET, SO_RCVBUF },
    [EDO__SOCKET_TTL_V4] = { IPPROTO_IP, IP_TTL },
    [EDO__SOCKET_TTL_V6] = { IPPROTO_IPV6, IPV6_UNICAST_HOPS },
    [EDO__SOCKET_TOS_V4] = { IPPROTO_IP, IP_TOS },
    [EDO__SOCKET_TOS_V6] = { IPPROTO_IPV6, IPV6_TCLASS },
    [EDO__SOCKET_BROADCAST] = { SOL_SOCKET, SO_BROADCAST },
};

int edo__socket_set(edo_fd fd, edo__socket_option option, int value)
{
    return set(fd, options[option].level, options[option].option, &value, sizeof value);
}

int edo__socket_get(edo_fd fd, edo__socket_option option)
{
    return get_int(fd, options[option].level, options[option].option);
}

int edo__socket_error(edo_fd fd)
{
    int error = get_int(fd, SOL_SOCKET, SO_ERROR);
    return error > 0 ? -error : error;
}

int edo__socket_set_linger(edo_fd fd, int seconds)
{
    struct linger linger = { .l_onoff = seconds >= 0, .l_linger = seconds > 0 ? seconds : 0 };
    return set(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

int edo__socket_linger(edo_fd fd, int *ret_seconds)
{
    struct linger linger = { 0 };
    int rc = get(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    if (rc == 0) *ret_seconds = linger.l_onoff ? linger.l_linger : -1;
    return rc;
}

void edo__socket_reset_at_close(edo_fd fd)
{
    edo__socket_set_linger(fd, 0);
}

/* ---- kinds ---- */

static edo__family family_of(int domain)
{
    switch (domain) {
    case AF_INET: return EDO__FAMILY_V4;
    case AF_INET6: return EDO__FAMILY_V6;
    case AF_UNIX: return EDO__FAMILY_UNIX;
    default: return EDO__FAMILY_ANY;
    }
}

static edo__socket_type type_of(int type)
{
    switch (type) {
    case SOCK_STREAM: return EDO__SOCKET_STREAM;
    case SOCK_DGRAM: return EDO__SOCKET_DATAGRAM;
    case SOCK_SEQPACKET: return EDO__SOCKET_SEQPACKET;
    default: return EDO__SOCKET_OTHER_TYPE;
    }
}

static bool is_ip(edo__family family)
{
    return family == EDO__FAMILY_V4 || family == EDO__FAMILY_V6;
}

/* Describes a socket. The protocol shows whether the socket uses TCP. The type does not show that,
 * because SCTP also has stream sockets. An MPTCP socket has the options of TCP, so it is_tcp. Its
 * reads behave differently, so it is not is_plain_tcp. */
int edo__socket_describe(edo_fd fd, edo__socket_kind *ret_kind)
{
    int domain = get_int(fd, SOL_SOCKET, SO_DOMAIN);
    if (domain < 0) return domain;
    edo__socket_kind kind = { .family = family_of(domain),
                              .type = type_of(get_int(fd, SOL_SOCKET, SO_TYPE)),
                              .listens = get_int(fd, SOL_SOCKET, SO_ACCEPTCONN) > 0 };
    int protocol = is_ip(kind.family) ? get_int(fd, SOL_SOCKET, SO_PROTOCOL) : 0;
    kind.is_plain_tcp = protocol == IPPROTO_TCP;
    kind.is_tcp = kind.is_plain_tcp || protocol == IPPROTO_MPTCP;
    kind.is_udp = protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE;
    *ret_kind = kind;
    return 0;
}
