/* Options of datagram sockets on Linux. */
#include "sys/datagrams.h"

#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>

#include "sys/linux/address.h"

#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif

static int set(edo_fd fd, int level, int option, const void *value, size_t size)
{
    return setsockopt(fd, level, option, value, (socklen_t)size) < 0 ? -errno : 0;
}

static int set_int(edo_fd fd, int level, int option, int value)
{
    return set(fd, level, option, &value, sizeof value);
}

int edo__socket_set_device(edo_fd fd, const char *name)
{
    return set(fd, SOL_SOCKET, SO_BINDTODEVICE, name, strlen(name));
}

/* ---- options ---- */

typedef struct option_place {
    int level, option; // option 0: there is no such option
} option_place;

/* Level and number of each option. On an IPv6 socket that also receives IPv4, the option is set at
 * both places, `v4` and `v6`. */
static const struct {
    option_place v4, v6;
} places[EDO_UDP_OPTIONS] = {
    [EDO_UDP_BROADCAST] = { { SOL_SOCKET, SO_BROADCAST }, { SOL_SOCKET, SO_BROADCAST } },
    [EDO_UDP_SEND_BUFFER] = { { SOL_SOCKET, SO_SNDBUF }, { SOL_SOCKET, SO_SNDBUF } },
    [EDO_UDP_RECV_BUFFER] = { { SOL_SOCKET, SO_RCVBUF }, { SOL_SOCKET, SO_RCVBUF } },
    [EDO_UDP_TTL] = { { IPPROTO_IP, IP_TTL }, { IPPROTO_IPV6, IPV6_UNICAST_HOPS } },
    [EDO_UDP_TOS] = { { IPPROTO_IP, IP_TOS }, { IPPROTO_IPV6, IPV6_TCLASS } },
    [EDO_UDP_MULTICAST_LOOP] = { { IPPROTO_IP, IP_MULTICAST_LOOP },
                                 { IPPROTO_IPV6, IPV6_MULTICAST_LOOP } },
    [EDO_UDP_MULTICAST_TTL] = { { IPPROTO_IP, IP_MULTICAST_TTL },
                                { IPPROTO_IPV6, IPV6_MULTICAST_HOPS } },
    [EDO_UDP_MULTICAST_INTERFACE] = { { IPPROTO_IP, IP_MULTICAST_IF },
                                      { IPPROTO_IPV6, IPV6_MULTICAST_IF } },
    [EDO_UDP_MTU_DISCOVERY] = { { IPPROTO_IP, IP_MTU_DISCOVER },
                                { IPPROTO_IPV6, IPV6_MTU_DISCOVER } },
    [EDO_UDP_MTU] = { { IPPROTO_IP, IP_MTU }, { IPPROTO_IPV6, IPV6_MTU } },
    [EDO_UDP_GRO] = { { IPPROTO_UDP, UDP_GRO }, { IPPROTO_UDP, UDP_GRO } },
    [EDO_UDP_ERRORS] = { { IPPROTO_IP, IP_RECVERR }, { IPPROTO_IPV6, IPV6_RECVERR } },
    [EDO_UDP_RECV_LOCAL] = { { IPPROTO_IP, IP_PKTINFO }, { IPPROTO_IPV6, IPV6_RECVPKTINFO } },
    [EDO_UDP_RECV_TTL] = { { IPPROTO_IP, IP_RECVTTL }, { IPPROTO_IPV6, IPV6_RECVHOPLIMIT } },
    [EDO_UDP_RECV_TOS] = { { IPPROTO_IP, IP_RECVTOS }, { IPPROTO_IPV6, IPV6_RECVTCLASS } },
    [EDO_UDP_RECV_TIMESTAMP] = { { SOL_SOCKET, SO_TIMESTAMPNS }, { SOL_SOCKET, SO_TIMESTAMPNS } },
    [EDO_UDP_RECV_DROPS] = { { SOL_SOCKET, SO_RXQ_OVFL }, { SOL_SOCKET, SO_RXQ_OVFL } },
    [EDO_UDP_SEND_TIMESTAMPS] = { { SOL_SOCKET, SO_TIMESTAMPING },
                                  { SOL_SOCKET, SO_TIMESTAMPING } },
};

