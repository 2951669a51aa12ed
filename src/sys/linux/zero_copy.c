/* Sends without a copy (sys/transfer.h) on Linux: MSG_ZEROCOPY.
 *
 * The kernel numbers the sends of a socket from 0, in 32 bits that wrap around. A report in the
 * error queue has the first and the last number of a range. */
#include <time.h> // for linux/errqueue.h

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "sys/transfer.h"

enum { ENOTSUPP = 524 }; // errno of the kernel for socket families without such sends

int edo__sys_zero_copy_permit(edo_fd socket)
{
    int on = 1;
    if (setsockopt(socket, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof on) == 0) return 0;
    return errno == ENOTSUPP ? -EOPNOTSUPP : -errno;
}

int64_t edo__sys_zero_copy_send(edo_fd socket, const void *data, size_t size)
{
    ssize_t n;
    do {
        n = send(socket, data, size, MSG_ZEROCOPY | MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static bool is_report(const struct cmsghdr *part)
{
    bool is_v4 = part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_RECVERR;
    bool is_v6 = part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_RECVERR;
    return is_v4 || is_v6;
}

/* Takes one report. Any other message of the error queue, such as a timestamp, counts as a report
 * about 0 sends. */
int64_t edo__sys_zero_copy_report(edo_fd socket, bool *ret_copied)
{
    _Alignas(struct cmsghdr) char control[128];
    struct msghdr message = { .msg_control = control, .msg_controllen = sizeof control };
    ssize_t n;
    do {
        n = recvmsg(socket, &message, MSG_ERRQUEUE | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0) return -errno;
    *ret_copied = false;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
        const struct sock_extended_err *error = (const void *)CMSG_DATA(part);
        if (!is_report(part) || error->ee_origin != SO_EE_ORIGIN_ZEROCOPY) continue;
        *ret_copied = error->ee_code & SO_EE_CODE_ZEROCOPY_COPIED;
        return (int64_t)(uint32_t)(error->ee_data - error->ee_info) + 1;
    }
    return 0;
}
