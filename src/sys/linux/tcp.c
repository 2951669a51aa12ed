/* Options of TCP (sys/tcp.h) on Linux. */
#include "sys/tcp.h"

#include <linux/mptcp.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "sys/linux/address.h"

#ifndef SOL_MPTCP
#define SOL_MPTCP 284
#endif
#ifndef MPTCP_INFO
#define MPTCP_INFO 1 // Linux 5.16
#endif

enum { NAME_SIZE = 16 }; // TCP_CA_NAME_MAX of the kernel

/* ---- life ---- */

edo_fd edo__socket_open_by_number(int family, int type, int protocol)
{
    int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    return fd < 0 ? -errno : fd;
}

/* Whether an error of socket() means that the system has no MPTCP. ENOPROTOOPT: sysctl has disabled
 * MPTCP. EINVAL: the kernel is older than 5.6. */
static bool lacks_multipath(int error)
{
    return error == -EPROTONOSUPPORT || error == -ENOPROTOOPT || error == -EINVAL ||
           error == -EPERM;
}

edo_fd edo__tcp_open_multipath(edo__family family, bool *ret_is_multipath)
{
    edo_fd fd = edo__socket_open_by_number(edo__family_to_af(family), SOCK_STREAM, IPPROTO_MPTCP);
    *ret_is_multipath = fd >= 0;
    return lacks_multipath(fd) ? edo__socket_open(family) : fd;
}

int edo__socket_bind_raw(edo_fd fd, const void *address, size_t size)
{
    return bind(fd, address, (socklen_t)size) < 0 ? -errno : 0;
}

int edo__socket_connect_raw(edo_fd fd, const void *address, size_t size)
{
    if (connect(fd, address, (socklen_t)size) == 0) return 0;
    return errno == EINPROGRESS || errno == EINTR ? 0 : -errno;
}

/* ---- options ---- */

int edo__socket_set_raw(edo_fd fd, int level, int name, const void *value, size_t size)
{
    if (size > INT32_MAX) return -EINVAL;
    return setsockopt(fd, level, name, value, (socklen_t)size) < 0 ? -errno : 0;
}

int edo__socket_get_raw(edo_fd fd, int level, int name, void *buffer, size_t size)
{
    socklen_t length = size < INT32_MAX ? (socklen_t)size : INT32_MAX;
    return getsockopt(fd, level, name, buffer, &length) < 0 ? -errno : (int)length;
}

static const struct {
    int level, name;
} options[] = {
    [EDO__TCP_USER_TIMEOUT] = { IPPROTO_TCP, TCP_USER_TIMEOUT },
    [EDO__TCP_MAX_SEGMENT] = { IPPROTO_TCP, TCP_MAXSEG },
    [EDO__TCP_QUICK_ACK] = { IPPROTO_TCP, TCP_QUICKACK },
    [EDO__TCP_DEFER_ACCEPT] = { IPPROTO_TCP, TCP_DEFER_ACCEPT },
    [EDO__TCP_UNSENT_LIMIT] = { IPPROTO_TCP, TCP_NOTSENT_LOWAT },
    [EDO__TCP_FAST_OPEN_QUEUE] = { IPPROTO_TCP, TCP_FASTOPEN },
    [EDO__TCP_FAST_OPEN_CONNECT] = { IPPROTO_TCP, TCP_FASTOPEN_CONNECT },
    [EDO__TCP_INCOMING_CPU] = { SOL_SOCKET, SO_INCOMING_CPU },
};

int edo__tcp_set(edo_fd fd, edo__tcp_option option, int value)
{
    return edo__socket_set_raw(fd, options[option].level, options[option].name, &value,
                               sizeof value);
}

int edo__tcp_get(edo_fd fd, edo__tcp_option option)
{
    int value = 0;
    int rc = edo__socket_get_raw(fd, options[option].level, options[option].name, &value,
                                 sizeof value);
    return rc < 0 ? rc : value;
}