_Static_assert(EDO_MTU_FRAGMENT == IP_PMTUDISC_DONT && EDO_MTU_ROUTE == IP_PMTUDISC_WANT &&
                   EDO_MTU_REFUSE == IP_PMTUDISC_DO && EDO_MTU_PROBE == IP_PMTUDISC_PROBE,
               "values are handed to the kernel as they are");

/* Flags for timestamps of sends. The kernel takes the timestamps, numbers the sends, and returns no
 * copy of the datagram. */
enum {
    SEND_TIMES = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE |
                 SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY
};

/* Sets an option. The value of IPv4's multicast interface is a struct. */
static int set_at(edo_fd fd, const option_place *place, int value)
{
    if (place->level != IPPROTO_IP || place->option != IP_MULTICAST_IF)
        return set_int(fd, place->level, place->option, value);
    struct ip_mreqn request = { .imr_ifindex = value };
    return set(fd, place->level, place->option, &request, sizeof request);
}

int edo__datagram_set(edo_fd fd, bool is_v6, edo_udp_option option, int value)
{
    const option_place *v4 = &places[option].v4, *v6 = &places[option].v6;
    if (option == EDO_UDP_SEND_TIMESTAMPS) value = value ? SEND_TIMES : 0;
    int rc = set_at(fd, is_v6 ? v6 : v4, value);
    bool has_both = is_v6 && v4->level == IPPROTO_IP;
    if (rc == 0 && has_both) set_at(fd, v4, value); // fails on a socket that is only for IPv6
    return rc;
}

int edo__datagram_get(edo_fd fd, bool is_v6, edo_udp_option option)
{
    const option_place *place = is_v6 ? &places[option].v6 : &places[option].v4;
    int value = 0;
    socklen_t size = sizeof value;
    if (option == EDO_UDP_MULTICAST_INTERFACE && !is_v6) return -EOPNOTSUPP; // not a number
    if (getsockopt(fd, place->level, place->option, &value, &size) < 0) return -errno;
    return option == EDO_UDP_SEND_TIMESTAMPS ? value != 0 : value;
}

bool edo__datagram_can_segment(edo_fd fd)
{
    int size = 0;
    socklen_t length = sizeof size;
    return getsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, &length) == 0;
}

/* ---- multicast ---- */

static void copy_address(struct sockaddr_storage *to, const edo_address *from)
{
    memcpy(to, edo__address_place(from), edo__address_size(from));
}

static int level_of(const edo_address *group)
{
    switch (edo__address_family(group)) {
    case EDO_ADDRESS_V4: return IPPROTO_IP;
    case EDO_ADDRESS_V6: return IPPROTO_IPV6;
    default: return -EINVAL;
    }
}

static int change_group(edo_fd fd, int level, const edo__membership *membership)
{
    struct group_req request = { .gr_interface = membership->interface };
    copy_address(&request.gr_group, membership->group);
    return set(fd, level, membership->joins ? MCAST_JOIN_GROUP : MCAST_LEAVE_GROUP, &request,
               sizeof request);
}

static int change_source(edo_fd fd, int level, const edo__membership *membership)
{
    struct group_source_req request = { .gsr_interface = membership->interface };
    copy_address(&request.gsr_group, membership->group);
    copy_address(&request.gsr_source, membership->source);
    return set(fd, level, membership->joins ? MCAST_JOIN_SOURCE_GROUP : MCAST_LEAVE_SOURCE_GROUP,
               &request, sizeof request);
}

/* Errors are ignored, because a kernel before Linux 4.20 may lack IPV6_MULTICAST_ALL. */
static void receive_own_groups_only(edo_fd fd, int level)
{
    set_int(fd, level, level == IPPROTO_IP ? IP_MULTICAST_ALL : IPV6_MULTICAST_ALL, 0);
}

int edo__datagram_member(edo_fd fd, const edo__membership *membership)
{
    int level = level_of(membership->group);
    if (level < 0) return level;
    if (membership->joins) receive_own_groups_only(fd, level);
    return membership->source ? change_source(fd, level, membership)
                              : change_group(fd, level, membership);
}
