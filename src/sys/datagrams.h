/* Contract with the operating system: ancillary data, and the calls on datagram sockets that
 * sys/sockets.h lacks. Thread: any. Results are 0 or a negative errno, except where a comment says
 * otherwise. */
#pragma once

#include <edo/udp.h>

/* Binds a socket to one network interface. */
int edo__socket_set_device(edo_fd fd, const char *name);

/* ---- options ---- */

/* As edo_udp_set() and edo_udp_get(). is_v6: the socket is an IPv6 socket, perhaps for both
 * families. */
int edo__datagram_set(edo_fd fd, bool is_v6, edo_udp_option option, int value);
int edo__datagram_get(edo_fd fd, bool is_v6, edo_udp_option option);

/* Whether the kernel can cut a buffer into datagrams. If not, the kernel would send the buffer as
 * one datagram. */
bool edo__datagram_can_segment(edo_fd fd);

typedef struct edo__membership {
    const edo_address *group;
    const edo_address *source; // only datagrams of this sender; NULL: all senders
    uint32_t interface;
    bool joins;
} edo__membership;

/* Joins or leaves a multicast group. After a join, the socket no longer receives datagrams of
 * groups that only other sockets have joined. */
int edo__datagram_member(edo_fd fd, const edo__membership *membership);

/* ---- ancillary data ---- */

/* As the calls of edo/message.h and edo/udp.h with the same names. */
int edo__control_add(edo_control *control, int level, int type, const void *data, size_t size);
bool edo__control_next(const edo_control *control, edo_control_record *record);
void edo__datagram_info_read(const edo_control *control, edo_datagram_info *ret_info);
int edo__datagram_info_write(edo_control *control, const edo_datagram_info *info,
                             const edo_address *to);
bool edo__datagram_error_read(const edo_control *control, edo_datagram_error *ret_error);