int edo__tcp_set_congestion(edo_fd fd, const char *name)
{
    return edo__socket_set_raw(fd, IPPROTO_TCP, TCP_CONGESTION, name, strlen(name));
}

/* The kernel returns the size of its buffer, which has zeros after the name. */
int edo__tcp_congestion(edo_fd fd, char *buffer, size_t size)
{
    char name[NAME_SIZE + 1] = { 0 };
    int rc = edo__socket_get_raw(fd, IPPROTO_TCP, TCP_CONGESTION, name, NAME_SIZE);
    if (rc < 0) return rc;
    size_t length = strlen(name);
    if (length >= size) return -ENOSPC;
    memcpy(buffer, name, length + 1);
    return (int)length;
}

/* ---- information ---- */

static edo_tcp_info translate(const struct tcp_info *from)
{
    return (edo_tcp_info){
        .rtt = (int64_t)from->tcpi_rtt * 1000,
        .rtt_variance = (int64_t)from->tcpi_rttvar * 1000,
        .rtt_min = (int64_t)from->tcpi_min_rtt * 1000,
        .retransmit_timeout = (int64_t)from->tcpi_rto * 1000,
        .busy = (int64_t)from->tcpi_busy_time * 1000,
        .bytes_sent = from->tcpi_bytes_sent,
        .bytes_acked = from->tcpi_bytes_acked,
        .bytes_retransmitted = from->tcpi_bytes_retrans,
        .bytes_received = from->tcpi_bytes_received,
        .bytes_unsent = from->tcpi_notsent_bytes,
        .delivery_rate = from->tcpi_delivery_rate,
        .pacing_rate = from->tcpi_pacing_rate,
        .segments_sent = from->tcpi_segs_out,
        .segments_received = from->tcpi_segs_in,
        .segments_retransmitted = from->tcpi_total_retrans,
        .segments_unacked = from->tcpi_unacked,
        .segments_lost = from->tcpi_lost,
        .congestion_window = from->tcpi_snd_cwnd,
        .slow_start_threshold = from->tcpi_snd_ssthresh,
        .segment_size = from->tcpi_snd_mss,
        .path_mtu = from->tcpi_pmtu,
        .fast_opened = from->tcpi_options & TCPI_OPT_SYN_DATA,
    };
}

/* Members that an older kernel does not know remain zero. */
int edo__tcp_info(edo_fd fd, edo_tcp_info *ret_info)
{
    struct tcp_info info = { 0 };
    int rc = edo__socket_get_raw(fd, IPPROTO_TCP, TCP_INFO, &info, sizeof info);
    if (rc < 0) return rc;
    *ret_info = translate(&info);
    return 0;
}

/* On a TCP socket, MPTCP_INFO fails with EOPNOTSUPP. On an MPTCP socket whose peer supports only
 * TCP, the flag for the fall-back is set. */
int edo__tcp_is_multipath(edo_fd fd)
{
    struct mptcp_info info = { 0 };
    int rc = edo__socket_get_raw(fd, SOL_MPTCP, MPTCP_INFO, &info, sizeof info);
    if (rc == -EOPNOTSUPP || rc == -ENOPROTOOPT) return 0;
    return rc < 0 ? rc : !(info.mptcpi_flags & MPTCP_INFO_FLAG_FALLBACK);
}

/* ---- urgent data ---- */

int edo__tcp_send_urgent(edo_fd fd, unsigned char byte)
{
    ssize_t n;
    do {
        n = send(fd, &byte, 1, MSG_OOB | MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : (int)n;
}

/* The kernel fails with EINVAL if there is no urgent byte, or if the urgent byte was already
 * read. */
int edo__tcp_recv_urgent(edo_fd fd, unsigned char *ret_byte)
{
    ssize_t n;
    do {
        n = recv(fd, ret_byte, 1, MSG_OOB | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0) return errno == EINVAL ? -EAGAIN : -errno;
    return (int)n;
}

int edo__tcp_is_at_mark(edo_fd fd)
{
    int at_mark = sockatmark(fd);
    return at_mark < 0 ? -errno : at_mark;
}
