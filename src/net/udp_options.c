/* Options of UDP sockets, multicast, and ancillary data. */
#include "net/udp.h"
#include "sys/datagrams.h"

/* ---- options ---- */

static bool is_option(edo_udp_option option)
{
    return (unsigned)option < EDO_UDP_OPTIONS;
}

int edo_udp_set(edo_udp *socket, edo_udp_option option, int value)
{
    edo_fd fd = edo__udp_fd(socket, "edo_udp_set");
    if (fd < 0 || !is_option(option) || option == EDO_UDP_MTU) return -EINVAL;
    int rc = edo__datagram_set(fd, socket->is_v6, option, value);
    if (rc == 0 && option == EDO_UDP_GRO) edo_store_relaxed(&socket->merges, value != 0);
    if (rc == 0 && option == EDO_UDP_SEND_TIMESTAMPS) // the kernel numbers timestamps by calls,
                                                      // so each datagram needs its own call
        edo_store_relaxed(&socket->no_segments, value || !edo__datagram_can_segment(fd));
    return rc;
}

int edo_udp_get(const edo_udp *socket, edo_udp_option option)
{
    edo_fd fd = edo__udp_fd(socket, "edo_udp_get");
    if (fd < 0 || !is_option(option)) return -EINVAL;
    return edo__datagram_get(fd, socket->is_v6, option);
}

/* ---- multicast ---- */

static int change(edo_udp *socket, edo__membership membership, const char *call)
{
    edo_fd fd = edo__udp_fd(socket, call);
    if (fd < 0 || !edo_address_is_multicast(membership.group)) return -EINVAL;
    return edo__datagram_member(fd, &membership);
}

int edo_udp_join(edo_udp *socket, const edo_address *group, uint32_t interface)
{
    return change(socket, (edo__membership){ group, NULL, interface, true }, "edo_udp_join");
}

int edo_udp_leave(edo_udp *socket, const edo_address *group, uint32_t interface)
{
    return change(socket, (edo__membership){ group, NULL, interface, false }, "edo_udp_leave");
}

int edo_udp_join_source(edo_udp *socket, const edo_address *group, const edo_address *source,
                        uint32_t interface)
{
    if (!source) return -EINVAL;
    return change(socket, (edo__membership){ group, source, interface, true },
                  "edo_udp_join_source");
}

int edo_udp_leave_source(edo_udp *socket, const edo_address *group, const edo_address *source,
                         uint32_t interface)
{
    if (!source) return -EINVAL;
    return change(socket, (edo__membership){ group, source, interface, false },
                  "edo_udp_leave_source");
}

/* ---- ancillary data ---- */

int edo_control_add(edo_control *control, int level, int type, const void *data, size_t size)
{
    if (!control || !control->data || (!data && size)) return -EINVAL;
    return edo__control_add(control, level, type, data, size);
}

bool edo_control_next(const edo_control *control, edo_control_record *record)
{
    return control && record && edo__control_next(control, record);
}

void edo_datagram_info_read(const edo_control *control, edo_datagram_info *ret_info)
{
    static const edo_control none = { 0 };
    if (ret_info) edo__datagram_info_read(control ? control : &none, ret_info);
}

int edo_datagram_info_write(edo_control *control, const edo_datagram_info *info,
                            const edo_address *to)
{
    if (!control || !control->data || !info || !to) return -EINVAL;
    return edo__datagram_info_write(control, info, to);
}

bool edo_datagram_error_read(const edo_control *control, edo_datagram_error *ret_error)
{
    return control && ret_error && edo__datagram_error_read(control, ret_error);
}

/* Number of bytes in the message's only buffer. 0 if the message has no buffer, or several. */
static size_t bytes_of(const edo_message *message)
{
    size_t room = message->slice_count == 1 ? message->slices->size : 0;
    return message->size < room ? message->size : room;
}

/* A message without bytes has one empty part. */
bool edo_datagram_part(const edo_message *message, size_t *offset, edo_slice *ret_part)
{
    edo_datagram_info info;
    if (!message || !offset || !ret_part) return false;
    size_t at = *offset, size = bytes_of(message);
    if (at >= size && (at || size)) return false;
    edo_datagram_info_read(message->control, &info);
    size_t part = info.present & EDO_DATAGRAM_SEGMENT && info.segment ? info.segment : size;
    if (part > size - at) part = size - at;
    *ret_part = (edo_slice){ (char *)message->slices->data + at, part };
    *offset = size ? at + part : 1;
    return true;
}
